//! A database in the control cluster, and changes to its resource.

use std::time::Duration;

use anyhow::{Context as _, bail};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kogge_engine::Database;
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::reference::{Reference, one_of};
use crate::ControlArgs;
use crate::cluster::Cluster;
use crate::engines::REGISTERED;
use crate::kind::Kind;

/// The field manager of what the command line writes.
const FIELD_MANAGER: &str = "kogge-cli";
/// How often the status is looked at while an answer is waited for.
const LOOK: Duration = Duration::from_secs(1);

/// Which database is meant.
#[derive(clap::Args)]
pub(crate) struct Target {
    /// The database as kubectl names it, such as fc/ll2022 or fe/orders. The kind may be left out where one kind only has
    /// a database of that name
    #[arg(value_name = "[KIND/]NAME")]
    database: Reference,
    /// Its namespace; by default that of the context
    #[arg(short, long)]
    namespace: Option<String>,
}

/// A database in the control cluster.
pub(crate) struct Subject {
    pub(crate) home: Cluster,
    pub(crate) kind: &'static dyn Kind,
    namespace: String,
    name: String,
}

/// A resource as it was read.
pub(crate) struct Present {
    pub(crate) object: DynamicObject,
    /// What it declares.
    pub(crate) database: Database,
}

impl Subject {
    /// The database that a command was told of.
    pub(crate) async fn open(target: &Target, control: &ControlArgs) -> anyhow::Result<(Self, Present)> {
        let home = Cluster::control(control)?;
        Self::find(home, &target.database, target.namespace.as_deref()).await
    }

    /// The one database that is meant, whatever its kind.
    pub(crate) async fn find(
        home: Cluster,
        reference: &Reference,
        namespace: Option<&str>,
    ) -> anyhow::Result<(Self, Present)> {
        let Reference { kind, name } = reference;
        let namespace = namespace.map_or_else(|| home.namespace(), str::to_owned);
        let kinds = kind.map_or_else(|| REGISTERED.to_vec(), |kind| vec![kind]);
        let mut found = Vec::new();
        for kind in &kinds {
            let subject =
                Self { home: home.clone(), kind: *kind, namespace: namespace.clone(), name: name.clone() };
            if let Some(present) = subject.read_if_present().await? {
                found.push((subject, present));
            }
        }
        if found.len() > 1 {
            let choices = one_of(found.iter().map(|(subject, _)| subject.kind.written(name)));
            bail!("namespace {namespace} has several databases {name}; write {choices}");
        }
        found.pop().with_context(|| {
            let kinds: Vec<String> = kinds.iter().map(|kind| kind.resource().kind).collect();
            format!(
                "there is no {} {namespace}/{name}; name another with --namespace, or plan a manifest with --file",
                kinds.join(" or ")
            )
        })
    }

    /// As messages call it.
    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// As commands take it.
    pub(crate) fn written(&self) -> String {
        format!("{} --namespace {}", self.kind.written(&self.name), self.namespace)
    }

    async fn read(&self) -> anyhow::Result<Present> {
        let gone = || format!("{} {} was deleted meanwhile", self.kind.resource().kind, self.full_name());
        self.read_if_present().await?.with_context(gone)
    }

    async fn read_if_present(&self) -> anyhow::Result<Option<Present>> {
        let what = format!("read {} {}", self.kind.resource().kind, self.full_name());
        let Some(object) = self.home.request(&what, self.api().get_opt(&self.name)).await? else {
            return Ok(None);
        };
        let database = self.kind.database(&object)?;
        Ok(Some(Present { object, database }))
    }

    /// Sets annotations, or takes them away where they have no value. What changed meanwhile is not written over.
    pub(crate) async fn annotate(
        &self,
        present: &Present,
        annotations: &[(&str, Option<String>)],
    ) -> anyhow::Result<()> {
        let annotations: Value =
            annotations.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        self.edit(present, &json!({ "metadata": { "annotations": annotations } })).await
    }

    /// Merges into what was read; what changed meanwhile is not written over.
    pub(crate) async fn edit(&self, present: &Present, merged: &Value) -> anyhow::Result<()> {
        let mut patch = merged.clone();
        patch["metadata"]["uid"] = json!(present.object.uid());
        patch["metadata"]["resourceVersion"] = json!(present.object.resource_version());
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let what = format!("change {} {}", self.kind.resource().kind, self.full_name());
        self.home.request(&what, self.api().patch(&self.name, &params, &Patch::Merge(&patch))).await?;
        Ok(())
    }

    /// Looks at the status until it holds what was waited for, and returns that.
    pub(crate) async fn wait<T>(
        &self,
        what: &str,
        patience: Duration,
        holds: impl Fn(&Database) -> Option<T>,
    ) -> anyhow::Result<T> {
        let end = Instant::now() + patience;
        loop {
            let Present { database, .. } = self.read().await?;
            if let Some(found) = holds(&database) {
                return Ok(found);
            }
            if Instant::now() > end {
                let status = database.status.unwrap_or_default();
                let waits = status.waiting_for.map(|what| format!("; waiting for: {what}")).unwrap_or_default();
                bail!(
                    "timed out after {} s waiting for {what} of {}{waits}; the request stays, see `kubectl describe {}`",
                    patience.as_secs(),
                    self.full_name(),
                    self.written()
                );
            }
            sleep(LOOK).await;
        }
    }

    fn api(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.home.client(), &self.namespace, &self.kind.resource())
    }
}

/// A condition of the status.
pub(crate) fn condition<'a>(database: &'a Database, type_: &str) -> Option<&'a Condition> {
    database.status.as_ref()?.conditions.iter().find(|condition| condition.type_ == type_)
}
