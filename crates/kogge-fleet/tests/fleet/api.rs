//! An API server in miniature: it keeps objects, answers list, get, apply, delete and watch, and can be told
//! to misbehave.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use futures::{StreamExt as _, stream};
use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::task::AbortOnDropHandle;

/// A request as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) accept: String,
    pub(crate) body: Value,
}

impl Asked {
    pub(crate) fn is(&self, method: &str, path_end: &str) -> bool {
        self.method == method && self.path.ends_with(path_end)
    }

    pub(crate) fn is_watch(&self, path_end: &str) -> bool {
        self.is("GET", path_end) && self.query.contains("watch=true")
    }

    pub(crate) fn is_list(&self, path_end: &str) -> bool {
        self.is("GET", path_end) && !self.query.contains("watch=true")
    }
}

/// What is answered out of the ordinary.
pub(crate) enum Reply {
    /// This status and body.
    Json(u16, Value),
    /// The ordinary effect, with these warnings in the answer.
    ActAndWarn(Vec<String>),
    /// The ordinary effect, and then no answer.
    ActThenHang,
    /// The ordinary effect, and then an answer that breaks off.
    ActThenBreak,
    /// No answer.
    Hang,
    /// An answer without an end, and without a line break.
    Flood,
}

type Rule = Box<dyn Fn(&Asked) -> Option<Reply> + Send + Sync>;

struct Server {
    uid: Mutex<String>,
    version: AtomicU64,
    /// By collection path, such as `/api/v1/namespaces/databases/pods`.
    objects: Mutex<BTreeMap<String, BTreeMap<String, Value>>>,
    rules: Mutex<Vec<Rule>>,
    asked: Mutex<Vec<Asked>>,
    events: broadcast::Sender<(String, Value)>,
    /// Every event so far, for watches that begin later.
    history: Mutex<Vec<(String, Value)>>,
    mute: Mutex<bool>,
    granted: Mutex<Value>,
}

/// A running server; it ends when dropped.
pub(crate) struct Api {
    server: Arc<Server>,
    pub(crate) address: SocketAddr,
    pub(crate) authority_pem: String,
    _task: AbortOnDropHandle<()>,
}

struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            if let Ok((stream, address)) = self.tcp.accept().await
                && let Ok(stream) = self.acceptor.accept(stream).await
            {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

impl Api {
    pub(crate) async fn start(uid: &str) -> anyhow::Result<Self> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let authority_key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_pem = params.self_signed(&authority_key)?.pem();
        let issuer = Issuer::new(params, authority_key);
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])?.signed_by(&key, &issuer)?;
        let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(
            vec![certificate.der().clone()],
            rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?,
        )?;
        let tcp = TcpListener::bind("127.0.0.1:0").await?;
        let address = tcp.local_addr()?;
        let server = Arc::new(Server {
            uid: Mutex::new(uid.to_owned()),
            version: AtomicU64::new(100),
            objects: Mutex::default(),
            rules: Mutex::default(),
            asked: Mutex::default(),
            events: broadcast::Sender::new(4096),
            history: Mutex::default(),
            mute: Mutex::default(),
            granted: Mutex::new(json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}])),
        });
        let router = Router::new().fallback(handle).with_state(Arc::clone(&server));
        let listener = TlsListener { tcp, acceptor: TlsAcceptor::from(Arc::new(config)) };
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { server, address, authority_pem, _task: AbortOnDropHandle::new(task) })
    }

    /// From now on, what the rule answers goes before all else. The last rule that was given goes first.
    pub(crate) fn rule(&self, rule: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static) {
        self.server.rules.lock().insert(0, Box::new(rule));
    }

    /// As if no rule had been given.
    pub(crate) fn behave(&self) {
        self.server.rules.lock().clear();
    }

    pub(crate) fn set_uid(&self, uid: &str) {
        uid.clone_into(&mut self.server.uid.lock());
    }

    pub(crate) fn grant(&self, rules: Value) {
        *self.server.granted.lock() = rules;
    }

    /// Whether watches tell nothing of what changes.
    pub(crate) fn mute(&self, mute: bool) {
        *self.server.mute.lock() = mute;
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.server.asked.lock().clone()
    }

    pub(crate) fn count(&self, matches: impl Fn(&Asked) -> bool) -> usize {
        self.asked().iter().filter(|asked| matches(asked)).count()
    }

    /// Puts an object there, as someone else would.
    pub(crate) fn put(&self, collection: &str, object: Value) -> Value {
        self.server.store(collection, object)
    }

    /// Takes an object away; watches are told of it.
    pub(crate) fn take(&self, collection: &str, name: &str) {
        self.server.take(collection, name);
    }

    /// Sends an event to the open watches of a collection.
    pub(crate) fn tell(&self, collection: &str, event: Value) {
        let _ = self.server.events.send((collection.to_owned(), event));
    }

    pub(crate) fn object(&self, collection: &str, name: &str) -> Option<Value> {
        self.server.objects.lock().get(collection)?.get(name).cloned()
    }
}

