//! One pass over a database: the order is that of [`kogge_database::pass`]; here it meets the wire.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use kogge_database::acceptance::{self, Rendered, oldest_version};
use kogge_database::pass::{self, Again, Known, Look, Ready, RenderInput, Severity, Start, Then, Write, next};
use kogge_database::report::{self, Problem};
use kogge_database::secrets::IncompleteSecret;
use kogge_database::template::Surroundings;
use kogge_engine::{Database, Engine, Millis};
use kogge_engine_client::{CertificateError, ClusterAccess, Execute, TrustError};
use kogge_plan::placement::RegisteredWorker;
use kube::runtime::controller::Action;
use kube::runtime::events::EventType;
use tokio::task::{JoinError, spawn_blocking};
use tracing::{info, warn};

use super::kind::{EngineOf, Kind, ResourceOf};
use super::{access, carry_out, full_name, members, reads, short_name, writes};
use crate::context::Context;
use crate::control::ControlError;
use crate::mint::OperatorMint;
use crate::renders::RenderKey;

/// How soon to look again while the resources of some kind were not all listed yet.
const LISTING: Duration = Duration::from_millis(100);
/// More questions than any pass has.
const QUESTIONS: usize = 64;

/// Why a pass did not end.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The control cluster.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// A Secret that lacks something.
    #[error(transparent)]
    Secret(#[from] IncompleteSecret),
    /// The authorities that the members are trusted by.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A certificate of the database's.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// What is known does not allow a plan.
    #[error(transparent)]
    Pass(#[from] pass::PassError),
    /// A thread that renders ended early.
    #[error("a chart was not rendered: {0}; this is a fault of Kogge: please report it")]
    Rendering(#[from] JoinError),
    /// The pass asks without end.
    #[error("the pass did not end after {QUESTIONS} questions; this is a fault of Kogge: please report it")]
    Endless,
}

impl PassError {
    /// A stable word in CamelCase.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Control(error) => error.reason(),
            Self::Secret(_) => "SecretIncomplete",
            Self::Trust(_) => "AuthorityUnreadable",
            Self::Certificate(_) => "CertificateUnreadable",
            Self::Pass(error) => error.reason(),
            Self::Rendering(_) => "RenderingFailed",
            Self::Endless => "PassEndless",
        }
    }

    /// Whether it is worth a word in the status. A write that lost a race is tried again at once, and who does not lead
    /// writes nothing.
    fn is_reported(&self) -> bool {
        !matches!(self, Self::Control(ControlError::Stale { .. } | ControlError::NotLeading))
    }
}

/// Makes a pass. One that fails says so in the status.
pub(super) async fn pass<C: Execute>(
    resource: &ResourceOf<C>,
    database: &Database,
    kind: &Kind<C>,
) -> Result<Action, PassError> {
    let outcome = drive(resource, database, kind).await;
    if let Err(error) = &outcome
        && error.is_reported()
    {
        let status = report::failed(database, error.reason(), &error.to_string(), &writes::now());
        if let Some(write) = Write::status(database, status)
            && let Err(unwritten) = writes::write::<EngineOf<C>>(resource, database, &write, &kind.context).await
        {
            warn!(%unwritten, "the status does not say yet that the pass failed");
        }
    }
    outcome
}

/// The connections to the members, once they are asked.
struct Members<C> {
    client: Arc<C>,
    access: ClusterAccess,
    observed_at: Millis,
}

