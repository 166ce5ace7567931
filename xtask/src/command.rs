//! Programs that tasks run. A program ends with the task that waits for it.

use std::ffi::OsStr;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// A program with its arguments, in the root of the checkout.
pub(crate) fn command<I: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = I>,
) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(crate::workspace::root()).kill_on_drop(true);
    command
}

/// Runs it, with its output where the task's own goes.
pub(crate) async fn run(mut command: Command) -> anyhow::Result<()> {
    let line = line(&command);
    let status = command.status().await.with_context(|| format!("cannot run `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

/// Runs it and returns what it printed; what it says on its standard error is part of the error.
pub(crate) async fn output(mut command: Command) -> anyhow::Result<String> {
    let line = line(&command);
    let output = command.output().await.with_context(|| format!("cannot run `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` failed: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs it with that text as its standard input.
pub(crate) async fn feed(mut command: Command, text: &str) -> anyhow::Result<()> {
    let line = line(&command);
    let mut child = command.stdin(Stdio::piped()).spawn().with_context(|| format!("cannot run `{line}`"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(text.as_bytes()).await.with_context(|| format!("`{line}` does not read its input"))?;
    }
    let status = child.wait().await.with_context(|| format!("cannot run `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

/// The command as one would type it.
pub(crate) fn line(command: &Command) -> String {
    let command = command.as_std();
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
