//! The command line against real API servers: what it makes is what the operator needs, and no more.

mod support;

use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use k8s_openapi::jiff;
use kogge_api::conditions::{Status, worker_cluster as types};
use kogge_api::worker_cluster::Access;
use kogge_api::{FederatedCluster, FederatedEtcd, WorkerCluster, labels, rbac};
use kogge_chart_store::ChartStore;
use kogge_fleet::fleet::FleetOptions;
use kogge_fleet::{Fleet, RequiredRules, SecretLookup, WorkerCredentials};
use kogge_plan::WorkerName;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use serde_json::json;
use support::{CHARTS, Place, kogge, kogge_ends, kogge_fails};

const JOIN: [&str; 6] = ["worker", "join", "worker-vdc1", "--vdc", "vdc1", "--allow-namespace=databases"];

#[tokio::test]
async fn a_worker_joins_and_a_database_is_planned() -> Result<()> {
    let place = Place::make().await?;
    joining_is_enough_for_the_operator(&place).await?;
    joining_again_changes_nothing(&place)?;
    a_token_is_rotated_and_the_one_before_revoked(&place).await?;
    a_dry_run_asks_nobody(&place)?;
    errors_say_what_to_do(&place).await?;
    one_cluster_is_not_registered_twice(&place).await?;
    a_plan_shows_what_would_be_written_and_writes_nothing(&place).await?;
    a_switchover_is_asked_for_and_taken_back(&place).await?;
    a_recovery_is_shown_before_it_is_asked_for(&place).await?;
    a_database_of_another_kind_takes_the_same_commands(&place).await?;
    a_name_that_two_kinds_have_needs_its_kind(&place).await
}

async fn joining_is_enough_for_the_operator(place: &Place) -> Result<()> {
    let said = place.join("vdc1", &JOIN)?;
    assert!(said.contains("worker (vdc1): Role databases/kogge-worker created"), "{said}");
    let workers: Api<WorkerCluster> = Api::all(place.control.clone());
    let secrets: Api<Secret> = Api::namespaced(place.control.clone(), "kogge-system");
    let worker = workers.get("worker-vdc1").await?;
    let kubeconfig = secrets.get("worker-vdc1").await?.data.and_then(|mut data| data.remove("kubeconfig"));
    let required = RequiredRules {
        namespaced: rbac::worker_rules(&ChartStore::new([CHARTS.into()]).kinds()?, Access::PortForward),
        system: rbac::system_rules(),
        cluster: rbac::identity_rules(),
    };
    let fleet = Fleet::new(FleetOptions::new("kogge-system", required));
    let mut changes = Box::pin(fleet.changes());
    fleet.upsert(&worker, &SecretLookup::Found(kubeconfig.context("the Secret has no kubeconfig")?.0));
    let name = WorkerName::from("worker-vdc1");
    let ready = async {
        loop {
            let found = fleet.status(&name).map(|found| found.conditions).unwrap_or_default();
            if found.iter().any(|f| f.type_ == types::READY && f.status == Status::True) {
                return;
            }
            changes.next().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), ready).await;
    waited.with_context(|| format!("the operator would say: {:#?}", fleet.status(&name)))
}

fn joining_again_changes_nothing(place: &Place) -> Result<()> {
    let said = place.join("vdc1", &JOIN)?;
    assert!(!said.contains(" created") && !said.contains(" configured"), "{said}");
    Ok(())
}

/// The token of the operator's Secret, as it stands in its kubeconfig.
async fn operators_token(place: &Place) -> Result<String> {
    let secrets: Api<Secret> = Api::namespaced(place.control.clone(), "kogge-system");
    let data = secrets.get("worker-vdc1").await?.data.and_then(|mut data| data.remove("kubeconfig"));
    let kubeconfig = WorkerCredentials::parse(&data.context("no kubeconfig")?.0, jiff::Timestamp::now())?;
    kubeconfig.token.context("no token")
}

