//! What a member's data directory holds.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::wal::Owner;
use crate::gate::disk_error::{At as _, DiskError};

/// What a file system makes by itself.
const NO_DATA: [&str; 1] = ["lost+found"];
/// The folder in the data directory that etcd keeps everything in.
pub(super) const MEMBER: &str = "member";
/// Metadata are at the beginning of a log's file.
const HEAD: u64 = 4 << 10;

/// What is on a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Contents {
    /// Nothing.
    Empty,
    /// What a start left that ended before it wrote a log.
    Unused,
    /// A log, and whose it is.
    Data(Owner),
    /// Something that is none of these.
    Damaged(String),
}

/// Reads the data directory `data`; one that is not there is empty.
pub(super) fn read(data: &Path) -> Result<Contents, DiskError> {
    if !data.exists() {
        return Ok(Contents::Empty);
    }
    let names: BTreeSet<String> =
        names(data)?.into_iter().filter(|name| !NO_DATA.contains(&name.as_str())).collect();
    // All of them name the same; the newest was written by the last server that ran.
    if let Some(newest) = logs(&wal(data))?.last() {
        let mut head = Vec::new();
        File::open(newest).and_then(|file| file.take(HEAD).read_to_end(&mut head)).at(newest)?;
        let name = newest.file_name().unwrap_or_default().display();
        let damaged = || Contents::Damaged(format!("the log {name}, which does not say whose it is"));
        return Ok(super::wal::owner(&head).map_or_else(damaged, Contents::Data));
    }
    let others: Vec<&str> = names.iter().map(String::as_str).filter(|name| *name != MEMBER).collect();
    Ok(match (names.is_empty(), others.is_empty()) {
        (true, _) => Contents::Empty,
        (false, true) => Contents::Unused,
        (false, false) => Contents::Damaged(others.join(", ")),
    })
}

/// Where a data directory has its log.
pub(super) fn wal(data: &Path) -> PathBuf {
    data.join(MEMBER).join("wal")
}

/// The files of a log, in order. One of another name is still being made.
pub(super) fn logs(wal: &Path) -> Result<Vec<PathBuf>, DiskError> {
    if !wal.exists() {
        return Ok(Vec::new());
    }
    let mut logs: Vec<PathBuf> = names(wal)?.into_iter().map(|name| wal.join(name)).collect();
    logs.retain(|log| log.extension().is_some_and(|extension| extension == "wal"));
    logs.sort();
    Ok(logs)
}

fn names(folder: &Path) -> Result<Vec<String>, DiskError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).at(folder)? {
        names.push(entry.at(folder)?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use kogge_api::anchor::etcd::Id;

    use super::*;

    fn contents(files: &[(&str, &[u8])]) -> Contents {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            if !name.ends_with('/') {
                fs::write(path, bytes).unwrap();
            }
        }
        read(folder.path()).unwrap()
    }

    const FIRST: &str = "member/wal/0000000000000000-0000000000000000.wal";

    #[test]
    fn a_log_is_data_and_says_whose_it_is() {
        let log = crate::gate::etcd::wal::tests::log(7, 9);
        let owner = Owner { member_id: Id(7), cluster_id: Id(9) };
        let files: [(&str, &[u8]); 3] = [(FIRST, &log), ("member/wal/0.tmp", b""), ("member/snap/db", b"x")];
        assert_eq!(contents(&files), Contents::Data(owner));
        let later = "member/wal/0000000000000001-0000000000000100.wal";
        assert_eq!(contents(&[(FIRST, b"purged"), (later, &log)]), Contents::Data(owner));
    }

    #[test]
    fn what_a_start_left_without_a_log_is_unused() {
        assert_eq!(contents(&[]), Contents::Empty);
        assert_eq!(contents(&[("lost+found/x", b"")]), Contents::Empty);
        assert_eq!(contents(&[("member/snap/db", b"x"), ("member/wal/0.tmp", b"")]), Contents::Unused);
        assert_eq!(read(Path::new("/nonexistent/data")).unwrap(), Contents::Empty);
    }

    #[test]
    fn what_is_neither_is_told() {
        assert!(matches!(contents(&[(FIRST, b"")]), Contents::Damaged(_)));
        assert_eq!(contents(&[("backup.tar", b"x")]), Contents::Damaged("backup.tar".to_owned()));
    }
}
