//! Config servers, a shard and a router: the shard is added, and a client writes through the router.

use std::time::Duration;

use anyhow::{Context as _, Result};
use kogge_mongo::{FindingKind, SetName, SetRole};
use mongodb::bson::{Document, doc};
use mongodb::{Client, Database};

use crate::cluster::Cluster;
use crate::history::History;

const CONFIG: &str = "ll-config-7f3k2m9q";
const SHARD: &str = "ll-shard-0-7f3k2m9q";
const THREE: &[(&str, u32)] = &[("vdc1", 1), ("vdc2", 1), ("vdc3", 1)];

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_is_added_and_written_to_through_the_router() -> Result<()> {
    let mut cluster = Cluster::new()?;
    cluster.want(CONFIG, SetRole::Config, THREE)?;
    cluster.want(SHARD, SetRole::Shard { index: 0 }, THREE)?;
    cluster.start_router("ll-mongos-vdc1-x", CONFIG)?;
    let plan = cluster.until_ready(Duration::from_secs(200)).await?;
    assert_eq!(plan.sets[SHARD].added_as_shard, Some(true));
    assert_eq!(cluster.names().iter().filter(|name| **name == "AddShard").count(), 1);

    let history = History::start(&cluster.router_uri()).await?;
    cluster.roll();
    cluster.until_ready(Duration::from_secs(200)).await?;
    let (acknowledged, lost) = history.check().await?;
    assert!(acknowledged > 50, "only {acknowledged} writes were acknowledged");
    assert!(lost.is_empty(), "lost: {lost:?}");
    Ok(())
}

const SECOND: &str = "ll-shard-1-7f3k2m9q";
const ONE: &[(&str, u32)] = &[("vdc1", 1)];

#[tokio::test(flavor = "multi_thread")]
async fn case_45_a_shard_with_data_is_drained_by_an_operator_that_crashes_after_every_step() -> Result<()> {
    let mut cluster = Cluster::new()?;
    cluster.want(CONFIG, SetRole::Config, ONE)?;
    cluster.want(SHARD, SetRole::Shard { index: 0 }, ONE)?;
    cluster.want(SECOND, SetRole::Shard { index: 1 }, ONE)?;
    cluster.start_router("ll-mongos-vdc1-x", CONFIG)?;
    cluster.until_ready(Duration::from_mins(2)).await?;
    assert!(cluster.names().contains(&"SetDefaultConcerns"));

    let client = Client::with_uri_str(cluster.router_uri()).await?;
    for name in ["alpha", "beta", "gamma", "delta"] {
        let documents = (0..50).map(|n| doc! { "_id": n });
        client.database(name).collection::<Document>("c").insert_many(documents).await?;
    }
    let history = History::start(&cluster.router_uri()).await?;
    let second = cluster.goal.sets.iter_mut().find(|set| set.name.as_str() == SECOND).context("no such set")?;
    second.retired = true;
    let before = cluster.taken.len();
    let mut told = false;
    for _ in 0..200 {
        let plan = cluster.pass(1).await?;
        cluster.crash_operator();
        let left = plan.sets.get(&SetName::new(SECOND)).and_then(|set| set.draining.clone());
        told |= left.is_some_and(|left| !left.databases.is_empty());
        if !cluster.goal.sets.iter().any(|set| set.name.as_str() == SECOND) {
            break;
        }
    }
    cluster.until_ready(Duration::from_mins(1)).await?;
    let names = cluster.names()[before..].to_vec();
    assert!(told && names.contains(&"MovePrimary"), "{names:?}");
    assert_eq!((names.first(), names.last()), (Some(&"RecordDrain"), Some(&"RecordRemoval")), "{names:?}");
    for name in ["alpha", "beta", "gamma", "delta"] {
        let found = client.database(name).collection::<Document>("c").count_documents(doc! {}).await?;
        assert_eq!(found, 50, "{name}");
    }
    let (acknowledged, lost) = history.check().await?;
    assert!(acknowledged > 0 && lost.is_empty(), "lost of {acknowledged}: {lost:?}");

    // A shard of the same name with the same volumes is told, and not joined.
    cluster.want(SECOND, SetRole::Shard { index: 1 }, ONE)?;
    let again = cluster.goal.sets.iter_mut().find(|set| set.name.as_str() == SECOND).context("no such set")?;
    (again.removals.begun, again.removals.ended) = (1, 1);
    let taken = cluster.taken.len();
    for _ in 0..5 {
        let plan = cluster.pass(usize::MAX).await?;
        assert!(plan.findings.iter().any(|finding| finding.kind == FindingKind::StaleData), "{:?}", plan.findings);
    }
    assert_eq!(cluster.taken.len(), taken);
    Ok(())
}

