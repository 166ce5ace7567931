//! 34–37: a data centre with the majority is gone, and returns.

use std::time::Duration;

use anyhow::{Context, Result};
use kogge_mongo::{Action, FindingKind, Plan};
use mongodb::bson::{Document, doc};

use crate::support::{
    Edit, Lab, Operator, eventually, heal, not_on_a_real_mongod, partition, pod, stays, wait_for,
};

/// Of three members the first survives; the others were in the data centre that is lost.
const SURVIVOR: usize = 0;
const LOST: [usize; 2] = [1, 2];
/// Config servers have no user databases.
const DATABASE: &str = "config";

fn found(plan: &Plan, kind: FindingKind) -> bool {
    plan.findings.iter().any(|finding| finding.kind == kind)
}

async fn lose_the_majority(lab: &Lab, name: &str) -> Result<Operator> {
    let mut operator = Operator::of_settled_set(lab, name, 3).await?;
    for index in LOST {
        operator.kill(index);
    }
    let seen = |plan: &Plan| found(plan, FindingKind::MajorityLost);
    operator.plan_until("the lost majority to be seen", seen).await?;
    Ok(operator)
}

/// A person declares the data centre lost, and that it cannot come back by itself.
fn declare_lost(operator: &mut Operator, cut_off: bool) {
    let recovery = &mut operator.set_goal().recovery;
    recovery.lost.extend(LOST.map(pod));
    recovery.cut_off = cut_off;
}

