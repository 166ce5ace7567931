//! Before an etcd: its log says whose the disk is, and the anchor says how a server without a log starts, or as what the
//! data of a cluster that lost its majority are restored.

mod decision;
mod disk;
mod restore;
mod wal;

use std::ffi::OsStr;
use std::path::Path;

use kogge_api::anchor::Anchor;
use kogge_api::anchor::etcd::{Record, Start};
use kogge_api::gate::Hold;

use super::disk_error::DiskError;
use super::look::{Look, failed};
use super::me::Me;
use super::program;
use decision::{Seen, decide, restored};
use disk::Contents;
pub(super) use restore::Restore;

/// One look. What a restore left that was cut short is settled first.
pub(super) fn look(
    me: &Me<'_>,
    data: &Path,
    shared: &Path,
    anchor: Result<&Anchor<Record>, &str>,
) -> Result<Look, Hold> {
    let seen = see(me, data, shared, anchor.ok()).map_err(|error| failed(error.to_string()))?;
    decide(me, anchor, &seen)
}

fn see(me: &Me<'_>, data: &Path, shared: &Path, anchor: Option<&Anchor<Record>>) -> Result<Seen, DiskError> {
    restore::settle(data)?;
    let contents = disk::read(data)?;
    let used: Option<Start> = program::used_start(shared).and_then(|text| serde_json::from_str(&text).ok());
    let is_restored = match &contents {
        Contents::Data(owner) => anchor.is_some_and(|anchor| restored(&anchor.record, me.pod, *owner).is_some()),
        Contents::Empty | Contents::Unused | Contents::Damaged(_) => false,
    };
    let shortage = if is_restored { restore::shortage(data)? } else { None };
    Ok(Seen { contents, used, kept: restore::kept(data)?, shortage })
}

/// Restores what is on the disk; `server` is the server's program.
pub(super) async fn restore(restore: &Restore, data: &Path, server: &OsStr) -> Result<(), Hold> {
    restore::run(restore, data, server).await.map_err(|error| failed(error.to_string()))
}
