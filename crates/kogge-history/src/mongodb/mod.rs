//! MongoDB: writes with majority concern, records what was acknowledged, and checks that nothing of it was lost.

mod check;
mod database;
mod record;
mod write;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use database::Target;

/// What is done with a MongoDB database.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Writes to MongoDB until it is asked to end
    Write {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        writers: write::Args,
    },
    /// Reads the record, then MongoDB: what is in the first must be in the second
    Check {
        #[command(flatten)]
        common: Common,
    },
}

/// What both need.
#[derive(Args)]
pub(crate) struct Common {
    #[command(flatten)]
    target: Target,
    /// The file with the numbers of the acknowledged writes, one per line
    #[arg(long, default_value = "/record/acknowledged")]
    record: PathBuf,
    /// What tells the writes of this client from those of others
    #[arg(long, env = "HISTORY_RUN", default_value = "run")]
    run: String,
}

/// Does it.
pub(crate) async fn run(command: &Command) -> anyhow::Result<()> {
    let _already_installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match command {
        Command::Write { common, writers } => {
            write::run(writers, &common.target, &common.record, &common.run).await
        }
        Command::Check { common } => check::run(&common.target, &common.record, &common.run).await,
    }
}
