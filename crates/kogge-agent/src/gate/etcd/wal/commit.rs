//! Everything that a log holds becomes committed in it.
//!
//! A member's log has each entry that the member acknowledged, and so each that its cluster can have committed by its
//! word. Which of them are committed is written down late, or never: raft does not save a commit index that rises alone
//! (raft's `MustSync`), and `--force-new-cluster` drops what lies behind the saved one. Who was told that a write has
//! succeeded must find it again, so nothing of the log is dropped. A write whose client got no answer may appear, as it
//! may wherever a leader dies.

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::message::{number, put_number};
use super::record::{ENTRY, Records, SNAPSHOT, STATE, frame};
use crate::gate::disk_error::{At as _, DiskError};

/// Why a log cannot be committed as a whole.
#[derive(Debug, thiserror::Error)]
pub(in crate::gate::etcd) enum LogError {
    /// A file of it.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A record whose checksum does not fit.
    #[error("the log {path} is damaged at byte {offset}: the checksum there is not that of the data")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: usize,
    },
    /// Neither entries nor a state.
    #[error("the log in {0} holds no entry or no state of raft's, so no server has served with it")]
    Unused(PathBuf),
}

/// What raft must not forget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    term: u64,
    vote: u64,
    commit: u64,
}

/// What a file of a log holds last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Last {
    /// The index of its last entry.
    entry: Option<u64>,
    /// The highest index of its snapshots.
    snapshot: Option<u64>,
    state: Option<State>,
    /// Where its records end, and their checksum.
    end: usize,
    crc: u32,
}

/// Commits everything in a log with these files, oldest first, and returns the index of the last entry.
pub(in crate::gate::etcd) fn commit_all(files: &[PathBuf], folder: &Path) -> Result<u64, LogError> {
    let unused = || LogError::Unused(folder.to_owned());
    let newest = files.last().ok_or_else(unused)?;
    let last = read(newest)?;
    let (mut entry, mut snapshot, mut state) = (last.entry, last.snapshot, last.state);
    for older in files.iter().rev().skip(1) {
        if entry.is_some() && state.is_some() {
            break;
        }
        let older = read(older)?;
        entry = entry.or(older.entry);
        snapshot = snapshot.max(older.snapshot);
        state = state.or(older.state);
    }
    // A snapshot that came from a leader lies behind the entries that were there before.
    let index = entry.max(snapshot).ok_or_else(unused)?;
    let state = state.ok_or_else(unused)?;
    if state.commit < index {
        append(newest, &last, State { commit: index, ..state })?;
    }
    Ok(index)
}

fn read(path: &Path) -> Result<Last, LogError> {
    let file = fs::read(path).at(path)?;
    let mut records = Records::of(&file);
    let mut last = Last { entry: None, snapshot: None, state: None, end: 0, crc: 0 };
    loop {
        let record =
            records.next().map_err(|at| LogError::Damaged { path: path.to_owned(), offset: at.offset })?;
        let Some(record) = record else { break };
        match record.kind {
            ENTRY => last.entry = number(record.data, 3).or(last.entry),
            SNAPSHOT => last.snapshot = last.snapshot.max(number(record.data, 1)),
            STATE => last.state = state(record.data).or(last.state),
            _ => {}
        }
    }
    (last.end, last.crc) = (records.end, records.crc);
    Ok(last)
}

fn state(data: &[u8]) -> Option<State> {
    Some(State { term: number(data, 1)?, vote: number(data, 2)?, commit: number(data, 3)? })
}

/// Writes the state behind the last record, over what is left of one that was torn.
fn append(path: &Path, last: &Last, state: State) -> Result<(), DiskError> {
    let mut data = Vec::new();
    for (tag, value) in [(1, state.term), (2, state.vote), (3, state.commit)] {
        put_number(&mut data, tag, value);
    }
    let mut file = File::options().write(true).open(path).at(path)?;
    file.set_len(last.end as u64).at(path)?;
    file.seek(SeekFrom::End(0)).at(path)?;
    file.write_all(&frame(STATE, &data, last.crc)).at(path)?;
    file.sync_all().at(path)
}

