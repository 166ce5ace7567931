//! Probes for containers whose image holds only this binary.

use std::{sync::Arc, time::Duration};

use bson::{Document, doc};
use tokio::time::Instant;

use crate::{
    error::CommandError,
    net::{Connection, Faults, NetError},
    options::{Probe, ProbeArgs},
};

/// Why a probe fails.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// No answer.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The server refused hello.
    #[error("hello refused: {0}")]
    Refused(CommandError),
    /// It answers, and does not serve yet.
    #[error("not ready: {0}")]
    NotReady(String),
}

/// Runs a probe.
pub async fn run(probe: &Probe) -> Result<(), ProbeError> {
    match probe {
        Probe::Ping(args) => hello(args).await.map(drop),
        Probe::Ready(args) => readiness(&hello(args).await?),
    }
}

async fn hello(args: &ProbeArgs) -> Result<Document, ProbeError> {
    let host = format!("{}:{}", args.host, args.port);
    let limit = Duration::from_secs(args.timeout);
    let mut connection =
        Connection::open(&host, None, None, Arc::new(Faults::default()), Instant::now() + limit).await?;
    let reply = connection.command(&doc! { "hello": 1, "$db": "admin" }, limit).await?;
    match CommandError::from_reply(&reply) {
        Some(refusal) => Err(ProbeError::Refused(refusal)),
        None => Ok(reply),
    }
}

/// A primary, a secondary, or a mongos that has reached its config servers.
fn readiness(hello: &Document) -> Result<(), ProbeError> {
    let says = |key: &str| hello.get_bool(key).unwrap_or(false);
    let mongos = hello.get_str("msg").ok() == Some("isdbgrid");
    if (mongos && says("isWritablePrimary")) || (!mongos && (says("isWritablePrimary") || says("secondary"))) {
        return Ok(());
    }
    let info = hello.get_str("info").unwrap_or("neither primary nor secondary");
    Err(ProbeError::NotReady(info.to_owned()))
}
