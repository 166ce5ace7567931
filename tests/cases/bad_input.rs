//! Bad input: a condition with a reason and a sentence on the object that the user looks at; what runs is not
//! touched.

use std::time::Duration;

use anyhow::ensure;
use jiff::Timestamp;
use kogge_api::FederatedCluster;
use kogge_api::conditions::database::{READY, SPEC_VALID};
use kogge_e2e::{Database, Harness, SCRATCH, VDCS, audit, condition, is};
use serde_json::json;

const TOLD: Duration = Duration::from_secs(30);
const GOES_ON: Duration = Duration::from_mins(3);

/// Waits until Ready and SpecValid are False for that reason, in a sentence with those words.
async fn told(database: &Database<'_>, reason: &str, words: &[&str]) -> anyhow::Result<FederatedCluster> {
    let what = format!("told {reason}");
    let cluster = database.until(&what, TOLD, |cluster| {
        is(cluster, READY, "False", reason)?;
        is(cluster, SPEC_VALID, "False", reason)
    });
    let cluster = cluster.await?;
    let message = condition(&cluster, READY).map(|ready| ready.message.as_str()).unwrap_or_default();
    println!("{reason}: {message}");
    ensure!(words.iter().all(|word| message.contains(word)), "{words:?} are not all in {message:?}");
    Ok(cluster)
}

pub(super) async fn an_unknown_data_centre_is_named_and_nothing_is_written(
    harness: &Harness,
) -> anyhow::Result<()> {
    let database = harness.database(SCRATCH, "nowhere");
    let since = Timestamp::now();
    database.apply(&database.manifest(&["vdc1", "vdc2", "vdc9"])).await?;
    told(&database, "UnknownVdc", &["vdc9"]).await?;
    for worker in harness.lab.workers() {
        let writes: Vec<_> = audit::writes_by_kogge(worker, since)?.iter().map(audit::in_words).collect();
        ensure!(writes.is_empty(), "{}: {writes:?}", worker.name());
    }
    database.delete().await?;
    database.gone().await
}

pub(super) async fn what_does_not_render_leaves_the_running_database_alone(
    harness: &Harness,
) -> anyhow::Result<()> {
    let database = super::example(harness).await?;
    let before = database.pod_uids().await?;

    database.merge(json!({"spec": {"global": {"chartVersion": "9.9.9"}}})).await?;
    let cluster = told(&database, "ChartNotFound", &["9.9.9", "1.0.0"]).await?;
    ensure!(cluster.status.is_some_and(|status| status.available), "it is not said to serve any more");
    database.merge(json!({"spec": {"global": {"chartVersion": "1.0.0"}}})).await?;
    database.ready().await?;

    database.merge(json!({"spec": {"values": {"terminationGracePeriodSeconds": "soon"}}})).await?;
    told(&database, "ValuesInvalid", &["terminationGracePeriodSeconds"]).await?;
    database.edit(json!([{"op": "remove", "path": "/spec/values/terminationGracePeriodSeconds"}])).await?;
    database.ready().await?;

    let vdc9 = json!({"name": "vdc9", "vdc": "vdc9"});
    database.edit(json!([{"op": "add", "path": "/spec/placement/-", "value": vdc9}])).await?;
    told(&database, "UnknownVdc", &["vdc9"]).await?;
    database.edit(json!([{"op": "remove", "path": "/spec/placement/3"}])).await?;
    database.ready().await?;

    ensure!(database.pod_uids().await? == before, "pods were restarted");
    Ok(())
}

pub(super) async fn an_object_of_another_owner_is_left_alone(harness: &Harness) -> anyhow::Result<()> {
    let database = harness.database(SCRATCH, "taken");
    let stranger = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "taken-config", "namespace": SCRATCH, "labels": {"owner": "somebody"}},
        "spec": {"ports": [{"port": 80}]},
    });
    harness.kubectl_apply("vdc2", &stranger).await?;
    database.apply(&database.manifest(&VDCS[..3])).await?;
    let cluster = database.until("told NameTaken", GOES_ON, |c| is(c, READY, "False", "NameTaken")).await?;
    let message = condition(&cluster, READY).map(|ready| ready.message.clone()).unwrap_or_default();
    println!("\nNameTaken: {message}");
    ensure!(message.contains("taken-config") && message.contains("vdc2"), "{message}");
    // The config servers' names cannot be published in vdc2, so that set waits; the shard does not need them.
    database
        .until("goes on elsewhere", GOES_ON, |cluster| {
            let sets = cluster.status.iter().flat_map(|status| &status.groups);
            match sets.into_iter().find(|(name, _)| name.as_str() == "taken-shard-0") {
                Some((_, shard)) if shard.ready == 3 => Ok(()),
                Some((_, shard)) => Err(format!("{} of 3 members of the shard are ready", shard.ready)),
                None => Err("no shard yet".to_owned()),
            }
        })
        .await?;
    let kept = ["get", "service", "taken-config", "-n", SCRATCH, "-o", "jsonpath={.metadata.labels}"];
    let labels = harness.kubectl("vdc2", &kept).await?;
    ensure!(labels == r#"{"owner":"somebody"}"#, "the stranger's Service was touched: {labels}");
    harness.kubectl("vdc2", &["delete", "service", "taken-config", "-n", SCRATCH]).await?;
    database.ready().await?;
    database.delete().await
}
