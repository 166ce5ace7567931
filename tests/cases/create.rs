//! A database forms, and its users can work with it.

use std::time::Instant;

use anyhow::{Context as _, ensure};
use kogge_api::federated_cluster::Component;
use kogge_api::names;
use kogge_e2e::{DATABASES, Harness, HistoryClient, VDCS, voters};
use kogge_lab::CONTROL;

pub(super) async fn a_database_forms_in_three_data_centres(harness: &Harness) -> anyhow::Result<()> {
    let database = harness.database(DATABASES, "ll2022");
    let applied = Instant::now();
    harness.kubectl(CONTROL, &["apply", "-f", "examples/ll2022.yaml"]).await?;
    let cluster = database.ready().await?;
    database.tell_ratio("Ready after the apply", applied.elapsed(), &VDCS[..3], 2).await?;

    let voters = voters(&cluster);
    ensure!(voters.len() == 2 && voters.values().all(|count| *count == 3), "three voters in each set: {voters:?}");
    let status = cluster.status.context("no status")?;
    ensure!(status.available && status.routers.as_ref().is_some_and(|routers| routers.ready == 3), "{status:?}");
    let shard = status.groups.get(&names::service("ll2022", Component::Shard(0))).context("no shard")?;
    ensure!(shard.joined == Some(true) && shard.leader.is_some() && shard.ready == 3, "{shard:?}");
    let waiting_for = status.waiting_for;
    ensure!(waiting_for.is_none(), "Ready, and still waiting for {waiting_for:?}");
    Ok(())
}

pub(super) async fn every_example_is_accepted(harness: &Harness) -> anyhow::Result<()> {
    // A dry run on the server, so that examples which need more than the lab has are held to the rules as well.
    harness.kubectl(CONTROL, &["apply", "--dry-run=server", "-R", "-f", "examples"]).await.map(drop)
}

pub(super) async fn every_name_resolves_in_every_cluster(harness: &Harness) -> anyhow::Result<()> {
    let database = super::example(harness).await?;
    let mut hosts =
        vec![format!("{}.{DATABASES}.svc.cluster.local", names::service(database.name, Component::Mongos))];
    for component in [Component::Config, Component::Shard(0)] {
        let service = names::service(database.name, component);
        let pods = VDCS[..3].iter().map(|placement| names::member(database.name, component, placement, 0));
        hosts.extend(pods.map(|pod| names::host(&pod, &service, DATABASES, "cluster.local")));
    }
    for vdc in &VDCS[..3] {
        harness.resolve(vdc, &hosts).await?;
    }
    Ok(())
}

pub(super) async fn clients_write_and_read_through_the_routers(harness: &Harness) -> anyhow::Result<()> {
    let database = super::example(harness).await?;
    let client = HistoryClient::start(database, "vdc2").await?;
    client.acknowledged(100).await?;
    let verdict = client.check().await?;
    ensure!(verdict.lost == 0, "{verdict:?}");
    client.stop().await
}
