//! One pass of the operator, up to where it would begin to write.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kogge_api::{ClusterId, FederatedCluster, labels};
use kogge_chart::ChartStore;
use kogge_federated_cluster::acceptance::{self, Rendered};
use kogge_federated_cluster::report::{Problem, soaking_for};
use kogge_federated_cluster::secrets::{self, DatabaseSecrets, Mounted, Sample, Wanted};
use kogge_federated_cluster::{DatabasePlan, Observation, Prepared, Sighting, accepted_epoch, plan, teardown};
use kogge_mongo::{Millis, Topology};
use kogge_plan::ownership::Verdict;
use kogge_plan::placement::RegisteredWorker;
use kogge_plan::teardown::{DeletionState, TeardownPlan, deletion_state};
use kogge_plan::{Action, WorkerName, anchors};

use super::control::{Known, SecretsKnown};
use super::outline::{Change, EngineOutline, Obstacle, Outcome, Outline, RolloutOutline};
use super::workers::Seen;

/// The clusterID that a database without one is planned under.
const SAMPLE_ID: [u8; 8] = [15; 8];

/// Plans one pass. `ask` asks the members; it is not called where nobody may know how to log in.
pub(super) async fn foresee(
    known: &Known,
    seen: &Seen,
    charts: &ChartStore,
    now: &Time,
    ask: impl AsyncFn(&Prepared<'_>, &DatabaseSecrets) -> Topology,
) -> anyhow::Result<Outline> {
    let mut cluster = known.cluster.clone();
    let mut notes = notes(&cluster, seen, now);
    if cluster.spec.cluster_id.is_none() {
        cluster.spec.cluster_id = Some(ClusterId::from_random(SAMPLE_ID));
        notes.push("Kogge gives the database its clusterID first; here it is a sample".to_owned());
    }
    let registered: Vec<RegisteredWorker> = known.workers.iter().map(RegisteredWorker::from).collect();
    let sighting = Sighting::of(&cluster, &registered, &seen.fleet, &known.control_uid);
    let identity = sighting.identity().context("the database has no clusterID")?;
    let verdict = &sighting.ownership.overall;
    let outline = Outline {
        cluster: format!("{}/{}", identity.namespace, identity.name),
        cluster_id: identity.id.to_string(),
        outcome: Outcome::Problem,
        ownership: verdict.to_string(),
        notes,
        problems: Vec::new(),
        workers: BTreeMap::new(),
        engine: None,
        rollout: None,
    };
    if let Some(End::Due) = end(&cluster, now) {
        return Ok(outline.ending(&teardown(&cluster, &identity.id, &seen.fleet)));
    }
    if let Some(problem) = sighting.problem() {
        return Ok(outline.blocked(&problem));
    }
    let sample = DatabaseSecrets::begin(&Wanted::new(&identity, &cluster.spec, None), &mut Sample::default())?;
    let secrets = match &known.secrets {
        SecretsKnown::Read(secrets) => secrets,
        SecretsKnown::Absent if *verdict != Verdict::New => {
            return Ok(outline.blocked(&secrets::lost(&identity.id, &known.system_namespace)));
        }
        SecretsKnown::Absent | SecretsKnown::Unreadable(_) => &sample,
    };
    let mounted = match &known.secrets {
        SecretsKnown::Unreadable(_) => mounted_by_status(&cluster),
        SecretsKnown::Read(_) | SecretsKnown::Absent => secrets.mounted(),
    };
    let chart = acceptance::chart(&cluster, charts);
    let oldest = acceptance::oldest_version(&known.workers);
    let rendered =
        acceptance::render(&cluster, &identity, &known.kept, chart, &oldest, &known.agent_image, mounted);
    let Rendered { rollout, problem } = match rendered {
        Ok(rendered) => rendered,
        Err(problem) => return Ok(outline.blocked(&problem)),
    };
    let epoch = accepted_epoch(&cluster, verdict, problem.is_some())?
        .context("no spec of this database was ever accepted, and the present one cannot be")?;
    let prepared = Observation {
        cluster: &cluster,
        identity: &identity,
        control_uid: &known.control_uid,
        epoch: &epoch,
        fleet: &seen.fleet,
        placements: &sighting.placements,
        ownership: &sighting.ownership,
        rollout: &rollout,
        kept: &known.kept,
        secrets,
        held: problem.is_some(),
    }
    .prepare()?;
    let topology = match &known.secrets {
        SecretsKnown::Unreadable(_) => Topology::default(),
        SecretsKnown::Read(_) | SecretsKnown::Absent => ask(&prepared, secrets).await,
    };
    let planned = plan(&prepared, &topology, Millis::default(), soaking_for(&cluster, now))?;
    let mut outline = outline.filled(&prepared, &planned, problem.as_ref());
    if let SecretsKnown::Unreadable(why) = &known.secrets {
        outline.without_members(why);
    }
    if let Some(rotation) = rotation(&prepared, now) {
        outline.rotates(&rotation);
    }
    if problem.is_none() && !known.kept.holds(&rollout) {
        let version = &rollout.chart_version;
        outline.notes.push(format!("what chart {version} renders to is kept as a ControllerRevision first"));
    }
    if !planned.rehearsal.is_empty() {
        let count = planned.rehearsal.len();
        outline.notes.push(format!("the rollout is rehearsed first: {count} objects are applied with dryRun=All"));
    }
    Ok(outline)
}

/// The generation of secrets that the pods mount, as the operator told it last.
fn mounted_by_status(cluster: &FederatedCluster) -> Mounted {
    match cluster.status.as_ref().and_then(|status| status.security.as_ref()) {
        Some(told) => Mounted { generation: told.generation, tls: told.tls_mode },
        None => Mounted::first(cluster.spec.security.tls.mode),
    }
}

/// What of the secrets is being made anew, or is due.
fn rotation(prepared: &Prepared<'_>, now: &Time) -> Option<String> {
    let renewal = prepared.observation.secrets.renewal();
    let due = renewal.is_some_and(|at| at <= now.0.as_second());
    prepared.observation.rotating().or_else(|| due.then(|| "certificates: their renewal is due".to_owned()))
}

/// Where a deletion stands.
enum End {
    Pending { executes_at: String },
    Halted { cause: String },
    Due,
}

fn end(cluster: &FederatedCluster, now: &Time) -> Option<End> {
    let asked = cluster.metadata.deletion_timestamp.as_ref()?;
    let recorded = cluster.status.as_ref().and_then(|status| status.deletion.as_ref());
    let cool_off = Duration::from(cluster.spec.deletion.cool_off);
    Some(match deletion_state(now.0, asked, recorded, cool_off) {
        DeletionState::Pending { executes_at } => End::Pending { executes_at: executes_at.0.to_string() },
        DeletionState::Due => match recorded.and_then(|record| record.halted.clone()) {
            Some(cause) => End::Halted { cause },
            None => End::Due,
        },
    })
}

/// What to know beside the plan.
fn notes(cluster: &FederatedCluster, seen: &Seen, now: &Time) -> Vec<String> {
    let mut notes: Vec<String> =
        seen.missing.iter().map(|(worker, why)| format!("{worker} was not seen: {why}")).collect();
    match end(cluster, now) {
        Some(End::Due) => notes.push("its cool-off is over: this is its teardown".to_owned()),
        Some(End::Pending { executes_at }) => {
            notes.push(format!("its deletion was asked for; until {executes_at} it runs on as planned here"));
        }
        Some(End::Halted { cause }) => notes.push(format!("its deletion was asked for and is halted: {cause}")),
        None => {}
    }
    let annotations = cluster.metadata.annotations.as_ref();
    if annotations.is_some_and(|annotations| annotations.contains_key(labels::PAUSE)) {
        notes.push(format!("nothing is changed while the annotation {} stands", labels::PAUSE));
    }
    notes
}

impl Outline {
    fn blocked(mut self, problem: &Problem) -> Self {
        self.problems.push(problem.into());
        self
    }

    fn ending(mut self, plan: &TeardownPlan) -> Self {
        let deletes = |worker| plan.actions.iter().filter(move |action| action.worker() == worker);
        let workers: BTreeSet<&WorkerName> = plan.actions.iter().map(Action::worker).collect();
        self.workers = workers
            .into_iter()
            .map(|worker| (worker.clone(), deletes(worker).filter_map(Change::of).collect()))
            .collect();
        let waits = plan.remaining.iter().filter(|(worker, _)| !self.workers.contains_key(worker));
        self.notes.extend(waits.map(|(worker, what)| format!("waits for {worker}: {what}")));
        self.outcome = Outcome::Changes;
        self
    }

    fn filled(mut self, prepared: &Prepared<'_>, plan: &DatabasePlan, problem: Option<&Problem>) -> Self {
        let observation = &prepared.observation;
        self.problems.extend(problem.map(Obstacle::from));
        self.problems.extend(obstacles(prepared, plan));
        self.workers = plan.desired.keys().map(|worker| (worker.clone(), changes(plan, worker))).collect();
        // While a spec is not carried out, only names are kept up to date.
        if problem.is_none() {
            self.engine = Some(EngineOutline {
                steps: plan.engine.steps.clone(),
                anchors_first: plan.actions.iter().any(is_anchor),
                waiting: plan.engine.waiting.clone(),
            });
            let order = &observation.cluster.spec.rollout.order;
            self.rollout = Some(RolloutOutline::of(&plan.rollout, &observation.rollout.chart_version, order));
        }
        self.outcome = match () {
            () if !self.problems.is_empty() => Outcome::Problem,
            () if plan.is_settled() => Outcome::NothingToDo,
            () => Outcome::Changes,
        };
        self
    }

    /// The operator goes on with it when nothing else is left to do.
    fn rotates(&mut self, rotation: &str) {
        self.notes
            .push(format!("secrets are made anew, each step when every pod runs the one before: {rotation}"));
        if self.outcome == Outcome::NothingToDo {
            self.outcome = Outcome::Changes;
        }
    }

    /// Without the database's secrets nothing is known of its members, nor of what was made from the secrets.
    fn without_members(&mut self, why: &str) {
        self.engine = None;
        self.rollout = None;
        self.workers.values_mut().for_each(|changes| changes.retain(|change| change.object.kind != "Secret"));
        self.notes.push(format!(
            "the members are not asked, because their credentials cannot be read: {why}; their part and Secrets are left out"
        ));
    }
}

fn obstacles(prepared: &Prepared<'_>, plan: &DatabasePlan) -> Vec<Obstacle> {
    let observation = &prepared.observation;
    let placements = &observation.placements.errors;
    let unseen = observation.unseen().into_iter().filter(|(placement, _)| !placements.contains_key(placement));
    let mut obstacles: Vec<Obstacle> =
        placements.values().map(|error| Obstacle::new(error.reason(), error)).collect();
    obstacles.extend(observation.ownership.refusals().map(|refusal| Obstacle::new(refusal.reason(), refusal)));
    obstacles
        .extend(unseen.map(|(name, why)| Obstacle::new("WorkersNotSeen", &format!("placement {name}: {why}"))));
    obstacles.extend(plan.refusals.iter().map(|(_, refusal)| Obstacle::new(refusal.reason(), refusal)));
    obstacles.extend(plan.errors.iter().map(|error| Obstacle::new(error.reason(), error)));
    obstacles.extend(plan.approvals.iter().map(|needed| {
        let annotate = format!("{}; to approve it, annotate {}={}", needed.what, labels::APPROVE, needed.hash);
        Obstacle::new("ApprovalNeeded", &annotate)
    }));
    obstacles.extend(plan.engine.approvals.iter().map(|needed| {
        let annotate = format!(
            "{}: {}; to approve it, annotate {}={}",
            needed.set,
            needed.what,
            labels::APPROVE,
            needed.hash
        );
        Obstacle::new("ApprovalNeeded", &annotate)
    }));
    obstacles.extend(prepared.requests.refused.values().map(|refused| Obstacle::new("RequestRefused", refused)));
    obstacles
        .extend(plan.engine.findings.iter().map(|finding| Obstacle::new(finding.kind.reason(), &finding.message)));
    obstacles
}

fn changes(plan: &DatabasePlan, worker: &WorkerName) -> Vec<Change> {
    plan.actions.iter().filter(|action| action.worker() == worker).filter_map(Change::of).collect()
}

fn is_anchor(action: &Action) -> bool {
    matches!(action, Action::Apply { object, .. } if anchors::is_anchor(object))
}

#[cfg(test)]
#[path = "foresee_tests.rs"]
mod tests;
