//! A pod in every worker that looks names up.

use std::time::Duration;

use kogge_lab::images::SHELL_IMAGE;
use kogge_lab::wait;
use serde_json::json;

use crate::Harness;

const NAME: &str = "probe";
const NAMESPACE: &str = "default";
const DEADLINE: Duration = Duration::from_secs(90);

pub(crate) async fn start(harness: &Harness, vdc: &str) -> anyhow::Result<()> {
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": NAME, "image": SHELL_IMAGE, "command": ["sleep", "31536000"]}],
        },
    });
    harness.kubectl_apply(vdc, &pod).await
}

impl Harness {
    /// Waits until all these names resolve in a cluster.
    pub async fn resolve(&self, vdc: &str, hosts: &[String]) -> anyhow::Result<()> {
        let lookup = "for host; do nslookup -type=a $host || exit 1; done";
        let command = ["exec", "-n", NAMESPACE, NAME, "--", "sh", "-c", lookup, "lookup"];
        let command: Vec<&str> = command.into_iter().chain(hosts.iter().map(String::as_str)).collect();
        wait::until(&format!("{} names in {vdc}", hosts.len()), DEADLINE, || async {
            self.kubectl(vdc, &command).await.map_err(|error| format!("{error:#}"))
        })
        .await?;
        Ok(())
    }
}
