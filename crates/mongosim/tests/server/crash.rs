//! The binary: killed with -9, told to end, and with its data removed from under it.

use std::{
    collections::BTreeSet,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::support::{client, eventually};
use bson::doc;
use futures::TryStreamExt as _;
use mongodb::{
    bson::Document,
    options::{ClientOptions, WriteConcern},
};
use mongosim::testing::{SHORT_TIMES, free_port};
use parking_lot::Mutex;
use tempfile::TempDir;

/// A process that does not outlive its test.
struct Server(Child);

impl Server {
    fn kill(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }

    /// SIGTERM.
    fn terminate(&self) -> anyhow::Result<()> {
        let told = Command::new("kill").arg(self.0.id().to_string()).status()?;
        anyhow::ensure!(told.success(), "kill failed");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn start(dir: &Path, port: u16) -> anyhow::Result<Server> {
    start_with(dir, port, &SHORT_TIMES)
}

fn start_with(dir: &Path, port: u16, parameters: &[&str]) -> anyhow::Result<Server> {
    let process = Command::new(env!("CARGO_BIN_EXE_mongosim"))
        .args(["--replSet", "crash", "--port", &port.to_string()])
        .args(parameters.iter().flat_map(|parameter| ["--setParameter", parameter]))
        .arg("--dbpath")
        .arg(dir)
        .stdout(Stdio::null())
        .spawn()?;
    Ok(Server(process))
}

fn probe(kind: &str, port: u16) -> bool {
    let probe = Command::new(env!("CARGO_BIN_EXE_mongosim"))
        .args([kind, "--port", &port.to_string(), "--timeout", "2"])
        .stderr(Stdio::null())
        .status();
    probe.is_ok_and(|status| status.success())
}

/// Whether the server takes writes: it is ready a moment before, as a secondary.
async fn leads(uri: &str) -> bool {
    let Ok(client) = client(uri).await else { return false };
    let hello = client.database("admin").run_command(doc! { "hello": 1 }).await;
    hello.is_ok_and(|hello| hello.get_bool("isWritablePrimary").unwrap_or(false))
}

/// What clients were told is done.
#[derive(Default)]
struct Acknowledged {
    inserted: Vec<i64>,
    /// Increments of each writer's counter.
    counted: [i64; WRITERS],
}

const WRITERS: usize = 4;
const ROUNDS: i64 = 8;

/// Inserts and counts with `j: true` until the server is gone. Writes that are not answered are not repeated.
async fn write(
    uri: &str,
    writer: usize,
    round: i64,
    acknowledged: &Mutex<Acknowledged>,
) -> mongodb::error::Result<()> {
    let mut options = ClientOptions::parse(uri).await?;
    options.retry_writes = Some(false);
    let test = mongodb::Client::with_options(options)?.database("test");
    let journaled = WriteConcern::builder().journal(true).build();
    let (c, counters) = (test.collection::<Document>("c"), test.collection::<Document>("counters"));
    for n in 0.. {
        let id = (round * WRITERS as i64 + writer as i64) * 1_000_000 + n;
        c.insert_one(doc! { "_id": id }).write_concern(journaled.clone()).await?;
        acknowledged.lock().inserted.push(id);
        counters
            .update_one(doc! { "_id": writer as i64 }, doc! { "$inc": { "n": 1_i64 } })
            .upsert(true)
            .write_concern(journaled.clone())
            .await?;
        acknowledged.lock().counted[writer] += 1;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_journaled_write_is_lost() -> anyhow::Result<()> {
    let dir = TempDir::new()?;
    let port = free_port()?;
    let uri = format!("mongodb://127.0.0.1:{port}/?directConnection=true");
    let mut server = start(dir.path(), port)?;
    eventually("the server to answer", async || probe("ping", port)).await?;
    assert!(!probe("ready", port), "it has no configuration yet");
    let config =
        doc! { "_id": "crash", "version": 1, "members": [{ "_id": 0, "host": format!("127.0.0.1:{port}") }] };
    client(&uri).await?.database("admin").run_command(doc! { "replSetInitiate": config }).await?;
    let acknowledged = Arc::new(Mutex::new(Acknowledged::default()));
    for round in 0..ROUNDS {
        eventually("the server to be ready", async || probe("ready", port)).await?;
        eventually("it to take writes", async || leads(&uri).await).await?;
        let before = acknowledged.lock().inserted.len();
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (uri, acknowledged) = (uri.clone(), acknowledged.clone());
                tokio::spawn(async move { write(&uri, writer, round, &acknowledged).await })
            })
            .collect();
        eventually("some writes", async || acknowledged.lock().inserted.len() > before + 20).await?;
        tokio::time::sleep(Duration::from_millis(50 + 37 * round as u64)).await;
        server.kill();
        for writer in writers {
            assert!(writer.await?.is_err(), "a writer ended without the server's end");
        }
        server = start(dir.path(), port)?;
    }
    eventually("the server to be ready", async || probe("ready", port)).await?;
    let test = client(&uri).await?.database("test");
    let stored: BTreeSet<i64> = test
        .collection::<Document>("c")
        .find(doc! {})
        .await?
        .try_collect::<Vec<_>>()
        .await?
        .iter()
        .filter_map(|d| d.get_i64("_id").ok())
        .collect();
    let acknowledged = std::mem::take(&mut *acknowledged.lock());
    let lost: Vec<&i64> = acknowledged.inserted.iter().filter(|id| !stored.contains(id)).collect();
    assert!(
        lost.is_empty(),
        "{} of {} were acknowledged and are gone: {lost:?}",
        lost.len(),
        acknowledged.inserted.len()
    );
    // At each end, one more write of each writer may have been done that nobody was told of.
    let most = acknowledged.inserted.len() as i64 + ROUNDS * WRITERS as i64;
    assert!(stored.len() as i64 <= most, "{} stored, {most} written", stored.len());
    let counters = test.collection::<Document>("counters").find(doc! {}).await?.try_collect::<Vec<_>>().await?;
    for counter in counters {
        let told = acknowledged.counted[counter.get_i64("_id")? as usize];
        let n = counter.get_i64("n")?;
        assert!((told..=told + ROUNDS).contains(&n), "{told} increments were acknowledged, {n} are there");
    }
    println!("killed {ROUNDS} times, {} writes acknowledged, none lost", acknowledged.inserted.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_that_is_removed_ends_the_server_with_14() -> anyhow::Result<()> {
    let dir = TempDir::new()?;
    let (data, port) = (dir.path().join("data"), free_port()?);
    let mut server = start(&data, port)?;
    eventually("the server to answer", async || probe("ping", port)).await?;
    std::fs::remove_dir_all(&data)?;
    // Nobody asks it anything: an idle server finds out by itself.
    let mut exit = None;
    eventually("the server to end", async || {
        exit = server.0.try_wait().ok().flatten();
        exit.is_some()
    })
    .await?;
    assert_eq!(exit.and_then(|exit| exit.code()), Some(14));
    assert!(!data.exists(), "nothing was written again");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_is_alone_ends_at_once_on_sigterm() -> anyhow::Result<()> {
    let dir = TempDir::new()?;
    let port = free_port()?;
    let mut server = start_with(dir.path(), port, &["configLoadMillis=100"])?;
    eventually("the server to answer", async || probe("ping", port)).await?;
    let uri = format!("mongodb://127.0.0.1:{port}/?directConnection=true");
    let config =
        doc! { "_id": "crash", "version": 1, "members": [{ "_id": 0, "host": format!("127.0.0.1:{port}") }] };
    client(&uri).await?.database("admin").run_command(doc! { "replSetInitiate": config }).await?;
    eventually("it to take writes", async || leads(&uri).await).await?;
    let began = Instant::now();
    server.terminate()?;
    let exit = server.0.wait()?;
    assert_eq!(exit.code(), Some(0));
    // It has the 15 s that mongod has, and nobody to wait for.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sigterm_changes_nothing() -> anyhow::Result<()> {
    const SLOW_END: [&str; 2] = ["configLoadMillis=100", "shutdownTimeoutMillisForSignaledShutdown=600000"];
    let dir = TempDir::new()?;
    let ports = [free_port()?, free_port()?];
    let _primary = start_with(&dir.path().join("0"), ports[0], &SLOW_END)?;
    let mut ending = start_with(&dir.path().join("1"), ports[1], &SLOW_END)?;
    for port in ports {
        eventually("a server to answer", async || probe("ping", port)).await?;
    }
    let uri = format!("mongodb://127.0.0.1:{}/?directConnection=true", ports[0]);
    let listed = ports.iter().enumerate();
    let listed: Vec<Document> = listed
        .map(|(i, port)| doc! { "_id": i as i32, "host": format!("127.0.0.1:{port}"), "priority": 1 - i as i32 })
        .collect();
    let config = doc! { "_id": "crash", "version": 1, "members": listed };
    client(&uri).await?.database("admin").run_command(doc! { "replSetInitiate": config }).await?;
    eventually("it to follow", async || probe("ready", ports[1])).await?;
    ending.terminate()?;
    eventually("it to quiesce", async || !probe("ping", ports[1])).await?;
    ending.terminate()?;
    // mongod does not look at signals any more; whoever does ends at once.
    for _ in 0..20 {
        assert!(ending.0.try_wait()?.is_none(), "the second signal ended it");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    Ok(())
}