impl Server {
    fn next_version(&self) -> String {
        (self.version.fetch_add(1, Ordering::SeqCst) + 1).to_string()
    }

    fn store(&self, collection: &str, mut object: Value) -> Value {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let version = self.next_version();
        let mut objects = self.objects.lock();
        let held = objects.entry(collection.to_owned()).or_default();
        let before = held.get(&name);
        let uid = before.map_or_else(|| json!(format!("uid-{version}")), |b| b["metadata"]["uid"].clone());
        object["metadata"]["uid"] = uid;
        object["metadata"]["resourceVersion"] = json!(version);
        let type_ = if before.is_some() { "MODIFIED" } else { "ADDED" };
        held.insert(name, object.clone());
        drop(objects);
        self.announce(collection, type_, &object);
        object
    }

    fn take(&self, collection: &str, name: &str) -> Option<Value> {
        let mut object = self.objects.lock().get_mut(collection)?.remove(name)?;
        object["metadata"]["resourceVersion"] = json!(self.next_version());
        self.announce(collection, "DELETED", &object);
        Some(object)
    }

    fn announce(&self, collection: &str, type_: &str, object: &Value) {
        if !*self.mute.lock() {
            let event = (collection.to_owned(), json!({"type": type_, "object": object}));
            let mut history = self.history.lock();
            history.push(event.clone());
            let _ = self.events.send(event);
        }
    }

    fn act(&self, asked: &Asked) -> Response {
        let path = asked.path.as_str();
        match path {
            "/version" => return json_response(200, &json!({"gitVersion": "v1.34.4"})),
            "/api/v1/namespaces/kube-system" => {
                let uid = self.uid.lock().clone();
                return json_response(200, &json!({"metadata": {"name": "kube-system", "uid": uid}}));
            }
            _ => {}
        }
        if path.ends_with("/selfsubjectrulesreviews") {
            let rules = self.granted.lock().clone();
            let status = json!({"resourceRules": rules, "nonResourceRules": [], "incomplete": false});
            return json_response(201, &json!({"metadata": {}, "spec": {}, "status": status}));
        }
        if asked.query.contains("watch=true") {
            return self.watch(path, &asked.query);
        }
        let (collection, name) = path.rsplit_once('/').unwrap_or(("", path));
        let is_collection = ["GET"].contains(&asked.method.as_str()) && is_plural(name);
        match asked.method.as_str() {
            "GET" if is_collection => self.list(path),
            "GET" => match self.objects.lock().get(collection).and_then(|held| held.get(name)) {
                Some(object) => json_response(200, object),
                None => status(404, "NotFound", "not found"),
            },
            "PATCH" => self.patch(collection, name, &asked.body),
            "DELETE" => self.delete(collection, name, &asked.body),
            _ => status(405, "MethodNotAllowed", "not here"),
        }
    }

    fn list(&self, collection: &str) -> Response {
        let objects = self.objects.lock();
        let items: Vec<_> = objects.get(collection).into_iter().flat_map(BTreeMap::values).cloned().collect();
        let version = self.version.load(Ordering::SeqCst).to_string();
        let list =
            json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": version}, "items": items});
        json_response(200, &list)
    }

