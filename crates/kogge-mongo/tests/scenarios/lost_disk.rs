//! The whole way of a member that lost its disk: from its vote to its vote, with what was acknowledged kept.

use anyhow::{Context as _, Result};
use kogge_mongo::{Host, MemberId};
use mongodb::bson::{Document, doc};

use crate::support::{Lab, Operator, eventually, pod, state};

const WRITTEN: i32 = 20;
/// Config servers have no user databases.
const DATABASE: &str = "config";

async fn write(operator: &Operator, primary: usize) -> Result<()> {
    for id in 0..WRITTEN {
        let insert = doc! { "insert": "c", "documents": [{ "_id": id }], "writeConcern": { "w": "majority" } };
        let answer = operator.run_on(primary, DATABASE, insert).await?;
        assert!(!answer.contains_key("writeConcernError"), "{answer}");
    }
    Ok(())
}

/// The member votes as another one than before, and holds what was written.
async fn is_back_as_another(operator: &mut Operator, wiped: usize) -> Result<()> {
    let host = Host::new(operator.set.members[wiped].host());
    let goal = &operator.goal.sets[0].members[wiped];
    assert_eq!(
        (&goal.pod, goal.anchor.member_id, goal.anchor.initialized),
        (&pod(wiped), Some(MemberId(3)), true)
    );
    let primary = operator.set.primary().await?;
    let config = operator.run(primary, doc! { "replSetGetConfig": 1 }).await?;
    let members = config.get_document("config")?.get_array("members")?;
    let mut listed = members.iter().filter_map(|member| member.as_document());
    let found = listed.find(|member| member.get_str("host").is_ok_and(|listed| listed == host.as_str()));
    let member = found.context("it is not listed")?;
    assert_eq!((member.get_i32("_id")?, member.get_i32("votes")?), (3, 1), "{member}");
    let mut count = doc! { "count": "c" };
    count.insert("$readPreference", doc! { "mode": "secondaryPreferred" });
    let counted: Document = operator.run_on(wiped, DATABASE, count).await?;
    assert_eq!(counted.get_i32("n")?, WRITTEN);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_voter_that_its_gate_holds_is_admitted_anew() -> Result<()> {
    let lab = Lab::with_room(3).await?;
    let mut operator = Operator::of_settled_set(&lab, "gated", 3).await?;
    let primary = operator.set.primary().await?;
    write(&operator, primary).await?;
    let wiped = (primary + 1) % 3;
    operator.wipe(wiped)?;
    operator.settle().await?;
    is_back_as_another(&mut operator, wiped).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_primary_that_its_gate_holds_is_admitted_anew() -> Result<()> {
    let lab = Lab::with_room(3).await?;
    let mut operator = Operator::of_settled_set(&lab, "gatedprimary", 3).await?;
    let primary = operator.set.primary().await?;
    write(&operator, primary).await?;
    operator.wipe(primary)?;
    operator.settle().await?;
    is_back_as_another(&mut operator, primary).await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_gate_a_wiped_voter_is_taken_out_while_it_syncs() -> Result<()> {
    let lab = Lab::with_room(3).await?;
    let mut operator = Operator::of_settled_set(&lab, "ungated", 3).await?;
    let primary = operator.set.primary().await?;
    write(&operator, primary).await?;
    let wiped = (primary + 1) % 3;
    operator.set.members[wiped].kill();
    operator.set.members[wiped].wipe()?;
    operator.set.members[wiped].start_with("initialSyncHangBeforeCopyingDatabases").await?;
    let server = &operator.set.members[wiped];
    eventually("its initial sync", async || server.state().await == Some(state::STARTUP2)).await?;
    // Under its new id it would sync for ever: the fail point is still there.
    let listed = format!("{} to be listed without a vote", operator.set.members[wiped].host());
    let mut rounds = 0;
    loop {
        let plan = operator.plan().await;
        let admitted = operator.goal.sets[0].members[wiped].anchor;
        let member = plan.sets["ungated"].members.iter().find(|m| m.pod == pod(wiped)).context("unknown")?;
        if admitted.member_id == Some(MemberId(3)) && member.state.is_some() && plan.steps.is_empty() {
            assert_eq!(member.votes, 0, "{member:?}");
            break;
        }
        rounds += 1;
        assert!(rounds < 400, "{listed}: {plan:#?}");
        operator.carry_out(&plan).await?;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    operator.kill(wiped);
    operator.start(wiped).await?;
    operator.settle().await?;
    is_back_as_another(&mut operator, wiped).await
}
