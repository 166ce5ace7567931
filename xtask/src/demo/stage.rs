//! What all steps share: the clusters, and how to speak to them.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kogge_api::conditions::database::READY;
use kogge_api::{FederatedCluster, WorkerCluster};
use kogge_lab::{CONTROL, Lab};
use kube::{Api, Client};

use crate::workspace;

/// The database of the demo, and where it is.
pub(super) const DATABASE: &str = "ll2022";
pub(super) const NAMESPACE: &str = "databases";

/// How often the control cluster is asked.
const PERIOD: Duration = Duration::from_millis(500);

pub(super) struct Stage {
    pub(super) lab: Lab,
    /// The `kogge` command line.
    pub(super) kogge: PathBuf,
    /// The image of mongod, where it is not the chart's.
    pub(super) image: Option<String>,
    folder: PathBuf,
    client: Client,
}

impl Stage {
    pub(super) async fn new(lab: Lab, kogge: PathBuf, image: Option<String>) -> anyhow::Result<Self> {
        let folder = workspace::root().join("target/demo");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        for cluster in lab.clusters() {
            let file = folder.join(format!("{}.kubeconfig", cluster.name()));
            fs::write(&file, cluster.kubeconfig()).with_context(|| format!("cannot write {}", file.display()))?;
        }
        let client = lab.control().client().await?;
        Ok(Self { lab, kogge, image, folder, client })
    }

    /// The file that leads to a cluster.
    pub(super) fn kubeconfig(&self, cluster: &str) -> PathBuf {
        self.folder.join(format!("{cluster}.kubeconfig"))
    }

    pub(super) fn control_kubeconfig(&self) -> PathBuf {
        self.kubeconfig(CONTROL)
    }

    /// Waits until the database is as `check` wants it; while it is not, prints what is missing, each time
    /// that it changes.
    pub(super) async fn database_until(
        &self,
        deadline: Duration,
        check: impl Fn(&FederatedCluster) -> Result<(), String>,
    ) -> anyhow::Result<FederatedCluster> {
        let clusters: Api<FederatedCluster> = Api::namespaced(self.client.clone(), NAMESPACE);
        until(deadline, || async {
            let cluster = clusters.get(DATABASE).await.map_err(|error| error.to_string())?;
            check(&cluster).map(|()| cluster)
        })
        .await
    }

    /// Waits until the database is Ready for the spec that it has.
    pub(super) async fn database_ready(&self, deadline: Duration) -> anyhow::Result<FederatedCluster> {
        self.database_until(deadline, ready).await
    }

    /// Waits until a worker is Ready.
    pub(super) async fn worker_ready(&self, name: &str, deadline: Duration) -> anyhow::Result<()> {
        let workers: Api<WorkerCluster> = Api::all(self.client.clone());
        until(deadline, || async {
            let worker = workers.get(name).await.map_err(|error| error.to_string())?;
            let conditions = worker.status.map(|status| status.conditions).unwrap_or_default();
            is_ready(&conditions, worker.metadata.generation).map_err(|missing| format!("{name}: {missing}"))
        })
        .await
    }

    /// Prints what the lab's clusters take, with everything in them.
    pub(super) async fn print_memory(&self) -> anyhow::Result<()> {
        if self.lab.name().is_some() {
            let bytes: u64 = self.lab.status().await?.clusters.iter().map(|cluster| cluster.memory_bytes).sum();
            println!("memory of the lab: {} MiB", bytes / (1024 * 1024));
        }
        Ok(())
    }
}

/// What is missing until the database is Ready for the spec that it has.
pub(super) fn ready(cluster: &FederatedCluster) -> Result<(), String> {
    let status = cluster.status.clone().unwrap_or_default();
    is_ready(&status.conditions, cluster.metadata.generation)
        .map_err(|missing| status.waiting_for.filter(|words| !words.is_empty()).unwrap_or(missing))
}

fn is_ready(conditions: &[Condition], generation: Option<i64>) -> Result<(), String> {
    match conditions.iter().find(|condition| condition.type_ == READY) {
        None => Err("nothing has been reported yet".to_owned()),
        Some(ready) if ready.observed_generation != generation => {
            Err("the change has not been seen yet".to_owned())
        }
        Some(ready) if ready.status == "True" => Ok(()),
        Some(ready) => Err(format!("{}: {}", ready.reason, ready.message)),
    }
}

/// Asks until the answer is there; what is missing is printed each time that it changes.
pub(super) async fn until<T, F>(deadline: Duration, ask: impl Fn() -> F) -> anyhow::Result<T>
where
    F: Future<Output = Result<T, String>>,
{
    let start = Instant::now();
    let mut shown = String::new();
    loop {
        let missing = match tokio::time::timeout(deadline.saturating_sub(start.elapsed()), ask()).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(missing)) => missing,
            Err(_) => format!("no answer; before that: {shown}"),
        };
        if missing != shown {
            println!("{:>9.1} s  waiting: {missing}", start.elapsed().as_secs_f32());
            shown = missing;
        }
        if start.elapsed() >= deadline {
            bail!("not reached within {} s: {shown}", deadline.as_secs());
        }
        tokio::time::sleep(PERIOD).await;
    }
}
