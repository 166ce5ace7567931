//! etcd: one cluster over three data centres.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use kogge_api::FederatedEtcd;
use kogge_api::conditions::database::READY;
use kogge_e2e::{DATABASES, Harness, VDCS};
use kogge_lab::CONTROL;
use kogge_lab::wait;
use kube::Api;

/// The database of `examples/etcd.yaml`.
const ORDERS: &str = "orders";
/// Three members begin, join and are promoted one after the other.
const FORMS: Duration = Duration::from_mins(5);

pub(super) async fn a_cluster_forms_in_three_data_centres(harness: &Harness) -> anyhow::Result<()> {
    let applied = Instant::now();
    harness.kubectl(CONTROL, &["apply", "-f", "examples/etcd.yaml"]).await?;
    let database = ready(harness).await?;
    println!("Ready {:.1} s after the apply", applied.elapsed().as_secs_f64());
    println!("{}", harness.kubectl(CONTROL, &["get", "fe", "-n", DATABASES, "-o", "wide"]).await?);

    let status = database.status.context("no status")?;
    ensure!(status.available && status.leaders.is_some(), "{status:?}");
    ensure!(status.data_version.as_deref() == Some("3.6"), "{:?}", status.data_version);
    let group = status.groups.values().next().context("no group")?;
    let voters = group.members.iter().filter(|member| member.votes == 1);
    let voting: BTreeSet<&str> = voters.map(|member| member.vdc.as_str()).collect();
    let vdcs: BTreeSet<&str> = VDCS[..3].iter().copied().collect();
    ensure!(voting == vdcs, "a voter in each data centre: {group:?}");
    ensure!(status.waiting_for.is_none(), "Ready, and still waiting for {:?}", status.waiting_for);
    Ok(())
}

/// The database, once it is Ready.
async fn ready(harness: &Harness) -> anyhow::Result<FederatedEtcd> {
    let api: Api<FederatedEtcd> = Api::namespaced(harness.control.clone(), DATABASES);
    let what = format!("{ORDERS} ready");
    let database = wait::until(&what, FORMS, || async {
        let database = api.get(ORDERS).await.map_err(|error| error.to_string())?;
        let status = database.status.clone().unwrap_or_default();
        let ready = status.conditions.iter().find(|condition| condition.type_ == READY);
        let present = ready.filter(|ready| ready.observed_generation == database.metadata.generation);
        match present {
            Some(ready) if ready.status == "True" => Ok(database),
            _ => Err(status.waiting_for.unwrap_or_else(|| "nothing was reported yet".to_owned())),
        }
    });
    Ok(database.await?)
}
