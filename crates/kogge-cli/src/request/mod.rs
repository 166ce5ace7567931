//! Requests to the operator: annotations and fields of a FederatedCluster, which kubectl or GitOps could set as well. The
//! operator does what they ask; the command line only writes them and waits for the answer in the status.

pub(crate) mod recover;
mod recovery_view;
pub(crate) mod rotate;
pub(crate) mod switchover;

use std::time::Duration;

use anyhow::{Context as _, bail};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kogge_api::FederatedCluster;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::ControlArgs;
use crate::cluster::{self, Cluster};

/// The field manager of what the command line writes.
const FIELD_MANAGER: &str = "kogge-cli";
/// How often the status is looked at while an answer is waited for.
const LOOK: Duration = Duration::from_secs(1);

/// Which FederatedCluster is meant.
#[derive(clap::Args)]
pub(crate) struct Target {
    /// The FederatedCluster: its name, or namespace/name
    cluster: String,
    /// Its namespace
    #[arg(short, long)]
    namespace: Option<String>,
}

impl Target {
    /// The namespace and the name.
    pub(crate) fn resolve(&self) -> anyhow::Result<(String, String)> {
        let (within, name) = match self.cluster.split_once('/') {
            Some((namespace, name)) => (Some(namespace.to_owned()), name),
            None => (None, self.cluster.as_str()),
        };
        match (within, &self.namespace) {
            (Some(one), Some(other)) if one != *other => {
                bail!("{} is in namespace {one}, and --namespace says {other}; give one of the two", self.cluster)
            }
            (within, given) => {
                let namespace = within.or_else(|| given.clone()).unwrap_or_else(|| "default".to_owned());
                Ok((namespace, name.to_owned()))
            }
        }
    }
}

/// A FederatedCluster in the control cluster.
pub(crate) struct Subject {
    home: Cluster,
    namespace: String,
    name: String,
}

impl Subject {
    pub(crate) async fn open(target: &Target, control: &ControlArgs) -> anyhow::Result<Self> {
        let (namespace, name) = target.resolve()?;
        let kubeconfig = cluster::kubeconfig(control.kubeconfig.as_deref())?;
        let home = Cluster::open(kubeconfig, control.context.as_deref(), "control cluster").await?;
        Ok(Self { home, namespace, name })
    }

    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    pub(crate) async fn read(&self) -> anyhow::Result<FederatedCluster> {
        let what = format!("read FederatedCluster {}", self.full_name());
        let found = self.home.request(&what, self.api().get_opt(&self.name)).await?;
        found.with_context(|| {
            format!("there is no FederatedCluster {}; name another with --namespace", self.full_name())
        })
    }

    /// Sets annotations, or takes them away where they have no value. What changed meanwhile is not written over.
    pub(crate) async fn annotate(
        &self,
        present: &FederatedCluster,
        annotations: &[(&str, Option<String>)],
    ) -> anyhow::Result<()> {
        let annotations: Value =
            annotations.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        self.edit(present, &json!({ "metadata": { "annotations": annotations } })).await
    }

    /// Merges into what was read; what changed meanwhile is not written over.
    pub(crate) async fn edit(&self, present: &FederatedCluster, merged: &Value) -> anyhow::Result<()> {
        let mut patch = merged.clone();
        patch["metadata"]["uid"] = json!(present.uid());
        patch["metadata"]["resourceVersion"] = json!(present.resource_version());
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let what = format!("change FederatedCluster {}", self.full_name());
        self.home.request(&what, self.api().patch(&self.name, &params, &Patch::Merge(&patch))).await?;
        Ok(())
    }

    /// Looks at the status until it holds what was waited for, and returns that.
    pub(crate) async fn wait<T>(
        &self,
        what: &str,
        patience: Duration,
        holds: impl Fn(&FederatedCluster) -> Option<T>,
    ) -> anyhow::Result<T> {
        let end = Instant::now() + patience;
        loop {
            let cluster = self.read().await?;
            if let Some(found) = holds(&cluster) {
                return Ok(found);
            }
            if Instant::now() > end {
                let status = cluster.status.unwrap_or_default();
                let waits = status.waiting_for.map(|what| format!("; it waits for {what}")).unwrap_or_default();
                bail!(
                    "{} has not come to {what} within {} s{waits}; the request stands, look at `kubectl describe fc {}`",
                    self.full_name(),
                    patience.as_secs(),
                    self.name
                );
            }
            sleep(LOOK).await;
        }
    }

    fn api(&self) -> Api<FederatedCluster> {
        Api::namespaced(self.home.client(), &self.namespace)
    }
}

/// A condition of the status.
pub(crate) fn condition<'a>(cluster: &'a FederatedCluster, type_: &str) -> Option<&'a Condition> {
    cluster.status.as_ref()?.conditions.iter().find(|condition| condition.type_ == type_)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(cluster: &str, namespace: Option<&str>) -> anyhow::Result<(String, String)> {
        Target { cluster: cluster.to_owned(), namespace: namespace.map(str::to_owned) }.resolve()
    }

    #[test]
    fn a_cluster_is_named_with_or_without_its_namespace() {
        let pair = |namespace: &str, name: &str| (namespace.to_owned(), name.to_owned());
        assert_eq!(target("db", None).unwrap(), pair("default", "db"));
        assert_eq!(target("db", Some("n")).unwrap(), pair("n", "db"));
        assert_eq!(target("n/db", None).unwrap(), pair("n", "db"));
        assert_eq!(target("n/db", Some("n")).unwrap(), pair("n", "db"));
        assert!(target("n/db", Some("m")).unwrap_err().to_string().contains("give one of the two"));
    }
}
