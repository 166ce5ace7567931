//! What is looked at directly before a change: etcd's calls carry no version to compare, so a plan that was made on
//! another server, another leader or other members is noticed here or nowhere.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kogge_etcd::{ListedMember, MemberId, PodName, Server, ServerState, Topology};

use crate::access::ClusterAccess;
use crate::dial::Member;
use crate::error::{CallError, StepError};
use crate::messages::{Call, MemberListRequest, StatusResponse};
use crate::session::{Session, Sessions};
use crate::{observe, status};

/// A server gives a change up after 5 s and twice the election timeout; it is waited for longer, so that its word
/// comes.
const SERVER_GIVES_UP: Duration = Duration::from_secs(5);
const MARGIN: Duration = Duration::from_secs(2);

/// What was observed last.
pub(crate) struct Seen {
    pub(crate) members: BTreeMap<PodName, Member>,
    pub(crate) topology: Topology,
}

/// What carrying a step out needs.
#[derive(Clone, Copy)]
pub(crate) struct Wire<'a> {
    pub(crate) sessions: &'a Sessions,
    pub(crate) access: &'a ClusterAccess,
    pub(crate) seen: Option<&'a Seen>,
}

/// The server that the plan was made on.
pub(crate) struct Checked<'a> {
    pod: &'a PodName,
    session: Arc<Session>,
    planned_on: &'a ServerState,
    status: StatusResponse,
    deadline: Duration,
}

impl<'a> Wire<'a> {
    /// The server that a step's call goes to. Everything else is sent on the same connection, so to the same process.
    pub(crate) async fn server(self, pod: &'a PodName) -> Result<Checked<'a>, StepError> {
        let not_seen = || stale(pod, "it was not observed to serve clients; Kogge observes it again");
        let seen = self.seen.ok_or_else(not_seen)?;
        let member = seen.members.get(pod).ok_or_else(not_seen)?;
        let planned_on = match seen.topology.members.get(pod).map(|observed| &observed.server) {
            Some(Server::Serving(state)) => state,
            Some(Server::PeerOnly(_) | Server::Unreachable { .. }) | None => return Err(not_seen()),
        };
        let failed = |source| StepError::Look { pod: pod.clone(), source };
        let looked = observe::status_of(self.sessions, self.access, member).await;
        let (session, status) = looked.map_err(failed)?;
        let (cluster_id, member_id) = status::ids(status.header).map_err(failed)?;
        if (cluster_id, member_id) != (planned_on.cluster_id, planned_on.member_id) {
            let what = format!(
                "member {member_id} of cluster {cluster_id} answers, and the step was planned on member {} of cluster \
                 {}; Kogge observes it again",
                planned_on.member_id, planned_on.cluster_id
            );
            return Err(stale(pod, what));
        }
        let deadline = SERVER_GIVES_UP + 2 * self.access.election_timeout + MARGIN;
        Ok(Checked { pod, session, planned_on, status, deadline })
    }
}

impl Checked<'_> {
    /// The leader that it follows.
    pub(crate) fn leader(&self) -> Option<MemberId> {
        Some(self.status.leader).filter(|leader| *leader != 0).map(MemberId)
    }

    /// Refuses where it does not lead.
    pub(crate) fn must_lead(&self) -> Result<(), StepError> {
        match self.leader() {
            Some(leader) if leader == self.planned_on.member_id => Ok(()),
            Some(leader) => {
                Err(self.stale(format!("member {leader} leads the group now; Kogge plans the step again")))
            }
            None => Err(self.stale("it knows no leader now; Kogge waits for the election")),
        }
    }

    /// The group's members by a quorum.
    pub(crate) async fn members(&self) -> Result<Vec<ListedMember>, StepError> {
        let failed = |source| StepError::Look { pod: self.pod.clone(), source };
        let list =
            self.session.call(MemberListRequest { linearizable: true }, self.deadline).await.map_err(failed)?;
        Ok(status::listed(list.members))
    }

    /// Refuses where the group's members are not those that the plan was made on.
    pub(crate) fn must_list_the_same(&self, members: &[ListedMember]) -> Result<(), StepError> {
        if status::membership(members) == status::membership(&self.planned_on.members) {
            return Ok(());
        }
        Err(self.stale("the group's members have changed since the step was planned; Kogge plans it again"))
    }

    /// Makes the change.
    pub(crate) async fn change<C: Call>(&self, request: C) -> Result<C::Answer, StepError> {
        self.change_within(request, self.deadline).await
    }

    /// Makes the change, with a deadline of its own.
    pub(crate) async fn change_within<C: Call>(
        &self,
        request: C,
        deadline: Duration,
    ) -> Result<C::Answer, StepError> {
        self.session.call(request, deadline).await.map_err(|source| self.failed(source))
    }

    /// What the step was planned on does not hold any more.
    pub(crate) fn stale(&self, what: impl Into<String>) -> StepError {
        stale(self.pod, what)
    }

    fn failed(&self, source: CallError) -> StepError {
        StepError::Call { pod: self.pod.clone(), source }
    }
}

fn stale(pod: &PodName, what: impl Into<String>) -> StepError {
    StepError::Stale { pod: pod.clone(), what: what.into() }
}
