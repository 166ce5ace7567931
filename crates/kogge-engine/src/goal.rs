//! What a goal is made from, and whom it names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use crate::component::Component;
use crate::identity::Identity;
use crate::names::{Placement, PodName, Vdc};
use crate::requests::Requests;

/// What a goal is made from.
pub struct GoalInput<'a, S, R> {
    /// Which database.
    pub identity: &'a Identity,
    /// What its user asks for.
    pub spec: &'a S,
    /// What its workers remember of its members.
    pub record: &'a R,
    /// Components that the spec does not have any more, and that the anchors still tell of.
    pub retired: &'a BTreeSet<Component>,
    /// Placements that have not been observed completely, and why.
    pub unseen: BTreeMap<String, String>,
    /// The pods that are no members and run, with their placements.
    pub routers: Vec<(PodName, Placement)>,
    /// Whether members are to run another template than they do.
    pub rolling: bool,
    /// What people asked for beside the spec.
    pub requests: &'a Requests,
    /// The data centres of the placements that were put on a worker, whether or not the spec still names them.
    pub vdcs: BTreeMap<String, Vdc>,
    /// Whether its user asked to change nothing.
    pub paused: bool,
    /// Now, in seconds since 1970: what a calendar is read by. The age of an observation is on another clock.
    pub now: i64,
}

static NOT_RETIRED: BTreeSet<Component> = BTreeSet::new();
static NOT_REQUESTED: LazyLock<Requests> = LazyLock::new(Requests::default);

impl<'a, S, R> GoalInput<'a, S, R> {
    /// For a database of which nothing is known but its spec and what its workers remember.
    pub fn unobserved(identity: &'a Identity, spec: &'a S, record: &'a R) -> Self {
        Self {
            identity,
            spec,
            record,
            retired: &NOT_RETIRED,
            unseen: BTreeMap::new(),
            routers: Vec::new(),
            rolling: false,
            requests: &NOT_REQUESTED,
            vdcs: BTreeMap::new(),
            paused: false,
            now: 0,
        }
    }
}

/// A member that a goal names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its pod.
    pub pod: PodName,
    /// Its component, which is its group.
    pub component: Component,
    /// Where it is to stand; none where it leaves.
    pub place: Option<(Placement, Vdc)>,
}
