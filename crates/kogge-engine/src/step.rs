//! Steps: what an engine would do next, why, and who does it.

use std::fmt;

use serde::Serialize;

use crate::names::{GroupName, PodName};

/// A step of an engine. What its client needs to know to take it is in the payload, which nobody else reads.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step<A> {
    /// The group that it changes.
    pub group: GroupName,
    /// The kind of step, in CamelCase: metrics and events count by it.
    pub name: &'static str,
    /// What is done, in words.
    pub what: String,
    /// Why, in words that follow *because*.
    pub reason: String,
    /// What is waited for then, in words.
    pub waits_for: String,
    /// Who does it.
    pub executor: Executor,
    /// The member that begins to sync or restarts by it: in its data centre, only so many do at a time.
    pub burdens: Option<PodName>,
    /// What the engine's client needs to take it.
    #[serde(skip)]
    pub payload: A,
}

/// Who takes a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Executor {
    /// Whoever writes the anchors; [`Engine::recorded`](crate::Engine::recorded) says what they hold then.
    Anchor,
    /// Whoever writes to the worker: the pod is deleted, and its StatefulSet makes it again.
    Restart {
        /// The pod.
        pod: PodName,
        /// Its UID.
        uid: String,
    },
    /// The engine's client.
    Client,
}

impl<A> Step<A> {
    /// What people read of it.
    #[must_use]
    pub fn without_payload(&self) -> Step<()> {
        Step {
            group: self.group.clone(),
            name: self.name,
            what: self.what.clone(),
            reason: self.reason.clone(),
            waits_for: self.waits_for.clone(),
            executor: self.executor.clone(),
            burdens: self.burdens.clone(),
            payload: (),
        }
    }
}

impl<A> fmt::Display for Step<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, what, reason, waits_for, .. } = self;
        write!(f, "{group}: {what}, because {reason}; then waits for {waits_for}")
    }
}
