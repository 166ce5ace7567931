//! Workers that are cut off: nothing is concluded from what is not seen, and all completes by itself.

use std::time::{Duration, Instant};

use anyhow::ensure;
use jiff::Timestamp;
use kogge_api::FederatedCluster;
use kogge_api::conditions::federated_cluster::{AVAILABLE, READY};
use kogge_api::conditions::worker_cluster::API_REACHABLE;
use kogge_e2e::{Database, Harness, SCRATCH, VDCS, audit, condition, is, ready, worker_name};
use kogge_lab::{CONTROL, wait};

/// How soon a worker that does not answer must be known, and named where it is missed.
const NOTICED: Duration = Duration::from_secs(30);
/// How long the others may take to serve.
const SERVING: Duration = Duration::from_mins(3);

pub(super) async fn cut_off_before_the_create_nothing_is_written(harness: &Harness) -> anyhow::Result<()> {
    let database = harness.database(SCRATCH, "early");
    let fault = harness.lab.faults().partition("vdc3").await?;
    known_to_be_silent(harness, "vdc3").await?;
    let since = Timestamp::now();
    database.apply(&database.manifest(&VDCS[..3])).await?;
    let named = Instant::now();
    database
        .until("names the worker that is missing", NOTICED, |cluster| {
            let message = condition(cluster, READY).map(|ready| ready.message.clone()).unwrap_or_default();
            if message.contains(&worker_name("vdc3")) { Ok(()) } else { Err(format!("Ready says {message:?}")) }
        })
        .await?;
    println!("\nthe missing worker is named after {:.1} s", named.elapsed().as_secs_f32());
    for vdc in &VDCS[..2] {
        let worker = harness.lab.worker(vdc)?;
        let held = database.held_by(worker).await?.names();
        ensure!(held.is_empty(), "{vdc} holds {held:?}");
        let writes = audit::writes_by_kogge(worker, since)?;
        let writes: Vec<_> = writes.iter().filter(|w| w.name.starts_with("early-")).map(audit::in_words).collect();
        ensure!(writes.is_empty(), "{vdc}: {writes:?}");
    }
    fault.heal().await?;
    database.ready().await?;
    database.delete().await
}

pub(super) async fn cut_off_after_the_initiate_the_others_serve(harness: &Harness) -> anyhow::Result<()> {
    let database = harness.database(SCRATCH, super::LATE);
    database.apply(&database.manifest(&VDCS[..3])).await?;
    database.until("initiated", SERVING, initiated).await?;
    let fault = harness.lab.faults().partition("vdc3").await?;
    let cluster = database.until("served by the members that are left", SERVING, others_serve).await?;
    ensure!(ready(&cluster).is_err(), "Ready without vdc3");
    database
        .until("not ready", NOTICED, |cluster| {
            let ready = condition(cluster, READY).map(|ready| ready.status.clone()).unwrap_or_default();
            if ready == "False" { Ok(()) } else { Err(format!("Ready is {ready:?}")) }
        })
        .await?;
    fault.heal().await?;
    database.ready().await?;
    Ok(())
}

pub(super) async fn a_write_whose_answer_is_lost_is_found_out(harness: &Harness) -> anyhow::Result<()> {
    let database = harness.database(SCRATCH, "unanswered");
    let worker = harness.lab.worker("vdc2")?;
    let since = Timestamp::now();
    let ours = || -> anyhow::Result<usize> {
        let writes = audit::writes_by_kogge(worker, since)?;
        Ok(writes.iter().filter(|write| write.name.starts_with("unanswered-")).count())
    };
    database.apply(&database.manifest(&VDCS[..3])).await?;
    wait::until("the first write to vdc2", SERVING, || async {
        let count = ours().map_err(|error| error.to_string())?;
        if count > 0 { Ok(()) } else { Err("none".to_owned()) }
    })
    .await?;
    let before = ours()?;
    // Requests still arrive; answers vanish.
    let fault = harness.lab.faults().partition_one_way("vdc2", CONTROL).await?;
    known_to_be_silent(harness, "vdc2").await?;
    println!("\nwrites that vdc2 carried out without an answer: {}", ours()? - before);
    fault.heal().await?;
    database.ready().await?;
    nothing_is_missing(&database).await?;
    database.delete().await
}

/// All placements hold the same, but for their names.
async fn nothing_is_missing(database: &Database<'_>) -> anyhow::Result<()> {
    let lab = &database.harness.lab;
    let wanted = database.held_by(lab.worker(VDCS[0])?).await?.shape(VDCS[0]);
    for vdc in &VDCS[1..3] {
        let found = database.held_by(lab.worker(vdc)?).await?.shape(vdc);
        let odd: Vec<_> = wanted.symmetric_difference(&found).collect();
        ensure!(odd.is_empty(), "{vdc} and {} differ in {odd:?}", VDCS[0]);
    }
    Ok(())
}

async fn known_to_be_silent(harness: &Harness, vdc: &str) -> anyhow::Result<()> {
    let worker = worker_name(vdc);
    let silent = harness.worker_until(&worker, "known to be silent", NOTICED, |worker| {
        let conditions = worker.status.iter().flat_map(|status| &status.conditions);
        match conditions.into_iter().find(|condition| condition.type_ == API_REACHABLE) {
            Some(reachable) if reachable.status == "True" => Err("its API server is said to answer".to_owned()),
            _ => Ok(()),
        }
    });
    silent.await.map(drop)
}

fn initiated(cluster: &FederatedCluster) -> Result<(), String> {
    let sets = cluster.status.as_ref().map(|status| &status.replica_sets).filter(|sets| sets.len() == 2);
    let sets = sets.ok_or("no replica sets yet")?;
    match sets.iter().find(|(_, set)| !set.initialized) {
        None => Ok(()),
        Some((name, _)) => Err(format!("{name} is not initiated")),
    }
}

/// Both replica sets have a primary and the members of vdc1 and vdc2, and a router serves.
fn others_serve(cluster: &FederatedCluster) -> Result<(), String> {
    is(cluster, AVAILABLE, "True", "Serving")?;
    let sets = cluster.status.iter().flat_map(|status| &status.replica_sets);
    for (name, set) in sets {
        let serving = |vdc: &str| set.members.iter().any(|member| member.vdc == vdc && member.ready);
        if let Some(vdc) = VDCS[..2].iter().find(|vdc| !serving(vdc)) {
            return Err(format!("{name}: the member in {vdc} does not serve"));
        }
    }
    Ok(())
}
