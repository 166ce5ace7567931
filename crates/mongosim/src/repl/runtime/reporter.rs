use std::{sync::Arc, time::Duration};

use bson::{Bson, doc};

use super::Replication;

const LIMIT: Duration = Duration::from_secs(5);
const KEEP_ALIVE: Duration = Duration::from_secs(2);

impl Replication {
    /// Tells the sync source how far this member, and those that follow it, are.
    pub(super) async fn run_reporter(self: Arc<Self>) {
        let mut head = self.around.storage.head();
        let mut changed = self.changed.subscribe();
        let mut told = None;
        loop {
            let (source, positions, term) = self.look(|c| (c.sync_source.clone(), c.positions(), c.term()));
            let news = Some((source.clone(), positions.clone(), term));
            if let Some(source) = source
                && told != news
            {
                let optimes: Vec<Bson> = positions
                    .iter()
                    .map(|(id, optime)| {
                        let optime = optime.to_document();
                        Bson::Document(
                            doc! { "memberId": *id, "appliedOpTime": optime.clone(), "durableOpTime": optime },
                        )
                    })
                    .collect();
                let command = doc! {
                    "replSetUpdatePosition": 1,
                    "optimes": optimes,
                    "$replData": { "term": term },
                    "$db": "admin",
                };
                told = match self.around.peers.command(&source, &command, LIMIT).await {
                    Ok(_) => news,
                    Err(_) => None,
                };
                if told.is_some() {
                    continue;
                }
            }
            tokio::select! {
                () = self.around.shutdown.cancelled() => return,
                Ok(()) = head.changed() => self.with(|_, _| Vec::new()),
                Ok(()) = changed.changed() => {}
                () = tokio::time::sleep(KEEP_ALIVE) => told = None,
            }
        }
    }
}
