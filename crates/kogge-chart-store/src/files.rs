//! The files that a chart is made of. Anything else in its folder, such as a README, does not change its hash and so
//! restarts nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use kogge_chart::ChartError;

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
        for path in paths(directory)? {
            let found = fs::metadata(&path).map_err(|error| unreadable(&path, &error))?;
            let name = path.strip_prefix(directory).unwrap_or(&path).to_string_lossy().into_owned();
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

fn paths(directory: &Path) -> Result<Vec<PathBuf>, ChartError> {
    let mut paths: Vec<PathBuf> = ["Chart.yaml", "values.yaml", "values.schema.json"]
        .iter()
        .map(|name| directory.join(name))
        .filter(|path| path.is_file())
        .collect();
    let templates = directory.join("templates");
    if templates.is_dir() {
        for entry in fs::read_dir(&templates).map_err(|error| unreadable(&templates, &error))? {
            let path = entry.map_err(|error| unreadable(&templates, &error))?.path();
            if path.extension().is_some_and(|extension| extension == "hbs") && path.is_file() {
                paths.push(path);
            }
        }
    }
    Ok(paths)
}

pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> ChartError {
    ChartError::Unreadable { path: path.display().to_string(), message: error.to_string() }
}
