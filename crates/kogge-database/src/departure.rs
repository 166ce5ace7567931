//! What leaves the database for good: components that the spec does not have any more, and placements that it does not
//! name. They go in two steps. First the members leave: the anchors tell of them until then. Only what no anchor, no
//! group and no router knows any more is released, and its objects go.

use std::collections::BTreeSet;

use kogge_engine::{Engine, EngineView, Record as _};
use kogge_plan::WorkerView;
use kogge_plan::prune::Released;

use crate::pods::is_in;
use crate::prepared::Prepared;
use crate::retired::standing;

impl<E: Engine> Prepared<'_, E> {
    /// What has left for good. Nothing has, while anything was not seen: a placement, a leader, a router.
    pub(crate) fn released(&self, view: &EngineView<E::Action>) -> Released {
        let observation = &self.observation;
        let mut released = Released { volumes: observation.database.deletion.data, ..Released::default() };
        if !observation.unseen().is_empty() || view.leaders().is_none() {
            return released;
        }
        let identity = &observation.identity;
        released.placements = self.drained(&view.listed.members);
        let Some(listed) = &view.listed.groups else { return released };
        released.components = standing(observation)
            .difference(&self.retired)
            .filter(|component| !listed.contains(&E::group_name(identity, component)))
            .map(|component| component.key.to_string())
            .collect();
        released
    }

    /// Whether every placement that was put on a worker is among those.
    pub(crate) fn holds_only(&self, view: &WorkerView, placements: &BTreeSet<String>) -> bool {
        let mut here = self.anchor.worker_uids.iter().filter(|(_, uid)| view.uid.as_ref() == Some(uid)).peekable();
        here.peek().is_some() && here.all(|(placement, _)| placements.contains(placement))
    }

    /// Placements that the spec does not name any more and no member is left in. `listed` are the pods that any group
    /// lists.
    fn drained(&self, listed: &BTreeSet<String>) -> BTreeSet<String> {
        let (identity, database) = (&self.observation.identity, self.observation.database);
        let recorded = || self.anchor.record.members().map(|(pod, _)| pod);
        let holds_a_member = |placement: &String| {
            recorded().chain(listed.iter().map(String::as_str)).any(|pod| is_in::<E>(identity, pod, placement))
        };
        let placements = self.anchor.worker_uids.keys();
        let gone = |placement: &&String| database.placement(placement).is_none() && !holds_a_member(placement);
        placements.filter(gone).cloned().collect()
    }
}
