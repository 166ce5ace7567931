//! Changes of a config: read it, check that it is the one planned on, change what the step says, write it.

use std::collections::BTreeMap;
use std::time::Duration;

use kogge_engine_client::Outcome;
use kogge_mongo::{Change, ConfigStamp, Host, LOWERED_PRIORITY, LostMember, NewMember, PodName};
use mongodb::bson::{Bson, Document, doc};

use crate::engine::Wire;
use crate::error::StepError;
use crate::session::{Login, Session};
use crate::wire::{integer, stamp};

const READ_DEADLINE: Duration = Duration::from_secs(5);
/// The server's own limit on waiting for the present config to be committed (code 308 after it).
const COMMIT_WAIT: Duration = Duration::from_secs(10);
/// Above the server's limit and the 10 s that an unreachable new member costs its quorum check.
const WRITE_DEADLINE: Duration = Duration::from_secs(25);

/// Runs one reconfiguration on the safe path.
pub(crate) async fn run(
    wire: Wire<'_>,
    change: &Change,
    edit: impl FnOnce(&mut ConfigDocument) -> Result<(), String>,
) -> Result<Outcome, StepError> {
    reconfigure(wire, change, false, edit).await
}

/// Reconfigures a server whose config lists nobody else and that cannot become primary under it, because it
/// does not find itself there. The server takes such a change by `force` alone; with one member there is no
/// other vote that it could pass over.
pub(crate) async fn run_alone(
    wire: Wire<'_>,
    change: &Change,
    edit: impl FnOnce(&mut ConfigDocument) -> Result<(), String>,
) -> Result<Outcome, StepError> {
    reconfigure(wire, change, true, |config| match config.members()?.len() {
        1 => edit(config),
        n => Err(format!("its config lists {n} members; only a majority of them changes it")),
    })
    .await
}

async fn reconfigure(
    wire: Wire<'_>,
    change: &Change,
    alone: bool,
    edit: impl FnOnce(&mut ConfigDocument) -> Result<(), String>,
) -> Result<Outcome, StepError> {
    let failed = |source| StepError::Command { pod: change.via.clone(), source };
    let stale = |what| StepError::Stale { pod: change.via.clone(), what };
    let login = Login::User(&wire.access.credentials.operator);
    let session = wire.sessions.get(wire.access, &change.via, login).await.map_err(failed)?;

    let mut config = read_config(&session, &change.via, change.base).await?;
    edit(&mut config).map_err(stale)?;
    config.0.insert("version", whole(change.base.version + 1));
    let mut command = doc! { "replSetReconfig": config.0, "maxTimeMS": whole(COMMIT_WAIT.as_millis() as i64) };
    if alone {
        command.insert("force", true);
    }
    session.run(command, WRITE_DEADLINE).await.map_err(failed)?;
    Ok(Outcome::Done)
}

/// Takes lost members out by force: the server checks no majority, so nothing but the config that was approved
/// may be changed. It raises the version by a large step by itself and drops the term.
pub(crate) async fn force(
    wire: Wire<'_>,
    via: &PodName,
    approved: ConfigStamp,
    lost: &[LostMember],
) -> Result<Outcome, StepError> {
    let failed = |source| StepError::Command { pod: via.clone(), source };
    let stale = |what| StepError::Stale { pod: via.clone(), what };
    let login = Login::User(&wire.access.credentials.operator);
    let session = wire.sessions.get(wire.access, via, login).await.map_err(failed)?;
    let hello = session.run(doc! { "hello": 1 }, READ_DEADLINE).await.map_err(failed)?;
    if let Ok(primary) = hello.get_str("primary") {
        return Err(stale(format!("it knows a primary, {primary}: nothing is to be forced")));
    }
    let mut config = read_config(&session, via, approved).await?;
    for member in lost {
        config.drop_lost(member).map_err(stale)?;
    }
    config.0.insert("version", whole(approved.version + 1));
    let command = doc! { "replSetReconfig": config.0, "force": true };
    session.run(command, WRITE_DEADLINE).await.map_err(failed)?;
    Ok(Outcome::Done)
}

/// A server's config, which must be the one that the step was planned on.
async fn read_config(session: &Session, via: &PodName, base: ConfigStamp) -> Result<ConfigDocument, StepError> {
    let failed = |source| StepError::Command { pod: via.clone(), source };
    let stale = |what| StepError::Stale { pod: via.clone(), what };
    let mut reply = session.run(doc! { "replSetGetConfig": 1 }, READ_DEADLINE).await.map_err(failed)?;
    let Some(Bson::Document(config)) = reply.remove("config") else {
        return Err(stale("replSetGetConfig answered without a config".to_owned()));
    };
    let present = stamp(&config).map_err(failed)?;
    if present != base {
        return Err(stale(format!("its config is {present}, the step was planned on {base}")));
    }
    Ok(ConfigDocument(config))
}

/// A config as the server gave it: every field that the step does not name survives.
pub(crate) struct ConfigDocument(Document);

impl ConfigDocument {
    pub(crate) fn add(&mut self, member: &NewMember) -> Result<(), String> {
        let members = self.members()?;
        let taken = |known: &Bson| {
            known.as_document().is_some_and(|known| is(known, member.id.0) || is_at(known, &member.host))
        };
        if members.iter().any(taken) {
            return Err(format!("its config has member {} or {} already", member.id, member.host));
        }
        members.push(Bson::Document(new_member(member)));
        Ok(())
    }

    /// Without a vote there is no priority either (code 103 otherwise).
    pub(crate) fn set_votes(&mut self, change: &Change, votes: i32) -> Result<(), String> {
        let member = self.member(change)?;
        member.insert("votes", votes);
        if votes == 0 {
            member.insert("priority", 0);
        }
        Ok(())
    }

