//! Members that join, vote, lead, move and leave.

use anyhow::{Context, Result};
use kogge_engine::ErrorClass;
use kogge_engine_client::Outcome;
use kogge_etcd::{Action, MemberId, Url};
use kogge_etcd_client::{CallError, StepError};
use kogge_lab::Etcd;
use rstest::rstest;

use crate::group::{Group, observed, pod, serving};
use crate::wait::until;

impl Group {
    fn add_learner(&self, via: usize, index: usize) -> Action {
        Action::AddLearner { via: pod(via), pod: pod(index), peer_url: self.servers[index].peer_url() }
    }

    /// The id that the group lists for a server, by its URL.
    async fn id_of(&self, via: usize, index: usize) -> Result<MemberId> {
        let url = self.servers[index].peer_url();
        self.seen("the member", |topology| {
            let members = &serving(topology, via)?.members;
            let member = members.iter().find(|m| m.peer_urls.contains(&url));
            member.map(|m| m.id).ok_or_else(|| format!("{members:?}"))
        })
        .await
    }
}

fn promote(via: usize, index: usize, member_id: MemberId) -> Action {
    Action::Promote { via: pod(via), pod: pod(index), member_id }
}

fn remove(via: usize, index: usize, member_id: MemberId) -> Action {
    Action::Remove { via: pod(via), pod: pod(index), member_id }
}

fn update(via: usize, index: usize, member_id: MemberId, peer_url: Url) -> Action {
    Action::UpdatePeerUrl { via: pod(via), pod: pod(index), member_id, peer_url }
}

fn move_leader(via: usize, to: usize, member_id: MemberId) -> Action {
    Action::MoveLeader { via: pod(via), to: pod(to), member_id }
}

/// Cases 10, 11, 15 and 18.
#[rstest]
#[tokio::test]
async fn a_member_joins_as_a_learner_and_is_promoted_when_it_is_in_sync(
    #[values(Etcd::V3_5, Etcd::V3_6)] release: Etcd,
) -> Result<()> {
    let mut group = Group::start(release, 1, 1).await?;
    let add = group.add_learner(0, 1);
    assert_eq!(group.execute(add.clone()).await?, Outcome::Done);
    let again = group.execute(add).await.unwrap_err();
    assert!(matches!(again, StepError::Stale { .. }), "it is not added twice: {again}");

    let id = group.id_of(0, 1).await?;
    let topology = group.observe().await;
    let listed = serving(&topology, 0).map_err(anyhow::Error::msg)?.members.clone();
    let learner = listed.iter().find(|m| m.id == id).context("it is not listed")?;
    assert!(learner.learner && learner.name.is_none(), "{learner:?}");
    let early = group.execute(promote(0, 1, id)).await.unwrap_err();
    assert_eq!((early.reason(), early.class()), ("LearnerNotInSync", ErrorClass::Transient), "{early}");
    assert!(matches!(&early, StepError::Call { source: CallError::Refused { code, .. }, .. }
        if code == "FailedPrecondition"));

    // A learner does not list the members to clients: its peer port does.
    group.join(1, &listed)?;
    group
        .seen("a learner in sync", |topology| {
            let state = serving(topology, 1)?;
            let in_sync = observed(topology, 1).is_in_sync();
            if state.learner && state.members.len() == 2 && in_sync { Ok(()) } else { Err(format!("{state:?}")) }
        })
        .await?;
    assert_eq!(group.execute(promote(0, 1, id)).await?, Outcome::Done);
    assert_eq!(group.execute(promote(0, 1, id)).await?, Outcome::AlreadyDone);
    group.settled(2).await?;
    let topology = group.observe().await;
    assert!(!serving(&topology, 1).map_err(anyhow::Error::msg)?.learner);
    Ok(())
}

