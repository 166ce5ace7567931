//! Workers that are cut off: nothing is concluded from what is not seen, and all completes by itself.

use std::time::{Duration, Instant};

use anyhow::ensure;
use jiff::Timestamp;
use kogge_api::FederatedCluster;
use kogge_api::conditions::database::{AVAILABLE, READY};
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
    let begun = Timestamp::now();
    database.apply(&database.manifest(&VDCS[..3])).await?;
    let mut unanswered = lose_answers(&database, begun).await?;
    nothing_is_missing(&database).await?;
    // A member moves, so that its name must be written to the others.
    let moved = Timestamp::now();
    let delete = ["delete", "pod", "unanswered-shard-0-vdc1-0", "-n", SCRATCH, "--wait=false"];
    harness.kubectl("vdc1", &delete).await?;
    unanswered.extend(lose_answers(&database, moved).await?);
    the_member_is_found_everywhere(&database, "unanswered-shard-0-vdc1-v4").await?;
    // How many requests are under way at the moment of a cut is chance, so their number is told and not judged.
    println!("\ncarried out without an answer: {} {}", unanswered.len(), unanswered.join("; "));
    database.delete().await
}

/// Once Kogge writes to vdc2, lets the answers from there vanish (requests still arrive) until it is known to be
/// silent, and heals. Returns what was carried out without an answer.
async fn lose_answers(database: &Database<'_>, since: Timestamp) -> anyhow::Result<Vec<String>> {
    let harness = database.harness;
    wait::until(&format!("a write of {} to vdc2", database.name), NOTICED, || async {
        match written_to_vdc2(database, since) {
            Ok(writes) if writes.is_empty() => Err("none".to_owned()),
            Ok(_) => Ok(()),
            Err(error) => Err(format!("{error:#}")),
        }
    })
    .await?;
    let fault = harness.lab.faults().partition_one_way("vdc2", CONTROL).await?;
    let cut = Timestamp::now();
    known_to_be_silent(harness, "vdc2").await?;
    let unanswered = written_to_vdc2(database, cut)?;
    fault.heal().await?;
    database.ready().await?;
    Ok(unanswered)
}

/// What Kogge has written of a database to vdc2.
fn written_to_vdc2(database: &Database<'_>, since: Timestamp) -> anyhow::Result<Vec<String>> {
    let writes = audit::writes_by_kogge(database.harness.lab.worker("vdc2")?, since)?;
    let prefix = format!("{}-", database.name);
    let ours = writes.iter().filter(|write| write.name.starts_with(&prefix) && write.status < 300);
    Ok(ours.map(audit::in_words).collect())
}

/// vdc2 and vdc3 know the same addresses.
async fn the_member_is_found_everywhere(database: &Database<'_>, slice: &str) -> anyhow::Result<()> {
    let lab = &database.harness.lab;
    let (two, three) = (lab.worker("vdc2")?, lab.worker("vdc3")?);
    wait::until(&format!("{slice} alike"), NOTICED, || async {
        let two = database.held_by(two).await.map_err(|error| format!("{error:#}"))?;
        let three = database.held_by(three).await.map_err(|error| format!("{error:#}"))?;
        match (two.endpoints(slice), three.endpoints(slice)) {
            (Some(two), Some(three)) if two == three => Ok(()),
            (two, three) => Err(format!("vdc2 has {two:?}, vdc3 has {three:?}")),
        }
    })
    .await?;
    Ok(())
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
    let sets = cluster.status.as_ref().map(|status| &status.groups).filter(|sets| sets.len() == 2);
    let sets = sets.ok_or("no replica sets yet")?;
    match sets.iter().find(|(_, set)| !set.initialized) {
        None => Ok(()),
        Some((name, _)) => Err(format!("{name} is not initiated")),
    }
}

/// Both replica sets have a primary and the members of vdc1 and vdc2, and a router serves.
fn others_serve(cluster: &FederatedCluster) -> Result<(), String> {
    is(cluster, AVAILABLE, "True", "Serving")?;
    let sets = cluster.status.iter().flat_map(|status| &status.groups);
    for (name, set) in sets {
        let serving = |vdc: &str| set.members.iter().any(|member| member.vdc == vdc && member.ready);
        if let Some(vdc) = VDCS[..2].iter().find(|vdc| !serving(vdc)) {
            return Err(format!("{name}: the member in {vdc} does not serve"));
        }
    }
    Ok(())
}
