//! What a worker holds of a database.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Pod;
use kogge_api::{SYSTEM_NAMESPACE, labels};
use kogge_lab::Cluster;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::Value;

use crate::Database;

/// Group and kind of what Kogge, or Kubernetes on its behalf, makes of a database.
const KINDS: [(&str, &str); 8] = [
    ("", "Service"),
    ("", "ConfigMap"),
    ("", "Secret"),
    ("", "PersistentVolumeClaim"),
    ("", "Pod"),
    ("apps", "StatefulSet"),
    ("apps", "Deployment"),
    ("discovery.k8s.io", "EndpointSlice"),
];

/// The objects of one database on one worker, by kind and name.
pub struct Holdings(BTreeMap<(&'static str, String), DynamicObject>);

impl Database<'_> {
    /// What a worker holds of it: what carries its label, or a name that begins with its own.
    pub async fn held_by(&self, worker: &Cluster) -> anyhow::Result<Holdings> {
        let client = worker.client().await?;
        let namespaces = [self.namespace, SYSTEM_NAMESPACE];
        let lists = KINDS.iter().flat_map(|kind| namespaces.map(|namespace| (kind, namespace)));
        let lists = lists.map(|((group, kind), namespace)| list(&client, group, kind, namespace));
        let objects = try_join_all(lists).await.with_context(|| format!("{} cannot be listed", worker.name()))?;
        Ok(Holdings(objects.into_iter().flatten().filter(|((_, name), object)| self.owns(name, object)).collect()))
    }

    fn owns(&self, name: &str, object: &DynamicObject) -> bool {
        object.labels().get(labels::CLUSTER).is_some_and(|cluster| cluster == self.name)
            && object.namespace().is_some_and(|namespace| namespace == self.namespace)
            || name.starts_with(&format!("{}-", self.name))
            || name.starts_with("data-") && name.contains(&format!("-{}-", self.name))
    }

    /// Its pods on a worker.
    pub async fn pods_on(&self, worker: &Cluster) -> anyhow::Result<Vec<Pod>> {
        let pods: Api<Pod> = Api::namespaced(worker.client().await?, self.namespace);
        let selector = format!("{}={}", labels::CLUSTER, self.name);
        Ok(pods.list(&ListParams::default().labels(&selector)).await?.items)
    }

    /// The UIDs of its pods on all workers, by name.
    pub async fn pod_uids(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let mut uids = BTreeMap::new();
        for worker in self.harness.lab.workers() {
            let pods = self.pods_on(worker).await?;
            uids.extend(pods.into_iter().map(|pod| (pod.name_any(), pod.uid().unwrap_or_default())));
        }
        Ok(uids)
    }
}

impl Holdings {
    /// `Kind/name` of each.
    pub fn names(&self) -> Vec<String> {
        self.0.keys().map(|(kind, name)| format!("{kind}/{name}")).collect()
    }

    /// The endpoints of an EndpointSlice.
    pub fn endpoints(&self, slice: &str) -> Option<&Value> {
        self.0.get(&("EndpointSlice", slice.to_owned()))?.data.get("endpoints")
    }

    /// `Kind/name` of what Kogge writes the same in every placement but for the placement's name, which is left
    /// out.
    pub fn shape(&self, placement: &str) -> BTreeSet<String> {
        let alike = ["Service", "ConfigMap", "Secret", "StatefulSet", "Deployment"];
        let kept = self.0.keys().filter(|(kind, _)| alike.contains(kind));
        kept.map(|(kind, name)| format!("{kind}/{}", name.replace(placement, "*"))).collect()
    }
}

async fn list(
    client: &Client,
    group: &str,
    kind: &'static str,
    namespace: &str,
) -> kube::Result<Vec<((&'static str, String), DynamicObject)>> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let objects = api.list(&ListParams::default()).await?.items;
    Ok(objects.into_iter().map(|object| ((kind, object.name_any()), object)).collect())
}