async fn a_token_is_rotated_and_the_one_before_revoked(place: &Place) -> Result<()> {
    let of_tokens = ListParams::default().fields("type=kubernetes.io/service-account-token");
    let on_worker: Api<Secret> = Api::namespaced(place.worker.clone(), "kogge-system");
    let (control, vdc1) = (place.kubeconfig("control"), place.kubeconfig("vdc1"));
    let to = ["--kubeconfig", &control, "--worker-kubeconfig", &vdc1];
    let first = operators_token(place).await?;
    for _ in 0..2 {
        let before = operators_token(place).await?;
        kogge(&[&["worker", "rotate", "worker-vdc1"], &to])?;
        let after = operators_token(place).await?;
        assert!(after != before && (before == first || after != first), "a revoked token is never valid again");
        let tokens = on_worker.list(&of_tokens).await?.items;
        let held: Vec<_> = tokens.into_iter().filter_map(|secret| secret.data?.remove("token")).collect();
        assert_eq!(held.iter().map(|token| token.0.as_slice()).collect::<Vec<_>>(), [after.as_bytes()]);
    }
    // A join after it keeps the token, and revives none.
    let after = operators_token(place).await?;
    joining_again_changes_nothing(place)?;
    assert_eq!(operators_token(place).await?, after);
    let said = kogge_fails(&[&["worker", "rotate", "nobody"], &to])?;
    assert!(said.contains("there is no WorkerCluster nobody"), "{said}");
    Ok(())
}

fn a_dry_run_asks_nobody(place: &Place) -> Result<()> {
    let nowhere = place.write("nowhere", &kubeconfig("https://127.0.0.1:1"))?;
    let printed = kogge(&[
        &JOIN[..],
        &["--dry-run", "--chart-dir", CHARTS, "--worker-kubeconfig", &nowhere, "--kubeconfig", &nowhere],
    ])?;
    for part in ["kind: ServiceAccount\n", "kind: Role\n", "- statefulsets\n", "kind: WorkerCluster\n"] {
        assert!(printed.contains(part), "{part:?} in {printed}");
    }
    Ok(())
}

async fn errors_say_what_to_do(place: &Place) -> Result<()> {
    let nowhere = place.write("nowhere", &kubeconfig("https://127.0.0.1:1"))?;
    let operators = place.operators().await?;
    let vdc1 = place.kubeconfig("vdc1");
    let cases: [(&[&str], &str); 5] = [
        (&["--worker-kubeconfig", &vdc1, "--worker-context", "x"], "the kubeconfig has no context \"x\"; it has"),
        (&["--worker-kubeconfig", "/nonexistent"], "cannot read the kubeconfig /nonexistent"),
        (&["--worker-kubeconfig", &nowhere], "https://127.0.0.1:1 cannot be reached"),
        (&["--worker-kubeconfig", &operators], "use credentials that are allowed to"),
        (&["--worker-kubeconfig", &vdc1, "--chart-dir", "/nonexistent"], "no chart is in /nonexistent"),
    ];
    for (arguments, sentence) in cases {
        let control = place.kubeconfig("control");
        let charts: &[&str] = if arguments.contains(&"--chart-dir") { &[] } else { &["--chart-dir", CHARTS] };
        let said = kogge_fails(&[&JOIN[..], &["--kubeconfig", &control], charts, arguments])?;
        assert!(said.contains(sentence), "{sentence:?} in {said}");
    }
    Ok(())
}

