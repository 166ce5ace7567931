//! One apply, and a database forms.

use std::time::Duration;

use kogge_lab::CONTROL;
use serde_json::json;

use crate::demo::stage::{DATABASE, NAMESPACE, Stage};

const DEADLINE: Duration = Duration::from_mins(5);

pub(in crate::demo) async fn run(stage: &Stage) -> anyhow::Result<()> {
    stage.kubectl(CONTROL, &["apply", "-f", "examples/ll2022.yaml"]).await?;
    if let Some(image) = &stage.image {
        let patch = json!({"spec": {"global": {"image": image}}}).to_string();
        stage.kubectl(CONTROL, &["patch", "fc", DATABASE, "-n", NAMESPACE, "--type=merge", "-p", &patch]).await?;
    }
    stage.database_ready(DEADLINE).await?;
    stage.kubectl(CONTROL, &["get", "fc", "-n", NAMESPACE, "-o", "wide"]).await
}
