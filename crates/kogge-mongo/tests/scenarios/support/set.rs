//! Replica sets with short timers, and the room that a test takes.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use mongodb::bson::{Document, doc};
use mongosim::options::ServerArgs;
use mongosim::testing::{self, write_key_file};
use tempfile::TempDir;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::config::member;
use super::server::Server;
use super::waiting::{eventually, wait_for};

/// Servers at a time, over all tests.
const ROOM: usize = 24;
/// The key of the secured sets.
pub(crate) const KEY: &str = "dGhlIGtleSBvZiB0aGUgc2NlbmFyaW9z";

/// One test's room for servers, and their folder.
pub(crate) struct Lab {
    dir: TempDir,
    _room: OwnedSemaphorePermit,
}

/// The members of a replica set, by the index that they have in its first config.
pub(crate) struct Set {
    pub(crate) name: String,
    pub(crate) members: Vec<Server>,
}

/// Arguments of a set's member.
pub(crate) fn member_args(set: &str) -> ServerArgs {
    ServerArgs { repl_set: Some(set.to_owned()), ..ServerArgs::default() }
}

impl Lab {
    /// Waits for room for so many servers.
    pub(crate) async fn with_room(servers: u32) -> Result<Self> {
        static SLOTS: OnceLock<Arc<Semaphore>> = OnceLock::new();
        let slots = SLOTS.get_or_init(|| Arc::new(Semaphore::new(ROOM)));
        Ok(Self { dir: TempDir::new()?, _room: slots.clone().acquire_many_owned(servers).await? })
    }

    /// Starts a server with a folder of its own; a router has none.
    pub(crate) async fn server(&self, mut args: ServerArgs) -> Result<Server> {
        let name = format!("s{}", self.dir.path().read_dir()?.count());
        let log = self.dir.path().join(format!("{name}.log"));
        std::fs::write(&log, "")?;
        if args.configdb.is_none() {
            args.dbpath = Some(self.dir.path().join(name));
        }
        Server::start_new(args, log).await
    }

    /// The key that the members of secured sets share.
    pub(crate) fn key_file(&self) -> Result<PathBuf> {
        self.key_file_with("key", KEY)
    }

    /// A keyfile.
    pub(crate) fn key_file_with(&self, name: &str, key: &str) -> Result<PathBuf> {
        let path = self.dir.path().join(name);
        if path.exists() { Ok(path) } else { Ok(write_key_file(&path, key)?) }
    }

    /// Fresh members that nobody has initiated.
    pub(crate) async fn fresh(&self, name: &str, count: usize) -> Result<Set> {
        self.fresh_with(count, member_args(name)).await
    }

    /// The same, with more arguments.
    pub(crate) async fn fresh_with(&self, count: usize, args: ServerArgs) -> Result<Set> {
        let name = args.repl_set.clone().context("a set has a name")?;
        let started = futures::future::join_all((0..count).map(|_| self.server(args.clone()))).await;
        Ok(Set { name, members: started.into_iter().collect::<Result<_>>()? })
    }

    /// A set with a primary and secondaries.
    pub(crate) async fn up(&self, name: &str, count: usize) -> Result<Set> {
        let set = self.fresh(name, count).await?;
        set.initiate(set.config()).await?;
        Ok(set)
    }
}

impl Set {
    /// A config of all members, under which a failover takes about a second.
    pub(crate) fn config(&self) -> Document {
        let members = self.members.iter().enumerate();
        let members: Vec<Document> = members.map(|(i, server)| member(i as i32, &server.host())).collect();
        let settings =
            doc! { "heartbeatIntervalMillis": 100, "electionTimeoutMillis": 1000, "heartbeatTimeoutSecs": 2 };
        doc! { "_id": &self.name, "version": 1, "members": members, "settings": settings }
    }

    /// Initiates it on the first member and waits until all serve.
    pub(crate) async fn initiate(&self, config: Document) -> Result<()> {
        self.members[0].run(doc! { "replSetInitiate": config }).await?;
        self.primary().await?;
        self.in_service().await
    }

    /// Waits for the primary; its index.
    pub(crate) async fn primary(&self) -> Result<usize> {
        let all: Vec<usize> = (0..self.members.len()).collect();
        self.primary_among(&all).await
    }

    /// Waits for a primary among some members; its index.
    pub(crate) async fn primary_among(&self, among: &[usize]) -> Result<usize> {
        wait_for("a primary", async || {
            for index in among {
                if self.members[*index].is_primary().await {
                    return Some(*index);
                }
            }
            None
        })
        .await
    }

    /// Waits until every member is primary, secondary or arbiter.
    pub(crate) async fn in_service(&self) -> Result<()> {
        let serves = |hello: &Document| {
            ["isWritablePrimary", "secondary", "arbiterOnly"].iter().any(|s| hello.get_bool(s).unwrap_or(false))
        };
        for server in &self.members {
            let waiting = async || server.hello().await.is_ok_and(|hello| serves(&hello));
            eventually("a member to be in service", waiting).await?;
        }
        Ok(())
    }

    /// Everybody but one.
    pub(crate) fn others(&self, index: usize) -> Vec<usize> {
        (0..self.members.len()).filter(|other| *other != index).collect()
    }
}

/// Cuts two groups of mongosims off from each other; clients still reach all of them.
pub(crate) fn partition(set: &Set, left: &[usize], right: &[usize]) -> Result<()> {
    let members = |group: &[usize]| group.iter().map(|i| set.members[*i].member()).collect::<Result<Vec<_>>>();
    testing::partition(&members(left)?, &members(right)?);
    Ok(())
}

/// Ends all partitions of a set.
pub(crate) fn heal(set: &Set) -> Result<()> {
    testing::heal(&set.members.iter().map(Server::member).collect::<Result<Vec<_>>>()?);
    Ok(())
}
