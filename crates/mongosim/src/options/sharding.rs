use std::time::Duration;

use super::{OptionsError, invalid};

/// Parameters of sharded clusters, by the server's own names and with its defaults.
#[derive(Debug, Clone)]
pub struct ShardingParameters {
    /// How long a shard keeps a range that it gave away (`orphanCleanupDelaySecs`).
    pub orphan_cleanup_delay: Duration,
    /// After which config servers look whether sessions have their collection (`logicalSessionRefreshMillis`).
    pub session_refresh: Duration,
    /// In how many chunks that collection is split at least (`minNumChunksForSessionsCollection`).
    pub session_chunks: u32,
    /// How long the balancer rests after a round that moved something (`balancerMigrationsThrottlingMs`); after
    /// another ten times as long.
    pub migration_pause: Duration,
}

impl Default for ShardingParameters {
    fn default() -> Self {
        Self {
            orphan_cleanup_delay: Duration::from_mins(15),
            session_refresh: Duration::from_mins(5),
            session_chunks: 1024,
            migration_pause: Duration::from_secs(1),
        }
    }
}

/// The most chunks that the first two bytes of a session's id tell apart.
const MOST_CHUNKS: u64 = 0x1_0000;

impl ShardingParameters {
    /// Takes a parameter, if it is one of these.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<bool, OptionsError> {
        match name {
            "orphanCleanupDelaySecs" => {
                self.orphan_cleanup_delay = Duration::from_secs(number("orphanCleanupDelaySecs", value)?);
            }
            "logicalSessionRefreshMillis" => {
                self.session_refresh = Duration::from_millis(number("logicalSessionRefreshMillis", value)?.max(1));
            }
            "minNumChunksForSessionsCollection" => {
                let chunks = number("minNumChunksForSessionsCollection", value)?.clamp(1, MOST_CHUNKS);
                self.session_chunks = chunks as u32;
            }
            "balancerMigrationsThrottlingMs" => {
                self.migration_pause = Duration::from_millis(number("balancerMigrationsThrottlingMs", value)?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// A parameter that counts something.
fn number(name: &'static str, value: &str) -> Result<u64, OptionsError> {
    value.parse().map_err(|_| invalid(name, &format!("{value} is no number of at least 0")))
}
