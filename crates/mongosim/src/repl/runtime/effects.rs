use std::{sync::Arc, time::Duration};

use super::Replication;
use crate::{
    oplog::{Operation, OplogWriter},
    repl::{Effect, LastVote, ReplSetConfig, Settings, VoteReply, VoteRequest},
};

impl Replication {
    pub(super) fn perform(self: &Arc<Self>, effects: Vec<Effect>) {
        for effect in effects {
            let this = self.clone();
            match effect {
                Effect::SendHeartbeat { host } => {
                    tokio::spawn(async move { this.send_heartbeat(&host).await });
                }
                Effect::PersistVote { vote, election } => {
                    tokio::spawn(async move {
                        if this.persist_vote(vote).await.is_ok() {
                            this.with(|c, now| c.on_vote_persisted(election, now));
                        }
                    });
                }
                Effect::RequestVotes { election, request, voters } => {
                    for (_, host) in voters {
                        let (this, request) = (self.clone(), request.clone());
                        tokio::spawn(async move { this.request_vote(election, &request, &host).await });
                    }
                }
                Effect::InstallConfig(config) => {
                    tokio::spawn(async move { this.install_from_heartbeat(*config).await });
                }
                Effect::RemoveNewlyAdded(ids) => {
                    tokio::spawn(async move { this.remove_newly_added(&ids).await });
                }
                Effect::FinishDrain { term } => {
                    tokio::spawn(async move { this.finish_drain(term).await });
                }
                Effect::SteppedDown => tracing::info!("stepped down"),
                Effect::TopologyChanged => {
                    let (state, term, primary) = self.look(|c| (c.state().name(), c.term(), c.primary_index()));
                    tracing::info!(state, term, ?primary, "topology changed");
                }
            }
        }
    }

    fn timeouts(&self) -> (Duration, Duration) {
        self.look(|c| {
            let default = Settings::default();
            let settings = c.config().map_or(&default, |c| &c.settings);
            (
                Duration::from_millis(settings.heartbeat_timeout()),
                Duration::from_millis(settings.election_timeout()),
            )
        })
    }

    async fn send_heartbeat(self: &Arc<Self>, host: &str) {
        let sent = self.now();
        let request = self.look(|c| c.heartbeat_request(false));
        let answer = self.around.peers.command(host, &request, self.timeouts().0).await;
        let answer = answer.as_ref().map_err(ToString::to_string);
        self.with(|c, now| {
            c.on_heartbeat_response(host, answer.as_ref().map_err(String::as_str).copied(), sent, now)
        });
    }

    /// Makes a vote durable.
    pub(super) async fn persist_vote(&self, vote: LastVote) -> crate::storage::StorageResult<()> {
        self.around.storage.write(move |view| view.put(LastVote::NAMESPACE, &vote.to_document())).await
    }

    async fn request_vote(self: &Arc<Self>, election: u64, request: &VoteRequest, host: &str) {
        let answer = self.around.peers.command(host, &request.to_document(), self.timeouts().1).await;
        let reply = answer.ok().as_ref().and_then(VoteReply::from_document);
        if let Some(reply) = reply.as_ref().filter(|r| !r.granted) {
            tracing::info!(host, dry_run = request.dry_run, reason = reply.reason, "vote refused");
        }
        self.with(|c, now| c.on_vote_reply(election, reply, now));
    }

    /// Answers `replSetRequestVotes`.
    pub async fn vote(self: &Arc<Self>, request: &VoteRequest) -> crate::storage::StorageResult<VoteReply> {
        let (reply, vote) = self.with_result(|c, now| {
            let (reply, vote, effects) = c.on_vote_request(request, now);
            ((reply, vote), effects)
        });
        if let Some(vote) = vote {
            self.persist_vote(vote).await?;
        }
        Ok(reply)
    }

    /// Writes the term's first entry and the configuration with the new term.
    async fn finish_drain(self: &Arc<Self>, term: i64) {
        let Some(config) = self.look(|c| c.config_of_term(term)) else { return };
        let gate = self.gate.clone();
        let written = self
            .around
            .storage
            .write(move |view| {
                if gate.leader_term() != Some(term) {
                    return Ok(None);
                }
                view.put(super::CONFIG_NAMESPACE, &config.to_internal_document())?;
                let mut writer = OplogWriter::new(view, Some(term))?;
                writer.log("", Operation::Noop(bson::doc! { "msg": "new primary" }), None)?;
                Ok(Some(writer.head()))
            })
            .await;
        if let Ok(Some(first)) = written {
            tracing::info!(term, "primary: taking writes");
            self.with(|c, now| c.on_drain_complete(term, first, now));
        }
    }

    async fn remove_newly_added(self: &Arc<Self>, ids: &[i64]) {
        let result = self
            .reconfig_internally(|config: &mut ReplSetConfig| {
                let mut changed = false;
                for member in &mut config.members {
                    if ids.contains(&member.id) && member.newly_added {
                        member.newly_added = false;
                        changed = true;
                        // One voter at a time; the next comes with the next heartbeat.
                        break;
                    }
                }
                changed
            })
            .await;
        if let Err(e) = result {
            tracing::debug!(error = %e, "newlyAdded stays for now");
        }
    }
}
