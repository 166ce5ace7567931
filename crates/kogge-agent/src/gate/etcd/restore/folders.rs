//! The folders of a restore, beside the data directory.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use kogge_api::anchor::etcd::Id;

use crate::gate::disk_error::{At as _, DiskError};

/// What the name of a data directory is followed by where its cluster was restored as another one.
const KEPT: &str = ".cluster-";

/// The folders of a restore.
pub(super) struct Folders {
    /// The data directory.
    pub(super) data: PathBuf,
    /// Where it is.
    pub(super) parent: PathBuf,
    /// Where everything is made.
    pub(super) work: PathBuf,
    /// The copy of the data.
    pub(super) copy: PathBuf,
    /// What etcdutl makes.
    pub(super) new: PathBuf,
    /// The same, complete.
    pub(super) restored: PathBuf,
}

impl Folders {
    /// Those beside a data directory.
    pub(super) fn beside(data: &Path) -> Self {
        let work = named(data, ".restoring");
        Self {
            data: data.to_owned(),
            parent: data.parent().unwrap_or(data).to_owned(),
            copy: work.join("copy"),
            new: work.join("new"),
            restored: work.join("restored"),
            work,
        }
    }

    /// Where the data of a cluster is kept.
    pub(super) fn kept(&self, cluster: Id) -> PathBuf {
        named(&self.data, &format!("{KEPT}{cluster}"))
    }

    /// Lets nobody else in as long as the file is open; none where another gate is in. A gate that is killed lets go.
    pub(super) fn lock(&self) -> Result<Option<File>, DiskError> {
        let parent = File::open(&self.parent).at(&self.parent)?;
        match parent.try_lock() {
            Ok(()) => Ok(Some(parent)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).at(&self.parent),
        }
    }

    /// See [`settle`].
    pub(super) fn settle(&self) -> Result<(), DiskError> {
        match (self.restored.exists(), self.data.exists()) {
            // It is complete, and the data from before are still in their place.
            (true, true) => return Ok(()),
            (true, false) => {
                fs::rename(&self.restored, &self.data).at(&self.restored)?;
                sync(&self.parent)?;
            }
            (false, _) => {}
        }
        remove(&self.work)
    }

    /// Begins, also where something was begun before.
    pub(super) fn begin(&self) -> Result<(), DiskError> {
        remove(&self.work)?;
        // etcd complains of a data directory that others may read.
        DirBuilder::new().mode(0o700).create(&self.work).at(&self.work)
    }
}

/// Ends what a restore left that was cut short: what is complete takes its place where that is free, and what is not is
/// removed. So a disk holds the data from before, or from after, and nothing half. A restore that still runs in a pod that
/// is gone for the API server is let go on.
pub(in crate::gate::etcd) fn settle(data: &Path) -> Result<(), DiskError> {
    let folders = Folders::beside(data);
    if !folders.work.exists() {
        return Ok(());
    }
    match folders.lock()? {
        Some(_lock) => folders.settle(),
        None => Ok(()),
    }
}

/// The names of the folders beside a data directory with what its clusters were restored from.
pub(in crate::gate::etcd) fn kept(data: &Path) -> Result<Vec<String>, DiskError> {
    let folders = Folders::beside(data);
    let prefix = format!("{}{KEPT}", name(data));
    let mut kept = Vec::new();
    // A parent that is not there has nothing in it.
    if folders.parent.exists() {
        for entry in fs::read_dir(&folders.parent).at(&folders.parent)? {
            let name = entry.at(&folders.parent)?.file_name().to_string_lossy().into_owned();
            kept.extend(Some(name).filter(|name| name.starts_with(&prefix)));
        }
    }
    kept.sort();
    Ok(kept)
}

fn named(data: &Path, suffix: &str) -> PathBuf {
    data.with_file_name(format!("{}{suffix}", name(data)))
}

fn name(data: &Path) -> String {
    data.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn remove(folder: &Path) -> Result<(), DiskError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.at(folder),
    }
}

/// Brings a folder's names onto the disk.
pub(super) fn sync(folder: &Path) -> Result<(), DiskError> {
    File::open(folder).and_then(|folder| folder.sync_all()).at(folder)
}

/// Brings everything below a folder onto the disk.
pub(super) fn sync_all(folder: &Path) -> Result<(), DiskError> {
    for entry in fs::read_dir(folder).at(folder)? {
        let path = entry.at(folder)?.path();
        if path.is_dir() { sync_all(&path)? } else { sync(&path)? }
    }
    sync(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes folders on a volume, settles them, and tells what is there.
    fn settled(folders: &[&str]) -> Vec<String> {
        let volume = tempfile::tempdir().unwrap();
        for folder in folders {
            fs::create_dir_all(volume.path().join(folder)).unwrap();
        }
        settle(&volume.path().join("data")).unwrap();
        let mut left = Vec::new();
        for entry in fs::read_dir(volume.path()).unwrap() {
            let path = entry.unwrap().path();
            let inside = fs::read_dir(&path).unwrap().map(|inside| inside.unwrap().file_name());
            let inside: Vec<_> = inside.map(|name| name.to_string_lossy().into_owned()).collect();
            left.push(format!("{}/{}", path.file_name().unwrap().to_string_lossy(), inside.join(" ")));
        }
        left.sort();
        left
    }

    #[test]
    fn what_was_cut_short_goes_and_what_is_complete_takes_a_place_that_is_free() {
        assert_eq!(settled(&["data/old"]), ["data/old"]);
        assert_eq!(settled(&["data/old", "data.restoring/copy", "data.restoring/new"]), ["data/old"]);
        let complete = ["data/old", "data.restoring/restored"];
        assert_eq!(settled(&complete), ["data.restoring/restored", "data/old"]);
        let between = ["data.cluster-9/old", "data.restoring/restored/new", "data.restoring/copy"];
        assert_eq!(settled(&between), ["data.cluster-9/old", "data/new"]);
        assert_eq!(
            settled(&["data/new", "data.cluster-9/old", "data.restoring/copy"]),
            ["data.cluster-9/old", "data/new"]
        );
        assert!(settled(&[]).is_empty());
    }

    #[test]
    fn a_restore_that_runs_is_let_go_on() {
        let volume = tempfile::tempdir().unwrap();
        let data = volume.path().join("data");
        let folders = Folders::beside(&data);
        fs::create_dir_all(&folders.new).unwrap();
        let lock = folders.lock().unwrap().unwrap();
        assert!(folders.lock().unwrap().is_none());
        settle(&data).unwrap();
        assert!(folders.new.exists());
        drop(lock);
        settle(&data).unwrap();
        assert!(!folders.work.exists());
    }

    #[test]
    fn what_is_kept_is_named() {
        let volume = tempfile::tempdir().unwrap();
        for folder in ["data", "data.cluster-b", "data.cluster-a", "data.restoring", "lost+found"] {
            fs::create_dir(volume.path().join(folder)).unwrap();
        }
        assert_eq!(kept(&volume.path().join("data")).unwrap(), ["data.cluster-a", "data.cluster-b"]);
        assert!(kept(Path::new("/nonexistent/data")).unwrap().is_empty());
    }
}
