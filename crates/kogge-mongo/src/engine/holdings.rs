//! What the members hold, before a majority is given up.

use kogge_engine::{GroupName, Holding, PodName, silence};

use crate::data::goal::{Goal, SetGoal};
use crate::data::names::Host;
use crate::data::replset::{OpTime, ReplStatus};
use crate::data::topology::{Replication, Server, Topology};

pub(super) fn holdings(goal: &Goal, topology: &Topology) -> Vec<Holding> {
    let members = goal.ordered_sets().into_iter().flat_map(|set| {
        set.ordered_members().into_iter().map(move |member| Holding {
            group: GroupName::new(set.name.as_str()),
            pod: member.pod.clone(),
            vdc: member.vdc.clone(),
            is_lost: set.recovery.lost.contains(&member.pod),
            says: says(topology, set, &member.pod, &member.host),
            written_at: status_of(topology, &member.pod)
                .and_then(|status| last_entry(status, &member.host))
                .map(|entry| i64::from(entry.seconds)),
        })
    });
    members.collect()
}

fn says(topology: &Topology, set: &SetGoal, pod: &PodName, host: &Host) -> String {
    let Some(seen) = topology.members.get(pod) else { return "was not asked".to_owned() };
    let state = match &seen.server {
        Server::Unreachable { reason, .. } => return silence(reason, &seen.pod, &hearers(topology, set, host)),
        Server::Reachable(state) => state,
    };
    match &state.replication {
        Replication::Member { status, config } => {
            let stamp = config.as_ref().map(|c| format!(", config {}", c.stamp)).unwrap_or_default();
            let last = last_entry(status, host)
                .map_or_else(|| "last entry not known".to_owned(), |entry| format!("last entry {entry}"));
            format!("{}, term {}{stamp}, {last}", status.my_state, status.term)
        }
        Replication::Starting => "it has not loaded its replica-set config".to_owned(),
        Replication::ShuttingDown => "it is shutting down".to_owned(),
        Replication::Removed { .. } => "it holds a config that does not list it".to_owned(),
        Replication::Unreadable { reason } => format!("its state cannot be read: {reason}"),
    }
}

/// The members that still hear a silent one.
fn hearers(topology: &Topology, set: &SetGoal, host: &Host) -> Vec<PodName> {
    let hears = |pod: &&PodName| {
        let status = status_of(topology, pod);
        status.is_some_and(|status| status.members.iter().any(|m| &m.host == host && m.up))
    };
    set.members.iter().map(|m| &m.pod).filter(hears).cloned().collect()
}

fn status_of<'a>(topology: &'a Topology, pod: &PodName) -> Option<&'a ReplStatus> {
    let Server::Reachable(state) = &topology.members.get(pod)?.server else { return None };
    match &state.replication {
        Replication::Member { status, .. } => Some(status),
        _ => None,
    }
}

fn last_entry(status: &ReplStatus, host: &Host) -> Option<OpTime> {
    status.members.iter().find(|m| &m.host == host)?.optime
}
