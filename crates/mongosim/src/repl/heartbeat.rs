use bson::{Document, doc};

use super::{Coordinator, Effect, MemberState, Millis, ReplSetConfig, config::ConfigVersion, coordinator::Role};
use crate::{
    error::{CommandError, CommandResult, code},
    oplog::OpTime,
    query::number,
};

/// Retries before a silent member counts as down.
const RETRIES: u32 = 2;

fn int(d: &Document, key: &str, default: i64) -> i64 {
    d.get(key).and_then(number::as_i64).unwrap_or(default)
}

fn version_of(d: &Document, version_key: &str) -> ConfigVersion {
    ConfigVersion { version: int(d, version_key, -2), term: int(d, "configTerm", -1) }
}

impl Coordinator {
    /// The heartbeat that this member sends.
    pub fn heartbeat_request(&self, check_empty: bool) -> Document {
        let own = self.own_config();
        let version = self.config.as_ref().map_or(ConfigVersion::NONE, ReplSetConfig::config_version);
        let mut request = doc! {
            "replSetHeartbeat": &self.set_name,
            "configVersion": version.version,
            "configTerm": version.term,
            "hbv": 1_i64,
            "from": own.map_or("", |m| m.host.as_str()),
            "fromId": own.map_or(-1, |m| m.id),
            "term": self.term,
            "$db": "admin",
        };
        if check_empty {
            request.insert("checkEmpty", true);
        }
        if let (Some(index), Some(config)) = (self.primary_index(), &self.config) {
            request.insert("primaryId", config.members[index].id);
        }
        request
    }

    /// Answers a heartbeat. A sender with a newer configuration, or a stranger while this member
    /// has none, is asked back: so members join.
    pub fn on_heartbeat_request(&mut self, request: &Document, now: Millis) -> (CommandResult, Vec<Effect>) {
        let name = request.get_str("replSetHeartbeat").unwrap_or_default();
        if name != self.set_name {
            let error = CommandError::new(
                code::INCONSISTENT_SET_NAMES,
                format!("Our set name of {} does not match name {name} reported by remote node", self.set_name),
            );
            return (Err(error.with("replSetName", self.set_name.clone())), Vec::new());
        }
        let from = request.get_str("from").unwrap_or_default().to_owned();
        let from_id = int(request, "fromId", -1);
        if self.own_config().is_some_and(|own| own.id == from_id) {
            let error = CommandError::bad_value(format!(
                "Received heartbeat from member with the same member ID as ourself: {from_id}"
            ));
            return (Err(error), Vec::new());
        }
        let theirs = version_of(request, "configVersion");
        let ours = self.config.as_ref().map_or(ConfigVersion::NONE, ReplSetConfig::config_version);
        let sender =
            self.config.as_ref().and_then(|c| c.members.iter().position(|m| m.id == from_id && m.host == from));
        let mut effects = Vec::new();
        if let Some(index) = sender {
            let term = int(request, "term", -1);
            effects.extend(self.learn_term(term, now));
            let from_primary = term == self.term && int(request, "primaryId", -1) == from_id;
            let data = &mut self.members[index];
            data.last_request = Some(now);
            data.config = theirs;
            data.term = data.term.max(term);
            if !data.up {
                data.next_heartbeat = now;
            }
            if from_primary && !self.is_leader() {
                self.primary_index = Some(index);
                self.role = Role::Follower;
                self.reset_election_timer(now);
            }
        }
        if theirs.is_newer_than(ours) && !from.is_empty() && !self.installing {
            effects.push(Effect::SendHeartbeat { host: from });
        }
        if self.config.is_some() && self.self_index.is_none() {
            let error = CommandError::new(
                code::INVALID_CONFIG,
                "Our replica set configuration is invalid or does not include us",
            );
            return (Err(error), self.with_topology(effects));
        }
        let reply = self.heartbeat_reply(theirs, ours);
        effects.extend(self.tick(now));
        (Ok(reply), self.with_topology(effects))
    }

    fn heartbeat_reply(&self, theirs: ConfigVersion, ours: ConfigVersion) -> Document {
        let mut reply = doc! {
            "ok": 1.0,
            "set": &self.set_name,
            "state": self.state() as i32,
            "v": ours.version,
            "configTerm": ours.term,
            "term": self.term,
            "opTime": self.applied.to_document(),
            "wallTime": self.applied.date(),
            "durableOpTime": self.applied.to_document(),
            "durableWallTime": self.applied.date(),
            "electable": self.own_config().is_some_and(super::MemberConfig::is_electable),
        };
        if let Some(source) = &self.sync_source {
            reply.insert("syncingTo", source);
        }
        let Some(config) = &self.config else { return reply };
        if let Some(id) = config.settings.replica_set_id() {
            reply.insert("$replData", doc! { "replicaSetId": id.clone() });
        }
        if let Some(primary) = self.primary_index() {
            reply.insert("primaryId", config.members[primary].id);
        }
        if let Role::Leader(l) = &self.role {
            reply.insert("electionTime", l.election_time.timestamp());
        }
        if ours.is_newer_than(theirs) {
            reply.insert("config", config.to_internal_document());
        }
        reply
    }

    /// Heartbeats that are due.
    pub(super) fn heartbeat_tick(&mut self, now: Millis) -> Vec<Effect> {
        let (Some(config), Some(own)) = (&self.config, self.self_index) else { return Vec::new() };
        let mut effects = Vec::new();
        for (index, data) in self.members.iter_mut().enumerate() {
            if index != own && !data.in_flight && now >= data.next_heartbeat {
                data.in_flight = true;
                effects.push(Effect::SendHeartbeat { host: config.members[index].host.clone() });
            }
        }
        effects
    }

