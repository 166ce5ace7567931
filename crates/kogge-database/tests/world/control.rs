//! The control cluster: what Kogge reads and writes there, and how that may fail.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kogge_api::{FINALIZER, Owner, OwnerRecord, SYSTEM_NAMESPACE, gate};
use kogge_database::acceptance::{self, Rendered};
use kogge_database::pass::{ControlState, Endings, Held, Read, RenderInput, Revisions, Write};
use kogge_database::report::Problem;
use kogge_database::revisions::Kept;
use kogge_database::secrets::DatabaseSecrets;
use kogge_database::template::Surroundings;
use kogge_engine::Engine as _;

use super::{ID, Kind, Resource, World, laws};

/// How a request to the control cluster fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ControlFault {
    /// What it rests on is there already, is gone, or changed.
    Stale,
    /// It was not answered.
    Silent,
}

/// What becomes of the next requests to the control cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fortune {
    Answered,
    /// It never arrives.
    Lost,
    /// It is carried out, and the answer does not arrive.
    AnswerLost,
}

impl World {
    /// The resource as the operator sees it; none once it is gone.
    pub(super) fn cluster_read(&self) -> Option<Resource> {
        (!self.released).then(|| self.cluster.clone())
    }

    fn fortune(&mut self) -> Fortune {
        self.fortunes.pop_front().unwrap_or(Fortune::Answered)
    }

    pub(super) fn read_control(&mut self, what: &Read, known: &mut ControlState) -> Result<(), ControlFault> {
        if self.fortune() != Fortune::Answered {
            return Err(ControlFault::Silent);
        }
        match what {
            Read::Owner(id) => {
                assert_eq!(id.as_str(), ID);
                let revisions = self.revisions.iter().map(|revision| &revision.metadata);
                let kept = self.secrets.iter().map(|secret| &secret.metadata).chain(revisions);
                known.owner = Some(OwnerRecord::of(kept));
            }
            Read::Revisions(id) => {
                assert_eq!(id.as_str(), ID);
                let names = self.revisions.iter().filter_map(|stored| stored.metadata.name.clone()).collect();
                known.revisions = Some(Revisions { names, kept: self.kept() });
            }
            Read::Secrets(id) => {
                assert_eq!(id.as_str(), ID);
                known.secrets = Some(self.secrets.as_ref().map(|secret| Held::read(secret).unwrap()));
            }
            Read::NamedSecret(_) => known.named_secret = Some(self.named_secret.clone()),
            Read::AdminSecret(_) => known.admin_secret = Some(self.admin_secret.clone()),
            Read::Endings => known.endings = Some(self.endings),
            Read::Tombstone(_) => known.tombstone = Some(self.tombstone),
        }
        Ok(())
    }

    pub(super) fn write_control(&mut self, read: &Resource, write: &Write) -> Result<(), ControlFault> {
        let fortune = self.fortune();
        if fortune == Fortune::Lost {
            return Err(ControlFault::Silent);
        }
        laws::of_control_write(self, read, write);
        self.carry_out_control(read, write)?;
        if fortune == Fortune::AnswerLost { Err(ControlFault::Silent) } else { Ok(()) }
    }

    fn carry_out_control(&mut self, read: &Resource, write: &Write) -> Result<(), ControlFault> {
        match write {
            Write::Claim { id } => {
                self.unchanged_since(read)?;
                self.cluster.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
                if *id != self.cluster.spec.cluster_id {
                    self.edit(|spec| spec.cluster_id.clone_from(id));
                }
            }
            Write::Release => {
                self.unchanged_since(read)?;
                self.cluster.metadata.finalizers = None;
                self.released = self.cluster.metadata.deletion_timestamp.is_some();
            }
            Write::Revision(object) => {
                if self.revisions.iter().any(|stored| stored.metadata.name == object.metadata.name) {
                    return Err(ControlFault::Stale);
                }
                self.revisions.push((**object).clone());
            }
            Write::CreateSecrets(secrets) => {
                if self.secrets.is_some() {
                    return Err(ControlFault::Stale);
                }
                self.keep(secrets);
            }
            Write::UpdateSecrets { secrets, resource_version, .. } => {
                let present = self.secrets.as_ref().map(|secret| &secret.metadata.resource_version);
                if present != Some(resource_version) {
                    return Err(ControlFault::Stale);
                }
                self.keep(secrets);
            }
            Write::Status { status, .. } => {
                self.unchanged_since(read)?;
                // As the API server gives it back.
                let cluster = Kind::with_status(&self.cluster, (**status).clone());
                let value = serde_json::to_value(&cluster).unwrap();
                self.cluster = serde_json::from_value::<Resource>(value).unwrap();
            }
            Write::Admin(secret) => {
                let version = |secret: &Secret| secret.metadata.resource_version.clone();
                if self.admin_secret.as_ref().and_then(version) != version(secret) {
                    return Err(ControlFault::Stale);
                }
                self.versions += 1;
                let mut written = (**secret).clone();
                written.metadata.resource_version = Some(self.versions.to_string());
                self.admin_secret = Some(written);
            }
            Write::RemoveRevisions(names) => self.remove_revisions(names),
            Write::Tombstone(_) if self.tombstone => return Err(ControlFault::Stale),
            Write::Tombstone(_) => self.tombstone = true,
            Write::Forget { revisions, secrets, admin, .. } => {
                self.remove_revisions(revisions);
                if secrets.is_some() {
                    self.secrets = None;
                }
                if admin.is_some() {
                    self.admin_secret = None;
                }
                self.tombstone = false;
            }
        }
        for event in write.events() {
            self.events.push(event.clone());
        }
        Ok(())
    }

