//! The workers join by the command line that users have.

use std::time::Duration;

use kogge_lab::CONTROL;

use crate::command;
use crate::demo::stage::{NAMESPACE, Stage};

/// The data centres.
pub(in crate::demo) const VDCS: [&str; 4] = ["vdc1", "vdc2", "vdc3", "vdc4"];

const DEADLINE: Duration = Duration::from_mins(1);

pub(in crate::demo) async fn run(stage: &Stage) -> anyhow::Result<()> {
    for vdc in VDCS {
        let name = format!("worker-{vdc}");
        println!("  $ kogge worker join {name} --vdc {vdc} --allow-namespace {NAMESPACE} --worker-kubeconfig …");
        let mut join = command::command(&stage.kogge, ["worker", "join", &name, "--vdc", vdc]);
        join.args(["--allow-namespace", NAMESPACE, "--chart-dir", "charts", "--worker-kubeconfig"])
            .arg(stage.kubeconfig(vdc))
            .arg("--kubeconfig")
            .arg(stage.control_kubeconfig());
        command::run(join).await?;
    }
    for vdc in VDCS {
        stage.worker_ready(&format!("worker-{vdc}"), DEADLINE).await?;
    }
    stage.kubectl(CONTROL, &["get", "workerclusters"]).await
}
