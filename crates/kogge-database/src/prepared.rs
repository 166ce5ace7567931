//! A pass that can ask the members: the goal, and where they are.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use kogge_api::anchor::Anchor;
use kogge_api::federated_cluster::{Component, PlacedComponent};
use kogge_mongo::{Goal, Pod, PodName};
use kogge_plan::epoch::Remember;
use kogge_plan::{Liveness, ObjectKey, WorkerName, workload};

use crate::discovery::Names;
use crate::engine::{GoalInput, goal, pod_facts, routers};
use crate::identity::Identity;
use crate::observation::{Observation, ObservationError};
use crate::requests::Requests;
use crate::retired::retired;
use crate::shares::{self, view_of};
use crate::template::key_name;

/// A pass that can ask the members: the goal, and where they are.
pub struct Prepared<'a> {
    /// What is known.
    pub observation: Observation<'a>,
    /// The shares, in the order in which changes reach them.
    pub placed: Vec<PlacedComponent<'a>>,
    /// Shards that the spec does not have any more and that are being drained.
    pub retired: BTreeSet<Component>,
    /// What the workers remember, with what this pass adds to it before anything else.
    pub anchor: Anchor,
    /// What people asked for beside the spec.
    pub requests: Requests,
    /// What the database shall be.
    pub goal: Goal,
    /// The pods of all members, wanted and leaving.
    pub pods: BTreeMap<PodName, Pod>,
    /// The UIDs of the routers that run.
    pub routers: BTreeMap<PodName, String>,
    /// What resolves where.
    pub names: Names,
}

/// A member or router that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running<'a> {
    /// The worker.
    pub worker: &'a WorkerName,
    /// The pod's UID.
    pub uid: &'a str,
}

impl<'a> Observation<'a> {
    /// Prepares to ask the members.
    pub fn prepare(self) -> Result<Prepared<'a>, ObservationError> {
        let worker_uids = self
            .placements
            .resolved
            .values()
            .filter_map(|p| Some((p.name.clone(), self.fleet.workers.get(&p.worker)?.uid.clone()?)))
            .collect();
        let anchor = self.anchor(Remember { worker_uids, ..Remember::default() })?;
        let retired = retired(&self.identity, &self.cluster.spec, &anchor);
        let mut placed = self.cluster.spec.placed_components();
        placed.extend(retired.iter().flat_map(|component| self.cluster.spec.placed_component(*component)));
        let names = Names::observe(&self, &retired);
        let running = self.running_routers();
        let requests = Requests::of(self.cluster, &anchor);
        let goal = goal(GoalInput {
            identity: &self.identity,
            spec: &self.cluster.spec,
            anchor: &anchor,
            unseen: self.unseen(),
            rolling: self.is_rolling(&placed),
            routers: running.iter().map(|(pod, (placement, _))| (pod.clone(), placement.clone())).collect(),
            requests: &requests,
            paused: self.paused() || self.held,
        });
        let pods = self.member_pods(&goal, &anchor, &names);
        Ok(Prepared {
            placed,
            retired,
            routers: running.into_iter().map(|(pod, (_, uid))| (pod.into(), uid)).collect(),
            observation: self,
            anchor,
            goal,
            requests,
            pods,
            names,
        })
    }

    fn running_routers(&self) -> BTreeMap<String, (String, String)> {
        self.placements
            .resolved
            .values()
            .filter_map(|p| Some((p, self.fleet.workers.get(&p.worker).filter(|view| view.is_current())?)))
            .flat_map(|(p, view)| {
                routers(&self.identity, &p.name, view).map(|(pod, uid)| (pod, (p.name.clone(), uid)))
            })
            .collect()
    }

    fn member_pods(&self, goal: &Goal, anchor: &Anchor, names: &Names) -> BTreeMap<PodName, Pod> {
        let wanted =
            goal.sets.iter().flat_map(|set| set.members.iter().map(|m| (m.pod.clone(), m.placement.to_string())));
        let leaving = goal
            .sets
            .iter()
            .flat_map(|set| &set.leaving)
            .filter_map(|m| Some((m.pod.clone(), placement_of(&self.identity, anchor, m.pod.as_str())?)));
        wanted
            .chain(leaving)
            .filter_map(|(pod, placement)| {
                let component: Component = self.identity.component_of(pod.as_str())?;
                let view = self.worker_of(&placement, anchor).map(|(_, view)| view);
                let facts = pod_facts(
                    &self.identity,
                    component,
                    &placement,
                    pod.as_str(),
                    view,
                    names.resolves_everywhere(pod.as_str()),
                );
                Some((pod, facts))
            })
            .collect()
    }

    /// Whether members of a share that stands are to run another template than they do.
    fn is_rolling(&self, placed: &[PlacedComponent<'_>]) -> bool {
        placed.iter().filter(|share| share.component.is_replica_set()).any(|share| {
            let key = shares::key(share);
            let desired = self.rollout.shares.get(&key_name(&key)).map(|share| share.revision.as_str());
            let view = view_of(self.fleet, &self.placements, &key.placement);
            let standing = view.and_then(|view| workload::workload(view, self.identity.database(), &key));
            let running = standing.and_then(workload::template_revision);
            running.is_some() && desired.is_some() && running != desired
        })
    }
}

