//! 38–39: shards come and go.

use anyhow::Result;
use mongodb::bson::{Document, doc};
use mongosim::options::ServerArgs;

use crate::support::{Lab, Server, Set, eventually, member_args};

/// Config servers and a router, without shards.
struct Cluster {
    _config: Set,
    router: Server,
}

impl Cluster {
    async fn up(lab: &Lab, name: &str) -> Result<Self> {
        let args = ServerArgs { configsvr: true, ..member_args(&format!("{name}-config")) };
        let config = lab.fresh_with(1, args).await?;
        let mut document = config.config();
        document.insert("configsvr", true);
        config.initiate(document).await?;
        let config_db = format!("{}/{}", config.name, config.members[0].host());
        let router = lab.server(ServerArgs { configdb: Some(config_db), ..ServerArgs::default() }).await?;
        eventually("the router to serve", async || router.is_primary().await).await?;
        Ok(Self { _config: config, router })
    }

    async fn add(&self, shard: &Set) -> Result<Document> {
        self.router.run(doc! { "addShard": url(shard) }).await
    }

    async fn remove(&self, shard: &Set) -> Result<Document> {
        self.router.run(doc! { "removeShard": &shard.name }).await
    }

    async fn shards(&self) -> Result<Vec<String>> {
        let reply = self.router.run(doc! { "listShards": 1 }).await?;
        let shards = reply.get_array("shards")?.iter().filter_map(|shard| shard.as_document());
        Ok(shards.filter_map(|shard| shard.get_str("_id").ok().map(str::to_owned)).collect())
    }
}

fn url(shard: &Set) -> String {
    format!("{}/{}", shard.name, shard.members[0].host())
}

async fn fresh_shard(lab: &Lab, name: &str) -> Result<Set> {
    lab.fresh_with(1, ServerArgs { shardsvr: true, ..member_args(name) }).await
}

async fn shard(lab: &Lab, name: &str) -> Result<Set> {
    let shard = fresh_shard(lab, name).await?;
    shard.initiate(shard.config()).await?;
    Ok(shard)
}

#[tokio::test(flavor = "multi_thread")]
async fn h38_a_shard_is_added_once_under_one_name_and_a_set_that_is_not_initiated_later() -> Result<()> {
    let lab = Lab::with_room(4).await?;
    let cluster = Cluster::up(&lab, "h38").await?;
    let first = shard(&lab, "h38-0").await?;
    for _ in 0..2 {
        assert_eq!(cluster.add(&first).await?.get_str("shardAdded")?, "h38-0");
    }
    let renamed = doc! { "addShard": url(&first), "name": "another" };
    assert_eq!(cluster.router.code(renamed).await, 20);
    assert_eq!(cluster.shards().await?, ["h38-0"]);

    let second = fresh_shard(&lab, "h38-1").await?;
    let refused = cluster.router.code(doc! { "addShard": url(&second) }).await;
    assert!(refused > 0, "a set without a config: {refused}");
    eprintln!("h38: addShard of a set that is not initiated: {refused}");
    assert_eq!(cluster.shards().await?, ["h38-0"]);
    second.initiate(second.config()).await?;
    assert_eq!(cluster.add(&second).await?.get_str("shardAdded")?, "h38-1");
    assert_eq!(cluster.shards().await?, ["h38-0", "h38-1"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn h39_a_shard_with_databases_is_removed_once_they_are_moved_and_never_the_last() -> Result<()> {
    let lab = Lab::with_room(4).await?;
    let cluster = Cluster::up(&lab, "h39").await?;
    let (staying, leaving) = (shard(&lab, "h39-0").await?, shard(&lab, "h39-1").await?);
    // A set's databases come with it.
    let insert = doc! { "insert": "c", "documents": [{ "_id": 1, "kept": true }] };
    leaving.members[0].run_on("moved", insert).await?;
    cluster.add(&staying).await?;
    cluster.add(&leaving).await?;

    assert_eq!(cluster.remove(&leaving).await?.get_str("state")?, "started");
    for _ in 0..2 {
        let ongoing = cluster.remove(&leaving).await?;
        assert_eq!(ongoing.get_str("state")?, "ongoing", "{ongoing}");
        assert_eq!(ongoing.get_array("dbsToMove")?.len(), 1, "{ongoing}");
    }
    cluster.router.run(doc! { "movePrimary": "moved", "to": "h39-0" }).await?;
    eventually("the drain to end", async || {
        cluster.remove(&leaving).await.is_ok_and(|reply| reply.get_str("state").ok() == Some("completed"))
    })
    .await?;
    assert_eq!(cluster.shards().await?, ["h39-0"]);
    let found = cluster.router.run_on("moved", doc! { "find": "c", "filter": { "_id": 1 } }).await?;
    assert_eq!(found.get_document("cursor")?.get_array("firstBatch")?.len(), 1, "{found}");
    assert_eq!(cluster.router.code(doc! { "removeShard": "h39-0" }).await, 20);
    Ok(())
}
