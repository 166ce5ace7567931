//! How a set's members are: by their own words, by what the others hear of them, and by the primary's.

use crate::data::goal::MemberGoal;
use crate::data::names::{Host, PodName};
use crate::data::replset::{ConfigMember, MemberState, ReplConfig, ReplStatus, StatusMember, majority};
use crate::data::topology::Replication;
use crate::view::set::{Primary, SetView};

/// A member this far behind the primary, in milliseconds, is not caught up.
const SMALL_LAG_MS: i64 = 10_000;
/// After this long without an answer to a heartbeat a server calls a member down: MongoDB's default
/// `heartbeatTimeoutSecs`.
const HEARTBEAT_TIMEOUT_SECS: u64 = 10;

impl<'a> SetView<'a> {
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

    /// Whether a majority of a config's voters was seen to hold it. Until then it may be rolled back, and what it leaves
    /// out may be listed again.
    pub(crate) fn is_held_by_a_majority(&self, config: &ReplConfig) -> bool {
        let holds = |m: &&ConfigMember| {
            let own = self.pod_of(&m.host).and_then(|pod| self.config_of(pod));
            own.is_some_and(|own| own.stamp == config.stamp)
        };
        config.voters().filter(holds).count() >= majority(config.voters().count())
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
}

fn status_member<'a>(status: &'a ReplStatus, host: &Host) -> Option<&'a StatusMember> {
    status.members.iter().find(|m| &m.host == host)
}
