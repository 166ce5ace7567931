use std::collections::BTreeMap;

use kogge_api::WorkerCluster;
use kogge_api::worker_cluster::AllowedNamespaces;
use kogge_plan::WorkerName;
use kogge_plan::placement::{Pinned, Placements, RegisteredWorker, RequestedPlacement, resolve};
use rstest::rstest;
use serde_json::json;

fn worker(name: &str, vdc: &str) -> RegisteredWorker {
    RegisteredWorker {
        name: name.into(),
        vdc: vdc.to_owned(),
        uid: Some(format!("uid-{name}")),
        cluster_domain: "cluster.local".to_owned(),
        allowed_namespaces: AllowedNamespaces { names: Some(vec!["databases".to_owned()]), all: None },
        suspended: false,
        not_ready: None,
    }
}

fn placement(
    name: &'static str,
    vdc: &'static str,
    worker_cluster: Option<&'static str>,
) -> RequestedPlacement<'static> {
    RequestedPlacement { name, vdc, worker_cluster }
}

fn three() -> Vec<RegisteredWorker> {
    vec![worker("w1", "vdc1"), worker("w2", "vdc2"), worker("w3", "vdc3")]
}

fn resolved(placements: &[RequestedPlacement<'_>], workers: &[RegisteredWorker]) -> Placements {
    resolve(placements.iter().cloned(), "databases", workers, &BTreeMap::new())
}

fn pinned(placement: &str, worker: &str, uid: &str) -> BTreeMap<String, Pinned> {
    let pin = Pinned { worker: Some(worker.into()), uid: Some(uid.to_owned()) };
    [(placement.to_owned(), pin)].into()
}

type Workers = Vec<RegisteredWorker>;
type Change = fn(&mut Workers);

#[rstest]
#[case("UnknownVdc", placement("p", "vdc9", None), |_: &mut Workers| {}, "known: vdc1, vdc2, vdc3")]
#[case("AmbiguousVdc", placement("p", "vdc2", None), |w: &mut Workers| w.push(worker("w2b", "vdc2")), "w2, w2b")]
#[case("UnknownWorker", placement("p", "vdc2", Some("w9")), |_: &mut Workers| {}, "w9")]
#[case("WrongVdc", placement("p", "vdc2", Some("w3")), |_: &mut Workers| {}, "vdc3")]
#[case("NamespaceNotAllowed", placement("p", "vdc2", None), |w: &mut Workers| w[1].allowed_namespaces.names = Some(vec!["x".into()]), "allowedNamespaces")]
#[case("ClusterDomainDiffers", placement("p", "vdc2", None), |w: &mut Workers| w[1].cluster_domain = "other.local".into(), "cluster.local")]
#[case("WorkerSuspended", placement("p", "vdc2", None), |w: &mut Workers| w[1].suspended = true, "spec.suspend")]
#[case("WorkerNotReady", placement("p", "vdc2", None), |w: &mut Workers| w[1].not_ready = Some("no answer".into()), "no answer")]
fn one_bad_placement_leaves_the_others_alone(
    #[case] reason: &str,
    #[case] bad: RequestedPlacement<'static>,
    #[case] change: Change,
    #[case] says: &str,
) {
    let mut workers = three();
    change(&mut workers);
    let all = [placement("a", "vdc1", None), bad, placement("z", "vdc3", None)];
    let result = resolved(&all, &workers);
    assert_eq!(result.errors["p"].reason(), reason);
    assert!(result.errors["p"].to_string().contains(says), "{}", result.errors["p"]);
    let writable: Vec<&str> = result.writable().map(|p| p.name.as_str()).collect();
    assert_eq!(writable, ["a", "z"]);
    assert_eq!(result.on(&WorkerName::from("w1")).count(), 1);
}

#[test]
fn a_vdc_with_several_workers_needs_a_name() {
    let mut workers = three();
    workers.push(worker("w2b", "vdc2"));
    let result = resolved(&[placement("p", "vdc2", Some("w2b"))], &workers);
    assert_eq!(result.errors, BTreeMap::new());
    assert_eq!(result.resolved["p"].worker, "w2b".into());
}

#[test]
fn a_worker_that_is_registered_later_unsettles_nothing() {
    let mut workers = three();
    workers.insert(0, worker("w2-new", "vdc2"));
    let placements = [placement("p", "vdc2", None)];
    let result = resolve(placements.clone(), "databases", &workers, &pinned("p", "w2", "uid-w2"));
    assert_eq!(result.errors, BTreeMap::new());
    assert_eq!(result.resolved["p"].worker, "w2".into());
}

#[test]
fn a_placement_never_moves_to_another_cluster() {
    let placements = [placement("p", "vdc2", None)];
    let result = resolve(placements.clone(), "databases", &three(), &pinned("p", "w2", "uid-before"));
    assert_eq!(result.errors["p"].reason(), "WorkerReplaced");
    assert_eq!(result.writable().count(), 0);
}

#[test]
fn new_placements_do_not_outvote_the_domain_of_those_that_stand() {
    let mut workers = three();
    workers[1].cluster_domain = "other.local".to_owned();
    workers[2].cluster_domain = "other.local".to_owned();
    let placements = [placement("a", "vdc1", None), placement("b", "vdc2", None), placement("c", "vdc3", None)];
    let standing = resolve(placements.clone(), "databases", &workers, &pinned("a", "w1", "uid-w1"));
    assert_eq!(standing.writable().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["a"]);
    let fresh = resolved(&placements, &workers);
    assert_eq!(fresh.writable().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["b", "c"]);
}

#[test]
fn a_worker_that_was_never_probed_is_not_ready() {
    let resource: WorkerCluster = serde_json::from_value(json!({
        "apiVersion": "kogge.dev/v1alpha1", "kind": "WorkerCluster", "metadata": {"name": "w1"},
        "spec": {"vdc": "vdc1", "kubeconfig": {"secretRef": {"name": "w1"}}, "allowedNamespaces": {"all": true}},
    }))
    .unwrap();
    assert!(RegisteredWorker::from(&resource).not_ready.is_some());
}
