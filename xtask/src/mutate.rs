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
use crate::workspace;

const LIST: &str = "crates/kogge-mongo/mutations.yaml";
const PAGE: &str = "docs/engine/mutations.md";
/// Where the page's table of the planner's guards begins; what stands above is written by hand.
const TABLE: &str = "<!-- written by `cargo xtask mutate` -->\n";
/// Tests of the planner that use other crates of the workspace.
const BESIDE: [&str; 2] = ["beside", "wire"];
/// A mutation may make a test run for ever.
const LIMIT: Duration = Duration::from_mins(5);

const MANIFEST: &str = r#"[package]
name = "kogge-mongo"
version = "0.0.0"
edition = "2024"
[workspace]
[dependencies]
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
opt-level = 2
"#;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only guards whose description contains this; the page is not written then
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

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let workbench = Workbench::set_up()?;
    ensure!(workbench.failures().await?.is_empty(), "tests fail without any mutation; mend them first");
    let mut rows = Vec::new();
    for mutation in mutations()? {
        if args.only.as_ref().is_some_and(|part| !mutation.guard.contains(part.as_str())) {
            continue;
        }
        let caught = workbench.try_out(&mutation).await?;
        println!("{}: {}", mutation.guard, summary(&caught));
        rows.push((mutation, caught));
    }
    let missed: Vec<&str> =
        rows.iter().filter(|(_, caught)| caught.is_empty()).map(|(mutation, _)| mutation.guard.as_str()).collect();
    if args.only.is_none() {
        write_page(&rows)?;
    }
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

    /// The tests that fail with a guard dropped.
    async fn try_out(&self, mutation: &Mutation) -> anyhow::Result<BTreeSet<String>> {
        let file = self.root.join("src").join(&mutation.file);
        let text = fs::read_to_string(&file)?;
        fs::write(&file, mutation.apply(&text)?)?;
        let failures = self.failures().await;
        fs::write(&file, text)?;
        failures.with_context(|| mutation.guard.clone())
    }

    async fn failures(&self) -> anyhow::Result<BTreeSet<String>> {
        let mut failed = BTreeSet::new();
        for target in [&["--lib", "--test", "planner"][..], &["--test", "model", "exhaustive", "bounded"]] {
            failed.extend(self.failures_of(target).await?);
        }
        Ok(failed)
    }

    async fn failures_of(&self, target: &[&str]) -> anyhow::Result<Vec<String>> {
        let (filters, target): (Vec<&str>, Vec<&str>) =
            target.iter().partition(|word| ["exhaustive", "bounded"].contains(word));
        let mut command = cargo(&["test", "--quiet", "--no-fail-fast"]);
        command.args(target).arg("--").args(filters);
        command
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", self.root.join("target"))
            .env("RUST_BACKTRACE", "0");
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let tests = command.spawn().context("cannot run cargo")?;
        let group = tests.id().unwrap_or_default();
        let Ok(output) = timeout(LIMIT, tests.wait_with_output()).await else {
            // Cargo's own end would leave the test behind.
            run_command(command::command("kill", ["-KILL", "--", &format!("-{group}")])).await?;
            return Ok(vec![format!("no end within {} s", LIMIT.as_secs())]);
        };
        let output = output?;
        let said = String::from_utf8_lossy(&output.stdout);
        let failed: Vec<String> = said
            .lines()
            .filter_map(|line| line.strip_prefix("    "))
            .filter(|l| l.contains("::"))
            .map(str::to_owned)
            .collect();
        if failed.is_empty() && !output.status.success() {
            bail!("the tests do not build: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(failed)
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

/// The first few tests, and how many more.
fn summary(caught: &BTreeSet<String>) -> String {
    let named: Vec<String> = caught.iter().take(3).map(|test| format!("`{test}`")).collect();
    match caught.len().saturating_sub(named.len()) {
        0 if named.is_empty() => "**nothing**".to_owned(),
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

fn write_page(rows: &[(Mutation, BTreeSet<String>)]) -> anyhow::Result<()> {
    let page = workspace::root().join(PAGE);
    let text = fs::read_to_string(&page).with_context(|| format!("cannot read {PAGE}"))?;
    let Some((above, _)) = text.split_once(TABLE) else { bail!("{PAGE} has no line {TABLE}") };
    let mut text = format!("{above}{TABLE}\n| Guard | In | Dropped, it is caught by |\n|---|---|---|\n");
    for (mutation, caught) in rows {
        writeln!(text, "| {} | `{}` | {} |", mutation.guard, mutation.file, summary(caught))?;
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
        for mutation in mutations {
            let file = workspace::root().join("crates/kogge-mongo/src").join(&mutation.file);
            let text = fs::read_to_string(&file).unwrap();
            assert_ne!(mutation.apply(&text).unwrap(), text, "{} changes nothing", mutation.guard);
        }
    }
}