async fn one_cluster_is_not_registered_twice(place: &Place) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(place.worker.clone());
    let uid = namespaces.get("kube-system").await?.metadata.uid;
    let workers: Api<WorkerCluster> = Api::all(place.control.clone());
    let ready = json!({
        "type": "Ready", "status": "True", "reason": "Test", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    let status = json!({"status": {"uid": uid, "conditions": [ready]}});
    workers.patch_status("worker-vdc1", &PatchParams::default(), &Patch::Merge(&status)).await?;
    let (control, vdc1) = (place.kubeconfig("control"), place.kubeconfig("vdc1"));
    let twin = ["worker", "join", "worker-vdc2", "--vdc", "vdc2", "--allow-namespace=databases"];
    let said =
        kogge_fails(&[&twin, &["--chart-dir", CHARTS, "--kubeconfig", &control, "--worker-kubeconfig", &vdc1]])?;
    assert!(said.contains("is registered already as the WorkerCluster worker-vdc1"), "{said}");
    assert!(workers.get_opt("worker-vdc2").await?.is_none());
    Ok(())
}

async fn a_plan_shows_what_would_be_written_and_writes_nothing(place: &Place) -> Result<()> {
    let clusters: Api<FederatedCluster> = Api::namespaced(place.control.clone(), "databases");
    let cluster = serde_json::from_value(json!({
        "apiVersion": "kogge.dev/v1alpha1",
        "kind": "FederatedCluster",
        "metadata": {"name": "ll2022"},
        "spec": {"placement": [{"name": "vdc1", "vdc": "vdc1"}]},
    }))?;
    clusters.create(&PostParams::default(), &cluster).await?;
    let control = place.kubeconfig("control");
    // 2 says that something would be done.
    let planned = kogge_ends(
        2,
        &[&["plan", "ll2022", "--namespace=databases"], &["--chart-dir", CHARTS, "--kubeconfig", &control]],
    )?;
    for line in ["create ConfigMap databases/ll2022-anchor", "create StatefulSet databases/ll2022-config-vdc1"] {
        assert!(planned.contains(line), "{line:?} in {planned}");
    }
    let written: Api<ConfigMap> = Api::namespaced(place.worker.clone(), "databases");
    let ours = ListParams::default().labels(kogge_api::labels::CLUSTER_ID);
    assert_eq!(written.list(&ours).await?.items, []);
    Ok(())
}

/// An annotation of the database.
async fn annotation(place: &Place, name: &str) -> Result<Option<String>> {
    let clusters: Api<FederatedCluster> = Api::namespaced(place.control.clone(), "databases");
    Ok(clusters.get("ll2022").await?.metadata.annotations.and_then(|mut all| all.remove(name)))
}

async fn a_switchover_is_asked_for_and_taken_back(place: &Place) -> Result<()> {
    let control = place.kubeconfig("control");
    let to = ["--wait=0", "--kubeconfig", &control];
    let said = kogge_fails(&[&["switchover", "fc/ll2022", "-n=databases", "--away-from=vdc9"], &to])?;
    assert!(said.contains("no placement is in vdc vdc9; name one of vdc1"), "{said}");
    assert_eq!(annotation(place, labels::AWAY_FROM).await?, None);
    kogge(&[&["switchover", "fc/ll2022", "-n=databases", "--away-from=vdc1"], &to])?;
    assert_eq!(annotation(place, labels::AWAY_FROM).await?.as_deref(), Some("vdc1"));
    kogge(&[&["switchover", "ll2022", "--namespace=databases", "--back"], &to])?;
    assert_eq!(annotation(place, labels::AWAY_FROM).await?, None);
    let said = kogge_fails(&[&["switchover", "nobody", "-n=databases", "--back"], &to])?;
    assert!(said.contains("there is no FederatedCluster or FederatedEtcd databases/nobody"), "{said}");
    Ok(())
}

async fn a_recovery_is_shown_before_it_is_asked_for(place: &Place) -> Result<()> {
    let control = place.kubeconfig("control");
    let to = ["--wait=0", "--chart-dir", CHARTS, "--kubeconfig", &control];
    let said = kogge(&[&["recover", "fc/ll2022", "-n=databases", "--lost=vdc1"], &to])?;
    assert!(said.contains("ll2022-config-vdc1-0 in vdc1 (declared lost): no answer"), "{said}");
    assert!(said.contains("Nothing was written.") && said.contains("--fenced"), "{said}");
    assert_eq!(annotation(place, labels::RECOVER).await?, None);
    let said = kogge(&[&["recover", "fc/ll2022", "-n=databases", "--lost=vdc9"], &to])?;
    assert!(said.contains("vdc9, which is neither a vdc nor a placement"), "{said}");
    kogge(&[&["recover", "fc/ll2022", "-n=databases", "--lost=vdc1", "--fenced", "--group=shard-0"], &to])?;
    let asked = annotation(place, labels::RECOVER).await?;
    assert_eq!(asked.as_deref(), Some(r#"{"lost":["vdc1"],"fenced":true,"groups":["shard-0"]}"#));
    let said = kogge_fails(&[&["recover", "fc/ll2022", "-n=databases", "--approve=0123456789abcdef"], &to])?;
    assert!(said.contains("asks for no approval of 0123456789abcdef"), "{said}");
    kogge(&[&["recover", "fc/ll2022", "-n=databases", "--withdraw"], &to])?;
    assert_eq!(annotation(place, labels::RECOVER).await?, None);
    Ok(())
}

async fn a_database_of_another_kind_takes_the_same_commands(place: &Place) -> Result<()> {
    let etcds: Api<FederatedEtcd> = Api::namespaced(place.control.clone(), "databases");
    let annotation = async |name: &str| -> Result<Option<String>> {
        Ok(etcds.get("orders").await?.metadata.annotations.and_then(|mut all| all.remove(name)))
    };
    let control = place.kubeconfig("control");
    let look = ["--chart-dir", CHARTS, "--kubeconfig", &control];
    let manifest = json!({
        "apiVersion": "kogge.dev/v1alpha1",
        "kind": "FederatedEtcd",
        "metadata": {"name": "orders", "namespace": "databases"},
        "spec": {"version": "3.6.14", "placement": [{"name": "vdc1", "vdc": "vdc1"}]},
    });
    // The file alone says which database it is, and where.
    let planned = kogge_ends(2, &[&["plan", "-f", &place.manifest(&manifest)?], &look])?;
    assert!(planned.contains("create StatefulSet databases/orders-etcd-vdc1"), "{planned}");
    assert!(etcds.get_opt("orders").await?.is_none(), "a plan creates nothing");

    etcds.create(&PostParams::default(), &serde_json::from_value(manifest)?).await?;
    let planned = kogge_ends(2, &[&["plan", "fe/orders", "-n=databases"], &look])?;
    assert!(planned.contains("create StatefulSet databases/orders-etcd-vdc1"), "{planned}");

    let to = ["--wait=0", "--kubeconfig", &control];
    kogge(&[&["switchover", "orders", "-n=databases", "--away-from=vdc1"], &to])?;
    assert_eq!(annotation(labels::AWAY_FROM).await?.as_deref(), Some("vdc1"));
    let said = kogge(&[&["recover", "fe/orders", "-n=databases", "--lost=vdc1", "--wait=0"], &look])?;
    assert!(said.contains("orders-etcd-vdc1-0 in vdc1 (declared lost): no answer"), "{said}");
    kogge(&[&["recover", "fe/orders", "-n=databases", "--lost=vdc1", "--fenced", "--wait=0"], &look])?;
    let asked = annotation(labels::RECOVER).await?;
    assert_eq!(asked.as_deref(), Some(r#"{"lost":["vdc1"],"fenced":true}"#));

    kogge(&[&["rotate", "fe/orders", "certificates", "-n=databases"], &to[1..]])?;
    assert_eq!(etcds.get("orders").await?.spec.security.rotation.certificates, 1);
    let said = kogge_fails(&[&["rotate", "fe/orders", "keyfile", "-n=databases"], &to[1..]])?;
    assert!(said.contains("etcd has no keyfile"), "{said}");
    Ok(())
}

async fn a_name_that_two_kinds_have_needs_its_kind(place: &Place) -> Result<()> {
    let clusters: Api<FederatedCluster> = Api::namespaced(place.control.clone(), "databases");
    let twin = serde_json::from_value(json!({
        "apiVersion": "kogge.dev/v1alpha1",
        "kind": "FederatedCluster",
        "metadata": {"name": "orders"},
        "spec": {"placement": [{"name": "vdc1", "vdc": "vdc1"}]},
    }))?;
    clusters.create(&PostParams::default(), &twin).await?;
    let control = place.kubeconfig("control");
    let back = ["-n=databases", "--back", "--wait=0", "--kubeconfig", &control];
    let said = kogge_fails(&[&["switchover", "orders"], &back])?;
    assert!(said.contains("several databases orders; write fc/orders or fe/orders"), "{said}");
    kogge(&[&["switchover", "fe/orders"], &back])?;
    let said = kogge_fails(&[&["switchover", "databases/orders"], &back])?;
    assert!(said.contains("databases is no kind of database; write fc/orders or fe/orders"), "{said}");
    Ok(())
}

fn kubeconfig(server: &str) -> String {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    })
    .to_string()
}
