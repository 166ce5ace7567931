//! `kogge worker …`

mod belonging;
mod charts;
mod join;
mod kubeconfig;
mod objects;

use clap::Subcommand;

use crate::ControlArgs;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Registers a worker cluster: rights on the worker, kubeconfig and WorkerCluster in the control cluster
    Join(join::Args),
}

pub(crate) async fn run(command: Command, control: &ControlArgs) -> anyhow::Result<()> {
    match command {
        Command::Join(args) => join::run(args, control).await,
    }
}
