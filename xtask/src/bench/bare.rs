//! The baseline: a client that applies the same objects to the same API servers, and does nothing else.

use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use kogge_api::labels;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::core::ObjectMeta;
use kube::{Api, Client, ResourceExt as _};

use super::arrivals::resources;
use super::site::NAMESPACE;

/// Where the baseline's objects go.
pub(super) const BARE: &str = "bare";

/// The objects of databases on one worker.
pub(super) struct Objects {
    client: Client,
    objects: Vec<DynamicObject>,
}

impl Objects {
    /// Reads what Kogge wrote for databases whose names begin like this.
    pub(super) async fn read(client: &Client, prefix: &str) -> anyhow::Result<Self> {
        let mut objects = Vec::new();
        for resource in resources() {
            let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), NAMESPACE, &resource);
            for object in api.list(&ListParams::default().labels(labels::CLUSTER_ID)).await? {
                if object.labels().get(labels::CLUSTER).is_some_and(|name| name.starts_with(prefix)) {
                    objects.push(as_written(object, &resource));
                }
            }
        }
        Ok(Self { client: client.clone(), objects })
    }

    pub(super) fn count(&self) -> usize {
        self.objects.len()
    }

    /// Applies them all, with so many requests at a time.
    async fn apply(&self, at_once: usize) -> anyhow::Result<()> {
        let apply = |object: &DynamicObject| {
            let resource = resources()
                .find(|resource| object.types.as_ref().is_some_and(|types| types.kind == resource.kind));
            let (client, object) = (self.client.clone(), object.clone());
            async move {
                let Some(resource) = resource else { return Ok(()) };
                let api: Api<DynamicObject> = Api::namespaced_with(client, BARE, &resource);
                let params = PatchParams::apply("bare").force();
                api.patch(&object.name_any(), &params, &Patch::Apply(&object)).await.map(drop)
            }
        };
        stream::iter(&self.objects).map(apply).buffer_unordered(at_once).try_collect::<Vec<()>>().await?;
        Ok(())
    }
}

/// Applies the objects of all workers at once; how long that takes.
pub(super) async fn apply_all(workers: &[Objects], at_once: usize) -> anyhow::Result<Duration> {
    let began = Instant::now();
    futures::future::try_join_all(workers.iter().map(|objects| objects.apply(at_once))).await?;
    Ok(began.elapsed())
}

/// The object as somebody would write it, into another namespace.
fn as_written(object: DynamicObject, resource: &kube::api::ApiResource) -> DynamicObject {
    let mut data = object.data;
    if let Some(fields) = data.as_object_mut() {
        fields.remove("status");
        // The API server gave the Service its addresses.
        if let Some(spec) = fields.get_mut("spec").and_then(|spec| spec.as_object_mut()) {
            spec.retain(|field, value| !["clusterIP", "clusterIPs"].contains(&field.as_str()) || *value == "None");
        }
    }
    DynamicObject {
        types: Some(kube::core::TypeMeta {
            api_version: resource.api_version.clone(),
            kind: resource.kind.clone(),
        }),
        metadata: ObjectMeta {
            name: object.metadata.name,
            namespace: Some(BARE.to_owned()),
            labels: object.metadata.labels,
            annotations: object.metadata.annotations,
            ..ObjectMeta::default()
        },
        data,
    }
}
