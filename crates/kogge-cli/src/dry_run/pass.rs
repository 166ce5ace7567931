//! One pass of the operator, up to where it would begin to write to workers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, bail};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kogge_api::conditions::database::READY;
use kogge_api::labels;
use kogge_chart_store::ChartStore;
use kogge_database::pass::{Known as Pass, Look, Start, Then, next};
use kogge_database::report::{Problem, obstacles};
use kogge_database::secrets::{Certificate, DatabaseSecrets, Mounted, Sample};
use kogge_database::template::Surroundings;
use kogge_database::{DatabasePlan, Prepared, Sighting, acceptance};
use kogge_engine::{Database, Engine, Millis, Step};
use kogge_engine_client::GivenCertificate;
use kogge_plan::obstacle::{Class, Obstacle, Rank};
use kogge_plan::placement::RegisteredWorker;
use kogge_plan::teardown::{DeletionState, TeardownPlan, deletion_state};
use kogge_plan::{Action, WorkerName, anchors};
use rustls::pki_types::UnixTime;

use super::control::{Known, SecretsKnown};
use super::outline::{Change, EngineOutline, Outcome, Outline, RolloutOutline};
use super::workers::Seen;
use super::written::Written;

/// More passes than any database needs before its members are asked.
const PASSES: usize = 16;
/// More questions than any pass has.
const QUESTIONS: usize = 64;

