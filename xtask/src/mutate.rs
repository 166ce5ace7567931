//! Drops the planner's guards one at a time and writes down what catches each.
//!
//! The crate is copied beside the build, with the tests that need nothing but it; no source of the checkout is
//! touched.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use tokio::time::timeout;

use crate::cargo::cargo;
use crate::command::{self, run as run_command};
use crate::interrupt::unless_interrupted;
use crate::workspace;

const LIST: &str = "crates/kogge-mongo/mutations.yaml";
const PAGE: &str = "docs/engine/mutations.md";
/// Where the page's table of the planner's guards begins; what stands above is written by hand.
const TABLE: &str = "<!-- written by `cargo xtask mutate` -->\n";
/// Tests of the planner that use other crates of the workspace.
const BESIDE: [&str; 2] = ["beside", "wire"];
/// The least powerful and the fastest first: cases, then random goals and explorations of the model.
const STAGES: [Stage; 2] = [
    Stage { targets: &["--lib", "--test", "planner"], tests: &["--skip", "convergence"], opt_level: "0" },
    Stage {
        targets: &["--test", "planner", "--test", "model"],
        tests: &["convergence", "exhaustive", "bounded"],
        opt_level: "2",
    },
];
/// A mutation may make a test run for ever.
const LIMIT: Duration = Duration::from_mins(5);

const MANIFEST: &str = r#"[package]
name = "kogge-mongo"
version = "0.0.0"
edition = "2024"
[workspace]
[dependencies]
kogge-api = { path = "../../crates/kogge-api" }
kogge-engine = { path = "../../crates/kogge-engine" }
serde = { version = "1", features = ["derive"] }
sha2 = "0.10"
thiserror = "2"
[dev-dependencies]
anyhow = "1"
proptest = "1"
serde_json = "1"
stateright = "0.31"
[profile.dev]
debug = false
"#;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only guards whose description or file contains this; the page keeps what it says of the others
    #[arg(long)]
    only: Option<String>,
}

/// A guard, and a change that drops it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutation {
    /// The guard, as a sentence.
    guard: String,
    /// The file below `src`.
    file: String,
    /// What occurs once in it.
    search: String,
    /// What takes its place.
    replace: String,
}

/// A group of tests.
struct Stage {
    targets: &'static [&'static str],
    /// What the tests themselves are told to run.
    tests: &'static [&'static str],
    /// Few and short tests are built faster than they are run.
    opt_level: &'static str,
}

/// What a stage's tests came to.
#[derive(Default)]
struct Outcome {
    failed: BTreeSet<String>,
    /// They did not end within [`LIMIT`].
    endless: bool,
}

/// A mutation, and what the stages so far say to it.
struct Trial {
    mutation: Mutation,
    outcome: Outcome,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let workbench = Workbench::set_up()?;
    let mut mutations = mutations()?;
    mutations.retain(|m| args.only.as_ref().is_none_or(|part| m.guard.contains(part) || m.file.contains(part)));
    let mut trials: Vec<Trial> =
        mutations.into_iter().map(|mutation| Trial { mutation, outcome: Outcome::default() }).collect();
    for stage in STAGES {
        let mut missed = trials.iter_mut().filter(|trial| trial.outcome.failed.is_empty()).peekable();
        if missed.peek().is_none() {
            break;
        }
        let Outcome { failed, endless } = workbench.test(&stage).await?;
        ensure!(failed.is_empty() && !endless, "tests fail without any mutation; mend them first: {failed:?}");
        for Trial { mutation, outcome } in missed {
            let Outcome { failed, endless } = workbench.try_out(mutation, &stage).await?;
            outcome.failed.extend(failed);
            outcome.endless |= endless;
            println!("{}: {}", mutation.guard, outcome.summary());
        }
    }
    write_page(&trials)?;
    let missed = trials.iter().filter(|trial| trial.outcome.failed.is_empty() && !trial.outcome.endless);
    let missed: Vec<&str> = missed.map(|trial| trial.mutation.guard.as_str()).collect();
    ensure!(missed.is_empty(), "nothing catches: {}", missed.join("; "));
    Ok(())
}

fn mutations() -> anyhow::Result<Vec<Mutation>> {
    let list = fs::read_to_string(workspace::root().join(LIST)).with_context(|| format!("cannot read {LIST}"))?;
    serde_saphyr::from_str(&list).with_context(|| format!("cannot parse {LIST}"))
}

impl Mutation {
    /// The file's text with the guard dropped.
    fn apply(&self, text: &str) -> anyhow::Result<String> {
        let found = text.matches(&self.search).count();
        ensure!(found == 1, "{}: {:?} occurs {found} times in {}", self.guard, self.search, self.file);
        Ok(text.replace(&self.search, &self.replace))
    }
}

/// The copy that guards are dropped in.
struct Workbench {
    root: PathBuf,
}

