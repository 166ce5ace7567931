//! A pass that can ask the members: the goal, and where they are.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use kogge_api::anchor::Anchor;
use kogge_engine::{
    Component, ComponentKey, Engine, GoalInput, Identity, Member, Pod, PodName, Record as _, Requests, Share, Vdc,
};
use kogge_plan::{ObjectKey, WorkerName, workload};

use crate::discovery::Names;
use crate::observation::Observation;
use crate::pods::{is_in, pod_facts, running};
use crate::retired::retired;
use crate::template::key_name;

/// A pass that can ask the members: the goal, and where they are.
pub struct Prepared<'a, E: Engine> {
    /// What is known.
    pub observation: Observation<'a, E>,
    /// The shares, in the order in which changes reach them.
    pub placed: Vec<Share>,
    /// Components that the spec does not have any more and that are being drained.
    pub retired: BTreeSet<Component>,
    /// What the workers remember, with what this pass adds to it before anything else.
    pub anchor: Anchor<E::Record>,
    /// What people asked for beside the spec.
    pub requests: Requests,
    /// What the database shall be.
    pub goal: E::Goal,
    /// The members that the goal names.
    pub members: Vec<Member>,
    /// The pods of all members, wanted and leaving.
    pub pods: BTreeMap<PodName, Pod>,
    /// The pods that run and are no members.
    pub routers: BTreeMap<PodName, Router>,
    /// What resolves where.
    pub names: Names,
}

/// A pod that runs and is no member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Router {
    /// Its UID.
    pub uid: String,
    /// Its component.
    pub component: ComponentKey,
    /// Its placement.
    pub placement: String,
}

/// A member or router that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running<'a> {
    /// The worker.
    pub worker: &'a WorkerName,
    /// The pod's UID.
    pub uid: &'a str,
}

impl<'a, E: Engine> Observation<'a, E> {
    /// Prepares to ask the members.
    pub fn prepare(self) -> Prepared<'a, E> {
        let worker_uids = self
            .placements
            .resolved
            .values()
            .filter_map(|p| Some((p.name.clone(), self.fleet.workers.get(&p.worker)?.uid.clone()?)))
            .collect();
        let anchor = self.anchor(worker_uids);
        let retired = retired::<E>(&self.identity, self.database, &anchor.record);
        let components = self.database.components.iter().chain(&retired);
        let placed: Vec<Share> = components.flat_map(|component| E::shares(self.spec, component)).collect();
        let names = Names::observe(&self, &retired);
        let routers = self.running_routers();
        let requests = Requests::of(self.database, &anchor.worker_uids);
        let goal = E::goal(&GoalInput {
            identity: &self.identity,
            spec: self.spec,
            record: &anchor.record,
            retired: &retired,
            unseen: self.unseen(),
            rolling: self.is_rolling(&placed),
            routers: routers.iter().map(|(pod, router)| (pod.clone(), router.placement.as_str().into())).collect(),
            requests: &requests,
            vdcs: self.vdcs(&anchor.worker_uids),
            paused: self.paused() || self.held,
            now: self.now,
        });
        let members = E::members(&goal);
        let pods = self.member_pods(&members, &anchor, &names);
        Prepared { placed, retired, routers, observation: self, anchor, goal, members, requests, pods, names }
    }

    /// The data centre of each placement that was put on a worker. One whose worker is not registered any more counts for
    /// itself.
    fn vdcs(&self, worker_uids: &BTreeMap<String, String>) -> BTreeMap<String, Vdc> {
        let of = |uid: &String| self.fleet.workers.values().find(|view| view.uid.as_ref() == Some(uid));
        let vdc = |(placement, uid): (&String, &String)| {
            let vdc = of(uid).map_or(placement.as_str(), |view| view.vdc.as_str());
            (placement.clone(), Vdc::from(vdc))
        };
        worker_uids.iter().map(vdc).collect()
    }

    fn running_routers(&self) -> BTreeMap<PodName, Router> {
        let components = self.database.components.iter().filter(|component| !component.is_group);
        let shares =
            components.flat_map(|component| self.placements.resolved.values().map(move |p| (component, p)));
        shares
            .filter_map(|(component, p)| {
                let view = self.fleet.workers.get(&p.worker).filter(|view| view.is_current())?;
                Some(running(&self.identity, &component.key, &p.name, view).map(|(pod, uid)| {
                    let router = Router { uid, component: component.key.clone(), placement: p.name.clone() };
                    (PodName::from(pod), router)
                }))
            })
            .flatten()
            .collect()
    }

    fn member_pods(
        &self,
        members: &[Member],
        anchor: &Anchor<E::Record>,
        names: &Names,
    ) -> BTreeMap<PodName, Pod> {
        members
            .iter()
            .filter_map(|Member { pod, component, place }| {
                let placement = match place {
                    Some((placement, _)) => placement.to_string(),
                    None => placement_of::<E>(&self.identity, anchor, pod.as_str())?,
                };
                let place = self.worker_of(&placement, anchor);
                let facts = pod_facts(
                    &self.identity,
                    &component.key,
                    &placement,
                    pod.as_str(),
                    place.map(|(_, view)| view),
                    names.resolves_everywhere(pod.as_str()),
                );
                let hidden = place.filter(|(worker, _)| facts == Pod::Absent && !self.is_seen(worker));
                let unknown = |(worker, _)| Pod::Unknown {
                    reason: format!("pods of placement {placement} are not watched on {worker}"),
                };
                Some((pod.clone(), hidden.map_or(facts, unknown)))
            })
            .collect()
    }

    /// Whether members of a share that stands are to run another template than they do.
    fn is_rolling(&self, placed: &[Share]) -> bool {
        placed.iter().filter(|share| share.component.is_group).any(|share| {
            let key = share.key();
            let desired = self.rollout.shares.get(&key_name(&key)).map(|share| share.revision.as_str());
            let view = self.placements.view(self.fleet, &key.placement);
            let standing = view.and_then(|view| workload::workload(view, self.identity.database(), &key));
            let running = standing.and_then(workload::template_revision);
            running.is_some() && desired.is_some() && running != desired
        })
    }
}

