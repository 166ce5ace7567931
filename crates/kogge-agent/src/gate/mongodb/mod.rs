//! Before a mongod: the disk has a mark that says whose it is, and the anchor says what the member was.

mod decision;
mod disk;

use std::path::Path;

use kogge_api::anchor::Anchor;
use kogge_api::anchor::mongodb::Record;
use kogge_api::gate::{Hold, Report};

use super::look::{self, Look, Next, failed};
use super::me::Me;
use decision::{Start, decide};
use disk::Disk;

/// One look. Where the server may start, the disk is marked first.
pub(super) fn look(me: &Me<'_>, data: &Path, anchor: Result<&Anchor<Record>, &str>) -> Result<Look, Hold> {
    let disk = Disk::read(data).map_err(|error| failed(error.to_string()))?;
    let Start { marker, disk: found, message } = decide(me, anchor, &disk)?;
    if disk.marker.as_ref().ok().and_then(Option::as_ref) != Some(&marker) {
        disk::mark(data, &marker).map_err(|error| failed(error.to_string()))?;
    }
    Ok(Look { report: Report::Open { disk: found, message }, next: Next::Start(look::Start::default()) })
}
