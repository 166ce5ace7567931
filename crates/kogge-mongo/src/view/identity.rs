//! Who is who: servers that are not of our set, and members of ours that their config names otherwise.

use std::collections::BTreeMap;

use crate::data::goal::{MemberAnchor, SetGoal};
use crate::data::names::{Host, PodName};
use crate::data::replset::ConfigMember;
use crate::data::topology::{Replication, ServerState};
use crate::view::SetView;

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

/// Hosts in the config that no member of the goal has, and the pods that the anchors know under their `_id`s: of servers
/// that do not say who they are, and only while nobody hears the host. One that runs may be somebody's who took the `_id`
/// over by hand.
pub(crate) fn silent_aliases<'a>(view: &SetView<'a>) -> BTreeMap<Host, &'a PodName> {
    let wanted = view.set.members.iter().map(|m| (&m.pod, &m.host, m.anchor));
    let ours = wanted.chain(view.set.leaving.iter().map(|m| (&m.pod, &m.host, m.anchor)));
    let places = ours.filter_map(|(pod, host, anchor)| Some((recorded(view, pod, host, anchor)?, pod)));
    let silent = places.filter(|(place, _)| view.heard(&place.host).is_some_and(|heard| !heard.up));
    silent.map(|(place, pod)| (place.host.clone(), pod)).collect()
}

/// The place in the config, under a host that nobody has, with the `_id` that the anchors have for a member that held
/// data: it may be that member's, where its own server does not tell and its own host is not listed.
pub(crate) fn recorded<'a>(
    view: &SetView<'a>,
    pod: &PodName,
    host: &Host,
    anchor: MemberAnchor,
) -> Option<&'a ConfigMember> {
    let config = view.config?;
    let id = anchor.member_id.filter(|_| anchor.initialized)?;
    let tells = view.server(pod).map_or(view.answers(pod), |s| {
        !matches!(s.replication, Replication::Starting | Replication::ShuttingDown)
    });
    if tells || config.by_host(host).is_some() {
        return None;
    }
    config.members.iter().find(|m| m.id == id && view.pod_of(&m.host).is_none())
}

fn replica_set_id(server: &ServerState) -> Option<&str> {
    match &server.replication {
        Replication::Member { config, .. } | Replication::Removed { config } => {
            config.as_ref()?.replica_set_id.as_deref()
        }
        Replication::Starting | Replication::ShuttingDown | Replication::Unreadable { .. } => None,
    }
}
