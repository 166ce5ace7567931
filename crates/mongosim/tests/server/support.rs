//! Sets of servers for the tests of this crate.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use mongodb::{
    Client,
    bson::{Document, doc},
    options::ClientOptions,
};
use mongosim::{
    options::ServerArgs,
    testing::{Member, heal, member_args, partition},
};
use tempfile::TempDir;

/// A replica set with short timers.
pub(crate) struct Set {
    pub(crate) name: String,
    pub(crate) members: Vec<Member>,
    pub(crate) dir: TempDir,
}

/// Settings for a set of one, under which it does not step down because a busy machine holds up the heartbeats of those
/// that join it.
pub(crate) fn calm_settings() -> Document {
    doc! { "heartbeatIntervalMillis": 100, "electionTimeoutMillis": 60_000, "heartbeatTimeoutSecs": 60 }
}

/// Settings under which a failover takes about a second.
pub(crate) fn fast_settings() -> Document {
    doc! { "heartbeatIntervalMillis": 100, "electionTimeoutMillis": 1000, "heartbeatTimeoutSecs": 1 }
}

impl Set {
    /// Fresh members, not initiated.
    pub(crate) fn fresh(name: &str, count: usize) -> anyhow::Result<Self> {
        Self::fresh_with(name, count, &[])
    }

    /// The same, with further parameters.
    pub(crate) fn fresh_with(name: &str, count: usize, parameters: &[&str]) -> anyhow::Result<Self> {
        let dir = TempDir::new()?;
        let start = |i: usize| {
            let mut args = args(name, &dir.path().join(i.to_string()));
            args.set_parameter.extend(parameters.iter().map(|&parameter| parameter.to_owned()));
            Member::spawn(args)
        };
        let members = (0..count).map(start).collect::<Result<_, _>>()?;
        Ok(Self { name: name.to_owned(), members, dir })
    }

    /// An initiated set with a primary.
    pub(crate) async fn up(name: &str, count: usize) -> anyhow::Result<Self> {
        let set = Self::fresh(name, count)?;
        set.initiate(fast_settings()).await?;
        Ok(set)
    }

    /// An initiated set in which nobody leads but whom the test asks to, the first member to begin with.
    pub(crate) async fn calm(name: &str, count: usize) -> anyhow::Result<Self> {
        let set = Self::fresh(name, count)?;
        let mut config = set.config();
        config.insert("settings", calm_settings());
        run(&set.members[0], doc! { "replSetInitiate": config }).await?;
        set.hand_over_to(0).await?;
        set.all_secondary().await?;
        Ok(set)
    }

    /// Initiates it, and waits until all members are in service.
    pub(crate) async fn initiate(&self, settings: Document) -> anyhow::Result<()> {
        let mut config = self.config();
        config.insert("settings", settings);
        run(&self.members[0], doc! { "replSetInitiate": config }).await?;
        self.primary().await?;
        self.all_secondary().await
    }

    /// A configuration of all members.
    pub(crate) fn config(&self) -> Document {
        let members: Vec<Document> =
            self.members.iter().enumerate().map(|(i, m)| doc! { "_id": i as i32, "host": m.host() }).collect();
        doc! { "_id": &self.name, "version": 1, "members": members, "settings": fast_settings() }
    }

    /// All members but one.
    pub(crate) fn others(&self, than: usize) -> Vec<usize> {
        (0..self.members.len()).filter(|i| *i != than).collect()
    }

    /// Gives the primary a history of its own: it takes `writes` while the others hear of it but fetch nothing, and is
    /// cut off afterwards. One that is cut off first steps down within an election timeout, which the writes would
    /// race against.
    pub(crate) async fn diverge(
        &self,
        primary: usize,
        writes: impl AsyncFnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let others: Vec<&Member> = self.others(primary).into_iter().map(|i| &self.members[i]).collect();
        fetch_nothing(&others, "alwaysOn").await?;
        writes().await?;
        partition(&[&self.members[primary]], &others);
        fetch_nothing(&others, "off").await
    }

    /// Ends all partitions.
    pub(crate) fn heal(&self) {
        heal(&self.members.iter().collect::<Vec<_>>());
    }

    /// Waits for a primary; its index.
    pub(crate) async fn primary(&self) -> anyhow::Result<usize> {
        let all: Vec<usize> = (0..self.members.len()).collect();
        self.primary_among(&all).await
    }