/// The sessions' collection is nobody's: it comes by itself, and the shard that gave half of it away takes nothing back
/// before its range deleter has run.
#[tokio::test(flavor = "multi_thread")]
async fn a_drain_names_the_collection_and_the_range_deleter_that_it_waits_for() -> Result<()> {
    drain_of_sessions(&[]).await
}

/// There, chunks have the name of their collection in place of its uuid.
#[tokio::test(flavor = "multi_thread")]
async fn a_drain_of_a_server_before_5_0_names_the_collection_as_well() -> Result<()> {
    if std::env::var_os("MONGOD").is_some_and(|path| !path.to_string_lossy().ends_with("mongosim")) {
        eprintln!("not run on a real mongod, which plays no other version than its own");
        return Ok(());
    }
    drain_of_sessions(&["serverVersion=4.4"]).await
}

async fn drain_of_sessions(parameters: &[&str]) -> Result<()> {
    const SESSIONS: &str = "config.system.sessions";
    let mut cluster = Cluster::new()?;
    let quick = ["logicalSessionRefreshMillis=100", "balancerMigrationsThrottlingMs=5"];
    cluster.parameters.extend(quick.iter().map(ToString::to_string));
    cluster.parameters.push("minNumChunksForSessionsCollection=8".to_owned());
    cluster.parameters.extend(parameters.iter().map(ToString::to_string));
    cluster.want(CONFIG, SetRole::Config, ONE)?;
    cluster.parameters.clear();
    cluster.want(SHARD, SetRole::Shard { index: 0 }, ONE)?;
    cluster.start_router("ll-mongos-vdc1-x", CONFIG)?;
    cluster.until_ready(Duration::from_mins(2)).await?;
    let client = Client::with_uri_str(cluster.router_uri()).await?;
    let chunks = client.database("config").collection::<Document>("chunks");
    cluster.until("the sessions' collection", async || Ok(chunks.count_documents(doc! {}).await? == 8)).await?;
    cluster.want(SECOND, SetRole::Shard { index: 1 }, ONE)?;
    cluster.until_ready(Duration::from_mins(2)).await?;
    let on_second = doc! { "shard": SECOND };
    let half = async || Ok(chunks.count_documents(on_second.clone()).await? == 4);
    cluster.until("half of it to move", half).await?;

    cluster.goal.sets.iter_mut().filter(|set| set.name.as_str() == SECOND).for_each(|set| set.retired = true);
    let expected = format!(
        "chunks of {SESSIONS} that return to shard {SHARD} wait for its range deleter, which still keeps 4 ranges: \
         orphanCleanupDelaySecs is 900 s"
    );
    let mut told = String::new();
    for _ in 0..100 {
        let plan = cluster.pass(1).await?;
        told = plan.waiting.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        if told.contains(&expected) {
            break;
        }
    }
    assert!(told.contains(&expected), "{told}");
    assert!(told.contains(&format!("4 chunks remain ({SESSIONS} 4)")), "{told}");
    Ok(())
}

