//! An edit that takes every present member that can lead out of a group at once: the group's data would go on only in
//! members that do not hold them yet.

use std::collections::{BTreeMap, BTreeSet};

use kogge_engine::{ComponentKey, Engine, PodName, Record as _};
use kogge_plan::hash::short_hash;
use kogge_plan::prune::ApprovalNeeded;
use serde_json::json;

use crate::observation::Observation;
use crate::prepared::Prepared;

/// So many members are named.
const NAMED: usize = 12;

/// Such an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// What leaves, and what to approve it by.
    pub approval: ApprovalNeeded,
    /// Whether that was approved.
    pub is_approved: bool,
}

/// The members of a group that hold its data.
#[derive(Default)]
struct Holders {
    stay: usize,
    leave: BTreeSet<PodName>,
}

impl<E: Engine> Prepared<'_, E> {
    /// Whether the spec takes every present member that can lead out of a group, until a new member holds the group's data.
    /// It is approved by the epoch of the edit: one group after the other gets its new members, and no later edit is
    /// approved with it.
    pub fn replacement(&self) -> Option<Replacement> {
        let mut groups: BTreeMap<&ComponentKey, Holders> = BTreeMap::new();
        for member in self.members.iter().filter(|member| self.anchor.record.held_data(member.pod.as_str())) {
            let holders = groups.entry(&member.component.key).or_default();
            let placement = member.place.as_ref().map(|(placement, _)| placement.as_str());
            let facts = placement.and_then(|name| self.observation.database.placement(name));
            if facts.is_some_and(|placement| placement.may_lead) {
                holders.stay += 1;
            } else {
                holders.leave.insert(member.pod.clone());
            }
        }
        groups.retain(|_, holders| holders.stay == 0);
        if groups.is_empty() {
            return None;
        }
        let names: Vec<&str> = groups.keys().map(|group| group.as_str()).collect();
        let pods: Vec<&str> = groups.values().flat_map(|holders| &holders.leave).map(PodName::as_str).collect();
        let Observation { identity, epoch, .. } = &self.observation;
        let hash = short_hash(&json!(["replace", identity.id.as_str(), epoch.number, epoch.spec_hash]));
        let more = pods.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let what = format!(
            "every present member that can lead leaves {}: {}{more}. Members that are still empty take their places",
            names.join(", "),
            pods[..pods.len().min(NAMED)].join(", "),
        );
        let is_approved = self.requests.approved.contains(&hash);
        Some(Replacement { approval: ApprovalNeeded { reason: "ReplacesAllMembers", hash, what }, is_approved })
    }

    /// The same; where the spec needs an approval that is not there, only names are kept up to date until then.
    pub(crate) fn until_approved(self) -> Self {
        match self.replacement() {
            Some(replacement) if !replacement.is_approved => {
                Observation { held: true, ..self.observation }.prepare()
            }
            _ => self,
        }
    }
}
