//! How long something took, beside what cannot be undercut: the slowest pod's start, and the protocol's own timers.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kogge_api::labels;
use kogge_lab::start_time;
use kube::Api;
use kube::api::ListParams;

use super::stage::{DATABASE, NAMESPACE, Stage};

/// How often members hear of each other (MongoDB's `heartbeatIntervalMillis`).
const HEARTBEAT: Duration = Duration::from_secs(2);
/// What every member must hear of before the next one joins: its place without a vote, then its vote.
const CONFIGURATIONS: u32 = 2;

/// Prints it. `joining` members of each replica set joined one after another, with pods in those data centres.
pub(super) async fn tell(stage: &Stage, took: Duration, vdcs: &[&str], joining: u32) -> anyhow::Result<()> {
    let mut slowest = Duration::ZERO;
    for vdc in vdcs {
        let pods: Api<Pod> = Api::namespaced(stage.lab.worker(vdc)?.client().await?, NAMESPACE);
        let ours = ListParams::default().labels(&format!("{}={DATABASE}", labels::CLUSTER));
        slowest = pods.list(&ours).await?.iter().filter_map(start_time).fold(slowest, Duration::max);
    }
    let protocol = joining * CONFIGURATIONS * HEARTBEAT;
    println!(
        "  {:.0} s; the slowest pod took {} s to start, the protocol at least {} s: {:.1} times the limit",
        took.as_secs_f32(),
        slowest.as_secs(),
        protocol.as_secs(),
        took.as_secs_f32() / (slowest + protocol).as_secs_f32()
    );
    Ok(())
}
