//! One replica set as its members together tell it.

use std::collections::{BTreeMap, BTreeSet};

use crate::goal::{MemberGoal, SetGoal};
use crate::identity;
use crate::names::{Host, PodName};
use crate::replset::{ConfigMember, MemberState, ReplConfig, ReplStatus, StatusMember, majority};
use crate::topology::{
    Access, MemberObservation, Millis, OBSERVATION_MAX_AGE, PodFacts, Replication, Server, ServerState, Topology,
    waiting_for_gate,
};

/// A member this far behind the primary, in milliseconds, is not caught up.
pub(crate) const SMALL_LAG_MS: i64 = 10_000;
/// After this long without an answer to a heartbeat a server calls a member down: MongoDB's default
/// `heartbeatTimeoutSecs`.
const HEARTBEAT_TIMEOUT_SECS: u64 = 10;

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
        for (&pod, seen) in &observations {
            let fresh = now.saturating_sub(seen.observed_at) <= OBSERVATION_MAX_AGE;
            if let Server::Reachable(state) = &seen.server
                && fresh
            {
                servers.insert(pod, state);
            }
        }
        let answering: BTreeSet<&PodName> = servers.keys().copied().collect();
        let strangers = identity::strangers(set, &servers);
        servers.retain(|pod, _| !strangers.contains_key(*pod));
        let aliases = identity::aliases(set, &servers);
        let mut view =
            Self { set, observations, servers, strangers, aliases, answering, config: None, primary: None };
        view.silence_fenced();
        view.config = view.newest_config();
        view.primary = view.writable_primary();
        let silent = identity::silent_aliases(&view);
        view.aliases.extend(silent);
        view
    }

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

    /// Members that were declared lost have no say while the config of the others does not list them: they may
    /// have gone on by themselves, in a later term.
    fn silence_fenced(&mut self) {
        let fenced = &self.set.recovery.fenced;
        if fenced.is_empty() {
            return;
        }
        let others = self.servers.keys().filter(|pod| !fenced.contains_key(**pod));
        let config = others
            .filter_map(|pod| self.config_of(pod))
            .reduce(|one, other| if other.stamp.newer_than(one.stamp) { other } else { one });
        let set = self.set;
        let listed = |pod: &PodName| {
            config.is_some_and(|config| config.members.iter().any(|m| set.pod_of(&m.host) == Some(pod)))
        };
        self.servers.retain(|pod, server| {
            !fenced.contains_key(*pod) || listed(pod) || server.replication == Replication::Starting
        });
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

    /// A member's state: its own word, overruled by a primary that leads and does not hear it; else its peers'.
    pub(crate) fn state_of(&self, host: &Host) -> Option<MemberState> {
        let heard = self.heard(host);
        let pod = self.pod_of(host);
        let own = pod.and_then(|pod| self.own_state(pod));
        match (own, heard) {
            (Some(own), Some(heard))
                if own.healthy()
                    && !heard.up
                    && self.leading().is_some_and(|primary| Some(primary.pod) != pod) =>
            {
                Some(MemberState::Down)
            }
            (Some(own), _) => Some(own),
            (None, Some(heard)) if heard.up => Some(heard.state),
            (None, Some(_)) => Some(MemberState::Down),
            (None, None) => None,
        }
    }

    /// The primary, unless it is cut off: one that does not hear a majority steps down within the election timeout,
    /// and until then its word about the others is worth nothing.
    fn leading(&self) -> Option<Primary<'a>> {
        let primary = self.primary?;
        let Some(config) = primary.config else { return Some(primary) };
        let heard = |m: &&ConfigMember| {
            self.pod_of(&m.host) == Some(primary.pod)
                || status_member(primary.status, &m.host).is_some_and(|heard| heard.up)
        };
        (config.voters().filter(heard).count() >= majority(config.voters().count())).then_some(primary)
    }

    /// Whether a member holds the set's data and its vote counts.
    pub(crate) fn healthy(&self, host: &Host) -> bool {
        self.state_of(host).is_some_and(MemberState::healthy)
    }

    /// How far a member is behind the primary, in milliseconds; absent while unknown.
    pub(crate) fn lag_ms(&self, host: &Host) -> Option<i64> {
        let primary = self.primary?;
        let own = primary.status.members.iter().find(|m| self.pod_of(&m.host) == Some(primary.pod));
        let newest = own?.optime_ms?;
        let applied = status_member(primary.status, host)?.optime_ms?;
        Some((newest - applied).max(0))
    }

    /// Whether a member is known to be close behind the primary.
    pub(crate) fn caught_up(&self, host: &Host) -> bool {
        self.lag_ms(host).is_some_and(|lag| lag <= SMALL_LAG_MS)
    }

    /// A member that has not reached another since both run, and that other: what it says of it is about a process
    /// that is gone, or is no word yet. One that has tried for long and calls the other down has said its word, and
    /// what cannot be compared is believed.
    pub(crate) fn not_met_yet(&self) -> Option<(&'a PodName, &'a PodName)> {
        self.statuses().find_map(|(pod, status)| {
            let tried = self.uptime_secs(pod).is_none_or(|secs| secs >= HEARTBEAT_TIMEOUT_SECS);
            status.members.iter().find_map(|heard| {
                let other = self.pod_of(&heard.host).filter(|other| *other != pod)?;
                let runs = self.uptime_secs(other)?;
                let answered = heard.answered_ms_ago.is_none_or(|ago| ago < runs.saturating_mul(1_000));
                let met = if heard.up { answered } else { tried };
                (!met).then_some((pod, other))
            })
        })
    }

    /// How long a member that answers has been running, by its own word.
    fn uptime_secs(&self, pod: &PodName) -> Option<u64> {
        let Replication::Member { status, .. } = &self.server(pod)?.replication else { return None };
        let own = status.members.iter().find(|listed| self.pod_of(&listed.host) == Some(pod));
        own?.uptime_secs
    }

    /// Voters of the newest config that are healthy, and all of them.
    pub(crate) fn voters(&self) -> (usize, usize) {
        let Some(config) = self.config else {
            return (0, 0);
        };
        let healthy = config.voters().filter(|m| self.healthy(&m.host)).count();
        (healthy, config.voters().count())
    }

    /// How far the primary's config has spread: the voters that may hold it, and all of them. A voter that is not seen may
    /// hold it; the server itself waits for a majority before it takes the next config.
    pub(crate) fn spread(&self, config: &ReplConfig) -> (usize, usize) {
        let holds_another = |m: &&ConfigMember| {
            let own = self.pod_of(&m.host).and_then(|pod| self.config_of(pod));
            own.is_some_and(|own| own.stamp != config.stamp)
        };
        let voters = config.voters().count();
        (voters - config.voters().filter(holds_another).count(), voters)
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

    /// The sentence for a member that is listed and not healthy.
    pub(crate) fn trouble(&self, member: &ConfigMember, pod: &PodName) -> String {
        let wanted = self.set.members.iter().find(|wanted| &wanted.pod == pod);
        if let Some(hold) = wanted.and_then(|wanted| self.hold(wanted)) {
            return waiting_for_gate(hold);
        }
        if self.server(pod).is_some_and(|server| server.replication == Replication::ShuttingDown) {
            return "it to end and to start again, it is shutting down".to_owned();
        }
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

    /// What every other member that answers hears of one.
    pub(crate) fn peers(&self, member: &MemberGoal) -> impl Iterator<Item = (&'a PodName, &'a StatusMember)> {
        let host = self.entry(member).map(|listed| &listed.host);
        let others = self.statuses().filter(|(pod, _)| **pod != member.pod);
        others.filter_map(move |(pod, status)| Some((pod, status_member(status, host?)?)))
    }

    /// What the primary hears of a member; without a primary, the best that any other member hears.
    pub(crate) fn heard(&self, host: &Host) -> Option<&'a StatusMember> {
        if let Some(primary) = self.leading() {
            return status_member(primary.status, host);
        }
        self.statuses()
            .filter(|(pod, _)| self.pod_of(host) != Some(*pod))
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

fn status_member<'a>(status: &'a ReplStatus, host: &Host) -> Option<&'a StatusMember> {
    status.members.iter().find(|m| &m.host == host)
}

fn holds_a_config(server: &ServerState) -> bool {
    server.hello.set_name.is_some()
        || matches!(server.replication, Replication::Member { .. } | Replication::Removed { .. })
}
