//! What holds in every pass, whatever a test is about.

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kogge_api::DatabaseStatus;
use kogge_api::anchor::Record as _;
use kogge_api::conditions::database as conditions;
use kogge_api::federated_cluster::DataPolicy;
use kogge_api::labels::{self, OWNER};
use kogge_api::{FINALIZER, Owner};
use kogge_database::pass::{Endings, Write};
use kogge_database::secrets::DatabaseSecrets;
use kogge_engine::Engine as _;
use kogge_plan::object::{cluster_id, label};
use kogge_plan::{Action, Object, ObjectKey, WorkerName, anchors, workload};

use super::{
    DatabasePlan, ID, Kind, NAME, NAMESPACE, Passed, Record, Resource, Step, Worker, World, admitted, applied,
    founded, key, kind, names_seed, template_revision,
};

pub(super) fn of_plan(world: &World, plan: &DatabasePlan) {
    let anchors_wait = plan.actions.iter().filter_map(applied).any(anchors::is_anchor);
    assert!(
        !anchors_wait || plan.steps.is_empty() && plan.restarts.is_empty(),
        "the anchor is written before what it guards: {:?}",
        plan.steps
    );
    holds_no_secret(
        world,
        &[
            format!("{:?} {:?} {:?} {:?}", plan.actions, plan.restarts, plan.refusals, plan.errors),
            format!("{:?} {:?} {:?}", plan.steps, plan.engine, plan.approvals),
            plan.actions.iter().map(ToString::to_string).collect(),
        ],
    );
}

/// Nobody waits for a server that is reached through an API server which does not answer.
pub(super) fn of_question<'a>(world: &World, asked: impl Iterator<Item = &'a WorkerName>) {
    for name in asked {
        let worker = &world.workers[name];
        assert!(!worker.silent && !worker.listing, "A4: a server on {name} is asked, which was not seen");
    }
}

/// The status after a pass that came to its end.
pub(super) fn of_status(world: &World, passed: &Passed) {
    let settled = passed.plan.as_ref().is_some_and(DatabasePlan::is_settled);
    let named = |vdc: &str| world.cluster.spec.placement.iter().any(|placement| placement.vdc == vdc);
    let seen = world.workers.values().filter(|worker| named(&worker.vdc)).all(|worker| worker.view().is_current());
    assert!(!world.is_ready() || settled && seen, "A3: what was not seen is never Ready");
}

/// A12.
fn holds_no_secret(world: &World, told: &[String]) {
    let Some(secrets) = &world.secrets else { return };
    let hidden = super::hidden(&DatabaseSecrets::read(secrets).unwrap());
    for secret in &hidden {
        assert!(told.iter().all(|text| !text.contains(secret)), "A12: a secret is told");
    }
}

/// What is written in the control cluster, over the resource that was read.
pub(super) fn of_control_write(world: &World, read: &Resource, write: &Write) {
    match write {
        Write::Status { status, events } => {
            holds_no_secret(world, &[format!("{status:?}")]);
            let told: Vec<&str> = status.conditions.iter().map(|condition| condition.type_.as_str()).collect();
            assert_eq!(told, conditions::ALL, "a status has every condition, and each once");
            let (before, after) = (read.status.as_ref().and_then(ready), ready(status).unwrap());
            let changes = before.as_ref() != Some(&after) && after.1 != "NotObserved";
            let told = events.iter().filter(|event| event.reason == after.1).count();
            assert_eq!(told, usize::from(changes), "Ready was {before:?} and is {after:?}: {events:?}");
        }
        Write::Release if is_anothers(world) => {}
        Write::Release => {
            let left = world.workers.values().flat_map(|worker| worker.objects.iter());
            let id = ID.parse().unwrap();
            let parts = workload::Database { name: NAME, namespace: NAMESPACE, cluster_id: &id };
            let mut left = left.filter(|(key, object)| parts.owns(object) && key.kind != "PersistentVolumeClaim");
            assert_eq!(left.next(), None, "the resource is released before its objects are gone");
        }
        Write::Admin(_) => {
            let found = world.admin_secret.as_ref().map(|secret| &secret.metadata);
            let made_by_kogge =
                |metadata: &ObjectMeta| metadata.annotations.iter().flatten().any(|(key, _)| key == OWNER);
            assert!(found.is_none_or(made_by_kogge), "what a user made is written over");
        }
        Write::CreateSecrets(_) => {
            let stands = world.workers.values().any(|worker| worker.objects.values().any(is_ours));
            assert!(!stands, "a database that stands never gets other secrets");
        }
        Write::Claim { .. }
        | Write::Revision(_)
        | Write::UpdateSecrets { .. }
        | Write::RemoveRevisions(_)
        | Write::Tombstone(_)
        | Write::Forget { .. } => {}
    }
}

