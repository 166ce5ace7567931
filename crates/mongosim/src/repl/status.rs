use bson::{Bson, DateTime, Document, doc, oid::ObjectId};

use super::{Coordinator, MemberState, Millis, coordinator::Role};
use crate::error::{CommandError, CommandResult, code};

impl Coordinator {
    /// `electionId` of a term.
    fn election_id(term: i64) -> ObjectId {
        let mut bytes = [0u8; 12];
        bytes[..4].copy_from_slice(&0x7fff_ffff_u32.to_be_bytes());
        bytes[4..].copy_from_slice(&(term as u64).to_be_bytes());
        ObjectId::from_bytes(bytes)
    }

    /// The replica set's part of hello.
    pub fn hello(&self) -> Document {
        let (Some(config), Some(own)) = (&self.config, self.own_config()) else {
            return doc! {
                "isWritablePrimary": false,
                "secondary": false,
                "info": if self.config.is_some() { "Our replica set config is invalid or we are not a member of it" }
                        else { "Does not have a valid replica set config" },
                "isreplicaset": true,
            };
        };
        let visible = || config.members.iter().filter(|m| !m.hidden && m.delay_secs == 0);
        let hosts: Vec<&str> = visible().filter(|m| m.is_electable()).map(|m| m.host.as_str()).collect();
        let passives: Vec<&str> =
            visible().filter(|m| !m.arbiter_only && !m.is_electable()).map(|m| m.host.as_str()).collect();
        let arbiters: Vec<&str> = visible().filter(|m| m.arbiter_only).map(|m| m.host.as_str()).collect();
        let writable = self.is_writable();
        let mut hello = doc! {
            "hosts": hosts,
            "setName": &config.name,
            "setVersion": config.version as i32,
            "isWritablePrimary": writable,
            "secondary": self.state() == MemberState::Secondary || (self.is_leader() && !writable),
        };
        for (name, list) in [("passives", passives), ("arbiters", arbiters)] {
            if !list.is_empty() {
                hello.insert(name, list);
            }
        }
        if let Some(primary) = self.primary_index() {
            hello.insert("primary", &config.members[primary].host);
        }
        if own.arbiter_only {
            hello.insert("arbiterOnly", true);
        }
        if own.effective_priority() == 0.0 && !own.arbiter_only {
            hello.insert("passive", true);
        }
        if own.hidden {
            hello.insert("hidden", true);
        }
        if own.delay_secs > 0 {
            hello.insert("secondaryDelaySecs", own.delay_secs);
        }
        if !own.tags.is_empty() {
            hello.insert("tags", own.tags.clone());
        }
        hello.insert("me", &own.host);
        if writable {
            hello.insert("electionId", Self::election_id(self.term));
        }
        hello.insert(
            "lastWrite",
            doc! {
                "opTime": self.applied.to_document(),
                "lastWriteDate": self.applied.date(),
                "majorityOpTime": self.commit_point.to_document(),
                "majorityWriteDate": self.commit_point.date(),
            },
        );
        hello
    }

    /// `replSetGetStatus`. `wall` is the clock's time at `now`.
    pub fn status(&self, wall: DateTime, now: Millis, sync_status: Option<Document>) -> CommandResult {
        let config = self.config.as_ref().ok_or_else(CommandError::not_initialized)?;
        let own = self.self_index.ok_or_else(|| {
            CommandError::new(
                code::INVALID_CONFIG,
                "Our replica set config is invalid or we are not a member of it",
            )
        })?;
        let at = |then: Millis| DateTime::from_millis(wall.timestamp_millis() - (now.saturating_sub(then)) as i64);
        let source = self.sync_source.clone().unwrap_or_default();
        let source_id = config.members.iter().find(|m| m.host == source).map_or(-1, |m| m.id as i32);
        let members: Vec<Bson> =
            (0..config.members.len()).map(|i| Bson::Document(self.member_status(i, own, at, now))).collect();
        let mut status = doc! {
            "set": &config.name,
            "date": wall,
            "myState": self.state() as i32,
            "term": self.term,
            "syncSourceHost": &source,
            "syncSourceId": source_id,
            "heartbeatIntervalMillis": config.settings.heartbeat_interval() as i64,
            "majorityVoteCount": config.majority() as i32,
            "writeMajorityCount": config.write_majority() as i32,
            "votingMembersCount": config.voter_count() as i32,
            "writableVotingMembersCount": config.writable_voter_count() as i32,
            "optimes": {
                "lastCommittedOpTime": self.commit_point.to_document(),
                "lastCommittedWallTime": self.commit_point.date(),
                "readConcernMajorityOpTime": self.commit_point.to_document(),
                "appliedOpTime": self.applied.to_document(),
                "durableOpTime": self.applied.to_document(),
                "lastAppliedWallTime": self.applied.date(),
                "lastDurableWallTime": self.applied.date(),
            },
            "members": members,
        };
        if let Some(sync) = sync_status {
            status.insert("initialSyncStatus", sync);
        }
        Ok(status)
    }

    fn member_status(&self, index: usize, own: usize, at: impl Fn(Millis) -> DateTime, now: Millis) -> Document {
        let Some(config) = &self.config else { return Document::new() };
        let member = &config.members[index];
        let data = &self.members[index];
        let is_self = index == own;
        let state = if is_self { self.state() } else { data.state };
        let up = is_self || data.up;
        let position = if up { self.position(index) } else { crate::oplog::OpTime::NULL };
        let uptime = if is_self {
            now
        } else if up {
            now.saturating_sub(data.up_since)
        } else {
            0
        };
        let source = if is_self { self.sync_source.clone().unwrap_or_default() } else { data.sync_source.clone() };
        let source_id = config.members.iter().find(|m| m.host == source).map_or(-1, |m| m.id as i32);
        let state_name = match (state, up) {
            (MemberState::Down, false) => "(not reachable/healthy)",
            _ => state.name(),
        };
        let mut d = doc! {
            "_id": member.id as i32,
            "name": &member.host,
            "health": f64::from(u8::from(up)),
            "state": state as i32,
            "stateStr": state_name,
            "uptime": (uptime / 1000) as i64,
        };
        if !member.arbiter_only {
            d.insert("optime", position.to_document());
            d.insert("optimeDate", position.date());
        }
        if !is_self {
            d.insert("lastHeartbeat", at(data.last_response.unwrap_or(0)));
            d.insert("lastHeartbeatRecv", at(data.last_request.unwrap_or(0)));
            d.insert("pingMs", data.ping as i64);
            d.insert("lastHeartbeatMessage", &data.message);
        }
        d.insert("syncSourceHost", source);
        d.insert("syncSourceId", source_id);
        d.insert("infoMessage", "");
        let election_time = match &self.role {
            Role::Leader(l) if is_self => Some(l.election_time.timestamp()),
            _ => data.election_time.filter(|_| state == MemberState::Primary && !is_self),
        };
        if let Some(time) = election_time {
            d.insert("electionTime", time);
            d.insert("electionDate", DateTime::from_millis(i64::from(time.time) * 1000));
        }
        let version = if is_self { config.config_version() } else { data.config };
        d.insert("configVersion", version.version as i32);
        d.insert("configTerm", version.term as i32);
        if is_self {
            d.insert("self", true);
        }
        d
    }
}
