use super::{
    Coordinator, Effect, LastVote, MemberState, Millis, VoteReply, VoteRequest,
    coordinator::{Leadership, Role},
};
use crate::oplog::OpTime;

/// How far behind the newest entry a member may be to take over by priority.
const TAKEOVER_LAG_SECS: u64 = 2;
/// How long a new primary waits to hear how far the others are.
const CATCH_UP_HEARING: Millis = 2000;

/// An election under way.
#[derive(Debug, Clone)]
pub(super) struct Election {
    id: u64,
    dry_run: bool,
    granted: usize,
    answered: usize,
}

/// Why an election is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElectionReason {
    /// No primary was heard of for the election timeout.
    Timeout,
    /// A primary of lower priority leads.
    Takeover,
    /// A primary hands over (`replSetStepUp`).
    StepUp,
}

impl Coordinator {
    /// Puts the next election off by the election timeout and up to 15 % more.
    pub(super) fn reset_election_timer(&mut self, now: Millis) {
        let Some(config) = &self.config else { return };
        let timeout = config.settings.election_timeout();
        let alone = config.voter_count() == 1;
        self.election_deadline = if alone { now } else { now + timeout + self.jitter(timeout * 15 / 100 + 1) };
    }

    fn may_stand(&self, now: Millis) -> bool {
        self.state() == MemberState::Secondary
            && now >= self.no_election_before
            && !self.applied.is_null()
            && self.own_config().is_some_and(|own| own.is_electable() && own.is_voter())
    }

    /// Holds an election if one is due.
    pub(super) fn election_tick(&mut self, now: Millis) -> Vec<Effect> {
        if self.is_leader() {
            return Vec::new();
        }
        if self.takeover_deadline.is_some_and(|at| now >= at) {
            self.takeover_deadline = None;
            if self.wants_takeover() {
                return self.stand(ElectionReason::Takeover, now);
            }
        }
        if now >= self.election_deadline {
            self.reset_election_timer(now);
            return self.stand(ElectionReason::Timeout, now);
        }
        Vec::new()
    }

    /// Stands for election, with a dry run first unless the primary asked for it.
    pub fn stand(&mut self, reason: ElectionReason, now: Millis) -> Vec<Effect> {
        let eligible = match reason {
            // A hand-over is the primary's own wish: a freeze does not hold against it.
            ElectionReason::StepUp => {
                let until = std::mem::replace(&mut self.no_election_before, 0);
                let eligible = self.may_stand(now);
                self.no_election_before = until;
                eligible
            }
            _ => self.may_stand(now),
        };
        if !eligible || self.is_leader() {
            return Vec::new();
        }
        self.reset_election_timer_for_candidate(now);
        if self.needed() == 1 || reason == ElectionReason::StepUp {
            return self.start_real(now);
        }
        self.start(true)
    }

    fn reset_election_timer_for_candidate(&mut self, now: Millis) {
        if let Some(config) = &self.config {
            let timeout = config.settings.election_timeout();
            self.election_deadline = now + timeout + self.jitter(timeout * 15 / 100 + 1);
        }
    }

    fn needed(&self) -> usize {
        self.config.as_ref().map_or(usize::MAX, super::ReplSetConfig::majority)
    }

    fn start(&mut self, dry_run: bool) -> Vec<Effect> {
        self.elections += 1;
        let id = self.elections;
        self.role = Role::Candidate(Election { id, dry_run, granted: 1, answered: 1 });
        if dry_run { self.ask(id, true) } else { Vec::new() }
    }

    fn start_real(&mut self, now: Millis) -> Vec<Effect> {
        self.term += 1;
        self.primary_index = None;
        let vote = LastVote { term: self.term, candidate_index: self.self_index.unwrap_or(0) as i64 };
        self.last_vote = vote;
        self.reset_election_timer_for_candidate(now);
        self.start(false);
        let effects = vec![Effect::PersistVote { vote, election: self.elections }];
        self.with_topology(effects)
    }

    fn ask(&self, election: u64, dry_run: bool) -> Vec<Effect> {
        let Some(config) = &self.config else { return Vec::new() };
        let request = VoteRequest {
            set_name: config.name.clone(),
            term: self.term,
            dry_run,
            candidate_index: self.self_index.unwrap_or(0) as i64,
            config: config.config_version(),
            last_applied: self.applied,
        };
        let voters = config
            .voters()
            .filter(|(i, _)| Some(*i) != self.self_index)
            .map(|(i, m)| (i, m.host.clone()))
            .collect();
        vec![Effect::RequestVotes { election, request, voters }]
    }

