//! A client that writes with majority concern, records what was acknowledged, and checks that nothing of it
//! was lost.

mod check;
mod database;
mod record;
mod write;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use database::Target;

/// Writes with majority concern, records what was acknowledged, and checks that nothing of it was lost.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    target: Target,
    /// The file with the numbers of the acknowledged writes, one per line
    #[arg(long, global = true, default_value = "/record/acknowledged")]
    record: PathBuf,
    /// What tells the writes of this client from those of others
    #[arg(long, global = true, env = "HISTORY_RUN", default_value = "run")]
    run: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes until it is asked to end
    Write(write::Args),
    /// Reads the record, then the database: what is in the first must be in the second
    Check,
}

#[tokio::main]
async fn main() -> ExitCode {
    let _already_installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let cli = Cli::parse();
    let result = match &cli.command {
        Command::Write(args) => write::run(args, &cli.target, &cli.record, &cli.run).await,
        Command::Check => check::run(&cli.target, &cli.record, &cli.run).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
