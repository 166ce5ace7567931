//! The control cluster is not in the data path.

use anyhow::{Context as _, ensure};
use kogge_api::federated_cluster::Component;
use kogge_api::names;
use kogge_e2e::{DATABASES, Harness, HistoryClient};
use kogge_lab::CONTROL;

pub(super) async fn a08_elections_and_clients_go_on(harness: &Harness) -> anyhow::Result<()> {
    let database = super::example(harness).await?;
    let status = database.get().await?.status.context("no status")?;
    let shard = status.groups.get(&names::service(database.name, Component::Shard(0))).context("no shard")?;
    let primary = shard.leader.as_deref().context("no primary")?;
    let member = shard.members.iter().find(|member| member.name == primary).context("no such member")?;
    let other =
        shard.members.iter().find(|other| other.vdc != member.vdc).context("there is one data centre only")?;
    let client = HistoryClient::start(database, &other.vdc).await?;
    client.acknowledged(50).await?;

    harness.operator.kill().await?;
    let fault = harness.lab.faults().crash(CONTROL).await?;
    let before = client.acknowledged(1).await?;
    harness.lab.faults().kill_pod(&member.vdc, DATABASES, primary).await?;
    let after = client.acknowledged(before + 200).await?;
    println!("\nwithout a control cluster, and with another primary: {} writes acknowledged", after - before);

    fault.heal().await?;
    harness.operator.start(harness.lab.control()).await?;
    database.ready().await?;
    let verdict = client.check().await?;
    ensure!(verdict.lost == 0, "{verdict:?}");
    client.stop().await
}
