//! The lab's network: one namespace with a bridge stands for the network between the data centres, every cluster
//! has a namespace for its node, and the host is attached by one interface. Filters and tables of the host are
//! never touched.

mod faults;

use std::path::Path;

use crate::command::{run, run_with_input, succeeds};
use crate::context::{ClusterContext, LabContext};
use crate::error::Result;

pub(crate) use faults::{PacketFault, add_fault, heal_faults, remove_fault, set_port};

/// Name of the bridge in the network's namespace.
const BRIDGE: &str = "wan";

fn namespace_path(namespace: &str) -> String {
    format!("/run/netns/{namespace}")
}

fn namespace_exists(namespace: &str) -> bool {
    Path::new(&namespace_path(namespace)).exists()
}

/// Words to put before a command so that it runs in a network namespace. `ip netns exec` would also make a
/// mount namespace of its own.
pub(crate) fn enter(namespace: &str) -> Vec<String> {
    vec!["nsenter".to_owned(), format!("--net={}", namespace_path(namespace)), "--".to_owned()]
}

fn set_sysctl(namespace: &str, key: &str, value: &str) -> Result<String> {
    let net = format!("--net={}", namespace_path(namespace));
    run(&["nsenter", &net, "--", "sh", "-c", &format!("echo {value} > /proc/sys/{key}")])
}

fn ip_batch(namespace: Option<&str>, lines: &[String]) -> Result<String> {
    let script = lines.join("\n") + "\n";
    match namespace {
        Some(namespace) => run_with_input(&["ip", "-n", namespace, "-batch", "-"], &script),
        None => run_with_input(&["ip", "-batch", "-"], &script),
    }
}

/// Makes the network between the data centres and attaches the host, unless they are there.
pub(crate) fn ensure_wan(lab: &LabContext) -> Result<()> {
    let namespace = lab.wan_namespace();
    let host = lab.host_interface();
    if namespace_exists(&namespace) && succeeds(&["ip", "link", "show", "dev", &host]) {
        return Ok(());
    }
    remove_wan(lab)?;
    run(&["ip", "netns", "add", &namespace])?;
    ip_batch(
        Some(&namespace),
        &[format!("link add {BRIDGE} type bridge"), format!("link set {BRIDGE} up"), "link set lo up".to_owned()],
    )?;
    // Where the kernel passes bridged packets to iptables, they must not meet rules made for routed ones.
    let _ = set_sysctl(&namespace, "net/bridge/bridge-nf-call-iptables", "0");
    let slot = lab.record.slot;
    ip_batch(
        None,
        &[
            format!("link add {host} type veth peer name host netns {namespace}"),
            format!("addr add {}/{} dev {host}", slot.host(), slot.wan().prefix()),
            format!("link set {host} up"),
        ],
    )?;
    ip_batch(Some(&namespace), &[format!("link set host master {BRIDGE} up")])?;
    Ok(())
}

/// Removes the network between the data centres and the host's interface on it.
pub(crate) fn remove_wan(lab: &LabContext) -> Result<()> {
    let host = lab.host_interface();
    if succeeds(&["ip", "link", "show", "dev", &host]) {
        run(&["ip", "link", "del", "dev", &host])?;
    }
    remove_namespace(&lab.wan_namespace())
}

/// Removes a network namespace if it is there.
pub(crate) fn remove_namespace(namespace: &str) -> Result<()> {
    if namespace_exists(namespace) {
        run(&["ip", "netns", "del", namespace])?;
    }
    Ok(())
}

/// Makes the network namespace of a node and plugs it into the network, as far as that is missing.
pub(crate) fn ensure_node(cluster: &ClusterContext) -> Result<()> {
    let namespace = cluster.namespace();
    if !namespace_exists(&namespace) {
        run(&["ip", "netns", "add", &namespace])?;
        ip_batch(Some(&namespace), &["link set lo up".to_owned()])?;
        set_sysctl(&namespace, "net/ipv4/ip_forward", "1")?;
    }
    if !succeeds(&["ip", "-n", &cluster.lab.wan_namespace(), "link", "show", "dev", cluster.name()]) {
        plug(cluster)?;
    }
    set_routes(cluster)
}

fn plug(cluster: &ClusterContext) -> Result<()> {
    let (port, namespace, addresses) = (cluster.name(), cluster.namespace(), cluster.addresses());
    ip_batch(
        Some(&cluster.lab.wan_namespace()),
        &[
            format!("link add {port} type veth peer name eth0 netns {namespace}"),
            format!("link set {port} master {BRIDGE} up"),
        ],
    )?;
    ip_batch(
        Some(&namespace),
        &[
            format!("link set eth0 address {}", addresses.hardware_address()),
            format!("addr add {}/{} dev eth0", addresses.node, addresses.wan.prefix()),
            "link set eth0 up".to_owned(),
            // What the node itself sends to a service needs a route before kube-proxy's rules rewrite it.
            format!("route replace {} dev eth0", addresses.services),
        ],
    )?;
    Ok(())
}

/// Unplugs a node and removes its network namespace.
pub(crate) fn remove_node(cluster: &ClusterContext) -> Result<()> {
    let wan = cluster.lab.wan_namespace();
    if namespace_exists(&wan) && succeeds(&["ip", "-n", &wan, "link", "show", "dev", cluster.name()]) {
        run(&["ip", "-n", &wan, "link", "del", "dev", cluster.name()])?;
    }
    remove_namespace(&cluster.namespace())
}

/// Routes to the pods of other clusters. Pods of the control cluster reach other nodes by the address of their
/// own node, as behind the address translation of a real data centre, unless they are routed themselves.
fn set_routes(cluster: &ClusterContext) -> Result<()> {
    let namespace = cluster.namespace();
    let routed = |other: &&ClusterContext| cluster.routes_pods_to(other);
    let routes: Vec<String> = cluster
        .lab
        .clusters()
        .iter()
        .filter(routed)
        .map(|other| format!("route replace {} via {}", other.addresses().pods, other.addresses().node))
        .collect();
    if !routes.is_empty() {
        ip_batch(Some(&namespace), &routes)?;
    }
    if cluster.is_control() && !cluster.lab.record.spec.control_routes {
        let rules = format!(
            "table ip lab\ndelete table ip lab\ntable ip lab {{\n\
             chain egress {{\ntype nat hook postrouting priority 100;\nip saddr {} oifname eth0 masquerade\n}}\n}}\n",
            cluster.addresses().pods
        );
        let net = format!("--net={}", namespace_path(&namespace));
        run_with_input(&["nsenter", &net, "--", "nft", "-f", "-"], &rules)?;
    }
    Ok(())
}

/// Runs a command in the network namespace of the network between the data centres.
fn in_wan(lab: &LabContext, argv: &[&str], input: &str) -> Result<String> {
    let net = format!("--net={}", namespace_path(&lab.wan_namespace()));
    let line: Vec<&str> = ["nsenter", &net, "--"].into_iter().chain(argv.iter().copied()).collect();
    run_with_input(&line, input)
}
