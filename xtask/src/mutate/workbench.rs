//! The copy of a crate that guards are dropped in.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail, ensure};
use tokio::time::timeout;

use super::Trial;
use super::guards::{Beside, Guard, Subject};
use super::runs::{LIMIT, Outcome, Run};
use crate::cargo::cargo;
use crate::command::{self, run as run_command};
use crate::interrupt::unless_interrupted;
use crate::workspace;

/// The crate under trial is built fast; what the simulated world spends its time in runs fast.
const PROFILE: &str = "
[profile.dev]
debug = false
[profile.dev.package.serde_json]
opt-level = 2
[profile.dev.package.miniz_oxide]
opt-level = 3
[profile.dev.package.sha2]
opt-level = 3
";
/// Crates beside the one under trial that its tests spend their time in.
const FAST: [(&str, &str); 3] = [("kogge-plan", "2"), ("kogge-mongo", "1"), ("kogge-etcd", "1")];

/// The copy, in a workspace of its own: the checkout's, with this one member.
pub(super) struct Workbench {
    krate: PathBuf,
    target: PathBuf,
}

impl Workbench {
    pub(super) fn set_up(subject: &Subject) -> anyhow::Result<Self> {
        let (checkout, benches) = (workspace::root(), workspace::root().join("target/mutations"));
        let root = benches.join(subject.name);
        let own = Path::new("crates").join(subject.name);
        for part in subject.reads.iter().map(Path::new).chain([own.as_path()]) {
            refresh(&checkout.join(part), &root.join(part))?;
        }
        let krate = root.join(own);
        if let Some(beside) = &subject.beside {
            beside.leave_out(&krate)?;
        }
        let manifest = fs::read_to_string(checkout.join("Cargo.toml"))?;
        write_changed(&root.join("Cargo.toml"), manifest_of(&manifest, subject)?.as_bytes())?;
        fs::copy(checkout.join("Cargo.lock"), root.join("Cargo.lock"))?;
        Ok(Self { krate, target: benches.join("target") })
    }

    /// Without any mutation, the tests pass.
    pub(super) async fn passes(&self, run: &Run) -> anyhow::Result<()> {
        let Outcome { failed, endless } = self.test(run).await?;
        ensure!(failed.is_empty() && !endless, "tests fail without any mutation; correct them first: {failed:?}");
        Ok(())
    }

    /// Runs tests with a guard dropped.
    pub(super) async fn attempt(&self, trial: &mut Trial, run: &Run) -> anyhow::Result<()> {
        let outcome = self.try_out(&trial.guard, run).await?;
        let outcome = trial.outcome.take().unwrap_or_default().and(outcome);
        println!("{}: {}", trial.guard.sentence, outcome.summary());
        trial.outcome = Some(outcome);
        Ok(())
    }

    async fn try_out(&self, guard: &Guard, run: &Run) -> anyhow::Result<Outcome> {
        let file = self.krate.join("src").join(&guard.file);
        let text = fs::read_to_string(&file)?;
        fs::write(&file, guard.apply(&text)?)?;
        let outcome = self.test(run).await;
        fs::write(&file, text)?;
        outcome.with_context(|| guard.sentence.clone())
    }

    async fn test(&self, run: &Run) -> anyhow::Result<Outcome> {
        let mut command = cargo(&["test", "--quiet", "--no-fail-fast"]);
        command.args(&run.targets).arg("--").args(&run.tests);
        command
            .current_dir(&self.krate)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", run.opt_level)
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
            return Ok(Outcome { endless: true, ..Outcome::default() });
        };
        let output = output?;
        let outcome = Outcome::read(&String::from_utf8_lossy(&output.stdout));
        if outcome.failed.is_empty() && !output.status.success() {
            bail!("the tests do not build: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(outcome)
    }
}

/// The checkout's manifest for a workspace of one member, which finds the other crates in the checkout.
fn manifest_of(checkout: &str, subject: &Subject) -> anyhow::Result<String> {
    let above = checkout.split("[profile").next().unwrap_or_default();
    ensure!(above.lines().any(|line| line.starts_with("members = ")), "Cargo.toml names no members");
    let mut manifest = String::new();
    for line in above.lines() {
        if line.starts_with("members = ") {
            writeln!(manifest, "members = [\"crates/{}\"]", subject.name)?;
        } else {
            writeln!(manifest, "{}", line.replace("path = \"crates/", "path = \"../../../crates/"))?;
        }
    }
    manifest.push_str(PROFILE);
    for (name, level) in FAST.iter().filter(|(name, _)| *name != subject.name) {
        writeln!(manifest, "[profile.dev.package.{name}]\nopt-level = {level}")?;
    }
    Ok(manifest)
}

impl Beside {
    fn leave_out(&self, krate: &Path) -> anyhow::Result<()> {
        let main = krate.join(self.main);
        let mut text = fs::read_to_string(&main)?;
        for module in self.modules {
            text = text.replace(&format!("#[cfg(test)]\nmod {module};\n"), "");
        }
        write_changed(&main, text.as_bytes())?;
        let manifest = krate.join("Cargo.toml");
        let text = fs::read_to_string(&manifest)?;
        let Some((above, below)) = text.split_once("[dev-dependencies]\n") else {
            bail!("{} has no dev-dependencies", manifest.display())
        };
        let kept = below.lines().filter(|line| !self.dependencies.iter().any(|name| line.starts_with(name)));
        let kept: Vec<&str> = kept.collect();
        let text = format!("{above}[dev-dependencies]\n{}\n", kept.join("\n"));
        write_changed(&manifest, text.as_bytes())
    }
}

/// Makes a folder of the copy what the checkout's is. What has not changed keeps its time, and is not built again.
fn refresh(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if !from.join(entry.file_name()).exists() {
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
    }
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            refresh(&entry.path(), &target)?;
        } else {
            write_changed(&target, &fs::read(entry.path())?)?;
        }
    }
    Ok(())
}

fn write_changed(file: &Path, contents: &[u8]) -> anyhow::Result<()> {
    if fs::read(file).ok().as_deref() != Some(contents) {
        fs::write(file, contents)?;
    }
    Ok(())
}
