//! The engine as everything else sees it.

mod check;
mod components;
mod goal;
mod holdings;
mod record;
mod resource;
mod view;

use kogge_api::anchor::mongodb::Record;
use kogge_api::federated_cluster::Component as Kind;
use kogge_api::{ClusterId, FederatedCluster, FederatedClusterSpec};
use kogge_engine::{
    Component, ComponentKey, Database, DatabaseStatus, Engine, EngineView, GoalInput, GroupName, Heard, Holding,
    Identity, InvalidSpec, Member, Millis, Port, SeedsDisagree, Share,
};
use serde_json::{Map, Value};

use crate::data::goal::Goal;
use crate::data::step::Step;
use crate::data::topology::Topology;

/// A sharded cluster: config servers and shards, each a replica set, and routers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MongoDb;

impl Engine for MongoDb {
    type Resource = FederatedCluster;
    type Spec = FederatedClusterSpec;
    type Goal = Goal;
    type Topology = Topology;
    type Record = Record;
    type Action = Step;

    const NAME: &'static str = "mongodb";
    const IMAGE_FIELD: &'static str = "spec.global.image";
    const PORT: Port = components::PORT;
    const PEER_PORTS: &'static [Port] = &[];
    const HAS_KEYFILE: bool = true;
    const ASKS_FOR_CERTIFICATES: bool = false;

    fn database(resource: &FederatedCluster) -> Database {
        resource::database(resource)
    }

    fn spec(resource: &FederatedCluster) -> &FederatedClusterSpec {
        &resource.spec
    }

    fn cluster_id(spec: &FederatedClusterSpec) -> Option<&ClusterId> {
        spec.cluster_id.as_ref()
    }

    fn with_status(resource: &FederatedCluster, status: DatabaseStatus) -> FederatedCluster {
        FederatedCluster { status: Some(status), ..resource.clone() }
    }

    fn shares(spec: &Self::Spec, component: &Component) -> Vec<Share> {
        components::kind(&component.key).map(|kind| components::shares(spec, kind)).unwrap_or_default()
    }

    fn component(name: &str) -> Option<Component> {
        components::kind(&ComponentKey::from(name)).map(components::component)
    }

    fn component_of_pod(rest: &str) -> Option<Component> {
        components::component_of_pod(rest).map(components::component)
    }

    fn group_name(identity: &Identity, component: &Component) -> GroupName {
        kogge_api::names::group(&identity.name, &component.key, &identity.id).into()
    }

    fn uri(identity: &Identity, tls: bool) -> String {
        let routers = identity.service_host(&components::key(Kind::Mongos));
        let options = if tls { "?tls=true" } else { "" };
        format!("mongodb://{routers}:{}/{options}", components::PORT.number)
    }

    fn seeds(identity: &Identity, spec: &Self::Spec) -> Vec<String> {
        components::seeds(identity, spec)
    }

    fn discovery(identity: &Identity, component: &Component, seeds: &[String]) -> Map<String, Value> {
        components::discovery(identity, component, seeds)
    }

    fn settings(_: &Self::Spec) -> Map<String, Value> {
        Map::new()
    }

    fn check(identity: &Identity, spec: &Self::Spec) -> Result<(), InvalidSpec> {
        check::check(identity, spec)
    }

    fn goal(input: &GoalInput<'_, Self::Spec, Record>) -> Goal {
        goal::goal(input)
    }

    fn members(goal: &Goal) -> Vec<Member> {
        goal::members(goal)
    }

    fn heard(topology: &Topology) -> Vec<Heard> {
        view::heard(topology)
    }

    fn holdings(goal: &Goal, topology: &Topology) -> Vec<Holding> {
        holdings::holdings(goal, topology)
    }

    fn view(goal: &Goal, topology: &Topology, now: Millis) -> EngineView<Step> {
        view::view(goal, topology, now)
    }

    fn recorded<'a>(
        goal: &Goal,
        before: &Record,
        steps: impl Iterator<Item = &'a Step>,
    ) -> Result<Record, SeedsDisagree> {
        record::recorded(goal, before, steps)
    }
}
