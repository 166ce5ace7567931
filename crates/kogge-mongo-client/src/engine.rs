//! The wire half of the engine: observe and execute.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use kogge_engine_client::{ClusterAccess, Outcome, Questions};
use kogge_mongo::{
    Action, Goal, MemberObservation, Millis, Pod, PodName, RouterObservation, RouterServer, Server, ServerState,
    SetGoal, SetRole, Step, Topology,
};
use parking_lot::Mutex;

use crate::error::StepError;
use crate::session::Sessions;
use crate::{observe, reconfig, sets, sharding};

/// One member's observation ends by then; a member without an answer costs the others nothing, because all
/// are asked at once.
pub const MEMBER_DEADLINE: Duration = Duration::from_secs(6);

/// One database's connections. Make one per database and keep it: it holds the sessions and which servers are
/// silent, and for how many observations each member has been as it is: nothing that a step relies on.
pub struct Engine {
    pub(crate) sessions: Arc<Sessions>,
    members: Questions<ServerState>,
    routers: Questions<RouterServer>,
    before: Mutex<Option<Topology>>,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            sessions: Arc::default(),
            members: Questions::within(MEMBER_DEADLINE),
            routers: Questions::within(MEMBER_DEADLINE),
            before: Mutex::default(),
        }
    }
}

impl Engine {
    /// An engine without connections.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks every member and router of the goal at once. `pods` is what the fleet knows of the members'
    /// pods, `now` the time on the caller's monotonic clock. Takes no longer than [`MEMBER_DEADLINE`], and where
    /// only servers are silent that were silent before, a fraction of a second.
    pub async fn observe(
        &self,
        access: &ClusterAccess,
        goal: &Goal,
        pods: &BTreeMap<PodName, Pod>,
        now: Millis,
    ) -> Topology {
        let sets = goal.sets.iter();
        let members: BTreeSet<&PodName> = sets
            .flat_map(|set| set.members.iter().map(|m| &m.pod).chain(set.leaving.iter().map(|m| &m.pod)))
            .collect();
        let takers: BTreeSet<&PodName> = chunk_takers(goal).collect();
        let routers: BTreeSet<&PodName> = goal.routers.iter().map(|router| &router.pod).collect();
        self.sessions.keep_only(&members.union(&routers).copied().collect());
        self.members.keep_only(&members);
        self.routers.keep_only(&routers);
        let (members, routers) = futures::join!(
            join_all(members.into_iter().map(|pod| self.observe_member(
                access,
                pod,
                takers.contains(pod),
                pods,
                now
            ))),
            join_all(routers.into_iter().map(|pod| self.observe_router(access, pod, now))),
        );
        let topology = Topology { members: members.into_iter().collect(), routers: routers.into_iter().collect() };
        let mut before = self.before.lock();
        let topology = topology.after(before.as_ref());
        *before = Some(topology.clone());
        topology
    }

    /// Carries a step out on a server. Anchor records and pod restarts are the operator's
    /// ([`Action::executor`]).
    pub async fn execute(&self, access: &ClusterAccess, step: &Step) -> Result<Outcome, StepError> {
        self.carry_out(access, step).await.map_err(|error| error.naming_host(&step.action).telling_propagation())
    }