    /// Waits for a primary among some members.
    pub(crate) async fn primary_among(&self, among: &[usize]) -> anyhow::Result<usize> {
        let mut found = None;
        eventually("a primary", async || {
            for i in among {
                if let Ok(hello) = run(&self.members[*i], doc! { "hello": 1 }).await
                    && hello.get_bool("isWritablePrimary").unwrap_or(false)
                {
                    found = Some(*i);
                    return true;
                }
            }
            false
        })
        .await?;
        found.context("no primary")
    }

    /// Lets a member take over, as often as it must be asked.
    pub(crate) async fn hand_over_to(&self, member: usize) -> anyhow::Result<()> {
        eventually("the member to lead", async || {
            let hello = run(&self.members[member], doc! { "hello": 1 }).await;
            let leads = hello.is_ok_and(|hello| hello.get_bool("isWritablePrimary").unwrap_or(false));
            if !leads {
                // Where it is refused, it is asked once more.
                drop(run(&self.members[member], doc! { "replSetStepUp": 1 }).await);
            }
            leads
        })
        .await
    }

    /// Waits for the primary that takes over from one that is cut off, and until a majority holds what it began with:
    /// until then the other one could come back and be elected, with all that only it has.
    pub(crate) async fn successor(&self, of: usize) -> anyhow::Result<usize> {
        let next = self.primary_among(&self.others(of)).await?;
        eventually("a majority to follow the new primary", async || {
            let Ok(status) = run(&self.members[next], doc! { "replSetGetStatus": 1 }).await else { return false };
            let committed = status.get_document("optimes").and_then(|o| o.get_document("lastCommittedOpTime"));
            committed.and_then(|committed| committed.get_i64("t")).ok() == status.get_i64("term").ok()
        })
        .await?;
        Ok(next)
    }

    /// Waits until all but the primary are secondaries.
    pub(crate) async fn all_secondary(&self) -> anyhow::Result<()> {
        eventually("all members to be in service", async || {
            for member in &self.members {
                let serves = run(member, doc! { "hello": 1 }).await.is_ok_and(|h| {
                    h.get_bool("isWritablePrimary").unwrap_or(false) || h.get_bool("secondary").unwrap_or(false)
                });
                if !serves {
                    return false;
                }
            }
            true
        })
        .await
    }

    /// A driver's client of the whole set.
    pub(crate) async fn client(&self) -> anyhow::Result<Client> {
        let hosts: Vec<String> = self.members.iter().map(Member::host).collect();
        client(&format!("mongodb://{}/?replicaSet={}", hosts.join(","), self.name)).await
    }
}

/// Arguments of a set's member that knows fail points.
pub(crate) fn args(set: &str, dir: &Path) -> ServerArgs {
    let mut args = member_args(set, dir);
    args.set_parameter.push("enableTestCommands=1".to_owned());
    args
}

async fn fetch_nothing(members: &[&Member], mode: &str) -> anyhow::Result<()> {
    for member in members {
        run(member, doc! { "configureFailPoint": "stopReplProducer", "mode": mode }).await?;
    }
    Ok(())
}

/// A driver's client with short timeouts.
pub(crate) async fn client(uri: &str) -> anyhow::Result<Client> {
    let mut options = ClientOptions::parse(uri).await?;
    options.server_selection_timeout = Some(Duration::from_secs(15));
    options.connect_timeout = Some(Duration::from_secs(2));
    Ok(Client::with_options(options)?)
}

/// Runs an admin command on one server.
pub(crate) async fn run(member: &Member, command: Document) -> mongodb::error::Result<Document> {
    let mut options = ClientOptions::parse(member.uri()).await?;
    options.server_selection_timeout = Some(Duration::from_secs(15));
    Client::with_options(options)?.database("admin").run_command(command).await
}

/// The code of a refused command; 0 if it was not refused.
pub(crate) async fn code(member: &Member, command: Document) -> i32 {
    match run(member, command).await {
        Ok(_) => 0,
        Err(e) => code_of(&e),
    }
}

/// The server's code in a driver's error; -1 for an error of another kind.
pub(crate) fn code_of(error: &mongodb::error::Error) -> i32 {
    use mongodb::error::{ErrorKind, WriteFailure};
    match error.kind.as_ref() {
        ErrorKind::Command(e) => e.code,
        ErrorKind::Write(WriteFailure::WriteError(e)) => e.code,
        ErrorKind::Write(WriteFailure::WriteConcernError(e)) => e.code,
        _ => -1,
    }
}

/// Waits until something is so, for at most 20 s.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) -> anyhow::Result<()> {
    let began = Instant::now();
    while !holds().await {
        if began.elapsed() > Duration::from_secs(20) {
            bail!("waited 20 s for {what}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