impl<E: Engine> Prepared<'_, E> {
    /// The servers that run: only of what was seen live and complete is that known.
    pub fn servers(&self) -> BTreeMap<PodName, Running<'_>> {
        let members = self.pods.iter().filter_map(|(pod, facts)| match facts {
            Pod::Present(facts) if facts.running => Some((pod, facts.uid.as_str())),
            Pod::Present(_) | Pod::Absent | Pod::Unknown { .. } => None,
        });
        let routers = self.routers.iter().map(|(pod, router)| (pod, router.uid.as_str()));
        members
            .chain(routers)
            .filter_map(|(pod, uid)| {
                let placement = self.placement_of(pod.as_str())?;
                let (worker, _) = self.observation.worker_of(&placement, &self.anchor)?;
                Some((pod.clone(), Running { worker, uid }))
            })
            .collect()
    }

    /// The revisions that workloads and pods of the shares have, by the key that they are kept under.
    pub fn revisions_in_use(&self) -> BTreeSet<(String, String)> {
        let observation = &self.observation;
        let shares = self.placed.iter().map(Share::key);
        shares
            .flat_map(|key| {
                let view = observation.placements.view(observation.fleet, &key.placement);
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

    /// Whether a member holds its group's data and users, or a router serves them: only then may it be reached from
    /// elsewhere than its pod's loopback.
    pub fn has_users(&self, pod: &PodName) -> bool {
        self.routers.contains_key(pod) || self.anchor.record.held_data(pod.as_str())
    }

    /// The certificate, as PEM, that each member and router should serve; none without TLS.
    pub fn certificates(&self) -> BTreeMap<PodName, &str> {
        let members = self.members.iter().map(|member| (&member.pod, &member.component.key));
        let routers = self.routers.iter().map(|(pod, router)| (pod, &router.component));
        let current = &self.observation.secrets.current;
        members.chain(routers).filter_map(|(pod, of)| Some((pod.clone(), current.certificate(of)?))).collect()
    }

    /// The placement that a member or router stands in.
    pub fn placement_of(&self, pod: &str) -> Option<String> {
        let router = self.routers.get(pod).map(|router| router.placement.clone());
        router.or_else(|| placement_of::<E>(&self.observation.identity, &self.anchor, pod))
    }
}

fn placement_of<E: Engine>(identity: &Identity, anchor: &Anchor<E::Record>, pod: &str) -> Option<String> {
    anchor.worker_uids.keys().find(|placement| is_in::<E>(identity, pod, placement)).cloned()
}
