//! Two of three vdcs are gone with the majority: nothing happens by itself, one force by a person's approval, and
//! what comes back is held out.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use kogge_mongo::{FindingKind, Plan, PodName, Replication, Server, SetRole};

use crate::cluster::Cluster;
use crate::history::History;

const SET: &str = "ll-config-7f3k2m9q";
const ROLE: SetRole = SetRole::Config;
const FIVE: &[(&str, u32)] = &[("vdc1", 2), ("vdc2", 2), ("vdc3", 1)];
const LOST: [(&str, u32); 3] = [("vdc2", 0), ("vdc2", 1), ("vdc3", 0)];
const LIMIT: Duration = Duration::from_secs(150);

fn pod((vdc, ordinal): (&str, u32)) -> PodName {
    PodName::new(format!("{SET}-{vdc}-{ordinal}"))
}

/// Passes until a plan is as wanted.
async fn until(cluster: &mut Cluster, what: &str, wanted: impl Fn(&Plan) -> bool) -> Result<Plan> {
    let end = Instant::now() + LIMIT;
    loop {
        let plan = cluster.pass(usize::MAX).await?;
        if wanted(&plan) {
            return Ok(plan);
        }
        if Instant::now() > end {
            bail!("{what} did not come about: {plan:#?}");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h34_to_h36_a_lost_majority_is_given_up_by_a_person_and_stays_out() -> Result<()> {
    let mut cluster = Cluster::new()?;
    cluster.want(SET, ROLE, FIVE)?;
    cluster.until_ready(LIMIT).await?;
    for lost in LOST {
        cluster.servers.get_mut(&pod(lost)).unwrap().kill()?;
    }
    let taken = cluster.taken.len();
    until(&mut cluster, "the loss", |plan| plan.findings.iter().any(|f| f.kind == FindingKind::MajorityLost))
        .await?;
    for _ in 0..10 {
        assert!(cluster.pass(usize::MAX).await?.approvals.is_empty());
    }
    assert_eq!(cluster.taken.len(), taken, "something was done by itself: {:?}", &cluster.names()[taken..]);

    // A person declares and approves it.
    let recovery = &mut cluster.goal.sets[0].recovery;
    recovery.lost = LOST.map(pod).into();
    recovery.cut_off = true;
    let plan = until(&mut cluster, "the question for approval", |plan| !plan.approvals.is_empty()).await?;
    eprintln!("{}", plan.approvals[0].what);
    assert_eq!(cluster.taken.len(), taken, "forced before it was approved");
    let before = plan.sets[SET].config.unwrap();
    cluster.goal.sets[0].recovery.approved.insert(plan.approvals[0].hash.clone());
    let approved = Instant::now();
    let plan = until(&mut cluster, "a primary", |plan| {
        plan.available() && plan.sets[SET].config.is_some_and(|config| config.version >= before.version + 10_000)
    })
    .await?;
    eprintln!("a primary {:.1} s after the approval", approved.elapsed().as_secs_f64());
    assert_eq!(cluster.names().iter().filter(|name| **name == "ForceReconfig").count(), 1);
    assert_eq!(plan.sets[SET].members.iter().filter(|member| member.listed).count(), 2);

    // The two that are left take majority writes.
    let hosts = cluster.hosts(SET)?[..2].join(",");
    let uri = format!("mongodb://admin:admin-password@{hosts}/?replicaSet={SET}&authSource=admin");
    let history = History::start_on_config_servers(&uri).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;

    // The lost ones come back with their old data. They learn that they are out, and nobody lets them in.
    for lost in LOST {
        cluster.servers.get_mut(&pod(lost)).unwrap().start()?;
    }
    let end = Instant::now() + LIMIT;
    loop {
        let plan = cluster.pass(usize::MAX).await?;
        assert!(!plan.ready());
        let topology = cluster.topology().await;
        let removed = LOST.iter().all(|lost| {
            matches!(&topology.members[&pod(*lost)].server,
                Server::Reachable(state) if matches!(state.replication, Replication::Removed { .. }))
        });
        if removed {
            break;
        }
        assert!(Instant::now() < end, "not removed: {topology:#?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let taken = cluster.taken.len();
    for _ in 0..20 {
        let plan = cluster.pass(usize::MAX).await?;
        assert!(plan.findings.iter().any(|f| f.kind == FindingKind::HeldOut));
        assert_eq!(plan.sets[SET].members.iter().filter(|member| member.listed).count(), 2);
    }
    let after = &cluster.names()[taken..];
    assert!(!after.contains(&"AddMember") && !after.contains(&"ForceReconfig"), "{after:?}");

    let (acknowledged, lost) = history.check().await?;
    assert!(acknowledged > 20, "only {acknowledged} writes were acknowledged");
    assert!(lost.is_empty(), "{} of {acknowledged} acknowledged writes are lost", lost.len());
    Ok(())
}
