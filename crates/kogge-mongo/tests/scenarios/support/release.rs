//! Which server releases a scenario runs on.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use mongosim::options::{ServerArgs, ServerVersion};

use super::process::mongod;
use super::set::member_args;

/// A server's release: what it answers is told by it where releases differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Release(pub(crate) u32, pub(crate) u32);

impl Release {
    /// All that mongosim plays; on a real mongod the one that it is.
    pub(crate) fn all() -> Result<Vec<Self>> {
        match mongod() {
            Some(mongod) => Ok(vec![Self::of(&mongod)?]),
            None => ServerVersion::ALL.into_iter().map(|version| Self::parse(version.feature())).collect(),
        }
    }

    fn of(mongod: &Path) -> Result<Self> {
        let output = Command::new(mongod).arg("--version").output()?;
        let text = String::from_utf8(output.stdout)?;
        let version = text.split_once("db version v").context("mongod --version names none")?.1;
        Self::parse(version)
    }

    fn parse(text: &str) -> Result<Self> {
        let mut parts = text.split(|c: char| !c.is_ascii_digit()).map(str::parse);
        let mut part = || parts.next().context("a release has two numbers");
        Ok(Self(part()??, part()??))
    }

    /// Arguments of a set's member of this release.
    pub(crate) fn member_args(self, set: &str) -> ServerArgs {
        let mut args = member_args(set);
        if mongod().is_none() {
            args.set_parameter.push(format!("serverVersion={}.{}", self.0, self.1));
        }
        args
    }
}
