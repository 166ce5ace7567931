//! What is known in a pass: what it begins with, and the answers so far.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kogge_api::OwnerRecord;
use kogge_engine::{Database, Engine, GroupName, Millis};
use kogge_plan::FleetView;
use kogge_plan::hash::spec_hash;
use kogge_plan::placement::RegisteredWorker;

use super::carried::Carried;
use super::error::PassError;
use super::look::{MembersAnswer, MembersWork, Write};
use super::ready::{Held, Ready};
use crate::acceptance::Rendered;
use crate::missing_pods::MissingPods;
use crate::plan::DatabasePlan;
use crate::problem::Problem;
use crate::revisions::Kept;
use crate::rivals::Rival;
use crate::sighting::Sighting;

/// What a pass begins with. Nothing of it changes while the pass lasts.
pub struct Start<'a, E: Engine> {
    /// The database as its resource declares it.
    pub database: &'a Database,
    /// What only its engine reads of that.
    pub spec: &'a E::Spec,
    /// Every WorkerCluster.
    pub workers: &'a [RegisteredWorker],
    /// The other resources, of any kind, that [`Rival::can_meet`] this one.
    pub rivals: &'a [Rival],
    /// What was observed of the workers.
    pub fleet: &'a FleetView,
    /// The UID of `kube-system` in the control cluster.
    pub control_uid: &'a str,
    /// Kogge's own namespace in the control cluster.
    pub system_namespace: &'a str,
    /// Whether the process is too young to tell a silent worker from one that it has not reached yet.
    pub settling_in: bool,
    /// Now, for people and certificates.
    pub now: &'a Time,
    /// Now, on the clock that observations of members are dated by.
    pub clock: Millis,
}

impl<E: Engine> Clone for Start<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E: Engine> Copy for Start<'_, E> {}

/// What is known so far.
pub struct Known<'a, E: Engine> {
    /// What the pass began with.
    pub start: Start<'a, E>,
    /// What was read in the control cluster.
    pub control: ControlState,
    /// What the chart makes of the spec, or why the chart was not found or the spec cannot be rendered.
    pub rendered: Option<Result<Rendered, Problem>>,
    /// What followed once the members were asked.
    pub asked: Option<Box<Asked<'a, E>>>,
    // What follows from the start alone is the same at every question of the pass.
    sighting: OnceLock<Sighting<'a, E::Record>>,
    spec_hash: OnceLock<String>,
}

/// What was read in the control cluster; none where it was not read in this pass.
#[derive(Default)]
pub struct ControlState {
    /// Whose the database is by what Kogge keeps of it. It is read first, and nothing else of a database that is
    /// another's.
    pub owner: Option<OwnerRecord>,
    /// The database's ControllerRevisions.
    pub revisions: Option<Revisions>,
    /// The database's secrets; the inner none where there are none.
    pub secrets: Option<Option<Held>>,
    /// The Secret that `spec.security.tls.secretRef` names; the inner none where there is none.
    pub named_secret: Option<Option<Secret>>,
    /// The administrator's Secret beside the resource; the inner none where there is none.
    pub admin_secret: Option<Option<Secret>>,
    /// Whether namespace or definition are being deleted.
    pub endings: Option<Endings>,
    /// Whether the record stands that the database was deleted on purpose.
    pub tombstone: Option<bool>,
    /// What Kogge kept of the database was removed.
    pub forgotten: bool,
    /// The objects of the database were told to go in this pass.
    pub torn_down: bool,
}

/// The ControllerRevisions of a database.
#[derive(Clone, Debug)]
pub struct Revisions {
    /// Their names.
    pub names: Vec<String>,
    /// The rollouts in them, or why they cannot be read.
    pub kept: Result<Arc<Kept>, Problem>,
}

/// What of a resource's surroundings is being deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Endings {
    /// Its namespace.
    pub namespace: bool,
    /// The definition of its kind.
    pub definition: bool,
}