    /// A heartbeat's answer, or why there was none. `sent` is when it went out.
    pub fn on_heartbeat_response(
        &mut self,
        host: &str,
        answer: Result<&Document, &str>,
        sent: Millis,
        now: Millis,
    ) -> Vec<Effect> {
        let index = self.config.as_ref().and_then(|c| c.index_of_host(host));
        if let Some(index) = index {
            self.members[index].in_flight = false;
        }
        let effects = match answer.map(|reply| (reply, CommandError::from_reply(reply))) {
            Ok((reply, None)) => self.on_heartbeat_success(index, reply, sent, now),
            Ok((_, Some(refusal))) => {
                self.on_heartbeat_failure(index, &refusal.message, refusal.code == code::UNAUTHORIZED, sent, now)
            }
            Err(message) => {
                self.on_heartbeat_failure(index, message, message.contains("internal authentication"), sent, now)
            }
        };
        self.with_topology(effects)
    }

    fn on_heartbeat_success(
        &mut self,
        index: Option<usize>,
        reply: &Document,
        sent: Millis,
        now: Millis,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Some(index) = index {
            self.note_member(index, reply, sent, now);
        }
        effects.extend(self.learn_term(int(reply, "term", -1), now));
        if let Some(newer) = self.newer_config(reply) {
            self.installing = true;
            effects.push(Effect::InstallConfig(Box::new(newer)));
        }
        let Some(index) = index else { return effects };
        self.note_primary(index, now);
        self.advance_commit_point();
        if let Role::Leader(l) = &mut self.role
            && sent >= l.since
            && !l.heard.contains(&index)
        {
            l.heard.push(index);
        }
        effects.extend(self.check_catch_up(now));
        effects.extend(self.synced_newcomers());
        if !self.is_leader() {
            self.schedule_takeover(now);
        }
        effects
    }

    fn note_member(&mut self, index: usize, reply: &Document, sent: Millis, now: Millis) {
        let Some(interval) = self.config.as_ref().map(|c| c.settings.heartbeat_interval()) else { return };
        // A set that has no primary, or a member that is not where it wants to be, is looked at
        // more often, as the server does for members without a sync source.
        let pace = if self.primary_index().is_none() { interval.min(500) } else { interval };
        let data = &mut self.members[index];
        if !data.up {
            data.up_since = now;
        }
        data.up = true;
        data.auth_failed = false;
        data.failures = 0;
        data.message.clear();
        data.state = MemberState::from_number(int(reply, "state", 6));
        data.term = int(reply, "term", -1);
        data.applied = OpTime::from_bson(reply.get("opTime"));
        data.config = version_of(reply, "v");
        reply.get_str("syncingTo").unwrap_or_default().clone_into(&mut data.sync_source);
        data.election_time = reply.get_timestamp("electionTime").ok();
        data.last_response = Some(now);
        data.last_seen = Some(now);
        data.ping = now.saturating_sub(sent);
        data.next_heartbeat = now + pace;
    }

    fn newer_config(&self, reply: &Document) -> Option<ReplSetConfig> {
        if self.installing {
            return None;
        }
        let config = ReplSetConfig::parse(reply.get_document("config").ok()?).ok()?;
        if config.name != self.set_name || config.validate(true).is_err() {
            return None;
        }
        match &self.config {
            None => Some(config),
            Some(own) => {
                let same_set = own.settings.replica_set_id() == config.settings.replica_set_id();
                (same_set && config.config_version().is_newer_than(own.config_version())).then_some(config)
            }
        }
    }

    fn note_primary(&mut self, index: usize, now: Millis) {
        let data = &self.members[index];
        if data.state == MemberState::Primary && data.term == self.term && !self.is_leader() {
            self.primary_index = Some(index);
            self.role = Role::Follower;
            self.reset_election_timer(now);
        } else if self.primary_index == Some(index) {
            self.primary_index = None;
        }
    }

    fn synced_newcomers(&self) -> Option<Effect> {
        if !self.is_writable() {
            return None;
        }
        let config = self.config.as_ref()?;
        let synced: Vec<i64> = config
            .members
            .iter()
            .zip(&self.members)
            .filter(|(m, data)| {
                m.newly_added
                    && data.up
                    && matches!(
                        data.state,
                        MemberState::Secondary | MemberState::Recovering | MemberState::Rollback
                    )
            })
            .map(|(m, _)| m.id)
            .collect();
        (!synced.is_empty()).then_some(Effect::RemoveNewlyAdded(synced))
    }

    fn on_heartbeat_failure(
        &mut self,
        index: Option<usize>,
        message: &str,
        auth: bool,
        sent: Millis,
        now: Millis,
    ) -> Vec<Effect> {
        let (Some(index), Some(config)) = (index, &self.config) else { return Vec::new() };
        let (interval, timeout) = (config.settings.heartbeat_interval(), config.settings.heartbeat_timeout());
        let data = &mut self.members[index];
        data.failures += 1;
        message.clone_into(&mut data.message);
        data.auth_failed = auth;
        if data.failures <= RETRIES && now.saturating_sub(sent) < timeout {
            data.next_heartbeat = now;
        } else {
            data.up = false;
            data.state = if auth { MemberState::Unknown } else { MemberState::Down };
            data.next_heartbeat = now + interval;
            if self.primary_index == Some(index) {
                self.primary_index = None;
            }
        }
        let mut effects = self.heartbeat_tick(now);
        effects.extend(self.check_catch_up(now));
        effects
    }
}
