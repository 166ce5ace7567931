//! What an observed workload and its pods say, read from a worker's view.

use std::net::IpAddr;
use std::sync::Arc;

use kogge_api::gate::{self, Report};
use kogge_api::{ClusterId, SYSTEM_NAMESPACE, labels, names};
use serde_json::Value;

use crate::object::{cluster_id, label};
use crate::{ComponentKey, Object, ObjectKey, WorkerView};

/// The part of a component that stands in one placement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShareKey {
    /// The component.
    pub component: ComponentKey,
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
    /// Its resource's name.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its identity.
    pub cluster_id: &'a ClusterId,
}

impl Database<'_> {
    /// Whether an object is a part of it. The clusterID in its label is not enough, which anybody may write who may write
    /// an object anywhere: it also stands in the database's namespace, or in Kogge's own, and names no other database.
    pub fn owns(&self, object: &Object) -> bool {
        let namespace = object.metadata.namespace.as_deref();
        cluster_id(object) == Some(self.cluster_id.as_str())
            && namespace.is_some_and(|found| [self.namespace, SYSTEM_NAMESPACE].contains(&found))
            && label(object, labels::CLUSTER).is_none_or(|name| name == self.name)
    }

    /// Its objects on a worker, by key.
    pub fn objects(self, view: &WorkerView) -> impl Iterator<Item = (&ObjectKey, &Arc<Object>)> {
        view.objects.of(self.cluster_id).filter(move |(_, object)| self.owns(object))
    }
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
    /// What its gate saw at the present start of its server; none where it has not said so yet, or in other words.
    pub gate: Option<Report>,
}

/// The StatefulSet or Deployment of a share, as last observed.
pub fn workload<'a>(view: &'a WorkerView, database: Database<'_>, share: &ShareKey) -> Option<&'a Object> {
    let name = names::workload(database.name, &share.component, &share.placement);
    let of_kind = |kind| view.objects.get(&ObjectKey::namespaced("apps/v1", kind, database.namespace, &name));
    let found = ["StatefulSet", "Deployment"].into_iter().filter_map(of_kind);
    found.map(|object| &**object).find(|object| database.owns(object))
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
    database
        .objects(view)
        .filter(|(key, _)| key.kind == "Pod" && key.namespace.as_deref() == Some(database.namespace))
        .map(|(_, pod)| pod)
        .filter(|pod| {
            label(pod, labels::COMPONENT) == Some(share.component.as_str())
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
    let gate = gate_report(pod);
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
        illness: gate.as_ref().and_then(Report::hold).map(ToString::to_string).or_else(|| illness(pod)),
        gate,
    })
}

/// The first port that a pod's containers say they listen on.
pub fn port(pod: &Object) -> Option<u16> {
    let containers = pod.data.pointer("/spec/containers")?.as_array()?;
    let mut ports =
        containers.iter().filter_map(|container| container.pointer("/ports/0/containerPort")?.as_u64());
    ports.find_map(|port| u16::try_from(port).ok())
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
        // The gate ended it only to report what it saw; it is started again.
        .filter(|container| container.pointer("/lastState/terminated/exitCode") != Some(&gate::REPORTED.into()))
        .filter_map(|container| container.pointer("/state/waiting/reason")?.as_str())
        .find(|reason| !STARTING.contains(reason))
        .map(str::to_owned)
}

/// What the gate saw at the present start of a member's server.
///
/// The init container looks before the first start in a pod, and again where a node has lost its containers. After that
/// the server's container looks at each start, and ends at once where it sees another thing than was last published; so
/// the report of whichever ended last is that of the present start. While a container runs again, its last report holds.
fn gate_report(pod: &Object) -> Option<Report> {
    let init = ended(pod, "/status/initContainerStatuses", gate::CONTAINER)?;
    let server = server_container(pod).and_then(|name| ended(pod, "/status/containerStatuses", name));
    match server.filter(|server| server.started_at >= init.finished_at) {
        Some(server) => Report::read(server.message),
        None => Report::of_init_container(init.exit_code, init.message),
    }
}

/// The container that starts through the gate.
fn server_container(pod: &Object) -> Option<&str> {
    let containers = pod.data.pointer("/spec/containers")?.as_array()?;
    let gated =
        containers.iter().find(|c| c["command"][0] == gate::PROGRAM && c["command"][1] == gate::SUBCOMMAND)?;
    gated["name"].as_str()
}

/// The end of a container's last run that has ended. Times are RFC 3339 in UTC with whole seconds, as Kubernetes writes
/// them, so that they compare as text; what lacks one is as old as can be.
struct Ended<'a> {
    started_at: &'a str,
    finished_at: &'a str,
    exit_code: i64,
    message: &'a str,
}

fn ended<'a>(pod: &'a Object, statuses: &str, name: &str) -> Option<Ended<'a>> {
    let statuses = pod.data.pointer(statuses)?.as_array()?;
    let status = statuses.iter().find(|status| status["name"] == name)?;
    let ended = status.pointer("/state/terminated").or_else(|| status.pointer("/lastState/terminated"))?;
    let text = |field: &str| ended[field].as_str().unwrap_or_default();
    Some(Ended {
        started_at: text("startedAt"),
        finished_at: text("finishedAt"),
        exit_code: ended["exitCode"].as_i64()?,
        message: text("message"),
    })
}
