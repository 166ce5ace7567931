//! What a pass asks of whoever drives it.

use std::fmt;
use std::time::Duration;

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kogge_api::ClusterId;
use kogge_api::conditions::database::{DRIFTED, READY};
use kogge_engine::{Database, DatabaseStatus, Engine, PodName};
use kogge_plan::teardown::TeardownPlan;

use super::carried::Carried;
use super::ready::{Ready, RenderInput};
use crate::missing_pods::MissingPods;
use crate::plan::DatabasePlan;
use crate::report::DRIFTS;
use crate::secrets::{DatabaseSecrets, Users};

/// What to do next.
pub enum Look<'a, E: Engine> {
    /// Read this in the control cluster, into [`super::ControlState`].
    Read(Read),
    /// Render the spec with [`crate::acceptance::render`], into [`super::Known::rendered`].
    Render(Box<RenderInput>),
    /// Ask the members and routers; then [`super::Known::answered`].
    Ask(Box<Ready<'a, E>>),
    /// Ask the queue of all databases which groups have to wait; then [`super::Known::queued`].
    Queue(Box<DatabasePlan<E>>),
    /// Carry the plan out: the rehearsal, the writes to workers, the engine's steps, the restarts; then
    /// [`super::Known::carried`].
    CarryOut,
    /// Ask the controllers of these StatefulSets why they make no pods; then [`super::Known::explained`].
    Explain(Vec<MissingPods>),
    /// Let members do what is part of no plan; then [`super::Known::worked`].
    Members(MembersWork),
    /// Delete these objects on the workers; then [`super::ControlState::torn_down`].
    TearDown(Box<TeardownPlan>),
    /// Write this in the control cluster. Where the pass goes on: then [`super::Known::written`].
    Write(Box<Write>, Then),
    /// The pass is over.
    Done(Again),
}

/// What to read in the control cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// The owner that the Secret of a database in Kogge's namespace names, or else its ControllerRevisions
    /// ([`kogge_api::OwnerRecord::of`]).
    Owner(ClusterId),
    /// The ControllerRevisions of a database.
    Revisions(ClusterId),
    /// The Secret of a database's own in Kogge's namespace ([`DatabaseSecrets::name`]).
    Secrets(ClusterId),
    /// The Secret of that name beside the resource, with the user's certificate.
    NamedSecret(String),
    /// The administrator's Secret of that name beside the resource.
    AdminSecret(String),
    /// Whether the resource's namespace or the definition of its kind are being deleted.
    Endings,
    /// Whether the ConfigMap of that name stands in Kogge's namespace.
    Tombstone(String),
}

/// What members are to do beside a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MembersWork {
    /// Make these users in every group, through its leader.
    CreateUsers {
        /// The leaders.
        leaders: Vec<PodName>,
        /// The users.
        users: Users,
    },
    /// Remove users from every group, through its leader.
    RemoveUsers {
        /// The leaders.
        leaders: Vec<PodName>,
        /// Their names.
        names: Vec<String>,
    },
    /// Let every server read its certificate again, and see which it serves.
    ReloadCertificates,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub enum MembersAnswer {
    /// It is so everywhere.
    Done,
    /// It is not so everywhere yet.
    NotYet,
    /// It failed.
    Failed(Carried),
}

/// A write in the control cluster.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Kogge's finalizer, and the clusterID if there is one, on the resource.
    Claim {
        /// The clusterID.
        id: Option<ClusterId>,
    },
    /// The resource may go: nothing is left of its database.
    Release,
    /// What a spec was rendered to; it must not be there yet.
    Revision(Box<ControllerRevision>),
    /// The secrets of a database that begins now; they must not be there yet.
    CreateSecrets(Box<DatabaseSecrets>),
    /// The secrets of a database, over those that were read.
    UpdateSecrets {
        /// The secrets.
        secrets: Box<DatabaseSecrets>,
        /// The version that they replace.
        resource_version: Option<String>,
        /// What to tell once they are written.
        events: Vec<Event>,
    },
    /// The resource's status, over the one that was read.
    Status {
        /// The status.
        status: Box<DatabaseStatus>,
        /// What to tell once it is written.
        events: Vec<Event>,
    },
    /// The administrator's Secret beside the resource, over the one that was read: its UID and resourceVersion stand in
    /// it. Without them there must be none yet.
    Admin(Box<Secret>),
    /// Removes ControllerRevisions of these names in Kogge's namespace.
    RemoveRevisions(Vec<String>),
    /// The record that a database was deleted on purpose; it must not be there yet.
    Tombstone(Box<ConfigMap>),
    /// Removes what Kogge kept of a database that is torn down; its tombstone last.
    Forget {
        /// The names of ControllerRevisions in Kogge's namespace.
        revisions: Vec<String>,
        /// The Secret in Kogge's namespace, where the data is gone too.
        secrets: Option<String>,
        /// The administrator's Secret beside the resource; none where there is none of Kogge's.
        admin: Option<Standing>,
        /// The tombstone in Kogge's namespace.
        tombstone: String,
    },
}

