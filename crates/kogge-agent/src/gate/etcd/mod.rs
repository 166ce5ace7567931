//! Before an etcd: its log says whose the disk is, and the anchor says how a server without a log starts.

mod decision;
mod disk;
mod wal;

use std::path::Path;

use kogge_api::anchor::Anchor;
use kogge_api::anchor::etcd::{Record, Start};
use kogge_api::gate::Hold;

use super::look::{Look, failed};
use super::me::Me;
use super::program;
use decision::{Seen, decide};

/// One look.
pub(super) fn look(
    me: &Me<'_>,
    data: &Path,
    shared: &Path,
    anchor: Result<&Anchor<Record>, &str>,
) -> Result<Look, Hold> {
    let contents = disk::read(data).map_err(|error| failed(error.to_string()))?;
    let used: Option<Start> = program::used_start(shared).and_then(|text| serde_json::from_str(&text).ok());
    decide(me, anchor, &Seen { contents: &contents, used: used.as_ref() })
}
