//! The chunks of `config.system.sessions`: spread as shards come, drained as they go, and held up by a shard that has
//! not deleted yet what it gave away.

use crate::support::{Set, client, eventually, run};
use bson::doc;
use mongodb::{Client, bson::Document};
use mongosim::{
    options::ServerArgs,
    testing::{Member, member_args, mongos_args},
};
use tempfile::TempDir;

const CHUNKS: u64 = 12;

async fn set(name: &str, configsvr: bool, parameters: &[&str]) -> anyhow::Result<Set> {
    let dir = TempDir::new()?;
    let mut args = member_args(name, dir.path());
    (args.configsvr, args.shardsvr) = (configsvr, !configsvr);
    args.set_parameter.extend(parameters.iter().map(ToString::to_string));
    let set = Set { name: name.to_owned(), members: vec![Member::spawn(args)?], dir };
    let mut config = set.config();
    if configsvr {
        config.insert("configsvr", true);
    }
    run(&set.members[0], doc! { "replSetInitiate": config }).await?;
    set.primary().await?;
    Ok(set)
}

struct Cluster {
    _config: Set,
    shards: [Set; 2],
    _router: Member,
    client: Client,
}

impl Cluster {
    async fn up(name: &str) -> anyhow::Result<Self> {
        let chunks = format!("minNumChunksForSessionsCollection={CHUNKS}");
        let fast = ["logicalSessionRefreshMillis=100", "balancerMigrationsThrottlingMs=5", chunks.as_str()];
        let config = set(&format!("{name}-cfg"), true, &fast).await?;
        let shards = [set(&format!("{name}-0"), false, &[]).await?, set(&format!("{name}-1"), false, &[]).await?];
        let router = Member::spawn(mongos_args(&format!("{name}-cfg/{}", config.members[0].host())))?;
        let client = client(&router.uri()).await?;
        Ok(Self { _config: config, shards, _router: router, client })
    }

    async fn admin(&self, command: Document) -> mongodb::error::Result<Document> {
        self.client.database("admin").run_command(command).await
    }

    async fn add(&self, shard: usize) -> anyhow::Result<()> {
        let set = &self.shards[shard];
        self.admin(doc! { "addShard": format!("{}/{}", set.name, set.members[0].host()) }).await?;
        Ok(())
    }

    async fn remove(&self, shard: usize) -> mongodb::error::Result<Document> {
        self.admin(doc! { "removeShard": &self.shards[shard].name }).await
    }

    async fn chunks_on(&self, shard: usize) -> mongodb::error::Result<u64> {
        let chunks = self.client.database("config").collection::<Document>("chunks");
        chunks.count_documents(doc! { "shard": &self.shards[shard].name }).await
    }

    /// Ranges that a shard gave away and still holds.
    async fn kept_by(&self, shard: usize) -> anyhow::Result<u64> {
        let alone = client(&self.shards[shard].members[0].uri()).await?;
        Ok(alone.database("config").collection::<Document>("rangeDeletions").count_documents(doc! {}).await?)
    }

    async fn mark(&self, shard: usize, change: Document) -> anyhow::Result<()> {
        let chunks = self.client.database("config").collection::<Document>("chunks");
        chunks.update_one(doc! { "shard": &self.shards[shard].name }, change).await?;
        Ok(())
    }

    async fn spread(&self) -> anyhow::Result<()> {
        self.add(0).await?;
        eventually("the sessions' collection", async || self.chunks_on(0).await.is_ok_and(|n| n == CHUNKS))
            .await?;
        self.add(1).await?;
        eventually("half of it to move", async || self.chunks_on(1).await.is_ok_and(|n| n == CHUNKS / 2)).await
    }
}

/// What a removal says that is under way.
fn remaining(reply: &Document) -> Option<(i64, i64, i64)> {
    let remaining = reply.get_document("remaining").ok()?;
    let count = |field| remaining.get_i64(field).ok();
    Some((count("chunks")?, count("dbs")?, count("jumboChunks")?))
}

/// Chunks are not given back to a shard that still holds them as orphans.
#[tokio::test(flavor = "multi_thread")]
async fn a_drained_shard_waits_for_the_range_deleter_of_the_one_that_gave_it_its_chunks() -> anyhow::Result<()> {
    let mut cluster = Cluster::up("orphans").await?;
    cluster.spread().await?;
    let half = CHUNKS / 2;
    assert_eq!(cluster.kept_by(0).await?, half);
    let alone = client(&cluster.shards[0].members[0].uri()).await?.database("admin");
    let delay = alone.run_command(doc! { "getParameter": 1, "orphanCleanupDelaySecs": 1 }).await?;
    assert_eq!(delay.get_i32("orphanCleanupDelaySecs")?, 900);

    assert_eq!(cluster.remove(1).await?.get_str("state")?, "started");
    eventually("a round that waits", async || {
        let status = cluster.admin(doc! { "balancerStatus": 1 }).await;
        status.is_ok_and(|status| status.get_bool("inBalancerRound").unwrap_or(false))
    })
    .await?;
    for _ in 0..5 {
        let reply = cluster.remove(1).await?;
        assert_eq!((reply.get_str("state")?, remaining(&reply)), ("ongoing", Some((half as i64, 0, 0))));
    }
    assert_eq!(cluster.kept_by(0).await?, half);

    // Another primary counts from its election.
    let giver = &mut cluster.shards[0].members[0];
    giver.stop();
    giver.set_args(|args: &mut ServerArgs| args.set_parameter.push("orphanCleanupDelaySecs=0".to_owned()));
    giver.start()?;
    eventually("the drain to end", async || {
        cluster.remove(1).await.is_ok_and(|reply| reply.get_str("state").ok() == Some("completed"))
    })
    .await?;
    assert_eq!((cluster.chunks_on(0).await?, cluster.chunks_on(1).await?), (CHUNKS, 0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_counts_jumbo_chunks_and_rests_while_the_balancer_does() -> anyhow::Result<()> {
    let cluster = Cluster::up("jumbo").await?;
    cluster.spread().await?;
    cluster.admin(doc! { "balancerStop": 1 }).await?;
    cluster.mark(0, doc! { "$set": { "jumbo": true } }).await?;
    cluster.remove(0).await?;
    let half = (CHUNKS / 2) as i64;
    assert_eq!(remaining(&cluster.remove(0).await?), Some((half, 0, 1)));

    // The other shard gave nothing away, so nothing waits for it.
    cluster.admin(doc! { "balancerStart": 1 }).await?;
    eventually("all chunks but one to move", async || {
        cluster.remove(0).await.is_ok_and(|reply| remaining(&reply) == Some((1, 0, 1)))
    })
    .await?;
    cluster.mark(0, doc! { "$unset": { "jumbo": "" } }).await?;
    eventually("the drain to end", async || {
        cluster.remove(0).await.is_ok_and(|reply| reply.get_str("state").ok() == Some("completed"))
    })
    .await?;
    Ok(())
}
