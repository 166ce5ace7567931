use kogge_api::worker_cluster::AllowedNamespaces;
use kube::client::Body;

use super::*;
use crate::fleet::Signal;
use crate::probe::RequiredRules;

/// Nobody looks at a watch's task but its session.
#[tokio::test]
async fn field_10_a_watch_that_panics_ends_its_session() {
    let object = serde_json::from_value(serde_json::json!({
        "apiVersion": "kogge.dev/v1alpha1", "kind": "WorkerCluster", "metadata": {"name": "w"},
        "spec": {
            "vdc": "vdc1", "kubeconfig": {"secretRef": {"name": "w"}}, "allowedNamespaces": {"names": ["d"]},
        },
    }))
    .unwrap();
    let limits = Limits { concurrency: 1, deadline: Duration::from_secs(1) };
    let desired = Desired {
        credentials: Err(Verdict::no("Test", "nothing else is wanted")),
        pinned: None,
        bounds: limits,
        allowed: AllowedNamespaces { names: None, all: Some(true) },
    };
    let service = tower::service_fn(|_: http::Request<Body>| {
        std::future::ready(Err::<http::Response<Body>, _>(std::io::Error::other("nobody is there")))
    });
    let mut tasks = JoinSet::new();
    tasks.spawn(async { panic!("injected") });
    tasks.spawn(std::future::pending());
    let (_sender, receiver) = watch::channel(desired);
    let worker = Arc::new(Worker::new("w".into(), &object, Signal::new()));
    let options = FleetOptions {
        probe_deadline: Duration::from_millis(50),
        ..FleetOptions::new("kogge-system", RequiredRules::default())
    };
    let mut session = Session::new(worker, Arc::new(options), Arc::default(), receiver);
    session.standing = Some(Standing {
        credentials: WorkerCredentials {
            server: http::Uri::from_static("https://192.0.2.1"),
            authorities: Vec::new(),
            tls_server_name: None,
            proxy: None,
            client: None,
            token: None,
        },
        limits,
        bounds: Arc::new(Bounds::new(limits.concurrency, limits.deadline)),
        client: Client::new(service, "default"),
        uid: "uid-1".to_owned(),
        slots: BTreeSet::new(),
        tasks,
    });
    let ended = tokio::time::timeout(Duration::from_secs(20), session.run()).await.unwrap();
    assert_eq!(ended, Ended::TaskFailed);
}