    /// What happened since the resourceVersion that is asked from, and then what happens.
    fn watch(&self, collection: &str, query: &str) -> Response {
        let from = query.split('&').find_map(|pair| pair.strip_prefix("resourceVersion="));
        let from: u64 = from.and_then(|version| version.parse().ok()).unwrap_or_default();
        let is_later = |event: &Value| {
            let version = event["object"]["metadata"]["resourceVersion"].as_str();
            version.and_then(|version| version.parse::<u64>().ok()).is_some_and(|version| version > from)
        };
        let history = self.history.lock();
        let past: Vec<_> =
            history.iter().filter(|(at, event)| at == collection && is_later(event)).cloned().collect();
        let coming = stream::unfold(self.events.subscribe(), |mut events| async {
            events.recv().await.ok().map(|event| (event, events))
        });
        drop(history);
        let collection = collection.to_owned();
        let lines = stream::iter(past).chain(coming).filter_map(move |(at, event)| {
            let line = (at == collection).then(|| Ok::<_, std::io::Error>(format!("{event}\n")));
            async { line }
        });
        Response::builder().status(200).body(Body::from_stream(lines)).unwrap()
    }

    fn patch(&self, collection: &str, name: &str, body: &Value) -> Response {
        let held = self.objects.lock().get(collection).and_then(|held| held.get(name)).cloned();
        for field in ["uid", "resourceVersion"] {
            let wanted = &body["metadata"][field];
            let found = held.as_ref().map_or(&Value::Null, |held| &held["metadata"][field]);
            if !wanted.is_null() && wanted != found {
                return status(409, "Conflict", "the object has been modified");
            }
        }
        let mut object = body.clone();
        object["metadata"]["name"] = json!(name);
        json_response(if held.is_some() { 200 } else { 201 }, &self.store(collection, object))
    }

    fn delete(&self, collection: &str, name: &str, body: &Value) -> Response {
        let Some(held) = self.objects.lock().get(collection).and_then(|held| held.get(name)).cloned() else {
            return status(404, "NotFound", "not found");
        };
        let wanted = &body["preconditions"];
        if !wanted["uid"].is_null() && wanted["uid"] != held["metadata"]["uid"] {
            return status(
                409,
                "Conflict",
                "the UID in the precondition (a) does not match the UID in record (b)",
            );
        }
        if !wanted["resourceVersion"].is_null() && wanted["resourceVersion"] != held["metadata"]["resourceVersion"]
        {
            return status(409, "Conflict", "Precondition failed: ResourceVersion in precondition: a");
        }
        self.take(collection, name);
        json_response(200, &json!({"kind": "Status", "apiVersion": "v1", "status": "Success", "metadata": {}}))
    }
}

fn is_plural(name: &str) -> bool {
    const PLURALS: [&str; 13] = [
        "statefulsets",
        "deployments",
        "services",
        "pods",
        "persistentvolumeclaims",
        "endpointslices",
        "poddisruptionbudgets",
        "configmaps",
        "secrets",
        "jobs",
        "serviceaccounts",
        "networkpolicies",
        "events",
    ];
    PLURALS.contains(&name)
}

async fn handle(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
    let accept = parts.headers.get("accept").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let asked = Asked {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        accept,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    };
    server.asked.lock().push(asked.clone());
    let reply = server.rules.lock().iter().find_map(|rule| rule(&asked));
    match reply {
        None => server.act(&asked),
        Some(Reply::Json(code, value)) => json_response(code, &value),
        Some(Reply::ActAndWarn(warnings)) => {
            let mut response = server.act(&asked);
            for warning in warnings {
                response.headers_mut().append("warning", warning.parse().unwrap());
            }
            response
        }
        Some(Reply::Hang) => std::future::pending().await,
        Some(Reply::Flood) => {
            let chunk = axum::body::Bytes::from(vec![b'x'; 1 << 20]);
            let flood = stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
            Response::builder().status(200).body(Body::from_stream(flood)).unwrap()
        }
        Some(Reply::ActThenHang) => {
            drop(server.act(&asked));
            std::future::pending().await
        }
        Some(Reply::ActThenBreak) => {
            drop(server.act(&asked));
            let broken = stream::iter([Ok(String::from("{")), Err(std::io::Error::other("broken"))]);
            Response::builder().status(200).body(Body::from_stream(broken)).unwrap()
        }
    }
}

fn json_response(code: u16, value: &Value) -> Response {
    Response::builder()
        .status(code)
        .header("content-type", "application/json")
        .body(Body::from(value.to_string()))
        .unwrap()
}

/// A `metav1.Status` of a failure.
pub(crate) fn failure(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "metadata": {},
        "code": code, "reason": reason, "message": message,
    })
}

fn status(code: u16, reason: &str, message: &str) -> Response {
    json_response(code, &failure(code, reason, message))
}
