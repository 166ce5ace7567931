//! Databases that are full.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use kogge_engine_client::Outcome;
use kogge_etcd::{Action, Alarm, AlarmKind};
use kogge_lab::Etcd;
use rstest::rstest;

use crate::group::{Group, Security, pod, serving};
use crate::web;

const QUOTA: u64 = 1 << 20;

/// Case 49, and its cure: compact, defragment, disarm.
#[rstest]
#[tokio::test]
async fn a_full_database_raises_an_alarm_that_is_disarmed(
    #[values(Etcd::V3_5, Etcd::V3_6)] release: Etcd,
) -> Result<()> {
    let small = |_: &std::path::Path| {
        Ok(Security { flags: vec![format!("--quota-backend-bytes={QUOTA}")], ..Security::default() })
    };
    let group = Group::start_with(release, 1, 0, small).await?;
    let client = group.servers[0].addresses()[0];
    let value = vec![7; 64 << 10];
    let mut revision = 0;
    // The write that exceeds the quota is applied and refused at once.
    while let Ok(written) = web::put(client, "key", &value).await {
        revision = written;
    }
    let state = group
        .seen("the alarm", |topology| {
            let state = serving(topology, 0)?;
            if state.alarms.is_empty() { Err(format!("{state:?}")) } else { Ok(state.clone()) }
        })
        .await?;
    let alarm = Alarm { member_id: state.member_id, kind: AlarmKind::NoSpace };
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
