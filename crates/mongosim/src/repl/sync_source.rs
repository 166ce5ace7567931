use super::{Coordinator, Effect, MemberState};

impl Coordinator {
    /// Whom to follow now: the primary, or, while there is none in sight, whoever is furthest
    /// ahead of us.
    pub fn choose_sync_source(&self) -> Option<String> {
        let (config, own) = (self.config.as_ref()?, self.self_index?);
        if config.members[own].arbiter_only || (self.is_leader() && !self.is_draining()) {
            return None;
        }
        if let Some(primary) = self.primary_index
            && self.members[primary].up
        {
            return Some(config.members[primary].host.clone());
        }
        let ahead = self.members.iter().enumerate().filter(|(i, m)| {
            *i != own
                && m.up
                && matches!(m.state, MemberState::Primary | MemberState::Secondary)
                && m.applied > self.applied
        });
        let best = ahead.max_by_key(|(_, m)| m.applied).map(|(i, _)| i)?;
        let may_chain = config.settings.chaining_allowed() || self.is_leader() || self.primary_index.is_none();
        may_chain.then(|| config.members[best].host.clone())
    }

    /// Who else could be followed, when `chosen` cannot: members that are further ahead than this one.
    pub fn other_sources(&self, chosen: &str) -> Vec<String> {
        let (Some(config), Some(own)) = (&self.config, self.self_index) else { return Vec::new() };
        let ahead = self.members.iter().enumerate().filter(|(i, m)| {
            *i != own
                && m.up
                && matches!(m.state, MemberState::Primary | MemberState::Secondary)
                && m.applied > self.applied
        });
        ahead.map(|(i, _)| config.members[i].host.clone()).filter(|host| host != chosen).collect()
    }

    /// Whether to leave `current` for another.
    pub fn should_change_source(&self, current: &str) -> bool {
        if self.is_leader() && !self.is_draining() {
            return true;
        }
        let Some(config) = &self.config else { return true };
        let Some(index) = config.index_of_host(current) else { return true };
        match self.primary_index {
            Some(primary) => primary != index && self.members[primary].up,
            None => !self.members[index].up || (self.choose_sync_source().is_some_and(|best| best != current)),
        }
    }

    /// Notes whom this member follows, for status and heartbeats.
    pub fn set_sync_source(&mut self, source: Option<String>) -> Vec<Effect> {
        self.sync_source = source;
        self.with_topology(Vec::new())
    }

    /// What this member tells its sync source: its own position and those it has been told.
    pub fn positions(&self) -> Vec<(i64, crate::oplog::OpTime)> {
        let Some(config) = &self.config else { return Vec::new() };
        config
            .members
            .iter()
            .enumerate()
            .filter(|(i, _)| Some(*i) == self.self_index || self.members[*i].sync_source_is(self))
            .map(|(i, m)| (m.id, self.position(i)))
            .collect()
    }
}

impl super::member::MemberData {
    fn sync_source_is(&self, coordinator: &Coordinator) -> bool {
        coordinator.own_config().is_some_and(|own| own.host == self.sync_source)
    }
}
