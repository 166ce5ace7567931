//! A shard that comes and goes, with data on it, while the operator is killed again and again.

use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use kogge_api::FederatedCluster;
use kogge_api::federated_cluster::Component;
use kogge_api::names;
use kogge_api::status::GroupStatus;
use kogge_e2e::{Database, Harness, HistoryClient, SCRATCH, VDCS, ready};
use rand::Rng as _;
use serde_json::json;

/// How long after the beginning of a step the operator is killed, in milliseconds.
const WITHIN_A_STEP: Range<u64> = 0..30;
/// How long after it was started, in milliseconds: it leads by then, and takes away what is left of a shard.
const WHILE_IT_TIDIES: Range<u64> = 2_000..4_000;
/// How long all the steps may take, with the kills.
const ALL_STEPS: Duration = Duration::from_mins(4);
/// How often its log is read.
const POLL: Duration = Duration::from_millis(5);
/// The MongoDB database that lives on the second shard.
const SECOND: &str = "second";

pub(super) async fn a_shard_with_data_is_added_and_removed(harness: &Harness) -> anyhow::Result<()> {
    let database = harness.database(SCRATCH, "sharded");
    let mut manifest = database.manifest(&VDCS[..3]);
    manifest["spec"]["deletion"]["data"] = json!("Retain");
    database.apply(&manifest).await?;
    database.ready().await?;
    let first = HistoryClient::start(database, "vdc1").await?;
    first.acknowledged(1).await?;

    shard_count(&database, 2).await?;
    let adding = ["Initiate", "CreateUsers", "AddMember", "Promote", "SetPriority", "AddShard"];
    kill_within(&database, "the shard is added", &adding).await?;
    let cluster = database.ready().await?;
    ensure!(shard_1(&cluster).is_some_and(|set| set.joined == Some(true)), "{:?}", shard_1(&cluster));

    // A new database goes to the shard with the fewest.
    let second = HistoryClient::start_in(database, "vdc2", SECOND).await?;
    second.acknowledged(200).await?;
    let there = second.check_at(&primary_of_shard_1(&database).await?).await?;
    ensure!(there.lost == 0, "it does not live on the second shard: {there:?}");

    let asked = Instant::now();
    shard_count(&database, 1).await?;
    kill_within(&database, "the shard is removed", &["RemoveShard", "MovePrimary", "RemoveShard"]).await?;
    for _ in 0..3 {
        kill_after(&database, WHILE_IT_TIDIES, "while the shard is taken away").await?;
    }
    let cluster = database.ready().await?;
    println!(
        "a shard with data is gone after {:.1} s, the operator killed six times",
        asked.elapsed().as_secs_f32()
    );
    ensure!(shard_1(&cluster).is_none(), "{:?}", shard_1(&cluster));
    for client in [&first, &second] {
        let verdict = client.check().await?;
        ensure!(verdict.lost == 0, "{verdict:?}");
    }
    second.acknowledged(first.check().await?.acknowledged.min(250)).await?;
    only_its_claims_are_left(&database).await?;

    first.stop().await?;
    second.stop().await?;
    database.merge(json!({"spec": {"deletion": {"data": "Delete"}}})).await?;
    database.ready().await?;
    database.delete().await?;
    database.gone().await
}

async fn shard_count(database: &Database<'_>, count: u16) -> anyhow::Result<()> {
    database.merge(json!({"spec": {"shard": {"shardCount": count}}})).await
}

fn shard_1(cluster: &FederatedCluster) -> Option<&GroupStatus> {
    let name = names::service(cluster.metadata.name.as_deref()?, Component::Shard(1));
    cluster.status.as_ref()?.groups.get(&name)
}

async fn primary_of_shard_1(database: &Database<'_>) -> anyhow::Result<String> {
    let cluster = database.get().await?;
    let primary =
        shard_1(&cluster).and_then(|set| set.leader.clone()).context("the second shard has no primary")?;
    let service = names::service(database.name, Component::Shard(1));
    let host = names::host(&primary, &service, database.namespace, "cluster.local");
    Ok(format!("mongodb://{host}:27017/?directConnection=true"))
}

/// Kills the operator within a step of each of these kinds, whichever begins first.
async fn kill_within(database: &Database<'_>, phase: &str, kinds: &[&str]) -> anyhow::Result<()> {
    let operator = &database.harness.operator;
    let (mut left, mut log, since) = (kinds.to_vec(), operator.follow()?, Instant::now());
    while !left.is_empty() {
        ensure!(since.elapsed() < ALL_STEPS, "no step of {left:?} began while {phase}");
        let begun = log.steps_begun()?;
        let Some(at) = left.iter().position(|kind| begun.iter().any(|begun| begun == kind)) else {
            tokio::time::sleep(POLL).await;
            continue;
        };
        let kind = left.swap_remove(at);
        kill_after(database, WITHIN_A_STEP, &format!("within {kind} while {phase}")).await?;
        log.steps_begun()?;
    }
    Ok(())
}

/// Kills the operator a moment from now, tells what it was at, and starts it again.
async fn kill_after(database: &Database<'_>, moments: Range<u64>, when: &str) -> anyhow::Result<()> {
    let harness = database.harness;
    let moment = Duration::from_millis(rand::rng().random_range(moments));
    tokio::time::sleep(moment).await;
    harness.operator.kill().await?;
    let at = match database.get().await {
        Ok(cluster) => ready(&cluster).err().unwrap_or("ready".to_owned()),
        Err(error) => error.to_string(),
    };
    println!("killed {when}: {at}");
    harness.operator.start(harness.lab.control()).await
}

async fn only_its_claims_are_left(database: &Database<'_>) -> anyhow::Result<()> {
    for worker in database.harness.lab.workers() {
        let names = database.held_by(worker).await?.names();
        let of_it: Vec<&String> = names.iter().filter(|name| name.contains("-shard-1")).collect();
        let claims = of_it.iter().filter(|name| name.starts_with("PersistentVolumeClaim/")).count();
        let placed = VDCS[..3].contains(&worker.name());
        ensure!(of_it.len() == claims, "{} still holds {of_it:?}", worker.name());
        ensure!(claims == usize::from(placed), "{} holds {claims} claims of it", worker.name());
    }
    Ok(())
}
