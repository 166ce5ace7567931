//! What specs rendered to, and what ControllerRevisions unpack to, kept for as long as nothing changes that it was made
//! from: a pass without news renders and unpacks nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::ControllerRevision;
use kogge_api::ClusterId;
use kogge_database::acceptance::Rendered;
use kogge_database::pass::{RenderInput, Revisions};
use kogge_database::report::Problem;
use kogge_database::revisions::Kept;
use kube::ResourceExt as _;
use parking_lot::Mutex;

/// Everything that a rendering is made from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RenderKey {
    /// The hash of the spec.
    pub(crate) spec: String,
    pub(crate) input: RenderInput,
    /// The hash of the chart's files, or why there is no chart.
    pub(crate) chart: Result<String, String>,
    /// The names of the ControllerRevisions; each says what it says for good.
    pub(crate) revisions: Vec<String>,
    /// The oldest Kubernetes version of the workers.
    pub(crate) kube_version: String,
}

type Outcome = Result<Rendered, Problem>;

/// The last rendering of each database.
#[derive(Default)]
pub struct Renders(Mutex<BTreeMap<ClusterId, (RenderKey, Outcome)>>);

impl Renders {
    /// What came of the last rendering, where it was made from the same.
    pub(crate) fn of(&self, key: &RenderKey) -> Option<Outcome> {
        let renders = self.0.lock();
        let (of, outcome) = renders.get(&key.input.identity.id)?;
        (of == key).then(|| outcome.clone())
    }

    /// Keeps what came of a rendering.
    pub(crate) fn keep(&self, key: RenderKey, outcome: Outcome) {
        self.0.lock().insert(key.input.identity.id.clone(), (key, outcome));
    }

    /// Forgets a database that is gone.
    pub(crate) fn forget(&self, id: &ClusterId) {
        self.0.lock().remove(id);
    }
}

type Unpacked = Result<Arc<Kept>, Problem>;

/// What the ControllerRevisions of each database unpacked to last.
#[derive(Default)]
pub struct UnpackedRevisions(Mutex<BTreeMap<ClusterId, (Vec<String>, Unpacked)>>);

impl UnpackedRevisions {
    /// The names of a database's ControllerRevisions, and the rollouts in them. Each says what it says for good, so
    /// their names tell whether they are the same as before.
    pub(crate) fn of(&self, id: &ClusterId, stored: &[Arc<ControllerRevision>]) -> Revisions {
        let names: Vec<String> = stored.iter().map(|revision| revision.name_any()).collect();
        if let Some((of, kept)) = self.0.lock().get(id)
            && *of == names
        {
            return Revisions { names, kept: kept.clone() };
        }
        let kept = Kept::read(stored.iter().map(AsRef::as_ref)).map(Arc::new).map_err(Problem::from);
        self.0.lock().insert(id.clone(), (names.clone(), kept.clone()));
        Revisions { names, kept }
    }

    /// Forgets a database that is gone.
    pub(crate) fn forget(&self, id: &ClusterId) {
        self.0.lock().remove(id);
    }
}
