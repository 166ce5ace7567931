//! The operator, by its own manifests.

use kogge_api::SYSTEM_NAMESPACE;
use kogge_lab::CONTROL;

use crate::demo::stage::Stage;

pub(in crate::demo) async fn run(stage: &Stage) -> anyhow::Result<()> {
    stage.kubectl(CONTROL, &["apply", "-k", "config"]).await?;
    stage
        .kubectl(CONTROL, &["rollout", "status", "deployment/kogge", "-n", SYSTEM_NAMESPACE, "--timeout=120s"])
        .await
}