    pub(crate) fn set_priority(&mut self, change: &Change, priority: u32) -> Result<(), String> {
        self.member(change)?.insert("priority", whole(i64::from(priority)));
        Ok(())
    }

    pub(crate) fn lower_priority(&mut self, change: &Change) -> Result<(), String> {
        self.member(change)?.insert("priority", LOWERED_PRIORITY);
        Ok(())
    }

    pub(crate) fn set_tags(&mut self, change: &Change, tags: &BTreeMap<String, String>) -> Result<(), String> {
        self.member(change)?.insert("tags", tags_document(tags));
        Ok(())
    }

    pub(crate) fn set_hidden(&mut self, change: &Change, hidden: bool) -> Result<(), String> {
        self.member(change)?.insert("hidden", hidden);
        Ok(())
    }

    /// Fails where another member has the host already.
    pub(crate) fn set_host(&mut self, change: &Change, host: &Host) -> Result<(), String> {
        let taken = |known: &Bson| known.as_document().is_some_and(|known| is_at(known, host));
        if self.members()?.iter().any(taken) {
            return Err(format!("its config has {host} already"));
        }
        self.member(change)?.insert("host", host.as_str());
        Ok(())
    }

    pub(crate) fn remove(&mut self, change: &Change) -> Result<(), String> {
        self.member(change)?;
        self.members()?.retain(|known| !known.as_document().is_some_and(|known| is(known, change.id.0)));
        Ok(())
    }

    fn drop_lost(&mut self, lost: &LostMember) -> Result<(), String> {
        let LostMember { id, host } = lost;
        let members = self.members()?;
        let before = members.len();
        members.retain(|known| !known.as_document().is_some_and(|known| is(known, id.0) && is_at(known, host)));
        if members.len() == before {
            return Err(format!("its config does not list {host} as member {id}"));
        }
        Ok(())
    }

    fn members(&mut self) -> Result<&mut Vec<Bson>, String> {
        self.0.get_array_mut("members").map_err(|_| "its config has no members".to_owned())
    }

    fn member(&mut self, change: &Change) -> Result<&mut Document, String> {
        let (id, host) = (change.id, &change.host);
        self.members()?
            .iter_mut()
            .filter_map(Bson::as_document_mut)
            .find(|known| is(known, id.0) && is_at(known, host))
            .ok_or_else(|| format!("its config does not list {host} as member {id}"))
    }
}

/// A member as `replSetInitiate` and `replSetReconfig` take it.
pub(crate) fn new_member(member: &NewMember) -> Document {
    doc! {
        "_id": whole(i64::from(member.id.0)),
        "host": member.host.as_str(),
        "votes": whole(i64::from(member.votes)),
        "priority": whole(i64::from(member.priority)),
        "hidden": member.hidden,
        "tags": tags_document(&member.tags),
    }
}

fn tags_document(tags: &BTreeMap<String, String>) -> Document {
    tags.iter().map(|(key, value)| (key.clone(), Bson::String(value.clone()))).collect()
}

fn is(member: &Document, id: u32) -> bool {
    member.get("_id").and_then(integer) == Some(i64::from(id))
}

fn is_at(member: &Document, host: &Host) -> bool {
    member.get_str("host").is_ok_and(|known| known == host.as_str())
}

/// The server wants 32-bit numbers where they suffice.
fn whole(number: i64) -> Bson {
    i32::try_from(number).map_or(Bson::Int64(number), Bson::Int32)
}

#[cfg(test)]
mod tests {
    use kogge_mongo::{ConfigStamp, MemberId};

    use super::*;

    fn change(id: u32, host: &str) -> Change {
        Change { via: "a".into(), base: ConfigStamp { version: 3, term: 1 }, id: MemberId(id), host: host.into() }
    }

    fn config() -> ConfigDocument {
        ConfigDocument(doc! {
            "_id": "rs", "version": 3, "term": 1, "protocolVersion": 1_i64, "later": { "field": true },
            "members": [
                { "_id": 0, "host": "a:27017", "votes": 1, "priority": 1, "horizons": { "x": "y" } },
                { "_id": 1, "host": "b:27017", "votes": 1, "priority": 1, "secondaryDelaySecs": 0_i64 },
            ],
            "settings": { "electionTimeoutMillis": 7000, "unheardOf": [1] },
        })
    }

    #[test]
    fn case_27_unknown_settings_survive() {
        let mut changed = config();
        changed.set_votes(&change(1, "b:27017"), 0).unwrap();
        let mut expected = config();
        let member = expected.member(&change(1, "b:27017")).unwrap();
        member.insert("votes", 0);
        member.insert("priority", 0);
        assert_eq!(changed.0, expected.0);
    }

    #[test]
    fn a_member_is_found_by_id_and_host_together() {
        assert!(config().set_priority(&change(1, "a:27017"), 2).is_err());
        assert!(config().remove(&change(7, "a:27017")).is_err());
    }

    #[test]
    fn neither_id_nor_host_is_added_twice() {
        let member = |id, host: &str| NewMember {
            id: MemberId(id),
            host: host.into(),
            votes: 0,
            priority: 0,
            hidden: false,
            tags: BTreeMap::new(),
        };
        assert!(config().add(&member(1, "c:27017")).is_err());
        assert!(config().add(&member(2, "b:27017")).is_err());
        let mut grown = config();
        grown.add(&member(2, "c:27017")).unwrap();
        grown.remove(&change(0, "a:27017")).unwrap();
        assert_eq!(grown.members().unwrap().len(), 2);
    }
}
