//! The planner's steps as calls.

use std::time::Duration;

use kogge_engine_client::Outcome;
use kogge_etcd::{Alarm, AlarmKind, ListedMember, MemberId, PodName, Url};

use crate::error::{CallError, StepError};
use crate::guard::Wire;
use crate::messages::{
    AlarmRequest, CORRUPT, DEACTIVATE, DefragmentRequest, Headed, MemberAddRequest, MemberPromoteRequest,
    MemberRemoveRequest, MemberUpdateRequest, MoveLeaderRequest, NO_SPACE,
};
use crate::refusal;

/// A member copies its whole database meanwhile, and nothing but the disk says how long that takes.
const DEFRAGMENT_DEADLINE: Duration = Duration::from_mins(2);

/// `MemberAdd` with `isLearner`.
pub(crate) async fn add_learner(wire: Wire<'_>, via: &PodName, peer_url: &Url) -> Result<Outcome, StepError> {
    let server = wire.server(via).await?;
    let members = server.members().await?;
    server.must_list_the_same(&members)?;
    let request = MemberAddRequest { peer_urls: vec![peer_url.to_string()], is_learner: true };
    server.change(request).await.map(done)
}

/// `MemberPromote`.
pub(crate) async fn promote(wire: Wire<'_>, via: &PodName, id: MemberId) -> Result<Outcome, StepError> {
    let server = wire.server(via).await?;
    server.must_lead()?;
    let members = server.members().await?;
    if listed(&members, id).is_some_and(|member| !member.learner) {
        return Ok(Outcome::AlreadyDone);
    }
    server.must_list_the_same(&members)?;
    already(server.change(MemberPromoteRequest { id: id.0 }).await, refusal::NOT_A_LEARNER)
}

/// `MemberRemove`.
pub(crate) async fn remove(wire: Wire<'_>, via: &PodName, id: MemberId) -> Result<Outcome, StepError> {
    let server = wire.server(via).await?;
    server.must_lead()?;
    let members = server.members().await?;
    if listed(&members, id).is_none() {
        return Ok(Outcome::AlreadyDone);
    }
    server.must_list_the_same(&members)?;
    already(server.change(MemberRemoveRequest { id: id.0 }).await, refusal::NO_SUCH_MEMBER)
}

/// `MemberUpdate`. Before 3.6.12 and 3.5.31 it promotes a learner, so it is never sent for one.
pub(crate) async fn update_peer_url(
    wire: Wire<'_>,
    via: &PodName,
    id: MemberId,
    peer_url: &Url,
) -> Result<Outcome, StepError> {
    let server = wire.server(via).await?;
    server.must_lead()?;
    let members = server.members().await?;
    if listed(&members, id).is_some_and(|member| member.peer_urls == [peer_url.clone()]) {
        return Ok(Outcome::AlreadyDone);
    }
    server.must_list_the_same(&members)?;
    if listed(&members, id).is_none_or(|member| member.learner) {
        return Err(server.stale(format!("member {id} is no voter of the group; its peer URL is left as it is")));
    }
    let request = MemberUpdateRequest { id: id.0, peer_urls: vec![peer_url.to_string()] };
    server.change(request).await.map(done)
}

/// `MoveLeader`, at the leader.
pub(crate) async fn move_leader(wire: Wire<'_>, via: &PodName, to: MemberId) -> Result<Outcome, StepError> {
    let server = wire.server(via).await?;
    if server.leader() == Some(to) {
        return Ok(Outcome::AlreadyDone);
    }
    server.must_lead()?;
    server.change(MoveLeaderRequest { target_id: to.0 }).await.map(done)
}

/// `Defragment`.
pub(crate) async fn defragment(wire: Wire<'_>, pod: &PodName) -> Result<Outcome, StepError> {
    let server = wire.server(pod).await?;
    server.change_within(DefragmentRequest {}, DEFRAGMENT_DEADLINE).await.map(done)
}

/// `Alarm` with `DEACTIVATE`, which answers with the alarms that were there.
pub(crate) async fn disarm_alarm(wire: Wire<'_>, via: &PodName, alarm: Alarm) -> Result<Outcome, StepError> {
    let server = wire.server(via).await?;
    server.must_lead()?;
    let kind = match alarm.kind {
        AlarmKind::NoSpace => NO_SPACE,
        AlarmKind::Corrupt => CORRUPT,
    };
    let request = AlarmRequest { action: DEACTIVATE, member_id: alarm.member_id.0, alarm: kind };
    let answer = server.change(request).await?;
    Ok(if answer.alarms.is_empty() { Outcome::AlreadyDone } else { Outcome::Done })
}

fn done(_: Headed) -> Outcome {
    Outcome::Done
}

/// A refusal by these words says that there is nothing left to do.
fn already(answer: Result<Headed, StepError>, words: &str) -> Result<Outcome, StepError> {
    match answer {
        Err(StepError::Call { source: CallError::Refused { message, .. }, .. }) if message == words => {
            Ok(Outcome::AlreadyDone)
        }
        answer => answer.map(done),
    }
}

fn listed(members: &[ListedMember], id: MemberId) -> Option<&ListedMember> {
    members.iter().find(|member| member.id == id)
}
