//! What the members say before a majority is given up: who answers, and how far each one's entries reach.

use std::fmt::{self, Display, Formatter};

use k8s_openapi::jiff::Timestamp;
use kogge_mongo::{Goal, Host, Pod, PodName, ReplStatus, Replication, Server, SetGoal, Topology};

/// The members of all sets as they answered.
pub(super) struct Sight<'a> {
    pub(super) goal: &'a Goal,
    pub(super) topology: &'a Topology,
}

impl Display for Sight<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for set in self.goal.ordered_sets() {
            writeln!(f, "{}:", set.name)?;
            for member in set.ordered_members() {
                let lost = if set.recovery.lost.contains(&member.pod) { " (declared lost)" } else { "" };
                writeln!(
                    f,
                    "  {} in {}{lost}: {}",
                    member.pod,
                    member.vdc,
                    self.says(set, &member.pod, &member.host)
                )?;
            }
        }
        Ok(())
    }
}

impl Sight<'_> {
    fn says(&self, set: &SetGoal, pod: &PodName, host: &Host) -> String {
        let Some(seen) = self.topology.members.get(pod) else { return "was not asked".to_owned() };
        let state = match &seen.server {
            Server::Unreachable { reason, .. } => {
                let pod_known = match &seen.pod {
                    Pod::Unknown { reason } => format!("; its pod is not seen: {reason}"),
                    Pod::Absent => "; it has no pod".to_owned(),
                    Pod::Present(facts) if facts.running => "; its pod runs".to_owned(),
                    Pod::Present(_) => "; its pod does not run".to_owned(),
                };
                return format!("no answer ({reason}){pod_known}{}", self.last_heard(set, host));
            }
            Server::Reachable(state) => state,
        };
        match &state.replication {
            Replication::Member { status, config } => {
                let stamp = config.as_ref().map(|c| format!(", config {}", c.stamp)).unwrap_or_default();
                format!("{}, term {}{stamp}, {}", status.my_state, status.term, last_entry(status, host))
            }
            Replication::Starting => "it has not loaded its replica-set config".to_owned(),
            Replication::ShuttingDown => "it is shutting down".to_owned(),
            Replication::Removed { .. } => "it holds a config that does not list it".to_owned(),
            Replication::Unreadable { reason } => format!("its state cannot be read: {reason}"),
        }
    }

    /// Who still hears a silent member.
    fn last_heard(&self, set: &SetGoal, host: &Host) -> String {
        let hears = |pod: &PodName| {
            let Server::Reachable(state) = &self.topology.members.get(pod)?.server else { return None };
            let Replication::Member { status, .. } = &state.replication else { return None };
            status.members.iter().any(|m| &m.host == host && m.up).then(|| pod.to_string())
        };
        let hearers: Vec<String> = set.members.iter().filter_map(|m| hears(&m.pod)).collect();
        if hearers.is_empty() { String::new() } else { format!("; still heard by {}", hearers.join(", ")) }
    }
}

fn last_entry(status: &ReplStatus, host: &Host) -> String {
    let own = status.members.iter().find(|m| &m.host == host).and_then(|m| m.optime);
    own.map_or_else(
        || "last entry not known".to_owned(),
        |optime| {
            let at = Timestamp::from_second(i64::from(optime.seconds))
                .map_or_else(|_| String::new(), |at| format!(", {at}"));
            format!("last entry {optime}{at}")
        },
    )
}
