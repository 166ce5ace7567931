//! The fleet against a real kube-apiserver: what only that decides.
//!
//! One lab serves all of it, one thing after the other.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding};
use kogge_api::WorkerCluster;
use kogge_api::conditions::{Status, worker_cluster as conditions};
use kogge_fleet::{
    Fence, Fleet, FleetOptions, Outcome, RequiredRules, SecretLookup, WorkerCredentials, WriteContext, WriteError,
};
use kogge_lab::Lab;
use kogge_plan::{Action, ApplyPrecondition, Object, ObjectKey, WorkerView};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};

const LAB: &str = "fleet-api";
const NAMESPACE: &str = "databases";

struct Leader;

impl Fence for Leader {
    fn is_leader(&self) -> bool {
        true
    }
}

/// The fleet under test, and an administrator who is everybody else.
struct Stage {
    fleet: Fleet,
    administrator: Client,
    kubeconfig: String,
    uid: String,
}

/// Ends the lab with the test, however that ends.
struct EndOfLab;

impl Drop for EndOfLab {
    fn drop(&mut self) {
        if let Err(error) = Lab::end(LAB) {
            eprintln!("the lab {LAB} may be left behind: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guarded_writes_on_a_real_api_server() -> anyhow::Result<()> {
    Lab::end(LAB)?;
    let _end = EndOfLab;
    stories(&Lab::api_only(LAB).await?).await
}

async fn stories(lab: &Lab) -> anyhow::Result<()> {
    let stage = Stage::set(lab).await?;
    a_rehearsal_finds_what_would_be_refused_and_changes_nothing(&stage).await?;
    a_create_then_updates_that_are_guarded(&stage).await?;
    an_object_that_is_gone_is_not_made_again_by_an_update(&stage).await?;
    a_strangers_object_is_left_alone(&stage).await?;
    fields_of_others_are_forced_or_left(&stage).await?;
    only_the_observed_object_is_deleted(&stage).await?;
    what_others_do_is_observed(&stage).await?;
    a_secret_stays_in_the_worker(&stage).await?;
    a_missing_namespace_is_named(&stage).await?;
    credentials_of_a_service_account_are_reviewed(&stage).await
}

impl Stage {
    async fn set(lab: &Lab) -> anyhow::Result<Self> {
        let administrator = lab.control().client().await?;
        let namespaces: Api<Namespace> = Api::all(administrator.clone());
        let namespace = serde_json::from_value(json!({"metadata": {"name": NAMESPACE}}))?;
        namespaces.create(&PostParams::default(), &namespace).await?;
        let kubeconfig = lab.control().kubeconfig();
        let fleet = Fleet::new(FleetOptions::new("kogge-system", required()));
        fleet.upsert(&worker("w", &[NAMESPACE])?, &SecretLookup::Found(kubeconfig.clone().into_bytes()));
        let stage = Self { fleet, administrator, kubeconfig, uid: String::new() };
        stage.until("the worker to be current", async || stage.view("w").is_some_and(|v| v.is_current())).await?;
        let uid = stage.view("w").and_then(|view| view.uid).context("it is current")?;
        Ok(Self { uid, ..stage })
    }

    async fn until<F: Future<Output = bool>>(&self, what: &str, holds: impl Fn() -> F) -> anyhow::Result<()> {
        let waiting = async {
            while !holds().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waiting)
            .await
            .with_context(|| format!("waited in vain for {what}: {:?}", self.fleet.status(&"w".into())))
    }

    fn view(&self, name: &str) -> Option<WorkerView> {
        self.fleet.snapshot().workers.get(&name.into()).cloned()
    }

    fn held(&self, kind: &str, name: &str) -> Option<Object> {
        let view = self.view("w")?;
        view.objects.iter().find(|(key, _)| key.kind == kind && key.name == name).map(|(_, o)| (**o).clone())
    }

    async fn execute(&self, action: &Action) -> Result<Outcome, WriteError> {
        self.fleet.execute(action, WriteContext { fence: &Leader, worker_uid: &self.uid, dry_run: false }).await
    }

    async fn rehearse(&self, action: &Action) -> Result<Outcome, WriteError> {
        self.fleet.execute(action, WriteContext { fence: &Leader, worker_uid: &self.uid, dry_run: true }).await
    }

    async fn create(&self, object: &Value) -> anyhow::Result<Object> {
        let outcome = self.execute(&apply(object, ApplyPrecondition::Absent)?).await?;
        let Outcome::Applied { .. } = outcome else { bail!("{outcome:?}") };
        let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
        let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
        self.held(&kind, &name).context("a write is seen at once")
    }

    /// What someone else applies, by force.
    async fn meddle(&self, object: &Value, manager: &str) -> anyhow::Result<Object> {
        let parsed: Object = serde_json::from_value(object.clone())?;
        let types = parsed.types.clone().context("a type")?;
        let (group, version) = types.api_version.split_once('/').unwrap_or(("", &types.api_version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &types.kind));
        let api: Api<Object> = Api::namespaced_with(self.administrator.clone(), NAMESPACE, &resource);
        let name = parsed.metadata.name.context("a name")?;
        Ok(api.patch(&name, &PatchParams::apply(manager).force(), &Patch::Apply(object)).await?)
    }
}

fn required() -> RequiredRules {
    let rule = |group: &str, resource: &str, verbs: &[&str]| PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(vec![resource.to_owned()]),
        verbs: verbs.iter().map(|&verb| verb.to_owned()).collect(),
        ..PolicyRule::default()
    };
    RequiredRules {
        namespaced: vec![rule("apps", "statefulsets", &["get", "patch"]), rule("", "pods", &["list"])],
        cluster: vec![PolicyRule {
            resource_names: Some(vec!["kube-system".to_owned()]),
            ..rule("", "namespaces", &["get"])
        }],
        ..RequiredRules::default()
    }
}

fn worker(name: &str, namespaces: &[&str]) -> anyhow::Result<WorkerCluster> {
    Ok(serde_json::from_value(json!({
        "apiVersion": "kogge.dev/v1alpha1", "kind": "WorkerCluster", "metadata": {"name": name},
        "spec": {
            "vdc": name, "kubeconfig": {"secretRef": {"name": name}},
            "allowedNamespaces": {"names": namespaces},
        },
    }))?)
}

fn config_map(name: &str, value: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"kogge.dev/cluster-id": "c1"}},
        "data": {"a": value},
    })
}

