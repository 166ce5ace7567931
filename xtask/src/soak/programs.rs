//! Test programs of single packages, built once and run without cargo.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::cargo::cargo;
use crate::command::{command, output};

/// Programs that need what `cargo xtask setup` downloads; CI runs them once, with it.
const LEFT_OUT: [&str; 1] = ["clients"];

/// One test program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// Package and target, such as `mongosim/sharded`.
    pub(crate) name: String,
    /// The executable.
    pub(crate) executable: PathBuf,
    /// The folder of its package, where it expects to run.
    pub(crate) folder: PathBuf,
}

/// Builds the test programs of these packages, with cargo's own messages on the terminal.
pub(crate) async fn build(packages: &[String]) -> anyhow::Result<Vec<Program>> {
    let mut build =
        cargo(&["test", "--locked", "--no-run", "--tests", "--message-format=json-render-diagnostics"]);
    build.args(packages.iter().flat_map(|package| ["--package", package]));
    build.stdout(Stdio::piped());
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
    if message["profile"]["test"] != true || LEFT_OUT.contains(&target) {
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
    /// How many of its tests have a name that holds `filter`.
    pub(crate) async fn count(&self, filter: Option<&str>) -> anyhow::Result<usize> {
        let mut list = command(&self.executable, filter);
        list.args(["--list", "--format", "terse"]).current_dir(&self.folder);
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
        assert_eq!(name("test", "sharded", true).as_deref(), Some("mongosim/sharded"));
        assert_eq!(name("lib", "mongosim", true).as_deref(), Some("mongosim/lib"));
        assert_eq!(name("bin", "mongosim", false), None, "a program that is no test");
        assert_eq!(name("test", "clients", true), None, "it needs more than the checkout");
        assert_eq!(program("{\"reason\":\"build-finished\"}"), None);
    }
}
