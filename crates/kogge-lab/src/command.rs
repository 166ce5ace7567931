//! Short commands of the operating system, run to their end.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::error::{IoContext, LabError, Result};

/// Runs a command and returns its standard output.
pub(crate) fn run(argv: &[&str]) -> Result<String> {
    finish(argv, "")
}

/// Runs a command with `input` on its standard input and returns its standard output.
pub(crate) fn run_with_input(argv: &[&str], input: &str) -> Result<String> {
    finish(argv, input)
}

/// Runs a command; tells only whether it succeeded.
pub(crate) fn succeeds(argv: &[&str]) -> bool {
    finish(argv, "").is_ok()
}

/// The path of `program` in `$PATH` or in the system's administration folders.
pub(crate) fn find_program(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/local/go/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"].map(Into::into))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

/// Runs blocking work without holding up other tasks.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| LabError::Invalid(format!("a background step ended early: {e}")))?
}

fn finish(argv: &[&str], input: &str) -> Result<String> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(LabError::Invalid("an empty command".to_owned()));
    };
    let line = || argv.join(" ");
    let mut child = Command::new(find_program(program).unwrap_or_else(|| program.into()))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context(|| format!("start `{}`", line()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that ends without reading closes the pipe; its exit status tells what happened.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().context(|| format!("run `{}`", line()))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(LabError::Command { command: line(), status: output.status.to_string(), stderr: last_words(&output) })
    }
}

fn last_words(output: &Output) -> String {
    let text = String::from_utf8_lossy(if output.stderr.is_empty() { &output.stdout } else { &output.stderr });
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}
