//! How a new revision reaches the shares of a database, one after another. The plan is derived from what is
//! observed, so that a crash at any moment changes nothing (A6).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::WorkerView;
use crate::workload::{self, Database, PodFacts, ShareKey};

/// A pod of a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutPod {
    /// Its name.
    pub name: String,
    /// The revision that it was made from.
    pub revision: Option<String>,
    /// Whether it is ready and stays.
    pub ready: bool,
}

impl From<&PodFacts> for RolloutPod {
    fn from(pod: &PodFacts) -> Self {
        Self { name: pod.name.clone(), revision: pod.revision.clone(), ready: pod.ready && !pod.terminating }
    }
}

/// The part of a component that stands in one placement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Which.
    pub key: ShareKey,
    /// The place of its component in a rollout: the lowest is changed first.
    pub rank: u32,
    /// Its data centre.
    pub vdc: String,
    /// Whether its worker's view is current.
    pub reachable: bool,
    /// The revision that the spec asks for.
    pub desired_revision: String,
    /// The revision of the workload that stands; none where there is no workload.
    pub running_revision: Option<String>,
    /// Pods that the spec asks for.
    pub replicas: u32,
    /// Its pods but those that are on their way out.
    pub pods: Vec<RolloutPod>,
    /// Whether the engine calls the members in it healthy.
    pub engine_healthy: bool,
}

/// What the spec asks of a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareTarget {
    /// The place of its component in a rollout.
    pub rank: u32,
    /// Its data centre.
    pub vdc: String,
    /// The revision that it is to run.
    pub revision: String,
    /// Its pods.
    pub replicas: u32,
}

/// What else decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Placements that go first, in this order; the rest follows by name.
    pub order: Vec<String>,
    /// How long what was updated must have been healthy before the next share's turn.
    pub soak: Duration,
    /// For how long the rollout has been waiting for its soak without a break; none where it was not.
    pub healthy_for: Option<Duration>,
    /// Whether a person stopped it.
    pub paused: bool,
    /// Why the engine lets no member have another template now; none where it does.
    pub refused: Option<String>,
}

/// The template that a share is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UseRevision {
    /// The one that the spec asks for.
    Desired,
    /// The one that it has; its turn has not come.
    Keep(String),
}

/// Where a rollout stands and what comes next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RolloutPlan {
    /// The template of each share.
    pub use_revision: BTreeMap<ShareKey, UseRevision>,
    /// The share whose turn it is; none when all is done.
    pub current: Option<ShareKey>,
    /// Pods of the desired revision.
    pub updated: u32,
    /// Pods in all.
    pub total: u32,
    /// What it waits for, in words that do not change while it waits.
    pub waiting: Option<String>,
    /// Whether a share keeps, or a pod still runs, another revision than the spec asks for.
    pub rolling: bool,
    /// Whether a person, the engine or a silent data centre stops it: no share's turn comes, and no healthy pod is to be
    /// restarted.
    pub held: bool,
    /// What is left of the soak; none while there is nothing to soak. While it is some, the time since when
    /// is to be kept (`healthySince`) and given back as [`Pace::healthy_for`].
    pub soak_left: Option<Duration>,
}

impl Share {
    /// A share as observed on its worker; `view` is the worker's, none where it was never reached.
    pub fn observed(
        view: Option<&WorkerView>,
        database: Database<'_>,
        key: ShareKey,
        target: ShareTarget,
        engine_healthy: bool,
    ) -> Self {
        let ShareTarget { rank, vdc, revision, replicas } = target;
        let workload = view.and_then(|view| workload::workload(view, database, &key));
        let pods = view.map(|view| workload::pods(view, database, &key)).unwrap_or_default();
        Self {
            rank,
            vdc,
            reachable: view.is_some_and(WorkerView::is_current),
            desired_revision: revision,
            running_revision: workload
                .map(|workload| workload::template_revision(workload).unwrap_or_default().to_owned()),
            replicas,
            pods: pods.iter().filter(|pod| !pod.terminating).map(RolloutPod::from).collect(),
            engine_healthy,
            key,
        }
    }

    fn has_template(&self) -> bool {
        self.running_revision.as_deref() == Some(self.desired_revision.as_str())
    }

    /// The pods that still run another revision than the spec asks for.
    pub fn outdated(&self) -> impl Iterator<Item = &RolloutPod> {
        self.pods.iter().filter(|pod| pod.revision.as_deref() != Some(self.desired_revision.as_str()))
    }