/// What Ready says, and why.
fn ready(status: &DatabaseStatus) -> Option<(&str, &str)> {
    let ready = status.conditions.iter().find(|condition| condition.type_ == conditions::READY)?;
    Some((&ready.status, &ready.reason))
}

/// Whether nothing says that what is kept under the clusterID belongs to the resource that passes are made over.
fn is_anothers(world: &World) -> bool {
    let owner = |secret: &Secret| Owner::of(&secret.metadata);
    world.secrets.as_ref().is_some_and(|secret| owner(secret).is_none_or(|owner| !owner.is_same(&world.owner())))
}

fn is_ours(object: &Object) -> bool {
    cluster_id(object) == Some(ID)
}

/// Before the first object goes: it was asked for, its cool-off is over, nobody deletes definition or namespace, and
/// that it was on purpose is on record.
pub(super) fn of_teardown(world: &World) {
    assert!(is_over(world), "A2: a teardown that nobody waited for");
    assert!(world.tombstone, "A2: a teardown without its record");
}

fn is_over(world: &World) -> bool {
    let deletion = world.status().deletion;
    let due = deletion.is_some_and(|deletion| deletion.executes_at.0 <= world.clock().0);
    world.cluster.metadata.deletion_timestamp.is_some() && due && world.endings == Endings::default()
}

/// `epoch` is the one in the status.
pub(super) fn of_write(world: &World, worker: &Worker, action: &Action, epoch: Option<i64>) {
    match action {
        Action::Apply { object, .. } => {
            let finalizers = world.cluster.metadata.finalizers.iter().flatten();
            assert_eq!(finalizers.collect::<Vec<_>>(), [FINALIZER], "A2: {action} would outlive its resource");
            if anchors::is_anchor(object) {
                assert_eq!(
                    Some(anchors::read::<Record>(object).unwrap().epoch),
                    epoch,
                    "an epoch stands in the status first"
                );
            }
            assert_eq!(cluster_id(object), Some(ID), "an object without our label: {action}");
            if let Some(share) = workload_of(object) {
                let (_, kept) = world.read.as_ref().unwrap();
                let revision = template_revision(object);
                assert!(kept.find(&share, revision).is_some(), "{action}: revision {revision} is kept nowhere");
            }
            for owner in object.metadata.owner_references.iter().flatten() {
                let here = worker.objects.values().any(|other| other.metadata.uid.as_ref() == Some(&owner.uid));
                assert!(here, "A9: {action} is owned by what is not on {}", worker.name);
            }
        }
        Action::Delete { key, .. } => {
            let is_guarded = ["StatefulSet", "PersistentVolumeClaim"].contains(&key.kind.as_str());
            if is_guarded || key.name.contains("anchor") {
                let retained =
                    key.kind == "PersistentVolumeClaim" && world.cluster.spec.deletion.data != DataPolicy::Delete;
                let torn_down = world.tombstone && is_over(world) && !retained;
                assert!(torn_down || has_left(world, worker, key), "A2: {action}");
            }
            let mounts =
                |pod: &Object| pod.data["spec"]["volumes"].to_string().contains(&format!("{:?}", key.name));
            assert!(key.kind != "Secret" || !worker.list("Pod").any(mounts), "A2: a pod mounts it: {action}");
        }
    }
}

