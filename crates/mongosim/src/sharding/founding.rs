use std::sync::Arc;

use bson::{Bson, doc, oid::ObjectId};

use super::{VERSION, config_server::Change};
use crate::{mongod::Mongod, repl::Coordinator};

impl Mongod {
    /// Gives the cluster its identity once this config server is the first primary.
    pub(crate) async fn found_cluster(self: Arc<Self>) {
        let Some(replication) = &self.replication else { return };
        let mut changes = replication.changes();
        loop {
            if replication.look(Coordinator::is_writable) {
                let known = self.storage.read().and_then(|view| view.get_by_id(VERSION, &Bson::Int32(1)));
                if matches!(known, Ok(Some(_))) {
                    return;
                }
                let identity = doc! { "_id": 1, "clusterId": ObjectId::new() };
                match self.store(vec![(VERSION, Change::Put(identity))]).await {
                    Ok(()) => return,
                    Err(e) => tracing::debug!(error = %e, "the cluster has no identity yet"),
                }
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                changed = changes.changed() => if changed.is_err() { return },
            }
        }
    }
}