/// What followed once the members were asked.
pub struct Asked<'a, E: Engine> {
    /// What was known before.
    pub ready: Ready<'a, E>,
    /// What they answered.
    pub topology: E::Topology,
    /// What follows, without what waits in the queue.
    pub plan: Option<DatabasePlan<E>>,
    /// What came of the plan.
    pub carried: Option<Carried>,
    pub(super) users: Option<MembersAnswer>,
    pub(super) certificates: Option<MembersAnswer>,
    pub(super) secrets_written: bool,
    pub(super) revisions_removed: bool,
    pub(super) explained: bool,
    pub(super) reported: bool,
}

impl<'a, E: Engine> Known<'a, E> {
    /// A pass that begins.
    pub fn new(start: Start<'a, E>) -> Self {
        Self {
            start,
            control: ControlState::default(),
            rendered: None,
            asked: None,
            sighting: OnceLock::new(),
            spec_hash: OnceLock::new(),
        }
    }

    /// Where the database is, or would be, and whose it is.
    pub fn sighting(&self) -> &Sighting<'a, E::Record> {
        let Start { database, workers, fleet, control_uid, .. } = self.start;
        self.sighting.get_or_init(|| Sighting::of(database, workers, fleet, control_uid))
    }

    /// The hash of the spec that an epoch stands for.
    pub fn spec_hash(&self) -> Result<&str, PassError> {
        if let Some(hash) = self.spec_hash.get() {
            return Ok(hash);
        }
        let hash = spec_hash(self.start.spec).map_err(PassError::Spec)?;
        Ok(self.spec_hash.get_or_init(|| hash))
    }

    /// The members were asked.
    pub fn answered(&mut self, ready: Ready<'a, E>, topology: E::Topology) {
        self.asked = Some(Box::new(Asked {
            ready,
            topology,
            plan: None,
            carried: None,
            users: None,
            certificates: None,
            secrets_written: false,
            revisions_removed: false,
            explained: false,
            reported: false,
        }));
    }

    /// A plan is made, and these groups wait in the queue.
    pub fn queued(&mut self, mut plan: DatabasePlan<E>, waiting: BTreeSet<GroupName>) {
        if let Some(asked) = &mut self.asked {
            plan.hold_back(waiting);
            asked.plan = Some(plan);
        }
    }

    /// The plan was carried out.
    pub fn carried(&mut self, carried: Carried) {
        if let Some(asked) = &mut self.asked {
            asked.carried = Some(carried);
        }
    }

    /// This is why pods are not made.
    pub fn explained(&mut self, why: BTreeMap<MissingPods, String>) {
        if let Some(asked) = &mut self.asked {
            asked.explained = true;
            if let Some(plan) = &mut asked.plan {
                plan.pod_failures = why;
            }
        }
    }

    /// The members were asked to do this.
    pub fn worked(&mut self, work: &MembersWork, answer: MembersAnswer) {
        let Some(asked) = &mut self.asked else { return };
        match work {
            MembersWork::CreateUsers { .. } | MembersWork::RemoveUsers { .. } => asked.users = Some(answer),
            MembersWork::ReloadCertificates => asked.certificates = Some(answer),
        }
    }

    /// This was written, and the pass goes on.
    pub fn written(&mut self, write: Write) {
        match write {
            Write::Admin(secret) => self.control.admin_secret = Some(Some(*secret)),
            Write::Tombstone(_) => self.control.tombstone = Some(true),
            Write::Forget { .. } => self.control.forgotten = true,
            Write::Status { .. } => self.with_asked(|asked| asked.reported = true),
            Write::UpdateSecrets { .. } => self.with_asked(|asked| asked.secrets_written = true),
            Write::RemoveRevisions(_) => self.with_asked(|asked| asked.revisions_removed = true),
            // The pass ends with these.
            Write::Claim { .. } | Write::Release | Write::Revision(_) | Write::CreateSecrets(_) => {}
        }
    }

    fn with_asked(&mut self, change: impl FnOnce(&mut Asked<'a, E>)) {
        if let Some(asked) = &mut self.asked {
            change(asked);
        }
    }
}