/// The person approves, and the operator forces. Returns the config of before.
async fn recover(operator: &mut Operator) -> Result<Document> {
    let mut before = operator.run(SURVIVOR, doc! { "replSetGetConfig": 1 }).await?;
    declare_lost(operator, true);
    let asks = |plan: &Plan| !plan.approvals.is_empty();
    let plan = operator.plan_until("the operator to ask", asks).await?;
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
    let hash = plan.approvals[0].hash.clone();
    operator.set_goal().recovery.approved.insert(hash);
    let has_primary = |plan: &Plan| plan.available();
    operator.run_until("a primary", has_primary).await?;
    Ok(before.get_document_mut("config")?.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn h34_without_a_majority_there_is_no_primary_and_the_operator_does_nothing_unapproved() -> Result<()> {
    let lab = Lab::with_room(3).await?;
    let mut operator = lose_the_majority(&lab, "h34").await?;
    assert!(!operator.set.members[SURVIVOR].is_primary().await);
    let idle = |plan: &Plan| plan.steps.is_empty();
    stays("the operator does nothing", Duration::from_secs(1), async || idle(&operator.plan().await)).await?;
    declare_lost(&mut operator, true);
    let plan = operator.plan_until("the operator to ask", |plan| !plan.approvals.is_empty()).await?;
    assert!(idle(&plan), "{:?}", plan.steps);
    operator.set_goal().recovery.approved.insert("of something else".to_owned());
    stays("the operator does nothing", Duration::from_secs(1), async || idle(&operator.plan().await)).await?;
    assert!(!operator.set.members[SURVIVOR].is_primary().await);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h35_an_approved_force_raises_the_version_drops_the_term_and_makes_the_survivor_primary() -> Result<()> {
    let lab = Lab::with_room(3).await?;
    let mut operator = lose_the_majority(&lab, "h35").await?;
    let before = recover(&mut operator).await?;
    let mut reply = operator.run(SURVIVOR, doc! { "replSetGetConfig": 1 }).await?;
    let forced = reply.get_document_mut("config")?;
    let rise = forced.get_i32("version")? - (before.get_i32("version")? + 1);
    assert!((10_000..110_000).contains(&rise), "{rise}");
    assert!(!forced.contains_key("term"), "{forced}");
    assert_eq!(forced.members().len(), 1);
    assert!(operator.set.members[SURVIVOR].is_primary().await);
    // The next safe change gives it a term again.
    let next = operator.next_config(SURVIVOR).await?;
    operator.run(SURVIVOR, doc! { "replSetReconfig": next, "maxTimeMS": 10_000 }).await?;
    let reply = operator.run(SURVIVOR, doc! { "replSetGetConfig": 1 }).await?;
    assert!(reply.get_document("config")?.get_i32("term")? > 1, "{reply}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h36_a_lost_data_centre_that_heals_is_removed_does_not_vote_and_is_not_added_unwiped() -> Result<()> {
    let lab = Lab::with_room(3).await?;
    let mut operator = lose_the_majority(&lab, "h36").await?;
    recover(&mut operator).await?;
    for index in LOST {
        operator.start(index).await?;
    }
    for index in LOST {
        // For a moment after its start it says 94, as every server does.
        eventually("it to know that it was removed", async || {
            let status = operator.run(index, doc! { "replSetGetStatus": 1 }).await;
            status.is_err_and(|refused| refused.to_string().contains("93"))
        })
        .await?;
        assert!(operator.set.members[index].hello().await?.contains_key("isreplicaset"));
    }
    let held_out = |plan: &Plan| found(plan, FindingKind::HeldOut);
    operator.plan_until("the returned members to be held out", held_out).await?;
    stays("they stay out", Duration::from_secs(2), async || {
        let plan = operator.plan().await;
        let leads = operator.set.members[SURVIVOR].is_primary().await;
        let adds = plan.steps.iter().any(|step| {
            matches!(
                step.action,
                Action::AddMember { .. } | Action::ReserveMemberId { .. } | Action::Promote { .. }
            )
        });
        leads && !adds
    })
    .await?;
    let status = operator.run(SURVIVOR, doc! { "replSetGetStatus": 1 }).await?;
    assert_eq!(status.get_i32("votingMembersCount")?, 1);

    // Wiped by a person, one of them joins again, under another `_id`.
    let [wiped, _] = LOST;
    operator.empty(wiped)?;
    operator.start(wiped).await?;
    let recovery = &mut operator.set_goal().recovery;
    recovery.lost.clear();
    recovery.readmitted.insert(pod(wiped));
    let host = operator.set.members[wiped].host();
    let joined = |plan: &Plan| {
        plan.sets.values().flat_map(|set| &set.members).any(|member| member.pod == pod(wiped) && member.ready)
    };
    operator.run_until("it to be back", joined).await?;
    let mut reply = operator.run(SURVIVOR, doc! { "replSetGetConfig": 1 }).await?;
    let config = reply.get_document_mut("config")?;
    let members = config.members().iter().filter_map(|m| m.as_document());
    let listed = members.into_iter().find(|m| m.get_str("host").ok() == Some(host.as_str()));
    assert_ne!(listed.context("it is not listed")?.get_i32("_id")?, wiped as i32);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h37_a_lost_data_centre_with_a_higher_term_outranks_a_force_so_the_operator_wants_it_fenced() -> Result<()>
{
    if not_on_a_real_mongod("h37", "nothing but mongosim can be partitioned") {
        return Ok(());
    }
    let lab = Lab::with_room(3).await?;
    let mut operator = Operator::of_settled_set(&lab, "h37", 3).await?;
    partition(&operator.set, &[SURVIVOR], &LOST)?;
    operator.blind_to.extend(LOST);
    // The other side lives on, in higher and higher terms.
    let term = async |operator: &Operator, index: usize| -> Result<i64> {
        Ok(operator.run(index, doc! { "replSetGetStatus": 1 }).await?.get_i64("term")?)
    };
    for _ in 0..2 {
        let primary = operator.set.primary_among(&LOST).await?;
        operator.run(primary, doc! { "replSetStepDown": 20, "secondaryCatchUpPeriodSecs": 10 }).await?;
        operator.set.primary_among(&LOST).await?;
        operator.run(primary, doc! { "replSetFreeze": 0 }).await?;
    }
    let other = operator.set.primary_among(&LOST).await?;
    let theirs = term(&operator, other).await?;
    let acknowledged = async |operator: &Operator, index: usize, id: i32| {
        let insert = doc! { "insert": "c", "documents": [{ "_id": id }], "writeConcern": { "w": "majority" } };
        operator.run_on(index, DATABASE, insert).await
    };
    acknowledged(&operator, other, 1).await?;

    let nobody = |plan: &Plan| found(plan, FindingKind::MajorityLost);
    operator.plan_until("the lost majority to be seen", nobody).await?;
    declare_lost(&mut operator, false);
    let refused = |plan: &Plan| found(plan, FindingKind::RecoveryRefused);
    let plan = operator.plan_until("the refusal", refused).await?;
    assert!(plan.steps.is_empty() && plan.approvals.is_empty(), "{plan:#?}");

    // Why: whoever forces all the same has two histories, and one of them is lost when they meet.
    let alone = operator.next_config(SURVIVOR).await?.minus(2).minus(1);
    operator.run(SURVIVOR, doc! { "replSetReconfig": alone, "force": true }).await?;
    operator.set.primary_among(&[SURVIVOR]).await?;
    let safe = operator.next_config(SURVIVOR).await?;
    operator.run(SURVIVOR, doc! { "replSetReconfig": safe, "maxTimeMS": 10_000 }).await?;
    acknowledged(&operator, SURVIVOR, 2).await?;
    assert!(term(&operator, SURVIVOR).await? < theirs);
    heal(&operator.set)?;
    let found = wait_for("one side to give in", async || {
        let mut primaries = Vec::new();
        for index in 0..3 {
            if operator.set.members[index].is_primary().await {
                primaries.push(index);
            }
        }
        let [primary] = primaries[..] else { return None };
        operator.run_on(primary, DATABASE, doc! { "find": "c", "readConcern": { "level": "majority" } }).await.ok()
    })
    .await?;
    let kept = found.get_document("cursor")?.get_array("firstBatch")?;
    assert_eq!(kept.len(), 1, "of two acknowledged writes: {kept:?}");
    Ok(())
}
