//! Runs cases one after another on one lab, with the command line and the closing lines of Rust's own tests.

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use anyhow::{Context as _, bail};
use futures::future::BoxFuture;
use kogge_lab::Lab;
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::Harness;

/// The name of the lab.
const LAB: &str = "e2e";
/// Set to leave the lab standing, and to begin with the one that stands.
const KEEP: &str = "KOGGE_E2E_KEEP";

/// A case: its name, which says what holds, and how it is shown.
pub struct Case {
    /// The name.
    pub name: &'static str,
    /// The showing.
    pub run: for<'a> fn(&'a Harness) -> BoxFuture<'a, anyhow::Result<()>>,
}

/// All cases and what they share.
pub struct Suite {
    runtime: Runtime,
    /// Made by the first case that runs, so that a filter that chooses none makes no lab.
    harness: OnceLock<Result<Harness, String>>,
    interrupted: CancellationToken,
}

impl Suite {
    /// A suite that ends early, and still takes everything down, when a signal asks it to.
    pub fn new() -> anyhow::Result<Arc<Self>> {
        let runtime = Runtime::new().context("cannot start a runtime")?;
        let interrupted = CancellationToken::new();
        runtime.spawn(until_interrupted(interrupted.clone()));
        Ok(Arc::new(Self { runtime, harness: OnceLock::new(), interrupted }))
    }

    /// Runs the cases that the command line chooses, in their order.
    pub fn run(self: &Arc<Self>, cases: Vec<Case>) -> ExitCode {
        // Each case breaks something.
        let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
        let root = nix::unistd::geteuid().is_root();
        if !root {
            eprintln!("the lab needs root: all cases are ignored; run the same command with sudo");
        }
        let trials = cases.into_iter().map(|case| {
            let suite = Arc::clone(self);
            let trial =
                Trial::test(case.name, move || suite.show(&case).map_err(|e| Failed::from(format!("{e:#}"))));
            trial.with_ignored_flag(!root)
        });
        let conclusion = libtest_mimic::run(&arguments, trials.collect());
        if let Err(error) = self.end() {
            eprintln!("the lab {LAB} may be left behind: {error:#}");
            return ExitCode::FAILURE;
        }
        conclusion.exit_code()
    }

    fn show(&self, case: &Case) -> anyhow::Result<()> {
        let harness = self.harness.get_or_init(|| {
            let made = self.runtime.block_on(self.unless_interrupted(Harness::up(LAB, keep())));
            made.map_err(|error| format!("{error:#}"))
        });
        let harness = harness.as_ref().map_err(|error| anyhow::anyhow!("there is no lab: {error}"))?;
        self.runtime.block_on(async {
            let began = Instant::now();
            let shown = self.unless_interrupted((case.run)(harness)).await;
            println!("{} took {} s", case.name, began.elapsed().as_secs());
            if self.interrupted.is_cancelled() {
                return shown;
            }
            let Err(error) = harness.after_case(shown).await else { return Ok(()) };
            let folder = harness.lab.collect(&format!("e2e-{}", case.name)).await?;
            eprintln!("objects and logs: {}", folder.display());
            Err(error)
        })
    }

    async fn unless_interrupted<T>(&self, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        tokio::select! {
            result = work => result,
            () = self.interrupted.cancelled() => bail!("interrupted"),
        }
    }

    /// Ends the lab with all that runs in it, if there is one.
    fn end(&self) -> anyhow::Result<()> {
        if self.harness.get().is_some() && !keep() {
            Lab::end(LAB)?;
        }
        Ok(())
    }
}

fn keep() -> bool {
    std::env::var_os(KEEP).is_some()
}

async fn until_interrupted(interrupted: CancellationToken) -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    interrupted.cancel();
    Ok(())
}
