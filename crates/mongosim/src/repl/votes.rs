use bson::{Document, doc};

use super::{Coordinator, Effect, MemberState, Millis, config::ConfigVersion};
use crate::{oplog::OpTime, query::number};

/// The newest vote given, durable before it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LastVote {
    /// Term of the vote.
    pub term: i64,
    /// Index of the candidate.
    pub candidate_index: i64,
}

impl LastVote {
    /// Where the vote is kept.
    pub const NAMESPACE: &str = "local.replset.election";

    /// As it is stored.
    pub fn to_document(self) -> Document {
        doc! { "_id": 0, "term": self.term, "candidateIndex": self.candidate_index }
    }

    /// Reads what [`Self::to_document`] wrote.
    pub fn from_document(d: &Document) -> Option<Self> {
        Some(Self { term: d.get_i64("term").ok()?, candidate_index: d.get_i64("candidateIndex").ok()? })
    }
}

/// `replSetRequestVotes`.
#[derive(Debug, Clone, PartialEq)]
pub struct VoteRequest {
    /// The set's name.
    pub set_name: String,
    /// The candidate's term.
    pub term: i64,
    /// Asks only how a vote would go.
    pub dry_run: bool,
    /// The candidate's index in its configuration.
    pub candidate_index: i64,
    /// The candidate's configuration.
    pub config: ConfigVersion,
    /// The candidate's newest entry.
    pub last_applied: OpTime,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq)]
pub struct VoteReply {
    /// The voter's term.
    pub term: i64,
    /// Whether the vote is given.
    pub granted: bool,
    /// Why not.
    pub reason: String,
}

impl VoteRequest {
    /// As a command.
    pub fn to_document(&self) -> Document {
        doc! {
            "replSetRequestVotes": 1,
            "setName": &self.set_name,
            "dryRun": self.dry_run,
            "term": self.term,
            "candidateIndex": self.candidate_index,
            "configVersion": self.config.version,
            "configTerm": self.config.term,
            "lastAppliedOpTime": self.last_applied.to_document(),
            "$db": "admin",
        }
    }

    /// Reads a command.
    pub fn from_document(d: &Document) -> Self {
        let int = |key: &str| d.get(key).and_then(number::as_i64).unwrap_or(-1);
        Self {
            set_name: d.get_str("setName").unwrap_or_default().to_owned(),
            term: int("term"),
            dry_run: d.get_bool("dryRun").unwrap_or(false),
            candidate_index: int("candidateIndex"),
            config: ConfigVersion { version: int("configVersion"), term: int("configTerm") },
            last_applied: OpTime::from_bson(d.get("lastAppliedOpTime").or_else(|| d.get("lastWrittenOpTime"))),
        }
    }
}

impl VoteReply {
    /// As a reply.
    pub fn to_document(&self) -> Document {
        doc! { "term": self.term, "voteGranted": self.granted, "reason": &self.reason, "ok": 1.0 }
    }

    /// Reads a reply.
    pub fn from_document(d: &Document) -> Option<Self> {
        Some(Self {
            term: d.get("term").and_then(number::as_i64)?,
            granted: d.get_bool("voteGranted").ok()?,
            reason: d.get_str("reason").unwrap_or_default().to_owned(),
        })
    }
}

impl Coordinator {
    /// Decides on a vote. When [`LastVote`] comes with the answer, it must be durable before the
    /// answer goes out.
    pub fn on_vote_request(
        &mut self,
        request: &VoteRequest,
        now: Millis,
    ) -> (VoteReply, Option<LastVote>, Vec<Effect>) {
        let effects = if request.dry_run { Vec::new() } else { self.learn_term(request.term, now) };
        let refusal = self.vote_refusal(request);
        let reply = VoteReply { term: self.term, granted: refusal.is_none(), reason: refusal.unwrap_or_default() };
        let vote = (reply.granted && !request.dry_run).then(|| {
            let vote = LastVote { term: request.term, candidate_index: request.candidate_index };
            self.last_vote = vote;
            self.reset_election_timer(now);
            vote
        });
        (reply, vote, effects)
    }

    fn vote_refusal(&self, request: &VoteRequest) -> Option<String> {
        let Some(config) = &self.config else { return Some("I have no config".into()) };
        let own = config.config_version();
        if self.self_index.is_none() {
            return Some("I am not in my config".into());
        }
        if request.term < self.term {
            return Some(format!("candidate's term ({}) is lower than mine ({})", request.term, self.term));
        }
        if request.config != own && !request.config.is_newer_than(own) {
            return Some(format!(
                "candidate's config with (version, term) ({}, {}) is older than mine ({}, {})",
                request.config.version, request.config.term, own.version, own.term
            ));
        }
        if request.set_name != config.name {
            return Some(format!(
                "candidate's set name ({}) differs from mine ({})",
                request.set_name, config.name
            ));
        }
        if request.last_applied < self.applied {
            return Some(format!(
                "candidate's data is staler than mine: {:?} before {:?}",
                request.last_applied, self.applied
            ));
        }
        if !request.dry_run && self.last_vote.term >= request.term {
            return Some(format!("already voted for another candidate in term {}", self.last_vote.term));
        }
        self.arbiter_refusal(request)
    }

    fn arbiter_refusal(&self, request: &VoteRequest) -> Option<String> {
        if self.state() != MemberState::Arbiter {
            return None;
        }
        let config = self.config.as_ref()?;
        let candidate = config.members.get(usize::try_from(request.candidate_index).ok()?)?;
        let primary = self.members.iter().zip(&config.members).find(|(data, member)| {
            data.up
                && data.state == MemberState::Primary
                && member.effective_priority() >= candidate.effective_priority()
        })?;
        Some(format!("can see a healthy primary ({}) of equal or greater priority", primary.1.host))
    }
}
