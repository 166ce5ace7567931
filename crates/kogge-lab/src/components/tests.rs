use std::collections::BTreeSet;

use super::*;
use crate::address_plan::Slot;
use crate::context::LabContext;
use crate::kubeparts::Binaries;
use crate::record::{ClusterRecord, LabRecord, LoopbackPorts};
use crate::spec::LabSpec;

fn clusters(spec: LabSpec, folder: &std::path::Path) -> Result<Vec<ClusterContext>> {
    let ports = (spec.mode != Mode::Full).then_some(LoopbackPorts {
        api: 1,
        etcd: 2,
        etcd_peer: 3,
        controller_manager: 4,
    });
    let clusters =
        spec.cluster_names().into_iter().map(|(index, name)| ClusterRecord { name, index, ports }).collect();
    let record = LabRecord {
        spec,
        slot: Slot(1),
        folder: folder.to_owned(),
        binaries: Binaries::Kubeparts("/cache/kubeparts".into()),
        clusters,
    };
    Ok(LabContext::new(record)?.clusters())
}

fn flag(line: &[String], name: &str) -> Option<String> {
    let start = format!("--{name}=");
    line.iter().find_map(|word| word.strip_prefix(&start).map(str::to_owned))
}

#[test]
fn names_read_back() {
    for component in Component::ALL {
        assert_eq!(component.name().parse::<Component>().ok(), Some(component));
    }
    let refused = "kube".parse::<Component>().err().map(|e| e.to_string()).unwrap_or_default();
    assert!(refused.contains("kube-apiserver"), "{refused}");
}

#[test]
fn a_node_sees_its_files_at_fixed_paths_wherever_the_lab_is() -> anyhow::Result<()> {
    let clusters = clusters(LabSpec::full("lab", 2), "/somewhere/deep".as_ref())?;
    for component in Component::ALL {
        for cluster in &clusters {
            let line = component.command_line(cluster).join(" ");
            assert!(!line.contains("/somewhere"), "{line}");
        }
    }
    Ok(())
}

#[test]
fn clusters_differ_in_every_network_and_share_flags() -> anyhow::Result<()> {
    let clusters = clusters(LabSpec::full("lab", 3), "/lab".as_ref())?;
    for name in ["advertise-address", "service-cluster-ip-range"] {
        let values: BTreeSet<_> =
            clusters.iter().filter_map(|c| flag(&Component::ApiServer.command_line(c), name)).collect();
        assert_eq!(values.len(), clusters.len(), "{name}: {values:?}");
    }
    Ok(())
}

#[test]
fn without_nodes_everything_listens_on_loopback() -> anyhow::Result<()> {
    let clusters = clusters(LabSpec::api_only("lab"), "/lab".as_ref())?;
    let line = Component::ApiServer.command_line(&clusters[0]);
    assert_eq!(flag(&line, "bind-address").as_deref(), Some("127.0.0.1"));
    assert_eq!(flag(&line, "secure-port").as_deref(), Some("1"));
    assert_eq!(flag(&line, "etcd-servers").as_deref(), Some("http://127.0.0.1:2"));
    assert_eq!(flag(&line, "audit-log-path").as_deref(), Some("/lab/control/log/audit.log"));
    Ok(())
}

#[test]
fn pods_are_routed_between_workers_and_to_control_only_when_asked() -> anyhow::Result<()> {
    let plain = clusters(LabSpec::full("lab", 2), "/lab".as_ref())?;
    assert!(plain[1].routes_pods_to(&plain[2]));
    assert!(
        !plain[0].routes_pods_to(&plain[1])
            && !plain[1].routes_pods_to(&plain[0])
            && !plain[1].routes_pods_to(&plain[1])
    );
    let open = clusters(LabSpec { control_routes: true, ..LabSpec::full("lab", 2) }, "/lab".as_ref())?;
    assert!(open[0].routes_pods_to(&open[1]) && open[1].routes_pods_to(&open[0]));
    Ok(())
}

#[test]
fn containerd_does_not_lower_oom_scores_and_uses_our_own_pause_image() -> anyhow::Result<()> {
    let clusters = clusters(LabSpec::full("lab", 1), "/lab".as_ref())?;
    let files = Component::Containerd.files(&clusters[1])?;
    assert!(
        files[0].content.contains("restrict_oom_score_adj = true") && files[0].content.contains(SANDBOX_IMAGE)
    );
    let network: serde_json::Value = serde_json::from_str(&files[1].content)?;
    assert_eq!(network["plugins"][0]["ipam"]["ranges"][0][0]["subnet"], "10.111.1.0/24");
    Ok(())
}
