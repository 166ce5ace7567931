//! Commands that break in the middle: whether they were carried out is unknown, the next observation shows it, and
//! the next plan goes on from there.

use std::net::{Ipv4Addr, TcpListener};
use std::slice::from_ref;

use anyhow::{Context as _, Result};
use kogge_mongo::errors::ErrorClass;
use kogge_mongo::{Action, Step};
use kogge_mongo_client::{Outcome, StepError};
use mongodb::bson::doc;

use crate::support::{Answer, Fault, Lab, Operator, Relay};

/// Where an OP_MSG is expected: no message at all, and a message whose body is no BSON.
const NO_MESSAGE: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\r\nnot a database at all, and quite a long answer";
const NO_BSON: &[u8] = b"\x20\0\0\0\x01\0\0\0\x01\0\0\0\xdd\x07\0\0\0\0\0\0\0garbage!!!!";

/// A settled set of one, which shall have another priority.
async fn with_a_change(lab: &Lab, name: &str) -> Result<(Operator, Step)> {
    let mut operator = Operator::of_settled_set(lab, name, 1).await?;
    operator.set_goal().members[0].priority = 5;
    let plan = operator.plan().await;
    let [step] = plan.steps.as_slice() else { panic!("{plan:#?}") };
    assert!(matches!(step.action, Action::SetPriority { .. }), "{step}");
    Ok((operator, step.clone()))
}

async fn version(operator: &Operator) -> Result<i32> {
    let reply = operator.run(0, doc! { "replSetGetConfig": 1 }).await?;
    Ok(reply.get_document("config")?.get_i32("version")?)
}

/// Breaks the reconfiguration of a step that the real executor carries out; returns how it failed.
async fn interrupt(name: &str, answer: Answer, delivered: bool) -> Result<StepError> {
    let lab = Lab::with_room(1).await?;
    let (mut operator, step) = with_a_change(&lab, name).await?;
    let before = version(&operator).await?;
    let fault = Fault { command: "replSetReconfig", delivered, answer };
    let relay = Relay::to(operator.set.members[0].port(), fault).await?;
    operator.relays.insert(0, relay.address);
    assert_eq!(operator.plan().await.steps, from_ref(&step), "the relay lets the login and the questions through");

    let error = operator.execute(&step).await.err().context("it was answered")?;
    assert!(relay.has_struck());
    assert_eq!(error.class(), ErrorClass::NeedsObservation, "{fault:?}: {error}");
    assert!(!error.is_for_a_person(), "{error}");
    assert_eq!(version(&operator).await?, before + i32::from(delivered), "{fault:?}");

    // By the same way: what was carried out is not done again, and what was not is.
    let plan = operator.plan().await;
    let again: Vec<_> = plan.steps.iter().map(|step| step.action.name()).collect();
    assert_eq!(again, if delivered { vec![] } else { vec!["SetPriority"] }, "{fault:?}: {plan:#?}");
    operator.settle().await?;
    assert_eq!(version(&operator).await?, before + 1, "{fault:?}: it was done once");
    Ok(error)
}

/// Both: the command got there and its answer did not come back, and the command did not get there.
async fn interrupt_both_ways(name: &str, answer: Answer) -> Result<[StepError; 2]> {
    let (after, before) = (format!("{name}-after"), format!("{name}-before"));
    let (after, before) = tokio::try_join!(interrupt(&after, answer, true), interrupt(&before, answer, false))?;
    Ok([after, before])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_reset_in_the_middle_of_a_step_leaves_it_to_be_looked_at() -> Result<()> {
    for error in interrupt_both_ways("reset", Answer::Reset).await? {
        assert_eq!(error.reason(), "ConnectionBroken", "{error}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_in_answer_to_a_step_leaves_it_to_be_looked_at() -> Result<()> {
    for error in interrupt_both_ways("nomessage", Answer::Garbage(NO_MESSAGE)).await? {
        assert_eq!(error.reason(), "AnswerUnreadable", "{error}");
    }
    for error in interrupt_both_ways("nobson", Answer::Garbage(NO_BSON)).await? {
        assert_eq!(error.reason(), "AnswerUnreadable", "{error}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_in_answer_to_a_step_ends_at_the_deadline_and_leaves_it_to_be_looked_at() -> Result<()> {
    for error in interrupt_both_ways("silence", Answer::Silence).await? {
        assert_eq!(error.reason(), "NoAnswer", "{error}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_whose_connection_is_refused_was_not_sent_and_is_tried_again() -> Result<()> {
    let lab = Lab::with_room(1).await?;
    let (mut operator, step) = with_a_change(&lab, "refused").await?;
    let before = version(&operator).await?;
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    operator.relays.insert(0, nobody);
    let error = operator.execute(&step).await.err().context("nobody listens")?;
    assert_eq!((error.class(), error.reason()), (ErrorClass::Transient, "MemberUnreachable"), "{error}");
    assert!(operator.plan().await.steps.is_empty(), "a set that is not seen is not touched");
    assert_eq!(version(&operator).await?, before);

    operator.relays.clear();
    assert_eq!(operator.execute(&step).await?, Outcome::Done, "the same step still holds");
    operator.settle().await?;
    assert_eq!(version(&operator).await?, before + 1);
    Ok(())
}
