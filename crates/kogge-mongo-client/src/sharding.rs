//! The sharded cluster through a router. Each command is idempotent, and none waits for data to move: what goes on
//! behind it is asked for again. How far it is, is read without changing anything.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kogge_engine_client::Outcome;
use kogge_mongo::errors::code;
use kogge_mongo::{
    BalancerWindow, Chunks, ClusterState, CollectionChunks, KeptRanges, ShardEntry, ShardingAction,
};
use mongodb::bson::{Bson, Document, doc};

use crate::engine::Wire;
use crate::error::{CommandError, StepError};
use crate::observe::READ_DEADLINE;
use crate::session::Session;
use crate::wire;

/// How long a command may take that only changes the cluster's catalog.
const CATALOG_DEADLINE: Duration = Duration::from_secs(15);
/// How long to wait for a move of data, or for a balancing round to end, before it is observed again.
const MOVE_DEADLINE: Duration = Duration::from_secs(3);
/// Collections of a draining shard that are counted one by one.
const COLLECTIONS: i32 = 10;
/// Chunks of a draining shard that are read for that: a cluster may have millions.
const CHUNKS_READ: i32 = 100_000;
/// How long every server of the cluster may take to change its feature compatibility version.
const FEATURE_VERSION_DEADLINE: Duration = Duration::from_secs(30);

/// What a router says beside its list of shards. What it refuses to tell is absent; what is left on a shard that is
/// being removed must be told.
pub(crate) async fn observe(router: &Session, shards: &[ShardEntry]) -> Result<ClusterState, CommandError> {
    let version = doc! {
        "find": "system.version",
        "filter": { "_id": "featureCompatibilityVersion" },
        "limit": 1,
        "singleBatch": true,
    };
    let (balancer, version, concern) = futures::join!(
        router.run(doc! { "balancerStatus": 1 }, READ_DEADLINE),
        router.run(version, READ_DEADLINE),
        router.run(doc! { "getDefaultRWConcern": 1 }, READ_DEADLINE),
    );
    let concern = told(concern)?;
    let mut state = ClusterState {
        balancer_on: told(balancer)?.and_then(|reply| Some(reply.get_str("mode").ok()? != "off")),
        feature_compatibility_version: told(version)?.and_then(|reply| {
            let version = wire::first_batch(&reply).next()?;
            version.get_str("version").ok().map(str::to_owned)
        }),
        default_write_concern: concern.as_ref().map(|reply| is_set(reply, "defaultWriteConcern")),
        default_read_concern: concern.as_ref().map(|reply| is_set(reply, "defaultReadConcern")),
        ..ClusterState::default()
    };
    let draining: Vec<&ShardEntry> = shards.iter().filter(|shard| shard.draining).collect();
    if draining.is_empty() {
        return Ok(state);
    }
    state.databases = databases(router).await?;
    for shard in draining {
        let (chunks, collections) = futures::join!(chunks(router, &shard.name), collections(router, &shard.name));
        state.chunks.insert(shard.name.clone(), chunks?);
        state.collections.insert(shard.name.clone(), told(collections)?.unwrap_or_default());
    }
    state.balancer_window = told(balancer_window(router).await)?.flatten();
    Ok(state)
}

/// Whether somebody set a default: the server tells what it takes by itself as well, with that source
/// (`getDefaultRWConcern`).
fn is_set(defaults: &Document, concern: &str) -> bool {
    let source = defaults.get_str(format!("{concern}Source")).ok();
    defaults.contains_key(concern) && source != Some("implicit")
}

