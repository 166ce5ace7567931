//! Builds by cargo.

use std::ffi::OsString;

use kogge_lab::products::{self, Programs};
use tokio::process::Command;

use crate::command::command;
use crate::setup::blocking;
use crate::workspace;

/// The cargo that runs this task.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")), arguments)
}

/// Builds, with cargo's own messages on the terminal, and returns the programs.
pub(crate) async fn build(arguments: &[&str]) -> anyhow::Result<Programs> {
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        products::build(&workspace::root(), &arguments)
    })
    .await
}
