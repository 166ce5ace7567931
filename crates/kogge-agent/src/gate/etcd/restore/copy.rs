//! The copy of the data that the server runs on.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use crate::gate::disk_error::{At as _, DiskError};
use crate::gate::etcd::disk::MEMBER;

/// The folders that a server keeps its data in.
const FOLDERS: [&str; 2] = ["wal", "snap"];

/// Copies the files that hold data from one data directory to another, which is made.
pub(super) async fn data(from: &Path, to: &Path) -> Result<(), DiskError> {
    for folder in FOLDERS {
        let target = to.join(MEMBER).join(folder);
        DirBuilder::new().recursive(true).mode(0o700).create(&target).at(&target)?;
    }
    for file in files(from)? {
        let target = to.join(file.strip_prefix(from).unwrap_or(&file));
        let copied = spawn_blocking(move || fs::copy(&file, &target).at(&file)).await;
        copied.map_err(std::io::Error::from).at(from)??;
    }
    Ok(())
}

/// The files of a data directory that hold data. The log's next file is made ahead and is empty.
pub(super) fn files(data: &Path) -> Result<Vec<PathBuf>, DiskError> {
    let mut files = Vec::new();
    for folder in FOLDERS {
        let folder = data.join(MEMBER).join(folder);
        for entry in fs::read_dir(&folder).at(&folder)? {
            let path = entry.at(&folder)?.path();
            if path.is_file() && path.extension().is_none_or(|extension| extension != "tmp") {
                files.push(path);
            }
        }
    }
    Ok(files)
}
