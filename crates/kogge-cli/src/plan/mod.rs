//! `kogge plan`: what the operator would do next, by the same code. Nothing here can write: no
//! [`Fence`](kogge_fleet::Fence) exists that would let a write to a worker through, and the control cluster is
//! only read, or asked with `dryRun=All`.

mod control;
mod foresee;
mod members;
mod outline;
mod redact;
mod words;
mod workers;
mod written;

use std::cell::RefCell;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kogge_chart_store::ChartStore;
use kogge_database::Prepared;
use kogge_database::secrets::DatabaseSecrets;
use kogge_mongo::{Goal, MongoDb, Topology};

use crate::ControlArgs;
use crate::cluster::{self, Cluster};
use foresee::foresee;
use outline::Outcome;
pub(crate) use outline::Outline;
use workers::Workers;

/// The exit code of a plan with changes, as `terraform plan -detailed-exitcode` has it.
const CHANGES: u8 = 2;

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
    #[command(flatten)]
    sight: SightArgs,
    /// How the plan is printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

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

#[derive(Clone, Copy, Default, ValueEnum)]
enum Output {
    /// In words
    #[default]
    Text,
    /// As data, without the content of Secrets
    Json,
}

/// Prints the plan. The exit code is 0 where nothing is to do, 2 where changes are, and 1 where a problem is in
/// the way that a person must mend.
pub(crate) async fn run(args: Args, control: &ControlArgs) -> anyhow::Result<ExitCode> {
    let subject = Subject { namespace: &args.namespace, name: &args.name, file: args.file.as_deref() };
    let Sight { outline, .. } = Box::pin(look(subject, &args.sight, &[], control)).await?;
    let text = match args.output {
        Output::Text => outline.to_string(),
        Output::Json => serde_json::to_string_pretty(&outline)? + "\n",
    };
    match io::stdout().write_all(text.as_bytes()) {
        // The reader has had enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written?,
    }
    Ok(exit_code(&outline))
}

/// Looks at a FederatedCluster as it would be with these annotations.
pub(crate) async fn sight(
    namespace: &str,
    name: &str,
    args: &SightArgs,
    annotations: &[(&str, String)],
    control: &ControlArgs,
) -> anyhow::Result<Sight> {
    Box::pin(look(Subject { namespace, name, file: None }, args, annotations, control)).await
}

/// What the operator would see and do.
pub(crate) struct Sight {
    /// What it would do.
    pub(crate) outline: Outline,
    /// The members as they answered; none where they were not asked.
    pub(crate) members: Option<(Goal, Topology)>,
}

/// The FederatedCluster that is looked at, or the file that would make it.
#[derive(Clone, Copy)]
struct Subject<'a> {
    namespace: &'a str,
    name: &'a str,
    file: Option<&'a Path>,
}

async fn look(
    subject: Subject<'_>,
    args: &SightArgs,
    annotations: &[(&str, String)],
    control: &ControlArgs,
) -> anyhow::Result<Sight> {
    let kubeconfig = cluster::kubeconfig(control.kubeconfig.as_deref())?;
    let home = Cluster::open(kubeconfig, control.context.as_deref(), "control cluster").await?;
    let charts = ChartStore::new(args.chart_dirs.iter().cloned());
    let mut known = control::read(&home, subject, &args.agent_image, &control.system_namespace).await?;
    let added = annotations.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
    known.cluster.metadata.annotations.get_or_insert_default().extend(added);
    let workers = Workers::connect(&home, &known.workers, &charts, &control.system_namespace).await?;
    let seen = workers.observe().await;
    let now = Time(Timestamp::now());
    let members = RefCell::new(None);
    let ask = async |prepared: &Prepared<'_, MongoDb>, secrets: &DatabaseSecrets| {
        let topology = members::ask(prepared, secrets, &workers).await;
        members.replace(Some((prepared.goal.clone(), topology.clone())));
        topology
    };
    let outline = foresee(&known, &seen, &charts, &now, ask).await?;
    Ok(Sight { outline, members: members.into_inner() })
}

fn exit_code(outline: &Outline) -> ExitCode {
    match outline.outcome {
        Outcome::NothingToDo => ExitCode::SUCCESS,
        Outcome::Changes => ExitCode::from(CHANGES),
        Outcome::Problem => ExitCode::FAILURE,
    }
}
