//! What an observed workload and its pods say, read from a worker's view.

use std::net::IpAddr;

use kogge_api::federated_cluster::Component;
use kogge_api::gate::{self, Hold};
use kogge_api::{ClusterId, labels, names};
use serde_json::Value;

use crate::object::{cluster_id, label};
use crate::{Object, ObjectKey, WorkerView};

/// The part of a component that stands in one placement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShareKey {
    /// The component.
    pub component: Component,
    /// The placement.
    pub placement: String,
}

impl std::fmt::Display for ShareKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {}", self.component, self.placement)
    }
}

/// The database that is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Database<'a> {
    /// The FederatedCluster's name.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its identity.
    pub cluster_id: &'a ClusterId,
}

/// A pod, as last observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodFacts {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The revision that it was made from.
    pub revision: Option<String>,
    /// Its phase: Pending, Running, Succeeded, Failed or Unknown.
    pub phase: String,
    /// Its addresses, the first of each family being the one it is known by.
    pub ips: Vec<IpAddr>,
    /// Whether its readiness probe succeeds.
    pub ready: bool,
    /// Whether it was told to go.
    pub terminating: bool,
    /// Why it cannot do its work, in the gate's words or the kubelet's; none where it is only on its way.
    pub illness: Option<String>,
    /// Why its gate keeps the server from starting; none where it does not, or has not said so yet.
    pub held: Option<Hold>,
}

/// The StatefulSet or Deployment of a share, as last observed.
pub fn workload<'a>(view: &'a WorkerView, database: Database<'_>, share: &ShareKey) -> Option<&'a Object> {
    let kind = if share.component.is_replica_set() { "StatefulSet" } else { "Deployment" };
    let name = names::workload(database.name, share.component, &share.placement);
    let object = view.objects.get(&ObjectKey::namespaced("apps/v1", kind, database.namespace, &name))?;
    (cluster_id(object) == Some(database.cluster_id.as_str())).then_some(&**object)
}

/// The revision that a workload's template was made from.
pub fn template_revision(workload: &Object) -> Option<&str> {
    workload
        .data
        .pointer("/spec/template/metadata/labels")
        .and_then(|labels_of| labels_of.get(labels::REVISION))
        .and_then(Value::as_str)
        .or_else(|| label(workload, labels::REVISION))
}

/// Whether a workload's controller has seen its latest spec.
pub fn is_observed(workload: &Object) -> bool {
    let observed = workload.data.pointer("/status/observedGeneration").and_then(Value::as_i64);
    observed.is_some() && observed >= workload.metadata.generation
}

/// The pods of a share, by name, as last observed.
pub fn pods(view: &WorkerView, database: Database<'_>, share: &ShareKey) -> Vec<PodFacts> {
    let component = share.component.to_string();
    view.list("Pod", database.namespace)
        .filter(|pod| {
            cluster_id(pod) == Some(database.cluster_id.as_str())
                && label(pod, labels::COMPONENT) == Some(&component)
                && label(pod, labels::PLACEMENT) == Some(&share.placement)
        })
        .filter_map(|pod| pod_facts(pod))
        .collect()
}

/// What a pod says of itself; none where it lacks a name or a UID.
pub fn pod_facts(pod: &Object) -> Option<PodFacts> {
    let status = |path: &str| pod.data.pointer(&format!("/status/{path}"));
    let listed = status("podIPs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let ips = if listed.is_empty() {
        status("podIP").and_then(ip).into_iter().collect()
    } else {
        listed.iter().filter_map(|entry| ip(entry.get("ip")?)).collect()
    };
    let held = held(pod);
    let conditions = status("conditions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Some(PodFacts {
        name: pod.metadata.name.clone()?,
        uid: pod.metadata.uid.clone()?,
        revision: label(pod, labels::REVISION).map(str::to_owned),
        phase: status("phase").and_then(Value::as_str).unwrap_or("Unknown").to_owned(),
        ips,
        ready: conditions.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"),
        terminating: pod.metadata.deletion_timestamp.is_some(),
        // The gate's word stays the same while its container is started and ends again.
        illness: held.as_ref().map(ToString::to_string).or_else(|| illness(pod)),
        held,
    })
}

fn ip(value: &Value) -> Option<IpAddr> {
    value.as_str()?.parse().ok()
}

/// Words of a waiting container that is only being started.
const STARTING: [&str; 2] = ["ContainerCreating", "PodInitializing"];

fn illness(pod: &Object) -> Option<String> {
    if pod.data.pointer("/status/phase").is_some_and(|phase| phase == "Failed") {
        let reason = pod.data.pointer("/status/reason").and_then(Value::as_str);
        return Some(reason.unwrap_or("Failed").to_owned());
    }
    ["/status/initContainerStatuses", "/status/containerStatuses"]
        .iter()
        .filter_map(|path| pod.data.pointer(path)?.as_array())
        .flatten()
        .filter_map(|container| container.pointer("/state/waiting/reason")?.as_str())
        .find(|reason| !STARTING.contains(reason))
        .map(str::to_owned)
}

/// What the gate said when it ended last, unless it ended by letting the server start: while it runs again, its
/// last word stands.
fn held(pod: &Object) -> Option<Hold> {
    let containers = pod.data.pointer("/status/initContainerStatuses")?.as_array()?;
    let gate = containers.iter().find(|container| container["name"] == gate::CONTAINER)?;
    let ended = gate.pointer("/state/terminated").or_else(|| gate.pointer("/lastState/terminated"))?;
    let exit_code = ended["exitCode"].as_i64()?;
    (exit_code != 0).then(|| Hold::read(exit_code, ended["message"].as_str().unwrap_or_default()))
}
