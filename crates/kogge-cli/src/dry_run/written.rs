//! The control cluster as it would be: what a pass would write there first is taken as written.

use std::sync::Arc;

use anyhow::Context as _;
use k8s_openapi::api::apps::v1::ControllerRevision;
use kogge_api::guarded::Undecodable;
use kogge_api::{ClusterId, FINALIZER, OwnerRecord};
use kogge_database::pass::{ControlState, Held, Read, Revisions, Write};
use kogge_database::revisions::Kept;
use kogge_database::secrets::{DatabaseSecrets, Sample, Wanted};
use kogge_engine::{Engine, Identity};
use kube::Resource as _;
use serde_json::json;

use super::control::{Known, SecretsKnown};

/// The domain in the names of certificates that stand for ones that cannot be read.
const SAMPLE_DOMAIN: &str = "cluster.local";

/// What was read, with what would be written over it.
pub(super) struct Written<E: Engine> {
    pub(super) resource: E::Resource,
    pub(super) kept: Arc<Kept>,
    /// What to know of what would be written, in sentences.
    pub(super) notes: Vec<String>,
    revisions: Vec<ControllerRevision>,
    secrets: Option<Arc<DatabaseSecrets>>,
    owner: OwnerRecord,
    tombstone: bool,
}

fn left_out(worker: &Undecodable) -> String {
    format!("WorkerCluster {} is left out: {}", worker.name(), worker.message())
}

impl<E: Engine> Written<E> {
    /// Nothing is written yet.
    pub(super) fn nothing(known: &Known<E>) -> anyhow::Result<Self> {
        let secrets = match &known.secrets {
            SecretsKnown::Read(secrets) => Some(Arc::new((**secrets).clone())),
            SecretsKnown::Absent | SecretsKnown::Unreadable(_) => None,
        };
        let mut written = Self {
            resource: known.resource.clone(),
            kept: Arc::default(),
            notes: known.undecodable.iter().map(left_out).collect(),
            revisions: known.revisions.clone(),
            secrets,
            owner: owner(known),
            tombstone: false,
        };
        written.keep()?;
        Ok(written)
    }

    fn keep(&mut self) -> anyhow::Result<()> {
        self.kept = Arc::new(Kept::read(&self.revisions).context("the kept revisions cannot be read")?);
        Ok(())
    }

    /// Answers what a pass reads in the control cluster.
    pub(super) fn read(
        &self,
        what: &Read,
        control: &mut ControlState,
        known: &Known<E>,
        mint: &mut Sample,
    ) -> anyhow::Result<()> {
        match what {
            Read::Owner(_) => control.owner = Some(self.owner.clone()),
            Read::Revisions(_) => {
                let names = self.revisions.iter().filter_map(|stored| stored.metadata.name.clone()).collect();
                control.revisions = Some(Revisions { names, kept: Ok(Arc::clone(&self.kept)) });
            }
            Read::Secrets(_) => {
                let secrets = match &known.secrets {
                    SecretsKnown::Unreadable(_) => Some(Arc::new(self.sample(mint)?)),
                    SecretsKnown::Read(_) | SecretsKnown::Absent => self.secrets.clone(),
                };
                control.secrets = Some(secrets.map(|secrets| Held { secrets, resource_version: None }));
            }
            Read::NamedSecret(_) => control.named_secret = Some(known.named_secret.clone()),
            // What it holds follows from what was read; a plan shows only whose it is.
            Read::AdminSecret(_) => control.admin_secret = Some(known.admin_secret.clone()),
            Read::Endings => control.endings = Some(known.endings),
            Read::Tombstone(_) => control.tombstone = Some(self.tombstone),
        }
        Ok(())
    }

    /// What stands for secrets that cannot be read.
    fn sample(&self, mint: &mut Sample) -> anyhow::Result<DatabaseSecrets> {
        let database = E::database(&self.resource);
        let identity = Identity {
            name: database.name().to_owned(),
            namespace: database.namespace().to_owned(),
            id: database.cluster_id.clone().context("the database has no clusterID")?,
            cluster_domain: SAMPLE_DOMAIN.to_owned(),
        };
        Ok(DatabaseSecrets::begin(&Wanted::new(&identity, &database, None), mint)?)
    }

    /// Takes a write as done.
    pub(super) fn take(&mut self, write: &Write) -> anyhow::Result<()> {
        match write {
            Write::Claim { id } => {
                let finalizers = self.resource.meta_mut().finalizers.get_or_insert_default();
                if !finalizers.iter().any(|name| name == FINALIZER) {
                    finalizers.push(FINALIZER.to_owned());
                }
                let recorded = E::database(&self.resource).cluster_id.is_some();
                if let (None, Some(id)) = (E::cluster_id(E::spec(&self.resource)), id) {
                    self.resource = identified::<E>(&self.resource, id)?;
                    let note = "Kogge gives the database its clusterID first; here it is a sample";
                    if !recorded {
                        self.notes.push(note.to_owned());
                    }
                }
            }
            Write::Revision(object) => {
                self.revisions.push((**object).clone());
                self.keep()?;
                let version = self.kept.newest().map(|newest| newest.chart_version.as_str()).unwrap_or_default();
                self.notes.push(format!("what chart {version} renders to is kept as a ControllerRevision first"));
            }
            Write::CreateSecrets(secrets) | Write::UpdateSecrets { secrets, .. } => {
                self.secrets = Some(Arc::new((**secrets).clone()));
                self.owner = OwnerRecord::Named(E::database(&self.resource).owner());
            }
            Write::Status { status, .. } => {
                self.resource = E::with_status(&self.resource, (**status).clone());
            }
            Write::Tombstone(_) => self.tombstone = true,
            Write::Release | Write::Admin(_) | Write::RemoveRevisions(_) | Write::Forget { .. } => {}
        }
        Ok(())
    }
}

/// Whose the database is. Where its Secret may not be read, nobody knows what it says, and the plan is made as if it named
/// this resource.
fn owner<E: Engine>(known: &Known<E>) -> OwnerRecord {
    match (&known.secrets, &known.owner) {
        (SecretsKnown::Unreadable(_), OwnerRecord::Absent | OwnerRecord::Unnamed) => {
            OwnerRecord::Named(E::database(&known.resource).owner())
        }
        (_, owner) => owner.clone(),
    }
}

/// The resource with its clusterID, which has the same place in every kind's spec.
fn identified<E: Engine>(resource: &E::Resource, id: &ClusterId) -> anyhow::Result<E::Resource> {
    let mut value = json!(resource);
    value["spec"]["clusterID"] = json!(id);
    Ok(serde_json::from_value(value)?)
}
