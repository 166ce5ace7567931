//! A cluster as the command line speaks to it: every request has a deadline, and every error says what to do.

mod apply;
mod error;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use kogge_api::WorkerCluster;
use kogge_api::guarded::{Guarded, Undecodable, sorted};
use kube::api::ListParams;
use kube::config::{Cluster as ClusterEntry, KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};

use crate::ControlArgs;
pub(crate) use apply::Manifest;

/// The deadline of one request.
const DEADLINE: Duration = Duration::from_secs(15);

/// A cluster that a kubeconfig leads to.
#[derive(Clone)]
pub(crate) struct Cluster {
    /// How messages call it.
    pub(crate) name: String,
    /// The entry of the kubeconfig, with the address and the CA.
    pub(crate) entry: ClusterEntry,
    client: Client,
}

impl Cluster {
    /// Opens the control cluster. Nothing is sent yet.
    pub(crate) async fn control(control: &ControlArgs) -> anyhow::Result<Self> {
        Self::open(kubeconfig(control.kubeconfig.as_deref())?, control.context.as_deref(), "control cluster").await
    }

    /// Opens the cluster behind a context; by default the current one. Nothing is sent yet.
    pub(crate) async fn open(kubeconfig: Kubeconfig, context: Option<&str>, role: &str) -> anyhow::Result<Self> {
        let name = choose(&kubeconfig, context)?;
        let entry = entry(&kubeconfig, &name)?;
        let options = KubeConfigOptions { context: Some(name.clone()), ..KubeConfigOptions::default() };
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .with_context(|| format!("context {name:?} of the kubeconfig for the {role} cannot be used"))?;
        config.connect_timeout = Some(DEADLINE);
        // A server that is busy is asked again, for as long as the deadline of the request allows.
        config.default_retry = true;
        let client = Client::try_from(config)
            .with_context(|| format!("context {name:?} of the kubeconfig for the {role} cannot be used"))?;
        Ok(Self { name: format!("{role} ({name})"), entry, client })
    }

    /// The address of its API server.
    pub(crate) fn server(&self) -> &str {
        self.entry.server.as_deref().unwrap_or_default()
    }

    /// The namespace of the context.
    pub(crate) fn namespace(&self) -> String {
        self.client.default_namespace().to_owned()
    }

    /// The client, for requests that [`Self::request`] puts a deadline on.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// The WorkerClusters, and those that cannot be decoded.
    pub(crate) async fn worker_clusters(&self) -> anyhow::Result<(Vec<WorkerCluster>, Vec<Undecodable>)> {
        let api: Api<Guarded<WorkerCluster>> = Api::all(self.client());
        let listed = self.request("list WorkerClusters", api.list(&ListParams::default())).await?;
        Ok(sorted(listed.items))
    }

    /// Waits for the answer to a request, but not for ever; `what` completes "cannot …".
    pub(crate) async fn request<T>(
        &self,
        what: &str,
        request: impl Future<Output = kube::Result<T>>,
    ) -> anyhow::Result<T> {
        match tokio::time::timeout(DEADLINE, request).await {
            Ok(answer) => answer.map_err(|error| error::explain(&error, self, what)),
            Err(_) => bail!(
                "{}: cannot {what}: {} has not answered for {} s; check that the address is reachable from here",
                self.name,
                self.server(),
                DEADLINE.as_secs()
            ),
        }
    }
}

/// Reads a kubeconfig; by default the one that kubectl would take.
pub(crate) fn kubeconfig(file: Option<&Path>) -> anyhow::Result<Kubeconfig> {
    match file {
        Some(file) => {
            Kubeconfig::read_from(file).with_context(|| format!("cannot read the kubeconfig {}", file.display()))
        }
        None => Kubeconfig::read()
            .context("there is no kubeconfig for the control cluster: set KUBECONFIG, or give --kubeconfig FILE"),
    }
}

fn choose(kubeconfig: &Kubeconfig, context: Option<&str>) -> anyhow::Result<String> {
    let known = || {
        let names: Vec<&str> = kubeconfig.contexts.iter().map(|context| context.name.as_str()).collect();
        if names.is_empty() { "it has none".to_owned() } else { format!("it has {}", names.join(", ")) }
    };
    match context.or(kubeconfig.current_context.as_deref()).filter(|name| !name.is_empty()) {
        None => bail!("the kubeconfig has no current context, so name one of its contexts; {}", known()),
        Some(name) if kubeconfig.contexts.iter().any(|context| context.name == name) => Ok(name.to_owned()),
        Some(name) => bail!("the kubeconfig has no context {name:?}; {}", known()),
    }
}

fn entry(kubeconfig: &Kubeconfig, context: &str) -> anyhow::Result<ClusterEntry> {
    let cluster = kubeconfig
        .contexts
        .iter()
        .find(|entry| entry.name == context)
        .and_then(|entry| entry.context.as_ref())
        .map(|context| context.cluster.as_str())
        .with_context(|| format!("context {context:?} of the kubeconfig is empty"))?;
    kubeconfig
        .clusters
        .iter()
        .find(|entry| entry.name == cluster)
        .and_then(|entry| entry.cluster.clone())
        .with_context(|| format!("context {context:?} names the cluster {cluster:?}, which the kubeconfig lacks"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Kubeconfig {
        Kubeconfig::from_yaml(
            "current-context: north\n\
             clusters: [{name: n, cluster: {server: 'https://10.0.0.1:6443'}}]\n\
             contexts: [{name: north, context: {cluster: n, user: u}}, {name: lost, context: {cluster: x, user: u}}]\n\
             users: []\n",
        )
        .unwrap()
    }

    #[test]
    fn the_current_context_is_the_default() {
        assert_eq!(choose(&sample(), None).unwrap(), "north");
        assert_eq!(choose(&sample(), Some("lost")).unwrap(), "lost");
    }

    #[test]
    fn an_unknown_context_is_answered_with_the_known_ones() {
        let error = choose(&sample(), Some("south")).unwrap_err().to_string();
        assert_eq!(error, "the kubeconfig has no context \"south\"; it has north, lost");
        let error = choose(&Kubeconfig::default(), None).unwrap_err().to_string();
        assert!(error.ends_with("it has none"), "{error}");
    }

    #[test]
    fn a_context_that_leads_nowhere_is_named() {
        let error = entry(&sample(), "lost").unwrap_err().to_string();
        assert_eq!(error, "context \"lost\" names the cluster \"x\", which the kubeconfig lacks");
    }
}
