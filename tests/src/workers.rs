//! Workers join by the command line that users have.

use std::time::Duration;

use anyhow::{Context as _, bail};
use kogge_api::WorkerCluster;
use kogge_api::conditions::worker_cluster::READY;
use kogge_lab::{CONTROL, wait};
use kube::Api;
use tokio::process::Command;

use crate::Harness;
use crate::harness::{DATABASES, SCRATCH, root};

const DEADLINE: Duration = Duration::from_mins(1);

/// The WorkerCluster of a data centre.
pub fn worker_name(vdc: &str) -> String {
    format!("worker-{vdc}")
}

pub(crate) async fn join(harness: &Harness, vdc: &str) -> anyhow::Result<()> {
    let mut command = Command::new(&harness.kogge);
    command
        .args(["worker", "join", &worker_name(vdc), "--vdc", vdc, "--chart-dir", "charts"])
        .args(["--allow-namespace", DATABASES, "--allow-namespace", SCRATCH, "--worker-kubeconfig"])
        .arg(harness.kubeconfig(vdc))
        .arg("--kubeconfig")
        .arg(harness.kubeconfig(CONTROL))
        .current_dir(root())
        .kill_on_drop(true);
    let output = command.output().await.context("cannot run kogge")?;
    if !output.status.success() {
        bail!("kogge worker join {}: {}", worker_name(vdc), String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

pub(crate) async fn wait_ready(harness: &Harness, vdc: &str) -> anyhow::Result<()> {
    harness
        .worker_until(&worker_name(vdc), "ready", DEADLINE, |worker| {
            let conditions = worker.status.iter().flat_map(|status| &status.conditions);
            let ready = conditions.into_iter().find(|condition| condition.type_ == READY);
            match ready {
                Some(ready) if ready.status == "True" => Ok(()),
                Some(ready) => Err(format!("{}: {}", ready.reason, ready.message)),
                None => Err("nothing has been reported yet".to_owned()),
            }
        })
        .await
        .map(drop)
}

impl Harness {
    /// Waits until a WorkerCluster is as `check` wants it; its error is what is still missing.
    pub async fn worker_until(
        &self,
        name: &str,
        what: &str,
        deadline: Duration,
        check: impl Fn(&WorkerCluster) -> Result<(), String>,
    ) -> anyhow::Result<WorkerCluster> {
        let workers: Api<WorkerCluster> = Api::all(self.control.clone());
        let what = format!("{name} {what}");
        let found = wait::until(&what, deadline, || async {
            let worker = workers.get(name).await.map_err(|error| error.to_string())?;
            check(&worker).map(|()| worker)
        });
        Ok(found.await?)
    }
}
