//! What the operator would do next, by the same code. Nothing here can write: no [`Fence`](kogge_fleet::Fence) exists that
//! would let a write to a worker through, and the control cluster is only read.

mod control;
mod members;
mod outline;
mod pass;
mod redact;
mod words;
mod workers;
mod written;

use std::cell::RefCell;
use std::path::PathBuf;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kogge_chart_store::ChartStore;
use kogge_database::Prepared;
use kogge_database::secrets::DatabaseSecrets;
use kogge_engine::{Engine, Holding};
use kogge_engine_client::Observe;

use crate::cluster::Cluster;
pub(crate) use outline::{Outcome, Outline};
use pass::dry_run;
use workers::Workers;

/// What it takes to see what the operator sees.
#[derive(clap::Args)]
pub(crate) struct SightArgs {
    /// A folder of charts, the same as the operator's. May be repeated
    #[arg(
        long = "chart-dir",
        value_name = "FOLDER",
        env = "KOGGE_CHART_DIR",
        value_delimiter = ':',
        default_value = "charts"
    )]
    chart_dirs: Vec<PathBuf>,
    /// The image of Kogge's own containers in the pods, the same as the operator's
    #[arg(long, value_name = "IMAGE", env = "KOGGE_AGENT_IMAGE", default_value = kogge_api::gate::IMAGE)]
    agent_image: String,
}

/// Where the operator works.
#[derive(Clone, Copy)]
pub(crate) struct Environment<'a> {
    /// The control cluster.
    pub(crate) home: &'a Cluster,
    /// What it sees there.
    pub(crate) args: &'a SightArgs,
    /// Its own namespace.
    pub(crate) system_namespace: &'a str,
}

/// What the operator would see and do.
pub(crate) struct Sight {
    /// What it would do.
    pub(crate) outline: Outline,
    /// What each member holds, by its own word; nothing where the members were not asked.
    pub(crate) holdings: Vec<Holding>,
}

/// Looks at a database of the client's engine.
pub(crate) async fn look<C: Observe>(
    resource: <C::Engine as Engine>::Resource,
    environment: &Environment<'_>,
) -> anyhow::Result<Sight> {
    let charts = ChartStore::new(environment.args.chart_dirs.iter().cloned());
    let known = control::read::<C::Engine>(resource, environment).await?;
    let Environment { home, system_namespace, .. } = *environment;
    let workers = Workers::connect(home, &known.workers, &charts, system_namespace, &known.control_uid).await?;
    let seen = workers.observe().await;
    let now = Time(Timestamp::now());
    let holdings = RefCell::default();
    let ask = async |prepared: &Prepared<'_, C::Engine>, secrets: &DatabaseSecrets| {
        let topology = members::ask::<C>(prepared, secrets, &workers).await;
        holdings.replace(C::Engine::holdings(&prepared.goal, &topology));
        topology
    };
    let outline = dry_run(&known, &seen, &charts, &now, ask).await?;
    Ok(Sight { outline, holdings: holdings.into_inner() })
}
