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
    /// Waits until a name resolves in a cluster, and returns what the cluster's DNS says.
    pub async fn resolve(&self, vdc: &str, host: &str) -> anyhow::Result<String> {
        let what = format!("{host} in {vdc}");
        let answer = wait::until(&what, DEADLINE, || async {
            let lookup = ["exec", "-n", NAMESPACE, NAME, "--", "nslookup", "-type=a", host];
            self.kubectl(vdc, &lookup).await.map_err(|error| format!("{error:#}"))
        });
        Ok(answer.await?)
    }
}
