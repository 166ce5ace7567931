//! What clients record, and what the checker says of it.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kogge_history::check::{Limits, Problem, Verdict, check};
use kogge_history::format;
use kogge_history::history::{Answer, Effect, Entry, History, Operation, Outcome};
use kogge_history::summary::Summary;
use kogge_history::workload::{Client, Clock, Failure, Mix, Plan, Recorder, Register, drive};

use crate::store::{Connection, Faults, Store};

const CLIENTS: usize = 8;

/// A clock that goes on whenever it is looked at, so that a run is the same every time.
#[derive(Default)]
struct Counter(AtomicU64);

impl Clock for Counter {
    fn now(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

fn plan(seed: u64) -> Plan {
    Plan {
        keys: vec!["k0".to_owned(), "k1".to_owned(), "k2".to_owned()],
        mix: Mix::default(),
        operations: Some(250),
        pause: Duration::ZERO,
        deadline: Duration::from_mins(1),
        seed,
    }
}

/// What clients record of a store with such faults.
async fn record(seed: u64, faults: Faults) -> String {
    let store = Arc::new(Store::new(seed));
    let clients = (0..CLIENTS)
        .map(|number| Client { name: format!("c{number}"), register: Connection::new(store.clone(), faults) });
    let recorder = Recorder::new(Vec::new());
    drive(clients.collect(), &plan(seed), &Counter::default(), &recorder, pending()).await.unwrap();
    String::from_utf8(recorder.into_inner()).unwrap()
}

fn history(text: &str) -> History {
    History::new(format::read(text).unwrap()).unwrap()
}

fn verdict(text: &str) -> Verdict {
    check(&history(text), &Limits::default())
}

fn count(history: &History, is: impl Fn(&Entry) -> bool) -> usize {
    history.entries().iter().filter(|entry| is(entry)).count()
}

#[tokio::test]
async fn a_store_that_keeps_its_word_is_linearizable() {
    let faults = Faults { failed: 0.02, unknown: 0.05, ..Faults::default() };
    for seed in 0..10 {
        let text = record(seed, faults).await;
        assert_eq!(verdict(&text), Verdict::Linearizable, "seed {seed}");
    }
}

#[tokio::test]
async fn the_clients_do_all_that_can_show_something() {
    let text = record(1, Faults { failed: 0.02, unknown: 0.05, ..Faults::default() }).await;
    let history = history(&text);
    let answered = |is: fn(&Operation, &Effect) -> bool| {
        count(&history, |entry| entry.effect().is_some_and(|effect| is(&entry.operation, effect)))
    };
    let is_swap = |operation: &Operation| matches!(operation, Operation::Swap { .. });
    let counts = [
        answered(|_, effect| matches!(effect, Effect::Held(Some(_)))),
        answered(|_, effect| matches!(effect, Effect::Held(None))),
        answered(|operation, _| matches!(operation, Operation::Put { .. })),
        answered(|_, effect| *effect == Effect::Differed),
        count(&history, |entry| is_swap(&entry.operation) && entry.effect() == Some(&Effect::Written)),
        answered(|_, effect| *effect == Effect::Deleted { existed: true }),
        count(&history, |entry| matches!(entry.outcome, Outcome::Failed(_))),
        count(&history, Entry::is_unknown),
    ];
    assert!(counts.iter().all(|count| *count >= 10), "{counts:?}");
    let overlap = history.entries().windows(2).filter(|pair| Some(pair[1].called) < pair[0].returned).count();
    assert!(overlap > history.entries().len() / 2, "{overlap} overlap");
}

#[tokio::test]
async fn stale_reads_are_found() {
    for seed in 0..10 {
        let text = record(seed, Faults { stale: 0.02, unknown: 0.02, ..Faults::default() }).await;
        let Verdict::NotLinearizable(conflicts) = verdict(&text) else { panic!("seed {seed}: nothing was found") };
        let first = &conflicts[0];
        let Problem::NoOrder(problem) = &first.problem else { panic!("seed {seed}: {first}") };
        assert_eq!(problem.operation.operation, Operation::Get, "seed {seed}: {first}");
    }
}

#[tokio::test]
async fn lost_updates_are_found() {
    for seed in 0..10 {
        let text = record(seed, Faults { torn: true, ..Faults::default() }).await;
        assert!(matches!(verdict(&text), Verdict::NotLinearizable(_)), "seed {seed}: nothing was found");
    }
}

#[tokio::test]
async fn a_seed_says_all() {
    let faults = Faults { failed: 0.02, unknown: 0.05, ..Faults::default() };
    assert_eq!(record(7, faults).await, record(7, faults).await);
    assert_ne!(record(7, faults).await, record(8, faults).await);
}

/// A store that has stopped.
struct Silent;

impl Register for Silent {
    async fn carry_out(&self, _: &str, _: &Operation) -> Result<Answer, Failure> {
        pending().await
    }
}

async fn record_silent(deadline: Duration, end: impl Future<Output = ()>) -> Vec<Entry> {
    let clients = vec![Client { name: "c".to_owned(), register: Silent }];
    let recorder = Recorder::new(Vec::new());
    let plan = Plan { operations: Some(3), deadline, ..plan(1) };
    drive(clients, &plan, &Counter::default(), &recorder, end).await.unwrap();
    format::read(&String::from_utf8(recorder.into_inner()).unwrap()).unwrap()
}

#[tokio::test]
async fn what_is_not_answered_in_time_is_unknown() {
    let entries = record_silent(Duration::from_millis(2), pending()).await;
    assert_eq!(entries.len(), 3);
    let is_given_up = |entry: &Entry| entry.is_unknown() && entry.returned.is_some();
    assert!(entries.iter().all(is_given_up), "{entries:?}");
}

#[tokio::test]
async fn what_runs_in_the_end_is_unknown() {
    let entries = record_silent(Duration::from_mins(1), tokio::task::yield_now()).await;
    assert!(entries.len() == 1 && entries[0].is_unknown() && entries[0].returned.is_none(), "{entries:?}");
}

#[tokio::test]
async fn the_summary_counts() {
    let text = record(3, Faults { failed: 0.02, unknown: 0.05, ..Faults::default() }).await;
    let history = history(&text);
    let verdict = check(&history, &Limits::default());
    let summary = Summary::of(&history, &verdict);
    assert_eq!((summary.operations, summary.clients, summary.keys), (CLIENTS * 250, CLIENTS, 3));
    assert_eq!(summary.answered + summary.failed + summary.unknown, summary.operations);
    assert!(summary.failed > 0 && summary.unknown > summary.failed, "{summary}");
    assert!(summary.to_string().ends_with("\nverdict: linearizable"), "{summary}");
}