    fn updated(&self) -> u32 {
        (self.pods.len() - self.outdated().count()) as u32
    }

    /// Whether it takes another template without a pod being restarted by it.
    fn can_change_silently(&self) -> bool {
        self.reachable && self.replicas == 0 && self.pods.is_empty()
    }

    /// What keeps the share from being done with its desired revision; none where it is.
    fn unfinished(&self) -> Option<String> {
        let key = &self.key;
        if !self.reachable {
            return Some(format!("{} to answer again: {key} is not seen", self.vdc));
        }
        if self.replicas == 0 && self.pods.is_empty() {
            return None;
        }
        if !self.has_template() {
            let what =
                if self.running_revision.is_some() { "template to be changed" } else { "workload to be made" };
            return Some(format!("{key}: its {what}"));
        }
        if let Some(pod) = self.outdated().next() {
            return Some(format!("{key}: {} to be restarted with the new revision", pod.name));
        }
        if self.pods.len() < self.replicas as usize {
            return Some(format!("{key}: its pods to be made"));
        }
        if let Some(pod) = self.pods.iter().find(|pod| !pod.ready) {
            return Some(format!("{key}: {} to be ready", pod.name));
        }
        (!self.engine_healthy).then(|| format!("{key}: its members to be healthy"))
    }
}

/// Plans the rollout.
///
/// Shares take the desired revision one by one: components by rank, then by name; within a component the
/// placements in order. The next one's turn comes when every earlier one runs it, is ready, healthy and has
/// soaked. A share that does not stand yet is made with it at once, and one that has it never goes back.
pub fn plan_rollout(shares: &[Share], pace: &Pace) -> RolloutPlan {
    let shares = in_order(shares, &pace.order);
    let hold = hold(&shares, pace);
    let mut plan = RolloutPlan::default();
    let mut before_is_empty = true;
    for share in &shares {
        plan.total += share.replicas.max(share.pods.len() as u32);
        plan.updated += share.updated();
        let next = plan.current.is_none();
        let revision = match &share.running_revision {
            Some(running) if !share.has_template() && !share.can_change_silently() => {
                let soak_left = pace.soak.saturating_sub(pace.healthy_for.unwrap_or_default());
                if !next || hold.is_some() {
                    UseRevision::Keep(running.clone())
                } else if !before_is_empty && !soak_left.is_zero() {
                    plan.waiting = Some(format!("{}: the soak of what was updated before it", share.key));
                    plan.soak_left = Some(soak_left);
                    UseRevision::Keep(running.clone())
                } else {
                    UseRevision::Desired
                }
            }
            _ => UseRevision::Desired,
        };
        let unfinished = share.unfinished();
        plan.rolling |= revision != UseRevision::Desired || share.outdated().next().is_some();
        if next && (revision != UseRevision::Desired || unfinished.is_some()) {
            plan.current = Some(share.key.clone());
            plan.waiting = plan.waiting.take().or(unfinished);
        }
        before_is_empty &= share.replicas == 0;
        plan.use_revision.insert(share.key.clone(), revision);
    }
    if plan.rolling
        && let Some(why) = hold
    {
        plan.held = true;
        plan.waiting = Some(why);
        plan.soak_left = None;
    }
    plan
}

/// What stops a rollout that only a person, or the world, can mend.
fn hold(shares: &[&Share], pace: &Pace) -> Option<String> {
    if pace.paused {
        return Some("you to resume the rollout".to_owned());
    }
    if let Some(why) = &pace.refused {
        return Some(why.clone());
    }
    let silent: BTreeSet<&str> = shares.iter().filter(|s| !s.reachable).map(|s| s.vdc.as_str()).collect();
    (!silent.is_empty()).then(|| {
        let silent: Vec<&str> = silent.into_iter().collect();
        format!(
            "{} to answer again: a rollout does not go on without a view of every data centre",
            silent.join(", ")
        )
    })
}

/// Shares in the order in which a new revision reaches them.
fn in_order<'a>(shares: &'a [Share], order: &[String]) -> Vec<&'a Share> {
    let mut sorted: Vec<&Share> = shares.iter().collect();
    sorted.sort_by_key(|share| {
        let placement = &share.key.placement;
        let turn = order.iter().position(|name| name == placement).unwrap_or(usize::MAX);
        (share.rank, &share.key.component, turn, placement)
    });
    sorted
}
