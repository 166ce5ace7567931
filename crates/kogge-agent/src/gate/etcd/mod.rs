//! Before an etcd: its log says whose the disk is, and the anchor says how a server without a log starts.

mod decision;
mod disk;
mod wal;

use std::fs;
use std::path::Path;

use kogge_api::anchor::Anchor;
use kogge_api::anchor::etcd::{Record, Start};
use kogge_api::gate::{Disk, Hold};

use super::look::{Look, failed};
use super::me::Me;
use super::program;
use decision::{Seen, decide};

/// The file in the shared folder with the start that this pod's gate has used.
const USED: &str = "start";

/// One look.
pub(super) fn look(
    me: &Me<'_>,
    data: &Path,
    shared: &Path,
    anchor: Result<&Anchor<Record>, &str>,
) -> Result<Look, Hold> {
    let contents = disk::read(data).map_err(|error| failed(error.to_string()))?;
    let used = fs::read_to_string(shared.join(USED)).ok().and_then(|text| serde_json::from_str(&text).ok());
    decide(me, anchor, &Seen { contents: &contents, used: used.as_ref() })
}

/// Notes the start that the server is about to make, where it has no data yet.
pub(super) fn starts(me: &Me<'_>, shared: &Path, look: &Look, anchor: &Anchor<Record>) -> Result<(), Hold> {
    let start: Option<&Start> = anchor.record.members.get(me.pod).and_then(|member| member.start.as_ref());
    let Some(start) = start.filter(|_| look.report.disk() != Some(Disk::Data)) else { return Ok(()) };
    let text = serde_json::to_string(start).map_err(|error| failed(error.to_string()))?;
    program::keep(&shared.join(USED), text.as_bytes()).map_err(|error| failed(error.to_string()))
}
