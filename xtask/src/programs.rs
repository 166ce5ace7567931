//! Test programs, built once and run without cargo.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::process::Command;

use crate::cargo::cargo;
use crate::command::{command, output};

/// One test program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// Package and target, such as `mongosim/server`.
    pub(crate) name: String,
    /// The executable.
    executable: PathBuf,
    /// The folder of its package, where it expects to run.
    folder: PathBuf,
}

/// Builds the test programs of what the arguments of cargo choose, with cargo's own messages on the terminal.
pub(crate) async fn build<'a>(chosen: impl IntoIterator<Item = &'a str>) -> anyhow::Result<Vec<Program>> {
    let mut build =
        cargo(&["test", "--locked", "--no-run", "--tests", "--message-format=json-render-diagnostics"]);
    build.args(chosen).stdout(Stdio::piped());
    let built = build.spawn().context("cannot run cargo")?.wait_with_output().await?;
    if !built.status.success() {
        bail!("the tests do not build: cargo's messages are above");
    }
    let mut programs: Vec<Program> = String::from_utf8_lossy(&built.stdout).lines().filter_map(program).collect();
    programs.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(programs)
}

/// The test program that a message of cargo tells of, if it does.
fn program(message: &str) -> Option<Program> {
    let message: Value = serde_json::from_str(message).ok()?;
    let target = message["target"]["name"].as_str()?;
    if message["profile"]["test"] != true {
        return None;
    }
    let folder = PathBuf::from(message["manifest_path"].as_str()?).parent()?.to_path_buf();
    let package = folder.file_name()?.to_str()?;
    let of_library = message["target"]["kind"].as_array()?.iter().any(|kind| kind == "lib");
    let target = if of_library { "lib" } else { target };
    Some(Program {
        name: format!("{package}/{target}"),
        executable: message["executable"].as_str()?.into(),
        folder,
    })
}

impl Program {
    /// Its run as cargo would run it, with `wrapper` before it (`taskset` and its arguments, say).
    pub(crate) fn command(&self, wrapper: &[&str], filter: Option<&str>) -> Command {
        let mut words = wrapper.iter().map(OsStr::new).chain([self.executable.as_os_str()]);
        let mut run = command(words.next().unwrap_or(self.executable.as_os_str()), words);
        run.args(filter).current_dir(&self.folder).env("CARGO_MANIFEST_DIR", &self.folder).stdin(Stdio::null());
        run
    }

    /// What an error says that kept it from running.
    pub(crate) fn failure(&self) -> String {
        format!("cannot run the tests {}", self.name)
    }

    /// How many of its tests have a name that holds `filter`.
    pub(crate) async fn count(&self, filter: Option<&str>) -> anyhow::Result<usize> {
        let mut list = self.command(&[], filter);
        list.args(["--list", "--format", "terse"]);
        Ok(output(list).await?.lines().filter(|line| line.ends_with(": test")).count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: &str, name: &str, is_test: bool) -> String {
        serde_json::json!({
            "reason": "compiler-artifact",
            "manifest_path": "/src/crates/mongosim/Cargo.toml",
            "target": { "kind": [kind], "name": name },
            "profile": { "test": is_test },
            "executable": format!("/target/{name}-1"),
        })
        .to_string()
    }

    #[test]
    fn test_programs_are_told_by_cargo_s_messages() {
        let name = |kind, target, is_test| program(&message(kind, target, is_test)).map(|found| found.name);
        assert_eq!(name("test", "server", true).as_deref(), Some("mongosim/server"));
        assert_eq!(name("lib", "mongosim", true).as_deref(), Some("mongosim/lib"));
        assert_eq!(name("bin", "mongosim", false), None, "a program that is no test");
        assert_eq!(program("{\"reason\":\"build-finished\"}"), None);
    }
}
