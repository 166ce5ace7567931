//! BSON answers to the planner's types. Numbers come as any of BSON's number types.

use std::collections::BTreeMap;

use kogge_mongo::{
    ConfigMember, ConfigStamp, Hello, Host, InitialSync, MemberId, MemberState, OpTime, ReplConfig, ReplStatus,
    SetName, ShardEntry, StatusMember,
};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, DateTime, Document};

use crate::error::CommandError;

/// Reads a whole number of any BSON number type.
pub(crate) fn integer(value: &Bson) -> Option<i64> {
    match value {
        Bson::Int32(n) => Some(i64::from(*n)),
        Bson::Int64(n) => Some(*n),
        Bson::Double(n) => Some(*n as i64),
        _ => None,
    }
}

/// `hello`.
pub(crate) fn hello(reply: &Document) -> Hello {
    let text = |field| reply.get_str(field).ok().map(str::to_owned);
    Hello {
        set_name: text("setName"),
        writable_primary: reply.get_bool("isWritablePrimary").unwrap_or(false),
        primary: text("primary"),
        me: text("me"),
        max_wire_version: reply.get("maxWireVersion").and_then(Bson::as_i32),
    }
}

/// `replSetGetConfig`.
pub(crate) fn config(reply: &Document) -> Result<ReplConfig, CommandError> {
    let read = Reader("replSetGetConfig");
    let config = read.document(reply, "config")?;
    let members = read.documents(config, "members")?;
    Ok(ReplConfig {
        set: SetName::new(read.text(config, "_id")?),
        stamp: stamp(config)?,
        members: members.map(|member| config_member(read, member?)).collect::<Result<_, _>>()?,
        replica_set_id: config
            .get_document("settings")
            .ok()
            .and_then(|settings| settings.get_object_id("replicaSetId").ok())
            .map(ObjectId::to_hex),
    })
}

/// The version and term of a config document.
pub(crate) fn stamp(config: &Document) -> Result<ConfigStamp, CommandError> {
    let version = Reader("replSetGetConfig").integer(config, "version")?;
    let term = config.get("term").and_then(integer).unwrap_or(-1);
    Ok(ConfigStamp { version, term })
}

fn config_member(read: Reader, member: &Document) -> Result<ConfigMember, CommandError> {
    let number = |field: &str, default: f64| match member.get(field) {
        Some(Bson::Double(n)) => *n,
        other => other.and_then(integer).map_or(default, |n| n as f64),
    };
    let flag = |field: &str| member.get_bool(field).unwrap_or(false);
    let tags = member.get_document("tags").ok();
    Ok(ConfigMember {
        id: member_id(read, member)?,
        host: Host::new(read.text(member, "host")?),
        votes: u32::from(number("votes", 1.0) > 0.0),
        priority: number("priority", 1.0),
        hidden: flag("hidden"),
        arbiter: flag("arbiterOnly"),
        tags: tags.map_or_else(BTreeMap::new, |tags| {
            let texts = tags.iter().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
            texts.collect()
        }),
    })
}

/// `replSetGetStatus`.
pub(crate) fn status(reply: &Document) -> Result<ReplStatus, CommandError> {
    let read = Reader("replSetGetStatus");
    let members = read.documents(reply, "members")?;
    let asked = reply.get_datetime("date").ok().copied();
    Ok(ReplStatus {
        set: SetName::new(read.text(reply, "set")?),
        my_state: MemberState::from_code(read.integer(reply, "myState")?),
        term: reply.get("term").and_then(integer).unwrap_or(-1),
        members: members.map(|member| status_member(read, member?, asked)).collect::<Result<_, _>>()?,
        initial_sync: reply.get_document("initialSyncStatus").ok().map(initial_sync),
        oplog_bytes: None,
        kept_ranges: None,
    })
}

fn status_member(read: Reader, member: &Document, asked: Option<DateTime>) -> Result<StatusMember, CommandError> {
    let up = member.get("health").and_then(integer).is_some_and(|health| health > 0);
    Ok(StatusMember {
        id: member_id(read, member)?,
        host: Host::new(read.text(member, "name")?),
        state: MemberState::from_code(read.integer(member, "state")?),
        up,
        optime_ms: member.get_datetime("optimeDate").ok().filter(|_| up).map(|date| date.timestamp_millis()),
        optime: member.get_document("optime").ok().filter(|_| up).and_then(optime),
        answered_ms_ago: member.get_datetime("lastHeartbeat").ok().zip(asked).and_then(|(answered, asked)| {
            u64::try_from(asked.timestamp_millis() - answered.timestamp_millis()).ok()
        }),
        uptime_secs: member.get("uptime").and_then(integer).and_then(|n| n.try_into().ok()),
    })
}

fn optime(optime: &Document) -> Option<OpTime> {
    let position = optime.get_timestamp("ts").ok()?;
    let term = optime.get("t").and_then(integer)?;
    Some(OpTime { term, seconds: position.time, increment: position.increment })
}

fn initial_sync(progress: &Document) -> InitialSync {
    let bytes = |field| progress.get(field).and_then(integer).filter(|n| *n > 0);
    let percent = match (bytes("approxTotalBytesCopied"), bytes("approxTotalDataSize")) {
        (Some(copied), Some(total)) => Some((copied.saturating_mul(100) / total).clamp(0, 100) as u8),
        _ => None,
    };
    InitialSync { percent }
}

