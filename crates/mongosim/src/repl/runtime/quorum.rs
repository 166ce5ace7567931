use std::time::Duration;

use bson::Document;
use futures::{StreamExt, stream::FuturesUnordered};

use super::Replication;
use crate::{
    error::{CommandError, CommandResult, code},
    net::NetError,
    query::number,
    repl::{ReplSetConfig, config::ConfigVersion},
};

/// What the members of a new configuration have answered (`check_quorum_for_config_change.cpp`).
struct Tally<'c> {
    config: &'c ReplSetConfig,
    initial: bool,
    answers: usize,
    voters: usize,
    electable: bool,
    unfit: Vec<String>,
}

impl Replication {
    /// An initiate needs every other member, fresh and of the same name. A reconfiguration needs a majority of voters
    /// and one that can be elected, and does not wait for more: with a majority of one nobody is asked at all.
    pub(super) async fn check_quorum(&self, config: &ReplSetConfig, own: usize) -> CommandResult<()> {
        let initial = config.version == 1;
        let mut tally = Tally { config, initial, answers: 0, voters: 0, electable: false, unfit: Vec::new() };
        tally.affirm(own);
        if !tally.is_enough() {
            let limit = Duration::from_millis(config.settings.heartbeat_timeout());
            let request = self.quorum_request(config, own);
            let request = &request;
            let others = config.members.iter().enumerate().filter(|(index, _)| *index != own);
            let mut answers: FuturesUnordered<_> = others
                .map(|(index, m)| async move { (index, self.around.peers.command(&m.host, request, limit).await) })
                .collect();
            while let Some((index, answer)) = answers.next().await {
                tally.note(index, answer)?;
                if tally.is_enough() {
                    break;
                }
            }
        }
        tally.outcome()
    }

    fn quorum_request(&self, config: &ReplSetConfig, own: usize) -> Document {
        let initial = config.version == 1;
        let mut request = self.look(|c| c.heartbeat_request(initial));
        if initial {
            // The member speaks as the one that it is about to be: a peer with the same `_id` takes offence.
            request.insert("from", &config.members[own].host);
            request.insert("fromId", config.members[own].id);
        }
        request
    }
}

impl Tally<'_> {
    fn affirm(&mut self, index: usize) {
        let member = &self.config.members[index];
        self.answers += 1;
        self.voters += usize::from(member.is_voter());
        self.electable |= member.is_electable();
    }

    /// An unfit member is counted; one that speaks of another history ends the check with 103.
    fn note(&mut self, index: usize, answer: Result<Document, NetError>) -> CommandResult<()> {
        let host = &self.config.members[index].host;
        match answer {
            Err(e) => self.doubt(format!("{host} failed with {e}")),
            Ok(reply) => match CommandError::from_reply(&reply) {
                None => {
                    self.check_history(host, &reply)?;
                    self.affirm(index);
                }
                Some(refusal) if refusal.code == code::INCONSISTENT_SET_NAMES => {
                    return Err(incompatible(format!("Our set name did not match that of {host}")));
                }
                // A removed member is of the set; it waits for this very configuration.
                Some(refusal) if refusal.code == code::INVALID_CONFIG => self.affirm(index),
                Some(refusal) => self.doubt(format!("{host} failed with {}", refusal.message)),
            },
        }
        Ok(())
    }

    fn doubt(&mut self, reason: String) {
        self.answers += 1;
        self.unfit.push(reason);
    }

    fn check_history(&self, host: &str, reply: &Document) -> CommandResult<()> {
        let int = |key: &str, default: i64| reply.get(key).and_then(number::as_i64).unwrap_or(default);
        let theirs = ConfigVersion { version: int("v", -2), term: int("configTerm", -1) };
        let ours = self.config.config_version();
        if !ours.is_newer_than(theirs) {
            return Err(incompatible(format!(
                "Our config version of ({}, {}) is no larger than the version on {host}, which is ({}, {})",
                ours.version, ours.term, theirs.version, theirs.term
            )));
        }
        let id = reply.get_document("$replData").ok().and_then(|data| data.get("replicaSetId"));
        if let (Some(ours), Some(theirs)) = (self.config.settings.replica_set_id(), id)
            && ours != theirs
        {
            return Err(incompatible(format!(
                "Our replica set ID of {ours} did not match that of {host}, which is {theirs}"
            )));
        }
        if self.initial && reply.get_bool("hasData").unwrap_or(false) {
            return Err(CommandError::new(
                code::CANNOT_INITIALIZE_NODE_WITH_DATA,
                format!("'{host}' has data already, cannot initiate set."),
            ));
        }
        Ok(())
    }

    fn is_enough(&self) -> bool {
        let all = self.answers == self.config.members.len();
        all || (!self.initial && self.electable && self.voters >= self.config.majority())
    }

    fn outcome(self) -> CommandResult<()> {
        let unfit = self.unfit.join(", ");
        let missing = |message: String| Err(CommandError::new(code::NODE_NOT_FOUND, message));
        if self.initial && !self.unfit.is_empty() {
            return missing(format!(
                "replSetInitiate quorum check failed because not all proposed set members responded affirmatively: {unfit}"
            ));
        }
        if !self.electable {
            return missing(
                "Quorum check failed because no electable nodes responded; at least one required for config"
                    .to_owned(),
            );
        }
        if self.voters < self.config.majority() {
            return missing(format!(
                "Quorum check failed because not enough voting nodes responded; required {} but only {} responded; the following nodes did not respond affirmatively: {unfit}",
                self.config.majority(),
                self.voters
            ));
        }
        Ok(())
    }
}

fn incompatible(message: String) -> CommandError {
    CommandError::new(code::INCOMPATIBLE_CONFIG, message)
}
