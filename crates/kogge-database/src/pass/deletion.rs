//! Deletion: the database keeps running through its cool-off; then, and only then, it is torn down.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kogge_api::federated_cluster::DataPolicy;
use kogge_api::status::DeletionStatus;
use kogge_api::{ClusterId, OwnerRecord, names};
use kogge_engine::{Database, DatabaseStatus, Engine};
use kogge_plan::teardown::{DeletionState, deletion_record, deletion_state};
use kube_core::CustomResourceExt as _;

use super::known::{Endings, Known, Start};
use super::look::{Again, Event, Look, Read, Standing, Then, Write};
use super::pace::{blocked, is_protected};
use crate::problem::Problem;
use crate::report::unchanged;
use crate::revisions::system_labels;
use crate::secrets::{DatabaseSecrets, taken_by};
use crate::sighting::Sighting;
use crate::teardown::teardown;

/// How soon to look again after the status was written.
const RECORDED: Again = Again::After(Duration::from_millis(100));
/// How soon to look again while a teardown goes on.
const TEARING_DOWN: Again = Again::After(Duration::from_secs(1));

/// What the deletion asks for next; none while the database keeps running: then the pass goes on as usual.
pub(super) fn next<'a, E: Engine>(known: &Known<'a, E>) -> Option<Look<'a, E>> {
    let start = known.start;
    let database = start.database;
    let asked = database.metadata.deletion_timestamp.as_ref()?;
    if !is_protected(start) {
        return Some(Look::Done(Again::OnChange));
    }
    let recorded = database.status.as_ref().and_then(|status| status.deletion.as_ref());
    let cool_off = Duration::from(database.deletion.cool_off);
    let record = deletion_record(asked, recorded, cool_off);
    if recorded != Some(&record) {
        let note = format!("the database keeps running until {}", record.executes_at.0);
        return Some(recording(start, record, Event::warning("DeletionPending", note)));
    }
    match deletion_state(start.now.0, asked, recorded, cool_off) {
        DeletionState::Pending { .. } => None,
        // Whoever deletes these deletes databases by accident: the countdown halts, and the database runs on.
        DeletionState::Due => match known.control.endings {
            None => Some(Look::Read(Read::Endings)),
            Some(endings) => match halted_by::<E>(database, endings) {
                Some(cause) if record.halted.as_ref() != Some(&cause) => {
                    let event = Event::warning("DeletionHalted", cause.clone());
                    Some(recording(start, DeletionStatus { halted: Some(cause), ..record }, event))
                }
                Some(_) => None,
                None => Some(tear_down(known)),
            },
        },
    }
}

fn recording<'a, E: Engine>(start: Start<'_, E>, record: DeletionStatus, event: Event) -> Look<'a, E> {
    let status = DatabaseStatus { deletion: Some(record), ..unchanged(start.database, start.now) };
    let write = Write::Status { status: Box::new(status), events: vec![event] };
    Look::Write(Box::new(write), Then::End(RECORDED))
}

/// What halts the countdown: the definition, or the namespace, is being deleted itself.
fn halted_by<E: Engine>(database: &Database, endings: Endings) -> Option<String> {
    if endings.namespace {
        let namespace = database.namespace();
        return Some(format!("namespace {namespace} is being deleted: the database keeps running"));
    }
    endings.definition.then(|| {
        let definition = E::Resource::crd_name();
        format!("the definition {definition} is being deleted: the database keeps running")
    })
}

fn tear_down<'a, E: Engine>(known: &Known<'a, E>) -> Look<'a, E> {
    let (start, control) = (known.start, &known.control);
    let release = || Look::Write(Box::new(Write::Release), Then::End(Again::OnChange));
    let Some(id) = &start.database.cluster_id else {
        // It was never written anywhere.
        return release();
    };
    let name = names::system_object(id, "tombstone");
    match control.tombstone {
        None => return Look::Read(Read::Tombstone(name)),
        // Nothing proves that what is kept under this clusterID is this resource's: its end removes nothing but itself.
        Some(false) if !is_proven(known) => return release(),
        Some(false) => {
            return Look::Write(Box::new(Write::Tombstone(Box::new(tombstone(id, name, start)))), Then::GoOn);
        }
        Some(true) => {}
    }
    let plan = teardown::<E>(start.database, id, start.fleet, start.control_uid);
    if plan.is_done() {
        if control.forgotten {
            return release();
        }
        let Some(stored) = &control.revisions else { return Look::Read(Read::Revisions(id.clone())) };
        let admin = names::admin_secret(start.database.name());
        let Some(admin) = &control.admin_secret else { return Look::Read(Read::AdminSecret(admin)) };
        let owner = start.database.owner();
        let admin = admin.as_ref().filter(|found| taken_by(found, id, &owner).is_none());
        let admin = admin.map(|found| Standing::from(&found.metadata));
        let forget = forget(start.database, id, stored.names.clone(), admin, name);
        return Look::Write(Box::new(forget), Then::GoOn);
    }
    if !control.torn_down {
        return Look::TearDown(Box::new(plan));
    }
    let left: Vec<String> = plan.remaining.iter().map(|(worker, what)| format!("{worker}: {what}")).collect();
    let problem = Problem::Failed {
        reason: "TearingDown".to_owned(),
        message: format!("the teardown goes on; left are {}", left.join("; ")),
    };
    blocked(start, &problem, TEARING_DOWN)
}

/// Whether what is kept of the database is this resource's, by the record itself or by an anchor.
fn is_proven<E: Engine>(known: &Known<'_, E>) -> bool {
    let start = known.start;
    known.control.owner != Some(OwnerRecord::Unnamed)
        || Sighting::<E::Record>::of(start.database, start.workers, start.fleet, start.control_uid)
            .is_proven(start.fleet)
}

/// The record that a database was deleted on purpose; it stands before the first deletion.
fn tombstone<E: Engine>(id: &ClusterId, name: String, start: Start<'_, E>) -> ConfigMap {
    let data = [("clusterID", id.to_string()), ("executedAt", start.now.0.to_string())];
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: Some(start.system_namespace.to_owned()),
            labels: Some(system_labels(id, "tombstone")),
            annotations: Some([start.database.owner().annotation()].into()),
            ..ObjectMeta::default()
        },
        data: Some(data.map(|(key, value)| (key.to_owned(), value)).into()),
        ..ConfigMap::default()
    }
}

/// What goes once every worker has confirmed. Volumes that stay are worth nothing without the key and the passwords.
fn forget(
    database: &Database,
    id: &ClusterId,
    revisions: Vec<String>,
    admin: Option<Standing>,
    tombstone: String,
) -> Write {
    Write::Forget {
        revisions,
        secrets: (database.deletion.data == DataPolicy::Delete).then(|| DatabaseSecrets::name(id)),
        admin,
        tombstone,
    }
}
