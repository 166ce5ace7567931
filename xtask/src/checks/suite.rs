//! Every test of the workspace. The cases on real clusters wait most of the time; where memory allows, the others run
//! beside them, on what the cases leave of the processors: servers that wait for one meet elections that no rollout asked
//! for.

use std::fs;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::summary::Summary;
use crate::cargo::cargo;
use crate::programs::{self, Program};
use crate::timeline::Seconds;

/// The cases on real clusters that share one lab: the program that runs longest.
const CASES: &str = "tests/e2e";
/// How many of the others run at once: some compute, some wait for servers.
const AT_ONCE: usize = 2;
/// What the others are started with.
const AFTER_THE_CASES: [&str; 2] = ["nice", "-n10"];
/// What the clusters of the cases and those of a test beside them may take of the memory, in KiB: 8 GiB.
const TWO_LABS: u64 = 8 << 20;

/// Runs all tests whose names hold `filter`, and shows what they print: the lines of the cases as they come, those
/// of each other program together, when it has ended.
pub(crate) async fn run(filter: Option<&str>) -> anyhow::Result<Summary> {
    let programs = programs::build(["--workspace"]).await?;
    let (cases, others): (Vec<_>, Vec<_>) = programs.iter().partition(|program| program.name == CASES);
    ensure!(
        cases.len() == 1,
        "there is no test program {CASES}; say in xtask/src/checks/suite.rs what it is called now"
    );
    let meminfo = fs::read_to_string("/proc/meminfo").context("cannot read how much memory is available")?;
    let (mut summary, ended) = if available(&meminfo).is_some_and(|memory| memory >= TWO_LABS) {
        tokio::try_join!(show_live(&cases, filter), show_ended(&others, filter))?
    } else {
        (show_ended(&others, filter).await?, show_live(&cases, filter).await?)
    };
    summary += ended;
    summary += examples(filter).await?;
    ensure!(summary.succeeded(), "{summary}");
    Ok(summary)
}

/// The memory that programs can have, in KiB, as `/proc/meminfo` tells it.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse().ok()
}

async fn show_live(programs: &[&Program], filter: Option<&str>) -> anyhow::Result<Summary> {
    let mut summary = Summary::default();
    for program in programs {
        let mut child = program.command(&[], filter).stdout(Stdio::piped()).spawn().context(program.failure())?;
        let stdout = child.stdout.take().context(program.failure())?;
        let (mut lines, mut said) = (BufReader::new(stdout).lines(), String::new());
        while let Some(line) = lines.next_line().await? {
            println!("{line}");
            said.push_str(&line);
            said.push('\n');
        }
        summary.add(&program.name, &said, child.wait().await?.success());
    }
    Ok(summary)
}

async fn show_ended(programs: &[&Program], filter: Option<&str>) -> anyhow::Result<Summary> {
    let ended = stream::iter(programs).map(async |program| {
        let began = Instant::now();
        let output = program.command(&AFTER_THE_CASES, filter).output().await.context(program.failure())?;
        anyhow::Ok((program, output, Seconds(began.elapsed())))
    });
    let shown = ended.buffer_unordered(AT_ONCE).try_fold(Summary::default(), async |mut summary, ended| {
        let (program, output, took) = ended;
        let [said, erred] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        println!("\n{}, {took}\n{said}{erred}", program.name);
        summary.add(&program.name, &said, output.status.success());
        Ok(summary)
    });
    shown.await
}

/// The examples in the documentation.
async fn examples(filter: Option<&str>) -> anyhow::Result<Summary> {
    // Fewer packages would be other features, and everything built once more.
    let mut run = cargo(&["test", "--locked", "--workspace", "--doc"]);
    run.args(filter);
    let output = run.output().await.context("cannot run the examples")?;
    let [said, erred] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    println!("\nexamples in the documentation\n{said}{erred}");
    let mut summary = Summary::default();
    summary.add("examples in the documentation", &said, output.status.success());
    Ok(summary)
}

#[cfg(test)]
mod tests {
    use super::available;

    #[test]
    fn the_available_memory_is_read() {
        let meminfo = "MemTotal:       24684556 kB\nMemFree:         3112332 kB\nMemAvailable:   20844000 kB\n";
        assert_eq!(available(meminfo), Some(20_844_000));
        assert_eq!(available("MemTotal: 1 kB\n"), None);
    }
}
