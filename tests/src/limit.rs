//! How long something took, beside what cannot be undercut: the slowest pod's start, and the protocol's own timers.

use std::time::Duration;

use kogge_lab::start_time;

use crate::Database;

/// How often members hear of each other (MongoDB's `heartbeatIntervalMillis`): what a new configuration takes to be
/// known to all.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// What every member must hear of before the next one joins: its place without a vote, then its vote.
const CONFIGURATIONS: u32 = 2;

impl Database<'_> {
    /// Prints it. `joining` members of each replica set joined one after another, with pods in those data centres.
    pub async fn tell_ratio(&self, what: &str, took: Duration, vdcs: &[&str], joining: u32) -> anyhow::Result<()> {
        let mut slowest = Duration::ZERO;
        for vdc in vdcs {
            let pods = self.pods_on(self.harness.lab.worker(vdc)?).await?;
            slowest = pods.iter().filter_map(start_time).fold(slowest, Duration::max);
        }
        let protocol = joining * CONFIGURATIONS * HEARTBEAT;
        println!(
            "\n{what}: {:.1} s; the slowest pod took {} s to start, the protocol at least {} s: {:.1} times the limit",
            took.as_secs_f32(),
            slowest.as_secs(),
            protocol.as_secs(),
            took.as_secs_f32() / (slowest + protocol).as_secs_f32()
        );
        Ok(())
    }
}
