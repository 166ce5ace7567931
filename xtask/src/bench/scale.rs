//! How Kogge does with many databases: a burst of creates, one create, what waiting costs, a restart. The limit is
//! what a bare client takes that applies the same objects with as many requests at a time.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kogge_api::FederatedCluster;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

use super::arrivals::Arrivals;
use super::site::{NAMESPACE, Site, VDCS};
use super::{bare, process, site};
use crate::interrupt::unless_interrupted;
use crate::setup::blocking;

/// Creates that are under way at a time.
const CREATES: usize = 16;
/// Single creates, of which the median is taken.
const SINGLES: usize = 9;
/// How long the cost of waiting is measured.
const WINDOW: Duration = Duration::from_secs(20);
const DEADLINE: Duration = Duration::from_mins(30);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many databases are created at once
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=5000))]
    databases: u32,
    /// The build that is measured
    #[arg(long, default_value = "release")]
    profile: String,
    /// How many requests the bare client has under way on each worker, as many as Kogge
    #[arg(long, default_value_t = 16)]
    at_once: usize,
}

/// The lab goes with it, also when it is interrupted.
pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let result = unless_interrupted(measure(&args)).await;
    blocking(|| kogge_lab::Lab::end(site::LAB)).await?;
    result
}

async fn measure(args: &Args) -> anyhow::Result<()> {
    let mut site = Site::up(&args.profile).await?;
    let mut arrivals = Arrivals::follow(&site.workers);
    let clusters: Api<FederatedCluster> = Api::namespaced(site.control.clone(), NAMESPACE);

    create(&clusters, "first").await?;
    let objects = arrivals.complete("first", DEADLINE).await?;
    println!("a database has {objects} objects on {} workers", VDCS.len());

    let mut singles = Vec::new();
    for number in 0..SINGLES {
        let name = format!("single-{number}");
        let began = Instant::now();
        create(&clusters, &name).await?;
        singles.push(arrivals.all(&[name], objects, DEADLINE).await?.duration_since(began));
    }
    singles.sort();
    let mut bare_singles = Vec::new();
    for number in 0..SINGLES {
        bare_singles.push(bare_apply(&site, &format!("single-{number}"), args.at_once).await?.0);
    }
    bare_singles.sort();
    report("one create, all its objects (median)", singles[SINGLES / 2], bare_singles[SINGLES / 2]);

    let names: Vec<String> = (0..args.databases).map(|number| format!("burst-{number}")).collect();
    let before = process::cpu(site.pid()?)?;
    let began = Instant::now();
    stream::iter(&names)
        .map(|name| create(&clusters, name))
        .buffer_unordered(CREATES)
        .try_collect::<Vec<_>>()
        .await?;
    let burst = arrivals.all(&names, objects, DEADLINE).await?.duration_since(began);
    let spent = process::cpu(site.pid()?)?.saturating_sub(before);
    let (bare, applied) = bare_apply(&site, "burst-", args.at_once).await?;
    report(&format!("{} creates at once, {applied} objects", names.len()), burst, bare);
    println!("  CPU of the operator meanwhile: {:.1} s", spent.as_secs_f64());

    let before = (process::cpu(site.pid()?)?, site.passes().await?);
    tokio::time::sleep(WINDOW).await;
    let spent = process::cpu(site.pid()?)?.saturating_sub(before.0).as_secs_f64();
    let passes = site.passes().await?.saturating_sub(before.1);
    let waiting = names.len() + SINGLES + 1;
    println!(
        "{waiting} waiting databases: {:.2} cores, {} MiB; {passes} passes without news, {:.2} ms of CPU each",
        spent / WINDOW.as_secs_f64(),
        process::memory_mib(site.pid()?)?,
        spent * 1000.0 / passes.max(1) as f64
    );

    site.kill().await?;
    let change = json!({"spec": {"shard": {"shardCount": 2}}});
    clusters
        .patch("first", &PatchParams::default(), &Patch::Merge(&change))
        .await
        .context("cannot change first")?;
    let changes = arrivals.changes_beside("first");
    let began = Instant::now();
    site.start()?;
    let changed = arrivals.all(&["first".to_owned()], objects + 1, DEADLINE).await?;
    // Whatever else the young operator would write, it writes in its first passes.
    tokio::time::sleep(WINDOW).await;
    println!(
        "restart to the first write for a changed database: {:.1} s; {} writes to objects of other databases",
        changed.duration_since(began).as_secs_f64(),
        arrivals.changes_beside("first") - changes
    );
    site.kill().await
}

/// Applies what Kogge wrote for databases of that name once more; how long it takes, and how many objects it is.
async fn bare_apply(site: &Site, prefix: &str, at_once: usize) -> anyhow::Result<(Duration, usize)> {
    let mut all = Vec::new();
    for (_, client) in &site.workers {
        all.push(bare::Objects::read(client, prefix).await?);
    }
    let count = all.iter().map(bare::Objects::count).sum();
    Ok((bare::apply_all(&all, at_once).await?, count))
}

fn report(what: &str, kogge: Duration, bare: Duration) {
    let (kogge, bare) = (kogge.as_secs_f64(), bare.as_secs_f64());
    println!("{what}: {kogge:.2} s; the bare client {bare:.2} s: {:.1} times", kogge / bare);
}

async fn create(clusters: &Api<FederatedCluster>, name: &str) -> anyhow::Result<()> {
    let placement: Vec<_> = VDCS.iter().map(|vdc| json!({"name": vdc, "vdc": vdc})).collect();
    let cluster = serde_json::from_value(json!({
        "apiVersion": "kogge.dev/v1alpha1",
        "kind": "FederatedCluster",
        "metadata": {"name": name},
        "spec": {
            "global": {"chart": "bytedoc", "chartVersion": "1.0.0", "image": "mongo:7.0"},
            "mongos": {"replicasPerPlacement": 1},
            "placement": placement,
        },
    }))?;
    clusters.create(&PostParams::default(), &cluster).await.with_context(|| format!("cannot create {name}"))?;
    Ok(())
}
