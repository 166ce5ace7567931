//! What servers tell by plain HTTP: `/members` and `/version` on the peer port, `/version` and `/metrics` on others.

use bytes::Bytes;
use http::header::HOST;
use http::uri::Authority;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use kogge_engine::Port;
use tokio_util::task::AbortOnDropHandle;

use crate::access::ClusterAccess;
use crate::dial::{self, Member, Protocol};
use crate::error::CallError;
use crate::session::causes;

/// No answer that Kogge asks for is longer; metrics are about 150 KiB.
const MAX_BODY: usize = 4 << 20;
/// The group that a server belongs to, in hexadecimal.
const CLUSTER_ID: &str = "X-Etcd-Cluster-ID";

/// One connection, on which one question follows the other. Its user sets the deadline.
pub(crate) struct Http {
    sender: SendRequest<Empty<Bytes>>,
    host: Authority,
    _connection: AbortOnDropHandle<()>,
}

/// An answer.
pub(crate) struct Page {
    pub(crate) cluster_id: Option<String>,
    pub(crate) body: Bytes,
}

impl Http {
    pub(crate) async fn open(access: &ClusterAccess, member: &Member, port: Port) -> Result<Self, CallError> {
        let host = member.authority(port)?;
        let stream = dial::open(access, member, port, Protocol::Http1).await?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|error| CallError::Unreachable { reason: causes(&error) })?;
        let connection = tokio::spawn(async move {
            // Whoever asks learns of its end.
            let _ = connection.await;
        });
        Ok(Self { sender, host, _connection: AbortOnDropHandle::new(connection) })
    }

    /// Gets a page.
    pub(crate) async fn get(&mut self, path: &'static str) -> Result<Page, CallError> {
        let broken = |message: String| CallError::Connection { call: path, message };
        let request = Request::get(path).header(HOST, self.host.as_str()).body(Empty::new());
        let request = request.map_err(|error| CallError::Unreachable { reason: error.to_string() })?;
        self.sender.ready().await.map_err(|error| broken(causes(&error)))?;
        let (head, body) =
            self.sender.send_request(request).await.map_err(|error| broken(causes(&error)))?.into_parts();
        let body =
            Limited::new(body, MAX_BODY).collect().await.map_err(|error| broken(causes(&*error)))?.to_bytes();
        if head.status != StatusCode::OK {
            let message = String::from_utf8_lossy(&body).trim().chars().take(200).collect();
            return Err(CallError::Refused { call: path, code: head.status.as_str().to_owned(), message });
        }
        let cluster_id = head.headers.get(CLUSTER_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
        Ok(Page { cluster_id, body })
    }
}
