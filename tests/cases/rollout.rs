//! What restarts members without need of another config: a rollout of a chart, power cuts, and TLS that is switched on.

use std::time::{Duration, Instant};

use anyhow::ensure;
use futures::future::try_join_all;
use jiff::Timestamp;
use kogge_api::FederatedCluster;
use kogge_api::federated_cluster::TlsMode;
use kogge_e2e::{Database, ELECTION, Harness, HistoryClient, SCRATCH, VDCS, ready};
use serde_json::json;

/// How long all members may take to be restarted once.
const ROLLOUT: Duration = Duration::from_mins(10);
/// How long machines that lost their power may take to serve as before.
const BACK: Duration = Duration::from_mins(5);

/// Nine members and three routers get a new chart while clients in two data centres write; then the power of all data
/// centres is cut at once. No config changes in any of it.
pub(super) async fn restarts_and_power_cuts_change_no_config(harness: &Harness) -> anyhow::Result<()> {
    let (database, clients) = nine_members(harness, "rolled").await?;
    let before = database.configs().await?;

    let (since, begun) = (Timestamp::now(), Instant::now());
    roll_to(&database, "1.1.0").await?;
    let took = begun.elapsed().as_secs_f32();
    for client in &clients {
        let service = client.service_since(since).await?;
        println!("a rollout of nine members and three routers in {took:.0} s: {service:?}");
        ensure!(service.failed == 0, "{} writes failed", service.failed);
        ensure!(service.slowest <= ELECTION, "a write took {:?}", service.slowest);
    }
    database.configs().await?.are_unchanged_since(&before)?;

    let begun = Instant::now();
    let faults = try_join_all(VDCS[..3].iter().map(|vdc| harness.lab.faults().crash(vdc))).await?;
    database.until("seen without power", BACK, not_ready).await?;
    try_join_all(faults.into_iter().map(kogge_lab::Fault::heal)).await?;
    database.until("ready after a power cut of all", BACK, ready).await?;
    println!("the power of three data centres was cut: ready after {:.0} s", begun.elapsed().as_secs_f32());
    database.configs().await?.are_unchanged_since(&before)?;

    end(database, clients).await
}

/// The power of one data centre is cut in the middle of a rollout, which goes on once it is back: no config changes.
pub(super) async fn a_power_cut_in_the_middle_of_a_rollout_changes_no_config(
    harness: &Harness,
) -> anyhow::Result<()> {
    let (database, clients) = nine_members(harness, "halted").await?;
    let before = database.configs().await?;
    database.merge(json!({"spec": {"global": {"chartVersion": "1.1.0"}}})).await?;
    database.until("half rolled", ROLLOUT, half_rolled).await?;
    let fault = harness.lab.faults().crash(VDCS[2]).await?;
    database.until("seen without power in one data centre", BACK, not_ready).await?;
    fault.heal().await?;
    database.until("rolled out after a power cut", ROLLOUT, ready).await?;
    database.configs().await?.are_unchanged_since(&before)?;
    end(database, clients).await
}

/// Two shards and config servers of three members each, three routers, and a client in each of two data centres.
async fn nine_members<'a>(
    harness: &'a Harness,
    name: &'a str,
) -> anyhow::Result<(Database<'a>, [HistoryClient<'a>; 2])> {
    let database = harness.database(SCRATCH, name);
    let mut manifest = database.manifest(&VDCS[..3]);
    manifest["spec"]["shard"]["shardCount"] = json!(2);
    database.apply(&manifest).await?;
    database.ready().await?;
    let clients = [
        HistoryClient::start(database, VDCS[0]).await?,
        HistoryClient::start_in(database, VDCS[1], "second").await?,
    ];
    for client in &clients {
        client.acknowledged(50).await?;
    }
    Ok((database, clients))
}

/// Nothing that was acknowledged is lost.
async fn end(database: Database<'_>, clients: [HistoryClient<'_>; 2]) -> anyhow::Result<()> {
    for client in clients {
        let verdict = client.check().await?;
        ensure!(verdict.lost == 0, "{verdict:?}");
        client.stop().await?;
    }
    database.delete().await
}

/// Four members of each set, one of them without a vote, get TLS while a client writes: no member is held by its gate,
/// and none changes its vote or its id.
pub(super) async fn tls_is_switched_on_beside_a_member_without_a_vote(harness: &Harness) -> anyhow::Result<()> {
    let database = harness.database(SCRATCH, "secured");
    let mut manifest = database.manifest(&VDCS);
    manifest["spec"]["placement"][3]["role"] = json!("ReadOnly");
    database.apply(&manifest).await?;
    database.ready().await?;
    let client = HistoryClient::start(database, VDCS[1]).await?;
    client.acknowledged(50).await?;
    let before = database.configs().await?;
    let begun = Instant::now();
    database.merge(json!({"spec": {"security": {"tls": {"mode": "Require"}}}})).await?;
    let allowed = |cluster: &FederatedCluster| match mode(cluster) {
        TlsMode::Disabled | TlsMode::Allow => Err(format!("its TLS mode is {:?}", mode(cluster))),
        TlsMode::Prefer | TlsMode::Require => Ok(()),
    };
    database.until("with TLS for whoever asks for it", ROLLOUT, allowed).await?;
    // From now on clients speak TLS: without it they are refused in the last step, as they should be.
    let verdict = client.check().await?;
    ensure!(verdict.lost == 0, "{verdict:?}");
    client.stop().await?;
    let client = HistoryClient::start_in(database, VDCS[1], "tls").await?;
    client.acknowledged(20).await?;
    let since = Timestamp::now();
    let required = |cluster: &FederatedCluster| match mode(cluster) {
        TlsMode::Require => ready(cluster),
        other => Err(format!("its TLS mode is {other:?}")),
    };
    database.until("with TLS for everybody", ROLLOUT, required).await?;
    let service = client.service_since(since).await?;
    println!("TLS is required after {:.0} s: {service:?}", begun.elapsed().as_secs_f32());
    ensure!(service.failed == 0, "{} writes failed", service.failed);
    database.configs().await?.are_unchanged_since(&before)?;
    let verdict = client.check().await?;
    ensure!(verdict.lost == 0, "{verdict:?}");
    client.stop().await?;
    database.delete().await
}

async fn roll_to(database: &Database<'_>, version: &str) -> anyhow::Result<()> {
    database.merge(json!({"spec": {"global": {"chartVersion": version}}})).await?;
    database.until("rolled out", ROLLOUT, ready).await.map(drop)
}

fn not_ready(cluster: &FederatedCluster) -> Result<(), String> {
    ready(cluster).map_or(Ok(()), |()| Err("it is Ready".to_owned()))
}

fn half_rolled(cluster: &FederatedCluster) -> Result<(), String> {
    let rollout = cluster.status.as_ref().and_then(|status| status.rollout.as_ref());
    match rollout {
        Some(rollout) if rollout.updated * 2 >= rollout.total => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

fn mode(cluster: &FederatedCluster) -> TlsMode {
    cluster.status.as_ref().and_then(|status| status.security.clone()).unwrap_or_default().tls_mode
}
