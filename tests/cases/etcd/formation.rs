//! The example: a cluster forms, and clients know nothing but its URI.

use std::time::Instant;

use anyhow::{Context as _, ensure};
use kogge_e2e::{DATABASES, Etcdctl, Harness, VDCS};
use kogge_lab::CONTROL;

use super::{group, voters};

pub(in crate::cases) async fn a_cluster_forms_in_three_data_centres(harness: &Harness) -> anyhow::Result<()> {
    // The database of `examples/etcd.yaml`.
    let database = harness.etcd(DATABASES, "orders");
    let applied = Instant::now();
    harness.kubectl(CONTROL, &["apply", "-f", "examples/etcd.yaml"]).await?;
    let cluster = database.ready().await?;
    println!("\nReady {:.1} s after the apply", applied.elapsed().as_secs_f64());
    println!("{}", harness.kubectl(CONTROL, &["get", "fe", "-n", DATABASES, "-o", "wide"]).await?);

    let group = group(&cluster)?;
    ensure!(voters(&cluster)? == VDCS[..3].iter().map(|vdc| (*vdc, 1)).collect(), "{group:?}");
    let status = cluster.status.as_ref().context("no status")?;
    ensure!(status.available && status.leaders.is_some(), "{status:?}");
    ensure!(status.data_version.as_deref() == Some("3.6"), "{:?}", status.data_version);
    ensure!(status.waiting_for.is_none(), "Ready, and still waiting for {:?}", status.waiting_for);

    let (near, far) =
        (Etcdctl::start(database, "vdc1", "seen/").await?, Etcdctl::start(database, "vdc3", "seen/").await?);
    near.run(&["put", "seen/from-vdc1", "by vdc3"]).await?;
    far.watched("by vdc3").await?;
    let read = far.run(&["get", "seen/from-vdc1", "--print-value-only"]).await?;
    ensure!(read.trim_end() == "by vdc3", "{read:?}");
    let listed = far.run(&["member", "list"]).await?;
    println!("{listed}{}", far.run(&["endpoint", "status", "--cluster", "--write-out=table"]).await?);
    ensure!(listed.lines().filter(|member| member.contains(", started, ")).count() == 3, "{listed}");
    near.stop().await?;
    far.stop().await
}
