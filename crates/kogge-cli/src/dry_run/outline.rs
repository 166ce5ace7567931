//! A plan as data: what `--output json` prints, and what the words are made from.

use std::collections::BTreeMap;

use kogge_engine::{Component, Engine, Step, Waiting};
use kogge_plan::obstacle::Obstacle;
use kogge_plan::rollout::{RolloutPlan, UseRevision};
use kogge_plan::workload::ShareKey;
use kogge_plan::{Action, ApplyPrecondition, ObjectKey, WorkerName};
use serde::Serialize;
use serde_json::Value;

use super::redact::redacted;

/// What the operator would do next.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Outline {
    /// `<namespace>/<name>`.
    pub(super) database: String,
    #[serde(rename = "clusterID")]
    pub(super) cluster_id: String,
    /// In one word.
    pub(crate) outcome: Outcome,
    /// Whose the database is, as a sentence.
    pub(super) ownership: String,
    /// What to know beside, in sentences.
    pub(super) notes: Vec<String>,
    /// What is in the way.
    pub(super) problems: Vec<Obstacle>,
    /// Writes, by worker and in order; a worker of the database without any is there too.
    pub(super) workers: BTreeMap<WorkerName, Vec<Change>>,
    /// The members' part; none where nothing is planned for them.
    pub(super) engine: Option<EngineOutline>,
    /// None where nothing is planned for the members.
    pub(super) rollout: Option<RolloutOutline>,
}

impl Outline {
    /// What is in the way, and what to know, in sentences.
    pub(crate) fn told(&self) -> Vec<String> {
        let problems = self.problems.iter().map(|problem| format!("{}: {}", problem.reason, problem.message));
        problems.chain(self.notes.iter().map(|note| format!("Note: {note}"))).collect()
    }
}

/// A plan in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Outcome {
    /// Everything is as it should be.
    NothingToDo,
    /// There is something to do or to wait for.
    Changes,
    /// A person must mend something first.
    Problem,
}

/// One write.
#[derive(Serialize)]
pub(super) struct Change {
    pub(super) verb: Verb,
    pub(super) object: ObjectKey,
    pub(super) why: String,
    /// What is applied, without the content of Secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) manifest: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Verb {
    Create,
    Update,
    Delete,
}

impl Change {
    /// None for an object without a name, which is refused before.
    pub(super) fn of(action: &Action) -> Option<Self> {
        Some(match action {
            Action::Apply { object, precondition, why, .. } => Self {
                verb: if *precondition == ApplyPrecondition::Absent { Verb::Create } else { Verb::Update },
                object: ObjectKey::of(object)?,
                why: why.clone(),
                manifest: Some(redacted(object)),
            },
            Action::Delete { key, why, .. } => {
                Self { verb: Verb::Delete, object: key.clone(), why: why.clone(), manifest: None }
            }
        })
    }
}

/// What the engine would do.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EngineOutline {
    /// Steps that may be taken now, in order; what follows them depends on what is observed then.
    pub(super) steps: Vec<Step<()>>,
    /// Whether anchors must be written before a step is taken on a server or a pod.
    pub(super) anchors_first: bool,
    /// What must come about by itself.
    pub(super) waiting: Vec<Waiting>,
}

/// How the rendered templates reach the shares.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RolloutOutline {
    pub(super) chart_version: String,
    /// Whether templates of before are still running.
    pub(super) rolling: bool,
    /// Pods with the present template, and all pods.
    pub(super) updated: u32,
    pub(super) total: u32,
    pub(super) waiting: Option<String>,
    /// The shares in their order.
    pub(super) order: Vec<Turn>,
}

/// One share's place in the order.
#[derive(Serialize)]
pub(super) struct Turn {
    pub(super) component: String,
    pub(super) placement: String,
    pub(super) stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Stage {
    /// It has the present template, and its turn is over or did not have to come.
    Done,
    /// Its turn is now.
    Now,
    /// It keeps its template until its turn.
    Later,
}

impl RolloutOutline {
    /// `order` is the spec's order of placements.
    pub(super) fn of<E: Engine>(plan: &RolloutPlan, chart_version: &str, order: &[String]) -> Self {
        let turn = |key: &ShareKey| order.iter().position(|name| *name == key.placement).unwrap_or(usize::MAX);
        let mut shares: Vec<_> = plan.use_revision.iter().collect();
        let component = |key: &ShareKey| -> Option<Component> { E::component(key.component.as_str()) };
        shares.sort_by_cached_key(|(key, _)| (component(key), turn(key), key.placement.clone()));
        let stage = |key: &ShareKey, revision: &UseRevision| match revision {
            _ if plan.current.as_ref() == Some(key) => Stage::Now,
            UseRevision::Keep(_) => Stage::Later,
            UseRevision::Desired => Stage::Done,
        };
        Self {
            chart_version: chart_version.to_owned(),
            rolling: plan.rolling,
            updated: plan.updated,
            total: plan.total,
            waiting: plan.waiting.clone(),
            order: shares
                .into_iter()
                .map(|(key, revision)| Turn {
                    component: key.component.to_string(),
                    placement: key.placement.clone(),
                    stage: stage(key, revision),
                })
                .collect(),
        }
    }
}
