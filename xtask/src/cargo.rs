//! Builds by cargo, and where their results are.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::command::{command, line};

/// The cargo that runs this task.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")), arguments)
}

/// The programs that a build made, by name.
pub(crate) type Programs = BTreeMap<String, PathBuf>;

/// Builds, with cargo's own messages on the terminal, and returns the programs.
pub(crate) async fn build(arguments: &[&str]) -> anyhow::Result<Programs> {
    let mut command = cargo(&["build", "--locked", "--message-format=json-render-diagnostics"]);
    command.args(arguments).stdout(Stdio::piped());
    let line = line(&command);
    let mut child = command.spawn().with_context(|| format!("cannot run `{line}`"))?;
    let stdout = child.stdout.take().with_context(|| format!("`{line}` has no output"))?;
    let mut messages = BufReader::new(stdout).lines();
    let mut programs = Programs::new();
    while let Some(message) = messages.next_line().await? {
        programs.extend(program(&message));
    }
    let status = child.wait().await?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(programs)
}

/// The program that a message tells of, if it does: tests are programs too, but not meant.
fn program(message: &str) -> Option<(String, PathBuf)> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    let is_test = message["profile"]["test"].as_bool().unwrap_or_default();
    let executable = message["executable"].as_str().filter(|_| !is_test)?;
    Some((message["target"]["name"].as_str()?.to_owned(), executable.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_from_tests_and_libraries() {
        let artifact = |executable: &str, test: bool| {
            program(&format!(
                r#"{{"reason":"compiler-artifact","target":{{"name":"kogge"}},"profile":{{"test":{test}}},"executable":{executable}}}"#
            ))
        };
        assert_eq!(artifact("\"/t/kogge\"", false), Some(("kogge".to_owned(), PathBuf::from("/t/kogge"))));
        assert_eq!(artifact("\"/t/kogge-1f\"", true), None);
        assert_eq!(artifact("null", false), None);
        assert_eq!(program("not JSON"), None);
    }
}
