//! A shard keeps a range that it gave away for a while, and takes nothing back that it has not deleted yet.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bson::{Bson, Document, doc};

use super::{RANGE_DELETIONS, config_server::Change};
use crate::{
    auth::random_uuid,
    error::CommandResult,
    mongod::Mongod,
    query::{compare, lookup},
    server::Request,
};

const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(1);
const LOOK_AT_MOST_EVERY: Duration = Duration::from_millis(50);

impl Mongod {
    /// `_shardsvrDonateRange`: the range is another shard's; what this one holds of it is deleted later.
    pub(crate) async fn donate_range(&self, request: &Request) -> CommandResult {
        let given = &request.body;
        let of = |field: &str| given.get(field).cloned().unwrap_or(Bson::Null);
        let deletion = doc! {
            "_id": random_uuid(),
            "nss": of(&request.name),
            "collectionUuid": of("uuid"),
            "donorShardId": of("from"),
            "range": { "min": of("min"), "max": of("max") },
            "whenToClean": "delayed",
        };
        self.store(vec![(RANGE_DELETIONS, Change::Put(deletion))]).await?;
        Ok(Document::new())
    }

    /// `_shardsvrReceiveRange`: whether this shard still has to delete a part of the range that it is to get.
    pub(crate) fn receive_range(&self, request: &Request) -> CommandResult {
        let of = |field: &str| request.body.get(field).cloned().unwrap_or(Bson::Null);
        let (uuid, min, max) = (of("uuid"), of("min"), of("max"));
        let waits = self.storage.read()?.all(RANGE_DELETIONS)?.iter().any(|deletion| {
            let bound = |path: &str| lookup(deletion, path).into_iter().next().cloned().unwrap_or(Bson::Null);
            deletion.get("collectionUuid") == Some(&uuid)
                && compare(&bound("range.min"), &max).is_lt()
                && compare(&min, &bound("range.max")).is_lt()
        });
        Ok(doc! { "waitsForRangeDeleter": waits })
    }

    /// Deletes ranges once they have been kept for `orphanCleanupDelaySecs`; a new primary counts from its election.
    pub(crate) async fn delete_ranges(self: Arc<Self>) {
        let delay = self.options.sharding.orphan_cleanup_delay;
        let pause = (delay / 10).clamp(LOOK_AT_MOST_EVERY, LOOK_AT_LEAST_EVERY);
        let mut kept: Vec<(Bson, Instant)> = Vec::new();
        loop {
            if !self.leads() {
                kept.clear();
            } else if let Err(error) = self.delete_due_ranges(&mut kept, delay).await {
                tracing::debug!(%error, "ranges not deleted");
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn delete_due_ranges(&self, kept: &mut Vec<(Bson, Instant)>, delay: Duration) -> CommandResult<()> {
        let listed = self.storage.read()?.all(RANGE_DELETIONS)?;
        let mut due = Vec::new();
        for id in listed.iter().filter_map(|deletion| deletion.get("_id")) {
            match kept.iter().find(|(known, _)| known == id) {
                Some((_, since)) if since.elapsed() >= delay => {
                    due.push((RANGE_DELETIONS, Change::Remove(id.clone())));
                }
                Some(_) => {}
                None => kept.push((id.clone(), Instant::now())),
            }
        }
        kept.retain(|(id, _)| listed.iter().any(|deletion| deletion.get("_id") == Some(id)));
        if due.is_empty() {
            return Ok(());
        }
        self.store(due).await
    }
}
