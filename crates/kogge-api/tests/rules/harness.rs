//! An API server with the definitions, and tables of what it must say.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kogge_api::crd;
use kogge_lab::Lab;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

const NAMESPACE: &str = "rules";
const LAB: &str = "api-rules";

/// A lab of one API server, which ends with the test.
pub(crate) struct Server {
    client: Client,
}

impl Server {
    /// Starts it and installs the definitions.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let _already_installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let lab = Lab::api_only(LAB).await?;
        let server = Self { client: lab.control().client().await? };
        let definitions: Api<CustomResourceDefinition> = Api::all(server.client.clone());
        for definition in crd::all() {
            definitions.create(&PostParams::default(), &definition).await.context("the definition is refused")?;
        }
        for definition in crd::all() {
            let name = definition.name_any();
            let established = await_condition(definitions.clone(), &name, is_crd_established());
            tokio::time::timeout(Duration::from_secs(20), established).await.context("not established")??;
        }
        let namespaces: Api<Namespace> = Api::all(server.client.clone());
        let namespace = serde_json::from_value(json!({"metadata": {"name": NAMESPACE}}))?;
        namespaces.create(&PostParams::default(), &namespace).await?;
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = Lab::end(LAB) {
            eprintln!("the lab {LAB} may be left behind: {error}");
        }
    }
}

/// What an API server must say.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verdict {
    Passes,
    /// The refusal holds this sentence.
    Refused(&'static str),
}

/// A new object: the smallest valid spec with this merged over it.
pub(crate) struct Create {
    pub(crate) what: &'static str,
    pub(crate) spec: Value,
    pub(crate) verdict: Verdict,
}

/// A change: of the smallest valid spec with `before` merged over it, then with `change` merged over that.
pub(crate) struct Update {
    pub(crate) what: &'static str,
    pub(crate) before: Value,
    pub(crate) change: Value,
    pub(crate) verdict: Verdict,
}

/// The objects of one kind.
pub(crate) struct Resource {
    api: Api<DynamicObject>,
    kind: &'static str,
    smallest: Value,
    made: AtomicUsize,
}

impl Resource {
    pub(crate) fn federated_clusters(server: &Server) -> Self {
        let resource = resource("FederatedCluster");
        Self {
            api: Api::namespaced_with(server.client.clone(), NAMESPACE, &resource),
            kind: "FederatedCluster",
            smallest: json!({"placement": [{"name": "vdc1", "vdc": "vdc1"}]}),
            made: AtomicUsize::new(0),
        }
    }

    pub(crate) fn federated_etcds(server: &Server) -> Self {
        let resource = resource("FederatedEtcd");
        Self {
            api: Api::namespaced_with(server.client.clone(), NAMESPACE, &resource),
            kind: "FederatedEtcd",
            smallest: json!({"version": "3.6.14", "placement": [{"name": "vdc1", "vdc": "vdc1"}]}),
            made: AtomicUsize::new(0),
        }
    }

    pub(crate) fn worker_clusters(server: &Server) -> Self {
        let resource = resource("WorkerCluster");
        Self {
            api: Api::all_with(server.client.clone(), &resource),
            kind: "WorkerCluster",
            smallest: json!({
                "vdc": "vdc1",
                "kubeconfig": {"secretRef": {"name": "worker-vdc1"}},
                "allowedNamespaces": {"names": ["databases"]},
            }),
            made: AtomicUsize::new(0),
        }
    }

    /// The smallest valid object, stored under a name of its own.
    pub(crate) async fn store(&self, over: &Value) -> anyhow::Result<DynamicObject> {
        let name = format!("case-{}", self.made.fetch_add(1, Ordering::Relaxed));
        let object = self.object(&name, over)?;
        self.api
            .create(&PostParams::default(), &object)
            .await
            .with_context(|| format!("the base of a case: {over}"))
    }

    /// The stored spec after a server-side apply by that manager.
    pub(crate) async fn apply(&self, name: &str, manager: &str, spec: &Value) -> anyhow::Result<Value> {
        let object = json!({
            "apiVersion": "kogge.dev/v1alpha1", "kind": self.kind, "metadata": {"name": name}, "spec": spec,
        });
        let applied = self.api.patch(name, &PatchParams::apply(manager), &Patch::Apply(&object)).await?;
        Ok(applied.data["spec"].clone())
    }

    pub(crate) async fn check_creates(&self, cases: &[Create]) -> anyhow::Result<Vec<String>> {
        let mut failures = Vec::new();
        for Create { what, spec, verdict } in cases {
            let object = self.object("case", spec)?;
            failures.extend(self.judge(what, *verdict, self.api.create(&dry_run(), &object).await)?);
        }
        Ok(failures)
    }

    pub(crate) async fn check_updates(&self, cases: &[Update]) -> anyhow::Result<Vec<String>> {
        let mut failures = Vec::new();
        for Update { what, before, change, verdict } in cases {
            let mut object = self.store(before).await?;
            json_patch::merge(&mut object.data["spec"], change);
            let answer = self.api.replace(&object.name_any(), &dry_run(), &object).await;
            failures.extend(self.judge(what, *verdict, answer)?);
        }
        Ok(failures)
    }

    pub(crate) async fn check_names(&self, cases: &BTreeMap<String, Verdict>) -> anyhow::Result<Vec<String>> {
        let mut failures = Vec::new();
        for (name, verdict) in cases {
            let object = self.object(name, &json!({}))?;
            failures.extend(self.judge(name, *verdict, self.api.create(&dry_run(), &object).await)?);
        }
        Ok(failures)
    }

    fn object(&self, name: &str, over: &Value) -> anyhow::Result<DynamicObject> {
        let mut spec = self.smallest.clone();
        json_patch::merge(&mut spec, over);
        Ok(serde_json::from_value(json!({
            "apiVersion": "kogge.dev/v1alpha1", "kind": self.kind, "metadata": {"name": name}, "spec": spec,
        }))?)
    }

    /// The failure, where the answer is not the verdict.
    fn judge(
        &self,
        what: &str,
        verdict: Verdict,
        answer: kube::Result<DynamicObject>,
    ) -> anyhow::Result<Option<String>> {
        let kind = self.kind;
        Ok(match (verdict, answer) {
            (Verdict::Passes, Ok(_)) => None,
            (Verdict::Passes, Err(error)) => Some(format!("{kind}: {what}: must pass, but: {error}")),
            (Verdict::Refused(sentence), Ok(_)) => {
                Some(format!("{kind}: {what}: passes, but must be refused with: {sentence}"))
            }
            (Verdict::Refused(sentence), Err(kube::Error::Api(status))) => (!status.message.contains(sentence))
                .then(|| format!("{kind}: {what}: must be refused with: {sentence}\n    but: {}", status.message)),
            (Verdict::Refused(_), Err(other)) => bail!("{kind}: {what}: no answer: {other}"),
        })
    }
}

fn resource(kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(kogge_api::GROUP, kogge_api::VERSION, kind))
}

fn dry_run() -> PostParams {
    PostParams { dry_run: true, ..PostParams::default() }
}
