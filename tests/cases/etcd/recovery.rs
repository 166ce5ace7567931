//! A majority that is lost for good: after a person's word the cluster goes on from what one disk holds.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use kogge_api::FederatedEtcd;
use kogge_api::conditions::database::{APPROVAL_NEEDED, AVAILABLE, READY};
use kogge_api::labels;
use kogge_e2e::{Etcdctl, Harness, SCRATCH, VDCS, is};
use kogge_lab::wait;

use super::{group, leader, voters};
use crate::cases::recovery::{annotate, ask, hashes};

/// How soon the operator must answer a request.
const ANSWERED: Duration = Duration::from_mins(2);
/// How many keys are written before.
const KEYS: usize = 20;

pub(in crate::cases) async fn a_lost_majority_is_restored_from_what_is_left(
    harness: &Harness,
) -> anyhow::Result<()> {
    let database = harness.etcd(SCRATCH, "stricken-etcd");
    database.apply(&database.manifest(&VDCS[..3])).await?;
    let before = database.ready().await?;
    let etcdctl = Etcdctl::start(database, "vdc1", "kept/").await?;
    for number in 0..KEYS {
        etcdctl.run(&["put", &format!("kept/{number}"), &format!("value {number}")]).await?;
    }
    let lost = ["vdc2", "vdc3"];
    let mut faults = Vec::new();
    for vdc in lost {
        faults.push(harness.lab.faults().crash(vdc).await?);
    }
    database.until("without a quorum", ANSWERED, |c| is(c, AVAILABLE, "False", "NoQuorum")).await?;

    ask(&database, r#"{"lost":["vdc2","vdc3"]}"#).await?;
    database
        .until("refused while it may still live", ANSWERED, |c| is(c, APPROVAL_NEEDED, "False", "RecoveryRefused"))
        .await?;
    ask(&database, r#"{"lost":["vdc2","vdc3"],"fenced":true}"#).await?;
    let asks = |cluster: &FederatedEtcd| is(cluster, APPROVAL_NEEDED, "True", "MajorityLost");
    let cluster = database.until("the question for approval", ANSWERED, asks).await?;
    ensure!(group(&cluster)?.members.len() == 3, "it was forced before it was approved: {:?}", group(&cluster)?);
    let approved = Instant::now();
    annotate(&database, labels::APPROVE, Some(&hashes(&cluster))).await?;
    let cluster =
        database.until("served again", ANSWERED, |cluster| is(cluster, AVAILABLE, "True", "Serving")).await?;
    println!("\nserved again {:.1} s after the approval", approved.elapsed().as_secs_f32());
    ensure!(leader(&cluster)?.1 == "vdc1", "{:?}", leader(&cluster)?);
    all_keys_are_there(&etcdctl).await?;
    etcdctl.run(&["put", "kept/later", "after the recovery"]).await?;

    for fault in faults {
        fault.heal().await?;
    }
    database.until("back and held out", ANSWERED, |cluster| is(cluster, READY, "False", "HeldOut")).await?;
    ask(&database, r#"{"readmit":["vdc2","vdc3"]}"#).await?;
    for member in group(&before)?.members.iter().filter(|member| lost.contains(&member.vdc.as_str())) {
        harness.lab.faults().wipe_volumes(&member.vdc, SCRATCH, &member.name).await?;
        let delete = ["delete", "pod", &member.name, "-n", SCRATCH, "--wait=false"];
        harness.kubectl(&member.vdc, &delete).await?;
    }
    let cluster = database.ready().await?;
    ensure!(voters(&cluster)? == VDCS[..3].iter().map(|vdc| (*vdc, 1)).collect(), "{:?}", group(&cluster)?);
    all_keys_are_there(&etcdctl).await?;
    annotate(&database, labels::RECOVER, None).await?;
    etcdctl.stop().await?;
    database.delete().await?;
    database.gone().await
}

/// Every key that was acknowledged before the majority was lost.
async fn all_keys_are_there(etcdctl: &Etcdctl<'_>) -> anyhow::Result<()> {
    let read = wait::until("the keys read", ANSWERED, || async {
        etcdctl.run(&["get", "--prefix", "kept/"]).await.map_err(|error| format!("{error:#}"))
    });
    let read = read.await.context("no linearizable read is answered")?;
    let missing = (0..KEYS).filter(|number| !read.lines().any(|line| line == format!("value {number}")));
    let missing: Vec<usize> = missing.collect();
    ensure!(missing.is_empty(), "lost: {missing:?}; what is there:\n{read}");
    Ok(())
}
