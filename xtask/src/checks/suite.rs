//! Every test of the workspace, and the labs that they may leave when they are stopped half-way.

use std::collections::BTreeSet;
use std::fmt;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use kogge_lab::Lab;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::cargo::cargo;
use crate::setup::blocking;

/// What all test programs counted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    programs: u32,
    passed: u32,
    failed: u32,
    ignored: u32,
}

impl Summary {
    /// Adds the closing line of one test program; other lines count nothing.
    fn add(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else { return };
        self.programs += 1;
        for part in counts.split([';', '.']) {
            let mut words = part.split_whitespace();
            if let (Some(Ok(count)), Some(what)) = (words.next().map(str::parse::<u32>), words.next()) {
                match what {
                    "passed" => self.passed += count,
                    "failed" => self.failed += count,
                    "ignored" => self.ignored += count,
                    _ => {}
                }
            }
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { programs, passed, failed, ignored } = self;
        write!(f, "tests: {passed} passed, {failed} failed, {ignored} ignored, in {programs} programs")
    }
}

/// Runs all tests, one program after another, and shows what they print.
pub(crate) async fn run(filter: Option<&str>) -> anyhow::Result<Summary> {
    let mut command = cargo(&["test", "--locked", "--workspace", "--no-fail-fast"]);
    command.args(filter).stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot run cargo test")?;
    let stdout = child.stdout.take().context("cargo test has no output")?;
    let mut lines = BufReader::new(stdout).lines();
    let mut summary = Summary::default();
    while let Some(line) = lines.next_line().await? {
        println!("{line}");
        summary.add(&line);
    }
    let status = child.wait().await?;
    if !status.success() || summary.failed > 0 {
        bail!("{summary}");
    }
    Ok(summary)
}

/// The labs of tests, by the names that the tests give them. They end them themselves, unless they are killed.
const LABS: [&str; 6] = ["api-rules", "cli", "e2e", "fleet-api", "lab-tests", "lab-tests-api"];

/// The labs of tests that stand.
pub(crate) fn standing_labs() -> BTreeSet<String> {
    Lab::standing().into_iter().filter(|name| LABS.contains(&name.as_str())).collect()
}

/// Ends the labs of tests that were not there before: somebody may keep one to look at it.
pub(crate) async fn end_labs_beside(before: &BTreeSet<String>) -> anyhow::Result<()> {
    for name in standing_labs().into_iter().filter(|name| !before.contains(name)) {
        println!("ending the lab {name}");
        blocking(move || Lab::end(&name)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_add_up() {
        let mut summary = Summary::default();
        for line in [
            "test a::b ... ok",
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 4 filtered out; finished in 1.50s",
        ] {
            summary.add(line);
        }
        assert_eq!(summary, Summary { programs: 2, passed: 15, failed: 2, ignored: 1 });
    }
}
