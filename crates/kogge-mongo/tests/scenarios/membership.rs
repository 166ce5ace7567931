//! 32–33: members that leave, return, and return empty.

use anyhow::Result;
use kogge_mongo::{Action, FindingKind};
use mongodb::bson::doc;

use crate::support::{Edit, Lab, Operator, eventually, pod, state, step_about};

#[tokio::test(flavor = "multi_thread")]
async fn h32_a_removed_member_is_a_ghost_and_becomes_secondary_once_it_is_added_again() -> Result<()> {
    let lab = Lab::with_room(3).await?;
    let set = lab.up("h32", 3).await?;
    let index = set.primary().await?;
    let (primary, gone) = (&set.members[index], (index + 1) % 3);
    let mut config = primary.next_config().await?;
    let removed = config.member(gone).clone();
    assert_eq!(primary.reconfig(config.minus(gone)).await, 0);
    let ghost = &set.members[gone];
    eventually("the removed member to know", async || ghost.code(doc! { "replSetGetStatus": 1 }).await == 93)
        .await?;
    let hello = ghost.hello().await?;
    assert!(hello.get_bool("isreplicaset")?);
    assert!(!hello.contains_key("setName"), "{hello}");

    assert_eq!(primary.reconfig(primary.next_config().await?.plus(removed)).await, 0);
    eventually("the member to be back", async || ghost.state().await == Some(state::SECONDARY)).await?;
    eventually("its vote", async || primary.voting_members().await.ok() == Some(3)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn h33_a_wiped_voter_returns_in_startup2_and_still_votes_so_the_operator_demotes_it_first() -> Result<()> {
    let lab = Lab::with_room(3).await?;
    let mut operator = Operator::of_settled_set(&lab, "h33", 3).await?;
    let primary = operator.set.primary().await?;
    let wiped = (primary + 1) % 3;
    let host = operator.set.members[wiped].host();
    operator.set.members[wiped].kill();
    operator.set.members[wiped].wipe()?;
    operator.set.members[wiped].start_with("initialSyncHangBeforeCopyingDatabases").await?;
    // Nobody but the others knows its users while it syncs: its own word comes over loopback.
    eventually("its initial sync", async || operator.set.members[wiped].state().await == Some(state::STARTUP2))
        .await?;
    let status = operator.run(primary, doc! { "replSetGetStatus": 1 }).await?;
    assert_eq!(status.get_i32("votingMembersCount")?, 3, "it votes although it has forgotten its vote");

    let lost = |plan: &kogge_mongo::Plan| plan.findings.iter().any(|f| f.kind == FindingKind::LostDisk);
    let plan = operator.plan_until("the lost disk to be seen", lost).await?;
    let step = step_about(&plan, &host);
    assert!(
        step.is_some_and(|step| matches!(step.action, Action::Demote { .. })),
        "the first step about {} is {step:?}: {plan:#?}",
        pod(wiped)
    );
    operator.execute(step.unwrap()).await?;
    let status = operator.run(primary, doc! { "replSetGetStatus": 1 }).await?;
    assert_eq!(status.get_i32("votingMembersCount")?, 2);
    Ok(())
}
