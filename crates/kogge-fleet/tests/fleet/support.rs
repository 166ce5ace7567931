//! WorkerClusters, kubeconfigs and waiting.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::rbac::v1::PolicyRule;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kogge_api::conditions::{Finding, Status};
use kogge_api::worker_cluster::{
    Access, AllowedNamespaces, KubeconfigSource, Limits, Network, SecretKey, WorkerClusterSpec,
};
use kogge_api::{WorkerCluster, WorkerClusterStatus};
use kogge_fleet::{Fence, Fleet, FleetOptions, RequiredRules, SecretLookup};
use kogge_plan::{Liveness, Object, ObjectKey, WorkerName, WorkerView};
use serde_json::{Value, json};

use crate::api::Api;

/// The namespace of all databases here.
pub(crate) const NAMESPACE: &str = "databases";
/// How long a condition may take to come true before a test fails; where much else runs, a test has a tenth of a core.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// Frequent probes, with deadlines that a busy machine does not reach.
pub(crate) fn options() -> FleetOptions {
    FleetOptions {
        probe_period: Duration::from_millis(150),
        probe_deadline: Duration::from_secs(10),
        watch_timeout: Duration::from_secs(30),
        ..FleetOptions::new("kogge-system", required())
    }
}

/// Short deadlines, for tests in which they are reached.
pub(crate) fn hasty() -> FleetOptions {
    FleetOptions { probe_deadline: Duration::from_millis(400), ..options() }
}

pub(crate) fn required() -> RequiredRules {
    let rule = PolicyRule {
        api_groups: Some(vec!["apps".to_owned()]),
        resources: Some(vec!["statefulsets".to_owned()]),
        verbs: vec!["get".to_owned(), "patch".to_owned()],
        ..PolicyRule::default()
    };
    RequiredRules { namespaced: vec![rule], ..RequiredRules::default() }
}

pub(crate) fn worker(name: &str) -> WorkerCluster {
    let spec = WorkerClusterSpec {
        vdc: name.to_owned(),
        kubeconfig: KubeconfigSource {
            secret_ref: SecretKey { name: name.to_owned(), key: "kubeconfig".to_owned() },
        },
        access: Access::default(),
        network: Network::default(),
        allowed_namespaces: AllowedNamespaces { names: Some(vec![NAMESPACE.to_owned()]), all: None },
        limits: Limits { concurrency: 4, request_timeout: Duration::from_secs(10).into() },
        suspend: false,
    };
    let mut object = WorkerCluster::new(name, spec);
    object.metadata.uid = Some(format!("object-{name}"));
    object
}

/// A worker whose requests end soon.
pub(crate) fn hasty_worker(name: &str) -> WorkerCluster {
    let mut object = worker(name);
    object.spec.limits.request_timeout = Duration::from_millis(800).into();
    object
}

pub(crate) fn created_at(mut object: WorkerCluster, second: i64) -> WorkerCluster {
    object.metadata.creation_timestamp = jiff::Timestamp::from_second(second).ok().map(Time);
    object
}

pub(crate) fn pinned(mut object: WorkerCluster, uid: &str) -> WorkerCluster {
    object.status = Some(WorkerClusterStatus { uid: Some(uid.to_owned()), ..WorkerClusterStatus::default() });
    object
}

/// A kubeconfig, as a value to break.
pub(crate) fn document(api: &Api) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {
            "server": format!("https://{}", api.address),
            "certificate-authority-data": STANDARD.encode(&api.authority_pem),
        }}],
        "users": [{"name": "u", "user": {"token": "t0ps3cret"}}],
    })
}

pub(crate) fn secret(document: &Value) -> SecretLookup {
    SecretLookup::Found(document.to_string().into_bytes())
}

pub(crate) fn kubeconfig(api: &Api) -> SecretLookup {
    secret(&document(api))
}

/// A fleet with one worker, connected and complete.
pub(crate) async fn connected(api: &Api, options: FleetOptions) -> anyhow::Result<Fleet> {
    connected_to(api, &worker("w"), options).await
}

/// The same, with short deadlines.
pub(crate) async fn connected_hastily(api: &Api) -> anyhow::Result<Fleet> {
    connected_to(api, &hasty_worker("w"), hasty()).await
}

async fn connected_to(api: &Api, worker: &WorkerCluster, options: FleetOptions) -> anyhow::Result<Fleet> {
    let fleet = Fleet::new(options);
    fleet.upsert(worker, &kubeconfig(api));
    until_view(&fleet, "w", "the worker to be current", WorkerView::is_current).await?;
    Ok(fleet)
}

/// Waits until something holds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) -> anyhow::Result<()> {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.with_context(|| format!("waited in vain for {what}"))
}

/// Waits until a worker's view is as it should be.
pub(crate) async fn until_view(
    fleet: &Fleet,
    name: &str,
    what: &str,
    holds: impl Fn(&WorkerView) -> bool,
) -> anyhow::Result<()> {
    let result = until(what, async || view(fleet, name).is_some_and(|view| holds(&view))).await;
    result.with_context(|| format!("{:?}", fleet.status(&name.into())))
}

/// Waits until a condition has this status and reason; returns its message.
pub(crate) async fn until_condition(
    fleet: &Fleet,
    name: &str,
    type_: &str,
    status: Status,
    reason: &str,
) -> anyhow::Result<String> {
    let is = |finding: &Finding| finding.type_ == type_ && finding.status == status && finding.reason == reason;
    let what = format!("{type_}={} {reason}", status.as_str());
    let result = until(&what, async || conditions(fleet, name).iter().any(is)).await;
    result.with_context(|| format!("{:?}", fleet.status(&name.into())))?;
    let found = conditions(fleet, name).into_iter().find(is);
    found.map(|finding| finding.message).context("it was there a moment ago")
}

pub(crate) fn conditions(fleet: &Fleet, name: &str) -> Vec<Finding> {
    fleet.status(&name.into()).map(|findings| findings.conditions).unwrap_or_default()
}

pub(crate) fn view(fleet: &Fleet, name: &str) -> Option<WorkerView> {
    fleet.snapshot().workers.get(&WorkerName::from(name)).cloned()
}

pub(crate) fn held(fleet: &Fleet, key: &ObjectKey) -> Option<Arc<Object>> {
    view(fleet, "w")?.objects.get(key).cloned()
}

pub(crate) fn silence(fleet: &Fleet, name: &str) -> anyhow::Result<(String, String)> {
    match view(fleet, name).context("no such worker")?.liveness {
        Liveness::Silent { reason, message, .. } => Ok((reason, message)),
        Liveness::Live => bail!("it is live"),
    }
}

pub(crate) fn config_map(name: &str, cluster_id: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": name, "namespace": NAMESPACE, "labels": {"kogge.dev/cluster-id": cluster_id},
            "annotations": {"kogge.dev/applied-hash": "h"},
        },
        "data": {"a": "1"},
    })
}

pub(crate) fn key(kind: &str, name: &str) -> ObjectKey {
    ObjectKey::namespaced(if kind == "StatefulSet" { "apps/v1" } else { "v1" }, kind, NAMESPACE, name)
}

pub(crate) fn collection(plural: &str) -> String {
    match plural {
        "statefulsets" => format!("/apis/apps/v1/namespaces/{NAMESPACE}/{plural}"),
        _ => format!("/api/v1/namespaces/{NAMESPACE}/{plural}"),
    }
}

/// A lease that is held, or not.
pub(crate) struct Lease(pub(crate) bool);

impl Fence for Lease {
    fn is_leader(&self) -> bool {
        self.0
    }
}