impl Workbench {
    fn set_up() -> anyhow::Result<Self> {
        let (checkout, root) = (workspace::root(), workspace::root().join("target/mutations"));
        let krate = checkout.join("crates/kogge-mongo");
        for part in ["src", "tests"] {
            let old = root.join(part);
            if old.exists() {
                fs::remove_dir_all(old)?;
            }
        }
        for part in ["src", "tests/planner", "tests/model"] {
            copy(&krate.join(part), &root.join(part))?;
        }
        let main = root.join("tests/planner/main.rs");
        let mut text = fs::read_to_string(&main)?;
        for module in BESIDE {
            text = text.replace(&format!("#[cfg(test)]\nmod {module};\n"), "");
        }
        fs::write(main, text)?;
        fs::write(root.join("Cargo.toml"), MANIFEST)?;
        fs::copy(checkout.join("Cargo.lock"), root.join("Cargo.lock"))?;
        Ok(Self { root })
    }

    /// What a stage comes to with a guard dropped.
    async fn try_out(&self, mutation: &Mutation, stage: &Stage) -> anyhow::Result<Outcome> {
        let file = self.root.join("src").join(&mutation.file);
        let text = fs::read_to_string(&file)?;
        fs::write(&file, mutation.apply(&text)?)?;
        let outcome = self.test(stage).await;
        fs::write(&file, text)?;
        outcome.with_context(|| mutation.guard.clone())
    }

    async fn test(&self, stage: &Stage) -> anyhow::Result<Outcome> {
        let mut command = cargo(&["test", "--quiet", "--no-fail-fast"]);
        command.args(stage.targets).arg("--").args(stage.tests);
        command
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", self.root.join("target"))
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", stage.opt_level)
            .env("RUST_BACKTRACE", "0")
            // That a case fails is enough; the smallest that does takes minutes to find.
            .env("PROPTEST_MAX_SHRINK_ITERS", "0");
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let tests = command.spawn().context("cannot run cargo")?;
        let group = tests.id().unwrap_or_default();
        let ended = unless_interrupted(async { Ok(timeout(LIMIT, tests.wait_with_output()).await) }).await;
        if !matches!(ended, Ok(Ok(_))) {
            // Cargo's own end would leave the test behind.
            run_command(command::command("kill", ["-KILL", "--", &format!("-{group}")])).await?;
        }
        let Ok(output) = ended? else {
            return Ok(Outcome { failed: BTreeSet::new(), endless: true });
        };
        let output = output?;
        let said = String::from_utf8_lossy(&output.stdout);
        let failed: BTreeSet<String> = said
            .lines()
            .filter_map(|line| line.strip_prefix("    "))
            .filter(|line| line.contains("::") && !line.contains(' '))
            .map(str::to_owned)
            .collect();
        if failed.is_empty() && !output.status.success() {
            bail!("the tests do not build: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(Outcome { failed, endless: false })
    }
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

impl Outcome {
    /// The first few tests, and how many more.
    fn summary(&self) -> String {
        let named: Vec<String> = self.failed.iter().take(3).map(|test| format!("`{test}`")).collect();
        match self.failed.len().saturating_sub(named.len()) {
            0 if named.is_empty() && self.endless => {
                format!("no test that fails; one does not end within {} s", LIMIT.as_secs())
            }
            0 if named.is_empty() => "**nothing**".to_owned(),
            0 => named.join(", "),
            more => format!("{} and {more} more", named.join(", ")),
        }
    }
}

/// Writes a row for each guard of the list: what its trial came to, or what the page says of it so far.
fn write_page(trials: &[Trial]) -> anyhow::Result<()> {
    let page = workspace::root().join(PAGE);
    let text = fs::read_to_string(&page).with_context(|| format!("cannot read {PAGE}"))?;
    let Some((above, table)) = text.split_once(TABLE) else { bail!("{PAGE} has no line {TABLE}") };
    let mut text = format!("{above}{TABLE}\n| Guard | In | Dropped, it is caught by |\n|---|---|---|\n");
    for Mutation { guard, file, .. } in mutations()? {
        let start = format!("| {guard} | `{file}` | ");
        match trials.iter().find(|trial| trial.mutation.guard == guard) {
            Some(trial) => writeln!(text, "{start}{} |", trial.outcome.summary())?,
            None => match table.lines().find(|row| row.starts_with(&start)) {
                Some(row) => writeln!(text, "{row}")?,
                None => writeln!(text, "{start}not tried yet |")?,
            },
        }
    }
    fs::write(page, text)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutation_still_applies() {
        let mutations = mutations().unwrap();
        assert!(mutations.len() >= 20);
        let guards: BTreeSet<&str> = mutations.iter().map(|mutation| mutation.guard.as_str()).collect();
        assert_eq!(guards.len(), mutations.len(), "two guards are described alike");
        for mutation in mutations {
            let file = workspace::root().join("crates/kogge-mongo/src").join(&mutation.file);
            let text = fs::read_to_string(&file).unwrap();
            assert_ne!(mutation.apply(&text).unwrap(), text, "{} changes nothing", mutation.guard);
        }
    }
}
