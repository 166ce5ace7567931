//! The wire half of the engine: observe and execute.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use kogge_engine_client::{Outcome, Questions};
use kogge_etcd::{Action, Goal, MemberObservation, Millis, Pod, PodName, Server, Step, Topology};
use parking_lot::Mutex;

use crate::access::ClusterAccess;
use crate::change;
use crate::dial::Member;
use crate::error::StepError;
use crate::guard::{Seen, Wire};
use crate::observe;
use crate::session::Sessions;

/// One member's observation ends by then; a member without an answer costs the others nothing, because all are asked at
/// once.
pub const MEMBER_DEADLINE: Duration = Duration::from_secs(7);

/// One database's connections. Make one per database and keep it: it holds the sessions, which servers are silent, and
/// what was observed last, which a step is checked against before it is sent.
pub struct Engine {
    sessions: Arc<Sessions>,
    questions: Questions<Server>,
    seen: Mutex<Option<Arc<Seen>>>,
}

impl Default for Engine {
    fn default() -> Self {
        Self { sessions: Arc::default(), questions: Questions::within(MEMBER_DEADLINE), seen: Mutex::default() }
    }
}

impl Engine {
    /// An engine without connections.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks every member of the goal at once. `pods` is what the fleet knows of the members' pods, `now` the time on
    /// the caller's monotonic clock. Takes no longer than [`MEMBER_DEADLINE`], and where only servers are silent that
    /// were silent before, a fraction of a second.
    pub async fn observe(
        &self,
        access: &ClusterAccess,
        goal: &Goal,
        pods: &BTreeMap<PodName, Pod>,
        now: Millis,
    ) -> Topology {
        let members: BTreeMap<PodName, Member> =
            Member::of(goal).map(|member| (member.pod.clone(), member)).collect();
        let names: BTreeSet<&PodName> = members.keys().collect();
        self.sessions.keep_only(&names);
        self.questions.keep_only(&names);
        let asked = members.values().map(|member| self.observe_member(access, member, pods, now));
        let topology = Topology { members: join_all(asked).await.into_iter().collect() };
        let mut seen = self.seen.lock();
        let topology = topology.after(seen.as_ref().map(|seen| &seen.topology));
        *seen = Some(Arc::new(Seen { members, topology: topology.clone() }));
        topology
    }

    /// Carries a step out on a server, if that server and the group are still as they were observed last. Anchor records
    /// and pod restarts are the operator's ([`Action::executor`]).
    pub async fn execute(&self, access: &ClusterAccess, step: &Step) -> Result<Outcome, StepError> {
        let seen = self.seen.lock().clone();
        let wire = Wire { sessions: &self.sessions, access, seen: seen.as_deref() };
        match &step.action {
            Action::AddLearner { via, peer_url, .. } => change::add_learner(wire, via, peer_url).await,
            Action::Promote { via, member_id, .. } => change::promote(wire, via, *member_id).await,
            Action::Remove { via, member_id, .. } => change::remove(wire, via, *member_id).await,
            Action::UpdatePeerUrl { via, member_id, peer_url, .. } => {
                change::update_peer_url(wire, via, *member_id, peer_url).await
            }
            Action::MoveLeader { via, member_id, .. } => change::move_leader(wire, via, *member_id).await,
            Action::Defragment { pod } => change::defragment(wire, pod).await,
            Action::DisarmAlarm { via, alarm } => change::disarm_alarm(wire, via, *alarm).await,
            Action::RecordSeed { .. }
            | Action::AllowStart { .. }
            | Action::RecordMember { .. }
            | Action::MarkInitialized { .. }
            | Action::RecordRemoved { .. }
            | Action::ForgetMember { .. }
            | Action::FenceMember { .. }
            | Action::RestartPod { .. } => Err(StepError::NotForTheWire { action: step.action.name() }),
        }
    }

    async fn observe_member(
        &self,
        access: &ClusterAccess,
        member: &Member,
        pods: &BTreeMap<PodName, Pod>,
        now: Millis,
    ) -> (PodName, MemberObservation) {
        let pod = &member.pod;
        let identity = access.reach.identity(pod);
        let (sessions, way, asked) = (self.sessions.clone(), access.clone(), member.clone());
        let question = || async move { observe::member(&sessions, &way, &asked).await };
        let (server, observed_at) = match self.questions.ask(pod, identity, now, question).await {
            Ok(answered) => answered,
            Err(silence) => (Server::Unreachable { reason: silence.reason, since: silence.since }, now),
        };
        let unknown = || Pod::Unknown { reason: "its worker was not observed".to_owned() };
        let seen = MemberObservation {
            pod: pods.get(pod).cloned().unwrap_or_else(unknown),
            server,
            refused_peers: BTreeSet::new(),
            observed_at,
            in_a_row: 0,
            in_sync: 0,
            serving_since: None,
        };
        (pod.clone(), seen)
    }
}
