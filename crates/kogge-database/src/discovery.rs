//! The names of members: what should be published where, and what resolves.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::discovery::v1::EndpointSlice;
use kogge_api::{labels, names};
use kogge_discovery::slice::{SERVICE_NAME, is_mirrored};
use kogge_discovery::{
    Destination, DiscoveryReport, Group, PodFact, PodPhase, Port, Source, mirror, resolves_everywhere,
};
use kogge_engine::{Component, Engine};
use kogge_plan::object::label;
use kogge_plan::workload::pod_facts;
use kogge_plan::{FleetView, Object, ObjectKey, WorkerName, WorkerView};
use kube_core::TypeMeta;
use serde_json::Value;

use crate::observation::{Observation, runs_a_part};
use crate::retired;

/// What is published of a database's members, and what should be.
#[derive(Debug, Default)]
pub struct Names {
    slices: BTreeMap<String, Vec<EndpointSlice>>,
    stale: BTreeMap<String, BTreeSet<String>>,
    seen: BTreeSet<String>,
    /// What is stale or disputed.
    pub report: DiscoveryReport,
}

impl Names {
    /// Reads the pods and the slices of every group, also of those that leave, or have left, and still
    /// stand.
    pub(crate) fn observe<E: Engine>(observation: &Observation<'_, E>, retired: &BTreeSet<Component>) -> Self {
        let mut names = Self::default();
        let workers = workers(observation);
        let lives: BTreeSet<Component> = observation.database.groups().chain(retired).cloned().collect();
        let standing = retired::standing(observation).into_iter().filter(|component| component.is_group);
        for component in standing.collect::<BTreeSet<_>>().union(&lives) {
            names.add(observation, component, &workers, lives.contains(component));
        }
        names
    }

    fn add<E: Engine>(
        &mut self,
        observation: &Observation<'_, E>,
        component: &Component,
        workers: &[(&WorkerName, &WorkerView)],
        lives: bool,
    ) {
        let identity = &observation.identity;
        let group = Group {
            cluster: identity.name.clone(),
            cluster_id: identity.id.clone(),
            component: component.key.to_string(),
            name: E::group_name(identity, component).to_string(),
            namespace: identity.namespace.clone(),
            service: names::service(&identity.name, &component.key),
            ports: [E::PORT]
                .iter()
                .chain(E::PEER_PORTS)
                .map(|port| Port { name: port.name.to_owned(), number: port.number })
                .collect(),
        };
        let sources: Vec<Source> =
            workers.iter().map(|(name, view)| source(&group, name, view, observation.is_seen(name))).collect();
        let destinations: Vec<Destination> = workers
            .iter()
            .map(|(name, view)| destination(&group, name, view, observation.is_seen(name)))
            .collect();
        for pod in sources.iter().flat_map(|source| &source.pods) {
            let resolution = resolves_everywhere(pod, &destinations);
            self.seen.insert(pod.name.clone());
            if !resolution.is_everywhere_seen() {
                self.stale.insert(pod.name.clone(), resolution.stale);
            }
        }
        let mut mirrored = mirror(&group, &sources, &destinations);
        for destination in destinations {
            // Where nothing can be said of the slices, those that stand are neither changed nor removed; those of a
            // shard that has left go with its Service.
            let standing = || destination.slices.into_iter().filter(is_mirrored).collect();
            let slices = mirrored.slices.remove(&destination.worker);
            let slices = if lives { slices.unwrap_or_else(standing) } else { slices.unwrap_or_default() };
            self.slices.entry(destination.worker).or_default().extend(slices);
        }
        self.report.add(mirrored.report);
    }

    /// Whether a pod's name resolves to its present address in every data centre that answers.
    pub fn resolves_everywhere(&self, pod: &str) -> bool {
        self.seen.contains(pod) && !self.stale.contains_key(pod)
    }

    /// The slices that should stand on a worker beside the objects of its shares.
    pub fn slices(&self, worker: &WorkerName) -> BTreeMap<ObjectKey, Object> {
        let slices = self.slices.get(&worker.0).map(Vec::as_slice).unwrap_or_default();
        slices.iter().filter_map(object).filter_map(|slice| Some((ObjectKey::of(&slice)?, slice))).collect()
    }
}

/// The workers that hold, or should hold, a part of the database.
fn workers<'a, E: Engine>(observation: &Observation<'a, E>) -> Vec<(&'a WorkerName, &'a WorkerView)> {
    let named: BTreeSet<&WorkerName> = observation.placements.resolved.values().map(|p| &p.worker).collect();
    let fleet: &FleetView = observation.fleet;
    let database = observation.identity.database();
    fleet.workers.iter().filter(|(name, view)| named.contains(name) || runs_a_part(view, database)).collect()
}

fn source(group: &Group, worker: &WorkerName, view: &WorkerView, current: bool) -> Source {
    let pods = of_kind(group, view, "Pod")
        .filter(|pod| label(pod, labels::COMPONENT) == Some(&group.component))
        .filter_map(pod_facts)
        .map(|pod| PodFact {
            phase: PodPhase::from(pod.phase.as_str()),
            name: pod.name,
            uid: pod.uid,
            ips: pod.ips,
            ready: pod.ready,
            terminating: pod.terminating,
        })
        .collect();
    Source { worker: worker.0.clone(), vdc: view.vdc.clone(), current, pods }
}

fn destination(group: &Group, worker: &WorkerName, view: &WorkerView, current: bool) -> Destination {
    let service = ObjectKey::namespaced("v1", "Service", &group.namespace, &group.service);
    let slices = of_kind(group, view, "EndpointSlice")
        .filter(|slice| label(slice, SERVICE_NAME) == Some(&group.service))
        .filter_map(typed)
        .collect();
    Destination {
        worker: worker.0.clone(),
        current,
        service_uid: view.objects.get(&service).and_then(|service| service.metadata.uid.clone()),
        slices,
    }
}

fn of_kind<'a>(group: &'a Group, view: &'a WorkerView, kind: &str) -> impl Iterator<Item = &'a Object> {
    let of_kind = move |key: &ObjectKey| key.kind == kind && key.namespace.as_ref() == Some(&group.namespace);
    view.objects.of(&group.cluster_id).filter(move |(key, _)| of_kind(key)).map(|(_, object)| &**object)
}

fn typed(slice: &Object) -> Option<EndpointSlice> {
    let mut value = slice.data.clone();
    let metadata = serde_json::to_value(&slice.metadata).ok()?;
    value.as_object_mut()?.insert("metadata".to_owned(), metadata);
    serde_json::from_value(value).ok()
}

fn object(slice: &EndpointSlice) -> Option<Object> {
    let mut value = serde_json::to_value(slice).ok()?;
    let fields = value.as_object_mut()?;
    for field in ["apiVersion", "kind", "metadata"] {
        fields.remove(field);
    }
    Some(Object {
        types: Some(TypeMeta { api_version: "discovery.k8s.io/v1".to_owned(), kind: "EndpointSlice".to_owned() }),
        metadata: slice.metadata.clone(),
        data: Value::Object(std::mem::take(fields)),
    })
}