    /// What the resourceVersion in a write to the resource guards: nobody wrote to it since it was read.
    fn unchanged_since(&self, read: &Resource) -> Result<(), ControlFault> {
        let [read, present] = [read, &self.cluster].map(|cluster| serde_json::to_value(cluster).unwrap());
        if read == present { Ok(()) } else { Err(ControlFault::Stale) }
    }

    fn remove_revisions(&mut self, names: &[String]) {
        self.revisions.retain(|stored| !stored.metadata.name.as_ref().is_some_and(|name| names.contains(name)));
    }

    fn keep(&mut self, secrets: &DatabaseSecrets) {
        let mut secret = secrets.to_secret(&ID.parse().unwrap(), SYSTEM_NAMESPACE, &self.owner()).unwrap();
        self.versions += 1;
        secret.metadata.resource_version = Some(self.versions.to_string());
        self.secrets = Some(secret);
    }

    /// The resource as records name it.
    pub(crate) fn owner(&self) -> Owner {
        Kind::database(&self.cluster).owner()
    }

    /// Asks for the end of the database, as `kubectl delete` does.
    pub(crate) fn delete(&mut self) {
        self.cluster.metadata.deletion_timestamp = Some(self.clock());
    }

    /// Namespace or definition are being deleted, too.
    pub(crate) fn end(&mut self, endings: Endings) {
        self.endings = endings;
    }

    /// Now, for people.
    pub(crate) fn clock(&self) -> Time {
        let since = SignedDuration::from_millis(i64::try_from(self.now).unwrap());
        Time(Timestamp::constant(1_767_225_600, 0).checked_add(since).unwrap())
    }

    /// What is kept, read again only where it changed: that takes most of a pass.
    fn kept(&mut self) -> Result<Arc<Kept>, Problem> {
        let numbers: Vec<i64> = self.revisions.iter().map(|stored| stored.revision).collect();
        if let Some((of, kept)) = &self.read
            && *of == numbers
        {
            return Ok(Arc::clone(kept));
        }
        let kept = Arc::new(Kept::read(&self.revisions)?);
        self.read = Some((numbers, Arc::clone(&kept)));
        Ok(kept)
    }

    /// Renders, or tells what came of the same rendering before.
    pub(super) fn render(&mut self, input: &RenderInput) -> Result<Rendered, Problem> {
        let inputs =
            serde_json::to_string(&(&self.cluster.spec, self.revisions.len(), &self.status().chart_version));
        let RenderInput { identity, chart, mounted } = input.clone();
        let chart = self.charts.find_or_newest(&chart.name, chart.version.as_deref());
        let hash = chart.as_ref().map(|chart| chart.content_hash.clone());
        let inputs = format!("{} {:?} {hash:?}", inputs.unwrap(), input.mounted);
        if let Some((of, result)) = &self.rendered
            && *of == inputs
        {
            return result.clone();
        }
        let kept = self.kept()?;
        let (database, spec) = (Kind::database(&self.cluster), &self.cluster.spec);
        let around = Surroundings { kube_version: "1.34.4", agent_image: gate::IMAGE };
        let result = acceptance::render::<Kind>(&database, spec, &identity, &kept, chart, around, mounted);
        self.rendered = Some((inputs, result.clone()));
        result
    }
}
