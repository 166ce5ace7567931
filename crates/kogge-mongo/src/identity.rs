//! Who is who: servers that are not of our set, and members of ours that their config names otherwise.

use std::collections::BTreeMap;

use crate::goal::SetGoal;
use crate::names::{Host, PodName};
use crate::topology::{Replication, ServerState};

/// Servers at our members' addresses that are not of our set, and whose they are, as a phrase.
///
/// Where servers of one name hold configs of different `replicaSetId`s, the set is the one of those that
/// the anchors know to hold data, then of the most; between equals nobody is believed.
pub(crate) fn strangers<'a>(
    set: &SetGoal,
    servers: &BTreeMap<&'a PodName, &'a ServerState>,
) -> BTreeMap<&'a PodName, String> {
    let mut strangers = BTreeMap::new();
    let mut by_id: BTreeMap<&str, Vec<&'a PodName>> = BTreeMap::new();
    for (&pod, server) in servers {
        match server.hello.set_name.as_deref() {
            Some(other) if other != set.name.as_str() => {
                strangers.insert(pod, format!("the replica set {other}"));
            }
            _ => {
                if let Some(id) = replica_set_id(server) {
                    by_id.entry(id).or_default().push(pod);
                }
            }
        }
    }
    let holds_data = |pod: &PodName| set.members.iter().any(|m| &m.pod == pod && m.anchor.initialized);
    let weight = |pods: &[&PodName]| (pods.iter().filter(|pod| holds_data(pod)).count(), pods.len());
    let heaviest = by_id.values().map(|pods| weight(pods)).max();
    let alone = by_id.values().filter(|pods| Some(weight(pods)) == heaviest).count() == 1;
    for (id, pods) in &by_id {
        if by_id.len() > 1 && !(alone && Some(weight(pods)) == heaviest) {
            let whose = format!("another replica set of the same name, with the replicaSetId {id}");
            strangers.extend(pods.iter().map(|pod| (*pod, whose.clone())));
        }
    }
    strangers
}

/// Hosts in the config that no member of the goal has, and the pods whose servers say that it is theirs.
pub(crate) fn aliases<'a>(
    set: &SetGoal,
    servers: &BTreeMap<&'a PodName, &'a ServerState>,
) -> BTreeMap<Host, &'a PodName> {
    let said = servers.iter().filter_map(|(&pod, server)| Some((Host::new(server.hello.me.as_deref()?), pod)));
    said.filter(|(host, _)| set.pod_of(host).is_none()).collect()
}

fn replica_set_id(server: &ServerState) -> Option<&str> {
    match &server.replication {
        Replication::Member { config, .. } | Replication::Removed { config } => {
            config.as_ref()?.replica_set_id.as_deref()
        }
        Replication::Uninitialized | Replication::Unreadable { .. } => None,
    }
}