    async fn carry_out(&self, access: &ClusterAccess, step: &Step) -> Result<Outcome, StepError> {
        let wire = Wire { sessions: &self.sessions, access };
        match &step.action {
            Action::Initiate { seed, role, member } => sets::initiate(wire, &step.set, seed, *role, member).await,
            Action::CreateUsers { via } => sets::create_users(wire, via).await,
            Action::StepDown { pod } => sets::step_down(wire, pod).await,
            Action::AddShard { via, hosts } => sets::add_shard(wire, &step.set, via, hosts).await,
            Action::Sharding { step } => sharding::run(wire, step).await,
            Action::AddMember { change, member } => reconfig::run(wire, change, |config| config.add(member)).await,
            Action::Promote { change } => reconfig::run(wire, change, |config| config.set_votes(change, 1)).await,
            Action::Demote { change } => reconfig::run(wire, change, |config| config.set_votes(change, 0)).await,
            Action::SetPriority { change, priority } => {
                reconfig::run(wire, change, |config| config.set_priority(change, *priority)).await
            }
            Action::LowerPriority { change } => {
                reconfig::run(wire, change, |config| config.lower_priority(change)).await
            }
            Action::SetTags { change, tags } => {
                reconfig::run(wire, change, |config| config.set_tags(change, tags)).await
            }
            Action::SetHidden { change, hidden } => {
                reconfig::run(wire, change, |config| config.set_hidden(change, *hidden)).await
            }
            Action::SetHost { change, to, alone: false } => {
                reconfig::run(wire, change, |config| config.set_host(change, to)).await
            }
            Action::SetHost { change, to, alone: true } => {
                reconfig::run_alone(wire, change, |config| config.set_host(change, to)).await
            }
            Action::ForceReconfig { via, base, lost } => reconfig::force(wire, via, *base, lost).await,
            Action::RemoveMember { change } => reconfig::run(wire, change, |config| config.remove(change)).await,
            Action::RecordSeed { .. }
            | Action::ReserveMemberId { .. }
            | Action::MarkInitialized { .. }
            | Action::FenceMember { .. }
            | Action::ForgetMember { .. }
            | Action::RestartPod { .. } => Err(StepError::NotForTheWire { action: step.action.name() }),
        }
    }

    async fn observe_member(
        &self,
        access: &ClusterAccess,
        pod: &PodName,
        takes_chunks: bool,
        pods: &BTreeMap<PodName, Pod>,
        now: Millis,
    ) -> (PodName, MemberObservation) {
        let identity = access.reach.identity(pod);
        let (sessions, way, asked) = (self.sessions.clone(), access.clone(), pod.clone());
        let question = || async move { observe::member(&sessions, &way, &asked, takes_chunks).await };
        let (server, observed_at) = match self.members.ask(pod, identity, now, question).await {
            Ok((state, asked_at)) => (Server::Reachable(state), asked_at),
            Err(silence) => (Server::Unreachable { reason: silence.reason, since: silence.since }, now),
        };
        let unknown = || Pod::Unknown { reason: "its worker was not observed".to_owned() };
        let facts = pods.get(pod).cloned().unwrap_or_else(unknown);
        (pod.clone(), MemberObservation { pod: facts, server, observed_at, in_a_row: 1 })
    }

    async fn observe_router(
        &self,
        access: &ClusterAccess,
        pod: &PodName,
        now: Millis,
    ) -> (PodName, RouterObservation) {
        let identity = access.reach.identity(pod);
        let (sessions, way, asked) = (self.sessions.clone(), access.clone(), pod.clone());
        let question = || async move { observe::router(&sessions, &way, &asked).await };
        let (server, observed_at) = match self.routers.ask(pod, identity, now, question).await {
            Ok((server, asked_at)) => (server, asked_at),
            Err(silence) => (RouterServer::Unreachable { reason: silence.reason }, now),
        };
        (pod.clone(), RouterObservation { server, observed_at })
    }
}

/// The members of the shards that stay, while another one is being removed.
fn chunk_takers(goal: &Goal) -> impl Iterator<Item = &PodName> {
    let leaves = |set: &SetGoal| set.retired || set.removals.under_way();
    let shards = || goal.sets.iter().filter(|set| set.role != SetRole::Config);
    let drains = shards().any(leaves);
    shards().filter(move |set| drains && !leaves(set)).flat_map(|set| set.members.iter().map(|member| &member.pod))
}

/// What carrying a step out needs.
#[derive(Clone, Copy)]
pub(crate) struct Wire<'a> {
    pub(crate) sessions: &'a Sessions,
    pub(crate) access: &'a ClusterAccess,
}
