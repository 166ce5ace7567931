//! `kogge` and `kubectl-kogge`: the command line. What it changes could be changed with kubectl as well; it
//! only saves the many steps.

mod cluster;
mod database;
mod dry_run;
mod engines;
mod kind;
mod plan;
mod request;
mod worker;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// One database across many Kubernetes clusters.
#[derive(Parser)]
#[command(version, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    control: ControlArgs,
    #[command(subcommand)]
    command: Command,
}

/// Which cluster is the control cluster.
#[derive(clap::Args)]
struct ControlArgs {
    /// The kubeconfig of the control cluster; by default $KUBECONFIG, or ~/.kube/config
    #[arg(long, global = true, value_name = "FILE")]
    kubeconfig: Option<std::path::PathBuf>,
    /// The context of the control cluster; by default the current one
    #[arg(long, global = true, value_name = "NAME")]
    context: Option<String>,
    /// Kogge's own namespace, in the control cluster and on the workers
    #[arg(long, global = true, value_name = "NAMESPACE", default_value = kogge_api::SYSTEM_NAMESPACE)]
    system_namespace: String,
}

#[derive(Subcommand)]
enum Command {
    /// The worker clusters
    #[command(subcommand)]
    Worker(worker::Command),
    /// What the operator would do next for a database; nothing is written
    ///
    /// The exit code is 0 where nothing is to do, 2 where there are changes, and 1 where a problem is in the way.
    Plan(plan::Args),
    /// Moves leaders away from vdcs before their maintenance, and lets them back after it
    Switchover(request::switchover::Args),
    /// Rotates keys, certificates or passwords, without downtime
    Rotate(request::rotate::Args),
    /// Goes on without vdcs that are lost for good, where a group lost its majority with them
    Recover(request::recover::Args),
}

/// Runs the command line under the name by which it was called.
pub async fn main(name: &'static str) -> ExitCode {
    let _already_installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    tracing_subscriber::fmt()
        .with_env_filter(logged(std::env::var(EnvFilter::DEFAULT_ENV).ok().as_deref()))
        .with_writer(std::io::stderr)
        .init();
    let matches = Cli::command().name(name).bin_name(name).get_matches();
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let result = match cli.command {
        Command::Worker(command) => worker::run(command, &cli.control).await.map(|()| ExitCode::SUCCESS),
        Command::Plan(args) => plan::run(args, &cli.control).await,
        Command::Switchover(args) => request::switchover::run(args, &cli.control).await,
        Command::Rotate(args) => request::rotate::run(args, &cli.control).await,
        Command::Recover(args) => request::recover::run(args, &cli.control).await,
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {}", sentence(&error));
        ExitCode::FAILURE
    })
}

/// What is logged: what `RUST_LOG` asks for, or Kogge's own warnings. The lines of the client libraries say nothing that
/// the command line does not say with a name and in a sentence.
fn logged(asked: Option<&str>) -> EnvFilter {
    EnvFilter::new(asked.filter(|asked| !asked.is_empty()).unwrap_or("kogge=warn"))
}

/// The error and its causes, without those that an outer one has told already.
fn sentence(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match () {
        () if told.is_empty() => cause,
        () if told.contains(&cause) => told,
        () => format!("{told}: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use tracing::Level;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn the_libraries_lines_are_left_out_unless_they_are_asked_for() {
        let lets_through = |asked: Option<&str>, at: fn() -> bool| {
            tracing::subscriber::with_default(tracing_subscriber::registry().with(logged(asked)), at)
        };
        let library = || tracing::event_enabled!(target: "kube_client::client::builder", Level::ERROR);
        let own = || tracing::event_enabled!(target: "kogge_fleet::write::target", Level::WARN);
        for unset in [None, Some("")] {
            assert!(lets_through(unset, own) && !lets_through(unset, library));
        }
        assert!(lets_through(Some("kube=debug"), library));
    }
}
