//! What a majority holds.

use super::ReplSetConfig;
use crate::oplog::OpTime;

/// The newest entry that a quorum of `config` holds, if it is of `term`: an entry of an earlier
/// term counts as committed only once one of the present term is (Raft §5.4.2).
/// `positions[i]` is what member `i` has made durable.
pub fn newest_committed(config: &ReplSetConfig, positions: &[OpTime], term: i64) -> Option<OpTime> {
    let mut held: Vec<OpTime> =
        config.voters().filter(|(_, m)| !m.arbiter_only).filter_map(|(i, _)| positions.get(i).copied()).collect();
    held.sort_unstable_by(|a, b| b.cmp(a));
    let quorum = config.write_majority().checked_sub(1)?;
    held.get(quorum).copied().filter(|newest| newest.term == term)
}