#[cfg(test)]
mod tests {
    use super::super::tests::log;
    use super::*;

    /// A file of a log: its head, then these records, then zeros.
    struct Draft(Vec<u8>);

    impl Draft {
        fn new() -> Self {
            Self(log(7, 9))
        }

        fn record(mut self, kind: u64, numbers: &[(u64, u64)]) -> Self {
            let mut data = Vec::new();
            for (tag, value) in numbers {
                put_number(&mut data, *tag, *value);
            }
            let crc = {
                let mut records = Records::of(&self.0);
                while records.next().unwrap().is_some() {}
                records.crc
            };
            self.0.extend(frame(kind, &data, crc));
            self
        }

        fn entry(self, index: u64) -> Self {
            self.record(ENTRY, &[(1, 0), (2, 3), (3, index)])
        }

        fn state(self, commit: u64) -> Self {
            self.record(STATE, &[(1, 3), (2, 7), (3, commit)])
        }
    }

    fn committed(files: &[Vec<u8>]) -> Result<(u64, Last), LogError> {
        let folder = tempfile::tempdir().unwrap();
        let mut paths = Vec::new();
        for (number, bytes) in files.iter().enumerate() {
            let path = folder.path().join(format!("{number}.wal"));
            fs::write(&path, bytes).unwrap();
            paths.push(path);
        }
        let index = commit_all(&paths, folder.path())?;
        Ok((index, read(paths.last().unwrap())?))
    }

    fn with_zeros(mut file: Vec<u8>) -> Vec<u8> {
        file.resize(file.len() + 4096, 0);
        file
    }

    #[test]
    fn what_lies_behind_the_saved_commit_index_is_committed() {
        let file = with_zeros(Draft::new().state(3).entry(4).entry(5).0);
        let (index, last) = committed(&[file]).unwrap();
        assert_eq!((index, last.entry), (5, Some(5)));
        assert_eq!(last.state, Some(State { term: 3, vote: 7, commit: 5 }));
    }

    #[test]
    fn the_last_entry_counts_where_a_leader_wrote_over_later_ones() {
        let file = Draft::new().state(3).entry(4).entry(5).entry(6).entry(5).0;
        assert_eq!(committed(&[file]).unwrap().0, 5);
    }

    #[test]
    fn a_new_file_without_entries_leaves_the_last_entry_in_the_one_before() {
        let old = with_zeros(Draft::new().state(3).entry(8).0);
        let new = with_zeros(Draft::new().state(6).record(SNAPSHOT, &[(1, 5), (2, 3)]).0);
        let (index, last) = committed(&[old, new]).unwrap();
        assert_eq!((index, last.state.unwrap().commit), (8, 8));
        let from_a_leader = Draft::new().state(3).entry(8).record(SNAPSHOT, &[(1, 20), (2, 3)]).0;
        assert_eq!(committed(&[from_a_leader]).unwrap().0, 20);
    }

    #[test]
    fn a_torn_record_is_written_over_and_a_damaged_one_is_told() {
        let whole = Draft::new().state(3).entry(4).0;
        let long = with_zeros(vec![1; 2000]);
        let mut torn = [whole.clone(), frame(ENTRY, &long, 1)].concat();
        let (index, last) = committed(&[torn.clone()]).unwrap();
        assert_eq!((index, last.state.unwrap().commit), (4, 4));
        torn.truncate(whole.len() + 100);
        assert_eq!(committed(&[torn]).unwrap().0, 4);
        let damaged = [whole.clone(), frame(ENTRY, &[1; 40], 1)].concat();
        let error = committed(&[damaged]).unwrap_err();
        assert!(matches!(error, LogError::Damaged { offset, .. } if offset == whole.len()), "{error}");
    }

    #[test]
    fn a_log_that_no_server_has_served_with_is_told() {
        assert!(matches!(committed(&[Draft::new().0]), Err(LogError::Unused(_))));
        assert!(matches!(committed(&[]), Err(LogError::Unused(_))));
    }
}
