//! Server-side apply that says what it did.

use std::fmt;

use anyhow::Context as _;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
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

/// An apply that was carried out.
#[derive(Clone, Debug)]
pub(crate) struct Applied {
    pub(crate) outcome: Outcome,
    /// The object's UID.
    pub(crate) uid: Option<String>,
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
    pub(crate) async fn apply(&self, manifest: &Manifest, force: bool) -> anyhow::Result<Applied> {
        let api = self.api(manifest)?;
        let name = manifest.0.name_any();
        let before = self.request(&format!("read {manifest}"), api.get_opt(&name)).await?;
        let params = PatchParams { force, ..PatchParams::apply(FIELD_MANAGER) };
        let after = self
            .request(&format!("apply {manifest}"), api.patch(&name, &params, &Patch::Apply(&manifest.0)))
            .await?;
        let uid = after.uid();
        let outcome = match before.map(content) {
            None => Outcome::Created,
            Some(before) if before == content(after) => Outcome::Unchanged,
            Some(_) => Outcome::Configured,
        };
        println!("{}: {manifest} {outcome}", self.name);
        Ok(Applied { outcome, uid })
    }

    /// Whether the cluster would take the manifest; nothing is written.
    pub(crate) async fn rehearse(&self, manifest: &Manifest) -> anyhow::Result<()> {
        let params = PatchParams { dry_run: true, ..PatchParams::apply(FIELD_MANAGER) };
        let api = self.api(manifest)?;
        let (name, patch) = (manifest.0.name_any(), Patch::Apply(&manifest.0));
        self.request(&format!("apply {manifest}"), api.patch(&name, &params, &patch)).await.map(drop)
    }

    /// Deletes what an apply made: that very object, not another one of its name.
    pub(crate) async fn delete(&self, manifest: &Manifest, uid: &str) -> anyhow::Result<()> {
        let uid = Some(uid.to_owned());
        let preconditions = Some(Preconditions { uid, resource_version: None });
        let params = DeleteParams { preconditions, ..DeleteParams::default() };
        let api = self.api(manifest)?;
        let name = manifest.0.name_any();
        self.request(&format!("delete {manifest}"), api.delete(&name, &params)).await?;
        println!("{}: {manifest} deleted", self.name);
        Ok(())
    }

    fn api(&self, manifest: &Manifest) -> anyhow::Result<Api<DynamicObject>> {
        let resource = manifest.resource()?;
        Ok(match manifest.0.namespace() {
            Some(namespace) => Api::namespaced_with(self.client(), &namespace, &resource),
            None => Api::all_with(self.client(), &resource),
        })
    }
}

/// The object without what the server notes down about writes.
fn content(mut object: DynamicObject) -> DynamicObject {
    object.metadata.managed_fields = None;
    object.metadata.resource_version = None;
    object
}
