//! Writers that go on through every failure: a write without an answer is neither counted nor sent again.

use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures::future::try_join_all;
use mongodb::Collection;
use tokio::signal::unix::{SignalKind, signal};

use super::database::{DEADLINE, Entry, Target};
use super::record::{self, Record};

/// How often the count is told.
const REPORT: Duration = Duration::from_secs(5);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Writers at a time
    #[arg(long, default_value_t = 4)]
    writers: usize,
    /// What each writer waits after a write, in milliseconds
    #[arg(long, default_value_t = 20)]
    pause: u64,
}

struct Shared<'a> {
    run: &'a str,
    pause: Duration,
    collection: Collection<Entry>,
    next: AtomicI64,
    record: Mutex<Record>,
    acknowledged: AtomicU64,
    unanswered: AtomicU64,
    /// The longest time that an acknowledged write took since the last report, in milliseconds.
    slowest: AtomicU64,
}

pub(crate) async fn run(args: &Args, target: &Target, record: &Path, run: &str) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen to signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen to signals")?;
    let file = Record::open(record)?;
    // A client that was restarted goes on after what it wrote before, acknowledged or not.
    let last = record::read(record)?.last().copied().unwrap_or_default();
    let first = if last == 0 { 1 } else { last + 1_000_000 };
    if last != 0 {
        println!("going on at {first}");
    }
    let shared = Shared {
        run,
        pause: Duration::from_millis(args.pause),
        collection: target.collection().await?,
        next: AtomicI64::new(first),
        record: Mutex::new(file),
        acknowledged: AtomicU64::new(0),
        unanswered: AtomicU64::new(0),
        slowest: AtomicU64::new(0),
    };
    tokio::select! {
        ended = try_join_all((0..args.writers).map(|_| shared.write())) => ended.map(drop)?,
        () = shared.report() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    shared.tell();
    Ok(())
}

impl Shared<'_> {
    async fn write(&self) -> anyhow::Result<()> {
        loop {
            let n = self.next.fetch_add(1, Ordering::Relaxed);
            let entry = Entry { id: format!("{}-{n}", self.run), run: self.run.to_owned(), n };
            let sent = Instant::now();
            match tokio::time::timeout(DEADLINE, self.collection.insert_one(&entry)).await {
                Ok(Ok(_)) => {
                    self.record.lock().unwrap_or_else(PoisonError::into_inner).add(n)?;
                    self.acknowledged.fetch_add(1, Ordering::Relaxed);
                    let took = u64::try_from(sent.elapsed().as_millis()).unwrap_or(u64::MAX);
                    self.slowest.fetch_max(took, Ordering::Relaxed);
                }
                failure => {
                    self.unanswered.fetch_add(1, Ordering::Relaxed);
                    match failure {
                        Ok(Err(error)) => println!("write {n} was not acknowledged: {error}"),
                        _ => println!("write {n} was not acknowledged within {} s", DEADLINE.as_secs()),
                    }
                }
            }
            tokio::time::sleep(self.pause).await;
        }
    }

    async fn report(&self) {
        loop {
            tokio::time::sleep(REPORT).await;
            self.tell();
        }
    }

    fn tell(&self) {
        println!(
            "acknowledged {}, not acknowledged {}, the slowest since the last line {} ms",
            self.acknowledged.load(Ordering::Relaxed),
            self.unanswered.load(Ordering::Relaxed),
            self.slowest.swap(0, Ordering::Relaxed)
        );
    }
}
