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

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kogge_chart::ChartStore;
use kogge_federated_cluster::Prepared;
use kogge_federated_cluster::secrets::DatabaseSecrets;

use crate::ControlArgs;
use crate::cluster::{self, Cluster};
use foresee::foresee;
use outline::{Outcome, Outline};
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
    /// A folder of charts, the same as the operator's. May be repeated
    #[arg(
        long = "chart-dir",
        value_name = "FOLDER",
        env = "KOGGE_CHART_DIR",
        value_delimiter = ':',
        default_value = "charts"
    )]
    chart_dirs: Vec<PathBuf>,
    /// How the plan is printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
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
    let kubeconfig = cluster::kubeconfig(control.kubeconfig.as_deref())?;
    let home = Cluster::open(kubeconfig, control.context.as_deref(), "control cluster").await?;
    let charts = ChartStore::new(args.chart_dirs.iter().cloned());
    let known = control::read(&home, &args, &control.system_namespace).await?;
    let workers = Workers::connect(&home, &known.workers, &charts, &control.system_namespace).await?;
    let seen = workers.observe().await;
    let now = Time(Timestamp::now());
    let ask =
        async |prepared: &Prepared<'_>, secrets: &DatabaseSecrets| members::ask(prepared, secrets, &workers).await;
    let outline = foresee(&known, &seen, &charts, &now, ask).await?;
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

fn exit_code(outline: &Outline) -> ExitCode {
    match outline.outcome {
        Outcome::NothingToDo => ExitCode::SUCCESS,
        Outcome::Changes => ExitCode::from(CHANGES),
        Outcome::Problem => ExitCode::FAILURE,
    }
}
