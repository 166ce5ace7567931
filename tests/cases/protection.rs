//! Accidents that must not take a database down: a count of zero, on either side, and a deleted resource, namespace
//! or definition.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::apps::v1::StatefulSet;
use kogge_api::FederatedCluster;
use kogge_api::conditions::database::{DELETION_PENDING, READY};
use kogge_api::federated_cluster::Component;
use kogge_api::names;
use kogge_e2e::{Database, Harness, SCRATCH, condition, is, ready};
use kogge_lab::{CONTROL, wait};
use kube::Api;
use serde_json::json;

const PUT_BACK: Duration = Duration::from_mins(2);
const VDC: &str = "vdc1";
/// The default of `spec.deletion.coolOff`, in hours.
const COOL_OFF: i64 = 168;

pub(super) async fn a_count_of_zero_is_refused(harness: &Harness) -> anyhow::Result<()> {
    let database = super::example(harness).await?;
    for (field, patch) in [
        ("spec.shard.membersPerPlacement", json!({"spec": {"shard": {"membersPerPlacement": 0}}})),
        ("spec.config.membersPerPlacement", json!({"spec": {"config": {"membersPerPlacement": 0}}})),
        ("spec.mongos.replicasPerPlacement", json!({"spec": {"mongos": {"replicasPerPlacement": 0}}})),
        ("spec.placement", json!({"spec": {"placement": []}})),
    ] {
        let refused = database.merge(patch).await;
        let said = refused.err().map(|error| format!("{error:#}")).unwrap_or_default();
        ensure!(said.contains(field) && said.contains("delete the FederatedCluster"), "{field}: {said:?}");
    }
    ready(&database.get().await?).map_err(anyhow::Error::msg)
}

pub(super) async fn a_count_of_zero_on_a_worker_is_put_back(harness: &Harness) -> anyhow::Result<()> {
    let database = super::example(harness).await?;
    scale_to_zero_and_see_it_put_back(&database).await
}

pub(super) async fn a_deleted_resource_keeps_its_database_through_the_cool_off(
    harness: &Harness,
) -> anyhow::Result<()> {
    let database = super::example(harness).await?;
    let pods = database.pod_uids().await?;
    database.delete().await?;
    let cluster = database
        .until("waits for its cool-off", PUT_BACK, |c| is(c, DELETION_PENDING, "True", "CoolingOff"))
        .await?;
    let deletion = cluster.status.and_then(|status| status.deletion).context("no deletion is told of")?;
    let cool_off = deletion.executes_at.0.duration_since(deletion.requested_at.0);
    ensure!(cool_off.as_hours() == COOL_OFF, "{deletion:?}");
    ensure!(database.pod_uids().await? == pods, "pods were touched");
    scale_to_zero_and_see_it_put_back(&database).await?;
    let listed = harness.kubectl(CONTROL, &["get", "fc", database.name, "-n", database.namespace]).await?;
    println!("\n{}", listed.trim());
    Ok(())
}

pub(super) async fn a_deleted_definition_halts_every_teardown(harness: &Harness) -> anyhow::Result<()> {
    let definition = "federatedclusters.kogge.dev";
    halts(harness, &["delete", "crd", definition, "--wait=false"], definition).await
}

pub(super) async fn a_deleted_namespace_halts_its_teardowns(harness: &Harness) -> anyhow::Result<()> {
    halts(harness, &["delete", "namespace", SCRATCH, "--wait=false"], &format!("namespace {SCRATCH}")).await
}

/// Even without a cool-off a database runs on, and is looked after, when its resource was deleted with something
/// else.
async fn halts(harness: &Harness, accident: &[&str], cause: &str) -> anyhow::Result<()> {
    let database = harness.database(SCRATCH, super::LATE);
    if database.find().await?.is_none_or(|cluster| cluster.metadata.deletion_timestamp.is_none()) {
        super::scratch(harness, super::LATE).await?;
    }
    let pods = database.pod_uids().await?;
    harness.kubectl(CONTROL, accident).await?;
    let cluster = database
        .until("kept", PUT_BACK, |cluster| {
            let deletion = cluster.status.as_ref().and_then(|status| status.deletion.as_ref());
            match deletion.map(|deletion| deletion.halted.as_deref()) {
                Some(Some(why)) if why.contains(cause) => Ok(()),
                Some(why) => Err(format!("its deletion is halted by {why:?}")),
                None => Err("no deletion is told of".to_owned()),
            }
        })
        .await?;
    let deletion = condition(&cluster, DELETION_PENDING).map(|pending| pending.message.as_str());
    println!("\n{}", deletion.unwrap_or_default());
    scale_to_zero_and_see_it_put_back(&database).await?;
    // The share that was scaled has a new pod.
    let others = |pods: BTreeMap<String, String>| -> BTreeMap<String, String> {
        pods.into_iter().filter(|(name, _)| !name.starts_with(&share(&database))).collect()
    };
    ensure!(others(database.pod_uids().await?) == others(pods), "other pods were touched");
    Ok(())
}

fn share(database: &Database<'_>) -> String {
    names::workload(database.name, Component::Shard(0), VDC)
}

/// Scales a share by hand, as somebody would on the wrong cluster; sees the pod come back and Kogge tell of it.
async fn scale_to_zero_and_see_it_put_back(database: &Database<'_>) -> anyhow::Result<()> {
    let harness = database.harness;
    let share = share(database);
    let sets: Api<StatefulSet> = Api::namespaced(harness.lab.worker(VDC)?.client().await?, database.namespace);
    let before = sets.get(&share).await?.metadata.generation;
    let ready_since =
        |cluster: &FederatedCluster| condition(cluster, READY).map(|c| c.last_transition_time.clone());
    let since = ready_since(&database.get().await?);
    harness.kubectl(VDC, &["scale", "statefulset", &share, "-n", database.namespace, "--replicas=0"]).await?;
    wait::until(&format!("{share} put back"), PUT_BACK, || async {
        let set = sets.get(&share).await.map_err(|error| error.to_string())?;
        let asked = set.spec.and_then(|spec| spec.replicas).unwrap_or_default();
        let ready = set.status.and_then(|status| status.ready_replicas).unwrap_or_default();
        let changed = set.metadata.generation > before;
        if (asked, ready, changed) == (1, 1, true) { Ok(()) } else { Err(format!("asked {asked}, ready {ready}")) }
    })
    .await?;
    let again = database.until("ready again", PUT_BACK, |cluster| {
        ready(cluster)?;
        if ready_since(cluster) == since { Err("it was not seen to be anything else".to_owned()) } else { Ok(()) }
    });
    again.await.map(drop)
}
