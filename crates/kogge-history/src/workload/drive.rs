//! Clients at work.

use std::future::Future;
use std::io::Write;
use std::time::Duration;

use futures::future::try_join_all;

use super::clock::Clock;
use super::generator::{Generator, Mix};
use super::recorder::{RecordError, Recorder};
use super::register::Register;
use crate::history::Outcome;

/// What the clients do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The keys, all of which are absent in the beginning.
    pub keys: Vec<String>,
    /// Which operations.
    pub mix: Mix,
    /// How many operations each client calls; as many as it gets to if there is no number.
    pub operations: Option<u64>,
    /// What a client waits between two operations.
    pub pause: Duration,
    /// When it gives an operation up, which is of unknown outcome then.
    pub deadline: Duration,
    /// What the choices of operations are drawn from.
    pub seed: u64,
}

/// A client.
#[derive(Debug)]
pub struct Client<R> {
    /// Its name: another one for every client of a history, also over several processes, and in every run.
    pub name: String,
    /// Its connection.
    pub register: R,
}

/// Lets all clients work until each has called as many operations as planned, or until `end`, and records what they were
/// told. What is running in the end has no return, and is of unknown outcome.
pub async fn drive<R: Register, W: Write>(
    clients: Vec<Client<R>>,
    plan: &Plan,
    clock: &impl Clock,
    recorder: &Recorder<W>,
    end: impl Future<Output = ()>,
) -> Result<(), RecordError> {
    let working = try_join_all(clients.into_iter().map(|client| work(client, plan, clock, recorder)));
    tokio::select! {
        worked = working => worked.map(drop),
        () = end => Ok(()),
    }
}

async fn work<R: Register, W: Write>(
    client: Client<R>,
    plan: &Plan,
    clock: &impl Clock,
    recorder: &Recorder<W>,
) -> Result<(), RecordError> {
    let Client { name, register } = client;
    let mut generator = Generator::new(plan.seed, &name, &plan.keys, plan.mix);
    let mut called = 0;
    while plan.operations.is_none_or(|most| called < most) {
        let Some((key, operation)) = generator.ask() else { break };
        called += 1;
        recorder.call(clock.now(), &name, &key, &operation)?;
        let answer = tokio::time::timeout(plan.deadline, register.carry_out(&key, &operation)).await;
        let returned = clock.now();
        let outcome = match answer {
            Ok(Ok(answer)) => Outcome::Ok(answer),
            Ok(Err(failure)) => failure.into(),
            Err(_) => Outcome::Unknown(format!("no answer within {} ms", plan.deadline.as_millis())),
        };
        recorder.returned(returned, &name, &outcome)?;
        generator.learn(&key, &operation, &outcome);
        if !plan.pause.is_zero() {
            tokio::time::sleep(plan.pause).await;
        }
    }
    Ok(())
}
