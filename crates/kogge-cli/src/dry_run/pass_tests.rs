use std::path::PathBuf;
use std::sync::Arc;

use kogge_api::{OwnerRecord, WorkerCluster};
use kogge_database::pass::Endings;
use kogge_database::secrets::Wanted;
use kogge_engine::Identity;
use kogge_engine_client::Observe;
use kogge_plan::{FleetView, Liveness, Objects, WorkerView};
use kube::CustomResourceExt as _;
use serde_json::json;

use super::super::outline::Verb;
use super::*;

type MongoDb = <kogge_mongo_client::Engine as Observe>::Engine;
type Etcd = <kogge_etcd_client::Engine as Observe>::Engine;

fn worker(vdc: &str) -> WorkerCluster {
    serde_json::from_value(json!({
        "apiVersion": "kogge.dev/v1alpha1",
        "kind": "WorkerCluster",
        "metadata": { "name": format!("worker-{vdc}") },
        "spec": {
            "vdc": vdc,
            "kubeconfig": { "secretRef": { "name": format!("worker-{vdc}") } },
            "allowedNamespaces": { "names": ["databases"] },
        },
        "status": {
            "uid": format!("uid-{vdc}"),
            "version": "v1.34.4",
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "Connected", "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
        },
    }))
    .unwrap()
}

/// A worker that holds nothing.
fn empty(vdc: &str) -> WorkerView {
    WorkerView {
        vdc: vdc.to_owned(),
        uid: Some(format!("uid-{vdc}")),
        cluster_domain: "cluster.local".to_owned(),
        liveness: Liveness::Live,
        complete: true,
        suspended: false,
        objects: Objects::default(),
    }
}

fn new_database() -> Known<MongoDb> {
    let cluster = json!({
        "apiVersion": "kogge.dev/v1alpha1",
        "kind": "FederatedCluster",
        "metadata": { "name": "db", "namespace": "databases", "uid": "u", "generation": 1 },
        "spec": {
            "global": { "chart": "bytedoc", "chartVersion": "1.0.0", "version": "7.0", "image": "mongod:7.0" },
            "mongos": { "replicasPerPlacement": 1 },
            "shard": { "shardCount": 1, "membersPerPlacement": 1, "storage": { "size": "1Gi" } },
            "config": { "membersPerPlacement": 1, "storage": { "size": "1Gi" } },
            "placement": [{ "name": "north", "vdc": "north" }, { "name": "south", "vdc": "south" }],
        },
    });
    known(cluster)
}

/// What the control cluster knows of a database that nobody has looked at yet.
fn known<E: Engine>(resource: serde_json::Value) -> Known<E> {
    Known {
        resource: serde_json::from_value(resource).unwrap(),
        workers: vec![worker("north"), worker("south")],
        undecodable: Vec::new(),
        control_uid: "control".to_owned(),
        revisions: Vec::new(),
        secrets: SecretsKnown::Absent,
        rivals: Vec::new(),
        owner: OwnerRecord::Absent,
        admin_secret: None,
        named_secret: None,
        endings: Endings::default(),
        system_namespace: "kogge-system".to_owned(),
        agent_image: kogge_api::gate::IMAGE.to_owned(),
    }
}

fn identity() -> Identity {
    Identity {
        name: "db".to_owned(),
        namespace: "databases".to_owned(),
        id: "abcdefgh".parse().unwrap(),
        cluster_domain: "cluster.local".to_owned(),
    }
}

fn seen(views: impl IntoIterator<Item = WorkerView>) -> Seen {
    let workers = views.into_iter().map(|view| (WorkerName(format!("worker-{}", view.vdc)), view));
    Seen { fleet: Arc::new(FleetView { workers: workers.collect() }), missing: BTreeMap::new() }
}

