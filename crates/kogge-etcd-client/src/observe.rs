//! One server's state.

use std::sync::Arc;
use std::time::Duration;

use kogge_etcd::{ClusterId, ListedMember, Server, ServerState};

use crate::access::ClusterAccess;
use crate::dial::Member;
use crate::error::CallError;
use crate::messages::{MemberListRequest, StatusRequest, StatusResponse};
use crate::session::{Session, Sessions};
use crate::{peer, status};

/// One read's deadline; the whole member has [`crate::MEMBER_DEADLINE`].
pub(crate) const READ_DEADLINE: Duration = Duration::from_secs(3);

/// What a member's server says. Where the client port takes the question and does not answer it, its peer port is
/// asked; where the client port answers that it refuses Kogge, nothing else is believed of it.
pub(crate) async fn member(
    sessions: &Sessions,
    access: &ClusterAccess,
    member: &Member,
) -> Result<Server, CallError> {
    match serving(sessions, access, member).await {
        Ok(state) => Ok(Server::Serving(state)),
        Err(silence) if silence.is_silence() => match peer::ask(access, member).await {
            Ok(answer) => Ok(Server::PeerOnly(answer)),
            Err(error) => Err(CallError::Unreachable { reason: format!("{silence}; its peer port: {error}") }),
        },
        Err(error) => Err(error),
    }
}

async fn serving(sessions: &Sessions, access: &ClusterAccess, member: &Member) -> Result<ServerState, CallError> {
    let (session, status) = status_of(sessions, access, member).await?;
    let (members, (cluster_version, metrics)) =
        futures::join!(own_list(access, member, &session, &status), peer::beside_status(access, member));
    status::server_state(&status, members?, cluster_version, metrics)
}

/// `Status`, and the session that it came by. A kept connection may have ended unnoticed, and a read does no harm when
/// it is sent again: what a broken one says is asked once more on another one.
pub(crate) async fn status_of(
    sessions: &Sessions,
    access: &ClusterAccess,
    member: &Member,
) -> Result<(Arc<Session>, StatusResponse), CallError> {
    let session = sessions.get(access, member).await?;
    match session.call(StatusRequest {}, READ_DEADLINE).await {
        Err(CallError::Connection { .. }) => {
            let session = sessions.get(access, member).await?;
            let status = session.call(StatusRequest {}, READ_DEADLINE).await?;
            Ok((session, status))
        }
        answer => Ok((session, answer?)),
    }
}

/// The members as the server itself has them. A learner refuses the call to clients, and tells them on its peer port.
async fn own_list(
    access: &ClusterAccess,
    member: &Member,
    session: &Session,
    status: &StatusResponse,
) -> Result<Vec<ListedMember>, CallError> {
    let (group, _) = status::ids(status.header)?;
    if status.is_learner {
        let (listed_by, members) = peer::members(access, member).await?;
        return of_group(group, listed_by, members);
    }
    let list = session.call(MemberListRequest { linearizable: false }, READ_DEADLINE).await?;
    let (listed_by, _) = status::ids(list.header)?;
    of_group(group, listed_by, status::listed(list.members))
}

fn of_group(
    group: ClusterId,
    listed_by: ClusterId,
    members: Vec<ListedMember>,
) -> Result<Vec<ListedMember>, CallError> {
    if group == listed_by {
        return Ok(members);
    }
    let message = format!("its client port is of cluster {group}, its peer port of cluster {listed_by}");
    Err(CallError::answer("MemberList", message))
}
