use std::{sync::Arc, time::Duration};

use bson::{Bson, Document, doc};

use super::Replication;
use crate::{
    error::CommandError,
    failpoints::FailPoint,
    net::{Connection, NetError},
    oplog::{OpTime, OplogEntry, apply},
    query::number,
    repl::{Coordinator, MemberState, Millis},
    storage::StorageError,
};

const CONNECT: Duration = Duration::from_secs(5);
const AWAIT_MILLIS: i64 = 2000;
const NETWORK_GRACE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);
const BEHIND_PAUSE: Duration = Duration::from_secs(1);

/// Why following a source ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum FollowError {
    /// It did not answer.
    #[error(transparent)]
    Net(#[from] NetError),
    /// It refused.
    #[error("sync source refused: {0}")]
    Refused(#[from] CommandError),
    /// It is behind this member.
    #[error("the sync source is behind")]
    Behind,
    /// Its oplog begins after this member's newest entry: what came between is gone.
    #[error("too stale to catch up: the sync source's oplog no longer reaches back to this member's newest entry")]
    TooStale,
    /// There is nothing from which both have gone on: rolled back would be what a majority holds.
    #[error("no common point with the sync source at or after the commit point")]
    NoCommonPoint,
    /// Its oplog has lost what an initial sync began with.
    #[error("the sync source's oplog has moved on past the start of the copy")]
    Overrun,
    /// Its history is another: what this member has beyond it must be taken back.
    #[error("the sync source's history has diverged")]
    Diverged,
    /// A fail point keeps it from taking what it has fetched.
    #[error("held by a fail point")]
    Held,
    /// The store is closing.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Replication {
    /// Follows a sync source for as long as the process lives.
    pub(super) async fn run_fetcher(self: Arc<Self>) {
        let mut changed = self.changed.subscribe();
        loop {
            if self.around.shutdown.is_cancelled() {
                return;
            }
            if self.fail_points().holds(FailPoint::FetchesNothing) {
                self.note_source(None);
                tokio::select! {
                    () = self.around.shutdown.cancelled() => return,
                    () = self.fail_points().released(FailPoint::FetchesNothing) => continue,
                }
            }
            let Some(source) = self.look(Coordinator::choose_sync_source) else {
                self.note_source(None);
                tokio::select! {
                    () = self.around.shutdown.cancelled() => return,
                    _ = changed.changed() => {}
                    () = tokio::time::sleep(Duration::from_millis(500)) => {}
                }
                continue;
            };
            let outcome = tokio::select! {
                () = self.around.shutdown.cancelled() => return,
                outcome = self.follow_any(&source) => outcome,
            };
            self.note_source(None);
            match outcome {
                Ok(()) => {}
                Err(e @ FollowError::TooStale) => self.stay_behind(&e).await,
                Err(FollowError::Diverged) => match self.roll_back(&source).await {
                    Ok(()) => {}
                    Err(e @ FollowError::NoCommonPoint) => self.stay_behind(&e).await,
                    Err(e) => tracing::warn!(source, error = %e, "rollback did not finish"),
                },
                Err(e) => tracing::debug!(source, error = %e, "left the sync source"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub(super) fn note_source(self: &Arc<Self>, source: Option<String>) {
        if self.look(|c| c.sync_source != source) {
            self.with(|c, _| c.set_sync_source(source));
        }
    }

    /// Follows the chosen source, or where its oplog is too short another whose is not.
    async fn follow_any(self: &Arc<Self>, chosen: &str) -> Result<(), FollowError> {
        let mut outcome = self.follow(chosen).await;
        for other in self.look(|c| c.other_sources(chosen)) {
            if !matches!(outcome, Err(FollowError::TooStale)) {
                break;
            }
            outcome = match self.follow(&other).await {
                // Whoever cannot be followed leaves things as they are.
                Err(_) => Err(FollowError::TooStale),
                followed => followed,
            };
        }
        outcome
    }

    /// Nobody has what comes next: serves no reads until its data are copied anew, by an operator's decision.
    async fn stay_behind(self: &Arc<Self>, reason: &FollowError) {
        if self.look(|c| c.follower_state != MemberState::Recovering) {
            tracing::error!(%reason, "this member cannot follow any more");
            self.with(|c, now| c.set_follower_state(MemberState::Recovering, now));
        }
        tokio::time::sleep(BEHIND_PAUSE).await;
    }

    async fn follow(self: &Arc<Self>, source: &str) -> Result<(), FollowError> {
        if self.needs_initial_sync()? {
            self.note_source(Some(source.to_owned()));
            return self.initial_sync(source).await;
        }
        let mut connection = self.around.peers.open(source, CONNECT).await?;
        let from = self.around.storage.last_applied();
        let find = doc! {
            "find": "oplog.rs",
            "filter": { "ts": { "$gte": from.timestamp() } },
            "tailable": true,
            "awaitData": true,
            "batchSize": 1000,
            "maxTimeMS": self.await_millis(),
            "term": self.look(Coordinator::term),
            "$readPreference": { "mode": "secondaryPreferred" },
            "$db": "local",
        };
        let reply = ask(&mut connection, &find).await?;
        let (mut cursor, batch) = batch_of(&reply, "firstBatch");
        self.note_metadata(&reply);
        match batch.first().map(OplogEntry::optime_of) {
            Some(first) if first == from => {}
            _ if source_position(&reply) <= from => return Err(FollowError::Behind),
            _ if oldest_entry(&mut connection).await?.ts > from.ts => return Err(FollowError::TooStale),
            _ => return Err(FollowError::Diverged),
        }
        self.note_source(Some(source.to_owned()));
        if self.look(|c| {
            matches!(c.follower_state, MemberState::Rollback | MemberState::Recovering | MemberState::Startup2)
        }) {
            self.with(|c, now| c.set_follower_state(MemberState::Secondary, now));
        }
        self.apply_batch(from, &batch[1..]).await?;
        self.note_commit_point(&reply);
        loop {
            let get_more = doc! {
                "getMore": cursor,
                "collection": "oplog.rs",
                "batchSize": 1000,
                "maxTimeMS": self.await_millis(),
                "term": self.look(Coordinator::term),
                "lastKnownCommittedOpTime": self.look(Coordinator::commit_point).to_document(),
                "$db": "local",
            };
            let expected = self.around.storage.last_applied();
            let reply = tokio::select! {
                reply = ask(&mut connection, &get_more) => reply?,
                _ = self.wait_for(None, |c| c.should_change_source(source).then_some(())) => return Ok(()),
                () = self.fail_points().held(FailPoint::FetchesNothing) => return Ok(()),
            };
            self.note_metadata(&reply);
            let (next, batch) = batch_of(&reply, "nextBatch");
            self.apply_batch(expected, &batch).await?;
            self.note_commit_point(&reply);
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }

    /// How long the source waits for news: so that word of the primary comes well before the election timeout.
    fn await_millis(&self) -> i64 {
        let timeout = self.look(|c| c.config().map(|config| config.settings.election_timeout()));
        timeout.map_or(AWAIT_MILLIS, |timeout| AWAIT_MILLIS.min(timeout as i64 / 2))
    }

    /// Appends and applies entries that come directly after `expected`.
    async fn apply_batch(&self, expected: OpTime, batch: &[Document]) -> Result<(), FollowError> {
        if batch.is_empty() {
            return Ok(());
        }
        // An answer may have been on its way when the fail point was turned on.
        if self.fail_points().holds(FailPoint::FetchesNothing) {
            return Err(FollowError::Held);
        }
        let entries: Vec<OplogEntry> = batch.iter().filter_map(OplogEntry::from_document).collect();
        let gate = self.gate.clone();
        let applied = self
            .around
            .storage
            .write(move |view| {
                let in_order = view.oplog_head()? == expected
                    && gate.writable_term().is_none()
                    && entries.first().is_some_and(|e| e.optime.ts > expected.ts);
                if in_order {
                    for entry in &entries {
                        view.append(entry)?;
                        apply(view, entry)?;
                    }
                }
                Ok(in_order)
            })
            .await?;
        if applied { Ok(()) } else { Err(FollowError::Behind) }
    }

    fn note_metadata(self: &Arc<Self>, reply: &Document) {
        let Ok(data) = reply.get_document("$replData") else { return };
        let term = data.get("term").and_then(number::as_i64).unwrap_or(-1);
        // A source that hears of a primary is as good as hearing of it: a member that reaches the primary through
        // another one does not stand (`DataReplicatorExternalStateImpl::processMetadata`).
        let knows_primary = data.get("primaryIndex").and_then(number::as_i64).is_some_and(|index| index >= 0);
        self.with(|c: &mut Coordinator, now: Millis| {
            let effects = c.learn_term(term, now);
            if knows_primary && term == c.term() {
                c.on_primary_contact(now);
            }
            effects
        });
    }

    fn note_commit_point(self: &Arc<Self>, reply: &Document) {
        let committed = reply
            .get_document("$replData")
            .map_or(OpTime::NULL, |data| OpTime::from_bson(data.get("lastOpCommitted")));
        self.with(|c, _| {
            c.on_source_commit_point(committed);
            Vec::new()
        });
    }
}

/// Sends a command to the source and takes only a success.
pub(super) async fn ask(connection: &mut Connection, command: &Document) -> Result<Document, FollowError> {
    let limit = NETWORK_GRACE + Duration::from_millis(AWAIT_MILLIS as u64);
    let reply = connection.command(command, limit).await?;
    match CommandError::from_reply(&reply) {
        Some(refusal) => Err(refusal.into()),
        None => Ok(reply),
    }
}

/// Cursor id and documents of a cursor reply.
pub(super) fn batch_of(reply: &Document, field: &str) -> (i64, Vec<Document>) {
    let Ok(cursor) = reply.get_document("cursor") else { return (0, Vec::new()) };
    let id = cursor.get("id").and_then(number::as_i64).unwrap_or(0);
    let batch = cursor
        .get_array(field)
        .map(|batch| batch.iter().filter_map(Bson::as_document).cloned().collect())
        .unwrap_or_default();
    (id, batch)
}

/// Where the source's oplog begins.
async fn oldest_entry(connection: &mut Connection) -> Result<OpTime, FollowError> {
    let find = doc! {
        "find": "oplog.rs",
        "sort": { "$natural": 1 },
        "limit": 1_i64,
        "singleBatch": true,
        "$readPreference": { "mode": "secondaryPreferred" },
        "$db": "local",
    };
    let (_, batch) = batch_of(&ask(connection, &find).await?, "firstBatch");
    Ok(batch.first().map_or(OpTime::NULL, OplogEntry::optime_of))
}

/// The source's newest entry, from its metadata.
fn source_position(reply: &Document) -> OpTime {
    reply.get_document("$replData").map_or(OpTime::NULL, |d| OpTime::from_bson(d.get("lastOpApplied")))
}
