//! Pods that their controllers do not make, and why.

use kogge_engine::Engine;
use kogge_plan::workload::ShareKey;
use kogge_plan::{ApiRefusal, ObjectKey, WorkerName, status};

use crate::prepared::Prepared;

/// A StatefulSet that has fewer pods than it is to have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MissingPods {
    /// The worker.
    pub worker: WorkerName,
    /// The StatefulSet.
    pub key: ObjectKey,
    /// Its UID.
    pub uid: String,
}

/// The StatefulSets whose pods are missing, by share.
pub(crate) fn missing<E: Engine>(prepared: &Prepared<'_, E>) -> Vec<(ShareKey, MissingPods)> {
    let observation = &prepared.observation;
    let of_share = |share: &kogge_engine::Share| {
        let key = share.key();
        let worker = &observation.placements.resolved.get(&key.placement)?.worker;
        let view = observation.fleet.workers.get(worker).filter(|_| observation.is_seen(worker))?;
        let set = status::lacking_pods(view, observation.identity.database(), &key)?;
        let missing =
            MissingPods { worker: worker.clone(), key: ObjectKey::of(set)?, uid: set.metadata.uid.clone()? };
        Some((key, missing))
    };
    prepared.placed.iter().filter_map(of_share).collect()
}

/// Why pods are not made, from their controller's words.
pub(crate) fn sentence(key: &ObjectKey, why: &str) -> String {
    let cause = ApiRefusal::of_words(why).map_or_else(|| why.to_owned(), |refusal| refusal.to_string());
    format!("pods of {key} cannot be created: {cause}")
}