    /// The own vote is durable: the others may be asked.
    pub fn on_vote_persisted(&mut self, election: u64, now: Millis) -> Vec<Effect> {
        if !matches!(&self.role, Role::Candidate(e) if e.id == election && !e.dry_run) {
            return Vec::new();
        }
        if self.needed() == 1 { self.win(now) } else { self.ask(election, false) }
    }

    /// A voter's answer; `None` when there was none.
    pub fn on_vote_reply(&mut self, election: u64, reply: Option<VoteReply>, now: Millis) -> Vec<Effect> {
        if let Some(reply) = &reply
            && reply.term > self.term
        {
            return self.learn_term(reply.term, now);
        }
        let needed = self.needed();
        let voters = self.config.as_ref().map_or(0, super::ReplSetConfig::voter_count);
        let Role::Candidate(e) = &mut self.role else { return Vec::new() };
        if e.id != election {
            return Vec::new();
        }
        e.answered += 1;
        if reply.is_some_and(|r| r.granted) {
            e.granted += 1;
        }
        if e.granted >= needed {
            return if e.dry_run { self.start_real(now) } else { self.win(now) };
        }
        if e.answered >= voters || e.granted + (voters - e.answered) < needed {
            self.role = Role::Follower;
        }
        Vec::new()
    }

    fn win(&mut self, now: Millis) -> Vec<Effect> {
        self.role = Role::Leader(Leadership {
            since: now,
            election_time: self.applied,
            draining: true,
            finishing: false,
            heard: Vec::new(),
            stepping_down: false,
        });
        self.primary_index = None;
        self.takeover_deadline = None;
        for data in &mut self.members {
            data.next_heartbeat = now;
        }
        let mut effects = self.with_topology(Vec::new());
        effects.extend(self.check_catch_up(now));
        effects.extend(self.heartbeat_tick(now));
        effects
    }

    /// Ends the drain once nobody in reach is further.
    pub(super) fn check_catch_up(&mut self, now: Millis) -> Vec<Effect> {
        let Some(config) = &self.config else { return Vec::new() };
        let limit = config.settings.catch_up_timeout();
        let hearing = CATCH_UP_HEARING.min(config.settings.election_timeout());
        let own = self.self_index;
        let others = || self.members.iter().enumerate().filter(|(i, m)| Some(*i) != own && m.up);
        let newest = others().map(|(_, m)| m.applied).max().unwrap_or(OpTime::NULL);
        let Role::Leader(l) = &self.role else { return Vec::new() };
        if !l.draining || l.finishing {
            return Vec::new();
        }
        let all_heard = others().all(|(i, _)| l.heard.contains(&i)) || now >= l.since + hearing;
        let caught_up = all_heard && newest <= self.applied;
        if !caught_up && limit.is_none_or(|limit| now < l.since + limit) {
            return Vec::new();
        }
        let term = self.term;
        if let Role::Leader(l) = &mut self.role {
            l.finishing = true;
        }
        vec![Effect::FinishDrain { term }]
    }

    /// The first entry of `term` is durable: writes are taken from now on.
    /// The configuration is of this term from now on.
    pub fn on_drain_complete(&mut self, term: i64, first_entry: OpTime, now: Millis) -> Vec<Effect> {
        if term != self.term {
            return Vec::new();
        }
        if let (Role::Leader(l), Some(config)) = (&mut self.role, &mut self.config) {
            l.draining = false;
            l.election_time = first_entry;
            if config.term != -1 {
                config.term = term;
            }
            for data in &mut self.members {
                data.next_heartbeat = now;
            }
        }
        self.tick(now)
    }

    /// Whether a primary of lower priority leads and this member is close behind the newest.
    pub(super) fn wants_takeover(&self) -> bool {
        let (Some(config), Some(own), Some(primary)) = (&self.config, self.own_config(), self.primary_index)
        else {
            return false;
        };
        let newest = (0..self.members.len()).map(|i| self.position(i).ts >> 32).max().unwrap_or(0);
        self.state() == MemberState::Secondary
            && own.is_electable()
            && own.effective_priority() > config.members[primary].effective_priority()
            && (self.applied.ts >> 32) + TAKEOVER_LAG_SECS >= newest
    }

    /// Plans a takeover if one is wanted: the higher the priority, the sooner.
    pub(super) fn schedule_takeover(&mut self, now: Millis) {
        if !self.wants_takeover() {
            self.takeover_deadline = None;
            return;
        }
        let (Some(config), Some(index), None) = (&self.config, self.self_index, self.takeover_deadline) else {
            return;
        };
        let timeout = config.settings.election_timeout();
        let rank = config.priority_rank(index) as u64;
        self.takeover_deadline = Some(now + (rank + 1) * timeout + self.jitter(timeout * 15 / 100 + 1));
    }
}
