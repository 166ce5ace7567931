//! One replica set as its members together tell it.

use std::collections::{BTreeMap, BTreeSet};

use crate::goal::{MemberGoal, SetGoal};
use crate::names::{Host, PodName};
use crate::plan::{Draft, FindingKind};
use crate::replset::{ConfigMember, MemberState, ReplConfig, ReplStatus, StatusMember, majority};
use crate::topology::{
    Access, MemberObservation, Millis, OBSERVATION_MAX_AGE, Replication, Server, ServerState, Topology,
};

/// A member this far behind the primary, in milliseconds, is not caught up.
pub(crate) const SMALL_LAG_MS: i64 = 10_000;

/// What is known of one set, from fresh observations only.
pub(crate) struct SetView<'a> {
    pub(crate) set: &'a SetGoal,
    pub(crate) observations: BTreeMap<&'a PodName, &'a MemberObservation>,
    servers: BTreeMap<&'a PodName, &'a ServerState>,
    strangers: BTreeMap<&'a PodName, &'a str>,
    /// Every pod whose server answered, whatever it said.
    answering: BTreeSet<&'a PodName>,
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
    pub(crate) fn of(set: &'a SetGoal, topology: &'a Topology, now: Millis) -> Self {
        let wanted = set.members.iter().map(|m| &m.pod);
        let pods = wanted.chain(set.leaving.iter().map(|m| &m.pod));
        let observations: BTreeMap<_, _> =
            pods.filter_map(|pod| topology.members.get(pod).map(|seen| (pod, seen))).collect();
        let mut servers = BTreeMap::new();
        let mut strangers = BTreeMap::new();
        let mut answering = BTreeSet::new();
        for (&pod, seen) in &observations {
            if now.saturating_sub(seen.observed_at) > OBSERVATION_MAX_AGE {
                continue;
            }
            let Server::Reachable(state) = &seen.server else {
                continue;
            };
            answering.insert(pod);
            match state.hello.set_name.as_deref() {
                Some(other) if other != set.name.as_str() => {
                    strangers.insert(pod, other);
                }
                _ => {
                    servers.insert(pod, state);
                }
            }
        }
        let mut view = Self { set, observations, servers, strangers, answering, config: None, primary: None };
        view.silence_fenced();
        view.config = view.newest_config();
        view.primary = view.writable_primary();
        view
    }

    /// A member holds, or held, a config: the set must never be initiated again.
    pub(crate) fn initiated(&self) -> bool {
        self.servers.values().any(|server| {
            server.hello.set_name.is_some()
                || matches!(server.replication, Replication::Member { .. } | Replication::Removed { .. })
        })
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

    /// Members that were declared lost have no say while the config of the others does not list them: they may
    /// have gone on by themselves, in a later term.
    fn silence_fenced(&mut self) {
        let fenced = &self.set.recovery.fenced;
        if fenced.is_empty() {
            return;
        }
        let others = self.servers.keys().filter(|pod| !fenced.contains_key(**pod));
        let config = others.filter_map(|pod| self.config_of(pod)).reduce(newer);
        let set = self.set;
        let listed = |pod: &PodName| {
            config.is_some_and(|config| config.members.iter().any(|m| set.pod_of(&m.host) == Some(pod)))
        };
        self.servers.retain(|pod, server| {
            !fenced.contains_key(*pod) || listed(pod) || server.replication == Replication::Uninitialized
        });
    }

    /// The pod that is primary, by itself or by what the others hear.
    pub(crate) fn primary_pod(&self) -> Option<&'a PodName> {
        self.primary.map(|primary| primary.pod).or_else(|| {
            self.statuses()
                .flat_map(|(_, status)| &status.members)
                .find(|m| m.up && m.state == MemberState::Primary)
                .and_then(|m| self.set.pod_of(&m.host))
        })
    }

    /// A member's state: its own word, overruled by a primary that does not hear it; else its peers'.
    pub(crate) fn state_of(&self, host: &Host) -> Option<MemberState> {
        let heard = self.heard(host);
        let pod = self.set.pod_of(host);
        let own = pod.and_then(|pod| self.own_state(pod));
        match (own, heard) {
            (Some(own), Some(heard))
                if own.healthy() && !heard.up && self.primary.is_some_and(|primary| Some(primary.pod) != pod) =>
            {
                Some(MemberState::Down)
            }
            (Some(own), _) => Some(own),
            (None, Some(heard)) if heard.up => Some(heard.state),
            (None, Some(_)) => Some(MemberState::Down),
            (None, None) => None,
        }
    }

    /// Whether a member holds the set's data and its vote counts.
    pub(crate) fn healthy(&self, host: &Host) -> bool {
        self.state_of(host).is_some_and(MemberState::healthy)
    }

    /// How far a member is behind the primary, in milliseconds; absent while unknown.
    pub(crate) fn lag_ms(&self, host: &Host) -> Option<i64> {
        let primary = self.primary?;
        let newest = status_member(primary.status, primary.pod_host(self.set)?)?.optime_ms?;
        let applied = status_member(primary.status, host)?.optime_ms?;
        Some((newest - applied).max(0))
    }

    /// Whether a member is known to be close behind the primary.
    pub(crate) fn caught_up(&self, host: &Host) -> bool {
        self.lag_ms(host).is_some_and(|lag| lag <= SMALL_LAG_MS)
    }

    /// Voters of the newest config that are healthy, and all of them.
    pub(crate) fn voters(&self) -> (usize, usize) {
        let Some(config) = self.config else {
            return (0, 0);
        };
        let healthy = config.voters().filter(|m| self.healthy(&m.host)).count();
        (healthy, config.voters().count())
    }

    /// Since when a member did not answer.
    pub(crate) fn silent_since(&self, pod: &PodName) -> Option<Millis> {
        match &self.observations.get(pod)?.server {
            Server::Unreachable { since, .. } => Some(*since),
            Server::Reachable(_) => None,
        }
    }

    /// A wanted member whose disk is empty although it held the set's data.
    pub(crate) fn lost_disk(&self, member: &MemberGoal) -> bool {
        member.anchor.initialized
            && self.server(&member.pod).is_some_and(|server| match &server.replication {
                Replication::Uninitialized => true,
                Replication::Member { status, .. } => status.initial_sync.is_some(),
                Replication::Removed { .. } | Replication::Unreadable { .. } => false,
            })
    }

    /// The sentence for a member that is listed and not healthy.
    pub(crate) fn trouble(&self, member: &ConfigMember, pod: &PodName) -> String {
        if let Some(Server::Unreachable { reason, .. }) = self.observations.get(pod).map(|seen| &seen.server) {
            return format!("an answer from it ({reason})");
        }
        match self.state_of(&member.host) {
            Some(MemberState::Startup2) => match self.initial_sync_percent(pod) {
                Some(percent) => format!("its initial sync, {percent} %"),
                None => "its initial sync".to_owned(),
            },
            Some(state) => format!("it to become SECONDARY, it is {state}"),
            None => "its first answer".to_owned(),
        }
    }

    /// What a person must know of this set.
    pub(crate) fn report(&self, draft: &mut Draft<'_>) {
        for (pod, other) in &self.strangers {
            draft.finding(
                FindingKind::OtherSet,
                format!(
                    "the server of {pod} belongs to the replica set {other}; find out who started \
                     it, Kogge leaves it alone"
                ),
            );
            let what = format!("a server of {}, not of {other}", self.set.name);
            draft.wait_member(pod, what, None);
        }
        for (pod, server) in &self.servers {
            if let Access::Refused { reason } = &server.access
                && !self.is_still_syncing(pod)
            {
                draft.finding(
                    FindingKind::AccessRefused,
                    format!(
                        "{pod} has users and refuses the operator's: {reason}; put the right \
                         password into the operator's Secret"
                    ),
                );
            }
        }
        for member in self.set.ordered_members() {
            if self.lost_disk(member) {
                draft.finding(
                    FindingKind::LostDisk,
                    format!(
                        "{} held data and its disk is empty; it must lose its vote before it syncs again",
                        member.pod
                    ),
                );
            }
        }
        let Some(config) = self.config else { return };
        for member in &config.members {
            if self.set.pod_of(&member.host).is_none() {
                draft.finding(
                    FindingKind::ForeignMember,
                    format!(
                        "the config lists {} as member {}, which is not ours; it is kept, remove \
                         it by hand if it is not wanted",
                        member.host, member.id
                    ),
                );
            }
        }
        let (healthy, voters) = self.voters();
        if self.primary_pod().is_none() && healthy < majority(voters) && self.all_voters_known() {
            draft.finding(
                FindingKind::MajorityLost,
                format!(
                    "{healthy} of {voters} voters are healthy, {} are needed; nothing is forced, \
                     bring members back",
                    majority(voters)
                ),
            );
        }
    }

    /// Whether the others say that a member does not hold the set's data yet: its users come with the data.
    fn is_still_syncing(&self, pod: &PodName) -> bool {
        let member = self.set.members.iter().find(|member| &member.pod == pod);
        member.and_then(|member| self.heard(&member.host)).is_some_and(|heard| !heard.state.healthy())
    }

    fn all_voters_known(&self) -> bool {
        self.config.is_some_and(|config| config.voters().all(|m| self.state_of(&m.host).is_some()))
    }

    pub(crate) fn statuses(&self) -> impl Iterator<Item = (&'a PodName, &'a ReplStatus)> {
        let servers = self.servers.iter();
        servers.filter_map(|(&pod, &server)| match &server.replication {
            Replication::Member { status, .. } => Some((pod, status)),
            _ => None,
        })
    }

    fn own_state(&self, pod: &PodName) -> Option<MemberState> {
        let wanted = self.set.members.iter().find(|m| &m.pod == pod);
        match &self.server(pod)?.replication {
            Replication::Member { status, .. } => Some(status.my_state),
            Replication::Removed { .. } => Some(MemberState::Removed),
            Replication::Uninitialized if wanted.is_some_and(|m| m.anchor.initialized) => {
                Some(MemberState::Unknown)
            }
            Replication::Uninitialized => Some(MemberState::Startup),
            Replication::Unreadable { .. } => None,
        }
    }

    /// What the primary hears of a member; without a primary, the best that any other member hears.
    fn heard(&self, host: &Host) -> Option<&'a StatusMember> {
        if let Some(primary) = self.primary {
            return status_member(primary.status, host);
        }
        self.statuses()
            .filter(|(pod, _)| self.set.pod_of(host) != Some(*pod))
            .filter_map(|(_, status)| status_member(status, host))
            .max_by_key(|m| (m.up, m.state.healthy()))
    }

    fn initial_sync_percent(&self, pod: &PodName) -> Option<u8> {
        match &self.server(pod)?.replication {
            Replication::Member { status, .. } => status.initial_sync?.percent,
            _ => None,
        }
    }

    fn newest_config(&self) -> Option<&'a ReplConfig> {
        let mut newest: Option<&ReplConfig> = None;
        for server in self.servers.values() {
            if let Replication::Member { config: Some(config), .. } = &server.replication
                && newest.is_none_or(|known| config.stamp.newer_than(known.stamp))
            {
                newest = Some(config);
            }
        }
        newest
    }

    fn writable_primary(&self) -> Option<Primary<'a>> {
        let servers = self.servers.iter();
        servers
            .filter(|(_, server)| server.hello.writable_primary)
            .filter_map(|(&pod, &server)| match &server.replication {
                Replication::Member { status, config } => {
                    Some(Primary { pod, access: &server.access, status, config: config.as_ref() })
                }
                _ => None,
            })
            .max_by_key(|primary| primary.status.term)
    }
}

impl<'a> Primary<'a> {
    /// The primary's host as its set names it.
    pub(crate) fn pod_host(&self, set: &'a SetGoal) -> Option<&'a Host> {
        let wanted = set.members.iter().map(|m| (&m.pod, &m.host));
        let leaving = set.leaving.iter().map(|m| (&m.pod, &m.host));
        wanted.chain(leaving).find_map(|(pod, host)| (pod == self.pod).then_some(host))
    }
}

fn newer<'a>(one: &'a ReplConfig, other: &'a ReplConfig) -> &'a ReplConfig {
    if other.stamp.newer_than(one.stamp) { other } else { one }
}

fn status_member<'a>(status: &'a ReplStatus, host: &Host) -> Option<&'a StatusMember> {
    status.members.iter().find(|m| &m.host == host)
}
