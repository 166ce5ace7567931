//! What an engine must answer.

use std::fmt;

use k8s_openapi::NamespaceResourceScope;
use kogge_api::anchor::{Record, SeedsDisagree};
use kogge_api::{ClusterId, DatabaseStatus};
use kube_core::{CustomResourceExt, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::component::{Component, Port, Share};
use crate::database::Database;
use crate::goal::{GoalInput, Member};
use crate::heard::Heard;
use crate::holding::Holding;
use crate::identity::Identity;
use crate::names::GroupName;
use crate::observation::Millis;
use crate::spec::InvalidSpec;
use crate::view::EngineView;

/// An engine. It has no client and no clock: what was observed comes in as its topology, what is to be done goes out as
/// steps that its client takes.
pub trait Engine: Sized + Send + Sync + 'static {
    /// The custom resource that declares a database.
    type Resource: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + CustomResourceExt
        + Clone
        + fmt::Debug
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + 'static;
    /// What a user asks of a database.
    type Spec: Serialize + Send + Sync;
    /// What the database shall be, in the engine's words.
    type Goal: Clone + fmt::Debug + PartialEq + Send + Sync;
    /// What its client observed, with its age.
    type Topology: Clone + fmt::Debug + Default + PartialEq + Send + Sync;
    /// What the anchors remember of its members.
    type Record: Record;
    /// What its client needs to take a step.
    type Action: Clone + fmt::Debug + PartialEq + Send + Sync;

    /// Its name in `kogge.engine` of a chart.
    const NAME: &'static str;
    /// The field of the resource that names the servers' image.
    const IMAGE_FIELD: &'static str;
    /// The port that the operator and clients speak to.
    const PORT: Port;
    /// The ports that members speak to each other on, where these are others.
    const PEER_PORTS: &'static [Port];
    /// Whether members authenticate to each other by a keyfile.
    const HAS_KEYFILE: bool;
    /// Whether servers with TLS ask whoever calls them for a certificate: then Kogge and the administrator have one.
    const ASKS_FOR_CERTIFICATES: bool;

    /// What a resource declares, in words that all kinds share.
    fn database(resource: &Self::Resource) -> Database;

    /// The spec of a resource.
    fn spec(resource: &Self::Resource) -> &Self::Spec;

    /// The clusterID of a spec; none until it has one.
    fn cluster_id(spec: &Self::Spec) -> Option<&ClusterId>;

    /// The resource with that status.
    fn with_status(resource: &Self::Resource, status: DatabaseStatus) -> Self::Resource;

    /// The shares of a component, by placement. A component that the spec does not have any more has those that it would
    /// have.
    fn shares(spec: &Self::Spec, component: &Component) -> Vec<Share>;

    /// The component of that name; none where no database of this engine has one.
    fn component(name: &str) -> Option<Component>;

    /// The component that a pod belongs to, read from what follows the database's name in the pod's.
    fn component_of_pod(rest: &str) -> Option<Component>;

    /// The name that the members of a group know it by.
    fn group_name(identity: &Identity, component: &Component) -> GroupName;

    /// The connection string for clients in any of the clusters.
    fn uri(identity: &Identity, tls: bool) -> String;

    /// `host:port` of the members that other components are told to begin with. They are frozen when a database begins:
    /// a change would restart pods.
    fn seeds(identity: &Identity, spec: &Self::Spec) -> Vec<String>;

    /// What the engine's charts see as `discovery`, beside what every chart does.
    fn discovery(identity: &Identity, component: &Component, seeds: &[String]) -> Map<String, Value>;

    /// What the engine's charts see as `settings`: what the spec itself sets for the servers, beside the values. A change
    /// of it restarts every pod.
    fn settings(spec: &Self::Spec) -> Map<String, Value>;

    /// Refuses a spec that no plan could carry out, or that asks for more than its engine or the operator hold. It is asked
    /// before anything is made for the spec, so whatever [`Engine::view`] would call an invalid goal is refused here.
    fn check(identity: &Identity, spec: &Self::Spec) -> Result<(), InvalidSpec>;

    /// What the database shall be.
    fn goal(input: &GoalInput<'_, Self::Spec, Self::Record>) -> Self::Goal;

    /// The members that a goal names, wanted ones and those that leave.
    fn members(goal: &Self::Goal) -> Vec<Member>;

    /// Which of the servers that were asked answered, and why the others did not.
    fn heard(topology: &Self::Topology) -> Vec<Heard>;

    /// What each wanted member holds, group by group.
    fn holdings(goal: &Self::Goal, topology: &Self::Topology) -> Vec<Holding>;

    /// What follows from what was observed. `now` is on the clock of the observations.
    fn view(goal: &Self::Goal, topology: &Self::Topology, now: Millis) -> EngineView<Self::Action>;

    /// What the anchors hold once the steps among these that the anchors take are recorded. `before` is what they hold
    /// now.
    fn recorded<'a>(
        goal: &Self::Goal,
        before: &Self::Record,
        steps: impl Iterator<Item = &'a Self::Action>,
    ) -> Result<Self::Record, SeedsDisagree>;
}
