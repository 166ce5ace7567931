//! API servers without nodes, the operator on them, and three workers that have joined.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use kogge_api::conditions::{is_true, worker_cluster::READY};
use kogge_api::{SYSTEM_NAMESPACE, WorkerCluster};
use kogge_lab::products;
use kogge_lab::{CONTROL, Lab, LabSpec, Mode, wait};
use kube::{Api, Client};
use serde_json::json;
use tokio::process::{Child, Command};

use super::bare::BARE;
use super::metrics;
use crate::command::{command, feed, run as run_command};
use crate::setup::blocking;
use crate::workspace;

/// The namespace of the databases.
pub(super) const NAMESPACE: &str = "databases";
/// The data centres.
pub(super) const VDCS: [&str; 3] = ["vdc1", "vdc2", "vdc3"];
/// The lab's name.
pub(super) const LAB: &str = "bench";

/// What is measured on.
pub(super) struct Site {
    pub(super) control: Client,
    pub(super) workers: Vec<(String, Client)>,
    lab: Lab,
    folder: PathBuf,
    kogge: PathBuf,
    program: PathBuf,
    operator: Option<Child>,
    metrics: SocketAddr,
}

impl Site {
    pub(super) async fn up(profile: &str) -> anyhow::Result<Self> {
        let arguments = ["--workspace", "--bins", "--profile", profile].map(str::to_owned);
        let programs = blocking(move || {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            products::build(&workspace::root(), &arguments)
        })
        .await?;
        let find = |name: &str| products::find(&programs, name).map(Path::to_owned);
        let (kogge, program) = (find("kogge")?, find("kogge-operator")?);
        let spec = LabSpec { workers: 3, mode: Mode::ApiOnly, ..LabSpec::full(LAB, 3) };
        let lab = Lab::up(spec).await?;
        let folder = workspace::root().join("target/bench");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        for cluster in lab.clusters() {
            let file = folder.join(format!("{}.kubeconfig", cluster.name()));
            fs::write(&file, cluster.kubeconfig()).with_context(|| format!("cannot write {}", file.display()))?;
        }
        let control = lab.control().client().await?;
        let mut workers = Vec::new();
        for vdc in VDCS {
            workers.push((vdc.to_owned(), lab.cluster(vdc)?.client().await?));
        }
        let metrics = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?.local_addr()?;
        let mut site = Self { control, workers, lab, folder, kogge, program, operator: None, metrics };
        site.install().await?;
        Ok(site)
    }

    async fn install(&mut self) -> anyhow::Result<()> {
        self.kubectl(CONTROL, &["apply", "-f", "config/namespace.yaml"]).await?;
        self.kubectl(CONTROL, &["apply", "-k", "config/crd"]).await?;
        self.namespace(CONTROL, NAMESPACE).await?;
        self.start()?;
        for vdc in VDCS {
            for namespace in [NAMESPACE, BARE] {
                self.namespace(vdc, namespace).await?;
            }
            let name = format!("worker-{vdc}");
            let mut join = command(&self.kogge, ["worker", "join", &name, "--vdc", vdc, "--chart-dir", "charts"]);
            join.args(["--allow-namespace", NAMESPACE, "--worker-kubeconfig"]).arg(self.kubeconfig(vdc));
            join.arg("--kubeconfig").arg(self.kubeconfig(CONTROL));
            run_command(join).await?;
        }
        let workers: Api<WorkerCluster> = Api::all(self.control.clone());
        wait::until("the workers Ready", Duration::from_mins(2), || async {
            let all = workers.list(&kube::api::ListParams::default()).await.map_err(|error| error.to_string())?;
            let ready = |worker: &&WorkerCluster| {
                worker.status.as_ref().is_some_and(|status| is_true(&status.conditions, READY))
            };
            let count = all.items.iter().filter(ready).count();
            if count == VDCS.len() { Ok(()) } else { Err(format!("{count} of {} are Ready", VDCS.len())) }
        })
        .await?;
        Ok(())
    }

    /// Starts the operator, with its administrator's rights: rights are not what is measured.
    pub(super) fn start(&mut self) -> anyhow::Result<()> {
        let log = File::create(self.folder.join("operator.log")).context("cannot write the operator's log")?;
        let mut operator = Command::new(&self.program);
        operator
            .args(["--log-text", "--listen", &self.metrics.to_string(), "--chart-dir", "charts"])
            .current_dir(workspace::root())
            .env("KUBECONFIG", self.kubeconfig(CONTROL))
            .env("POD_NAMESPACE", SYSTEM_NAMESPACE)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true);
        self.operator = Some(operator.spawn().context("cannot start the operator")?);
        Ok(())
    }

    /// Kills the operator, as `kill -9` does.
    pub(super) async fn kill(&mut self) -> anyhow::Result<()> {
        match self.operator.take() {
            Some(mut operator) => operator.kill().await.context("the operator cannot be killed"),
            None => Ok(()),
        }
    }

    /// The operator's process.
    pub(super) fn pid(&self) -> anyhow::Result<u32> {
        self.operator.as_ref().and_then(Child::id).context("the operator ended; see target/bench/operator.log")
    }

    /// How many passes over databases the operator has made since it started.
    pub(super) async fn passes(&self) -> anyhow::Result<u64> {
        metrics::passes(self.metrics).await
    }

    async fn namespace(&self, cluster: &str, name: &str) -> anyhow::Result<()> {
        let manifest = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        feed(self.kubectl_command(cluster, &["apply", "-f", "-"])?, &manifest.to_string()).await
    }

    async fn kubectl(&self, cluster: &str, arguments: &[&str]) -> anyhow::Result<()> {
        run_command(self.kubectl_command(cluster, arguments)?).await
    }

    fn kubectl_command(&self, cluster: &str, arguments: &[&str]) -> anyhow::Result<Command> {
        let tools = self.lab.shell_environment()?.tools.context("the lab has no kubectl")?;
        let mut command = command(tools.join("kubectl"), arguments);
        command.env("KUBECONFIG", self.kubeconfig(cluster)).stdout(Stdio::null());
        Ok(command)
    }

    fn kubeconfig(&self, cluster: &str) -> PathBuf {
        self.folder.join(format!("{cluster}.kubeconfig"))
    }
}
