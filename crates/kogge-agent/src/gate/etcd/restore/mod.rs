//! A member's data restored as a new cluster, from the disk of one that lost its majority.
//!
//! Everything is made in a folder beside the data directory, and takes its place by two renames once it is complete:
//!
//! 1. `data.restoring/copy`: a copy of the data, in whose log everything is committed;
//! 2. the server runs on the copy alone, hears nobody, and ends once its database has all of the log;
//! 3. `data.restoring/new`: `etcdutl snapshot restore` makes the new member of that database;
//! 4. `data.restoring/restored`: the same, complete and on the disk;
//! 5. the data goes to `data.cluster-<ID>`, then what was restored comes to `data`;
//! 6. `data.restoring` goes.
//!
//! Killed before 4, the next start begins again; after it, the next start goes on. Nobody but you removes what the cluster
//! was restored from.

mod copy;
mod folders;
mod programs;
mod room;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use kogge_api::anchor::etcd::Id;

use super::disk::{self, Contents};
use super::wal::{self, LogError, Owner};
use crate::gate::disk_error::{At as _, DiskError};
use folders::{Folders, sync};
pub(super) use folders::{kept, settle};
use programs::{ProgramError, Programs};
pub(super) use room::{Shortage, shortage};

/// What is restored, and as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::gate) struct Restore {
    /// The cluster that the disk is from.
    pub(super) from: Id,
    /// The member and the cluster that it becomes.
    pub(super) into: Owner,
    /// The member's name.
    pub(super) name: String,
    /// Its URL for peers.
    pub(super) peer_url: String,
    /// The new cluster's token.
    pub(super) token: String,
}

/// Why a restore did not come to its end. What it has made is no use, and is made again.
#[derive(Debug, thiserror::Error)]
pub(in crate::gate) enum RestoreError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(
        "{0}; bring the volume back from a snapshot of it, or restore a snapshot of the cluster into a new database"
    )]
    Log(#[from] LogError),
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error("another gate restores this disk right now; it is let go on")]
    Busy,
    #[error(
        "`etcdutl snapshot restore` made {made}, and the anchor says member {} of cluster {}; nothing of it is used",
        .wanted.member_id,
        .wanted.cluster_id
    )]
    OtherIds { made: String, wanted: Owner },
    #[error("{0} is there already, so the data cannot be kept under this name; remove or rename it")]
    Kept(PathBuf),
}

/// Restores the data directory, or goes on with that. `server` is the server's program.
pub(super) async fn run(restore: &Restore, data: &Path, server: &OsStr) -> Result<(), RestoreError> {
    let folders = Folders::beside(data);
    let _lock = folders.lock()?.ok_or(RestoreError::Busy)?;
    let kept = folders.kept(restore.from);
    if kept.exists() {
        return Err(RestoreError::Kept(kept));
    }
    if !is(&folders.restored, restore.into)? {
        make(restore, &folders, server).await?;
    }
    fs::rename(data, &kept).at(data)?;
    sync(&folders.parent)?;
    Ok(folders.settle()?)
}

/// Steps 1 to 4.
async fn make(restore: &Restore, folders: &Folders, server: &OsStr) -> Result<(), RestoreError> {
    folders.begin()?;
    println!("{}: copies the data of cluster {}", restore.name, restore.from);
    copy::data(&folders.data, &folders.copy).await?;
    let wal = disk::wal(&folders.copy);
    let index = wal::commit_all(&disk::logs(&wal)?, &wal)?;
    println!("{}: brings the copy's database up to raft index {index}, the last in its log", restore.name);
    let programs = Programs::beside(server);
    programs.run_alone(&restore.name, folders).await?;
    println!(
        "{}: restores it as member {} of cluster {}",
        restore.name, restore.into.member_id, restore.into.cluster_id
    );
    programs.restore(restore, folders).await?;
    if !is(&folders.new, restore.into)? {
        let made = match disk::read(&folders.new)? {
            Contents::Data(made) => format!("member {} of cluster {}", made.member_id, made.cluster_id),
            _ => "no data".to_owned(),
        };
        return Err(RestoreError::OtherIds { made, wanted: restore.into });
    }
    folders::sync_all(&folders.new)?;
    fs::rename(&folders.new, &folders.restored).at(&folders.new)?;
    sync(&folders.work)?;
    Ok(())
}

/// Whether a folder holds that member's data.
fn is(folder: &Path, owner: Owner) -> Result<bool, DiskError> {
    Ok(disk::read(folder)? == Contents::Data(owner))
}
