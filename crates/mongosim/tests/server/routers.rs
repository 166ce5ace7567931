//! How a router ends: it tells its clients, and serves them until they have gone elsewhere.

use std::{
    net::TcpStream,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::support::{Set, eventually, run};
use bson::{Document, doc};
use mongosim::{
    error::is_ok,
    net::{Connection, Faults},
    testing::{Member, member_args, mongos_args},
};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(20);

async fn config_servers(name: &str) -> anyhow::Result<Set> {
    let dir = TempDir::new()?;
    let mut args = member_args(name, dir.path());
    args.configsvr = true;
    let set = Set { name: name.to_owned(), members: vec![Member::spawn(args)?], dir };
    let mut config = set.config();
    config.insert("configsvr", true);
    run(&set.members[0], doc! { "replSetInitiate": config }).await?;
    set.primary().await?;
    Ok(set)
}

async fn connect(host: &str) -> anyhow::Result<Connection> {
    let faults = Arc::new(Faults::default());
    Ok(Connection::open(host, None, None, faults, (Instant::now() + LIMIT).into()).await?)
}

async fn ask(connection: &mut Connection, command: Document) -> anyhow::Result<Document> {
    let mut command = command;
    command.insert("$db", "admin");
    Ok(connection.command(&command, LIMIT).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_that_is_to_end_says_so_serves_on_and_then_closes_its_connections() -> anyhow::Result<()> {
    let config = config_servers("quiet-cfg").await?;
    let mut args = mongos_args(&format!("quiet-cfg/{}", config.members[0].host()));
    args.set_parameter.push("mongosShutdownTimeoutMillisForSignaledShutdown=3000".to_owned());
    let mut router = Member::spawn(args)?;
    let host = router.host();
    eventually("the router to listen", async || TcpStream::connect(&host).is_ok()).await?;
    let (mut waits, mut works) = (connect(&host).await?, connect(&host).await?);
    let hello = ask(&mut waits, doc! { "hello": 1 }).await?;
    let version = hello.get_document("topologyVersion")?.clone();
    let awaitable = doc! { "hello": 1, "topologyVersion": version, "maxAwaitTimeMS": 15_000 };
    let told = tokio::spawn(async move { ask(&mut waits, awaitable).await });

    let began = Instant::now();
    let ended = tokio::task::spawn_blocking(move || router.stop());
    let told = told.await??;
    assert_eq!((told.get_i32("code")?, told.get_str("codeName")?), (91, "ShutdownInProgress"), "{told}");
    assert!((1..=3000).contains(&told.get_i64("remainingQuiesceTimeMillis")?), "{told}");
    assert_eq!(told.get_document("topologyVersion")?.get_i64("counter")?, 1, "{told}");
    // What was connected, and who connects now, is served.
    assert!(is_ok(&ask(&mut works, doc! { "listShards": 1 }).await?));
    let mut late = connect(&host).await?;
    assert_eq!(ask(&mut late, doc! { "hello": 1 }).await?.get_i32("code")?, 91);
    assert!(is_ok(&ask(&mut late, doc! { "listShards": 1 }).await?));

    ended.await?;
    assert!(began.elapsed() >= Duration::from_secs(3), "{:?}", began.elapsed());
    assert!(ask(&mut works, doc! { "ping": 1 }).await.is_err());
    assert!(TcpStream::connect(&host).is_err());
    Ok(())
}
