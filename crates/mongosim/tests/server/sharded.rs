//! A sharded cluster with authentication: config servers, one shard, mongos.

use std::time::Duration;

use crate::support::{self, Set, client, code_of, eventually, fast_settings};
use bson::doc;
use mongodb::{Client, bson::Document};
use mongosim::{
    options::ServerArgs,
    testing::{Member, member_args, mongos_args, write_key_file},
};
use tempfile::TempDir;

const KEY: &str = "dGhpcyBpcyBhIHRlc3Qga2V5";

struct Cluster {
    config: Set,
    shard: Set,
    mongos: Member,
}

fn key_file(dir: &TempDir) -> anyhow::Result<std::path::PathBuf> {
    let path = dir.path().join("key");
    if path.exists() { Ok(path) } else { Ok(write_key_file(&path, KEY)?) }
}

fn secured_set(name: &str, count: usize, role: impl Fn(&mut ServerArgs)) -> anyhow::Result<Set> {
    let dir = TempDir::new()?;
    let key = key_file(&dir)?;
    let members = (0..count)
        .map(|i| {
            let mut args = member_args(name, &dir.path().join(i.to_string()));
            args.key_file = Some(key.clone());
            role(&mut args);
            Member::spawn(args)
        })
        .collect::<Result<_, _>>()?;
    Ok(Set { name: name.to_owned(), members, dir })
}

async fn initiate(set: &Set, config: Document) -> anyhow::Result<()> {
    support::run(&set.members[0], doc! { "replSetInitiate": config }).await?;
    set.primary().await?;
    set.all_secondary().await
}

async fn create_root(member: &Member) -> mongodb::error::Result<Document> {
    let command = doc! { "createUser": "root", "pwd": "secret", "roles": ["root"] };
    support::run(member, command).await
}

fn as_root(member: &Member) -> String {
    format!("mongodb://root:secret@{}/?directConnection=true&authSource=admin", member.host())
}

async fn cluster(name: &str, shard_members: usize) -> anyhow::Result<Cluster> {
    let config_name = format!("{name}-cfg");
    let config = secured_set(&config_name, 1, |args| args.configsvr = true)?;
    let mut document = config.config();
    document.insert("configsvr", true);
    initiate(&config, document).await?;
    let shard = secured_set(&format!("{name}-rs0"), shard_members, |args| args.shardsvr = true)?;
    initiate(&shard, shard.config()).await?;
    let mut args = mongos_args(&format!("{config_name}/{}", config.members[0].host()));
    args.key_file = Some(key_file(&config.dir)?);
    let mongos = Member::spawn(args)?;
    eventually("mongos to serve", async || {
        support::run(&mongos, doc! { "hello": 1 })
            .await
            .is_ok_and(|h| h.get_bool("isWritablePrimary").unwrap_or(false))
    })
    .await?;
    create_root(&mongos).await?;
    Ok(Cluster { config, shard, mongos })
}

impl Cluster {
    async fn root(&self) -> anyhow::Result<Client> {
        client(&format!("mongodb://root:secret@{}/?authSource=admin", self.mongos.host())).await
    }

