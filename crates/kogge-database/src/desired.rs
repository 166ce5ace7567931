//! The objects that every worker should hold.

use std::collections::{BTreeMap, BTreeSet};

use kogge_api::anchor::{Anchor, AnchorError};
use kogge_chart::shape::{Shape, Storage, overlay};
use kogge_engine::{ComponentKey, Engine, Identity, Share};
use kogge_plan::rollout::UseRevision;
use kogge_plan::{Object, ObjectKey, anchors};

use crate::revisions::{Kept, RenderedShare, Rollout};
use crate::secrets::DatabaseSecrets;
use crate::template::key_name;

/// Why a worker's objects cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum DesiredError {
    /// The anchor cannot be written.
    #[error(transparent)]
    Anchor(#[from] AnchorError),
    /// The template that a share runs is not kept, so the share is left as it stands.
    #[error(
        "revision {revision} of {share} is kept nowhere; nothing of that share is changed until the rollout reaches it"
    )]
    RevisionLost {
        /// The share.
        share: String,
        /// The revision that it runs.
        revision: String,
    },
}

impl DesiredError {
    /// A stable word in CamelCase.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Anchor(_) => "AnchorUnwritable",
            Self::RevisionLost { .. } => "RevisionLost",
        }
    }
}

/// What stands on a worker whatever the chart says: the anchor with its copy, and the secrets of every generation
/// that its pods may be made with.
pub(crate) fn guarding<E: Engine>(
    identity: &Identity,
    anchor: &Anchor<E::Record>,
    secrets: &DatabaseSecrets,
    components: &BTreeSet<&ComponentKey>,
) -> Result<Vec<Object>, DesiredError> {
    let mut objects = anchors::objects(anchor, &identity.namespace)?.to_vec();
    let generations = secrets.generations();
    objects.extend(
        generations
            .flat_map(|generation| generation.objects(identity, E::HAS_KEYFILE, components.iter().copied())),
    );
    Ok(objects)
}

/// The objects of one share, with the template that its turn in the rollout gives it. `replicas` is the number
/// of pods to keep, which is above what the spec asks for while members still leave.
pub(crate) fn of_share(
    share: &Share,
    replicas: u32,
    turn: Option<&UseRevision>,
    rollout: &Rollout,
    kept: &Kept,
) -> Result<Vec<Object>, DesiredError> {
    let name = key_name(&share.key());
    let shape = Shape {
        replicas,
        storage: share
            .storage
            .as_ref()
            .map(|storage| Storage { size: storage.size.clone(), class: storage.storage_class_name.clone() }),
        labels: BTreeMap::new(),
    };
    let Some(template) = template(&name, turn, rollout, kept)? else {
        return Ok(Vec::new());
    };
    Ok(overlay(&template.objects, &shape))
}

fn template<'a>(
    share: &str,
    turn: Option<&UseRevision>,
    rollout: &'a Rollout,
    kept: &'a Kept,
) -> Result<Option<&'a RenderedShare>, DesiredError> {
    match turn {
        None => Ok(None),
        Some(UseRevision::Desired) => Ok(rollout.shares.get(share)),
        Some(UseRevision::Keep(revision)) => match kept.find(share, revision) {
            Some(template) => Ok(Some(template)),
            None => Err(DesiredError::RevisionLost { share: share.to_owned(), revision: revision.clone() }),
        },
    }
}

/// Objects by key: a Service that two placements on one worker share stands once.
pub(crate) fn by_key(objects: Vec<Object>) -> BTreeMap<ObjectKey, Object> {
    let mut by_key = BTreeMap::new();
    for object in objects {
        if let Some(key) = ObjectKey::of(&object) {
            by_key.entry(key).or_insert(object);
        }
    }
    by_key
}
