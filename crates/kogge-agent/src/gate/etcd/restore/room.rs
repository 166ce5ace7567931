//! Whether a volume has room for a restore beside the data that is restored.

use std::fs;
use std::io;
use std::path::Path;

use nix::sys::statvfs::statvfs;

use super::copy;
use super::folders::Folders;
use crate::gate::disk_error::{At as _, DiskError};
use crate::gate::etcd::disk::MEMBER;

/// The logs that the server and etcdutl begin, of 64 MB each, and one that each makes ahead.
const LOGS: u64 = 256 << 20;
const MIB: u64 = 1 << 20;

/// A volume that is too full, in MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate::etcd) struct Shortage {
    /// What is free.
    pub(in crate::gate::etcd) free: u64,
    /// What a restore needs.
    pub(in crate::gate::etcd) needed: u64,
}

/// What is missing, where something is: a copy of the data and a second copy of its database fit in, unless the restored
/// member is there already.
pub(in crate::gate::etcd) fn shortage(data: &Path) -> Result<Option<Shortage>, DiskError> {
    let folders = Folders::beside(data);
    if folders.restored.exists() {
        return Ok(None);
    }
    let mut needed = LOGS;
    for file in copy::files(data)? {
        needed = needed.saturating_add(fs::metadata(&file).at(&file)?.len());
    }
    let database = data.join(MEMBER).join("snap/db");
    needed = needed.saturating_add(fs::metadata(&database).at(&database)?.len());
    let volume = statvfs(&folders.parent).map_err(io::Error::from).at(&folders.parent)?;
    let free = volume.blocks_available().saturating_mul(volume.fragment_size());
    Ok((free < needed).then_some(Shortage { free: free / MIB, needed: needed.div_ceil(MIB) }))
}
