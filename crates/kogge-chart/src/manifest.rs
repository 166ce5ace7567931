//! `Chart.yaml`.

use std::collections::BTreeMap;

use serde::Deserialize;

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
    /// The values that must leave room below the memory limit.
    #[serde(default)]
    pub(crate) memory: Vec<MemoryValue>,
}

/// A value that is memory of the servers: a container whose limit it reaches is killed as soon as it is used.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct MemoryValue {
    /// Its path without the leading `values.`, such as `server.cache.sizeGB`.
    pub(crate) value: String,
    /// What it is counted in: a suffix of a quantity, such as `Gi`.
    pub(crate) unit: String,
    /// The kinds of components whose servers it sets.
    pub(crate) components: Vec<String>,
}
