//! Databases that are full.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use kogge_engine_client::Outcome;
use kogge_etcd::{Action, Alarm, AlarmKind, ServerState, Topology};
use kogge_lab::Etcd;
use rstest::rstest;

use crate::group::{Group, Security, pod, serving};
use crate::web;

const QUOTA: u64 = 1 << 20;

/// A group of one whose database is full, what its server says, and the last revision.
async fn full(release: Etcd) -> Result<(Group, ServerState, u64)> {
    let small = |_: &std::path::Path| {
        Ok(Security { flags: vec![format!("--quota-backend-bytes={QUOTA}")], ..Security::default() })
    };
    let group = Group::start_with(release, 1, 0, small).await?;
    let client = group.servers[0].addresses()[0];
    let (large, mut revision) = (large(), 0);
    // The write that exceeds the quota is applied and refused at once.
    while let Ok(written) = web::put(client, "key", &large).await {
        revision = written;
    }
    let state = group
        .seen("the alarm", |topology| {
            let state = serving(topology, 0)?;
            if state.alarms.is_empty() { Err(format!("{state:?}")) } else { Ok(state.clone()) }
        })
        .await?;
    Ok((group, state, revision))
}

/// A value of which a few fill the database.
fn large() -> Vec<u8> {
    vec![7; 64 << 10]
}

fn no_space(state: &ServerState) -> Alarm {
    Alarm { member_id: state.member_id, kind: AlarmKind::NoSpace }
}

/// Case 49, and its other cure: every member restarts with a larger quota, then the alarm is disarmed. It is not before:
/// etcd raises it again.
#[rstest]
#[tokio::test]
async fn etcd_49_a_larger_quota_ends_the_alarm_once_the_server_runs_with_it(
    #[values(Etcd::V3_5, Etcd::V3_6)] release: Etcd,
) -> Result<()> {
    let (mut group, state, _) = full(release).await?;
    let client = group.servers[0].addresses()[0];
    let disarm = Action::DisarmAlarm { via: pod(0), alarm: no_space(&state) };
    assert_eq!(group.execute(disarm.clone()).await?, Outcome::Done);
    assert!(web::put(client, "key", b"small").await.is_err(), "the quota is the same");
    group.seen("the alarm again", |topology| raised(topology, true)).await?;

    group.servers[0].kill()?;
    let itself = format!("{}={}", pod(0), group.servers[0].peer_url());
    group.servers[0].start_as("existing", &itself, &[format!("--quota-backend-bytes={}", 4 * QUOTA)])?;
    group.seen("the alarm that outlives a restart", |topology| raised(topology, true)).await?;
    assert_eq!(group.execute(disarm).await?, Outcome::Done);
    web::put(client, "key", &large()).await.context("writes go on")?;
    group.seen("no alarm", |topology| raised(topology, false)).await
}

fn raised(topology: &Topology, wanted: bool) -> Result<(), String> {
    let state = serving(topology, 0)?;
    if state.alarms.is_empty() == wanted { Err(format!("{state:?}")) } else { Ok(()) }
}

/// Case 49, and its cure: compact, defragment, disarm.
#[rstest]
#[tokio::test]
async fn a_full_database_raises_an_alarm_that_is_disarmed(
    #[values(Etcd::V3_5, Etcd::V3_6)] release: Etcd,
) -> Result<()> {
    let (group, state, revision) = full(release).await?;
    let client = group.servers[0].addresses()[0];
    let alarm = no_space(&state);
    assert_eq!(state.alarms, BTreeSet::from([alarm]));

    web::compact(client, revision).await?;
    assert_eq!(group.execute(Action::Defragment { pod: pod(0) }).await?, Outcome::Done);
    let topology = group.observe().await;
    let smaller = serving(&topology, 0).map_err(anyhow::Error::msg)?;
    assert!(smaller.db_size < state.db_size && smaller.db_size < QUOTA, "{smaller:?}");

    let disarm = Action::DisarmAlarm { via: pod(0), alarm };
    assert_eq!(group.execute(disarm.clone()).await?, Outcome::Done);
    assert_eq!(group.execute(disarm).await?, Outcome::AlreadyDone);
    let topology = group.observe().await;
    assert!(serving(&topology, 0).map_err(anyhow::Error::msg)?.alarms.is_empty());
    web::put(client, "key", b"small").await.context("writes go on")?;
    Ok(())
}
