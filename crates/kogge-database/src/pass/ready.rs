//! What comes out of acceptance: the members may be asked.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kogge_engine::{Database, Engine, Identity};

use crate::acceptance::ChartName;
use crate::prepared::Prepared;
use crate::problem::Problem;
use crate::secrets::{DatabaseSecrets, IncompleteSecret, Issuer, Mounted, Wanted};

/// The database's secrets, as they were read.
#[derive(Clone, Debug)]
pub struct Held {
    /// The secrets.
    pub secrets: Arc<DatabaseSecrets>,
    /// The version of the Secret that they were read from: they are written over that, and over nothing else.
    pub resource_version: Option<String>,
}

impl Held {
    /// Reads them.
    pub fn read(secret: &Secret) -> Result<Self, IncompleteSecret> {
        Ok(Self {
            secrets: Arc::new(DatabaseSecrets::read(secret)?),
            resource_version: secret.metadata.resource_version.clone(),
        })
    }
}

/// What a rendering is made from, beside the resource and what is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderInput {
    /// Which database.
    pub identity: Identity,
    /// The chart.
    pub chart: ChartName,
    /// The generation of secrets that the pods are to mount.
    pub mounted: Mounted,
}

/// What a database of this engine asks of the secrets.
pub(super) fn wanted<'a, E: Engine>(
    identity: &'a Identity,
    database: &'a Database,
    given: Option<Issuer>,
) -> Wanted<'a> {
    Wanted::new(identity, database, given).with_client_certificates(E::ASKS_FOR_CERTIFICATES)
}

/// A pass that may ask the members.
pub struct Ready<'a, E: Engine> {
    /// The goal, and where the members are.
    pub prepared: Prepared<'a, E>,
    /// The database's secrets.
    pub held: Held,
    /// What the Secret holds that the spec may name, or why nothing can be made of it: then the secrets stay.
    pub given: Result<Option<Issuer>, Problem>,
    /// Why the present spec is not carried out; then the one that was accepted last is.
    pub problem: Option<Problem>,
}

impl<E: Engine> Ready<'_, E> {
    /// What the spec asks of the secrets; none where that cannot be told.
    pub fn wanted(&self) -> Option<Wanted<'_>> {
        let observation = &self.prepared.observation;
        let given = self.given.as_ref().ok()?;
        Some(wanted::<E>(&observation.identity, observation.database, given.clone()))
    }
}
