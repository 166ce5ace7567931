//! A majority that is lost for good: nothing is forced before a person says so, once, and what comes back is held
//! out until it is empty.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use kogge_api::conditions::database::{APPROVAL_NEEDED, AVAILABLE, READY};
use kogge_api::federated_cluster::Component;
use kogge_api::{FederatedCluster, labels, names};
use kogge_e2e::{Database, Harness, Kind, SCRATCH, condition, is};
use serde_json::json;

/// How long a lost majority is watched, to see that nothing happens by itself.
const LEFT_ALONE: Duration = Duration::from_secs(20);
/// How soon the operator must answer a request.
const ANSWERED: Duration = Duration::from_mins(2);

pub(super) async fn a_lost_majority_is_given_up_by_a_person(harness: &Harness) -> anyhow::Result<()> {
    let database = super::scratch(harness, "stricken").await?;
    let faults = [harness.lab.faults().crash("vdc2").await?, harness.lab.faults().crash("vdc3").await?];
    let cluster =
        database.until("without a primary", ANSWERED, |c| is(c, AVAILABLE, "False", "NoPrimary")).await?;
    let before = members(&cluster);
    let watched = Instant::now();
    while watched.elapsed() < LEFT_ALONE {
        let cluster = database.get().await?;
        ensure!(is(&cluster, AVAILABLE, "False", "NoPrimary").is_ok(), "it has a primary without a majority");
        ensure!(is(&cluster, APPROVAL_NEEDED, "False", "None").is_ok(), "nobody asked for anything");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }

    // Not said to be cut off: refused, with the mend.
    ask(&database, r#"{"lost":["vdc2","vdc3"]}"#).await?;
    database
        .until("refused while it may still live", ANSWERED, |cluster| {
            is(cluster, APPROVAL_NEEDED, "False", "RecoveryRefused")?;
            let message = &condition(cluster, APPROVAL_NEEDED).ok_or("no condition")?.message;
            if message.contains("fenced: true") { Ok(()) } else { Err(format!("it says {message:?}")) }
        })
        .await?;
    ask(&database, r#"{"lost":["vdc2","vdc3"],"fenced":true}"#).await?;
    let cluster = database
        .until("the question for approval of both sets", ANSWERED, |cluster| {
            is(cluster, APPROVAL_NEEDED, "True", "MajorityLost")?;
            let hashes = hashes(cluster);
            if hashes.split(',').count() == 2 { Ok(()) } else { Err(format!("it shows {hashes:?}")) }
        })
        .await?;
    ensure!(members(&cluster) == before, "it was forced before it was approved");
    let approved = Instant::now();
    annotate(&database, labels::APPROVE, Some(&hashes(&cluster))).await?;
    database.until("served again", ANSWERED, |cluster| is(cluster, AVAILABLE, "True", "Serving")).await?;
    println!("\na primary in each set {:.1} s after the approval", approved.elapsed().as_secs_f32());

    for fault in faults {
        fault.heal().await?;
    }
    database
        .until("back and held out", ANSWERED, |cluster| {
            is(cluster, READY, "False", "HeldOut")?;
            let ready: usize =
                cluster.status.iter().flat_map(|s| s.placement.values()).map(|p| p.ready as usize).sum();
            // Members that are no part of their set do not pass their pods' probes.
            if ready >= 3 { Ok(()) } else { Err(format!("{ready} pods are ready")) }
        })
        .await?;
    let cluster = database.get().await?;
    ensure!(
        members(&cluster).iter().all(|(pod, votes)| (*votes > 0) == pod.contains("-vdc1-")),
        "{:?}",
        members(&cluster)
    );

    // A person lets them in, and empties their volumes.
    ask(&database, r#"{"readmit":["vdc2","vdc3"]}"#).await?;
    for vdc in ["vdc2", "vdc3"] {
        for component in [Component::Config, Component::Shard(0)] {
            let pod = names::member(database.name, component, vdc, 0);
            harness.lab.faults().wipe_volumes(vdc, SCRATCH, &pod).await?;
            harness.kubectl(vdc, &["delete", "pod", &pod, "-n", SCRATCH, "--wait=false"]).await?;
        }
    }
    let cluster = database.ready().await?;
    ensure!(members(&cluster).iter().all(|(_, votes)| *votes == 1), "{:?}", members(&cluster));
    annotate(&database, labels::RECOVER, None).await?;
    database.delete().await
}

/// The members of all sets, with their votes.
fn members(cluster: &FederatedCluster) -> Vec<(String, u32)> {
    let sets = cluster.status.iter().flat_map(|status| status.groups.values());
    sets.flat_map(|set| set.members.iter().map(|member| (member.name.clone(), member.votes))).collect()
}

/// The hashes that the condition asks to approve.
pub(super) fn hashes<K: Kind>(database: &K) -> String {
    let message = condition(database, APPROVAL_NEEDED).map(|needed| needed.message.as_str()).unwrap_or_default();
    message.rsplit_once('=').map(|(_, hashes)| hashes.to_owned()).unwrap_or_default()
}

pub(super) async fn ask<K: Kind>(database: &Database<'_, K>, request: &str) -> anyhow::Result<()> {
    annotate(database, labels::RECOVER, Some(request)).await
}

pub(super) async fn annotate<K: Kind>(
    database: &Database<'_, K>,
    key: &str,
    value: Option<&str>,
) -> anyhow::Result<()> {
    let patch = json!({ "metadata": { "annotations": { key: value } } });
    database.merge(patch).await.with_context(|| format!("cannot set {key}"))
}

/// A planned switchover: primaries leave a vdc, and may come back.
pub(super) async fn primaries_leave_a_data_centre_and_come_back(harness: &Harness) -> anyhow::Result<()> {
    use kogge_api::conditions::database::SWITCHED_OVER;
    let database = super::scratch(harness, super::LATE).await?;
    let asked = Instant::now();
    annotate(&database, labels::AWAY_FROM, Some("vdc1")).await?;
    let cluster = database.until("away from vdc1", ANSWERED, |c| is(c, SWITCHED_OVER, "True", "InForce")).await?;
    println!("\nno primary in vdc1 {:.1} s after the request", asked.elapsed().as_secs_f32());
    for (name, set) in cluster.status.iter().flat_map(|status| &status.groups) {
        let primary = set.leader.as_deref().with_context(|| format!("{name} has no primary"))?;
        ensure!(!primary.contains("-vdc1-"), "{primary} is primary");
    }
    annotate(&database, labels::AWAY_FROM, Some("vdc9")).await?;
    database.until("refused", ANSWERED, |cluster| is(cluster, READY, "False", "RequestRefused")).await?;
    annotate(&database, labels::AWAY_FROM, None).await?;
    database.until("back", ANSWERED, |cluster| is(cluster, SWITCHED_OVER, "False", "NotAsked")).await?;
    database.ready().await.map(drop)
}
