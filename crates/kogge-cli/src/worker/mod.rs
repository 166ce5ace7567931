//! `kogge worker …`

mod belonging;
mod charts;
mod join;
mod kubeconfig;
mod made;
mod names;
mod objects;
mod rotate;
mod token;

use std::path::PathBuf;

use clap::Subcommand;
use kogge_fleet::{Access, KubeconfigFiles};

use crate::ControlArgs;
use crate::cluster;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Registers a worker cluster: rights on the worker, kubeconfig and WorkerCluster in the control cluster
    Join(join::Args),
    /// Gives the operator a new token for a worker, and revokes the ones before
    Rotate(rotate::Args),
}

/// The way of an administrator into a worker.
#[derive(clap::Args)]
#[expect(
    clippy::struct_field_names,
    reason = "each is an option of that name, beside those of the control cluster"
)]
struct WorkerAccess {
    /// A kubeconfig with administrator's rights on the worker; it is used here and now, and kept nowhere
    #[arg(long, value_name = "FILE")]
    worker_kubeconfig: PathBuf,
    /// Its context; by default the current one
    #[arg(long, value_name = "NAME")]
    worker_context: Option<String>,
    /// The address of the worker's API server as the operator reaches it, where it differs from yours
    #[arg(long, value_name = "URL")]
    worker_server: Option<String>,
}

impl WorkerAccess {
    fn choose(&self) -> anyhow::Result<Access> {
        let files = KubeconfigFiles::read([self.worker_kubeconfig.as_path()])?;
        cluster::choose(&files, self.worker_context.as_deref(), "worker")
    }
}

pub(crate) async fn run(command: Command, control: &ControlArgs) -> anyhow::Result<()> {
    match command {
        Command::Join(args) => join::run(args, control).await,
        Command::Rotate(args) => rotate::run(args, control).await,
    }
}