fn apply(object: &Value, precondition: ApplyPrecondition) -> anyhow::Result<Action> {
    let object = Box::new(serde_json::from_value(object.clone())?);
    Ok(Action::Apply { worker: "w".into(), object, precondition, why: "a test".to_owned() })
}

fn observed(object: &Object) -> ApplyPrecondition {
    ApplyPrecondition::Observed {
        uid: object.metadata.uid.clone().unwrap_or_default(),
        resource_version: object.metadata.resource_version.clone().unwrap_or_default(),
    }
}

fn delete(object: &Object, uid: &str, versioned: bool) -> anyhow::Result<Action> {
    Ok(Action::Delete {
        worker: "w".into(),
        key: ObjectKey::of(object).context("a key")?,
        uid: uid.to_owned(),
        resource_version: object.metadata.resource_version.clone().filter(|_| versioned),
        why: "a test".to_owned(),
    })
}

async fn a_rehearsal_finds_what_would_be_refused_and_changes_nothing(stage: &Stage) -> anyhow::Result<()> {
    let good = stage.rehearse(&apply(&config_map("rehearsed", "1"), ApplyPrecondition::Absent)?).await?;
    assert!(matches!(good, Outcome::Applied { .. }), "{good:?}");
    assert!(stage.held("ConfigMap", "rehearsed").is_none(), "nothing was made");
    let present = Api::<Object>::namespaced_with(
        stage.administrator.clone(),
        NAMESPACE,
        &ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "ConfigMap")),
    );
    assert!(present.get_opt("rehearsed").await?.is_none(), "nothing was made");
    let mut bad = config_map("rehearsed", "1");
    bad["data"] = json!({"not a key!": "1"});
    let refused = stage.rehearse(&apply(&bad, ApplyPrecondition::Absent)?).await;
    assert!(matches!(refused, Err(WriteError::Refused { .. })), "{refused:?}");
    Ok(())
}

