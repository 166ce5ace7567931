use std::time::Duration;

use bson::Document;
use futures::{StreamExt, stream::FuturesUnordered};

use super::Replication;
use crate::{
    error::{CommandError, CommandResult, code},
    net::NetError,
    query::number,
    repl::ReplSetConfig,
};

impl Replication {
    /// Every other member must answer, be fresh, and be of the same name.
    pub(super) async fn quorum_for_initiate(&self, config: &ReplSetConfig, own: usize) -> CommandResult<()> {
        for (host, answer) in self.ask_all(config, own, true).await {
            let reply = answer.map_err(|e| {
                CommandError::new(
                    code::NODE_NOT_FOUND,
                    format!("replSetInitiate quorum check failed because not all proposed set members responded affirmatively: {host} failed with {e}"),
                )
            })?;
            check_reply(config, &host, &reply, true)?;
        }
        Ok(())
    }

    /// A majority of voters and one electable member must answer.
    pub(super) async fn quorum_for_reconfig(&self, config: &ReplSetConfig, own: usize) -> CommandResult<()> {
        let is_voter = |host: &str| config.members.iter().any(|m| m.host == host && m.is_voter());
        let is_electable = |host: &str| config.members.iter().any(|m| m.host == host && m.is_electable());
        let mut voters = usize::from(config.members[own].is_voter());
        let mut electable = config.members[own].is_electable();
        let mut silent = Vec::new();
        for (host, answer) in self.ask_all(config, own, false).await {
            match answer {
                Ok(reply) => {
                    check_reply(config, &host, &reply, false)?;
                    voters += usize::from(is_voter(&host));
                    electable |= is_electable(&host);
                }
                Err(e) => silent.push(format!("{host} failed with {e}")),
            }
        }
        if voters < config.majority() || !electable {
            return Err(CommandError::new(
                code::NODE_NOT_FOUND,
                format!(
                    "Quorum check failed because not enough voting nodes responded; required {} but only {voters} responded; the following nodes did not respond affirmatively: {}",
                    config.majority(),
                    silent.join("; ")
                ),
            ));
        }
        Ok(())
    }

    async fn ask_all(
        &self,
        config: &ReplSetConfig,
        own: usize,
        check_empty: bool,
    ) -> Vec<(String, Result<Document, NetError>)> {
        let limit = Duration::from_millis(config.settings.heartbeat_timeout());
        let mut request = self.look(|c| c.heartbeat_request(check_empty));
        if check_empty {
            // Fresh members ask a sender back for its configuration; there is none to give yet.
            request.insert("from", "");
        }
        let request = &request;
        config
            .members
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != own)
            .map(
                |(_, m)| async move { (m.host.clone(), self.around.peers.command(&m.host, request, limit).await) },
            )
            .collect::<FuturesUnordered<_>>()
            .collect()
            .await
    }
}

fn check_reply(config: &ReplSetConfig, host: &str, reply: &Document, must_be_empty: bool) -> CommandResult<()> {
    let incompatible = |message: String| CommandError::new(code::INCOMPATIBLE_CONFIG, message);
    if let Some(refusal) = CommandError::from_reply(reply) {
        return match refusal.code {
            code::INCONSISTENT_SET_NAMES => Err(incompatible(format!("{host}: {}", refusal.message))),
            // A removed member is of the set; it waits for this very configuration.
            code::INVALID_CONFIG if !must_be_empty => Ok(()),
            _ => Err(CommandError::new(code::NODE_NOT_FOUND, format!("{host} refused: {}", refusal.message))),
        };
    }
    let version = reply.get("v").and_then(number::as_i64).unwrap_or(-2);
    if must_be_empty && version >= 1 {
        return Err(incompatible(format!(
            "{host} has a replica set configuration already, with version {version}"
        )));
    }
    if must_be_empty && reply.get_bool("hasData").unwrap_or(false) {
        return Err(CommandError::new(
            code::INVALID_CONFIG,
            format!("'{host}' has data already, cannot initiate set."),
        ));
    }
    if let Ok(theirs) = reply.get_document("config") {
        let id = |d: &Document| d.get_document("settings").ok().and_then(|s| s.get("replicaSetId").cloned());
        let own = config.settings.replica_set_id().cloned();
        if own.is_some() && id(theirs).is_some_and(|theirs| Some(theirs) != own) {
            return Err(incompatible(format!("Our replica set ID did not match that of {host}")));
        }
    }
    if version > config.version && !must_be_empty {
        return Err(incompatible(format!(
            "Our config version of {} is no larger than the version on {host}, which is {version}",
            config.version
        )));
    }
    Ok(())
}
