//! A chart, kept with what was rendered from it: a database goes on with the version that it runs, also where that version
//! was changed afterwards or is no longer there.

use std::collections::BTreeMap;

use kogge_chart::{Chart, ChartError};
use serde::{Deserialize, Serialize};

/// The files of a chart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChartArchive {
    /// Its name.
    pub name: String,
    /// The hash of its files.
    pub content_hash: String,
    files: BTreeMap<String, String>,
}

impl ChartArchive {
    /// The files of that chart.
    pub fn of(chart: &Chart) -> Self {
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        Self {
            name: chart.name.clone(),
            content_hash: chart.content_hash.clone(),
            files: chart.files.iter().map(|(path, bytes)| (path.clone(), text(bytes))).collect(),
        }
    }

    /// The chart, of that version.
    ///
    /// Fails with [`ChartError::Invalid`] where this Kogge does not take it any more.
    pub fn open(&self, version: &str) -> Result<Chart, ChartError> {
        let files = self.files.iter().map(|(path, text)| (path.clone(), text.clone().into_bytes())).collect();
        Chart::from_files(&self.name, version, &files)
    }
}
