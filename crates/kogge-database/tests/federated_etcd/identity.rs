//! Databases of different kinds meet in one namespace, and in clusterIDs.

use kogge_api::FederatedCluster;
use kogge_api::conditions::database as types;
use kogge_engine::{Database, Engine as _};
use kogge_mongo::MongoDb;
use serde_json::{Value, json};

use crate::world::{ID, NAME, NAMESPACE, World};

fn mongodb(namespace: &str, name: &str, id: Option<&str>) -> Database {
    let cluster = json!({
        "apiVersion": "kogge.dev/v1alpha1",
        "kind": "FederatedCluster",
        "metadata": {
            "name": name, "namespace": namespace, "uid": "uid-of-mongodb",
            "creationTimestamp": "2020-01-01T00:00:00Z",
        },
        "spec": {"clusterID": id, "placement": [{"name": "vdc1", "vdc": "vdc1"}]},
    });
    MongoDb::database(&serde_json::from_value::<FederatedCluster>(cluster).unwrap())
}

fn refused(world: &mut World) -> (String, String) {
    world.rounds(10);
    assert!(world.writes.is_empty() && world.secrets.is_none() && world.admin_secret.is_none());
    let valid = world.condition(types::SPEC_VALID);
    assert_eq!(valid.status, "False");
    (valid.reason, valid.message)
}

#[test]
fn field_04_two_kinds_of_one_name_meet_and_the_second_is_told() {
    let mut world = World::three();
    world.of_other_kinds.push(mongodb(NAMESPACE, NAME, None));
    let (reason, message) = refused(&mut world);
    assert_eq!(reason, "NameTaken");
    assert!(message.contains(&format!("{NAMESPACE}/{NAME} (FederatedCluster)")), "{message}");
    world.of_other_kinds.clear();
    world.settle();
}

#[test]
fn field_02_the_clusterid_of_a_database_of_another_kind_is_refused() {
    let mut world = World::three();
    world.set(&[("clusterID", Value::from(ID))]);
    world.of_other_kinds.push(mongodb("others", "m", Some(ID)));
    let (reason, message) = refused(&mut world);
    assert_eq!(reason, "ClusterIDTaken");
    assert!(message.contains(&format!("clusterID {ID} belongs to others/m (FederatedCluster)")), "{message}");
}

#[test]
fn a_databases_kind_is_that_of_its_resource() {
    assert_eq!(World::three().owner().kind, "FederatedEtcd");
}