async fn a_create_then_updates_that_are_guarded(stage: &Stage) -> anyhow::Result<()> {
    let first = stage.create(&config_map("a", "1")).await?;
    let update = apply(&config_map("a", "2"), observed(&first))?;
    let Outcome::Applied { resource_version, .. } = stage.execute(&update).await? else { bail!("not applied") };
    let held = stage.held("ConfigMap", "a").context("held")?;
    assert_eq!(held.metadata.resource_version.as_ref(), Some(&resource_version));
    assert_eq!(held.data["data"]["a"], "2");
    let again = stage.execute(&update).await?;
    assert!(matches!(again, Outcome::Stale { .. }), "the version of before: {again:?}");
    let absent = stage.execute(&apply(&config_map("a", "3"), ApplyPrecondition::Absent)?).await?;
    assert!(matches!(absent, Outcome::Stale { .. }), "it exists: {absent:?}");
    Ok(())
}

async fn an_object_that_is_gone_is_not_made_again_by_an_update(stage: &Stage) -> anyhow::Result<()> {
    let gone = stage.create(&config_map("gone", "1")).await?;
    let maps: Api<ConfigMap> = Api::namespaced(stage.administrator.clone(), NAMESPACE);
    maps.delete("gone", &DeleteParams::default()).await?;
    let outcome = stage.execute(&apply(&config_map("gone", "2"), observed(&gone))?).await?;
    assert!(matches!(outcome, Outcome::Stale { .. }), "{outcome:?}");
    assert!(maps.get_opt("gone").await?.is_none());
    Ok(())
}

async fn a_strangers_object_is_left_alone(stage: &Stage) -> anyhow::Result<()> {
    let mut foreign = config_map("foreign", "theirs");
    foreign["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "Helm"});
    stage.meddle(&foreign, "helm").await?;
    let create = apply(&config_map("foreign", "ours"), ApplyPrecondition::Absent)?;
    let error = stage.execute(&create).await.err().context("it is taken")?;
    assert_eq!(error.reason(), "NameTaken");
    assert!(error.to_string().contains("\"Helm\""), "{error}");
    let maps: Api<ConfigMap> = Api::namespaced(stage.administrator.clone(), NAMESPACE);
    assert_eq!(maps.get("foreign").await?.data.unwrap_or_default()["a"], "theirs");
    Ok(())
}

async fn fields_of_others_are_forced_or_left(stage: &Stage) -> anyhow::Result<()> {
    let set = |replicas: u32, note: &str, port: u32| {
        json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet",
            "metadata": {
                "name": "s", "namespace": NAMESPACE, "labels": {"kogge.dev/cluster-id": "c1"},
                "annotations": {"example.com/note.one": note, "example.com/ours": "1"},
            },
            "spec": {
                "replicas": replicas, "minReadySeconds": 3, "serviceName": "s",
                "selector": {"matchLabels": {"app": "s"}},
                "template": {
                    "metadata": {"labels": {"app": "s", "kogge.dev/cluster-id": "c1"}},
                    "spec": {"containers": [
                        {"name": "mongod", "image": "mongod:1", "ports": [{"containerPort": port, "name": "mongod"}]},
                    ]},
                },
            },
        })
    };
    stage.create(&set(3, "ours", 27017)).await?;
    let theirs = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"name": "s", "annotations": {"example.com/note.one": "theirs"}},
        "spec": {
            "replicas": 0, "minReadySeconds": 9,
            "template": {"spec": {"containers": [{"name": "mongod", "image": "mongod:evil"}]}},
        },
    });
    let version = stage.meddle(&theirs, "someone").await?.metadata.resource_version;
    let seen = async || stage.held("StatefulSet", "s").is_some_and(|s| s.metadata.resource_version == version);
    stage.until("what they did", seen).await?;
    let held = stage.held("StatefulSet", "s").context("held")?;
    let outcome = stage.execute(&apply(&set(3, "ours", 27018), observed(&held))?).await?;
    let Outcome::Applied { conflicts, .. } = outcome else { bail!("{outcome:?}") };
    let told: Vec<_> = conflicts.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            ".metadata.annotations.example.com/note.one is owned by \"someone\"",
            ".spec.minReadySeconds is owned by \"someone\"",
        ]
    );
    let held = stage.held("StatefulSet", "s").context("held")?;
    let spec = &held.data["spec"];
    assert_eq!(spec["replicas"], 3, "taken back");
    assert_eq!(spec["minReadySeconds"], 9, "left to them");
    let container = &spec["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "mongod:1", "taken back");
    assert_eq!(container["ports"][0]["containerPort"], 27018, "the rest is applied");
    let annotations = held.metadata.annotations.unwrap_or_default();
    assert_eq!(annotations["example.com/note.one"], "theirs");
    assert_eq!(annotations["example.com/ours"], "1");
    Ok(())
}

