//! kubectl, as a user would type it.

use std::process::Stdio;

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::Harness;
use crate::harness::root;

impl Harness {
    /// Runs kubectl on a cluster, in the root of the checkout, and returns what it prints; when it
    /// fails, all that it says is part of the error.
    pub async fn kubectl(&self, cluster: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.kubectl_command(cluster, arguments).output().await.context("cannot run kubectl")?;
        text(arguments, &output)
    }

    /// `kubectl apply` of a manifest.
    pub async fn kubectl_apply(&self, cluster: &str, manifest: &Value) -> anyhow::Result<()> {
        let arguments = ["apply", "-f", "-"];
        let mut child = self.kubectl_command(cluster, &arguments).stdin(Stdio::piped()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(manifest.to_string().as_bytes()).await.context("kubectl does not read")?;
        }
        text(&arguments, &child.wait_with_output().await?).map(drop)
    }

    fn kubectl_command(&self, cluster: &str, arguments: &[&str]) -> Command {
        let own = self.lab.shell_environment().ok().and_then(|shell| shell.tools);
        let mut command = Command::new(own.map_or_else(|| "kubectl".into(), |tools| tools.join("kubectl")));
        command
            .args(arguments)
            .env("KUBECONFIG", self.kubeconfig(cluster))
            .current_dir(root())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

fn text(arguments: &[&str], output: &std::process::Output) -> anyhow::Result<String> {
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`kubectl {}`: {}: {}\n{printed}", arguments.join(" "), output.status, said.trim());
    }
    Ok(printed)
}
