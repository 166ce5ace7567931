use std::{collections::BTreeSet, fs, io::Write, sync::Arc, time::Duration};

use bson::doc;

use super::{
    Replication,
    fetcher::{FollowError, ask, batch_of},
    initial_sync::mark_for_resync,
};
use crate::{
    oplog::{OpTime, Operation, OplogEntry, undo},
    repl::{Coordinator, MemberState},
    sessions,
    storage::StorageError,
};

const CONNECT: Duration = Duration::from_secs(5);

impl Replication {
    /// Takes back what this member has beyond the common history with `source`. The documents as
    /// they were before are written below `dbpath/rollback` first.
    pub(super) async fn roll_back(self: &Arc<Self>, source: &str) -> Result<(), FollowError> {
        let committed = self.look(Coordinator::commit_point);
        let theirs = self.history_of(source, committed).await?;
        let view = self.around.storage.read()?;
        let head = view.oplog_head()?;
        let mut undone = Vec::new();
        let mut common = None;
        for stored in view.oplog_after_reversed(committed.ts.saturating_sub(1))? {
            let optime = OplogEntry::optime_of(&stored);
            if theirs.contains(&(optime.ts, optime.term)) {
                common = Some(optime);
                break;
            }
            undone.extend(OplogEntry::from_document(&stored));
        }
        // Committed entries are never taken back, and nothing is thrown away on doubt.
        let common = common.filter(|common| *common >= committed).ok_or(FollowError::NoCommonPoint)?;
        self.with(|c, now| c.set_follower_state(MemberState::Rollback, now));
        tracing::warn!(source, entries = undone.len(), ?common, "rolling back");
        self.keep_rolled_back(&undone).map_err(|e| StorageError::Store(e.to_string()))?;
        let complete = self.take_back(undone, head).await?;
        let next = if complete { MemberState::Recovering } else { MemberState::Startup2 };
        self.with(|c, now| c.set_follower_state(next, now));
        Ok(())
    }

    /// The source's entries from `committed` on.
    async fn history_of(&self, source: &str, committed: OpTime) -> Result<BTreeSet<(u64, i64)>, FollowError> {
        let mut connection = self.around.peers.open(source, CONNECT).await?;
        let mut history = BTreeSet::new();
        let command = doc! {
            "find": "oplog.rs",
            "filter": { "ts": { "$gte": committed.timestamp() } },
            "projection": { "ts": 1, "t": 1 },
            "batchSize": 10_000,
            "$readPreference": { "mode": "secondaryPreferred" },
            "$db": "local",
        };
        let mut reply = ask(&mut connection, &command).await?;
        let mut field = "firstBatch";
        loop {
            let (cursor, batch) = batch_of(&reply, field);
            history.extend(batch.iter().map(OplogEntry::optime_of).map(|o| (o.ts, o.term)));
            if cursor == 0 {
                return Ok(history);
            }
            field = "nextBatch";
            reply = ask(&mut connection, &doc! { "getMore": cursor, "collection": "oplog.rs", "$db": "local" })
                .await?;
        }
    }

    fn keep_rolled_back(&self, undone: &[OplogEntry]) -> std::io::Result<()> {
        for entry in undone {
            let (Operation::Insert(document) | Operation::Update { after: document, .. }) = &entry.operation
            else {
                continue;
            };
            let dir = self.around.dbpath.join("rollback").join(&entry.ns);
            fs::create_dir_all(&dir)?;
            let mut file = fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(dir.join(format!("removed.{}.bson", entry.optime.term)))?;
            file.write_all(&document.to_vec().map_err(std::io::Error::other)?)?;
            file.sync_all()?;
        }
        Ok(())
    }

    async fn take_back(&self, undone: Vec<OplogEntry>, head: OpTime) -> Result<bool, FollowError> {
        let gate = self.gate.clone();
        let done = self
            .around
            .storage
            .write(move |view| {
                if view.oplog_head()? != head || gate.leader_term().is_some() {
                    return Ok(None);
                }
                let mut complete = true;
                let mut statements = Vec::new();
                for entry in undone {
                    complete &= undo(view, &entry)?;
                    view.remove_entry(entry.optime.ts)?;
                    statements.extend(entry.statement);
                }
                if complete {
                    sessions::rebuild(view, &statements)?;
                } else {
                    mark_for_resync(view)?;
                }
                Ok(Some(complete))
            })
            .await?;
        done.ok_or(FollowError::Behind)
    }
}
