//! `kogge plan`: what the operator would do, by the same code, and nothing is done.

mod control;
mod workers;

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use kogge_api::{ClusterId, FederatedCluster, labels};
use kogge_chart::ChartStore;
use kogge_federated_cluster::revisions::{Kept, Rollout};
use kogge_federated_cluster::secrets::DatabaseSecrets;
use kogge_federated_cluster::{DatabasePlan, Identity, Observation, Sighting, accepted_epoch, plan, template};
use kogge_mongo::{Millis, Topology};
use kogge_plan::FleetView;
use kogge_plan::placement::RegisteredWorker;

use crate::ControlArgs;
use crate::cluster::{self, Cluster};
use control::Known;

/// The clusterID that a database without one is planned under.
const SAMPLE_ID: [u8; 8] = [15; 8];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The name of the FederatedCluster
    name: String,
    /// Its namespace
    #[arg(short, long, default_value = "default")]
    namespace: String,
    /// A manifest that holds it as it shall be; by default what the control cluster holds is planned
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// A folder of charts, the same as the operator's. May be repeated
    #[arg(
        long = "chart-dir",
        value_name = "FOLDER",
        env = "KOGGE_CHART_DIR",
        value_delimiter = ':',
        default_value = "charts"
    )]
    chart_dirs: Vec<PathBuf>,
}

pub(crate) async fn run(args: Args, args_of_control: &ControlArgs) -> anyhow::Result<()> {
    let kubeconfig = cluster::kubeconfig(args_of_control.kubeconfig.as_deref())?;
    let home = Cluster::open(kubeconfig, args_of_control.context.as_deref(), "control cluster").await?;
    let charts = ChartStore::new(args.chart_dirs.iter().cloned());
    let mut known = control::read(&home, &args, &args_of_control.system_namespace).await?;
    let fleet = workers::observe(&home, &known, &charts, &args_of_control.system_namespace).await?;
    if known.cluster.spec.cluster_id.is_none() {
        known.cluster.spec.cluster_id = Some(ClusterId::from_random(SAMPLE_ID));
        println!("{} has no clusterID yet; Kogge gives it one first. In this plan it is a sample.", args.name);
    }
    show(&known, &fleet, &charts)
}

fn show(known: &Known, fleet: &FleetView, charts: &ChartStore) -> anyhow::Result<()> {
    let Known { cluster, workers, control_uid, kept, secrets } = known;
    let workers: Vec<RegisteredWorker> = workers.iter().map(RegisteredWorker::from).collect();
    let sighting = Sighting::of(cluster, &workers, fleet, control_uid);
    if let Some(problem) = sighting.problem() {
        bail!("nothing would be written: {}: {}", problem.reason(), problem.message());
    }
    let identity = sighting.identity().context("the database has no clusterID")?;
    let rollout = rollout(cluster, &identity, kept, charts, known)?;
    let epoch = accepted_epoch(cluster, &sighting.ownership.overall, false)?.context("the spec has no epoch")?;
    let sample = DatabaseSecrets::from_random(&[0; 756], &[0; 24], &[0; 24]);
    let prepared = Observation {
        cluster,
        identity: &identity,
        control_uid,
        epoch: &epoch,
        fleet,
        placements: &sighting.placements,
        ownership: &sighting.ownership,
        rollout: &rollout,
        kept,
        secrets: secrets.as_ref().unwrap_or(&sample),
        held: false,
    }
    .prepare()?;
    print(&plan(&prepared, &Topology::default(), Millis::default(), None)?);
    Ok(())
}

/// What the spec renders to, with what was frozen when the database began.
fn rollout(
    cluster: &FederatedCluster,
    identity: &Identity,
    kept: &Kept,
    charts: &ChartStore,
    known: &Known,
) -> anyhow::Result<Rollout> {
    let global = &cluster.spec.global;
    let pinned = cluster.status.as_ref().and_then(|status| status.chart_version.as_ref());
    let chart = match global.chart_version.as_ref().or(pinned) {
        Some(version) => charts.find(&global.chart, version)?,
        None => charts.newest(&global.chart)?,
    };
    let frozen = match kept.frozen() {
        Some(frozen) => frozen.clone(),
        None => template::freeze(&cluster.spec, identity, &known.oldest_version()),
    };
    Ok(template::render_all(&cluster.spec, identity, &chart, &frozen)?)
}

fn print(plan: &DatabasePlan) {
    let DatabasePlan { actions, steps, restarts, refusals, errors, approvals, engine, rollout, desired: _ } = plan;
    for action in actions.iter().chain(restarts) {
        println!("{action}");
    }
    for step in steps {
        println!("engine: {step}");
    }
    for (worker, refusal) in refusals {
        println!("{worker}: not written: {refusal}");
    }
    for error in errors {
        println!("not rendered: {error}");
    }
    for approval in approvals {
        println!("waits for approval ({}={}): {}", labels::APPROVE, approval.hash, approval.what);
    }
    if rollout.rolling {
        println!("rollout: {} of {} pods are of the new revision", rollout.updated, rollout.total);
    }
    for waiting in &rollout.waiting {
        println!("rollout waits: {waiting}");
    }
    if actions.is_empty() && restarts.is_empty() && refusals.is_empty() && errors.is_empty() {
        println!("The workers hold what they should; nothing would be written to them.");
    }
    println!(
        "What the engine would do depends on what its {} replica sets answer, which this command does not ask; \
         `kubectl describe` shows what the operator last saw and waits for.",
        engine.sets.len()
    );
}