/// The share that an object is the workload of, as what is kept names it.
fn workload_of(object: &Object) -> Option<String> {
    let share = label(object, labels::COMPONENT).zip(label(object, labels::PLACEMENT));
    let (component, placement) = share.filter(|_| ["StatefulSet", "Deployment"].contains(&kind(object)))?;
    Some(format!("{component}/{placement}"))
}

/// Whether nothing of an object's share, or of its whole worker, is a part of the database any more: by the servers
/// themselves, whatever Kogge saw, and by every anchor.
fn has_left(world: &World, worker: &Worker, key: &ObjectKey) -> bool {
    let spec = &world.cluster.spec;
    if key.kind == "PersistentVolumeClaim" && spec.deletion.data != DataPolicy::Delete {
        return false;
    }
    let mut members = world.servers.members();
    let placed = world.workers.values().filter(|w| spec.placement.iter().any(|p| p.vdc == w.vdc));
    for record in placed.map(Worker::record) {
        members.extend(record.members().map(|(pod, _)| pod.to_owned()));
    }
    let is_member = |of: &dyn Fn(&str) -> bool| members.iter().any(|pod| of(pod));
    let object = &worker.objects[key];
    let share = label(object, labels::COMPONENT).zip(label(object, labels::PLACEMENT));
    let is_of_the_spec = share.is_some_and(|(component, placement)| {
        let database = Kind::database(&world.cluster);
        let mut shares = database.components.iter().flat_map(|component| Kind::shares(spec, component));
        shares.any(|share| share.component.key.to_string() == component && share.placement == placement)
    });
    if let Some((component, placement)) = share {
        let workload = format!("{NAME}-{component}-{placement}-");
        !is_of_the_spec && !is_member(&|pod| pod.starts_with(&workload))
    } else {
        let is_named = spec.placement.iter().any(|placement| placement.vdc == worker.vdc);
        let here = format!("-{}-", worker.vdc);
        !is_named && !is_member(&|pod| pod.contains(&here))
    }
}

/// A group begins only where every worker remembers with whom, and a member joins only under a name that resolves.
pub(super) fn of_step(world: &World, step: &Step) {
    if let Some(seed) = founded(step) {
        for worker in world.workers.values().filter(|worker| worker.list("StatefulSet").next().is_some()) {
            let record = worker.record();
            assert!(names_seed(&record, seed), "{seed} begins a group and {} does not name it", worker.name);
        }
    }
    if let Some(pod) = admitted(step) {
        resolves(world, pod);
    }
}

/// A member's name leads to its pod, and to nothing else, in every data centre that answers.
fn resolves(world: &World, pod: &str) {
    let all_pods = || world.workers.values().flat_map(|worker| worker.list("Pod"));
    let found = all_pods().find(|object| object.metadata.name.as_deref() == Some(pod)).unwrap();
    for worker in
        world.workers.values().filter(|worker| !worker.silent && worker.list("StatefulSet").next().is_some())
    {
        let addresses: Vec<_> = worker
            .list("EndpointSlice")
            .flat_map(|slice| slice.data["endpoints"].as_array().into_iter().flatten())
            .filter(|endpoint| endpoint["hostname"] == pod)
            .map(|endpoint| endpoint["addresses"].clone())
            .collect();
        let expected = serde_json::json!([[found.data["status"]["podIP"]]]);
        assert_eq!(serde_json::json!(addresses), expected, "{pod} seen from {}", worker.name);
    }
}

/// No group of three or more loses its majority by a restart.
pub(super) fn of_restart(world: &World, restart: &Action) {
    let running = world.running();
    let gone = key(restart).name;
    for (group, voters) in world.servers.votes() {
        let left = voters.iter().filter(|pod| running.contains_key(pod.as_str()) && **pod != *gone).count();
        assert!(voters.len() < 3 || left > voters.len() / 2, "{group} loses its majority by {restart}");
    }
}
