//! The operator has no memory: wherever it is killed, it goes on from what it observes.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use kogge_api::FederatedCluster;
use kogge_e2e::{Database, Harness, HistoryClient, Kind, SCRATCH, VDCS, ready, voters};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;

/// Set to repeat the moments of an earlier run.
const SEED: &str = "KOGGE_E2E_SEED";
/// How long after its start, in milliseconds, the operator is killed.
const MOMENTS: std::ops::Range<u64> = 300..7000;

pub(super) async fn killed_at_ten_random_moments_it_reaches_the_same_state(
    harness: &Harness,
) -> anyhow::Result<()> {
    let mut killer = Killer::new()?;
    let database = harness.database(SCRATCH, "unsteady");

    database.apply(&database.manifest(&VDCS[..3])).await?;
    killer.kill(4, "create", &database).await?;
    database.ready().await?;
    let client = HistoryClient::start(database, "vdc1").await?;
    client.acknowledged(1).await?;

    let members = json!({"membersPerPlacement": 2});
    let placement = json!({"name": "vdc4", "vdc": "vdc4", "shard": members, "config": members});
    database.edit(json!([{"op": "add", "path": "/spec/placement/-", "value": placement}])).await?;
    killer.kill(3, "grow", &database).await?;
    database.ready().await?;

    database.merge(json!({"spec": {"global": {"chartVersion": "1.1.0"}}})).await?;
    killer.kill(3, "rollout", &database).await?;
    let cluster = database.ready().await?;

    ensure!(killer.killed == 10, "killed {} times", killer.killed);
    everything_is_as_asked(&cluster)?;
    let verdict = client.check().await?;
    ensure!(verdict.lost == 0, "{verdict:?}");
    client.stop().await
}

/// What stands whatever happened on the way.
fn everything_is_as_asked(cluster: &FederatedCluster) -> anyhow::Result<()> {
    let voters = voters(cluster);
    ensure!(voters.len() == 2 && voters.values().all(|count| *count == 5), "five voters in each set: {voters:?}");
    let status = cluster.status.as_ref().context("no status")?;
    for (name, set) in &status.groups {
        ensure!(set.members.len() == 5 && set.ready == 5 && set.leader.is_some(), "{name}: {set:?}");
    }
    ensure!(status.chart_version.as_deref() == Some("1.1.0"), "chart {:?}", status.chart_version);
    for (name, placement) in &status.placement {
        ensure!(placement.revision.as_deref() == Some("1.1.0"), "{name}: {placement:?}");
    }
    let rollout = status.rollout.as_ref().context("no rollout is told of")?;
    ensure!(rollout.step.is_none() && rollout.updated == rollout.total, "{rollout:?}");
    Ok(())
}

/// Kills the operator at random moments.
pub(super) struct Killer {
    random: StdRng,
    pub(super) killed: u32,
}

impl Killer {
    /// The moments are others in each run, unless they are those of an earlier one.
    pub(super) fn new() -> anyhow::Result<Self> {
        let seed = match std::env::var(SEED) {
            Ok(text) => text.parse().context(SEED)?,
            Err(_) => rand::random(),
        };
        println!("\n{SEED}={seed}");
        Ok(Self { random: StdRng::seed_from_u64(seed), killed: 0 })
    }

    /// Kills the operator so many times, each a random time after it was started, and starts it again.
    pub(super) async fn kill<K: Kind>(
        &mut self,
        times: u32,
        phase: &str,
        database: &Database<'_, K>,
    ) -> anyhow::Result<()> {
        let harness = database.harness;
        let begun = Instant::now();
        for _ in 0..times {
            tokio::time::sleep(Duration::from_millis(self.random.random_range(MOMENTS))).await;
            let state =
                database.get().await.map_or_else(|error| Err(error.to_string()), |cluster| ready(&cluster));
            harness.operator.kill().await?;
            self.killed += 1;
            let at = begun.elapsed().as_secs_f32();
            println!(
                "kill {} at {at:.1} s of {phase}: {}",
                self.killed,
                state.err().unwrap_or("ready".to_owned())
            );
            harness.operator.start(harness.lab.control()).await?;
        }
        Ok(())
    }
}
