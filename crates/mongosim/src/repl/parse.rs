use bson::{Bson, Document};

use super::{MemberConfig, ReplSetConfig, Settings};
use crate::{
    error::{CommandError, CommandResult, code},
    net::with_default_port,
    query::number,
};

const FIELDS: [&str; 8] = [
    "_id",
    "version",
    "term",
    "protocolVersion",
    "configsvr",
    "writeConcernMajorityJournalDefault",
    "members",
    "settings",
];
const MEMBER_FIELDS: [&str; 12] = [
    "_id",
    "host",
    "arbiterOnly",
    "buildIndexes",
    "hidden",
    "priority",
    "tags",
    "secondaryDelaySecs",
    "slaveDelay",
    "votes",
    "horizons",
    "newlyAdded",
];

fn wrong(message: impl Into<String>) -> CommandError {
    CommandError::new(code::INVALID_CONFIG, message)
}

impl ReplSetConfig {
    /// Parses a configuration; every error is 93.
    pub fn parse(d: &Document) -> CommandResult<Self> {
        only_known(d, &FIELDS, "replica set configuration")?;
        let name = d.get_str("_id").map_err(|_| wrong("_id: the set's name is missing or not a string"))?;
        if integer(d, "protocolVersion", 1)? != 1 {
            return Err(wrong("protocolVersion must be 1"));
        }
        let members = d.get_array("members").map_err(|_| wrong("members must be an array"))?;
        let settings = match d.get("settings") {
            None => Document::new(),
            Some(Bson::Document(settings)) => settings.clone(),
            Some(_) => return Err(wrong("settings must be a document")),
        };
        let config = Self {
            name: name.to_owned(),
            version: integer(d, "version", 1)?,
            term: integer(d, "term", -1)?,
            configsvr: boolean(d, "configsvr", false)?,
            members: members.iter().enumerate().map(|(i, m)| parse_member(i, m)).collect::<Result<_, _>>()?,
            settings: Settings::new(settings),
            majority_journal_default: boolean(d, "writeConcernMajorityJournalDefault", true)?,
        };
        match config.settings.problem() {
            Some(problem) => Err(wrong(problem)),
            None => Ok(config),
        }
    }
}

fn parse_member(index: usize, value: &Bson) -> CommandResult<MemberConfig> {
    let d = value.as_document().ok_or_else(|| wrong(format!("members.{index} must be a document")))?;
    let context = |e: CommandError| wrong(format!("members.{index}.{}", e.message));
    only_known(d, &MEMBER_FIELDS, &format!("members.{index}"))?;
    let host = d.get_str("host").map_err(|_| wrong(format!("members.{index}.host is missing or not a string")))?;
    if host.is_empty() || host.starts_with(':') || host.contains(['/', ' ', ',']) {
        return Err(wrong(format!("members.{index}.host: {host:?} is not host:port")));
    }
    let id = d.get("_id").ok_or_else(|| wrong(format!("members.{index}._id is missing")))?;
    let arbiter_only = boolean(d, "arbiterOnly", false).map_err(context)?;
    let priority = match d.get("priority") {
        None => f64::from(u8::from(!arbiter_only)),
        Some(value) => {
            number::as_f64(value).ok_or_else(|| wrong(format!("members.{index}.priority must be a number")))?
        }
    };
    let delay = if d.contains_key("slaveDelay") { "slaveDelay" } else { "secondaryDelaySecs" };
    let sub = |key: &str| match d.get(key) {
        None => Ok(None),
        Some(Bson::Document(sub)) => Ok(Some(sub.clone())),
        Some(_) => Err(wrong(format!("members.{index}.{key} must be a document"))),
    };
    Ok(MemberConfig {
        id: number::as_i64(id).ok_or_else(|| wrong(format!("members.{index}._id must be a number")))?,
        host: with_default_port(host),
        arbiter_only,
        build_indexes: boolean(d, "buildIndexes", true).map_err(context)?,
        hidden: boolean(d, "hidden", false).map_err(context)?,
        // An arbiter's priority of 1 is what older shells wrote: it means none.
        priority: if arbiter_only && (priority - 1.0).abs() < f64::EPSILON { 0.0 } else { priority },
        votes: integer(d, "votes", 1).map_err(context)?,
        delay_secs: integer(d, delay, 0).map_err(context)?,
        tags: sub("tags")?.unwrap_or_default(),
        horizons: sub("horizons")?,
        newly_added: boolean(d, "newlyAdded", false).map_err(context)?,
    })
}

fn only_known(d: &Document, known: &[&str], place: &str) -> CommandResult<()> {
    match d.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(wrong(format!("BSON field '{key}' is an unknown field in {place}"))),
        None => Ok(()),
    }
}

fn integer(d: &Document, key: &str, default: i64) -> CommandResult<i64> {
    match d.get(key) {
        None => Ok(default),
        Some(value) => number::as_i64(value).ok_or_else(|| wrong(format!("{key} must be a number"))),
    }
}

fn boolean(d: &Document, key: &str, default: bool) -> CommandResult<bool> {
    match d.get(key) {
        None => Ok(default),
        Some(Bson::Boolean(b)) => Ok(*b),
        Some(value) => {
            number::as_i64(value).map(|n| n != 0).ok_or_else(|| wrong(format!("{key} must be a boolean")))
        }
    }
}
