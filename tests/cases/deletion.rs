//! A database whose cool-off is over is torn down: everywhere, in order, and nothing is left.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kogge_api::{SYSTEM_NAMESPACE, labels, names};
use kogge_e2e::{Database, Harness, SCRATCH, VDCS, audit};
use kogge_lab::audit::Write;
use kogge_lab::wait;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};

const SWEPT: Duration = Duration::from_mins(2);

pub(super) async fn a_deleted_database_is_torn_down_in_order(harness: &Harness) -> anyhow::Result<()> {
    let database = super::scratch(harness, "unsteady").await?;
    let id = database.get().await?.spec.cluster_id.context("no clusterID")?.to_string();
    let since = Timestamp::now();
    database.delete().await?;
    database.gone().await?;
    let mut deletions = Vec::new();
    for worker in harness.lab.workers() {
        let writes = audit::writes_by_kogge(worker, since)?;
        let ours = writes.into_iter().filter(|write| write.verb == "delete" && is_of(write, &database, &id));
        deletions.extend(ours.map(|write| (worker.name(), write)));
        nothing_is_held(&database, worker.name()).await?;
    }
    in_order(&deletions)?;
    nothing_is_kept(harness, &id).await
}

fn is_of(write: &Write, database: &Database<'_>, id: &str) -> bool {
    write.name.starts_with(&format!("{}-", database.name)) || write.name.contains(id)
}

/// Routers, shards, config servers, names, the rest, volumes, anchors: no stage begins anywhere before the one
/// before it is done everywhere.
fn in_order(deletions: &[(&str, Write)]) -> anyhow::Result<()> {
    let mut staged: Vec<(&str, usize, String)> = deletions
        .iter()
        .map(|(worker, write)| {
            (write.received.as_str(), stage(write), format!("{worker}: {}", audit::in_words(write)))
        })
        .collect();
    staged.sort();
    ensure!(staged.iter().any(|(_, stage, _)| *stage == 6), "no anchor was deleted");
    for pair in staged.windows(2) {
        ensure!(pair[0].1 <= pair[1].1, "{} came before {}", pair[0].2, pair[1].2);
    }
    Ok(())
}

fn stage(write: &Write) -> usize {
    match write.resource.as_str() {
        "deployments" => 0,
        "statefulsets" if write.name.contains("-shard-") => 1,
        "statefulsets" => 2,
        "services" | "endpointslices" => 3,
        "persistentvolumeclaims" => 5,
        _ if write.name.contains("anchor") => 6,
        _ => 4,
    }
}

pub(super) async fn a_deleted_database_leaves_nothing_behind(harness: &Harness) -> anyhow::Result<()> {
    for name in ["early", "unanswered", "taken", "nowhere"] {
        let database = harness.database(SCRATCH, name);
        database.delete().await?;
        database.gone().await?;
        for vdc in VDCS {
            nothing_is_held(&database, vdc).await?;
        }
    }
    Ok(())
}

async fn nothing_is_held(database: &Database<'_>, vdc: &str) -> anyhow::Result<()> {
    let worker = database.harness.lab.worker(vdc)?;
    // Kubernetes' own garbage collector takes what Kubernetes made.
    wait::until(&format!("{vdc} free of {}", database.name), SWEPT, || async {
        let held = database.held_by(worker).await.map_err(|error| format!("{error:#}"))?.names();
        if held.is_empty() { Ok(()) } else { Err(held.join(", ")) }
    })
    .await?;
    Ok(())
}

/// Secrets, revisions and the tombstone are gone from Kogge's own namespace.
async fn nothing_is_kept(harness: &Harness, id: &str) -> anyhow::Result<()> {
    let label = ListParams::default().labels(&format!("{}={id}", labels::CLUSTER_ID));
    let maps: Api<ConfigMap> = Api::namespaced(harness.control.clone(), SYSTEM_NAMESPACE);
    let secrets: Api<Secret> = Api::namespaced(harness.control.clone(), SYSTEM_NAMESPACE);
    let mut kept: Vec<String> = maps.list(&label).await?.items.iter().map(kube::ResourceExt::name_any).collect();
    kept.extend(secrets.list(&label).await?.items.iter().map(kube::ResourceExt::name_any));
    let admin: Api<Secret> = Api::namespaced(harness.control.clone(), SCRATCH);
    kept.extend(admin.get_opt(&names::admin_secret("unsteady")).await?.map(|secret| secret.name_any()));
    ensure!(kept.is_empty(), "still kept: {kept:?}");
    Ok(())
}
