//! One server, of either kind.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use mongodb::bson::{Document, doc};
use mongosim::options::ServerArgs;
use mongosim::testing::{Member, SHORT_TIMES, free_port};
use thiserror::Error;

use super::process::{Process, mongod, tell_what_runs};
use super::waiting::eventually;
use super::wire;

/// A server that can be killed, wiped and started again. Ended on drop.
#[derive(Debug)]
pub(crate) struct Server {
    args: ServerArgs,
    port: u16,
    log: PathBuf,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Stopped,
    Sim(Box<Member>),
    Real(#[expect(dead_code, reason = "ended on drop")] Process),
}

/// A command that a server refused.
#[derive(Debug, Error)]
#[error("{message} (code {code})")]
pub(crate) struct Refusal {
    pub(crate) code: i32,
    message: String,
}

impl Server {
    pub(crate) async fn start_new(mut args: ServerArgs, log: PathBuf) -> Result<Self> {
        tell_what_runs();
        let port = free_port()?;
        args.port = Some(port);
        args.set_parameter.push("enableTestCommands=1".to_owned());
        let mut server = Self { args, port, log, kind: Kind::Stopped };
        server.start().await?;
        Ok(server)
    }

    /// Starts it again, with the same port and data, and waits for its first answer.
    pub(crate) async fn start(&mut self) -> Result<()> {
        self.kind = match mongod() {
            None => Kind::Sim(Box::new(Member::spawn(self.with_short_times())?)),
            Some(mongod) => Kind::Real(Process::start(&mongod, &self.args, &self.log)?),
        };
        eventually("a server to answer", async || self.run(doc! { "hello": 1 }).await.is_ok()).await
    }

    /// mongosim need not take as long as a real server does.
    fn with_short_times(&self) -> ServerArgs {
        let mut args = self.args.clone();
        args.set_parameter.extend(SHORT_TIMES.map(str::to_owned));
        args
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        self.kind = Kind::Stopped;
    }

    /// Throws its data away, as a lost disk does. The server must be dead.
    pub(crate) fn wipe(&mut self) -> Result<()> {
        let dbpath = self.args.dbpath.as_ref().context("a router has no data")?;
        Ok(fs::remove_dir_all(dbpath)?)
    }

    /// Starts it with a fail point that holds from the beginning.
    pub(crate) async fn start_with(&mut self, fail_point: &str) -> Result<()> {
        self.args.set_parameter.push(format!("failpoint.{fail_point}={{\"mode\":\"alwaysOn\"}}"));
        let started = self.start().await;
        self.args.set_parameter.pop();
        started
    }

    /// `127.0.0.1:port`.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// mongosim's end of a partition.
    pub(crate) fn member(&self) -> Result<&Member> {
        match &self.kind {
            Kind::Sim(member) => Ok(member),
            Kind::Real(_) | Kind::Stopped => Err(anyhow::anyhow!("only a running mongosim can be cut off")),
        }
    }

    /// Runs a command on `admin`.
    pub(crate) async fn run(&self, command: Document) -> Result<Document> {
        self.run_on("admin", command).await
    }

    pub(crate) async fn run_on(&self, db: &str, command: Document) -> Result<Document> {
        accepted(wire::ask(&self.host(), db, &command).await?)
    }

    /// The code of a refused command; 0 where it was not refused, -1 where there was no answer.
    pub(crate) async fn code(&self, command: Document) -> i32 {
        code_of(&self.run(command).await)
    }

    pub(crate) async fn hello(&self) -> Result<Document> {
        self.run(doc! { "hello": 1 }).await
    }

    /// Whether it takes writes, by its own word.
    pub(crate) async fn is_primary(&self) -> bool {
        self.hello().await.is_ok_and(|hello| hello.get_bool("isWritablePrimary").unwrap_or(false))
    }

    pub(crate) async fn status(&self) -> Result<Document> {
        self.run(doc! { "replSetGetStatus": 1 }).await
    }

    /// Its state, by its own word; absent while it has none.
    pub(crate) async fn state(&self) -> Option<i32> {
        self.status().await.ok()?.get_i32("myState").ok()
    }

    pub(crate) async fn term(&self) -> Result<i64> {
        Ok(self.status().await?.get_i64("term")?)
    }

    /// How many members vote, by its own word.
    pub(crate) async fn voting_members(&self) -> Result<i32> {
        Ok(self.status().await?.get_i32("votingMembersCount")?)
    }

    pub(crate) async fn config(&self) -> Result<Document> {
        Ok(self.run(doc! { "replSetGetConfig": 1 }).await?.get_document("config")?.clone())
    }

    /// Its config with the next version: what a reconfiguration starts from.
    pub(crate) async fn next_config(&self) -> Result<Document> {
        let mut config = self.config().await?;
        config.insert("version", config.get_i32("version")? + 1);
        Ok(config)
    }

    /// The code of a safe reconfiguration.
    pub(crate) async fn reconfig(&self, config: Document) -> i32 {
        self.code(doc! { "replSetReconfig": config, "maxTimeMS": 20_000 }).await
    }

    /// Turns a fail point on or off.
    pub(crate) async fn fail_point(&self, name: &str, on: bool) -> Result<()> {
        let mode = if on { "alwaysOn" } else { "off" };
        self.run(doc! { "configureFailPoint": name, "mode": mode }).await.map(drop)
    }
}

/// An answer that is no refusal.
pub(crate) fn accepted(answer: Document) -> Result<Document> {
    let number = |value: &mongodb::bson::Bson| value.as_f64().or_else(|| value.as_i32().map(f64::from));
    if answer.get("ok").and_then(number) == Some(1.0) {
        return Ok(answer);
    }
    let code = answer.get_i32("code").unwrap_or(-1);
    let message = answer.get_str("errmsg").unwrap_or_default().to_owned();
    Err(Refusal { code, message }.into())
}

/// The code of a refusal; 0 for none, -1 for an error of another kind.
pub(crate) fn code_of(result: &Result<Document>) -> i32 {
    match result {
        Ok(_) => 0,
        Err(error) => error.downcast_ref::<Refusal>().map_or(-1, |refusal| refusal.code),
    }
}
