//! The verdict on files of histories.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use kogge_history::check::{Limits, Verdict, check};
use kogge_history::format;
use kogge_history::history::History;
use kogge_history::summary::Summary;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files of one store; those of several processes are read together if they are of one machine, whose clock
    /// they share, and if all of these processes have ended
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Steps that the search for an order may take for each key before it ends undecided
    #[arg(long, default_value_t = Limits::default().steps)]
    steps: u64,
    /// Partial orders that the search keeps at a time for each key before it ends undecided
    #[arg(long, default_value_t = Limits::default().configurations)]
    configurations: usize,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let mut entries = Vec::new();
    for file in &args.files {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        entries.extend(format::read(&text).with_context(|| file.display().to_string())?);
    }
    let history = History::new(entries).context("the history is not usable")?;
    let verdict = check(&history, &Limits { steps: args.steps, configurations: args.configurations });
    println!("{}", Summary::of(&history, &verdict));
    match verdict {
        Verdict::Linearizable => Ok(()),
        Verdict::NotLinearizable(_) => bail!("the answers are not those of one linearizable store"),
        Verdict::Undecided(_) => bail!("the search ended before it found a verdict"),
    }
}
