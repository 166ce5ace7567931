//! A cluster as the command line speaks to it: every request has a deadline, and every error says what to do.

mod apply;
mod error;

use std::time::Duration;

use anyhow::{Context as _, bail};
use kogge_api::WorkerCluster;
use kogge_api::guarded::{Guarded, Undecodable, sorted};
use kogge_fleet::proxy;
use kogge_fleet::{Access, KubeconfigError, KubeconfigFiles, ProxyEnvironment};
use kube::api::ListParams;
use kube::{Api, Client};

use crate::ControlArgs;
pub(crate) use apply::{Applied, Manifest, Outcome};
pub(crate) use error::Unreachable;

/// The deadline of one request.
const DEADLINE: Duration = Duration::from_secs(15);

/// A cluster that a kubeconfig leads to.
#[derive(Clone)]
pub(crate) struct Cluster {
    /// How messages call it.
    pub(crate) name: String,
    server: String,
    /// How it is reached, as part of a sentence; nothing where no proxy is asked.
    through: String,
    client: Client,
}

impl Cluster {
    /// Opens the control cluster. Nothing is sent yet.
    pub(crate) fn control(control: &ControlArgs) -> anyhow::Result<Self> {
        let files = match &control.kubeconfig {
            Some(file) => Some(KubeconfigFiles::read([file.as_path()])?),
            None => KubeconfigFiles::read_default()?,
        };
        let files = files.context(
            "there is no kubeconfig for the control cluster: set KUBECONFIG, or give --kubeconfig FILE",
        )?;
        Self::open(&choose(&files, control.context.as_deref(), "control cluster")?, "control cluster")
    }

    /// Opens a cluster. Nothing is sent yet; a program that the kubeconfig asks for is run.
    pub(crate) fn open(access: &Access, role: &str) -> anyhow::Result<Self> {
        let unusable = || format!("context {:?} of the kubeconfig for the {role} cannot be used", access.context);
        let mut config = access.config(&ProxyEnvironment::of_process()).with_context(unusable)?;
        config.connect_timeout = Some(DEADLINE);
        let proxy = config.proxy_url.as_ref();
        let through = proxy.map(|proxy| format!(" through the proxy {}", proxy::shown(proxy))).unwrap_or_default();
        // A server that is busy is asked again, for as long as the deadline of the request allows.
        config.default_retry = true;
        let client = Client::try_from(config).with_context(unusable)?;
        let server = access.server.address.to_string().trim_end_matches('/').to_owned();
        Ok(Self { name: format!("{role} ({})", access.context), server, through, client })
    }

    /// A cluster that a test plays.
    #[cfg(test)]
    pub(crate) fn played(name: &str, client: Client) -> Self {
        Self { name: name.to_owned(), server: "https://192.0.2.1".to_owned(), through: String::new(), client }
    }

    /// The address of its API server.
    pub(crate) fn server(&self) -> &str {
        &self.server
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
        if let Ok(answer) = tokio::time::timeout(DEADLINE, request).await {
            answer.map_err(|error| error::explain(&error, self, what))
        } else {
            let why = format!(
                "has not answered{} for {} s; check that the address is reachable from here",
                self.through,
                DEADLINE.as_secs()
            );
            Err(Unreachable::new(self, what, &why).into())
        }
    }
}

/// The way into a cluster by one of the kubeconfig's contexts; by default the current one.
pub(crate) fn choose(files: &KubeconfigFiles, context: Option<&str>, role: &str) -> anyhow::Result<Access> {
    let known = || {
        let names: Vec<&str> = files.contexts().collect();
        if names.is_empty() { "it has none".to_owned() } else { format!("it has {}", names.join(", ")) }
    };
    match files.access(context) {
        Ok(access) => Ok(access),
        Err(KubeconfigError::NoCurrentContext) => {
            bail!("the kubeconfig has no current context, so name one of its contexts; {}", known())
        }
        Err(KubeconfigError::UnknownContext { context }) => {
            bail!("the kubeconfig has no context {context:?}; {}", known())
        }
        Err(error) => Err(error).with_context(|| format!("the kubeconfig for the {role} cannot be used")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> KubeconfigFiles {
        KubeconfigFiles::parse(
            b"current-context: north\n\
             clusters: [{name: n, cluster: {server: 'https://10.0.0.1:6443'}}]\n\
             contexts: [{name: north, context: {cluster: n, user: u}}, {name: lost, context: {cluster: x, user: u}}]\n\
             users: [{name: u, user: {token: t}}]\n",
        )
        .unwrap()
    }

    fn chosen(files: &KubeconfigFiles, context: Option<&str>) -> Result<String, String> {
        let chosen = choose(files, context, "worker");
        chosen.map(|access| access.context).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn the_current_context_is_the_default() {
        assert_eq!(chosen(&sample(), None).unwrap(), "north");
        assert_eq!(chosen(&sample(), Some("north")).unwrap(), "north");
    }

    #[test]
    fn an_unknown_context_is_answered_with_the_known_ones() {
        let error = chosen(&sample(), Some("south")).unwrap_err();
        assert_eq!(error, "the kubeconfig has no context \"south\"; it has north, lost");
        let error = chosen(&KubeconfigFiles::default(), None).unwrap_err();
        assert!(error.ends_with("it has none"), "{error}");
    }

    #[test]
    fn a_context_that_leads_nowhere_is_named() {
        let error = chosen(&sample(), Some("lost")).unwrap_err();
        assert!(error.contains("contexts[name=lost].context.cluster is \"x\""), "{error}");
    }
}
