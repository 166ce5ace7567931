//! One replica set as its members together tell it.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::goal::{MemberGoal, SetGoal};
use crate::data::names::{Host, PodName};
use crate::data::replset::{ConfigMember, MemberState, ReplConfig, ReplStatus};
use crate::data::topology::{Access, MemberObservation, Millis, PodFacts, Replication, Server, ServerState};

/// What is known of one set, from fresh observations only.
pub(crate) struct SetView<'a> {
    pub(crate) set: &'a SetGoal,
    pub(crate) observations: BTreeMap<&'a PodName, &'a MemberObservation>,
    pub(crate) servers: BTreeMap<&'a PodName, &'a ServerState>,
    /// Servers that are not of this set, and whose they are.
    pub(crate) strangers: BTreeMap<&'a PodName, String>,
    /// Members of ours by the host that the config has for them, where the goal has another.
    pub(crate) aliases: BTreeMap<Host, &'a PodName>,
    /// Every pod whose server answered, whatever it said.
    pub(super) answering: BTreeSet<&'a PodName>,
    /// The newest config that any member holds.
    pub(crate) config: Option<&'a ReplConfig>,
    /// The member that takes writes, where it was reached itself.
    pub(crate) primary: Option<Primary<'a>>,
}

/// The member that takes writes.
#[derive(Clone, Copy)]
pub(crate) struct Primary<'a> {
    pub(crate) pod: &'a PodName,
    pub(crate) access: &'a Access,
    pub(crate) status: &'a ReplStatus,
    pub(crate) config: Option<&'a ReplConfig>,
}

impl<'a> SetView<'a> {
    /// A member holds, or held, a config: the set must never be initiated again.
    pub(crate) fn initiated(&self) -> bool {
        self.holding_a_config().next().is_some()
    }

    /// The pods whose servers hold a config of the set, whether it lists them or not.
    pub(crate) fn holding_a_config(&self) -> impl Iterator<Item = &'a PodName> {
        let servers = self.servers.iter();
        servers.filter(|(_, server)| holds_a_config(server)).map(|(pod, _)| *pod)
    }

    /// A server that answered, of our set or of none.
    pub(crate) fn server(&self, pod: &PodName) -> Option<&'a ServerState> {
        self.servers.get(pod).copied()
    }

    /// Whether a pod's server answered, whatever it said.
    pub(crate) fn answers(&self, pod: &PodName) -> bool {
        self.answering.contains(pod)
    }

    /// The config that a member holds.
    pub(crate) fn config_of(&self, pod: &PodName) -> Option<&'a ReplConfig> {
        match &self.server(pod)?.replication {
            Replication::Member { config, .. } => config.as_ref(),
            _ => None,
        }
    }

    /// The pod that is primary, by itself or by what the others hear.
    pub(crate) fn primary_pod(&self) -> Option<&'a PodName> {
        self.primary.map(|primary| primary.pod).or_else(|| {
            self.statuses()
                .flat_map(|(_, status)| &status.members)
                .find(|m| m.up && m.state == MemberState::Primary)
                .and_then(|m| self.pod_of(&m.host))
        })
    }

    /// The pod behind a host of the config, wanted or leaving.
    pub(crate) fn pod_of(&self, host: &Host) -> Option<&'a PodName> {
        self.set.pod_of(host).or_else(|| self.aliases.get(host).copied())
    }

    /// What the newest config says of a wanted member, under whatever host.
    pub(crate) fn entry(&self, member: &MemberGoal) -> Option<&'a ConfigMember> {
        let config = self.config?;
        config.by_host(&member.host).or_else(|| {
            let alias = self.aliases.iter().find(|(_, pod)| **pod == &member.pod);
            alias.and_then(|(host, _)| config.by_host(host))
        })
    }

    /// Whether a member's pod is to be restarted.
    pub(crate) fn is_outdated(&self, host: &Host) -> bool {
        let pod = self.pod_of(host).and_then(|pod| self.observations.get(pod)?.pod.facts());
        pod.is_some_and(PodFacts::outdated)
    }

    /// Since when a member did not answer.
    pub(crate) fn silent_since(&self, pod: &PodName) -> Option<Millis> {
        match &self.observations.get(pod)?.server {
            Server::Unreachable { since, .. } => Some(*since),
            Server::Reachable(_) => None,
        }
    }

    pub(crate) fn statuses(&self) -> impl Iterator<Item = (&'a PodName, &'a ReplStatus)> {
        let servers = self.servers.iter();
        servers.filter_map(|(&pod, &server)| match &server.replication {
            Replication::Member { status, .. } => Some((pod, status)),
            _ => None,
        })
    }

    pub(crate) fn own_state(&self, pod: &PodName) -> Option<MemberState> {
        match &self.server(pod)?.replication {
            Replication::Member { status, .. } => Some(status.my_state),
            Replication::Removed { .. } => Some(MemberState::Removed),
            Replication::Starting => Some(MemberState::Startup),
            Replication::ShuttingDown => Some(MemberState::Down),
            Replication::Unreadable { .. } => None,
        }
    }
}

fn holds_a_config(server: &ServerState) -> bool {
    server.hello.set_name.is_some()
        || matches!(server.replication, Replication::Member { .. } | Replication::Removed { .. })
}