async fn only_the_observed_object_is_deleted(stage: &Stage) -> anyhow::Result<()> {
    let object = stage.create(&config_map("d", "1")).await?;
    let uid = object.metadata.uid.clone().unwrap_or_default();
    assert_eq!(stage.execute(&delete(&object, "another", false)?).await?, Outcome::Gone);
    stage.meddle(&config_map("d", "2"), "someone").await?;
    let stale = stage.execute(&delete(&object, &uid, true)?).await?;
    assert!(matches!(stale, Outcome::Stale { .. }), "{stale:?}");
    assert_eq!(stage.execute(&delete(&object, &uid, false)?).await?, Outcome::Deleted);
    stage.until("the deletion", async || stage.held("ConfigMap", "d").is_none()).await?;
    assert_eq!(stage.execute(&delete(&object, &uid, false)?).await?, Outcome::Gone);
    Ok(())
}

async fn what_others_do_is_observed(stage: &Stage) -> anyhow::Result<()> {
    stage.meddle(&config_map("theirs", "1"), "someone").await?;
    stage.until("what they made", async || stage.held("ConfigMap", "theirs").is_some()).await?;
    let mut unlabelled = config_map("theirs", "1");
    unlabelled["metadata"]["labels"] = json!({});
    stage.meddle(&unlabelled, "someone").await?;
    stage.until("the label to be gone", async || stage.held("ConfigMap", "theirs").is_none()).await
}

async fn a_secret_stays_in_the_worker(stage: &Stage) -> anyhow::Result<()> {
    let mut secret = config_map("keyfile", "dDBwczNjcmV0");
    secret["kind"] = json!("Secret");
    let held = stage.create(&secret).await?;
    assert_eq!(held.data, json!({}));
    let secrets: Api<Secret> = Api::namespaced(stage.administrator.clone(), NAMESPACE);
    assert_eq!(secrets.get("keyfile").await?.data.unwrap_or_default()["a"].0, b"t0ps3cret");
    let outcome = stage.execute(&delete(&held, held.metadata.uid.as_deref().unwrap_or_default(), true)?).await?;
    assert_eq!(outcome, Outcome::Deleted);
    Ok(())
}

async fn a_missing_namespace_is_named(stage: &Stage) -> anyhow::Result<()> {
    let found = SecretLookup::Found(stage.kubeconfig.clone().into_bytes());
    stage.fleet.upsert(&worker("w", &[NAMESPACE, "nowhere"])?, &found);
    let mut object = config_map("a", "1");
    object["metadata"]["namespace"] = json!("nowhere");
    let error = stage.execute(&apply(&object, ApplyPrecondition::Absent)?).await.err().context("no namespace")?;
    assert_eq!(error.reason(), "NamespaceMissing", "{error}");
    stage.fleet.upsert(&worker("w", &[NAMESPACE])?, &found);
    Ok(())
}

