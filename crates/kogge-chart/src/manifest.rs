//! `Chart.yaml`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The file's name.
pub(crate) const FILE: &str = "Chart.yaml";

/// What a chart says of itself.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Manifest {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) app_version: String,
    pub(crate) description: String,
    pub(crate) kogge: KoggeSection,
}

/// What only Kogge reads.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct KoggeSection {
    pub(crate) engine: String,
    #[serde(default)]
    pub(crate) image: Option<String>,
    /// The templates of each component, in the order in which their objects are rendered.
    pub(crate) components: BTreeMap<String, Vec<String>>,
}
