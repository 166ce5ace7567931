//! One replica set: from nothing to three voters, to five, rolled, shrunk.

use std::time::Duration;

use anyhow::Result;
use kogge_mongo::{Server, SetRole};

use crate::cluster::Cluster;
use crate::history::History;

const SET: &str = "ll-config-7f3k2m9q";
const THREE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)];
const FIVE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1), ("vdc4", 2)];
/// A config set needs no router to be ready.
const ROLE: SetRole = SetRole::Config;
const LIMIT: Duration = Duration::from_secs(150);

#[tokio::test(flavor = "multi_thread")]
async fn a_set_forms_grows_and_rolls_while_a_client_writes() -> Result<()> {
    let mut cluster = Cluster::new()?;
    cluster.want(SET, ROLE, THREE)?;
    cluster.until_ready(LIMIT).await?;
    let initiates = cluster.names().iter().filter(|name| **name == "Initiate").count();
    assert_eq!(initiates, 1);

    let history = History::start_on_config_servers(&cluster.uri(SET)?).await?;
    cluster.want(SET, ROLE, FIVE)?;
    let plan = cluster.until_ready(LIMIT).await?;
    assert!(plan.sets[SET].members.iter().all(|m| m.votes == 1 && m.priority > 0.0));

    cluster.roll();
    let before = cluster.taken.len();
    cluster.until_ready(LIMIT).await?;
    let rolled = cluster.names()[before..].to_vec();
    assert_eq!(rolled.iter().filter(|name| **name == "RestartPod").count(), 5);
    assert_eq!(rolled.iter().filter(|name| **name == "StepDown").count(), 1);

    cluster.want(SET, ROLE, &FIVE[1..])?;
    let plan = cluster.until_ready(LIMIT).await?;
    assert_eq!(plan.sets[SET].members.iter().filter(|m| m.votes == 1).count(), 3);

    let (acknowledged, lost) = history.check().await?;
    assert!(acknowledged > 100, "only {acknowledged} writes were acknowledged");
    assert!(lost.is_empty(), "{} of {acknowledged} acknowledged writes are lost: {lost:?}", lost.len());

    // Settled: nothing is done any more.
    let taken = cluster.taken.len();
    for _ in 0..3 {
        assert!(cluster.pass(usize::MAX).await?.ready());
    }
    assert_eq!(cluster.taken.len(), taken);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_dies_is_named() -> Result<()> {
    let mut cluster = Cluster::new()?;
    cluster.want(SET, ROLE, THREE)?;
    cluster.until_ready(LIMIT).await?;
    let dead = format!("{SET}-vdc3-0");
    cluster.servers.get_mut(dead.as_str()).unwrap().kill()?;
    cluster.crash_operator();
    let topology = cluster.topology().await;
    let Server::Unreachable { reason, .. } = &topology.members[dead.as_str()].server else {
        panic!("{topology:#?}")
    };
    assert!(reason.contains("mongodb port") && reason.contains("refused"), "{reason}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn case_30_an_operator_killed_after_every_step_reaches_the_same() -> Result<()> {
    let mut cluster = Cluster::new()?;
    cluster.want(SET, ROLE, THREE)?;
    let end = std::time::Instant::now() + LIMIT;
    while !cluster.pass(1).await?.ready() {
        cluster.crash_operator();
        assert!(std::time::Instant::now() < end, "not ready after {LIMIT:?}: {:?}", cluster.names());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let expected = ["Initiate", "CreateUsers", "AddMember", "Promote", "AddMember", "Promote"];
    let names: Vec<_> = cluster.names().into_iter().filter(|name| expected.contains(name)).collect();
    assert_eq!(names, expected);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn case_39_a_lost_majority_is_reported_and_comes_back() -> Result<()> {
    let mut cluster = Cluster::new()?;
    cluster.want(SET, ROLE, THREE)?;
    cluster.until_ready(LIMIT).await?;
    let taken = cluster.taken.len();
    for pod in [format!("{SET}-vdc1-0"), format!("{SET}-vdc2-0")] {
        cluster.servers.get_mut(pod.as_str()).unwrap().kill()?;
    }
    let end = std::time::Instant::now() + LIMIT;
    while cluster.pass(usize::MAX).await?.available() {
        assert!(std::time::Instant::now() < end, "still available without a majority");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(cluster.taken.len(), taken);
    for pod in [format!("{SET}-vdc1-0"), format!("{SET}-vdc2-0")] {
        cluster.servers.get_mut(pod.as_str()).unwrap().start()?;
    }
    cluster.until_ready(LIMIT).await?;
    assert_eq!(cluster.taken.len(), taken);
    Ok(())
}