async fn planned<E: Engine>(known: &Known<E>, seen: &Seen) -> Outline {
    let charts = ChartStore::new([PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../charts"))]);
    let now = Time("2026-01-01T00:00:00Z".parse().unwrap());
    let ask = async |_: &Prepared<'_, E>, _: &DatabaseSecrets| E::Topology::default();
    dry_run(known, seen, &charts, &now, ask).await.unwrap()
}

#[tokio::test]
async fn a_new_database_is_planned_in_words() {
    let outline = planned(&new_database(), &seen([empty("north"), empty("south")])).await;
    assert_eq!(outline.outcome, Outcome::Changes);
    assert_eq!(outline.to_string(), include_str!("new_database.txt"));
}

#[tokio::test]
async fn a_new_database_of_another_kind_is_planned_by_the_same_code() {
    let new = json!({
        "apiVersion": "kogge.dev/v1alpha1",
        "kind": "FederatedEtcd",
        "metadata": { "name": "orders", "namespace": "databases", "uid": "u", "generation": 1 },
        "spec": {
            "chartVersion": "1.1.0",
            "version": "3.6.14",
            "placement": [{ "name": "north", "vdc": "north" }, { "name": "south", "vdc": "south" }],
        },
    });
    let outline = planned::<Etcd>(&known(new), &seen([empty("north"), empty("south")])).await;
    assert_eq!(outline.outcome, Outcome::Changes, "{outline}");
    let words = outline.to_string();
    assert!(words.contains("+ create StatefulSet databases/orders-etcd-south"), "{words}");
    assert!(!words.contains("keyfile"), "{words}");
}

#[tokio::test]
async fn a12_no_plan_shows_a_secret() {
    let mut known = new_database();
    let identity = identity();
    let database = MongoDb::database(&known.resource);
    let wanted = Wanted::new(&identity, &database, None);
    let secrets = DatabaseSecrets::begin(&wanted, &mut Sample::default()).unwrap();
    known.secrets = SecretsKnown::Read(Box::new(secrets.clone()));
    let outline = planned(&known, &seen([empty("north"), empty("south")])).await;
    let shown = serde_json::to_string(&outline).unwrap() + &outline.to_string();
    assert!(shown.contains(r#""kind":"Secret""#), "the plan has a Secret to leave out");
    for secret in [&secrets.current.keys[0], &secrets.users.operator, &secrets.users.admin] {
        assert!(!shown.contains(secret.as_str()));
    }
}

#[tokio::test]
async fn a03_a_worker_that_was_not_seen_stops_a_new_database_and_is_named() {
    let mut silent = empty("south");
    silent.complete = false;
    let mut seen = seen([empty("north"), silent]);
    seen.missing.insert("worker-south".into(), "the connection timed out".to_owned());
    let outline = planned(&new_database(), &seen).await;
    assert_eq!(outline.outcome, Outcome::Problem);
    assert_eq!(outline.problems[0].reason, "WorkersNotSeen");
    assert!(outline.workers.is_empty());
    let words = outline.to_string();
    assert!(words.contains("Note: worker-south was not seen: the connection timed out"), "{words}");
    assert!(words.ends_with("Nothing is done before the problems are solved.\n"), "{words}");
}

#[tokio::test]
async fn a_spec_that_cannot_be_rendered_is_a_problem() {
    let mut known = new_database();
    known.resource.spec.global.chart_version = Some("9.9.9".to_owned());
    let outline = planned(&known, &seen([empty("north"), empty("south")])).await;
    assert_eq!(outline.outcome, Outcome::Problem);
    assert!(outline.problems[0].message.contains("9.9.9"), "{:?}", outline.problems);
}

#[tokio::test]
async fn field_23_what_no_plan_could_carry_out_is_a_problem() {
    let mut known = new_database();
    known.resource.spec.placement.iter_mut().for_each(|placement| placement.priority = Some(0));
    let outline = planned(&known, &seen([empty("north"), empty("south")])).await;
    assert_eq!(outline.outcome, Outcome::Problem);
    assert_eq!(outline.problems[0].reason, "NoElectableMember", "{:?}", outline.problems);
    assert!(outline.workers.is_empty());
}

#[tokio::test]
async fn field_26_the_certificate_that_a_user_gave_is_looked_at() {
    let mut known = new_database();
    let security = json!({"tls": {"mode": "Require", "secretRef": {"name": "ours"}}});
    known.resource.spec.security = serde_json::from_value(security).unwrap();
    let data = json!({"tls.crt": "cGVt", "tls.key": "cGVt", "ca.crt": "cGVt"});
    known.named_secret = serde_json::from_value(json!({"metadata": {"name": "ours"}, "data": data})).unwrap();
    let outline = planned(&known, &seen([empty("north"), empty("south")])).await;
    assert_eq!(outline.problems[0].reason, "TlsSecretUnfit", "{:?}", outline.problems);
    assert!(outline.problems[0].message.contains("tls.crt holds no certificate"), "{:?}", outline.problems);
}

#[tokio::test]
async fn field_20_a_worker_that_cannot_be_decoded_is_named() {
    let mut known = new_database();
    let broken = json!({"metadata": {"name": "west"}, "spec": {"vdc": 7}});
    let kogge_api::guarded::Guarded::<kogge_api::WorkerCluster>(read) = serde_json::from_value(broken).unwrap();
    known.undecodable = vec![*read.unwrap_err()];
    let outline = planned(&known, &seen([empty("north"), empty("south")])).await;
    assert_eq!(outline.outcome, Outcome::Changes);
    let words = outline.to_string();
    assert!(words.contains("Note: WorkerCluster west is left out: spec.vdc cannot be decoded"), "{words}");
}

/// Whether a kind has the field that a database without an image is told of.
fn has_the_image_field<E: Engine>() -> bool {
    let definition = serde_json::to_value(E::Resource::crd()).unwrap();
    let field = E::IMAGE_FIELD.replace('.', "/properties/");
    definition.pointer(&format!("/spec/versions/0/schema/openAPIV3Schema/properties/{field}")).is_some()
}

#[test]
fn the_field_that_a_missing_image_is_asked_for_by_is_in_each_kind() {
    assert!(has_the_image_field::<MongoDb>() && has_the_image_field::<Etcd>());
}

#[tokio::test]
async fn without_its_secrets_the_members_are_left_out() {
    let mut known = new_database();
    known.secrets = SecretsKnown::Unreadable("secrets is forbidden".to_owned());
    let outline = planned(&known, &seen([empty("north"), empty("south")])).await;
    assert!(outline.engine.is_none() && outline.rollout.is_none());
    assert!(outline.workers.values().flatten().all(|change| change.object.kind != "Secret"));
}

#[tokio::test]
async fn the_secrets_of_a_database_that_stands_must_be_there() {
    let known = new_database();
    let first = planned(&known, &seen([empty("north"), empty("south")])).await;
    let standing = |vdc: &str| {
        let mut view = empty(vdc);
        let changes = &first.workers[&WorkerName(format!("worker-{vdc}"))];
        for change in changes.iter().filter(|change| change.object.kind == "ConfigMap") {
            let object = serde_json::from_value(change.manifest.clone().unwrap()).unwrap();
            view.objects.insert(change.object.clone(), Arc::new(object));
        }
        view
    };
    let mut known = known;
    known.resource.spec.cluster_id = Some(first.cluster_id.parse().unwrap());
    let outline = planned(&known, &seen([standing("north"), standing("south")])).await;
    assert_eq!(outline.problems[0].reason, "SecretsLost", "{:?}", outline.problems);
}

#[tokio::test]
async fn a_rotation_that_is_due_is_told_and_is_something_to_do() {
    let mut known = new_database();
    let identity = identity();
    let database = MongoDb::database(&known.resource);
    let wanted = Wanted::new(&identity, &database, None);
    let secrets = DatabaseSecrets::begin(&wanted, &mut Sample::default()).unwrap();
    known.secrets = SecretsKnown::Read(Box::new(secrets));
    let before = planned(&known, &seen([empty("north"), empty("south")])).await;
    assert!(!before.notes.iter().any(|note| note.contains("are rotated")), "{:?}", before.notes);
    known.resource.spec.security.rotation.keyfile = 1;
    let mut outline = planned(&known, &seen([empty("north"), empty("south")])).await;
    assert!(outline.notes.iter().any(|note| note.ends_with("keyfile: a new key is asked for")), "{outline}");
    outline.outcome = Outcome::NothingToDo;
    outline.rotates("keyfile: a new key is asked for");
    assert_eq!(outline.outcome, Outcome::Changes);
}

#[tokio::test]
async fn a_database_whose_cool_off_is_over_is_taken_down_and_not_made_again() {
    let first = planned(&new_database(), &seen([empty("north"), empty("south")])).await;
    let mut north = empty("north");
    for change in &first.workers[&WorkerName("worker-north".to_owned())] {
        let mut object: kogge_plan::Object = serde_json::from_value(change.manifest.clone().unwrap()).unwrap();
        object.metadata.uid = Some("uid".to_owned());
        north.objects.insert(change.object.clone(), Arc::new(object));
    }
    let mut known = new_database();
    let cluster = &mut known.resource;
    cluster.spec.cluster_id = Some(first.cluster_id.parse().unwrap());
    let asked = Time("2025-01-01T00:00:00Z".parse().unwrap());
    let cool_off = Duration::from(cluster.spec.deletion.cool_off);
    let record = kogge_plan::teardown::deletion_record(&asked, None, cool_off);
    cluster.metadata.deletion_timestamp = Some(asked);
    cluster.metadata.finalizers = Some(vec![kogge_api::FINALIZER.to_owned()]);
    cluster.status.get_or_insert_default().deletion = Some(record);
    let outline = planned(&known, &seen([north, empty("south")])).await;
    let verbs: Vec<Verb> = outline.workers.values().flatten().map(|change| change.verb).collect();
    assert!(!verbs.is_empty() && verbs.iter().all(|verb| *verb == Verb::Delete), "{outline}");
    assert_eq!(outline.outcome, Outcome::Changes);
}

#[tokio::test]
async fn field_02_a_plan_of_a_copied_manifest_says_whose_the_clusterid_is() {
    let mut known = new_database();
    known.resource.spec.cluster_id = Some("abcdefgh".parse().unwrap());
    known.owner = OwnerRecord::Named("FederatedCluster/others/db/uid".parse().unwrap());
    let outline = planned(&known, &seen([empty("north"), empty("south")])).await;
    assert_eq!((outline.outcome, outline.problems[0].reason.as_str()), (Outcome::Problem, "ClusterIDTaken"));
    assert!(outline.problems[0].message.contains("clusterID abcdefgh belongs to others/db"), "{outline}");
    assert!(outline.workers.is_empty());
}
