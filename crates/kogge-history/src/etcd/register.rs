//! A client's connection to the servers, as a register per key.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use kogge_history::history::{Answer, Effect, Expected, Operation, Version};
use kogge_history::workload::{Failure, Register};
use tokio::net::lookup_host;
use tokio::sync::Mutex;

use super::connection::Connection;
use super::counts::Counts;
use super::messages::{
    Compare, DeleteRangeRequest, KeyValue, MOD, PutRequest, RangeRequest, RequestOp, ResponseHeader, TxnRequest,
    VALUE,
};

/// The servers behind some names. A client keeps to one server until that fails it, and goes on to the next.
pub(super) struct Servers {
    /// `HOST:PORT`, where a host may have several addresses.
    endpoints: Arc<[String]>,
    prefix: String,
    /// Which of the servers comes next.
    turn: AtomicUsize,
    /// None while an operation is on its way: one that is given up leaves no connection behind.
    connection: Mutex<Option<Connection>>,
    counts: Arc<Counts>,
}

impl Servers {
    /// A client that begins with the server of that number, and whose keys begin with the prefix.
    pub(super) fn new(endpoints: Arc<[String]>, prefix: String, first: usize, counts: Arc<Counts>) -> Self {
        Self { endpoints, prefix, turn: AtomicUsize::new(first), connection: Mutex::new(None), counts }
    }

    /// All addresses behind the names, in one order for all clients.
    async fn addresses(&self) -> Result<Vec<SocketAddr>, Failure> {
        let (mut addresses, mut problem) = (Vec::new(), "no endpoint is given".to_owned());
        for endpoint in &*self.endpoints {
            match lookup_host(endpoint.as_str()).await {
                Ok(found) => addresses.extend(found),
                Err(error) => problem = format!("{endpoint}: {error}"),
            }
        }
        addresses.sort_unstable();
        addresses.dedup();
        if addresses.is_empty() { Err(Failure::Certain(problem)) } else { Ok(addresses) }
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        // Names are resolved again each time: servers come and go.
        let addresses = self.addresses().await?;
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        Connection::open(addresses[turn % addresses.len()]).await
    }

    async fn ask(&self, key: &str, operation: &Operation) -> Result<Answer, Failure> {
        let mut kept = self.connection.lock().await;
        let connection = match kept.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let key = format!("{}{key}", self.prefix).into_bytes();
        let answer = carry_out(&connection, key, operation).await?;
        *kept = Some(connection);
        Ok(answer)
    }
}

impl Register for Servers {
    async fn carry_out(&self, key: &str, operation: &Operation) -> Result<Answer, Failure> {
        let begun = Instant::now();
        let answer = self.ask(key, operation).await;
        self.counts.add(&answer, begun.elapsed());
        answer
    }
}

async fn carry_out(servers: &Connection, key: Vec<u8>, operation: &Operation) -> Result<Answer, Failure> {
    let (header, effect) = match operation {
        Operation::Get => {
            let answer = servers.call(RangeRequest { key }).await?;
            (answer.header, Effect::Held(answer.kvs.into_iter().next().map(version).transpose()?))
        }
        Operation::Put { value } => {
            let answer = servers.call(PutRequest { key, value: value.clone().into_bytes() }).await?;
            (answer.header, Effect::Written)
        }
        Operation::Swap { expected, value } => {
            let put = PutRequest { key: key.clone(), value: value.clone().into_bytes() };
            let success = vec![RequestOp { put: Some(put) }];
            let answer = servers.call(TxnRequest { compare: vec![compare(key, expected)?], success }).await?;
            (answer.header, if answer.succeeded { Effect::Written } else { Effect::Differed })
        }
        Operation::Delete => {
            let answer = servers.call(DeleteRangeRequest { key }).await?;
            (answer.header, Effect::Deleted { existed: answer.deleted > 0 })
        }
    };
    Ok(Answer { revision: Some(revision(header)?), effect })
}

fn compare(key: Vec<u8>, expected: &Expected) -> Result<Compare, Failure> {
    Ok(match expected {
        Expected::Value(value) => {
            Compare { target: VALUE, key, mod_revision: None, value: Some(value.clone().into_bytes()) }
        }
        Expected::Revision(revision) => {
            let revision = i64::try_from(*revision).map_err(|error| Failure::Certain(error.to_string()))?;
            Compare { target: MOD, key, mod_revision: Some(revision), value: None }
        }
    })
}

fn version(held: KeyValue) -> Result<Version, Failure> {
    let value = String::from_utf8(held.value).map_err(|_| unreadable("a value that no client has written"))?;
    let revision = u64::try_from(held.mod_revision).map_err(|_| unreadable("a negative revision"))?;
    Ok(Version { value, revision: Some(revision) })
}

fn revision(header: Option<ResponseHeader>) -> Result<u64, Failure> {
    let revision = header.and_then(|header| u64::try_from(header.revision).ok());
    revision.ok_or_else(|| unreadable("no revision"))
}

fn unreadable(what: &str) -> Failure {
    Failure::Unknown(format!("the answer has {what}"))
}
