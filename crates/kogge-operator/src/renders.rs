//! What specs rendered to, kept for as long as nothing changes that it was made from: a pass without news renders
//! nothing.

use std::collections::BTreeMap;

use kogge_api::{ClusterId, FederatedClusterSpec};
use kogge_federated_cluster::acceptance::Rendered;
use kogge_federated_cluster::pass::RenderInput;
use kogge_federated_cluster::report::Problem;
use parking_lot::Mutex;

/// Everything that a rendering is made from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RenderKey {
    pub(crate) spec: FederatedClusterSpec,
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