    fn shard_url(&self) -> String {
        let hosts: Vec<String> = self.shard.members.iter().map(Member::host).collect();
        format!("{}/{}", self.shard.name, hosts.join(","))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_localhost_exception_makes_one_user() -> anyhow::Result<()> {
    let set = secured_set("h40", 1, |_| {})?;
    let member = &set.members[0];
    assert_eq!(support::code(member, doc! { "replSetGetConfig": 1 }).await, 13);
    initiate(&set, set.config()).await?;
    assert_eq!(support::code(member, doc! { "insert": "c", "documents": [{}] }).await, 13);
    create_root(member).await?;
    assert_eq!(code_of(&create_root(member).await.unwrap_err()), 13);
    let root = client(&as_root(member)).await?;
    root.database("admin").run_command(doc! { "replSetGetConfig": 1 }).await?;
    let again = root.database("admin").run_command(doc! { "createUser": "root", "pwd": "x", "roles": [] }).await;
    assert_eq!(code_of(&again.unwrap_err()), 51003);
    let wrong = client(&format!("mongodb://root:wrong@{}/?directConnection=true", member.host())).await?;
    assert!(wrong.database("admin").run_command(doc! { "replSetGetConfig": 1 }).await.is_err());
    let system = format!("mongodb://__system:{KEY}@{}/?directConnection=true&authSource=local", member.host());
    client(&system).await?.database("admin").run_command(doc! { "replSetGetConfig": 1 }).await?;
    root.database("admin")
        .run_command(
            doc! { "createUser": "writer", "pwd": "w", "roles": [{ "role": "readWrite", "db": "history" }] },
        )
        .await?;
    let writer = client(&format!("mongodb://writer:w@{}/?directConnection=true", member.host())).await?;
    writer.database("history").collection("c").insert_one(doc! { "_id": 1 }).await?;
    let elsewhere = writer.database("other").collection("c").insert_one(doc! { "_id": 1 }).await;
    assert_eq!(code_of(&elsewhere.unwrap_err()), 13);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_are_added_once() -> anyhow::Result<()> {
    let cluster = cluster("add", 1).await?;
    let admin = cluster.root().await?.database("admin");
    let url = cluster.shard_url();
    let add = |name: Option<&str>, url: &str| {
        let mut command = doc! { "addShard": url };
        if let Some(name) = name {
            command.insert("name", name);
        }
        admin.run_command(command)
    };
    let code = |result: mongodb::error::Result<Document>| result.map_or_else(|e| code_of(&e), |_| 0);
    assert_eq!(code(add(Some("config"), &url).await), 2);
    assert_eq!(code(add(None, &format!("other/{}", cluster.shard.members[0].host())).await), 96);
    let config_url = format!("{}/{}", cluster.config.name, cluster.config.members[0].host());
    assert_eq!(code(add(Some("c"), &config_url).await), 96);
    assert_eq!(add(None, &url).await?.get_str("shardAdded")?, cluster.shard.name);
    assert_eq!(add(None, &url).await?.get_str("shardAdded")?, cluster.shard.name);
    assert_eq!(code(add(Some("another"), &url).await), 20);
    let shards = admin.run_command(doc! { "listShards": 1 }).await?;
    assert_eq!(shards.get_array("shards")?.len(), 1);
    assert_eq!(code(admin.run_command(doc! { "removeShard": &cluster.shard.name }).await), 20);
    assert_eq!(code(admin.run_command(doc! { "removeShard": "none" }).await), 70);
    assert_eq!(admin.run_command(doc! { "balancerStatus": 1 }).await?.get_str("mode")?, "full");
    admin.run_command(doc! { "balancerStop": 1 }).await?;
    assert_eq!(admin.run_command(doc! { "balancerStatus": 1 }).await?.get_str("mode")?, "off");
    admin.run_command(doc! { "setFeatureCompatibilityVersion": "7.0", "confirm": true }).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_go_through_mongos_across_a_step_down() -> anyhow::Result<()> {
    let cluster = cluster("route", 3).await?;
    let client = cluster.root().await?;
    client.database("admin").run_command(doc! { "addShard": cluster.shard_url() }).await?;
    let c = client.database("history").collection::<Document>("writes");
    let writer = {
        let c = c.clone();
        tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            for id in 0..300_i64 {
                if c.insert_one(doc! { "_id": id }).await.is_ok() {
                    acknowledged.push(id);
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            acknowledged
        })
    };
    tokio::time::sleep(Duration::from_millis(300)).await;
    let primary = cluster.shard.primary().await?;
    let shard_root = client_of_shard(&cluster, primary).await?;
    shard_root.database("admin").run_command(doc! { "replSetStepDown": 20 }).await?;
    let acknowledged = writer.await?;
    assert_eq!(acknowledged.len(), 300);
    assert_eq!(c.count_documents(doc! {}).await?, 300);
    assert_ne!(cluster.shard.primary().await?, primary);
    let databases = client.list_database_names().await?;
    assert!(databases.contains(&"history".to_owned()), "{databases:?}");
    Ok(())
}

/// A shard has users of its own, made through its own localhost exception.
async fn client_of_shard(cluster: &Cluster, primary: usize) -> anyhow::Result<Client> {
    let member = &cluster.shard.members[primary];
    create_root(member).await?;
    assert!(fast_settings().contains_key("electionTimeoutMillis"));
    client(&as_root(member)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn mongos_finds_the_next_primary_after_a_crash() -> anyhow::Result<()> {
    let mut cluster = cluster("crashed", 3).await?;
    let client = cluster.root().await?;
    client.database("admin").run_command(doc! { "addShard": cluster.shard_url() }).await?;
    let c = client.database("history").collection::<Document>("writes");
    c.insert_one(doc! { "_id": -1 }).await?;
    let primary = cluster.shard.primary().await?;
    cluster.shard.members[primary].kill();
    for id in 0..20 {
        c.insert_one(doc! { "_id": id }).await?;
    }
    assert_eq!(c.count_documents(doc! {}).await?, 21);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_moves_to_another_shard_under_writes() -> anyhow::Result<()> {
    let cluster = cluster("moves", 1).await?;
    let second = secured_set("moves-rs1", 1, |args| args.shardsvr = true)?;
    initiate(&second, second.config()).await?;
    let client = cluster.root().await?;
    let admin = client.database("admin");
    admin.run_command(doc! { "addShard": cluster.shard_url() }).await?;
    let history = client.database("history");
    let c = history.collection::<Document>("writes");
    c.insert_many((0..500).map(|id| doc! { "_id": id, "pad": "x".repeat(100) })).await?;
    history
        .run_command(doc! { "createIndexes": "writes", "indexes": [{ "key": { "n": 1 }, "name": "n_1" }] })
        .await?;
    admin.run_command(doc! { "addShard": format!("moves-rs1/{}", second.members[0].host()) }).await?;
    let other_router = {
        let args = mongos_args(&format!("{}/{}", cluster.config.name, cluster.config.members[0].host()));
        Member::spawn(ServerArgs { key_file: Some(key_file(&cluster.config.dir)?), ..args })?
    };
    let other =
        support::client(&format!("mongodb://root:secret@{}/?authSource=admin", other_router.host())).await?;
    assert_eq!(other.database("history").collection::<Document>("writes").count_documents(doc! {}).await?, 500);
    let writer = {
        let c = other.database("history").collection::<Document>("writes");
        tokio::spawn(async move {
            for id in 1000..1300 {
                c.insert_one(doc! { "_id": id }).await?;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            anyhow::Ok(())
        })
    };
    for (to, places) in [("moves-rs1", 1), ("moves-rs0", 0), ("moves-rs1", 1)] {
        admin.run_command(doc! { "movePrimary": "history", "to": to }).await?;
        admin.run_command(doc! { "movePrimary": "history", "to": to }).await?;
        let listed = client.database("config").collection::<Document>("databases");
        let row = listed.find_one(doc! { "_id": "history" }).await?.unwrap();
        assert_eq!(row.get_str("primary")?, to, "{places}");
    }
    writer.await??;
    assert_eq!(c.count_documents(doc! {}).await?, 800);
    let indexes = c.list_index_names().await?;
    assert!(indexes.contains(&"n_1".to_owned()), "{indexes:?}");
    let host = cluster.shard.members[0].host();
    let system = format!("mongodb://__system:{KEY}@{host}/?directConnection=true&authSource=local");
    let left = support::client(&system).await?;
    assert!(!left.list_database_names().await?.contains(&"history".to_owned()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_is_removed_once_its_databases_have_left() -> anyhow::Result<()> {
    let cluster = cluster("drain", 1).await?;
    let second = secured_set("drain-rs1", 1, |args| args.shardsvr = true)?;
    initiate(&second, second.config()).await?;
    let client = cluster.root().await?;
    let admin = client.database("admin");
    admin.run_command(doc! { "addShard": cluster.shard_url() }).await?;
    client.database("history").collection("c").insert_one(doc! { "_id": 1 }).await?;
    admin.run_command(doc! { "addShard": format!("drain-rs1/{}", second.members[0].host()) }).await?;
    admin.run_command(doc! { "movePrimary": "history", "to": "drain-rs1" }).await?;
    let remove = || admin.run_command(doc! { "removeShard": "drain-rs1" });
    assert_eq!(remove().await?.get_str("state")?, "started");
    assert_eq!(remove().await?.get_str("state")?, "ongoing");
    let refused = admin.run_command(doc! { "movePrimary": "history", "to": "drain-rs1" }).await;
    assert!(refused.is_ok(), "it is there already");
    admin.run_command(doc! { "movePrimary": "history", "to": "drain-rs0" }).await?;
    let back = admin.run_command(doc! { "movePrimary": "history", "to": "drain-rs1" }).await;
    assert_eq!(code_of(&back.unwrap_err()), 20);
    assert_eq!(remove().await?.get_str("state")?, "completed");
    assert_eq!(code_of(&remove().await.unwrap_err()), 70);
    assert_eq!(client.database("history").collection::<Document>("c").count_documents(doc! {}).await?, 1);
    Ok(())
}
