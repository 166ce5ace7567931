//! Servers that are not those that a step was planned on, and servers that fall silent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use kogge_engine::ErrorClass;
use kogge_engine_client::Loopback;
use kogge_etcd::{Action, Server};
use kogge_etcd_client::StepError;
use kogge_lab::Etcd;
use rstest::rstest;

use crate::group::{Group, observed, pod, serving, step};

/// Case 6: a server of another group behind a member's name. Its word is taken for what it is, and nothing that was
/// planned on the member before is sent to it.
#[rstest]
#[tokio::test]
async fn another_groups_server_behind_a_members_name_is_seen_and_left_alone(
    #[values(Etcd::V3_5, Etcd::V3_6)] release: Etcd,
) -> Result<()> {
    let (ours, foreign) = (Group::start(release, 1, 1).await?, Group::start(release, 1, 0).await?);
    let before = ours.observe().await;
    let mut addresses = ours.addresses();
    addresses.insert(pod(0), foreign.addresses()[&pod(0)].clone());
    let astray = ours.access_by(Arc::new(Loopback::of(addresses)));

    let add = Action::AddLearner { via: pod(0), pod: pod(1), peer_url: ours.servers[1].peer_url() };
    let refused = ours.engine.execute(&astray, &step(add)).await.unwrap_err();
    assert!(matches!(refused, StepError::Stale { .. }), "{refused}");
    let topology = foreign.observe().await;
    let theirs = serving(&topology, 0).map_err(anyhow::Error::msg)?;
    assert_eq!(theirs.members.len(), 1, "nothing was sent to it");

    let topology = ours.observe_by(&astray).await;
    assert!(observed(&topology, 0).server.cluster_id().is_some());
    assert_eq!(observed(&topology, 0).server.cluster_id(), Some(theirs.cluster_id));
    assert_ne!(observed(&topology, 0).server.cluster_id(), observed(&before, 0).server.cluster_id());
    Ok(())
}

/// A leader that is frozen between the plan and the step: the look at it fails, so nothing is sent.
#[rstest]
#[tokio::test]
async fn nothing_is_sent_to_a_frozen_server(#[values(Etcd::V3_5, Etcd::V3_6)] release: Etcd) -> Result<()> {
    let group = Group::start(release, 1, 1).await?;
    group.servers[0].freeze().await?;
    let add = Action::AddLearner { via: pod(0), pod: pod(1), peer_url: group.servers[1].peer_url() };
    let began = Instant::now();
    let late = group.execute(add).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(matches!(late, StepError::Look { .. }) && !late.outcome_is_unknown(), "{late}");
    assert_eq!((late.reason(), late.class()), ("NoAnswer", ErrorClass::NeedsObservation));
    group.servers[0].thaw()?;
    group.settled(1).await?;
    Ok(())
}

/// A leader that has lost its quorum: no list by a quorum, so nothing is sent.
#[rstest]
#[tokio::test]
async fn nothing_is_changed_without_a_quorum(#[values(Etcd::V3_5, Etcd::V3_6)] release: Etcd) -> Result<()> {
    let mut group = Group::start(release, 3, 1).await?;
    let leader = group.settled(3).await?;
    for index in (0..3).filter(|index| *index != leader) {
        group.servers[index].kill()?;
    }
    let add = Action::AddLearner { via: pod(leader), pod: pod(3), peer_url: group.servers[3].peer_url() };
    let refused = group.execute(add).await.unwrap_err();
    assert!(matches!(refused, StepError::Look { .. }), "{refused}");
    assert_eq!(refused.class(), ErrorClass::NeedsObservation);
    let state = group
        .seen("a member that knows no leader", |topology| match serving(topology, leader)? {
            state if state.leader.is_none() => Ok(state.clone()),
            state => Err(format!("{state:?}")),
        })
        .await?;
    assert_eq!(state.members.len(), 3);
    let topology = group.observe().await;
    let silent = |index: usize| matches!(observed(&topology, index).server, Server::Unreachable { .. });
    assert_eq!((0..3).filter(|index| silent(*index)).count(), 2);
    Ok(())
}

/// Steps that are not for the wire, and members that were never observed.
#[tokio::test]
async fn a_step_without_an_observation_is_not_sent() -> Result<()> {
    let group = Group::start(Etcd::V3_6, 1, 0).await?;
    let fresh = kogge_etcd_client::Engine::new();
    let defragment = step(Action::Defragment { pod: pod(0) });
    let unseen = fresh.execute(&group.access(), &defragment).await.unwrap_err();
    assert!(matches!(unseen, StepError::Stale { .. }), "{unseen}");
    let anchor = group.execute(Action::ForgetMember { pod: pod(0) }).await.unwrap_err();
    assert!(anchor.is_for_a_person() && anchor.to_string().contains("ForgetMember"), "{anchor}");
    Ok(())
}
