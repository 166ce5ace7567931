//! What goes wrong with a member's disk.

use std::io;
use std::path::{Path, PathBuf};

/// A disk that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub(super) struct DiskError {
    path: PathBuf,
    source: io::Error,
}

/// Names the file that an error is about.
pub(super) trait At<T> {
    fn at(self, path: &Path) -> Result<T, DiskError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, DiskError> {
        self.map_err(|source| DiskError { path: path.to_owned(), source })
    }
}
