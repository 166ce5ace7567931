//! The `kogge-lab` binary.

use std::process::ExitCode;

use clap::Parser;
use kogge_lab::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "kogge_lab=info".into()),
        )
        .with_timer(tracing_subscriber::fmt::time::uptime())
        .with_target(false)
        .with_level(false)
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
    match cli.run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("kogge-lab: {e}");
            ExitCode::FAILURE
        }
    }
}
