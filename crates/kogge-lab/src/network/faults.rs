//! Faults of the network between the data centres. Packets vanish; nothing is refused. Each fault of packets is
//! a table of its own in the bridge's namespace: added and removed in one transaction, and listed by the kernel.

use std::fmt::{self, Write};

use super::{BRIDGE, in_wan};
use crate::context::{API_PORT, ClusterContext, LabContext};
use crate::error::{LabError, Result};

const TABLE_PREFIX: &str = "fault_";

/// Which packets vanish.
#[derive(Debug, Clone)]
pub(crate) enum PacketFault {
    /// What `from` sends to `to`. Address resolution still works, so that the other way stays open.
    OneWay { from: String, to: String },
    /// Both ways between two clusters.
    Between { one: String, other: String },
    /// Everything to and from the API server of a cluster, from anywhere but its own node.
    Api(Box<ClusterContext>),
    /// Everything to and from the pods of a cluster, from anywhere but its own node.
    Pods(Box<ClusterContext>),
}

impl PacketFault {
    /// A table that belongs to this fault only.
    fn table(&self) -> String {
        let name = match self {
            Self::OneWay { from, to } => format!("{from}_to_{to}"),
            Self::Between { one, other } => format!("{one}_{other}"),
            Self::Api(cluster) => format!("api_{}", cluster.name()),
            Self::Pods(cluster) => format!("pods_{}", cluster.name()),
        };
        format!("{TABLE_PREFIX}{name}")
    }

    /// The conditions under which a packet is dropped.
    fn matches(&self) -> Vec<String> {
        match self {
            Self::OneWay { from, to } => vec![format!("ether type ip iifname {from} oifname {to}")],
            Self::Between { one, other } => {
                vec![format!("iifname {one} oifname {other}"), format!("iifname {other} oifname {one}")]
            }
            Self::Api(cluster) => {
                let node = cluster.addresses().node;
                vec![
                    format!("ip daddr {node} tcp dport {API_PORT}"),
                    format!("ip saddr {node} tcp sport {API_PORT}"),
                ]
            }
            Self::Pods(cluster) => {
                let pods = cluster.addresses().pods;
                vec![format!("ip daddr {pods}"), format!("ip saddr {pods}")]
            }
        }
    }

    /// The rules as `nft` reads them.
    fn ruleset(&self) -> String {
        let table = self.table();
        let mut text = format!("table bridge {table}\ndelete table bridge {table}\ntable bridge {table} {{\n");
        let drops: String = self.matches().iter().fold(String::new(), |mut rules, condition| {
            let _ = write!(rules, "{condition} drop; ");
            rules
        });
        // All ports, the host's too, are ports of the bridge, so every packet between them is forwarded.
        let _ = writeln!(text, "chain forward {{ type filter hook forward priority 0; {drops}}}\n}}");
        text
    }
}

impl fmt::Display for PacketFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneWay { from, to } => write!(f, "partition from {from} to {to}"),
            Self::Between { one, other } => write!(f, "partition between {one} and {other}"),
            Self::Api(cluster) => write!(f, "API server of {} cut off", cluster.name()),
            Self::Pods(cluster) => write!(f, "pods of {} cut off", cluster.name()),
        }
    }
}

/// Lets packets vanish; returns what [`remove_fault`] needs.
pub(crate) fn add_fault(lab: &LabContext, fault: &PacketFault) -> Result<String> {
    in_wan(lab, &["nft", "-f", "-"], &fault.ruleset())?;
    Ok(fault.table())
}

/// Takes a fault back; one that is gone already is fine.
pub(crate) fn remove_fault(lab: &LabContext, table: &str) -> Result<()> {
    // Adding the table first makes removing one that is gone succeed.
    in_wan(lab, &["nft", "-f", "-"], &format!("table bridge {table}\ndelete table bridge {table}\n")).map(drop)
}

/// Pulls or plugs the cable of a cluster.
pub(crate) fn set_port(lab: &LabContext, cluster: &str, up: bool) -> Result<()> {
    in_wan(lab, &["ip", "link", "set", "dev", cluster, if up { "up" } else { "down" }], "").map(drop)
}

/// Takes back all faults of the network.
pub(crate) fn heal_faults(lab: &LabContext) -> Result<()> {
    for table in list_tables(lab)? {
        remove_fault(lab, &table)?;
    }
    let ports = in_wan(lab, &["ip", "-json", "link", "show", "master", BRIDGE], "")?;
    for port in names(&ports, |port| port.get("ifname"))? {
        set_port(lab, &port, true)?;
    }
    Ok(())
}

fn list_tables(lab: &LabContext) -> Result<Vec<String>> {
    let text = in_wan(lab, &["nft", "--json", "list", "tables", "bridge"], "")?;
    let document: serde_json::Value =
        serde_json::from_str(&text).map_err(|e| LabError::document("`nft list tables`", e))?;
    let entries = document.get("nftables").map(ToString::to_string).unwrap_or_default();
    let mut tables = names(&entries, |entry| entry.get("table")?.get("name"))?;
    tables.retain(|name| name.starts_with(TABLE_PREFIX));
    Ok(tables)
}

/// The names that `name` finds in a JSON list.
fn names(text: &str, name: impl Fn(&serde_json::Value) -> Option<&serde_json::Value>) -> Result<Vec<String>> {
    let entries: Vec<serde_json::Value> =
        serde_json::from_str(text).map_err(|e| LabError::document("a list of network parts", e))?;
    Ok(entries.iter().filter_map(|entry| name(entry)?.as_str().map(str::to_owned)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_one_way_fault_leaves_address_resolution_alone() {
        let fault = PacketFault::OneWay { from: "vdc1".to_owned(), to: "vdc2".to_owned() };
        let rules = fault.ruleset();
        assert!(rules.contains("ether type ip iifname vdc1 oifname vdc2 drop;"), "{rules}");
        assert!(!rules.contains("iifname vdc2"), "{rules}");
    }

    #[test]
    fn a_fault_can_be_added_twice_and_names_its_own_table() {
        let fault = PacketFault::Between { one: "vdc1".to_owned(), other: "vdc2".to_owned() };
        let rules = fault.ruleset();
        assert!(
            rules.starts_with("table bridge fault_vdc1_vdc2\ndelete table bridge fault_vdc1_vdc2\n"),
            "{rules}"
        );
    }
}
