//! Joins that fail in their middle, against API servers that are played.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::*;

/// What an API server holds, by path, and what it was asked to change.
#[derive(Clone, Default)]
struct Played {
    objects: Arc<Mutex<BTreeMap<String, Value>>>,
    writes: Arc<Mutex<Vec<String>>>,
    /// The write that is refused, counted from 0.
    refused: Option<usize>,
}

impl Played {
    fn cluster(&self, name: &str) -> Cluster {
        let played = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let played = played.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect_bytes().await.unwrap_or_default();
                let body = serde_json::from_slice(&body).unwrap_or_default();
                let query = parts.uri.query().unwrap_or_default();
                let (status, answer) = played.answer(&parts.method, parts.uri.path(), query, body);
                let answer = Body::from(answer.to_string().into_bytes());
                Ok::<_, std::io::Error>(Response::builder().status(status).body(answer).unwrap())
            }
        });
        Cluster::played(name, Client::new(service, "default"))
    }

    fn answer(&self, method: &Method, path: &str, query: &str, body: Value) -> (StatusCode, Value) {
        let failure = |code: StatusCode, reason: &str| {
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code.as_u16(), "reason": reason,
                "message": format!("{path}: {reason}"),
            });
            (code, status)
        };
        let mut objects = self.objects.lock();
        match *method {
            Method::GET if path.ends_with("/secrets") => {
                let items: Vec<Value> =
                    objects.iter().filter(|(at, _)| at.starts_with(path)).map(|(_, o)| o.clone()).collect();
                (
                    StatusCode::OK,
                    json!({"kind": "SecretList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items}),
                )
            }
            Method::GET => match objects.get(path) {
                Some(object) => (StatusCode::OK, object.clone()),
                None => failure(StatusCode::NOT_FOUND, "NotFound"),
            },
            Method::PATCH => {
                assert!(query.contains("fieldManager=kogge-cli"), "{query}");
                let mut writes = self.writes.lock();
                if self.refused == Some(writes.len()) {
                    return failure(StatusCode::FORBIDDEN, "Forbidden");
                }
                writes.push(format!("make {path}"));
                let mut object = body;
                object["metadata"]["uid"] = json!(format!("uid of {path}"));
                if object["type"] == "kubernetes.io/service-account-token" {
                    object["data"] = json!({"token": "dG9rZW4=", "ca.crt": "Q0E="});
                }
                let object = objects.entry(path.to_owned()).or_insert(object);
                (StatusCode::OK, object.clone())
            }
            Method::DELETE => {
                self.writes.lock().push(format!("delete {path}"));
                assert_eq!(body["preconditions"]["uid"], json!(format!("uid of {path}")), "that very object");
                match objects.remove(path) {
                    Some(object) => (StatusCode::OK, object),
                    None => failure(StatusCode::NOT_FOUND, "NotFound"),
                }
            }
            _ => failure(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
        }
    }

    fn paths(&self) -> Vec<String> {
        self.objects.lock().keys().cloned().collect()
    }
}

fn manifests() -> Vec<Manifest> {
    let allowed = AllowedNamespaces { names: Some(vec!["databases".to_owned()]), all: None };
    let rendered = [kogge_api::rbac::GroupKind::new("apps", "StatefulSet")].into();
    objects::on_worker("kogge-system", &allowed, &rendered, objects::TOKEN_SECRET, "uid-of-control").unwrap()
}

fn arguments() -> (Args, ControlArgs) {
    use clap::Parser as _;
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        control: ControlArgs,
        #[command(flatten)]
        args: Args,
    }
    let line = ["join", "w", "--vdc=v", "--allow-namespace=databases", "--worker-kubeconfig=x"];
    let Line { control, args } = Line::parse_from(line);
    (args, control)
}

fn endpoint() -> Endpoint {
    let document = json!({
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        // Nothing listens there.
        "clusters": [{"name": "k", "cluster": {
            "server": "https://127.0.0.1:1",
            "certificate-authority-data": super::super::kubeconfig::tests::CA,
        }}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    });
    let files = kogge_fleet::KubeconfigFiles::parse(document.to_string().as_bytes()).unwrap();
    Endpoint::of(&files.access(None).unwrap().server, None).unwrap()
}

/// Joins, with the worker's write of that number refused; the last one to fail is the trial of the new kubeconfig.
async fn joined(worker: &Played) -> String {
    let _already_installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let home = Played::default();
    let (on_worker, at_home) = (worker.cluster("worker"), home.cluster("control"));
    let clusters = Clusters { worker: &on_worker, home: &at_home, uid: "uid-1" };
    let (args, control) = arguments();
    let mut made = Made::default();
    let registered =
        clusters.register(&mut made, &args, &control, &endpoint(), &manifests(), objects::TOKEN_SECRET).await;
    let error = registered.expect_err("nothing answers at the new kubeconfig's address");
    made.undo().await;
    assert_eq!(home.paths(), [""; 0], "the control cluster holds nothing of a worker that cannot be reached");
    format!("{error:#}")
}

#[tokio::test]
async fn field_19_a_join_that_fails_anywhere_leaves_nothing_behind() {
    let count = manifests().len();
    for refused in (0..count).map(Some).chain([None]) {
        let worker = Played { refused, ..Played::default() };
        let said = joined(&worker).await;
        match refused {
            Some(_) => assert!(said.contains("use credentials that are allowed to"), "{said}"),
            None => assert!(said.contains("https://127.0.0.1:1 cannot be reached"), "{said}"),
        }
        assert_eq!(worker.paths(), [""; 0], "write {refused:?}");
        let writes = worker.writes.lock().clone();
        let (made, deleted) = writes.split_at(refused.unwrap_or(count));
        let undone: Vec<String> = made.iter().rev().map(|write| write.replace("make", "delete")).collect();
        assert_eq!(deleted, undone, "the last that was made goes first");
    }
}

#[tokio::test]
async fn field_19_a_join_that_fails_leaves_what_was_there_before() {
    let worker = Played::default();
    for path in ["/api/v1/namespaces/databases", "/api/v1/namespaces/kogge-system/serviceaccounts/kogge-worker"] {
        let object = json!({"metadata": {"name": path.rsplit('/').next(), "uid": "another"}});
        worker.objects.lock().insert(path.to_owned(), object);
    }
    let before = worker.paths();
    joined(&worker).await;
    assert_eq!(worker.paths(), before);
}
