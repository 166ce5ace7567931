//! OP_MSG by hand: no driver's retries and no server selection between a test and a server's answer.

use std::io;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mongodb::bson::Document;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const OP_MSG: i32 = 2013;
const HEADER: usize = 16;
/// Header, flags and the kind of the one section.
const BEFORE_BODY: usize = HEADER + 5;
const DEADLINE: Duration = Duration::from_secs(40);

/// Sends one command over a connection of its own; a refusal is an answer.
pub(crate) async fn ask(address: &str, db: &str, command: &Document) -> Result<Document> {
    let mut command = command.clone();
    command.insert("$db", db);
    let exchange = timeout(DEADLINE, exchange(address, &command)).await;
    exchange.with_context(|| format!("{address}: no answer within {DEADLINE:?}"))?
}

async fn exchange(address: &str, command: &Document) -> Result<Document> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&message(command)?).await?;
    let mut header = [0; HEADER];
    stream.read_exact(&mut header).await?;
    let length = header[..4].try_into().map(i32::from_le_bytes)? as usize;
    ensure!(length > BEFORE_BODY, "an answer of {length} bytes");
    let mut rest = vec![0; length - HEADER];
    stream.read_exact(&mut rest).await?;
    Ok(Document::from_reader(&rest[BEFORE_BODY - HEADER..])?)
}

fn message(command: &Document) -> Result<Vec<u8>> {
    static REQUEST: AtomicI32 = AtomicI32::new(1);
    let mut body = Vec::new();
    command.to_writer(&mut body).map_err(io::Error::other)?;
    let length = i32::try_from(BEFORE_BODY + body.len())?;
    let mut message = Vec::with_capacity(BEFORE_BODY + body.len());
    for field in [length, REQUEST.fetch_add(1, Ordering::Relaxed), 0, OP_MSG, 0] {
        message.extend(field.to_le_bytes());
    }
    message.push(0);
    message.append(&mut body);
    Ok(message)
}
