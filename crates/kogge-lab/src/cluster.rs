//! One cluster, as its users hold it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::bootstrap;
use crate::context::ClusterContext;
use crate::error::{IoContext, LabError, Result};
use crate::kubeconfig::{self, Entry};
use crate::network;
use crate::pki;
use crate::process::MARKER;

/// A cluster of the lab, or one that ran already.
#[derive(Debug, Clone)]
pub struct Cluster {
    name: String,
    api_server: String,
    kubeconfig: String,
    context: Option<ClusterContext>,
}

impl Cluster {
    /// A cluster that the lab made.
    pub(crate) fn of_lab(context: ClusterContext) -> Result<Self> {
        let entry = Entry::read(&context.certificates(), context.name(), &context.api_url(), "admin")?;
        Ok(Self {
            name: context.name().to_owned(),
            api_server: context.api_url(),
            kubeconfig: kubeconfig::render(&[entry])?,
            context: Some(context),
        })
    }

    /// A cluster that runs already, by its kubeconfig's current context.
    pub(crate) fn external(name: &str, file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).context(|| format!("read kubeconfig {}", file.display()))?;
        let read = Kubeconfig::from_yaml(&text).map_err(|e| LabError::document(file.display().to_string(), e))?;
        let api_server = current_server(&read).ok_or_else(|| {
            LabError::Invalid(format!(
                "kubeconfig {}: its current-context names no cluster with a server",
                file.display()
            ))
        })?;
        Ok(Self { name: name.to_owned(), api_server, kubeconfig: text, context: None })
    }

    /// Its name: `control`, `vdc1`, …
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A kubeconfig of its administrator, with everything inline. It works on the host and in pods of the
    /// control cluster.
    pub fn kubeconfig(&self) -> String {
        self.kubeconfig.clone()
    }

    /// URL of the API server.
    pub fn api_server(&self) -> String {
        self.api_server.clone()
    }

    /// PEM of the authority that signed the API server's certificate; only for clusters of the lab.
    pub fn ca_pem(&self) -> Result<String> {
        pki::read(&self.own()?.certificates(), "ca.crt")
    }

    /// A client with the administrator's rights.
    pub async fn client(&self) -> Result<Client> {
        // Another crate of the process may have installed the same provider before.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let read = Kubeconfig::from_yaml(&self.kubeconfig).map_err(|e| LabError::document("kubeconfig", e))?;
        let mut config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default())
            .await
            .map_err(|e| LabError::document(format!("kubeconfig of {}", self.name), e))?;
        config.connect_timeout = Some(Duration::from_secs(5));
        Client::try_from(config).map_err(|e| LabError::kube(&self.name, e))
    }

    /// The API server's audit log: one JSON document per line; only for clusters of the lab.
    pub fn audit_log(&self) -> Result<PathBuf> {
        Ok(self.own()?.audit_log())
    }

    /// The folder with logs of its components; only for clusters of the lab.
    pub fn log_folder(&self) -> Result<PathBuf> {
        Ok(self.own()?.disk().join("log"))
    }

    /// A program on the network of the cluster's node, beside its components: faults of the network reach it, and
    /// what of it still runs ends with the lab. Only for whole clusters of the lab.
    pub fn program(&self, name: &str, program: &Path) -> Result<Command> {
        let context = self.own()?;
        let mut words = network::enter(&context.namespace()).into_iter();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).arg(program).env(MARKER, context.marker(name));
        Ok(command)
    }

    /// Waits until API server, node and DNS are ready.
    pub async fn wait_ready(&self, deadline: Duration) -> Result<()> {
        bootstrap::wait_ready(self, None, deadline).await
    }

    /// The parts of a cluster that the lab made.
    pub(crate) fn own(&self) -> Result<&ClusterContext> {
        self.context.as_ref().ok_or_else(|| {
            LabError::Invalid(format!(
                "cluster {} was not made by the lab: its processes, network, images and logs are out of reach; use its own tools",
                self.name
            ))
        })
    }
}

fn current_server(kubeconfig: &Kubeconfig) -> Option<String> {
    let current = kubeconfig.current_context.as_ref()?;
    let context = kubeconfig.contexts.iter().find(|c| &c.name == current)?.context.as_ref()?;
    let cluster = kubeconfig.clusters.iter().find(|c| c.name == context.cluster)?;
    cluster.cluster.as_ref()?.server.clone()
}
