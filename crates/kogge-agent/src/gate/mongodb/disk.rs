//! What a member's disk holds, and the mark that says whose it is.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use kogge_api::ClusterId;
use serde::{Deserialize, Serialize};

use crate::gate::disk_error::{At as _, DiskError};

/// The file in the data directory that says whose disk it is.
const MARKER: &str = ".kogge";
/// Where it is written first.
const DRAFT: &str = ".kogge.new";

/// Without all of one line, no server finds the data that it left: WiredTiger's own catalog with mongod's, or the
/// one file of mongosim.
const ENGINES: [&[&str]; 2] = [&["WiredTiger.wt", "_mdb_catalog.wt"], &["mongosim.redb"]];

/// What stands on a disk without data: the file system's own, ours, and what a server writes anew at its start or
/// only beside its data.
const NO_DATA: [&str; 6] = ["lost+found", MARKER, DRAFT, "mongod.lock", "diagnostic.data", "journal"];

/// What is on a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Contents {
    /// Nothing that a server would find.
    Empty,
    /// Data of a storage engine.
    Data,
    /// Something, without what makes it data.
    Remnants {
        /// Names of what is there.
        names: BTreeSet<String>,
    },
}

/// The mark on a disk, from the last time that the gate let a server start on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Marker {
    /// The database.
    #[serde(rename = "clusterID")]
    pub(super) cluster_id: ClusterId,
    /// The member's pod.
    pub(super) pod: String,
    /// The ID under which the member held data on this disk in its replica set, where the anchor said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) member_id: Option<u32>,
    /// The member never had an ID below this one with this disk; where it has none yet, the one that it gets is
    /// not below either. A disk that was made before another ID was reserved is thereby told from one made since.
    pub(super) since_member_id: u32,
    /// The disk was empty when a gate first saw it, and the anchor has not said since that the member held data.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) was_empty: bool,
}

/// A disk.
#[derive(Debug)]
pub(super) struct Disk {
    /// What it holds.
    pub(super) contents: Contents,
    /// Its mark; or why that cannot be read.
    pub(super) marker: Result<Option<Marker>, String>,
}

impl Disk {
    /// Reads the disk that is mounted at `data`.
    pub(super) fn read(data: &Path) -> Result<Self, DiskError> {
        let mut names = BTreeSet::new();
        let mut filled = BTreeSet::new();
        for entry in fs::read_dir(data).at(data)? {
            let entry = entry.at(data)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // A file of length 0 is one that a crash cut short.
            if entry.metadata().at(&entry.path())?.len() > 0 {
                filled.insert(name.clone());
            }
            names.insert(name);
        }
        names.retain(|name| !NO_DATA.contains(&name.as_str()));
        let has_data = ENGINES.iter().any(|files| files.iter().all(|file| filled.contains(*file)));
        let contents = match names.is_empty() {
            _ if has_data => Contents::Data,
            true => Contents::Empty,
            false => Contents::Remnants { names },
        };
        Ok(Self { contents, marker: read_marker(&data.join(MARKER)) })
    }
}

fn read_marker(path: &Path) -> Result<Option<Marker>, String> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    serde_json::from_str(&text).map(Some).map_err(|error| error.to_string())
}

/// Marks the disk that is mounted at `data`: a crash leaves the mark before, or this one.
pub(super) fn mark(data: &Path, marker: &Marker) -> Result<(), DiskError> {
    let draft = data.join(DRAFT);
    let text = serde_json::to_vec(marker).map_err(io::Error::from).at(&draft)?;
    let mut file = File::create(&draft).at(&draft)?;
    file.write_all(&text).at(&draft)?;
    file.sync_all().at(&draft)?;
    fs::rename(&draft, data.join(MARKER)).at(&draft)?;
    File::open(data).and_then(|folder| folder.sync_all()).at(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(files: &[(&str, &str)]) -> Contents {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            match name.strip_suffix('/') {
                Some(folder_name) => fs::create_dir(folder.path().join(folder_name)).unwrap(),
                None => fs::write(folder.path().join(name), text).unwrap(),
            }
        }
        Disk::read(folder.path()).unwrap().contents
    }

    #[test]
    fn a_disk_with_the_files_that_a_server_looks_for_holds_data() {
        assert_eq!(contents(&[("mongosim.redb", "x")]), Contents::Data);
        let mongod =
            ["WiredTiger", "WiredTiger.wt", "WiredTiger.turtle", "_mdb_catalog.wt", "storage.bson", "mongod.lock"];
        assert_eq!(contents(&mongod.map(|name| (name, "x"))), Contents::Data);
        assert_eq!(contents(&[("WiredTiger.wt", "x"), ("_mdb_catalog.wt", "x"), ("local/", "")]), Contents::Data);
    }

    #[test]
    fn what_a_file_system_or_a_server_makes_by_itself_is_no_data() {
        assert_eq!(contents(&[]), Contents::Empty);
        let beside = [("lost+found/", ""), (".kogge", "{}"), ("mongod.lock", "7"), ("journal/", "")];
        assert_eq!(contents(&beside), Contents::Empty);
        assert_eq!(contents(&[("diagnostic.data/", ""), (".kogge.new", "")]), Contents::Empty);
    }

    #[test]
    fn what_is_cut_short_is_neither_empty_nor_data() {
        let remnants =
            |names: &[&str]| Contents::Remnants { names: names.iter().map(|n| (*n).to_owned()).collect() };
        assert_eq!(contents(&[("mongosim.redb", "")]), remnants(&["mongosim.redb"]));
        assert_eq!(contents(&[("WiredTiger.wt", "x")]), remnants(&["WiredTiger.wt"]));
        assert_eq!(contents(&[("collection-0.wt", "x"), ("local/", "")]), remnants(&["collection-0.wt", "local"]));
    }

    #[test]
    fn the_mark_reads_back_and_a_damaged_one_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let read = || Disk::read(folder.path()).unwrap();
        assert_eq!(read().marker, Ok(None));
        let mut marker = Marker {
            cluster_id: "abcdefgh".parse().unwrap(),
            pod: "ll2022-shard-0-vdc1-0".to_owned(),
            member_id: None,
            since_member_id: 0,
            was_empty: false,
        };
        for member_id in [None, Some(3)] {
            marker.member_id = member_id;
            mark(folder.path(), &marker).unwrap();
            assert_eq!(read().marker, Ok(Some(marker.clone())));
        }
        assert_eq!(read().contents, Contents::Empty);
        fs::write(folder.path().join(MARKER), "{\"clusterID\"").unwrap();
        assert!(read().marker.is_err());
    }

    #[test]
    fn a_disk_that_is_not_there_is_an_error() {
        let error = Disk::read(Path::new("/nonexistent/data")).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/data"), "{error}");
    }
}
