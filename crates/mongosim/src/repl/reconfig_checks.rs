//! What a new configuration must keep of the old one (`repl_set_config_checks.cpp`).

use std::collections::BTreeSet;

use super::{MemberConfig, ReplSetConfig, config::ConfigVersion};
use crate::error::{CommandError, CommandResult, code};

fn incompatible(message: impl Into<String>) -> CommandError {
    CommandError::new(code::INCOMPATIBLE_CONFIG, message)
}

/// Marks voters that join, and those that still do, as `newlyAdded` (safe path only).
pub fn mark_newly_added(old: &ReplSetConfig, new: &mut ReplSetConfig) {
    for member in &mut new.members {
        let joins = match old.member_by_id(member.id) {
            None => true,
            Some(before) => before.newly_added,
        };
        if joins && member.votes > 0 && !member.arbiter_only {
            member.newly_added = true;
        }
    }
}

/// Checks a safe or forced change from `old` to `new`.
pub fn check(
    old: &ReplSetConfig,
    new: &ReplSetConfig,
    force: bool,
    default_write_concern_set: bool,
) -> CommandResult<()> {
    if old.implicit_majority() != new.implicit_majority() && !default_write_concern_set {
        return Err(incompatible(
            "Reconfig attempted to install a config that would change the implicit default write concern. \
             Use the setDefaultRWConcern command to set a cluster-wide write concern and try the reconfig again.",
        ));
    }
    new.validate(false).map_err(|e| incompatible(e.message))?;
    check_order(old.config_version(), new.config_version(), force)?;
    check_identity(old, new)?;
    check_members(old, new)?;
    if !force {
        check_psa(old, new)?;
        check_single_change(old, new)?;
    }
    Ok(())
}

fn check_order(old: ConfigVersion, new: ConfigVersion, force: bool) -> CommandResult<()> {
    if force || new.is_newer_than(old) {
        return Ok(());
    }
    Err(incompatible(format!(
        "New replica set configuration (version, term) must be greater than old, but ({}, {}) is not greater than ({}, {})",
        new.version, new.term, old.version, old.term
    )))
}

fn check_identity(old: &ReplSetConfig, new: &ReplSetConfig) -> CommandResult<()> {
    if old.name != new.name {
        return Err(incompatible(format!("The set's name cannot change from {} to {}", old.name, new.name)));
    }
    if let (Some(before), Some(after)) = (old.settings.replica_set_id(), new.settings.replica_set_id())
        && before != after
    {
        return Err(incompatible(format!("replicaSetId cannot change from {before} to {after}")));
    }
    if old.configsvr && !new.configsvr {
        return Err(incompatible("configsvr cannot be dropped"));
    }
    Ok(())
}

fn check_members(old: &ReplSetConfig, new: &ReplSetConfig) -> CommandResult<()> {
    for member in &new.members {
        for before in &old.members {
            if before.host == member.host && before.id != member.id {
                return Err(incompatible(format!(
                    "{} has the _id {} and cannot get the _id {}",
                    member.host, before.id, member.id
                )));
            }
            if before.id != member.id {
                continue;
            }
            if before.arbiter_only != member.arbiter_only {
                return Err(incompatible(format!(
                    "arbiterOnly of {} cannot change: remove and add it",
                    member.host
                )));
            }
            if before.build_indexes != member.build_indexes {
                return Err(incompatible(format!(
                    "buildIndexes of {} cannot change: remove and add it",
                    member.host
                )));
            }
        }
    }
    Ok(())
}

/// A new primary-secondary-arbiter set with two electable members needs an old set whose quorums
/// overlap with it.
fn check_psa(old: &ReplSetConfig, new: &ReplSetConfig) -> CommandResult<()> {
    let is_psa = |c: &ReplSetConfig| c.voter_count() == 3 && c.voters().any(|(_, m)| m.arbiter_only);
    let electable = |c: &ReplSetConfig| c.voters().filter(|(_, m)| m.is_electable()).count();
    let writable: BTreeSet<i64> = old.voters().filter(|(_, m)| !m.arbiter_only).map(|(_, m)| m.id).collect();
    let gains = new.voters().any(|(_, m)| !m.arbiter_only && !writable.contains(&m.id));
    if is_psa(new) && electable(new) == 2 && gains {
        return Err(incompatible(
            "Rejecting reconfig where the new config has a PSA topology and the secondary is electable, \
             but the old config contains only one writable node. Refer to the manual for the steps.",
        ));
    }
    Ok(())
}

fn check_single_change(old: &ReplSetConfig, new: &ReplSetConfig) -> CommandResult<()> {
    // A voter that joins counts by the vote that it was given, though it does not vote before it has synced.
    let was_joining: BTreeSet<i64> = old.members.iter().filter(|m| m.newly_added).map(|m| m.id).collect();
    let joins = |m: &&MemberConfig| m.newly_added && !was_joining.contains(&m.id);
    let before: BTreeSet<i64> = old.voters().map(|(_, m)| m.id).collect();
    let after = new.members.iter().filter(|m| m.is_voter() || joins(m)).map(|m| m.id);
    let changed = before.symmetric_difference(&after.collect()).count();
    if changed > 1 {
        return Err(incompatible(format!(
            "Non force replica set reconfig can only add or remove at most 1 voting member, not {changed}"
        )));
    }
    Ok(())
}
