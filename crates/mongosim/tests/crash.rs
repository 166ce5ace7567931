//! The binary, killed with -9.

mod common;

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use bson::doc;
use common::{client, eventually};
use mongodb::{bson::Document, options::WriteConcern};
use mongosim::testing::free_port;
use tempfile::TempDir;

/// A process that does not outlive its test.
struct Server(Child);

impl Server {
    fn kill(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn start(dir: &Path, port: u16) -> anyhow::Result<Server> {
    let process = Command::new(env!("CARGO_BIN_EXE_mongosim"))
        .args(["--replSet", "crash", "--port", &port.to_string(), "--dbpath"])
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
    let mut acknowledged = Vec::new();
    for round in 0..4_i64 {
        eventually("the server to be ready", async || probe("ready", port)).await?;
        let journaled = WriteConcern::builder().journal(true).build();
        let writer = {
            let uri = uri.clone();
            tokio::spawn(async move {
                let mut done = Vec::new();
                let Ok(client) = client(&uri).await else { return done };
                let c = client.database("test").collection::<Document>("c");
                for id in round * 100_000.. {
                    if c.insert_one(doc! { "_id": id }).write_concern(journaled.clone()).await.is_err() {
                        return done;
                    }
                    done.push(id);
                }
                done
            })
        };
        tokio::time::sleep(Duration::from_millis(400)).await;
        server.kill();
        server = start(dir.path(), port)?;
        writer.abort();
        acknowledged.extend(writer.await.unwrap_or_default());
    }
    eventually("the server to be ready", async || probe("ready", port)).await?;
    let c = client(&uri).await?.database("test").collection::<Document>("c");
    for id in &acknowledged {
        assert!(c.find_one(doc! { "_id": *id }).await?.is_some(), "{id} was acknowledged and is gone");
    }
    Ok(())
}
