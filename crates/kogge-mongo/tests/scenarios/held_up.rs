//! Cases 24 and 25 of reconfigurations: what is held up by members that do not follow is tried again, and done once.

use anyhow::{Context as _, Result};
use kogge_mongo::errors::ErrorClass;
use kogge_mongo::{LeavingMember, Plan, Step};
use kogge_mongo_client::StepError;
use mongodb::bson::doc;

use crate::support::{Edit, Lab, Operator, heal, not_on_a_real_mongod, partition};

/// Keeps a member from installing configs that it hears of.
const CONFIGS_ARE_NOT_LEARNT: &str = "blockHeartbeatReconfigFinish";

async fn version(operator: &Operator, primary: usize) -> Result<i32> {
    Ok(operator.next_config(primary).await?.get_i32("version")? - 1)
}

async fn members(operator: &Operator, primary: usize) -> Result<usize> {
    Ok(operator.next_config(primary).await?.members().len())
}

async fn hold_configs_back(operator: &Operator, on: &[usize], held: bool) -> Result<()> {
    let mode = if held { "alwaysOn" } else { "off" };
    for index in on {
        operator.run(*index, doc! { "configureFailPoint": CONFIGS_ARE_NOT_LEARNT, "mode": mode }).await?;
    }
    Ok(())
}

fn only_step(plan: &Plan) -> Result<Step> {
    let [step] = plan.steps.as_slice() else { anyhow::bail!("{plan:#?}") };
    Ok(step.clone())
}

async fn refusal(operator: &Operator, step: &Step) -> Result<StepError> {
    operator.execute(step).await.err().with_context(|| format!("it was carried out: {step}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn case_24_a_config_that_does_not_spread_in_time_is_waited_for_and_not_written_again() -> Result<()> {
    let lab = Lab::with_room(3).await?;
    let mut operator = Operator::of_settled_set(&lab, "case24", 3).await?;
    let primary = operator.set.primary().await?;
    let others = operator.set.others(primary);
    let before = version(&operator, primary).await?;
    hold_configs_back(&operator, &others, true).await?;
    // Two changes, and both leave the primary where it is.
    operator.set_goal().members[primary].priority = 3;
    operator.set_goal().members[others[0]].priority = 2;

    let first = only_step(&operator.plan().await)?;
    // The server answers so only where the executor sent `maxTimeMS`.
    let late = refusal(&operator, &first).await?;
    assert_eq!((late.reason(), late.class()), ("ConfigPropagating", ErrorClass::NeedsObservation), "{late}");
    assert_eq!(version(&operator, primary).await?, before + 1, "it is installed");

    // The next pass sees it done, and plans nothing on it before a majority holds it.
    let plan = operator.plan().await;
    assert!(plan.steps.is_empty(), "{:#?}", plan.steps);
    assert!(plan.waiting.iter().any(|waiting| waiting.what.contains("1 of 3 hold it")), "{:#?}", plan.waiting);

    hold_configs_back(&operator, &others, false).await?;
    operator.settle().await?;
    assert_eq!(version(&operator, primary).await?, before + 2, "each change was made once");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn case_25_node_not_found_after_a_remove_is_tried_again_in_the_next_pass() -> Result<()> {
    if not_on_a_real_mongod("case 25", "nothing but mongosim can be partitioned") {
        return Ok(());
    }
    let lab = Lab::with_room(5).await?;
    let mut operator = Operator::of_settled_set(&lab, "case25", 5).await?;
    let primary = operator.set.primary().await?;
    let others = operator.set.others(primary);
    // Time enough to ask an isolated primary before it steps down.
    let mut patient = operator.next_config(primary).await?;
    patient.get_document_mut("settings")?.insert("electionTimeoutMillis", 20_000);
    operator.run(primary, doc! { "replSetReconfig": patient }).await?;

    let goal = operator.set_goal();
    let (kept, leaving): (Vec<_>, Vec<_>) = std::mem::take(&mut goal.members)
        .into_iter()
        .enumerate()
        .partition(|(index, _)| !others[..2].contains(index));
    goal.members = kept.into_iter().map(|(_, member)| member).collect();
    goal.leaving = leaving
        .into_iter()
        .map(|(_, member)| LeavingMember { pod: member.pod, host: member.host, anchor: member.anchor })
        .collect();
    let is_removal = |step: &Step| step.action.name() == "RemoveMember";
    operator.run_until("the first removal", |plan| plan.steps.iter().any(is_removal)).await?;
    let plan = operator.plan().await;
    operator.carry_out(&plan).await?;
    assert_eq!(members(&operator, primary).await?, 4);

    operator.run_until("the next removal", |plan| plan.steps.iter().any(is_removal)).await?;
    let removal = operator.plan().await.steps.into_iter().find(is_removal).context("no removal")?;
    partition(&operator.set, &[primary], &others)?;
    let error = refusal(&operator, &removal).await?;
    assert_eq!((error.reason(), error.class()), ("NodeNotFound", ErrorClass::Transient), "{error}");
    assert!(!error.is_for_a_person(), "{error}");
    assert_eq!(members(&operator, primary).await?, 4, "nothing changed");

    heal(&operator.set)?;
    operator.settle().await?;
    assert_eq!(members(&operator, primary).await?, 3);
    Ok(())
}
