//! The coordinator: what this member believes and decides. It has no clock, no IO and no
//! randomness of its own; times come in as milliseconds since the process began.

use super::{
    LastVote, MemberState, ReplSetConfig, VoteRequest, commit_point, config::ConfigVersion, election::Election,
    member::MemberData,
};
use crate::oplog::OpTime;

/// Milliseconds since the process began.
pub type Millis = u64;

/// What the runtime must do for the coordinator.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Send a heartbeat to `host`, and report the answer.
    SendHeartbeat {
        /// Whom to ask.
        host: String,
    },
    /// Make the own vote durable, then report it.
    PersistVote {
        /// The vote.
        vote: LastVote,
        /// The election that it belongs to.
        election: u64,
    },
    /// Ask for votes, and report each answer.
    RequestVotes {
        /// The election.
        election: u64,
        /// What to send.
        request: VoteRequest,
        /// Whom to ask: index and host.
        voters: Vec<(usize, String)>,
    },
    /// Find oneself in this configuration, store it and install it.
    InstallConfig(Box<ReplSetConfig>),
    /// These members have synced: let them count.
    RemoveNewlyAdded(Vec<i64>),
    /// Write the first entry of the term, then report that the drain is complete.
    FinishDrain {
        /// The term.
        term: i64,
    },
    /// Writes of earlier terms end, those who wait for them are told.
    SteppedDown,
    /// What clients see has changed.
    TopologyChanged,
}

/// A leader that has won and may still have to catch up.
#[derive(Debug, Clone)]
pub(super) struct Leadership {
    pub(super) since: Millis,
    pub(super) election_time: OpTime,
    pub(super) draining: bool,
    pub(super) finishing: bool,
    pub(super) heard: Vec<usize>,
    /// A step-down is being tried: no new writes.
    pub(super) stepping_down: bool,
}

/// Role in elections.
#[derive(Debug, Clone)]
pub(super) enum Role {
    Follower,
    Candidate(Election),
    Leader(Leadership),
}

/// What this member believes and decides.
#[derive(Debug)]
pub struct Coordinator {
    pub(super) set_name: String,
    pub(super) config: Option<ReplSetConfig>,
    pub(super) self_index: Option<usize>,
    pub(super) members: Vec<MemberData>,
    pub(super) term: i64,
    pub(super) last_vote: LastVote,
    pub(super) role: Role,
    /// State while not primary: Startup2, Recovering, Rollback or Secondary.
    pub(super) follower_state: MemberState,
    pub(super) primary_index: Option<usize>,
    pub(super) applied: OpTime,
    pub(super) commit_point: OpTime,
    pub(super) election_deadline: Millis,
    pub(super) takeover_deadline: Option<Millis>,
    pub(super) no_election_before: Millis,
    pub(super) elections: u64,
    pub(super) installing: bool,
    pub(super) sync_source: Option<String>,
    topology: (MemberState, bool, Option<usize>, ConfigVersion),
    topology_version: i64,
    random: u64,
}

impl Coordinator {
    /// A member of `set_name` without a configuration. `seed` makes its jitter.
    pub fn new(set_name: &str, vote: LastVote, applied: OpTime, seed: u64) -> Self {
        Self {
            set_name: set_name.to_owned(),
            config: None,
            self_index: None,
            members: Vec::new(),
            term: vote.term.max(applied.term).max(0),
            last_vote: vote,
            role: Role::Follower,
            follower_state: MemberState::Startup2,
            primary_index: None,
            applied,
            commit_point: OpTime::NULL,
            election_deadline: Millis::MAX,
            takeover_deadline: None,
            no_election_before: 0,
            elections: 0,
            installing: false,
            sync_source: None,
            topology: (MemberState::Startup, false, None, ConfigVersion::NONE),
            topology_version: 0,
            random: seed,
        }
    }

    /// The member's state.
    pub fn state(&self) -> MemberState {
        let Some(config) = &self.config else { return MemberState::Startup };
        let Some(index) = self.self_index else { return MemberState::Removed };
        match self.role {
            Role::Leader(_) => MemberState::Primary,
            _ if config.members[index].arbiter_only => MemberState::Arbiter,
            _ => self.follower_state,
        }
    }

    /// The configuration, if there is one.
    pub fn config(&self) -> Option<&ReplSetConfig> {
        self.config.as_ref()
    }

    /// This member's index, if it is in the configuration.
    pub fn self_index(&self) -> Option<usize> {
        self.self_index
    }

    /// The current term.
    pub fn term(&self) -> i64 {
        self.term
    }

    /// What a majority holds for ever.
    pub fn commit_point(&self) -> OpTime {
        self.commit_point
    }

    /// The newest durable entry.
    pub fn applied(&self) -> OpTime {
        self.applied
    }

    /// Counts what clients can see changing.
    pub fn topology_version(&self) -> i64 {
        self.topology_version
    }

    /// Whether this member has won the term, draining or not.
    pub fn is_leader(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }

    /// Whether this member takes writes.
    pub fn is_writable(&self) -> bool {
        matches!(&self.role, Role::Leader(l) if !l.draining && !l.stepping_down)
    }

    /// Whether this member has won and has not finished catching up.
    pub fn is_draining(&self) -> bool {
        matches!(&self.role, Role::Leader(l) if l.draining)
    }

    /// The own member's configuration.
    pub fn own_config(&self) -> Option<&super::MemberConfig> {
        self.config.as_ref()?.members.get(self.self_index?)
    }

    /// The primary's index, if it is known.
    pub fn primary_index(&self) -> Option<usize> {
        if self.is_leader() { self.self_index } else { self.primary_index }
    }