async fn drive<C: Execute>(
    resource: &ResourceOf<C>,
    database: &Database,
    kind: &Kind<C>,
) -> Result<Action, PassError> {
    let context = &*kind.context;
    let fleet = context.fleet.snapshot();
    let registered = context.workers.state();
    let workers: Vec<RegisteredWorker> =
        registered.iter().map(|worker| RegisteredWorker::from(&**worker)).collect();
    let Some(rivals) = context.rivals(database) else { return Ok(Action::requeue(LISTING)) };
    let now = writes::now();
    let mut known = Known::<EngineOf<C>>::new(Start {
        database,
        spec: EngineOf::<C>::spec(resource),
        workers: &workers,
        rivals: &rivals,
        fleet: &fleet,
        control_uid: &context.control_uid,
        system_namespace: &context.namespace,
        settling_in: context.is_settling_in(),
        now: &now,
        clock: context.now(),
    });
    let mut mint = OperatorMint::now();
    let mut asked: Option<Members<C>> = None;
    for _ in 0..QUESTIONS {
        match next(&known, &mut mint)? {
            Look::Read(what) => reads::read::<EngineOf<C>>(database, &what, &mut known.control, context).await?,
            Look::Render(input) => {
                known.rendered = Some(render::<EngineOf<C>>(*input, resource, &known, context).await?);
            }
            Look::Ask(ready) => {
                let members = reach(&ready, kind)?;
                let topology = ask(database, &ready, &members, context).await;
                known.start.clock = context.now();
                known.answered(*ready, topology);
                asked = Some(members);
            }
            Look::Queue(plan) => {
                if let Some(asked) = &known.asked {
                    let prepared = &asked.ready.prepared;
                    let id = &prepared.observation.identity.id;
                    let waiting = context.turns.ask(id, plan.demand(prepared), context);
                    known.queued(*plan, waiting);
                }
                observe(database, &known, context);
            }
            Look::CarryOut => {
                if let (Some(members), Some(asked)) = (&asked, &known.asked)
                    && let Some(plan) = &asked.plan
                {
                    let prepared = &asked.ready.prepared;
                    let target = carry_out::Target {
                        resource,
                        database,
                        client: &*members.client,
                        access: &members.access,
                        context,
                    };
                    known.carried(target.carry_out(prepared, plan, members.observed_at).await);
                }
            }
            Look::Explain(missing) => {
                let asked = missing.into_iter().map(|set| async move {
                    let why = context.fleet.why_no_pods(&set.worker, &set.key, &set.uid).await;
                    why.map(|why| (set, why))
                });
                known.explained(join_all(asked).await.into_iter().flatten().collect());
            }
            Look::Members(work) => {
                if let (Some(members), Some(asked)) = (&asked, &known.asked) {
                    let prepared = &asked.ready.prepared;
                    let answer =
                        members::work(database, &work, prepared, &*members.client, &members.access, context)
                            .await?;
                    known.worked(&work, answer);
                }
            }
            Look::TearDown(plan) => {
                carry_out::tear_down(&plan, &fleet, context).await;
                known.control.torn_down = true;
            }
            Look::Write(write, then) => {
                writes::write::<EngineOf<C>>(resource, database, &write, context).await?;
                if !matches!(*write, Write::Status { .. }) {
                    info!("{write}");
                }
                if matches!(*write, Write::Forget { .. })
                    && let Some(id) = &database.cluster_id
                {
                    kind.forget(id, &full_name(database));
                }
                for event in write.events() {
                    let type_ = match event.severity {
                        Severity::Normal => EventType::Normal,
                        Severity::Warning => EventType::Warning,
                    };
                    context.tell(resource, type_, &event.reason, &event.note).await;
                }
                match then {
                    Then::GoOn => known.written(*write),
                    Then::End(again) => return Ok(action(again)),
                }
            }
            Look::Done(again) => return Ok(action(again)),
        }
    }
    Err(PassError::Endless)
}

fn action(again: Again) -> Action {
    match again {
        Again::OnChange => Action::await_change(),
        Again::After(pause) => Action::requeue(pause),
    }
}

/// Renders, off the threads that other passes need, and only where something changed that it is made from.
async fn render<E: Engine>(
    input: RenderInput,
    resource: &E::Resource,
    known: &Known<'_, E>,
    context: &Context,
) -> Result<Result<Rendered, Problem>, PassError> {
    let kept = match known.control.revisions.as_ref().map(|stored| &stored.kept) {
        Some(Ok(kept)) => Arc::clone(kept),
        Some(Err(problem)) => return Ok(Err(problem.clone())),
        None => Arc::default(),
    };
    let (charts, wanted) = (Arc::clone(&context.charts), input.chart.clone());
    let find = move || charts.find_or_newest(&wanted.name, wanted.version.as_deref());
    let chart = spawn_blocking(find).await?;
    let oldest = oldest_version(context.workers.state().iter().map(|worker| &**worker));
    let key = RenderKey {
        spec: known.spec_hash()?.to_owned(),
        chart: chart.as_ref().map(|chart| chart.content_hash.clone()).map_err(ToString::to_string),
        revisions: known.control.revisions.as_ref().map(|stored| stored.names.clone()).unwrap_or_default(),
        kube_version: oldest.clone(),
        input: input.clone(),
    };
    if let Some(known) = context.renders.of(&key) {
        return Ok(known);
    }
    let (resource, agent) = (resource.clone(), context.agent_image.clone());
    let render = move || {
        let RenderInput { identity, mounted, .. } = &input;
        let (database, spec) = (E::database(&resource), E::spec(&resource));
        let around = Surroundings { kube_version: &oldest, agent_image: &agent };
        acceptance::render::<E>(&database, spec, identity, &kept, chart, around, *mounted)
    };
    let rendered = spawn_blocking(render).await?;
    context.renders.keep(key, rendered.clone());
    Ok(rendered)
}

fn reach<C: Execute>(ready: &Ready<'_, EngineOf<C>>, kind: &Kind<C>) -> Result<Members<C>, TrustError> {
    let prepared = &ready.prepared;
    Ok(Members {
        client: kind.connections(&prepared.observation.identity.id),
        access: access::access(prepared, &kind.context)?,
        observed_at: kind.context.now(),
    })
}

async fn ask<C: Execute>(
    database: &Database,
    ready: &Ready<'_, EngineOf<C>>,
    members: &Members<C>,
    context: &Context,
) -> <EngineOf<C> as Engine>::Topology {
    let Ready { prepared, .. } = ready;
    let Members { client, access, observed_at } = members;
    let topology = client.observe(access, &prepared.goal, &prepared.pods, *observed_at).await;
    let heard = EngineOf::<C>::heard(&topology);
    context.reachability.of_database(&full_name(database), &heard, context.now());
    topology
}

/// Counts what the plan saw.
fn observe<E: Engine>(database: &Database, known: &Known<'_, E>, context: &Context) {
    if let Some(plan) = known.asked.as_ref().and_then(|asked| asked.plan.as_ref()) {
        let queued = |group: &_| plan.in_queue.contains(group);
        let name = |group: &_| short_name(database, group);
        context.metrics.observed(&full_name(database), &plan.engine, name, queued);
    }
}
