use super::{Coordinator, Effect, MemberState, Millis, ReplSetConfig, config::ConfigVersion, coordinator::Role};
use crate::error::{CommandError, CommandResult, code};

impl Coordinator {
    /// Whatever is due by now.
    pub fn tick(&mut self, now: Millis) -> Vec<Effect> {
        let mut effects = self.heartbeat_tick(now);
        if self.lost_majority(now) {
            tracing::warn!("cannot see a majority of the set, stepping down");
            effects.extend(self.step_down_now(now));
        }
        effects.extend(self.check_catch_up(now));
        effects.extend(self.election_tick(now));
        self.with_topology(effects)
    }

    /// When [`Self::tick`] has something to do next.
    pub fn next_deadline(&self, now: Millis) -> Millis {
        let mut next = now + 1000;
        let own = self.self_index;
        for (index, data) in self.members.iter().enumerate() {
            if own.is_some() && own != Some(index) && !data.in_flight {
                next = next.min(data.next_heartbeat);
            }
        }
        match &self.role {
            Role::Leader(l) => {
                if l.draining {
                    next = next.min(now + 50);
                }
                if let Some(config) = &self.config {
                    next = next.min(now + config.settings.election_timeout() / 10 + 1);
                }
            }
            _ => {
                next = next.min(self.election_deadline).min(self.takeover_deadline.unwrap_or(Millis::MAX));
            }
        }
        next.max(now + 1)
    }

    /// A primary steps down once those heard of within the election timeout are no majority.
    fn lost_majority(&self, now: Millis) -> bool {
        let (Role::Leader(l), Some(config)) = (&self.role, &self.config) else { return false };
        let timeout = config.settings.election_timeout();
        let up = config
            .voters()
            .filter(|(i, _)| {
                Some(*i) == self.self_index || now < self.members[*i].last_seen.unwrap_or(0).max(l.since) + timeout
            })
            .count();
        up * 2 <= config.voter_count()
    }

    /// Whether a quorum has exactly this configuration, and what was committed before still is
    /// under it (steps 1 and 2 of a safe reconfiguration).
    pub fn config_is_committed(&self) -> bool {
        let Some(config) = &self.config else { return false };
        let version = config.config_version();
        let holds_config = |i: usize| {
            Some(i) == self.self_index || (self.members[i].config == version && self.members[i].term == self.term)
        };
        let holding = config.voters().filter(|(i, _)| holds_config(*i)).count();
        let writes =
            config.voters().filter(|(i, m)| !m.arbiter_only && self.position(*i) >= self.commit_point).count();
        (config.term == self.term || config.term == -1)
            && holding >= config.majority()
            && self.commit_point.term == self.term
            && writes >= config.write_majority()
    }

    /// How many voters, this one included, have installed `version`.
    pub fn voters_with_config(&self, version: ConfigVersion) -> usize {
        let Some(config) = &self.config else { return 0 };
        config.voters().filter(|(i, _)| Some(*i) == self.self_index || self.members[*i].config == version).count()
    }

    /// Stops taking writes, so that the others can catch up before a step-down.
    pub fn begin_step_down(&mut self) -> CommandResult<Vec<Effect>> {
        match &mut self.role {
            Role::Leader(l) if l.stepping_down => {
                Err(CommandError::new(code::CONFLICTING_OPERATION, "There is already a step down in progress"))
            }
            Role::Leader(l) if !l.draining => {
                l.stepping_down = true;
                Ok(self.with_topology(Vec::new()))
            }
            _ => Err(CommandError::not_primary()),
        }
    }

    /// Takes writes again after a step-down that did not come about.
    pub fn abandon_step_down(&mut self) -> Vec<Effect> {
        if let Role::Leader(l) = &mut self.role {
            l.stepping_down = false;
        }
        self.with_topology(Vec::new())
    }

    /// The best member to hand over to: electable, up, with every entry of ours, while a majority
    /// has them too.
    pub fn successor(&self) -> Option<String> {
        let config = self.config.as_ref()?;
        let caught_up = |i: usize| self.position(i) >= self.applied;
        let holding = config.voters().filter(|(i, m)| !m.arbiter_only && caught_up(*i)).count();
        if holding < config.write_majority() {
            return None;
        }
        config
            .members
            .iter()
            .enumerate()
            .filter(|(i, m)| {
                Some(*i) != self.self_index
                    && m.is_electable()
                    && m.is_voter()
                    && self.members[*i].up
                    && self.members[*i].state == MemberState::Secondary
                    && caught_up(*i)
            })
            .max_by(|(_, a), (_, b)| a.effective_priority().total_cmp(&b.effective_priority()))
            .map(|(_, m)| m.host.clone())
    }

    /// Steps down and does not stand before `until`.
    pub fn step_down(&mut self, until: Millis, now: Millis) -> CommandResult<Vec<Effect>> {
        if !self.is_leader() {
            return Err(CommandError::new(code::PRIMARY_STEPPED_DOWN, "stepped down while trying to"));
        }
        let effects = self.step_down_now(now);
        self.no_election_before = until;
        Ok(effects)
    }

    /// Does not stand before `until`; with `until` in the past, may stand again.
    pub fn freeze(&mut self, until: Millis, now: Millis) -> CommandResult<Vec<Effect>> {
        match self.role {
            Role::Follower => {
                self.no_election_before = until;
                if until <= now && self.config.as_ref().is_some_and(|c| c.voter_count() == 1) {
                    self.reset_election_timer(now);
                }
                Ok(self.tick(now))
            }
            _ => Err(CommandError::new(
                code::NOT_SECONDARY,
                "cannot freeze node when primary or running for election",
            )),
        }
    }

    /// Puts the election off: the primary was heard of through the oplog.
    pub fn on_primary_contact(&mut self, now: Millis) {
        self.reset_election_timer(now);
    }

    /// What replaces the configuration when the term begins: the same, of this term. A forced one stays without
    /// a term until the next change (`ReplicationCoordinatorImpl::signalDrainComplete`).
    pub fn config_of_term(&self, term: i64) -> Option<ReplSetConfig> {
        let mut config = self.config.clone()?;
        (term == self.term).then(|| {
            if config.term != -1 {
                config.term = term;
            }
            config
        })
    }
}
