//! The files that a chart is made of, as far as they lie in a folder. Which they are, `kogge-chart` says.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use kogge_chart::{ChartError, is_chart_file};

/// The most bytes of one chart.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// What tells that a file is still the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
}

/// A chart's files by their paths relative to its folder.
pub(crate) struct ChartFiles {
    pub(crate) stamps: BTreeMap<String, Stamp>,
}

impl ChartFiles {
    /// Which files there are. Fails with [`ChartError::Unreadable`].
    pub(crate) fn list(directory: &Path) -> Result<Self, ChartError> {
        let mut stamps = BTreeMap::new();
        for name in names(directory)? {
            let path = directory.join(&name);
            let found = fs::metadata(&path).map_err(|error| unreadable(&path, &error))?;
            stamps.insert(name, Stamp { bytes: found.len(), modified: found.modified().ok() });
        }
        if stamps.values().map(|stamp| stamp.bytes).sum::<u64>() > MAX_BYTES {
            return Err(ChartError::Unreadable {
                path: directory.display().to_string(),
                message: format!("the chart is larger than {} MiB", MAX_BYTES / 1024 / 1024),
            });
        }
        Ok(Self { stamps })
    }

    /// What is in them. Fails with [`ChartError::Unreadable`].
    pub(crate) fn read(&self, directory: &Path) -> Result<BTreeMap<String, Vec<u8>>, ChartError> {
        let read = |name: &String| {
            let path = directory.join(name);
            Ok((name.clone(), fs::read(&path).map_err(|error| unreadable(&path, &error))?))
        };
        self.stamps.keys().map(read).collect()
    }
}

fn names(directory: &Path) -> Result<Vec<String>, ChartError> {
    let mut names = Vec::new();
    for folder in ["", "templates/"] {
        let path = directory.join(folder);
        if !path.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&path).map_err(|error| unreadable(&path, &error))? {
            let entry = entry.map_err(|error| unreadable(&path, &error))?;
            let name = format!("{folder}{}", entry.file_name().to_string_lossy());
            if is_chart_file(&name) && entry.path().is_file() {
                names.push(name);
            }
        }
    }
    Ok(names)
}

pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> ChartError {
    ChartError::Unreadable { path: path.display().to_string(), message: error.to_string() }
}