impl Prepared<'_> {
    /// The servers that run on workers that answer.
    pub fn servers(&self) -> BTreeMap<PodName, Running<'_>> {
        let members = self.pods.iter().filter_map(|(pod, facts)| match facts {
            Pod::Present(facts) if facts.running => Some((pod, facts.uid.as_str())),
            Pod::Present(_) | Pod::Absent | Pod::Unknown { .. } => None,
        });
        let routers = self.routers.iter().map(|(pod, uid)| (pod, uid.as_str()));
        members
            .chain(routers)
            .filter_map(|(pod, uid)| {
                let placement = self.placement_of(pod.as_str())?;
                let (worker, view) = self.observation.worker_of(&placement, &self.anchor)?;
                (view.liveness == Liveness::Live).then(|| (pod.clone(), Running { worker, uid }))
            })
            .collect()
    }

    /// The revisions that workloads and pods of the shares have, by the key that they are kept under.
    pub fn revisions_in_use(&self) -> BTreeSet<(String, String)> {
        let observation = &self.observation;
        let shares = self.placed.iter().map(shares::key);
        shares
            .flat_map(|key| {
                let view = view_of(observation.fleet, &observation.placements, &key.placement);
                let database = observation.identity.database();
                let workload = view.and_then(|view| workload::workload(view, database, &key));
                let template = workload.and_then(workload::template_revision).map(str::to_owned);
                let pods = view.map(|view| workload::pods(view, database, &key)).unwrap_or_default();
                let revisions = template.into_iter().chain(pods.into_iter().filter_map(|pod| pod.revision));
                revisions.map(move |revision| (key_name(&key), revision)).collect::<Vec<_>>()
            })
            .collect()
    }

    /// The address of a pod that runs.
    pub fn address(&self, pod: &PodName, running: Running<'_>) -> Option<IpAddr> {
        let view = self.observation.fleet.workers.get(running.worker)?;
        let key = ObjectKey::namespaced("v1", "Pod", &self.observation.identity.namespace, pod.as_str());
        workload::pod_facts(view.objects.get(&key)?)?.ips.first().copied()
    }

    /// Whether a member holds its set's data and users, or a router serves them: only then may it be reached from
    /// elsewhere than its pod's loopback.
    pub fn has_users(&self, pod: &PodName) -> bool {
        self.routers.contains_key(pod)
            || self.anchor.members.get(pod.as_str()).is_some_and(|member| member.initialized)
    }

    /// The certificate, as PEM, that each member and router should serve; none without TLS.
    pub fn certificates(&self) -> BTreeMap<PodName, &str> {
        let members = self.goal.sets.iter().flat_map(|set| {
            let pods = set.members.iter().map(|m| &m.pod).chain(set.leaving.iter().map(|m| &m.pod));
            pods.map(move |pod| (pod, shares::component_of(set.role)))
        });
        let routers = self.goal.routers.iter().map(|router| (&router.pod, Component::Mongos));
        let current = &self.observation.secrets.current;
        members.chain(routers).filter_map(|(pod, of)| Some((pod.clone(), current.certificate(of)?))).collect()
    }

    /// The placement that a member or router stands in.
    pub fn placement_of(&self, pod: &str) -> Option<String> {
        let router = self.goal.routers.iter().find(|router| router.pod.as_str() == pod);
        router
            .map(|router| router.placement.to_string())
            .or_else(|| placement_of(&self.observation.identity, &self.anchor, pod))
    }
}

fn placement_of(identity: &Identity, anchor: &Anchor, pod: &str) -> Option<String> {
    anchor.worker_uids.keys().find(|placement| identity.is_of(pod, placement)).cloned()
}
