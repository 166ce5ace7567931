//! What is planned for one set, while it is planned.

use crate::data::executor::Executor;
use crate::data::finding::{Finding, FindingKind};
use crate::data::goal::SetGoal;
use crate::data::names::PodName;
use crate::data::plan::{Approval, Waiting};
use crate::data::step::{Action, Step};
use crate::data::topology::Millis;

/// One set's part of a plan in the making.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) set: &'a SetGoal,
    pub(crate) steps: Vec<Step>,
    pub(crate) waiting: Vec<Waiting>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) approvals: Vec<Approval>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(set: &'a SetGoal) -> Self {
        Self { set, steps: Vec::new(), waiting: Vec::new(), findings: Vec::new(), approvals: Vec::new() }
    }

    pub(crate) fn step(&mut self, action: Action, reason: impl Into<String>, waits_for: impl Into<String>) {
        self.steps.push(Step {
            set: self.set.name.clone(),
            action,
            reason: reason.into(),
            waits_for: waits_for.into(),
        });
    }

    pub(crate) fn wait(&mut self, what: impl Into<String>) {
        self.waiting.push(Waiting {
            set: Some(self.set.name.clone()),
            member: None,
            what: what.into(),
            since: None,
        });
    }

    pub(crate) fn wait_member(&mut self, member: &PodName, what: impl Into<String>, since: Option<Millis>) {
        self.waiting.push(Waiting {
            set: Some(self.set.name.clone()),
            member: Some(member.clone()),
            what: what.into(),
            since,
        });
    }

    pub(crate) fn finding(&mut self, kind: FindingKind, message: impl Into<String>) {
        self.findings.push(Finding { set: Some(self.set.name.clone()), kind, message: message.into() });
    }

    /// A step that changes a server or a pod is planned already.
    pub(crate) fn changes_something(&self) -> bool {
        self.steps.iter().any(|step| step.action.executor() != Executor::Anchor)
    }
}
