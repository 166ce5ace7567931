//! Tests that fail now and then: all of them are run many times on cores that are busy otherwise.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures::future::join_all;
use tokio::time::{Instant, timeout_at};

use super::load::Load;
use super::outcome::{Failures, Outcome};
use crate::command::{command, run as run_command};
use crate::interrupt::unless_interrupted;
use crate::programs::{self, Program};
use crate::workspace;

/// Where the output of failures is kept.
const FOLDER: &str = "target/soak/flakes";
/// A program that takes longer hangs.
const LIMIT: Duration = Duration::from_mins(15);
/// Programs that CI runs once and that are not run here: the real clients need what `cargo xtask setup` downloads, and the
/// explorations go through the same states each time.
const LEFT_OUT: [&str; 2] = ["mongosim/clients", "kogge-mongo/model"];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only tests whose names hold this
    filter: Option<String>,
    /// How many times each test is run
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,
    /// Ends after so many seconds, the program that then runs included; all times that were not run are not counted
    #[arg(long)]
    seconds: Option<u64>,
    /// The packages whose tests are run
    #[arg(long = "package", short, default_values = ["mongosim", "kogge-mongo"])]
    packages: Vec<String>,
    /// Only test programs whose names hold this, such as `mongosim/server`
    #[arg(long)]
    program: Option<String>,
    /// How many copies of a program run at the same time, each of them one time
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    at_once: u32,
    /// On how many cores tests and load run
    #[arg(long, default_value_t = 2)]
    cores: usize,
}

/// How a program's run ended.
enum End {
    Ran { succeeded: bool, said: String },
    Hung,
    OutOfTime,
}

/// What all rounds together came to.
#[derive(Default)]
struct Tally {
    /// How many times all of them were run.
    times: u32,
    passed: usize,
    failures: Failures,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let folder = workspace::root().join(FOLDER);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let filter = args.filter.as_deref();
    let (mut programs, mut tests) = (Vec::new(), 0);
    let wanted = |program: &Program| {
        let package = program.name.split('/').next().unwrap_or_default();
        args.packages.iter().any(|wanted| wanted == package)
            && !LEFT_OUT.contains(&program.name.as_str())
            && args.program.as_ref().is_none_or(|part| program.name.contains(part))
    };
    // As `cargo xtask test` builds them: fewer packages would be other features, and everything built once more.
    for program in programs::build(["--workspace"]).await?.into_iter().filter(wanted) {
        let count = program.count(filter).await?;
        if count > 0 {
            tests += count;
            programs.push(program);
        }
    }
    ensure!(tests > 0, "no test of {} has such a name", args.packages.join(", "));
    println!("{tests} tests in {} programs, {} times, on {} busy cores", programs.len(), args.times, args.cores);
    let load = Load::start(args.cores)?;
    let end = args.seconds.map(in_seconds);
    let runner = Runner { folder, filter, cores: load.cores(), at_once: args.at_once, end };
    let tally = runner.rounds(&programs, args.times).await;
    drop(load);
    let Tally { times, passed, failures } = tally?;
    println!("{passed} tests passed; each was run {times} times at least");
    ensure!(failures.count() == 0, "{} of {tests} tests failed at least once:\n{failures}", failures.count());
    Ok(())
}

fn in_seconds(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

/// How programs are run.
struct Runner<'a> {
    folder: PathBuf,
    filter: Option<&'a str>,
    cores: String,
    at_once: u32,
    end: Option<Instant>,
}

impl Runner<'_> {
    async fn rounds(&self, programs: &[Program], times: u32) -> anyhow::Result<Tally> {
        let mut tally = Tally::default();
        while tally.times < times {
            let copies = self.at_once.min(times - tally.times);
            let (began, before) = (Instant::now(), tally.passed);
            for program in programs {
                let ends = join_all((0..copies).map(|_| self.once(program))).await;
                for end in ends {
                    if !self.count(program, end?, &mut tally)? {
                        println!("out of time after {} of {times} times", tally.times);
                        return Ok(tally);
                    }
                }
            }
            tally.times += copies;
            println!(
                "{} of {times} times: {} passed, {} tests failed so far, {} s",
                tally.times,
                tally.passed - before,
                tally.failures.count(),
                began.elapsed().as_secs()
            );
        }
        Ok(tally)
    }

    /// Counts one run of a program; `false` where the time was over.
    fn count(&self, program: &Program, end: End, tally: &mut Tally) -> anyhow::Result<bool> {
        let mut fail = |test: &str, said: &str| {
            println!("failed: {} {test}", program.name);
            tally.failures.add(&self.folder, &program.name, test, said)
        };
        match end {
            End::OutOfTime => return Ok(false),
            End::Hung => fail("(does not end)", &format!("it did not end within {} s", LIMIT.as_secs()))?,
            End::Ran { succeeded, said } => {
                let outcome = Outcome::read(&said);
                for test in &outcome.failed {
                    fail(test, &said)?;
                }
                if !succeeded && outcome.failed.is_empty() {
                    fail("(the program itself)", &said)?;
                }
                tally.passed += outcome.passed;
            }
        }
        Ok(true)
    }

    async fn once(&self, program: &Program) -> anyhow::Result<End> {
        let hangs = in_seconds(LIMIT.as_secs());
        let end = self.end.map_or(hangs, |end| end.min(hangs));
        if end <= Instant::now() {
            return Ok(End::OutOfTime);
        }
        let mut tests = program.command(&["taskset", "--cpu-list", &self.cores], self.filter);
        tests.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let tests = tests.spawn().with_context(|| format!("cannot run {}", program.name))?;
        let group = tests.id().unwrap_or_default();
        let ended = unless_interrupted(async { Ok(timeout_at(end, tests.wait_with_output()).await) }).await;
        if !matches!(ended, Ok(Ok(_))) {
            // The program's own end would leave the servers behind that it started.
            run_command(command("kill", ["-KILL", "--", &format!("-{group}")])).await?;
        }
        let Ok(output) = ended? else {
            return Ok(if end < hangs { End::OutOfTime } else { End::Hung });
        };
        let output = output?;
        let said = [output.stdout, output.stderr].concat();
        Ok(End::Ran { succeeded: output.status.success(), said: String::from_utf8_lossy(&said).into_owned() })
    }
}