/// An object as it was read: only that one is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: Option<String>,
    /// Its version.
    pub resource_version: Option<String>,
}

impl From<&ObjectMeta> for Standing {
    fn from(metadata: &ObjectMeta) -> Self {
        Self {
            name: metadata.name.clone().unwrap_or_default(),
            uid: metadata.uid.clone(),
            resource_version: metadata.resource_version.clone(),
        }
    }
}

/// What follows a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The pass goes on.
    GoOn,
    /// The pass is over: the next one must see what was written.
    End(Again),
}

/// When to come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// When anything changes.
    OnChange,
    /// Then, or when anything changes before.
    After(Duration),
}

/// How an event is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// As it should be.
    Normal,
    /// To be looked at.
    Warning,
}

/// An event on the resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// How it is meant.
    pub severity: Severity,
    /// A stable word in CamelCase.
    pub reason: String,
    /// What happened.
    pub note: String,
}

impl Event {
    pub(super) fn warning(reason: &str, note: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, reason: reason.to_owned(), note: note.into() }
    }

    pub(super) fn normal(reason: &str, note: impl Into<String>) -> Self {
        Self { severity: Severity::Normal, reason: reason.to_owned(), note: note.into() }
    }
}

impl Write {
    /// A status, with an event where Ready changed and for each drift that was not told before; none where the resource
    /// has it already (A5).
    pub fn status(database: &Database, status: DatabaseStatus) -> Option<Self> {
        let before = database.status.clone().unwrap_or_default();
        if before == status {
            return None;
        }
        let events = ready_changed(&before, &status).into_iter().chain(drifted_anew(&before, &status)).collect();
        Some(Self::Status { status: Box::new(status), events })
    }

    /// What to tell once it is written.
    pub fn events(&self) -> &[Event] {
        match self {
            Self::Status { events, .. } | Self::UpdateSecrets { events, .. } => events,
            Self::Claim { .. }
            | Self::Release
            | Self::Revision(_)
            | Self::CreateSecrets(_)
            | Self::Admin(_)
            | Self::RemoveRevisions(_)
            | Self::Tombstone(_)
            | Self::Forget { .. } => &[],
        }
    }
}

/// What is told where Ready, or its reason, changes.
fn ready_changed(before: &DatabaseStatus, after: &DatabaseStatus) -> Option<Event> {
    let ready = |status: &DatabaseStatus| status.conditions.iter().find(|c| c.type_ == READY).cloned();
    let now = ready(after)?;
    if ready(before).is_some_and(|was| was.status == now.status && was.reason == now.reason) {
        return None;
    }
    let passes = now.status == "True" || now.reason == "Progressing" || now.reason.ends_with("NotReady");
    Some(if passes { Event::normal(&now.reason, now.message) } else { Event::warning(&now.reason, now.message) })
}

/// The drifts that the status before did not tell of, each by an event of its own.
fn drifted_anew(before: &DatabaseStatus, after: &DatabaseStatus) -> Vec<Event> {
    let drifted = |status: &DatabaseStatus| {
        status.conditions.iter().find(|c| c.type_ == DRIFTED && c.status == "True").cloned()
    };
    let Some(now) = drifted(after) else { return Vec::new() };
    let known = drifted(before).map(|condition| condition.message).unwrap_or_default();
    let known: Vec<&str> = known.split(DRIFTS).collect();
    now.message
        .split(DRIFTS)
        .filter(|drift| !known.contains(drift))
        .map(|new| Event::warning(DRIFTED, new))
        .collect()
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claim { id: Some(id) } => write!(f, "the resource gets Kogge's finalizer and clusterID {id}"),
            Self::Claim { id: None } => f.write_str("the resource gets Kogge's finalizer"),
            Self::Release => f.write_str("the resource is released: nothing of Kogge's is left that is its own"),
            Self::Revision(kept) => {
                write!(
                    f,
                    "ControllerRevision {} keeps a rollout",
                    kept.metadata.name.as_deref().unwrap_or_default()
                )
            }
            Self::CreateSecrets(_) => f.write_str("the database's secrets are made"),
            Self::UpdateSecrets { secrets, .. } => {
                write!(f, "the database's secrets are written, generation {}", secrets.current.number)
            }
            Self::Status { .. } => f.write_str("the status is written"),
            Self::Admin(_) => f.write_str("the administrator's Secret is written"),
            Self::RemoveRevisions(names) => write!(f, "ControllerRevisions are removed: {}", names.join(", ")),
            Self::Tombstone(_) => f.write_str("the record is made that the database was deleted on purpose"),
            Self::Forget { .. } => f.write_str("what was kept of the database is removed"),
        }
    }
}
