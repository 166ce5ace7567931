//! Drops guards one at a time and writes down what catches each.
//!
//! The crate is copied beside the build, with the tests that need nothing but it; no source of the checkout is
//! touched.

mod guards;
mod page;
mod runs;
mod workbench;

use anyhow::ensure;

use guards::{Guard, SUBJECTS, Subject};
use runs::{Outcome, Run};
use workbench::Workbench;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only guards whose description or file contains this; the page keeps what it says of the others
    #[arg(long)]
    only: Option<String>,
    /// Only guards of this crate, such as kogge-database
    #[arg(long = "crate")]
    of: Option<String>,
}

/// A guard, and what the tests so far say to its loss; none where it was not tried.
struct Trial {
    guard: Guard,
    outcome: Option<Outcome>,
}

impl Trial {
    fn is_caught(&self) -> bool {
        self.outcome.as_ref().is_some_and(|outcome| !outcome.failed.is_empty())
    }
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let mut missed = Vec::new();
    for subject in SUBJECTS.iter().filter(|subject| args.of.as_ref().is_none_or(|of| subject.name == of)) {
        let mut guards = subject.guards()?;
        guards
            .retain(|m| args.only.as_ref().is_none_or(|part| m.sentence.contains(part) || m.file.contains(part)));
        if guards.is_empty() {
            continue;
        }
        let mut trials: Vec<Trial> = guards.into_iter().map(|guard| Trial { guard, outcome: None }).collect();
        let ended = try_out(subject, &mut trials).await;
        page::write(subject, &trials)?;
        ended?;
        let alive = trials.iter().filter(|trial| trial.outcome.as_ref().is_some_and(Outcome::is_missed));
        missed.extend(alive.map(|trial| trial.guard.sentence.clone()));
    }
    ensure!(missed.is_empty(), "nothing catches: {}", missed.join("; "));
    Ok(())
}

/// First the guards that name their tests, which every run of CI sees pass; then, stage by stage, those that no test has
/// caught yet.
async fn try_out(subject: &Subject, trials: &mut [Trial]) -> anyhow::Result<()> {
    let workbench = Workbench::set_up(subject)?;
    for trial in trials.iter_mut() {
        if let Some(run) = trial.guard.run() {
            workbench.attempt(trial, &run).await?;
        }
    }
    for stage in subject.stages {
        let run = Run::from(stage);
        let mut alive =
            trials.iter_mut().filter(|trial| trial.guard.test.is_none() && !trial.is_caught()).peekable();
        if alive.peek().is_none() {
            break;
        }
        workbench.passes(&run).await?;
        for trial in alive {
            workbench.attempt(trial, &run).await?;
        }
    }
    Ok(())
}