/// `listShards`.
pub(crate) fn shards(reply: &Document) -> Result<Vec<ShardEntry>, CommandError> {
    let read = Reader("listShards");
    let shards = read.documents(reply, "shards")?;
    let entry = |shard: &Document| {
        Ok(ShardEntry {
            name: read.text(shard, "_id")?.to_owned(),
            host: read.text(shard, "host")?.to_owned(),
            draining: shard.get_bool("draining").unwrap_or(false),
        })
    };
    shards.map(|shard| entry(shard?)).collect()
}

/// The documents of a cursor's first batch.
pub(crate) fn first_batch(reply: &Document) -> impl Iterator<Item = &Document> {
    let batch = reply.get_document("cursor").ok().and_then(|cursor| cursor.get_array("firstBatch").ok());
    batch.into_iter().flatten().filter_map(Bson::as_document)
}

/// `count`.
pub(crate) fn count(reply: &Document) -> Result<u64, CommandError> {
    let counted = Reader("count").integer(reply, "n")?;
    u64::try_from(counted).map_err(|_| CommandError::answer("count", format!("n: {counted}")))
}

fn member_id(read: Reader, member: &Document) -> Result<MemberId, CommandError> {
    let id = read.integer(member, "_id")?;
    let id = u32::try_from(id).map_err(|_| CommandError::answer(read.0, format!("member _id {id}")))?;
    Ok(MemberId(id))
}

/// Reads the fields of one command's answer, and names command and field where one is missing.
#[derive(Clone, Copy)]
struct Reader(&'static str);

impl Reader {
    fn text<'a>(self, document: &'a Document, field: &str) -> Result<&'a str, CommandError> {
        document.get_str(field).map_err(|_| self.missing(field))
    }

    fn integer(self, document: &Document, field: &str) -> Result<i64, CommandError> {
        document.get(field).and_then(integer).ok_or_else(|| self.missing(field))
    }

    fn document<'a>(self, document: &'a Document, field: &str) -> Result<&'a Document, CommandError> {
        document.get_document(field).map_err(|_| self.missing(field))
    }

    fn documents<'a>(
        self,
        document: &'a Document,
        field: &'static str,
    ) -> Result<impl Iterator<Item = Result<&'a Document, CommandError>>, CommandError> {
        let array = document.get_array(field).map_err(|_| self.missing(field))?;
        Ok(array.iter().map(move |item| item.as_document().ok_or_else(|| self.missing(field))))
    }

    fn missing(self, field: &str) -> CommandError {
        CommandError::answer(self.0, format!("field {field} is missing or of another type"))
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::doc;

    use super::*;

    #[test]
    fn a_config_is_read_whatever_its_number_types_and_defaults() {
        let reply = doc! { "config": {
            "_id": "rs", "version": 4_i64, "term": 2,
            "members": [
                { "_id": 0.0, "host": "a:27017" },
                { "_id": 3, "host": "b:27017", "votes": 0_i64, "priority": 0.5, "hidden": true,
                  "tags": { "vdc": "vdc1" }, "unknown": 1 },
            ],
        }};
        let config = config(&reply).unwrap();
        assert_eq!(config.stamp, ConfigStamp { version: 4, term: 2 });
        assert_eq!((config.members[0].votes, config.members[0].priority), (1, 1.0));
        assert_eq!(config.members[1].id, MemberId(3));
        assert_eq!((config.members[1].votes, config.members[1].priority), (0, 0.5));
        assert_eq!(config.members[1].tags["vdc"], "vdc1");
    }

    #[test]
    fn a_forced_config_has_no_term() {
        assert_eq!(stamp(&doc! { "version": 10_007 }).unwrap().term, -1);
    }

    #[test]
    fn a_silent_member_has_no_optime() {
        let member = |health: f64, state: i32| {
            doc! { "_id": 1, "name": "a:27017", "health": health, "state": state,
            "optimeDate": DateTime::from_millis(7) }
        };
        let reply = doc! { "set": "rs", "myState": 2, "term": 3_i64,
        "members": [member(0.0, 8), member(1.0, 1)] };
        let status = status(&reply).unwrap();
        assert_eq!(status.members[0].optime_ms, None);
        assert_eq!(status.members[1].optime_ms, Some(7));
        assert_eq!(status.members[1].state, MemberState::Primary);
    }

    #[test]
    fn it_is_told_how_long_ago_a_member_answered() {
        let reply = doc! { "set": "rs", "myState": 1, "date": DateTime::from_millis(10_000), "members": [
            { "_id": 0, "name": "a:27017", "health": 1, "state": 2, "lastHeartbeat": DateTime::from_millis(6_100) },
            { "_id": 1, "name": "me:27017", "health": 1, "state": 1, "self": true },
        ] };
        let ago: Vec<_> = status(&reply).unwrap().members.iter().map(|member| member.answered_ms_ago).collect();
        assert_eq!(ago, [Some(3_900), None]);
    }

    #[test]
    fn an_uptime_by_a_clock_that_was_put_back_is_not_told() {
        let reply = doc! { "set": "rs", "myState": 1, "members": [
            { "_id": 0, "name": "me:27017", "health": 1, "state": 1, "self": true, "uptime": -3_600_i32 },
            { "_id": 1, "name": "a:27017", "health": 1, "state": 2 },
            { "_id": 2, "name": "b:27017", "health": 1, "state": 2, "uptime": 60_i64 },
        ] };
        let told: Vec<_> = status(&reply).unwrap().members.iter().map(|member| member.uptime_secs).collect();
        assert_eq!(told, [None, None, Some(60)]);
    }

    #[test]
    fn garbage_is_named() {
        let error = status(&doc! { "set": 1 }).unwrap_err();
        assert!(error.to_string().contains("replSetGetStatus"), "{error}");
        assert!(config(&doc! { "config": { "_id": "rs" } }).unwrap_err().to_string().contains("members"));
    }
}
