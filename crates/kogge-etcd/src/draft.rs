//! A plan in the making.

use crate::names::PodName;
use crate::outcome::{Approval, Finding, FindingKind, Waiting};
use crate::step::{Action, Executor, Step};
use crate::topology::Millis;

/// A plan in the making.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) steps: Vec<Step>,
    pub(crate) waiting: Vec<Waiting>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) approvals: Vec<Approval>,
}

impl Draft {
    pub(crate) fn step(&mut self, action: Action, reason: impl Into<String>, waits_for: impl Into<String>) {
        self.steps.push(Step { action, reason: reason.into(), waits_for: waits_for.into() });
    }

    pub(crate) fn wait(&mut self, message: impl Into<String>) {
        self.push(Waiting { member: None, message: message.into(), since: None });
    }

    pub(crate) fn wait_member(&mut self, member: &PodName, message: impl Into<String>, since: Option<Millis>) {
        self.push(Waiting { member: Some(member.clone()), message: message.into(), since });
    }

    /// Two parts of the plan may wait for the same.
    fn push(&mut self, waiting: Waiting) {
        if !self.waiting.contains(&waiting) {
            self.waiting.push(waiting);
        }
    }

    pub(crate) fn finding(&mut self, kind: FindingKind, message: impl Into<String>) {
        self.findings.push(Finding { kind, member: None, message: message.into() });
    }

    pub(crate) fn finding_on(&mut self, kind: FindingKind, member: &PodName, message: impl Into<String>) {
        self.findings.push(Finding { kind, member: Some(member.clone()), message: message.into() });
    }

    /// A step that changes a server or a pod is planned already.
    pub(crate) fn changes_something(&self) -> bool {
        self.steps.iter().any(|step| step.action.executor() != Executor::Anchor)
    }
}
