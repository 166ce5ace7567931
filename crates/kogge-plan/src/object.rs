//! Objects of any kind, and the keys they are told apart by.

use std::fmt;

use kogge_api::labels;
use kube_core::DynamicObject;
use serde::{Deserialize, Serialize};

/// An object of any kind, with its type.
pub type Object = DynamicObject;

/// What tells two objects of one cluster apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectKey {
    /// The kind, such as `StatefulSet`.
    pub kind: String,
    /// The group and version, such as `apps/v1`; `v1` for the core group.
    pub api_version: String,
    /// The namespace; none for cluster-scoped kinds.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl ObjectKey {
    /// The key of an object; none where the object lacks its type or its name.
    pub fn of(object: &Object) -> Option<Self> {
        let types = object.types.as_ref()?;
        Some(Self {
            kind: types.kind.clone(),
            api_version: types.api_version.clone(),
            namespace: object.metadata.namespace.clone(),
            name: object.metadata.name.clone()?,
        })
    }

    /// A key of a namespaced kind.
    pub fn namespaced(api_version: &str, kind: &str, namespace: &str, name: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            api_version: api_version.to_owned(),
            namespace: Some(namespace.to_owned()),
            name: name.to_owned(),
        }
    }
}

/// The value of an object's label.
pub fn label<'a>(object: &'a Object, label: &str) -> Option<&'a str> {
    object.metadata.labels.as_ref()?.get(label).map(String::as_str)
}

/// The clusterID that an object is labelled with.
pub fn cluster_id(object: &Object) -> Option<&str> {
    label(object, labels::CLUSTER_ID)
}

/// Whether a controller of Kubernetes made an object for another one, such as an old revision of a workload.
pub(crate) fn has_controller(object: &Object) -> bool {
    object.metadata.owner_references.iter().flatten().any(|owner| owner.controller == Some(true))
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}
