//! Connections to single servers, kept while what is behind a pod's name is the same.
//!
//! A session is one HTTP/2 connection and never another one: what was checked of the server at its other end holds for
//! the next call, and nothing is sent twice because a connection broke.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Uri;
use http::uri::{PathAndQuery, Scheme};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kogge_etcd::PodName;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic_prost::ProstCodec;
use tower::service_fn;

use crate::access::{CLIENT, ClusterAccess};
use crate::credentials::{Credentials, User};
use crate::dial::{self, Member, Protocol};
use crate::error::CallError;
use crate::messages::{AuthenticateRequest, Call};

/// No answer that Kogge asks for is longer.
const MAX_ANSWER: usize = 1 << 20;
/// What broke a connection is known that soon after a call on it broke.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// One server.
pub(crate) struct Session {
    sender: SendRequest<Body>,
    origin: Uri,
    user: Option<User>,
    token: Mutex<Option<MetadataValue<Ascii>>>,
    /// A call had no answer, or none that ends well for the connection.
    broken: AtomicBool,
    /// The server has answered on it.
    answered: AtomicBool,
    /// Why the connection ended.
    ended: watch::Receiver<Option<String>>,
    _connection: AbortOnDropHandle<()>,
}

impl Session {
    async fn open(access: &ClusterAccess, member: &Member) -> Result<Self, CallError> {
        let authority = member.authority(CLIENT)?;
        let stream = dial::open(access, member, CLIENT, Protocol::Http2).await?;
        let unusable = |error: &dyn Error| CallError::Unreachable { reason: causes(error) };
        let scheme = if access.credentials.client.is_some() { "https" } else { "http" };
        let origin = Uri::builder().scheme(scheme).authority(authority).path_and_query("/").build();
        let origin = origin.map_err(|error| unusable(&error))?;
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|error| unusable(&error))?;
        let (tell, ended) = watch::channel(None);
        let connection = tokio::spawn(async move {
            let end = connection.await;
            let why = end.err().map_or_else(|| "the server closed it".to_owned(), |error| causes(&error));
            tell.send_replace(Some(why));
        });
        Ok(Self {
            sender,
            origin,
            user: access.credentials.user.clone(),
            token: Mutex::default(),
            broken: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            ended,
            _connection: AbortOnDropHandle::new(connection),
        })
    }

    /// Makes a call. A deadline that passes leaves the outcome unknown.
    pub(crate) async fn call<C: Call>(&self, request: C, deadline: Duration) -> Result<C::Answer, CallError> {
        let answer = timeout(deadline, self.call_logged_in(request)).await;
        let answer = answer.unwrap_or_else(|_| Err(CallError::late(C::NAME, deadline)));
        if matches!(answer, Err(CallError::Deadline { .. } | CallError::Connection { .. })) {
            self.broken.store(true, Ordering::Relaxed);
        }
        answer
    }

    /// Logs in where the server asks for it: without authentication there are no logins. A call that was refused for
    /// want of a login was not carried out, so it is sent again.
    async fn call_logged_in<C: Call>(&self, request: C) -> Result<C::Answer, CallError> {
        let token = self.token.lock().clone();
        let has_token = token.is_some();
        match (self.send(request.clone(), token).await, &self.user) {
            (Err(refused), Some(user)) if refused.asks_for_login(has_token) => {
                let token = self.log_in::<C>(user).await?;
                *self.token.lock() = Some(token.clone());
                self.send(request, Some(token)).await
            }
            (answer, _) => answer,
        }
    }

    async fn log_in<C: Call>(&self, user: &User) -> Result<MetadataValue<Ascii>, CallError> {
        let login = AuthenticateRequest { name: user.name.clone(), password: user.password.reveal().to_owned() };
        let answer = self.send(login, None).await.map_err(|error| match error {
            CallError::Refused { message, .. } => CallError::Login { call: C::NAME, message },
            other => other,
        })?;
        let token = MetadataValue::try_from(answer.token);
        let mut token = token.map_err(|_| CallError::answer(AuthenticateRequest::NAME, "the token is no text"))?;
        token.set_sensitive(true);
        Ok(token)
    }

    async fn send<C: Call>(&self, call: C, token: Option<MetadataValue<Ascii>>) -> Result<C::Answer, CallError> {
        let sender = self.sender.clone();
        let service = service_fn(move |request: http::Request<Body>| {
            let mut sender = sender.clone();
            async move { sender.send_request(request).await }
        });
        let mut client = Grpc::with_origin(service, self.origin.clone()).max_decoding_message_size(MAX_ANSWER);
        let mut request = tonic::Request::new(call);
        if let Some(token) = token {
            request.metadata_mut().insert("token", token);
        }
        let path = PathAndQuery::from_static(C::PATH);
        match client.unary(request, path, ProstCodec::<C, C::Answer>::default()).await {
            Ok(answer) => {
                self.answered.store(true, Ordering::Relaxed);
                Ok(answer.into_inner())
            }
            Err(status) => Err(self.failure(C::NAME, &status).await),
        }
    }

    /// The server's own word, or what broke the connection.
    async fn failure(&self, call: &'static str, status: &Status) -> CallError {
        let Some(cause) = status.source().map(causes) else { return CallError::said(call, status) };
        let mut ended = self.ended.clone();
        let last_words = timeout(LAST_WORDS, ended.wait_for(Option::is_some)).await;
        let why = last_words.ok().and_then(Result::ok).and_then(|why| why.clone());
        let message = match why {
            Some(why) if !cause.contains(&why) => format!("{cause}: {why}"),
            _ => cause,
        };
        // The client's part of a TLS handshake is over before the server looks at its certificate.
        let refused = self.origin.scheme() == Some(&Scheme::HTTPS) && !self.answered.load(Ordering::Relaxed);
        let hint =
            if refused { "; a server that does not accept Kogge's certificate ends connections so" } else { "" };
        CallError::Connection { call, message: message + hint }
    }

    fn is_usable(&self) -> bool {
        !self.broken.load(Ordering::Relaxed) && !self.sender.is_closed()
    }
}

