//! What a new configuration must keep of the old one (`repl_set_config_checks.cpp`).

use std::collections::BTreeSet;

use super::{ReplSetConfig, config::ConfigVersion};
use crate::{
    error::{CommandError, CommandResult, code},
    options::ServerVersion,
};

fn incompatible(message: impl Into<String>) -> CommandError {
    CommandError::new(code::INCOMPATIBLE_CONFIG, message)
}

/// Marks voters that join, and those that still do, as `newlyAdded` (safe path only).
pub fn mark_newly_added(old: &ReplSetConfig, new: &mut ReplSetConfig, version: ServerVersion) {
    if !version.has_newly_added() {
        return;
    }
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
    version: ServerVersion,
) -> CommandResult<()> {
    let guards_concern = version.has_implicit_majority();
    if guards_concern && old.implicit_majority() != new.implicit_majority() && !default_write_concern_set {
        return Err(incompatible(
            "Reconfig attempted to install a config that would change the implicit default write concern. \
             Use the setDefaultRWConcern command to set a cluster-wide write concern and try the reconfig again.",
        ));
    }
    new.validate(version.allows_several_arbiters()).map_err(|e| incompatible(e.message))?;
    check_order(old.config_version(), new.config_version(), force)?;
    check_identity(old, new)?;
    check_members(old, new)?;
    if !force {
        if guards_concern {
            check_psa(old, new)?;
        }
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

/// Where an election can be won without anybody who holds the newest writes, no second electable member may come
/// beside an arbiter. Votes and priorities count as they were given: who joins will have them.
fn check_psa(old: &ReplSetConfig, new: &ReplSetConfig) -> CommandResult<()> {
    let voters = old.members.iter().filter(|m| m.votes > 0).count();
    let arbiters = old.members.iter().filter(|m| m.arbiter_only).count();
    let majority = voters / 2 + 1;
    let overlap = majority <= voters - arbiters;
    let is_psa = new.members.len() == 3 && new.members.iter().filter(|m| m.arbiter_only).count() == 1;
    let electable = new.members.iter().filter(|m| m.priority > 0.0).count();
    if !overlap && is_psa && electable > 1 {
        return Err(incompatible(
            "Rejecting reconfig where the new config has a PSA topology and the secondary is electable, \
             but the old config contains only one writable node. Refer to the manual for the steps.",
        ));
    }
    Ok(())
}

/// Who joins as `newlyAdded` has no vote yet, and is not counted.
fn check_single_change(old: &ReplSetConfig, new: &ReplSetConfig) -> CommandResult<()> {
    let voters = |c: &ReplSetConfig| -> BTreeSet<i64> { c.voters().map(|(_, m)| m.id).collect() };
    let changed = voters(old).symmetric_difference(&voters(new)).count();
    if changed > 1 {
        return Err(incompatible(format!(
            "Non force replica set reconfig can only add or remove at most 1 voting member, not {changed}"
        )));
    }
    Ok(())
}
