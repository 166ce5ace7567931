//! The layer that every request of a worker's client passes: breaker, limit, deadline.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, Request, Response, Uri, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use kube::client::Body;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tower::{BoxError, Layer, Service};

use super::breaker::Breaker;
use super::size::{self, Lines};
use super::warnings;

type AnyBody = UnsyncBoxBody<Bytes, BoxError>;

/// Why a request got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GateError {
    /// The breaker is open; nothing was sent.
    #[error("it has not answered several requests in a row, so it is asked only now and then")]
    Open {
        /// Until the next trial.
        retry_in: Duration,
    },
    /// As many requests as allowed were on their way for the whole of the deadline; nothing was sent.
    #[error("{limit} requests were on their way for {} s: raise spec.limits.concurrency", after.as_secs())]
    Busy {
        /// Requests that may be on their way at a time.
        limit: usize,
        /// The deadline.
        after: Duration,
    },
    /// The request was sent, and no answer came in time.
    #[error("no answer within {} s", after.as_secs_f32())]
    Deadline {
        /// The deadline.
        after: Duration,
    },
}

impl GateError {
    /// The gate's own error within a client's.
    pub(crate) fn of(error: &kube::Error) -> Option<&Self> {
        match error {
            kube::Error::Service(source) => source.downcast_ref(),
            _ => None,
        }
    }

    /// Whether the request has left this process.
    pub(crate) fn was_sent(&self) -> bool {
        matches!(self, Self::Deadline { .. })
    }
}

/// Marks a request that asks after the worker's health: it passes an open breaker, and its answer closes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Health {
    /// The deadline of this request.
    pub(crate) deadline: Duration,
}

/// What one worker's requests share, over all clients that are made for it.
#[derive(Debug)]
pub(crate) struct Bounds {
    breaker: Mutex<Breaker>,
    permits: Semaphore,
    concurrency: usize,
    deadline: Duration,
}

impl Bounds {
    /// Bounds of `concurrency` requests at a time, each with its `deadline`.
    pub(crate) fn new(concurrency: usize, deadline: Duration) -> Self {
        Self { breaker: Mutex::default(), permits: Semaphore::new(concurrency), concurrency, deadline }
    }

    fn admit(&self) -> Result<(), GateError> {
        self.breaker.lock().admit(Instant::now()).map_err(|retry_in| GateError::Open { retry_in })
    }

    fn record<T>(&self, result: &Result<T, BoxError>) {
        let mut breaker = self.breaker.lock();
        match result {
            Ok(_) => breaker.succeed(),
            Err(_) => breaker.fail(Instant::now()),
        }
    }

    /// A request whose answer is a stream: a watch, or an upgraded connection. Only its start is bounded.
    async fn stream<F, B>(&self, call: F) -> Result<Response<AnyBody>, BoxError>
    where
        F: Future<Output = Result<Response<B>, BoxError>>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.admit()?;
        let result = within(self.deadline, call).await;
        self.record(&result);
        let response = result?;
        let streams = response.status().is_success();
        Ok(response.map(|body| {
            let body = body.map_err(Into::into).boxed_unsync();
            // A refusal is read to its end, like any other answer.
            if streams { Lines::of(body).boxed_unsync() } else { size::limited(body) }
        }))
    }

    /// A request whose answer is read to its end within the deadline. Before that it may wait for its turn, for
    /// as long again. A write that is not answered in time says nothing of the worker, for its admission webhooks may
    /// be slow.
    async fn whole<F, B>(&self, call: F, writes: bool) -> Result<Response<AnyBody>, BoxError>
    where
        F: Future<Output = Result<Response<B>, BoxError>>,
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        self.admit()?;
        let permit = tokio::time::timeout(self.deadline, self.permits.acquire()).await;
        let _permit = permit
            .map_err(|_| GateError::Busy { limit: self.concurrency, after: self.deadline })?
            .map_err(BoxError::from)?;
        let result = within(self.deadline, read(call)).await;
        let is_late = |error: &BoxError| matches!(error.downcast_ref(), Some(GateError::Deadline { .. }));
        if !(writes && result.as_ref().is_err_and(is_late)) {
            self.record(&result);
        }
        result
    }

    /// A request that asks after the worker's health.
    async fn health<F, B>(&self, health: Health, call: F) -> Result<Response<AnyBody>, BoxError>
    where
        F: Future<Output = Result<Response<B>, BoxError>>,
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let result = within(health.deadline, read(call)).await;
        self.record(&result);
        result
    }
}

async fn within<F, T>(deadline: Duration, call: F) -> Result<T, BoxError>
where
    F: Future<Output = Result<T, BoxError>>,
{
    tokio::time::timeout(deadline, call).await.map_err(|_| GateError::Deadline { after: deadline })?
}

async fn read<F, B>(call: F) -> Result<Response<AnyBody>, BoxError>
where
    F: Future<Output = Result<Response<B>, BoxError>>,
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let (parts, body) = call.await?.into_parts();
    warnings::hear(&parts.headers);
    let bytes = size::whole(body).await?;
    Ok(Response::from_parts(parts, Full::new(bytes).map_err(|never| match never {}).boxed_unsync()))
}

/// Puts a [`Gate`] before a client's service.
pub(super) struct GateLayer {
    bounds: Arc<Bounds>,
}

impl GateLayer {
    pub(super) fn new(bounds: Arc<Bounds>) -> Self {
        Self { bounds }
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Gate { inner, bounds: Arc::clone(&self.bounds) }
    }
}

/// A client's service behind its bounds.
pub(super) struct Gate<S> {
    inner: S,
    bounds: Arc<Bounds>,
}

impl<S, B> Service<Request<Body>> for Gate<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError>,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<AnyBody>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    /// The inner future is made at once and polled only when the request is admitted; hyper sends nothing
    /// before it is polled.
    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let bounds = Arc::clone(&self.bounds);
        let health = request.extensions().get::<Health>().copied();
        let streams = is_stream(&request);
        let writes = !streams && is_write(&request);
        if writes {
            limit(&mut request, bounds.deadline);
        }
        let call = self.inner.call(request);
        Box::pin(async move {
            match health {
                Some(health) => bounds.health(health, call).await,
                None if streams => bounds.stream(call).await,
                None => bounds.whole(call, writes).await,
            }
        })
    }
}

fn is_write<B>(request: &Request<B>) -> bool {
    [Method::PATCH, Method::POST, Method::PUT, Method::DELETE].contains(request.method())
}

/// Lets the API server give a write up a little before its deadline: then its answer names the webhook that is slow.
fn limit<B>(request: &mut Request<B>, deadline: Duration) {
    let timeout = deadline.mul_f64(0.9).as_millis();
    let uri = request.uri();
    let separator = if uri.query().is_some() { '&' } else { '?' };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let Ok(path) = format!("{path}{separator}timeout={timeout}ms").parse() else { return };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path);
    if let Ok(limited) = Uri::from_parts(parts) {
        *request.uri_mut() = limited;
    }
}

fn is_stream<B>(request: &Request<B>) -> bool {
    let watches = |pair: &str| matches!(pair, "watch=true" | "watch=1" | "follow=true" | "follow=1");
    request.headers().contains_key(header::UPGRADE)
        || request.uri().query().is_some_and(|query| query.split('&').any(watches))
}
