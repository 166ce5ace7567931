//! What Kogge itself never asks of etcd (writes, users), by the JSON gateway of the client port.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Posts a request and returns the answer's text.
pub(crate) async fn post(to: SocketAddr, path: &str, body: &str) -> Result<String> {
    post_over(TcpStream::connect(to).await?, path, body).await
}

/// Posts a request over a connection that is there.
pub(crate) async fn post_over(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    path: &str,
    body: &str,
) -> Result<String> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    if !answer.starts_with("HTTP/1.1 200") {
        bail!("{path}: {answer}");
    }
    Ok(answer)
}

/// Writes a key, and returns the revision.
pub(crate) async fn put(to: SocketAddr, key: &str, value: &[u8]) -> Result<u64> {
    let body =
        format!(r#"{{"key":"{}","value":"{}"}}"#, BASE64_STANDARD.encode(key), BASE64_STANDARD.encode(value));
    revision(&post(to, "/v3/kv/put", &body).await?)
}

/// Drops all revisions before this one.
pub(crate) async fn compact(to: SocketAddr, revision: u64) -> Result<()> {
    post(to, "/v3/kv/compaction", &format!(r#"{{"revision":"{revision}","physical":true}}"#)).await.map(drop)
}

fn revision(answer: &str) -> Result<u64> {
    let (_, rest) = answer.split_once(r#""revision":""#).with_context(|| answer.to_owned())?;
    let (revision, _) = rest.split_once('"').with_context(|| answer.to_owned())?;
    Ok(revision.parse()?)
}
