//! Scripts that use Python's driver.

use std::{process::Stdio, time::Duration};

use anyhow::{Context as _, ensure};
use tokio::{process::Command, time::timeout};

const LIMIT: Duration = Duration::from_secs(90);

/// Runs a script of `tests/clients/scripts`; gives what it prints. A failed assertion of the script is an error.
pub(crate) async fn run(script: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let clients = super::clients()?;
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/scripts");
    let script = Command::new(clients.python())
        .args(["-B", "-u", &format!("{scripts}/{script}")])
        .args(arguments)
        .env("PYTHONPATH", clients.python_packages())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(LIMIT, script).await.context("the script did not end in time")??;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(printed)
}