/// The defaults for reads and writes, each with who set it.
async fn default_concerns(admin: &Database) -> Result<[String; 4]> {
    let told = admin.run_command(doc! { "getDefaultRWConcern": 1 }).await?;
    let read = told.get_document("defaultReadConcern")?.get_str("level")?;
    let write = told.get_document("defaultWriteConcern")?.get_str("w")?;
    let sources = (told.get_str("defaultReadConcernSource")?, told.get_str("defaultWriteConcernSource")?);
    Ok([read, sources.0, write, sources.1].map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread")]
async fn majority_is_the_default_concern_until_a_person_says_otherwise() -> Result<()> {
    let mut cluster = Cluster::new()?;
    cluster.want(CONFIG, SetRole::Config, ONE)?;
    cluster.want(SHARD, SetRole::Shard { index: 0 }, ONE)?;
    cluster.start_router("ll-mongos-vdc1-x", CONFIG)?;
    cluster.until_ready(Duration::from_mins(2)).await?;
    let admin = Client::with_uri_str(cluster.router_uri()).await?.database("admin");
    assert_eq!(default_concerns(&admin).await?, ["majority", "global", "majority", "global"]);

    // Another level, and then the server's own: neither is undone.
    for (given, then) in
        [(doc! { "level": "available" }, ["available", "global"]), (doc! {}, ["local", "implicit"])]
    {
        admin.run_command(doc! { "setDefaultRWConcern": 1, "defaultReadConcern": given }).await?;
        for _ in 0..3 {
            assert!(cluster.pass(usize::MAX).await?.steps.is_empty());
        }
        assert_eq!(default_concerns(&admin).await?, [then[0], then[1], "majority", "global"]);
    }
    assert_eq!(cluster.names().iter().filter(|name| **name == "SetDefaultConcerns").count(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_default_read_concern_that_a_person_set_before_stays() -> Result<()> {
    let mut cluster = Cluster::new()?;
    cluster.want(CONFIG, SetRole::Config, ONE)?;
    cluster.until_ready(Duration::from_mins(1)).await?;
    let config = Client::with_uri_str(cluster.uri(CONFIG)?).await?.database("admin");
    config.run_command(doc! { "setDefaultRWConcern": 1, "defaultReadConcern": { "level": "available" } }).await?;
    cluster.want(SHARD, SetRole::Shard { index: 0 }, ONE)?;
    cluster.start_router("ll-mongos-vdc1-x", CONFIG)?;
    cluster.until_ready(Duration::from_mins(2)).await?;
    let admin = Client::with_uri_str(cluster.router_uri()).await?.database("admin");
    assert_eq!(default_concerns(&admin).await?, ["available", "global", "majority", "global"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_balancer_is_put_back_to_what_it_was_and_the_feature_version_is_raised() -> Result<()> {
    let mut cluster = Cluster::new()?;
    cluster.want(CONFIG, SetRole::Config, ONE)?;
    cluster.want(SHARD, SetRole::Shard { index: 0 }, ONE)?;
    cluster.want(SECOND, SetRole::Shard { index: 1 }, ONE)?;
    cluster.start_router("ll-mongos-vdc1-x", CONFIG)?;
    let plan = cluster.until_ready(Duration::from_mins(2)).await?;
    assert_eq!(plan.feature_compatibility_version.as_deref(), Some("7.0"));
    let client = Client::with_uri_str(cluster.router_uri()).await?;
    let admin = client.database("admin");
    admin.run_command(doc! { "setFeatureCompatibilityVersion": "6.0", "confirm": true }).await?;
    cluster.until_ready(Duration::from_secs(10)).await?;
    assert!(!cluster.names().contains(&"SetFeatureCompatibilityVersion"), "the spec does not ask for it");
    cluster.goal.feature_compatibility_version = Some("7.0".to_owned());
    let plan = cluster.until_ready(Duration::from_secs(10)).await?;
    assert_eq!(plan.feature_compatibility_version.as_deref(), Some("7.0"));

    let before = cluster.taken.len();
    cluster.roll();
    cluster.until_ready(Duration::from_mins(2)).await?;
    let names = cluster.names()[before..].to_vec();
    assert_eq!(names[..3], ["RecordBalancerPause", "StopBalancer", "RestartPod"], "{names:?}");
    let status = admin.run_command(doc! { "balancerStatus": 1 }).await?;
    assert_eq!(status.get_str("mode")?, "full");

    admin.run_command(doc! { "balancerStop": 1 }).await?;
    let before = cluster.taken.len();
    cluster.roll();
    cluster.until_ready(Duration::from_mins(2)).await?;
    assert!(!cluster.names()[before..].iter().any(|name| name.contains("Balancer")));
    let status = admin.run_command(doc! { "balancerStatus": 1 }).await?;
    assert_eq!(status.get_str("mode")?, "off");
    Ok(())
}
