//! Charts on disk: `<directory>/<name>/<version>/`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use kogge_api::rbac::GroupKind;
use kogge_chart::{Chart, ChartError};
use semver::Version;

use crate::files::{ChartFiles, Stamp, unreadable};

/// The charts below some directories. Earlier directories win over later ones. Every look sees whether files changed,
/// so that a new chart is found without a restart; a chart whose files are unchanged is read and compiled once.
#[derive(Debug, Default)]
pub struct ChartStore {
    directories: Vec<PathBuf>,
    compiled: Mutex<BTreeMap<PathBuf, Compiled>>,
}

/// A chart as it was when its files had these stamps.
#[derive(Clone, Debug)]
struct Compiled {
    stamps: BTreeMap<String, Stamp>,
    chart: Arc<Chart>,
}

impl ChartStore {
    /// A store over these directories.
    pub fn new(directories: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { directories: directories.into_iter().collect(), compiled: Mutex::default() }
    }

    /// A version of a chart.
    ///
    /// Fails with [`ChartError::NotFound`], [`ChartError::Unreadable`], or [`ChartError::Invalid`].
    pub fn find(&self, name: &str, version: &str) -> Result<Arc<Chart>, ChartError> {
        let parsed = Version::parse(version).ok().filter(|_| is_name(name));
        let directory = parsed.and_then(|_| {
            self.directories.iter().map(|root| root.join(name).join(version)).find(|path| path.is_dir())
        });
        let Some(directory) = directory else {
            return Err(self.not_found(name, &format!("{name} {version}")));
        };
        let files = ChartFiles::list(&directory)?;
        let compiled = || self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = compiled().get(&directory).filter(|known| known.stamps == files.stamps) {
            return Ok(Arc::clone(&known.chart));
        }
        let chart = Arc::new(Chart::from_files(name, version, &files.read(&directory)?)?);
        let known = Compiled { stamps: files.stamps, chart: Arc::clone(&chart) };
        compiled().insert(directory, known);
        Ok(chart)
    }

    /// A version of a chart, or the newest where none is named.
    ///
    /// Fails as [`find`](Self::find) does.
    pub fn find_or_newest(&self, name: &str, version: Option<&str>) -> Result<Arc<Chart>, ChartError> {
        match version {
            Some(version) => self.find(name, version),
            None => self.newest(name),
        }
    }

    /// The newest version of a chart, pre-releases only where there is nothing else.
    ///
    /// Fails as [`find`](Self::find) does.
    pub fn newest(&self, name: &str) -> Result<Arc<Chart>, ChartError> {
        let versions = self.versions(name)?;
        let newest = versions.iter().rev().find(|version| version.pre.is_empty()).or(versions.last());
        match newest {
            Some(version) => self.find(name, &version.to_string()),
            None => Err(self.not_found(name, name)),
        }
    }

    /// Every version of a chart, the oldest first.
    ///
    /// Fails with [`ChartError::Unreadable`].
    pub fn versions(&self, name: &str) -> Result<Vec<Version>, ChartError> {
        let mut versions = Vec::new();
        if is_name(name) {
            for root in &self.directories {
                versions.extend(directories_in(&root.join(name))?.iter().filter_map(|v| Version::parse(v).ok()));
            }
        }
        versions.sort();
        versions.dedup();
        Ok(versions)
    }

    /// The names of all charts, sorted.
    ///
    /// Fails with [`ChartError::Unreadable`].
    pub fn names(&self) -> Result<Vec<String>, ChartError> {
        let mut names = Vec::new();
        for root in &self.directories {
            names.extend(directories_in(root)?.into_iter().filter(|name| is_name(name)));
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// The kinds of objects that any version of any chart can render: what a worker's Roles must allow.
    ///
    /// Fails as [`find`](Self::find) does, on the first chart that cannot be used.
    pub fn kinds(&self) -> Result<BTreeSet<GroupKind>, ChartError> {
        let mut kinds = BTreeSet::new();
        for name in self.names()? {
            for version in self.versions(&name)? {
                kinds.extend(self.find(&name, &version.to_string())?.kinds.iter().cloned());
            }
        }
        Ok(kinds)
    }

    fn not_found(&self, name: &str, wanted: &str) -> ChartError {
        let versions: Vec<String> =
            self.versions(name).unwrap_or_default().iter().map(ToString::to_string).collect();
        let available = if versions.is_empty() {
            let names = self.names().unwrap_or_default();
            if names.is_empty() {
                "no chart directory holds any chart; name one with --chart-dir".to_owned()
            } else {
                format!("the charts are {}; more can be added with --chart-dir", names.join(", "))
            }
        } else {
            format!("its versions are {}", versions.join(", "))
        };
        ChartError::NotFound { wanted: wanted.to_owned(), available }
    }
}

/// A name that stays inside its directory.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn directories_in(path: &Path) -> Result<Vec<String>, ChartError> {
    if !path.is_dir() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| unreadable(path, &error))? {
        let entry = entry.map_err(|error| unreadable(path, &error))?;
        if entry.path().is_dir() {
            names.extend(entry.file_name().into_string());
        }
    }
    Ok(names)
}
