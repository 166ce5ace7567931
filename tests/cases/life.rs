//! A database whose members come, change their part and go, while a client writes.

use std::time::Instant;

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use kogge_api::FederatedCluster;
use kogge_api::federated_cluster::Component;
use kogge_api::names;
use kogge_api::status::GroupStatus;
use kogge_e2e::{Database, ELECTION, Harness, HistoryClient, SCRATCH, VDCS, ready, voters};
use serde_json::{Value, json};

/// Where the client is: a data centre that stays.
const CLIENT: &str = "vdc2";

/// Five members in three data centres become seven, change their part, lose the data centre of their primary, and end
/// as three.
pub(super) async fn members_come_change_and_go_while_a_client_writes(harness: &Harness) -> anyhow::Result<()> {
    let database = harness.database(SCRATCH, "life");
    database.apply(&five(&database)).await?;
    database.ready().await?;
    expect_voters(&database.get().await?, 5)?;
    let client = HistoryClient::start(database, CLIENT).await?;
    client.acknowledged(50).await?;
    let observer = Observer { database, client };

    observer.watch("seven members in four data centres", add_vdc4(&database)).await?;
    observer.watch("two of them serve reads only", play(&database, "ReadOnly", 5)).await?;
    observer.watch("two of them stand by", play(&database, "Standby", 5)).await?;
    observer.watch("all of them vote again", play(&database, "Voter", 7)).await?;
    let elections = database.elections().await?;
    observer.watch("the primary's data centre is drained", drain_vdc1(&database)).await?;
    database.elections().await?.were_hand_overs_since(&elections)?;
    observer.watch("three members are left", shrink(&database)).await?;

    let verdict = observer.client.check().await?;
    ensure!(verdict.lost == 0, "{verdict:?}");
    observer.client.stop().await?;
    database.delete().await
}

/// Two members of each set in vdc1, which is preferred for the primary, two in vdc2 and one in vdc3.
fn five(database: &Database<'_>) -> Value {
    let mut manifest = database.manifest(&VDCS[..3]);
    let members = |count: u32| json!({"membersPerPlacement": count});
    manifest["spec"]["placement"] = json!([
        {"name": "vdc1", "vdc": "vdc1", "priority": 5, "shard": members(2), "config": members(2)},
        {"name": "vdc2", "vdc": "vdc2", "shard": members(2), "config": members(2)},
        {"name": "vdc3", "vdc": "vdc3"},
    ]);
    manifest
}

async fn add_vdc4(database: &Database<'_>) -> anyhow::Result<()> {
    let added = Instant::now();
    let members = json!({"membersPerPlacement": 2});
    let placement = json!({"name": "vdc4", "vdc": "vdc4", "shard": members, "config": members});
    database.edit(json!([{"op": "add", "path": "/spec/placement/-", "value": placement}])).await?;
    database.until("with a voter in vdc4", ELECTION * 10, |cluster| votes_in(cluster, "vdc4")).await?;
    database.tell_ratio("A member of a new placement votes", added.elapsed(), &["vdc4"], 1).await?;
    expect_voters(&database.ready().await?, 7)
}

fn votes_in(cluster: &FederatedCluster, vdc: &str) -> Result<(), String> {
    let sets = cluster.status.iter().flat_map(|status| status.groups.values());
    let votes = sets.flat_map(|set| &set.members).any(|member| member.vdc == vdc && member.votes > 0);
    if votes { Ok(()) } else { Err(ready(cluster).err().unwrap_or_else(|| format!("nobody votes in {vdc}"))) }
}

async fn play(database: &Database<'_>, role: &str, voting: usize) -> anyhow::Result<()> {
    database.edit(json!([{"op": "add", "path": "/spec/placement/3/role", "value": role}])).await?;
    expect_voters(&database.ready().await?, voting)
}

async fn drain_vdc1(database: &Database<'_>) -> anyhow::Result<()> {
    // Where another member leads for a moment, the one with the higher priority takes over by itself.
    let led_there = |cluster: &FederatedCluster| match primary(cluster) {
        Ok(primary) if primary.contains("-vdc1-") => Ok(()),
        Ok(primary) => Err(format!("{primary} is the primary")),
        Err(error) => Err(error.to_string()),
    };
    database.until("led from vdc1", ELECTION * 3, led_there).await?;
    database.edit(json!([{"op": "remove", "path": "/spec/placement/0"}])).await?;
    let cluster = database.ready().await?;
    expect_voters(&cluster, 5)?;
    let left = shard(&cluster)?.members.iter().filter(|member| member.vdc == "vdc1").count();
    ensure!(left == 0, "{left} members are left in vdc1");
    let held = database.held_by(database.harness.lab.worker("vdc1")?).await?.names();
    ensure!(held.is_empty(), "the worker of a placement that was taken out still holds {held:?}");
    Ok(())
}

async fn shrink(database: &Database<'_>) -> anyhow::Result<()> {
    let one = json!({"membersPerPlacement": 1});
    let fewer = |index: usize| {
        ["shard", "config"]
            .map(|set| json!({"op": "replace", "path": format!("/spec/placement/{index}/{set}"), "value": one}))
    };
    let operations: Vec<Value> = [fewer(0), fewer(2)].concat();
    database.edit(json!(operations)).await?;
    expect_voters(&database.ready().await?, 3)
}

fn expect_voters(cluster: &FederatedCluster, count: usize) -> anyhow::Result<()> {
    let voters = voters(cluster);
    ensure!(voters.len() == 2 && voters.values().all(|voting| *voting == count), "{count} voters: {voters:?}");
    Ok(())
}

fn shard(cluster: &FederatedCluster) -> anyhow::Result<&GroupStatus> {
    let status = cluster.status.as_ref().context("no status")?;
    status.groups.get(&names::service("life", Component::Shard(0))).context("no shard")
}

fn primary(cluster: &FederatedCluster) -> anyhow::Result<String> {
    shard(cluster)?.leader.clone().context("no primary")
}

/// The client beside the changes.
struct Observer<'a> {
    database: Database<'a>,
    client: HistoryClient<'a>,
}

impl Observer<'_> {
    /// Makes a change, and asks the client what it met with meanwhile: no write failed, and none took longer than an
    /// election may.
    async fn watch(&self, what: &str, change: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
        let (since, begun) = (Timestamp::now(), Instant::now());
        change.await.with_context(|| format!("{what} ({})", self.database.name))?;
        let took = begun.elapsed().as_secs_f32();
        let service = self.client.service_since(since).await?;
        println!("{what}: after {took:.0} s; the slowest write took {} ms", service.slowest.as_millis());
        ensure!(service.failed == 0, "{what}: {} writes failed", service.failed);
        ensure!(service.slowest <= ELECTION, "{what}: a write took {:?}", service.slowest);
        Ok(())
    }
}
