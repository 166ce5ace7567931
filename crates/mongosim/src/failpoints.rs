//! Fail points of mongod's own tests, by its names: what they need, and scenarios that must be held still.

use std::collections::BTreeSet;

use bson::{Bson, Document};
use tokio::sync::watch;

use crate::error::{CommandError, CommandResult, code};

/// A place where a server can be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailPoint {
    /// `initialSyncHangBeforeCopyingDatabases`: an initial sync goes no further.
    InitialSyncHangs,
    /// `stopReplProducer`: nothing is fetched from the sync source.
    FetchesNothing,
    /// `blockHeartbeatReconfigFinish`: no configuration is learnt by heartbeat.
    LearnsNoConfig,
}

impl FailPoint {
    /// By mongod's name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "initialSyncHangBeforeCopyingDatabases" => Some(Self::InitialSyncHangs),
            "stopReplProducer" => Some(Self::FetchesNothing),
            "blockHeartbeatReconfigFinish" => Some(Self::LearnsNoConfig),
            _ => None,
        }
    }
}

/// The fail points that hold now.
#[derive(Debug, Default)]
pub struct FailPoints(watch::Sender<BTreeSet<FailPoint>>);

impl FailPoints {
    /// With some that hold from the start.
    pub fn new(holding: BTreeSet<FailPoint>) -> Self {
        Self(watch::Sender::new(holding))
    }

    /// `configureFailPoint`.
    pub fn configure(&self, command: &Document) -> CommandResult {
        let name = command.get_str("configureFailPoint").unwrap_or_default();
        let unknown = || CommandError::new(code::FAIL_POINT_SET_FAILED, format!("{name} not found"));
        let point = FailPoint::named(name).ok_or_else(unknown)?;
        let holds = match command.get("mode").and_then(Bson::as_str) {
            Some("alwaysOn") => true,
            Some("off") => false,
            _ => return Err(CommandError::bad_value("mode must be 'alwaysOn' or 'off'")),
        };
        self.0.send_modify(|holding| {
            if holds {
                holding.insert(point);
            } else {
                holding.remove(&point);
            }
        });
        Ok(Document::new())
    }

    /// Whether it holds now.
    pub fn holds(&self, point: FailPoint) -> bool {
        self.0.borrow().contains(&point)
    }

    /// Waits until it holds.
    pub async fn held(&self, point: FailPoint) {
        self.wait(|holding| holding.contains(&point)).await;
    }

    /// Waits until it holds no longer.
    pub async fn released(&self, point: FailPoint) {
        self.wait(|holding| !holding.contains(&point)).await;
    }

    async fn wait(&self, until: impl FnMut(&BTreeSet<FailPoint>) -> bool) {
        // The sender is this very object: it cannot have gone away.
        drop(self.0.subscribe().wait_for(until).await);
    }
}
