//! Server-side apply that says what it did.

use std::fmt;

use anyhow::Context as _;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, ResourceExt as _};
use serde::Serialize;

use super::Cluster;

/// The field manager of what the command line writes.
const FIELD_MANAGER: &str = "kogge-cli";

/// What an apply changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Created,
    Configured,
    Unchanged,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
        })
    }
}

/// An object to apply, whatever its kind.
#[derive(Clone, Debug)]
pub(crate) struct Manifest(DynamicObject);

impl Manifest {
    /// A manifest of a typed object.
    pub(crate) fn of(object: &impl Serialize) -> anyhow::Result<Self> {
        let value = serde_json::to_value(object).context("an object that is no JSON")?;
        Ok(Self(serde_json::from_value(value).context("an object without type and name")?))
    }

    /// The manifest as a YAML document.
    pub(crate) fn to_yaml(&self) -> anyhow::Result<String> {
        serde_saphyr::to_string(&self.0).context("an object that is no YAML")
    }

    fn resource(&self) -> anyhow::Result<ApiResource> {
        let types = self.0.types.as_ref().context("an object without a type")?;
        let gvk = GroupVersionKind::try_from(types).context("an object without a type")?;
        Ok(ApiResource::from_gvk(&gvk))
    }
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.0.types.as_ref().map_or("object", |types| types.kind.as_str());
        match self.0.namespace() {
            Some(namespace) => write!(f, "{kind} {namespace}/{}", self.0.name_any()),
            None => write!(f, "{kind} {}", self.0.name_any()),
        }
    }
}

impl Cluster {
    /// Applies the manifest and prints what changed. Fields that another manager owns are a conflict, which is
    /// reported, unless `force` takes them over.
    pub(crate) async fn apply(&self, manifest: &Manifest, force: bool) -> anyhow::Result<Outcome> {
        let resource = manifest.resource()?;
        let api: Api<DynamicObject> = match manifest.0.namespace() {
            Some(namespace) => Api::namespaced_with(self.client(), &namespace, &resource),
            None => Api::all_with(self.client(), &resource),
        };
        let name = manifest.0.name_any();
        let before = self.request(&format!("read {manifest}"), api.get_opt(&name)).await?;
        let params = PatchParams { force, ..PatchParams::apply(FIELD_MANAGER) };
        let after = self
            .request(&format!("apply {manifest}"), api.patch(&name, &params, &Patch::Apply(&manifest.0)))
            .await?;
        let outcome = match before.map(content) {
            None => Outcome::Created,
            Some(before) if before == content(after) => Outcome::Unchanged,
            Some(_) => Outcome::Configured,
        };
        println!("{}: {manifest} {outcome}", self.name);
        Ok(outcome)
    }
}

/// The object without what the server notes down about writes.
fn content(mut object: DynamicObject) -> DynamicObject {
    object.metadata.managed_fields = None;
    object.metadata.resource_version = None;
    object
}
