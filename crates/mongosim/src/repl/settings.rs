use bson::{Bson, Document};

use super::Millis;
use crate::query::number;

/// A replica set's settings. Unknown fields are kept, as the server keeps them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings(Document);

impl Settings {
    /// Takes the `settings` field as it came.
    pub fn new(document: Document) -> Self {
        Self(document)
    }

    fn number(&self, key: &str, default: i64) -> i64 {
        self.0.get(key).and_then(number::as_i64).unwrap_or(default)
    }

    /// Between two heartbeats to one member; 2000 by default.
    pub fn heartbeat_interval(&self) -> Millis {
        self.number("heartbeatIntervalMillis", 2000).max(1) as Millis
    }

    /// After which a heartbeat has failed; 10 s by default.
    pub fn heartbeat_timeout(&self) -> Millis {
        (self.number("heartbeatTimeoutSecs", 10).max(1) as Millis) * 1000
    }

    /// Without a primary for so long, a member stands for election; 10000 by default.
    pub fn election_timeout(&self) -> Millis {
        self.number("electionTimeoutMillis", 10_000).max(1) as Millis
    }

    /// How long a new primary catches up; `None` is without end.
    pub fn catch_up_timeout(&self) -> Option<Millis> {
        u64::try_from(self.number("catchUpTimeoutMillis", -1)).ok()
    }

    /// Whether a secondary may follow a secondary.
    pub fn chaining_allowed(&self) -> bool {
        self.0.get_bool("chainingAllowed").unwrap_or(true)
    }

    /// The set's identity.
    pub fn replica_set_id(&self) -> Option<&Bson> {
        self.0.get("replicaSetId")
    }

    /// Sets the set's identity.
    pub fn set_replica_set_id(&mut self, id: Bson) {
        self.0.insert("replicaSetId", id);
    }

    /// All settings, defaults filled in.
    pub fn to_document(&self) -> Document {
        let mut all = bson::doc! {
            "chainingAllowed": true,
            "heartbeatIntervalMillis": 2000,
            "heartbeatTimeoutSecs": 10,
            "electionTimeoutMillis": 10_000,
            "catchUpTimeoutMillis": -1,
            "catchUpTakeoverDelayMillis": 30_000,
            "getLastErrorModes": {},
            "getLastErrorDefaults": { "w": 1, "wtimeout": 0 },
        };
        all.extend(self.0.clone());
        all
    }

    /// Fields whose values cannot be, by name.
    pub(super) fn problem(&self) -> Option<String> {
        for (key, least) in [
            ("heartbeatIntervalMillis", 1),
            ("heartbeatTimeoutSecs", 1),
            ("electionTimeoutMillis", 1),
            ("catchUpTimeoutMillis", -1),
            ("catchUpTakeoverDelayMillis", -1),
        ] {
            match self.0.get(key) {
                None => {}
                Some(value) if number::as_i64(value).is_some_and(|n| n >= least) => {}
                Some(value) => {
                    return Some(format!("settings.{key} must be a number of at least {least}, not {value}"));
                }
            }
        }
        None
    }
}
