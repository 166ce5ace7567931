//! kubectl, as a user would type it; each command is shown.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Context as _;
use tokio::process::Command;

use super::stage::Stage;
use crate::command;

impl Stage {
    /// Runs kubectl on a cluster and shows what it prints.
    pub(super) async fn kubectl(&self, cluster: &str, arguments: &[&str]) -> anyhow::Result<()> {
        println!("  $ kubectl --context {cluster} {}", arguments.join(" "));
        command::run(self.kubectl_command(cluster, arguments)).await
    }

    /// Runs kubectl on a cluster and returns what it prints.
    pub(super) async fn kubectl_output(&self, cluster: &str, arguments: &[&str]) -> anyhow::Result<String> {
        command::output(self.kubectl_command(cluster, arguments)).await
    }

    /// Runs kubectl on a cluster and returns what it prints and what it says on its standard error, whether or
    /// not it succeeds.
    pub(super) async fn kubectl_answer(
        &self,
        cluster: &str,
        arguments: &[&str],
    ) -> anyhow::Result<(String, String)> {
        let output = self.kubectl_command(cluster, arguments).output().await.context("cannot run kubectl")?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((text(&output.stdout), text(&output.stderr)))
    }

    /// Applies these manifests to a cluster.
    pub(super) async fn kubectl_apply(&self, cluster: &str, manifests: &str) -> anyhow::Result<()> {
        println!("  $ kubectl --context {cluster} apply -f -");
        command::feed(self.kubectl_command(cluster, &["apply", "-f", "-"]), manifests).await
    }

    fn kubectl_command(&self, cluster: &str, arguments: &[&str]) -> Command {
        let mut command = command::command(self.kubectl_program(), arguments);
        command.env("KUBECONFIG", self.kubeconfig(cluster));
        command
    }

    /// The lab's own kubectl, or else the one on the path.
    fn kubectl_program(&self) -> OsString {
        let own = self.lab.shell_environment().ok().and_then(|shell| shell.tools);
        own.map_or_else(|| PathBuf::from("kubectl"), |tools| tools.join("kubectl")).into()
    }
}
