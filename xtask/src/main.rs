//! Development tasks: `cargo xtask <task>`.

mod bench;
mod cargo;
mod checks;
mod clients;
mod command;
mod demo;
mod generate;
mod images;
mod interrupt;
mod mutate;
mod programs;
mod setup;
mod soak;
mod timeline;
mod workspace;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser;

/// Development tasks of Kogge.
#[derive(Parser)]
#[command(name = "cargo xtask", disable_version_flag = true)]
enum Task {
    /// Checks what labs and tests need, installs what it can, and builds the Kubernetes binaries
    Setup,
    /// Formatting, lints, licences, and every test, those on real clusters too
    Test(checks::Args),
    /// A database across real clusters: it forms, grows, takes a new chart, loses a data centre; nothing is lost
    Demo(demo::Args),
    /// Drops the planner's guards one at a time and writes what catches each to docs/engine/mutations.md
    Mutate(mutate::Args),
    /// Measures, beside a baseline of the same run
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Runs that last, and show what one run of the tests does not
    #[command(subcommand)]
    Soak(soak::Soak),
    /// Writes what is generated from the types: config/crd, config/rbac, docs/reference
    Gen {
        /// Writes nothing; fails where a file differs from what would be written
        #[arg(long)]
        check: bool,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let _already_installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| "kogge_lab=info,xtask=info".into()),
        )
        .with_timer(tracing_subscriber::fmt::time::uptime())
        .with_target(false)
        .with_level(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let result = match Task::parse() {
        Task::Setup => setup::run().await,
        Task::Test(args) => checks::run(args).await,
        Task::Demo(args) => demo::run(args).await,
        Task::Mutate(args) => mutate::run(args).await,
        Task::Bench(what) => bench::run(what).await,
        Task::Soak(what) => soak::run(what).await,
        Task::Gen { check: false } => generate::write(),
        Task::Gen { check: true } => generate::check(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