/// An error and what caused it, each said once.
pub(crate) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

struct Kept {
    identity: String,
    credentials: Credentials,
    member: Member,
    session: Arc<Session>,
}

/// The sessions of one database.
#[derive(Default)]
pub(crate) struct Sessions {
    kept: Mutex<BTreeMap<PodName, Kept>>,
}

impl Sessions {
    /// A session to a member's server.
    pub(crate) async fn get(&self, access: &ClusterAccess, member: &Member) -> Result<Arc<Session>, CallError> {
        let pod = &member.pod;
        let identity = access
            .reach
            .identity(pod)
            .ok_or_else(|| CallError::Unreachable { reason: format!("{pod} has no pod that can be reached") })?;
        let known =
            self.kept.lock().get(pod).filter(|kept| kept.fits(&identity, access, member)).map(Kept::session);
        if let Some(session) = known {
            return Ok(session);
        }
        let session = Arc::new(Session::open(access, member).await?);
        let credentials = access.credentials.clone();
        let kept = Kept { identity, credentials, member: member.clone(), session: session.clone() };
        self.kept.lock().insert(pod.clone(), kept);
        Ok(session)
    }

    /// Closes the sessions of pods that are not wanted any more.
    pub(crate) fn keep_only(&self, pods: &BTreeSet<&PodName>) {
        self.kept.lock().retain(|pod, _| pods.contains(pod));
    }
}

impl Kept {
    fn session(&self) -> Arc<Session> {
        self.session.clone()
    }

    fn fits(&self, identity: &str, access: &ClusterAccess, member: &Member) -> bool {
        self.identity == identity
            && self.credentials == access.credentials
            && self.member == *member
            && self.session.is_usable()
    }
}