    /// Installs a configuration in which this member is at `self_index`.
    pub fn install_config(
        &mut self,
        config: ReplSetConfig,
        self_index: Option<usize>,
        now: Millis,
    ) -> Vec<Effect> {
        self.installing = false;
        let known = self.config.take();
        let before = std::mem::take(&mut self.members);
        self.members = config
            .members
            .iter()
            .map(|member| {
                let kept = known.as_ref().and_then(|old| {
                    let index = old.members.iter().position(|m| m.id == member.id && m.host == member.host)?;
                    before.get(index).cloned()
                });
                let mut data = kept.unwrap_or_else(|| MemberData::new(now));
                data.next_heartbeat = now;
                data
            })
            .collect();
        let primary = self.primary_index.and_then(|i| known.as_ref().map(|old| old.members[i].host.clone()));
        self.primary_index = primary.and_then(|host| config.index_of_host(&host));
        self.term = self.term.max(config.term);
        self.config = Some(config);
        self.self_index = self_index;
        let mut effects = Vec::new();
        let may_lead = self.own_config().is_some_and(super::MemberConfig::is_electable);
        if self.is_leader() && !may_lead {
            effects.extend(self.step_down_now(now));
        }
        self.takeover_deadline = None;
        self.reset_election_timer(now);
        self.advance_commit_point();
        effects.extend(self.tick(now));
        effects
    }

    /// Takes note of what is durable here.
    pub fn on_applied(&mut self, applied: OpTime, now: Millis) -> Vec<Effect> {
        if applied == self.applied {
            return Vec::new();
        }
        self.applied = applied;
        self.advance_commit_point();
        self.check_catch_up(now)
    }

    /// Takes note of another member's position, told by itself or by one that it follows.
    pub fn on_position(&mut self, member_id: i64, applied: OpTime, now: Millis) -> Vec<Effect> {
        let Some(index) = self.config.as_ref().and_then(|c| c.members.iter().position(|m| m.id == member_id))
        else {
            return Vec::new();
        };
        if Some(index) == self.self_index {
            return Vec::new();
        }
        let data = &mut self.members[index];
        data.last_seen = Some(now);
        if applied > data.applied {
            data.applied = applied;
        }
        self.advance_commit_point();
        self.check_catch_up(now)
    }

    /// Takes over a sync source's commit point, as far as this member has come.
    pub fn on_source_commit_point(&mut self, committed: OpTime) {
        if !self.is_leader() {
            self.commit_point = self.commit_point.max(committed.min(self.applied));
        }
    }

    pub(super) fn advance_commit_point(&mut self) {
        let Some(config) = &self.config else { return };
        if !self.is_leader() {
            return;
        }
        let positions: Vec<OpTime> = (0..config.members.len()).map(|i| self.position(i)).collect();
        if let Some(committed) = commit_point::newest_committed(config, &positions, self.term) {
            self.commit_point = self.commit_point.max(committed);
        }
    }

    /// What member `index` has applied, as far as is known.
    pub fn position(&self, index: usize) -> OpTime {
        if Some(index) == self.self_index { self.applied } else { self.members[index].applied }
    }

    /// How many data-bearing members hold `optime`.
    pub fn count_holding(&self, optime: OpTime) -> usize {
        (0..self.members.len()).filter(|i| self.position(*i) >= optime).count()
    }

    /// A higher term: take it over, and follow.
    pub fn learn_term(&mut self, term: i64, now: Millis) -> Vec<Effect> {
        if term <= self.term {
            return Vec::new();
        }
        self.term = term;
        self.primary_index = None;
        self.takeover_deadline = None;
        let effects = if self.is_leader() {
            self.step_down_now(now)
        } else {
            self.role = Role::Follower;
            Vec::new()
        };
        self.with_topology(effects)
    }

    /// Becomes a follower at once.
    pub(super) fn step_down_now(&mut self, now: Millis) -> Vec<Effect> {
        self.role = Role::Follower;
        self.primary_index = None;
        self.reset_election_timer(now);
        self.with_topology(vec![Effect::SteppedDown])
    }

    /// The runtime moves a follower between Startup2, Recovering, Rollback and Secondary.
    pub fn set_follower_state(&mut self, state: MemberState, now: Millis) -> Vec<Effect> {
        if self.follower_state != state {
            self.follower_state = state;
            self.reset_election_timer(now);
        }
        self.with_topology(Vec::new())
    }

    /// Adds [`Effect::TopologyChanged`] if clients can see a difference.
    pub(super) fn with_topology(&mut self, mut effects: Vec<Effect>) -> Vec<Effect> {
        let config = self.config.as_ref().map_or(ConfigVersion::NONE, ReplSetConfig::config_version);
        let seen = (self.state(), self.is_writable(), self.primary_index(), config);
        if seen != self.topology {
            self.topology = seen;
            self.topology_version += 1;
            effects.push(Effect::TopologyChanged);
        }
        effects
    }

    /// Lets clients look again, for what else has changed.
    pub fn touch_topology(&mut self) -> Vec<Effect> {
        self.topology_version += 1;
        vec![Effect::TopologyChanged]
    }

    /// Whether a configuration that was heard of may still be installed. A primary takes over only a forced one,
    /// which has no term.
    pub fn may_learn(&self, version: ConfigVersion) -> bool {
        (!self.is_leader() || version.term == -1)
            && self.config.as_ref().is_none_or(|own| version.is_newer_than(own.config_version()))
    }

    /// A configuration that was to be installed will not be.
    pub fn abandon_install(&mut self) -> Vec<Effect> {
        self.installing = false;
        Vec::new()
    }

    /// A number below `bound` from the seeded sequence (SplitMix64).
    pub(super) fn jitter(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        if bound == 0 { 0 } else { (z ^ (z >> 31)) % bound }
    }
}