/// Plans one pass of the operator. What it would write in the control cluster before it comes to the workers is taken
/// as written. `ask` asks the members; it is not called where nobody may know how to log in.
pub(super) async fn dry_run<E: Engine>(
    known: &Known<E>,
    seen: &Seen,
    charts: &ChartStore,
    now: &Time,
    ask: impl AsyncFn(&Prepared<'_, E>, &DatabaseSecrets) -> E::Topology,
) -> anyhow::Result<Outline> {
    let registered: Vec<RegisteredWorker> = known.workers.iter().map(RegisteredWorker::from).collect();
    let mut written = Written::nothing(known)?;
    let mut mint = Sample::checking(check_given);
    for _ in 0..PASSES {
        let resource = written.resource.clone();
        let database = E::database(&resource);
        let start = Start {
            database: &database,
            spec: E::spec(&resource),
            workers: &registered,
            rivals: &known.rivals,
            fleet: &seen.fleet,
            control_uid: &known.control_uid,
            system_namespace: &known.system_namespace,
            settling_in: false,
            now,
            clock: Millis::default(),
        };
        let mut pass = Pass::new(start);
        match Box::pin(drive::<E>(&mut pass, &mut written, known, charts, &mut mint, &ask)).await? {
            End::Written => {}
            End::Blocked => return Ok(outline(&pass, seen, &written)),
            End::TornDown(plan) => return Ok(outline(&pass, seen, &written).ending(&plan)),
            End::Planned => return planned(&pass, known, outline(&pass, seen, &written)),
        }
    }
    bail!("the pass does not come to the workers; this is a fault of Kogge: please report it")
}

/// Checks the certificate that a user gave as the operator does.
fn check_given(authority: &str, leaf: &Certificate, names: &[String]) -> Result<(), String> {
    let given = GivenCertificate { authority, certificate: &leaf.certificate, key: &leaf.key };
    given.check(names, UnixTime::now()).map_err(|unfit| unfit.to_string())
}

/// How a pass ended that writes nothing.
enum End {
    /// The control cluster would be written; the next pass goes on from there.
    Written,
    /// The status says what is in the way.
    Blocked,
    /// The database ends.
    TornDown(Box<TeardownPlan>),
    /// This is what would be carried out.
    Planned,
}

async fn drive<E: Engine>(
    pass: &mut Pass<'_, E>,
    written: &mut Written<E>,
    known: &Known<E>,
    charts: &ChartStore,
    mint: &mut Sample,
    ask: &impl AsyncFn(&Prepared<'_, E>, &DatabaseSecrets) -> E::Topology,
) -> anyhow::Result<End> {
    for _ in 0..QUESTIONS {
        match next(pass, mint)? {
            Look::Read(what) => written.read(&what, &mut pass.control, known, mint)?,
            Look::Render(input) => {
                let Start { database, spec, .. } = pass.start;
                let mounted = match &known.secrets {
                    SecretsKnown::Unreadable(_) => mounted_by_status(database),
                    SecretsKnown::Read(_) | SecretsKnown::Absent => input.mounted,
                };
                let oldest = acceptance::oldest_version(&known.workers);
                let chart = charts.find_or_newest(&input.chart.name, input.chart.version.as_deref());
                let around = Surroundings { kube_version: &oldest, agent_image: &known.agent_image };
                let (identity, kept) = (&input.identity, &written.kept);
                pass.rendered =
                    Some(acceptance::render::<E>(database, spec, identity, kept, chart, around, mounted));
            }
            Look::Ask(ready) => {
                let topology = match &known.secrets {
                    SecretsKnown::Unreadable(_) => E::Topology::default(),
                    SecretsKnown::Read(_) | SecretsKnown::Absent => {
                        ask(&ready.prepared, &ready.held.secrets).await
                    }
                };
                pass.answered(*ready, topology);
            }
            Look::Queue(plan) => pass.queued(*plan, BTreeSet::new()),
            Look::CarryOut | Look::Explain(_) | Look::Members(_) => return Ok(End::Planned),
            Look::TearDown(plan) => return Ok(End::TornDown(plan)),
            Look::Write(write, then) => {
                written.take(&write)?;
                match then {
                    Then::GoOn => pass.written(*write),
                    Then::End(_) => return Ok(End::Written),
                }
            }
            Look::Done(_) => return Ok(End::Blocked),
        }
    }
    bail!("the pass asks without end; this is a fault of Kogge: please report it")
}

/// The plan without anything in it yet.
fn outline<E: Engine>(pass: &Pass<'_, E>, seen: &Seen, written: &Written<E>) -> Outline {
    let Start { database, workers, fleet, control_uid, now, .. } = pass.start;
    let sighting = Sighting::<E::Record>::of(database, workers, fleet, control_uid);
    let mut notes = notes(database, seen, now);
    notes.extend(written.notes.iter().cloned());
    Outline {
        database: format!("{}/{}", database.namespace(), database.name()),
        cluster_id: database.cluster_id.as_ref().map(ToString::to_string).unwrap_or_default(),
        outcome: Outcome::Problem,
        ownership: sighting.ownership.overall.to_string(),
        notes,
        problems: in_the_way(database),
        workers: BTreeMap::new(),
        engine: None,
        rollout: None,
    }
}

/// What the status says is in the way of Ready.
fn in_the_way(database: &Database) -> Vec<Obstacle> {
    let conditions = database.status.iter().flat_map(|status| &status.conditions);
    let ready = conditions.filter(|condition| condition.type_ == READY && condition.status != "True");
    ready.map(|found| Obstacle::new(Rank::NotCarriedOut, &found.reason, &found.message)).collect()
}

/// What would be carried out.
fn planned<E: Engine>(pass: &Pass<'_, E>, known: &Known<E>, outline: Outline) -> anyhow::Result<Outline> {
    let asked = pass.asked.as_ref().context("the members were not asked")?;
    let plan = asked.plan.as_ref().context("nothing was planned")?;
    let prepared = &asked.ready.prepared;
    let mut outline = outline.filled(prepared, plan, asked.ready.problem.as_ref());
    if let Some(replacement) = prepared.replacement() {
        outline.notes.insert(0, replacement.approval.what);
    }
    if let SecretsKnown::Unreadable(why) = &known.secrets {
        outline.without_members(why);
    }
    if let Some(rotation) = rotation(prepared, pass.start.now) {
        outline.rotates(&rotation);
    }
    if plan.rehearsal_binds {
        let count = plan.rehearsal.len();
        outline.notes.push(format!("the rollout is rehearsed first: {count} objects are applied with dryRun=All"));
    }
    Ok(outline)
}

/// The generation of secrets that the pods mount, as the operator told it last.
fn mounted_by_status(database: &Database) -> Mounted {
    match database.status.as_ref().and_then(|status| status.security.as_ref()) {
        Some(told) => Mounted { generation: told.generation, tls: told.tls_mode },
        None => Mounted::first(database.security.tls.mode),
    }
}

/// What of the secrets is being made anew, or is due.
fn rotation<E: Engine>(prepared: &Prepared<'_, E>, now: &Time) -> Option<String> {
    let renewal = prepared.observation.secrets.renewal();
    let due = renewal.is_some_and(|at| at <= now.0.as_second());
    prepared.observation.rotating().or_else(|| due.then(|| "certificates: their renewal is due".to_owned()))
}

/// Where a deletion stands.
enum Deletion {
    Pending { executes_at: String },
    Halted { cause: String },
    Due,
}

fn deletion(database: &Database, now: &Time) -> Option<Deletion> {
    let asked = database.metadata.deletion_timestamp.as_ref()?;
    let recorded = database.status.as_ref().and_then(|status| status.deletion.as_ref());
    let cool_off = Duration::from(database.deletion.cool_off);
    Some(match deletion_state(now.0, asked, recorded, cool_off) {
        DeletionState::Pending { executes_at } => Deletion::Pending { executes_at: executes_at.0.to_string() },
        DeletionState::Due => match recorded.and_then(|record| record.halted.clone()) {
            Some(cause) => Deletion::Halted { cause },
            None => Deletion::Due,
        },
    })
}

/// What to know beside the plan.
fn notes(database: &Database, seen: &Seen, now: &Time) -> Vec<String> {
    let mut notes: Vec<String> =
        seen.missing.iter().map(|(worker, why)| format!("{worker} was not seen: {why}")).collect();
    match deletion(database, now) {
        Some(Deletion::Due) => notes.push("its cool-off is over: this is its teardown".to_owned()),
        Some(Deletion::Pending { executes_at }) => {
            notes.push(format!("its deletion was asked for; until {executes_at} it runs on as planned here"));
        }
        Some(Deletion::Halted { cause }) => {
            notes.push(format!("its deletion was asked for and is halted: {cause}"));
        }
        None => {}
    }
    if database.annotation(labels::PAUSE).is_some() {
        notes.push(format!("nothing is changed while the annotation {} is set", labels::PAUSE));
    }
    notes
}

impl Outline {
    fn ending(mut self, plan: &TeardownPlan) -> Self {
        let deletes = |worker| plan.actions.iter().filter(move |action| action.worker() == worker);
        let workers: BTreeSet<&WorkerName> = plan.actions.iter().map(Action::worker).collect();
        self.workers = workers
            .into_iter()
            .map(|worker| (worker.clone(), deletes(worker).filter_map(Change::of).collect()))
            .collect();
        let waits = plan.remaining.iter().filter(|(worker, _)| !self.workers.contains_key(worker));
        self.notes.extend(waits.map(|(worker, what)| format!("waits for {worker}: {what}")));
        self.problems.clear();
        self.outcome = Outcome::Changes;
        self
    }

    fn filled<E: Engine>(
        mut self,
        prepared: &Prepared<'_, E>,
        plan: &DatabasePlan<E>,
        problem: Option<&Problem>,
    ) -> Self {
        let observation = &prepared.observation;
        self.notes.extend(observation.notice.clone());
        let in_the_way = obstacles(prepared, plan, problem).into_iter();
        self.problems = in_the_way.filter(|obstacle| obstacle.class() != Class::InProgress).collect();
        self.workers = plan.desired.keys().map(|worker| (worker.clone(), changes(plan, worker))).collect();
        // While a spec is not carried out, only names are kept up to date.
        if problem.is_none() {
            self.engine = Some(EngineOutline {
                steps: plan.engine.steps.iter().map(Step::without_payload).collect(),
                anchors_first: plan.actions.iter().any(is_anchor),
                waiting: plan.engine.waiting.clone(),
            });
            let order = &observation.database.rollout.order;
            self.rollout = Some(RolloutOutline::of::<E>(&plan.rollout, &observation.rollout.chart_version, order));
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
        self.notes.push(format!("secrets are rotated, each step when every pod runs the one before: {rotation}"));
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

fn changes<E: Engine>(plan: &DatabasePlan<E>, worker: &WorkerName) -> Vec<Change> {
    plan.actions.iter().filter(|action| action.worker() == worker).filter_map(Change::of).collect()
}

fn is_anchor(action: &Action) -> bool {
    matches!(action, Action::Apply { object, .. } if anchors::is_anchor(object))
}

#[cfg(test)]
#[path = "pass_tests.rs"]
mod tests;
