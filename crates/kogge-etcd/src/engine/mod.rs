//! The engine as everything else sees it.

mod check;
mod components;
mod goal;
mod holdings;
mod record;
mod resource;
mod view;

use kogge_api::anchor::etcd::Record;
use kogge_api::federated_etcd::COMPONENT;
use kogge_api::{ClusterId, FederatedEtcd, FederatedEtcdSpec};
use kogge_engine::{
    Component, Database, DatabaseStatus, Engine, EngineView, GoalInput, GroupName, Heard, Holding, Identity,
    InvalidSpec, Member, Millis, Port, SeedsDisagree, Share,
};
use serde_json::{Map, Value};

pub use components::{CLIENT, PEER};

use crate::goal::Goal;
use crate::step::Step;
use crate::topology::Topology;

/// One etcd cluster: one group, and nothing beside its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Etcd;

impl Engine for Etcd {
    type Resource = FederatedEtcd;
    type Spec = FederatedEtcdSpec;
    type Goal = Goal;
    type Topology = Topology;
    type Record = Record;
    type Action = Step;

    const NAME: &'static str = "etcd";
    const IMAGE_FIELD: &'static str = "spec.image";
    const PORT: Port = components::CLIENT;
    const PEER_PORTS: &'static [Port] = &[components::PEER];
    const HAS_KEYFILE: bool = false;
    const ASKS_FOR_CERTIFICATES: bool = true;

    fn database(resource: &FederatedEtcd) -> Database {
        resource::database(resource)
    }

    fn spec(resource: &FederatedEtcd) -> &FederatedEtcdSpec {
        &resource.spec
    }

    fn cluster_id(spec: &FederatedEtcdSpec) -> Option<&ClusterId> {
        spec.cluster_id.as_ref()
    }

    fn with_status(resource: &FederatedEtcd, status: DatabaseStatus) -> FederatedEtcd {
        FederatedEtcd { status: Some(status), ..resource.clone() }
    }

    fn shares(spec: &Self::Spec, component: &Component) -> Vec<Share> {
        components::shares(spec, component)
    }

    fn component(name: &str) -> Option<Component> {
        (name == COMPONENT).then(components::component)
    }

    fn component_of_pod(rest: &str) -> Option<Component> {
        rest.strip_prefix(COMPONENT)?.starts_with('-').then(components::component)
    }

    fn group_name(identity: &Identity, component: &Component) -> GroupName {
        kogge_api::names::group(&identity.name, &component.key, &identity.id).into()
    }

    fn uri(identity: &Identity, tls: bool) -> String {
        let members = identity.service_host(&components::component().key);
        format!("{}://{members}:{}", components::scheme(tls), components::CLIENT.number)
    }

    fn seeds(_: &Identity, _: &Self::Spec) -> Vec<String> {
        Vec::new()
    }

    fn discovery(_: &Identity, _: &Component, _: &[String]) -> Map<String, Value> {
        [("peerPort".to_owned(), components::PEER.number.into())].into_iter().collect()
    }

    fn settings(spec: &Self::Spec) -> Map<String, Value> {
        [("quotaBackendBytes".to_owned(), spec.quota().bytes().into())].into_iter().collect()
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
        _: &Goal,
        before: &Record,
        steps: impl Iterator<Item = &'a Step>,
    ) -> Result<Record, SeedsDisagree> {
        Ok(record::recorded(before, steps))
    }
}
