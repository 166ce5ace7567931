use std::{sync::Arc, time::Duration};

use bson::{DateTime, doc};
use tokio_util::sync::CancellationToken;

use super::Mongos;
use crate::commands::diagnostics;

/// Between two notes; the server's own interval.
const EVERY: Duration = Duration::from_secs(10);

impl Mongos {
    /// Notes in `config.mongos` that this router is there, as long as it lives: `sh.status()` lists them.
    pub(crate) async fn tell_presence(self: Arc<Self>, shutdown: CancellationToken) {
        let id = format!("{}:{}", diagnostics::hostname(), self.options.port);
        loop {
            let presence = doc! {
                "_id": &id,
                "created": self.created,
                "mongoVersion": self.options.version.full(),
                "ping": DateTime::now(),
                "up": self.started.elapsed().as_secs() as i64,
                "waiting": true,
            };
            let update = doc! {
                "update": "mongos",
                "updates": [{ "q": { "_id": &id }, "u": { "$set": presence }, "upsert": true }],
                "$db": "config",
            };
            if let Err(e) = self.run_on(&self.config, &update, true).await {
                tracing::debug!(error = %e, "presence not noted");
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }
}