/// Case 13: a second learner is refused, and a third member is added by a member that does not lead.
#[rstest]
#[tokio::test]
async fn one_learner_too_many_is_refused(#[values(Etcd::V3_5, Etcd::V3_6)] release: Etcd) -> Result<()> {
    let group = Group::start(release, 1, 2).await?;
    assert_eq!(group.execute(group.add_learner(0, 1)).await?, Outcome::Done);
    group.observe().await;
    let refused = group.execute(group.add_learner(0, 2)).await.unwrap_err();
    assert_eq!(refused.reason(), "TooManyLearners", "{refused}");
    let id = group.id_of(0, 1).await?;
    assert_eq!(group.execute(remove(0, 1, id)).await?, Outcome::Done);
    group.observe().await;
    assert_eq!(group.execute(group.add_learner(0, 2)).await?, Outcome::Done);
    Ok(())
}

/// Cases 19, 21 and 23.
#[rstest]
#[tokio::test]
async fn the_leader_moves_and_a_member_leaves(#[values(Etcd::V3_5, Etcd::V3_6)] release: Etcd) -> Result<()> {
    let mut group = Group::start(release, 3, 0).await?;
    let leader = group.settled(3).await?;
    let (next, other) = ((leader + 1) % 3, (leader + 2) % 3);
    let topology = group.observe().await;
    let id = |index| serving(&topology, index).map(|state| state.member_id).map_err(anyhow::Error::msg);
    let (old_id, next_id, other_id) = (id(leader)?, id(next)?, id(other)?);

    let not_led = group.execute(move_leader(next, other, other_id)).await.unwrap_err();
    assert!(matches!(not_led, StepError::Stale { .. }), "{not_led}");
    assert_eq!(group.execute(move_leader(leader, next, next_id)).await?, Outcome::Done);
    until("the old leader to follow", async || match group.execute(move_leader(leader, next, next_id)).await {
        Ok(Outcome::AlreadyDone) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    let stale = group.execute(remove(leader, other, other_id)).await.unwrap_err();
    assert_eq!((stale.reason(), stale.class()), ("PlanStale", ErrorClass::NeedsObservation), "{stale}");

    assert_eq!(group.settled(3).await?, next);
    assert_eq!(group.execute_patiently(&remove(next, leader, old_id)).await?, Outcome::Done);
    assert_eq!(group.execute(remove(next, leader, old_id)).await?, Outcome::AlreadyDone);
    let code = until("the removed member to end", async || {
        group.servers[leader].exit_code().map_err(|e| e.to_string())?.ok_or_else(|| "it runs".to_owned())
    })
    .await?;
    assert_eq!(code, 0);
    let members = group
        .seen("two members", |topology| {
            let members = &serving(topology, next)?.members;
            if members.len() == 2 { Ok(members.clone()) } else { Err(format!("{members:?}")) }
        })
        .await?;
    assert!(members.iter().all(|m| m.id != old_id));
    Ok(())
}

/// `MemberUpdate` promotes a learner in some releases, so Kogge does not send it for one.
#[rstest]
#[tokio::test]
async fn a_voter_gets_another_peer_url_and_a_learner_does_not(
    #[values(Etcd::V3_5, Etcd::V3_6)] release: Etcd,
) -> Result<()> {
    let group = Group::start(release, 1, 1).await?;
    let id = group.id_of(0, 0).await?;
    let url = Url::new(group.servers[0].peer_url().as_str().replace("127.0.0.1", "localhost"));
    assert_eq!(group.execute(update(0, 0, id, url.clone())).await?, Outcome::Done);
    assert_eq!(group.execute(update(0, 0, id, url.clone())).await?, Outcome::AlreadyDone);
    group
        .seen("the URL", |topology| {
            let members = &serving(topology, 0)?.members;
            if members[0].peer_urls == [url.clone()] { Ok(()) } else { Err(format!("{members:?}")) }
        })
        .await?;

    assert_eq!(group.execute(group.add_learner(0, 1)).await?, Outcome::Done);
    let learner = group.id_of(0, 1).await?;
    let refused = group.execute(update(0, 1, learner, Url::from("http://localhost:1"))).await.unwrap_err();
    assert!(matches!(refused, StepError::Stale { .. }), "{refused}");
    let topology = group.observe().await;
    let members = &serving(&topology, 0).map_err(anyhow::Error::msg)?.members;
    assert!(members.iter().any(|m| m.id == learner && m.learner), "{members:?}");
    Ok(())
}
