//! One connection to one server, on which nothing is sent twice.

use std::net::SocketAddr;
use std::time::Duration;

use http::Uri;
use http::uri::PathAndQuery;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kogge_history::workload::Failure;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};
use tonic_prost::ProstCodec;
use tower::service_fn;

use super::messages::Call;

/// A server that takes no connection within this is passed over.
const DIAL_DEADLINE: Duration = Duration::from_secs(1);

/// A connection.
pub(super) struct Connection {
    sender: SendRequest<Body>,
    origin: Uri,
    _driver: AbortOnDropHandle<()>,
}

impl Connection {
    /// Connects. Where that fails, nothing was asked of the server.
    pub(super) async fn open(address: SocketAddr) -> Result<Self, Failure> {
        let certain = |error: &dyn std::error::Error| Failure::Certain(format!("{address}: {error}"));
        let stream = timeout(DIAL_DEADLINE, TcpStream::connect(address)).await;
        let stream = stream.map_err(|late| certain(&late))?.map_err(|error| certain(&error))?;
        stream.set_nodelay(true).map_err(|error| certain(&error))?;
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (sender, driver) = handshake.map_err(|error| certain(&error))?;
        let driver = tokio::spawn(async move {
            // Its end is seen by the calls.
            let _ended = driver.await;
        });
        let origin = Uri::builder().scheme("http").authority(address.to_string()).path_and_query("/").build();
        let origin = origin.map_err(|error| certain(&error))?;
        Ok(Self { sender, origin, _driver: AbortOnDropHandle::new(driver) })
    }

    /// Makes a call, once.
    pub(super) async fn call<C: Call>(&self, call: C) -> Result<C::Answer, Failure> {
        let sender = self.sender.clone();
        let service = service_fn(move |request: http::Request<Body>| {
            let mut sender = sender.clone();
            async move { sender.send_request(request).await }
        });
        let mut request = tonic::Request::new(call);
        // A server that knows of no leader says so at once, before it does anything.
        request.metadata_mut().insert("hasleader", MetadataValue::from_static("true"));
        let path = PathAndQuery::from_static(C::PATH);
        let mut client = Grpc::with_origin(service, self.origin.clone());
        match client.unary(request, path, ProstCodec::<C, C::Answer>::default()).await {
            Ok(answer) => Ok(answer.into_inner()),
            Err(status) => Err(failure(&status)),
        }
    }
}

/// Whether a call certainly had no effect, by etcd's own words (`api/v3rpc/rpctypes/error.go`).
fn failure(status: &Status) -> Failure {
    let said = format!("{:?}: {}", status.code(), status.message());
    let certain = match status.code() {
        // Given before anything is proposed, or by an apply that changes nothing. The write that trips the quota is
        // applied and answered with ResourceExhausted.
        Code::InvalidArgument
        | Code::FailedPrecondition
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::Unimplemented
        | Code::DataLoss => true,
        Code::Unavailable => status.message() == "etcdserver: no leader",
        Code::Unknown | Code::ResourceExhausted => {
            matches!(status.message(), "raft proposal dropped" | "etcdserver: too many requests")
        }
        _ => false,
    };
    if certain { Failure::Certain(said) } else { Failure::Unknown(said) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_doubt_an_outcome_is_unknown() {
        let is_certain = |code, words: &str| matches!(failure(&Status::new(code, words)), Failure::Certain(_));
        assert!(is_certain(Code::Unavailable, "etcdserver: no leader"));
        assert!(is_certain(Code::Unknown, "raft proposal dropped"));
        assert!(is_certain(Code::InvalidArgument, "etcdserver: key is not provided"));
        for (code, words) in [
            (Code::Unavailable, "etcdserver: request timed out"),
            (Code::Unavailable, "etcdserver: server stopped"),
            (Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded"),
            (Code::Unknown, "transport error"),
            (Code::Cancelled, "h2 protocol error"),
            (Code::DeadlineExceeded, "context deadline exceeded"),
            (Code::Internal, "stream closed"),
        ] {
            assert!(!is_certain(code, words), "{code:?} {words}");
        }
    }
}
