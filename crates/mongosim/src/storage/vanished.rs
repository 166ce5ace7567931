use std::{io, os::unix::fs::MetadataExt, path::Path, time::Duration};

use super::FILE;

const PACE: Duration = Duration::from_millis(250);

/// Waits until the store's file is no longer in its folder. The open file would serve on for ever; mongod finds out at
/// its next checkpoint, since that renames files in the folder.
pub async fn vanished(dir: &Path) {
    let path = dir.join(FILE);
    let opened = identity(&path);
    while is_there(&identity(&path), &opened) {
        tokio::time::sleep(PACE).await;
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    path.metadata().map(|found| (found.dev(), found.ino()))
}

/// A folder that cannot be looked at says nothing about what it holds.
fn is_there(found: &io::Result<(u64, u64)>, opened: &io::Result<(u64, u64)>) -> bool {
    match (found, opened) {
        (Ok(found), Ok(opened)) => found == opened,
        (Ok(_), Err(_)) => true,
        (Err(e), _) => !matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
    }
}