/// A ServiceAccount's token, as `kogge worker join` makes one, and the Roles that it was not given.
async fn credentials_of_a_service_account_are_reviewed(stage: &Stage) -> anyhow::Result<()> {
    let client = &stage.administrator;
    let create = PostParams::default();
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), NAMESPACE);
    accounts.create(&create, &serde_json::from_value(json!({"metadata": {"name": "kogge"}}))?).await?;
    let subjects = json!([{"kind": "ServiceAccount", "name": "kogge", "namespace": NAMESPACE}]);
    let identity = json!({
        "metadata": {"name": "kogge"},
        "rules": [{"apiGroups": [""], "resources": ["namespaces"], "resourceNames": ["kube-system"], "verbs": ["get"]}],
    });
    Api::<ClusterRole>::all(client.clone()).create(&create, &serde_json::from_value(identity)?).await?;
    let role = |kind: &str| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": "kogge"});
    let binding = json!({"metadata": {"name": "kogge"}, "roleRef": role("ClusterRole"), "subjects": subjects});
    Api::<ClusterRoleBinding>::all(client.clone()).create(&create, &serde_json::from_value(binding)?).await?;
    let rules = json!({
        "metadata": {"name": "kogge"},
        "rules": [{"apiGroups": ["apps"], "resources": ["statefulsets"], "verbs": ["get", "list", "watch"]}],
    });
    Api::<Role>::namespaced(client.clone(), NAMESPACE).create(&create, &serde_json::from_value(rules)?).await?;
    let binding = json!({"metadata": {"name": "kogge"}, "roleRef": role("Role"), "subjects": subjects});
    Api::<RoleBinding>::namespaced(client.clone(), NAMESPACE)
        .create(&create, &serde_json::from_value(binding)?)
        .await?;
    let request = TokenRequest { spec: TokenRequestSpec::default(), ..TokenRequest::default() };
    let token = accounts.create_token_request("kogge", &create, &request).await?.status.context("a token")?.token;

    let whole = WorkerCredentials::parse(stage.kubeconfig.as_bytes(), Timestamp::now())?;
    let authority: String = {
        use base64::Engine as _;
        let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
        let pem =
            |der: &Vec<u8>| format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", encode(der));
        encode(whole.authorities.iter().map(pem).collect::<String>().as_bytes())
    };
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {
            "server": whole.server.to_string(), "certificate-authority-data": authority,
        }}],
        "users": [{"name": "u", "user": {"token": token}}],
    });
    stage.fleet.remove(&"w".into());
    stage.fleet.upsert(&worker("w", &[NAMESPACE])?, &SecretLookup::Found(kubeconfig.to_string().into_bytes()));
    let message = async || {
        let found = stage.fleet.status(&"w".into()).map(|f| f.conditions).unwrap_or_default();
        let is = |f: &&kogge_api::conditions::Finding| {
            f.type_ == conditions::PERMISSIONS_SUFFICIENT && f.status == Status::False
        };
        found.iter().find(is).map(|f| f.message.clone())
    };
    stage.until("the missing permissions", async || message().await.is_some()).await?;
    let message = message().await.unwrap_or_default();
    let expected = "missing: list pods in namespace databases, patch statefulsets.apps in namespace databases;";
    assert!(message.starts_with(expected), "{message}");
    let watch = async || {
        let found = stage.fleet.status(&"w".into()).map(|f| f.conditions).unwrap_or_default();
        found.iter().any(|f| f.type_ == conditions::WATCH_HEALTHY && f.reason == "WatchFailed")
    };
    stage.until("the watches that are not allowed", watch).await?;
    assert!(!stage.view("w").context("a view")?.is_current());
    Ok(())
}