/// An answer, or none where the server refused.
fn told<T>(answer: Result<T, CommandError>) -> Result<Option<T>, CommandError> {
    match answer {
        Ok(reply) => Ok(Some(reply)),
        Err(CommandError::Server { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The databases by primary shard.
async fn databases(router: &Session) -> Result<BTreeMap<String, BTreeSet<String>>, CommandError> {
    let command = doc! {
        "find": "databases",
        "projection": { "primary": 1 },
        "batchSize": 100_000,
        "singleBatch": true,
        "readConcern": { "level": "majority" },
    };
    let reply = router.run_in("config", command, READ_DEADLINE).await?;
    let mut databases: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in wire::first_batch(&reply) {
        if let (Ok(name), Ok(shard)) = (row.get_str("_id"), row.get_str("primary")) {
            databases.entry(shard.to_owned()).or_default().insert(name.to_owned());
        }
    }
    Ok(databases)
}

async fn chunks(router: &Session, shard: &str) -> Result<Chunks, CommandError> {
    let count = async |query: Document| {
        let reply = router.run_in("config", doc! { "count": "chunks", "query": query }, READ_DEADLINE).await?;
        wire::count(&reply)
    };
    Ok(Chunks {
        total: count(doc! { "shard": shard }).await?,
        jumbo: count(doc! { "shard": shard, "jumbo": true }).await?,
    })
}

/// The collections with most chunks on a shard. Chunks name their collection by its uuid, before 5.0 by its name.
async fn collections(router: &Session, shard: &str) -> Result<Vec<CollectionChunks>, CommandError> {
    let counted = doc! {
        "aggregate": "chunks",
        "pipeline": [
            { "$match": { "shard": shard } },
            { "$limit": CHUNKS_READ },
            { "$group": { "_id": { "uuid": "$uuid", "name": "$ns" }, "chunks": { "$sum": 1 } } },
            { "$sort": { "chunks": -1 } },
            { "$limit": COLLECTIONS },
        ],
        "cursor": {},
    };
    let counted = router.run_in("config", counted, READ_DEADLINE).await?;
    let counted: Vec<(Document, u64)> = wire::first_batch(&counted)
        .filter_map(|row| {
            let chunks = row.get("chunks").and_then(wire::integer)?;
            Some((row.get_document("_id").ok()?.clone(), u64::try_from(chunks).ok()?))
        })
        .collect();
    let uuids: Vec<Bson> = counted.iter().filter_map(|(id, _)| id.get("uuid").cloned()).collect();
    let find = doc! {
        "find": "collections",
        "filter": { "uuid": { "$in": uuids } },
        "projection": { "uuid": 1 },
        "limit": COLLECTIONS,
        "singleBatch": true,
    };
    let listed = router.run_in("config", find, READ_DEADLINE).await?;
    let listed: Vec<&Document> = wire::first_batch(&listed).collect();
    let name = |id: &Document| {
        let by_uuid = listed.iter().find(|row| row.get("uuid").is_some() && row.get("uuid") == id.get("uuid"));
        let name = by_uuid.and_then(|row| row.get_str("_id").ok()).or_else(|| id.get_str("name").ok());
        name.map(str::to_owned)
    };
    Ok(counted
        .iter()
        .filter_map(|(id, chunks)| Some(CollectionChunks { name: name(id)?, chunks: *chunks }))
        .collect())
}

/// When the balancer may move chunks, if somebody said so.
async fn balancer_window(router: &Session) -> Result<Option<BalancerWindow>, CommandError> {
    let find = doc! { "find": "settings", "filter": { "_id": "balancer" }, "limit": 1, "singleBatch": true };
    let reply = router.run_in("config", find, READ_DEADLINE).await?;
    let setting = wire::first_batch(&reply).next();
    Ok(setting.and_then(|setting| {
        let window = setting.get_document("activeWindow").ok()?;
        let at = |field| window.get_str(field).ok().map(str::to_owned);
        Some(BalancerWindow { start: at("start")?, stop: at("stop")? })
    }))
}

/// What a shard's primary gave away and has not deleted yet; what it refuses to tell is absent.
pub(crate) async fn kept_ranges(primary: &Session) -> Option<KeptRanges> {
    let counted = doc! {
        "aggregate": "rangeDeletions",
        "pipeline": [
            { "$limit": CHUNKS_READ },
            { "$group": { "_id": "$nss", "ranges": { "$sum": 1 } } },
            { "$sort": { "ranges": -1 } },
            { "$limit": COLLECTIONS },
        ],
        "cursor": {},
    };
    let delay = doc! { "getParameter": 1, "orphanCleanupDelaySecs": 1 };
    let (counted, delay) =
        futures::join!(primary.run_in("config", counted, READ_DEADLINE), primary.run(delay, READ_DEADLINE));
    let counted = counted.ok()?;
    let rows = wire::first_batch(&counted).filter_map(|row| {
        let ranges = row.get("ranges").and_then(wire::integer)?;
        Some((row.get_str("_id").ok()?.to_owned(), u64::try_from(ranges).ok()?))
    });
    let seconds = |reply: Document| reply.get("orphanCleanupDelaySecs").and_then(wire::integer);
    let delay_seconds = delay.ok().and_then(seconds).and_then(|seconds| u64::try_from(seconds).ok());
    Some(KeptRanges { by_collection: rows.collect(), delay_seconds })
}

/// Carries out a step about the sharded cluster.
pub(crate) async fn run(wire: Wire<'_>, step: &ShardingAction) -> Result<Outcome, StepError> {
    match step {
        ShardingAction::RemoveShard { via, shard } => {
            let asked = wire.as_operator(via, doc! { "removeShard": shard }, CATALOG_DEADLINE).await;
            already_done_if(asked, code::SHARD_NOT_FOUND)
        }
        ShardingAction::MovePrimary { via, database, to } => {
            let command = doc! { "movePrimary": database, "to": to, "writeConcern": { "w": "majority" } };
            wire.as_operator(via, command, MOVE_DEADLINE).await
        }
        ShardingAction::StopBalancer { via } => {
            wire.as_operator(via, doc! { "balancerStop": 1 }, MOVE_DEADLINE).await
        }
        ShardingAction::StartBalancer { via } => {
            wire.as_operator(via, doc! { "balancerStart": 1 }, CATALOG_DEADLINE).await
        }
        ShardingAction::SetFeatureCompatibilityVersion { via, version } => {
            let command = doc! { "setFeatureCompatibilityVersion": version, "confirm": true };
            wire.as_operator(via, command, FEATURE_VERSION_DEADLINE).await
        }
        ShardingAction::SetDefaultConcerns { via, read } => {
            let mut command = doc! {
                "setDefaultRWConcern": 1,
                "defaultWriteConcern": { "w": "majority", "wtimeout": 0 },
                "writeConcern": { "w": "majority" },
            };
            if *read {
                command.insert("defaultReadConcern", doc! { "level": "majority" });
            }
            wire.as_operator(via, command, CATALOG_DEADLINE).await
        }
        ShardingAction::RecordDrain { .. }
        | ShardingAction::RecordRemoval { .. }
        | ShardingAction::RecordBalancerPause { .. }
        | ShardingAction::RecordBalancerResumed { .. } => Err(StepError::NotForTheWire { action: step.name() }),
    }
}

fn already_done_if(asked: Result<Outcome, StepError>, code: i32) -> Result<Outcome, StepError> {
    match asked {
        Err(StepError::Command { source, .. }) if source.code() == Some(code) => Ok(Outcome::AlreadyDone),
        other => other,
    }
}
