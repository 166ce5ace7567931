//! What a lab should be: its name, its clusters and how much of a cluster they are.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::address_plan::MAX_WORKERS;
use crate::error::LabError;

/// The name of a lab: it names network namespaces, so it is short and plain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LabName(String);

impl LabName {
    /// Longest name allowed, in bytes.
    pub const MAX_LENGTH: usize = 24;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LabName {
    type Err = LabError;

    fn from_str(text: &str) -> Result<Self, LabError> {
        let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let starts_with_letter = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        if plain && starts_with_letter && text.len() <= Self::MAX_LENGTH {
            Ok(Self(text.to_owned()))
        } else {
            Err(LabError::Invalid(format!(
                "lab name {text:?}: use 1 to {} of a-z, 0-9 and '-', beginning with a letter",
                Self::MAX_LENGTH
            )))
        }
    }
}

impl TryFrom<String> for LabName {
    type Error = LabError;

    fn try_from(text: String) -> Result<Self, LabError> {
        text.parse()
    }
}

impl From<LabName> for String {
    fn from(name: LabName) -> Self {
        name.0
    }
}

impl fmt::Display for LabName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How much of a cluster each cluster of the lab is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Control plane, node, network and DNS. Needs root.
    Full,
    /// etcd and kube-apiserver on loopback; no root, ready in seconds.
    ApiOnly,
    /// As [`Mode::ApiOnly`], with the kube-controller-manager: garbage collection, service accounts, namespaces.
    ApiAndControllers,
}

/// What a lab should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabSpec {
    /// Names the lab; labs with different names stand side by side.
    pub name: String,
    /// Number of worker clusters, named `vdc1`, `vdc2`, …
    pub workers: u8,
    /// How much of a cluster each one is.
    pub mode: Mode,
    /// Whether pods of the control cluster have a route to the pods of workers.
    pub control_routes: bool,
}

impl LabSpec {
    /// A lab of whole clusters: `control` and `vdc1` to `vdc<workers>`.
    pub fn full(name: impl Into<String>, workers: u8) -> Self {
        Self { name: name.into(), workers, mode: Mode::Full, control_routes: false }
    }

    /// One API server named `control`, without nodes.
    pub fn api_only(name: impl Into<String>) -> Self {
        Self { name: name.into(), workers: 0, mode: Mode::ApiOnly, control_routes: false }
    }

    /// Checks name and size.
    pub(crate) fn validate(&self) -> Result<LabName, LabError> {
        if self.workers > MAX_WORKERS {
            return Err(LabError::Invalid(format!(
                "workers: {} asked for, at most {MAX_WORKERS} can be addressed",
                self.workers
            )));
        }
        self.name.parse()
    }

    /// The clusters' names with their indices: control is 0.
    pub(crate) fn cluster_names(&self) -> Vec<(u8, String)> {
        std::iter::once((0, CONTROL.to_owned()))
            .chain((1..=self.workers).map(|n| (n, format!("vdc{n}"))))
            .collect()
    }

    /// The lab that serves both this spec and the one that stands already.
    pub(crate) fn widened_by(&self, standing: &Self) -> Result<Self, LabError> {
        if self.mode != standing.mode {
            return Err(LabError::Invalid(format!(
                "lab {} runs with mode {:?}, {:?} was asked for: end it first (`kogge-lab down --name {}`) or use another --name",
                self.name, standing.mode, self.mode, self.name
            )));
        }
        Ok(Self { workers: self.workers.max(standing.workers), ..self.clone() })
    }
}

/// Name of the cluster where Kogge runs.
pub const CONTROL: &str = "control";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cannot_name_a_namespace_are_refused() {
        for bad in ["", "1lab", "Lab", "lab/x", "-lab", "a-name-that-is-much-too-long"] {
            assert!(bad.parse::<LabName>().is_err(), "{bad}");
        }
        assert!("lab-2".parse::<LabName>().is_ok());
    }

    #[test]
    fn a_standing_lab_is_widened_never_narrowed() {
        let standing = LabSpec::full("lab", 3);
        assert_eq!(LabSpec::full("lab", 1).widened_by(&standing).map(|s| s.workers).ok(), Some(3));
        assert_eq!(LabSpec::full("lab", 4).widened_by(&standing).map(|s| s.workers).ok(), Some(4));
        assert!(LabSpec::api_only("lab").widened_by(&standing).is_err());
    }
}
