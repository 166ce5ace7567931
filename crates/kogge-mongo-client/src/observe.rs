//! One server's state: who it lets in, and its part in a set.

use std::time::Duration;

use kogge_mongo::errors::code;
use kogge_mongo::{Access, Hello, MemberState, PodName, ReplStatus, Replication, RouterServer, ServerState};
use mongodb::bson::{Document, doc};

use crate::error::CommandError;
use crate::session::{Login, Session, Sessions};
use crate::{sharding, wire};
use kogge_engine_client::ClusterAccess;

/// One read command's deadline; the whole member has [`crate::MEMBER_DEADLINE`].
pub(crate) const READ_DEADLINE: Duration = Duration::from_secs(4);

/// What a member's server says, as the operator where it is known, else as the localhost exception allows. The primary
/// of a shard that takes the chunks of another one is asked for those that it cannot take yet.
pub(crate) async fn member(
    sessions: &Sessions,
    access: &ClusterAccess,
    pod: &PodName,
    takes_chunks: bool,
) -> Result<ServerState, CommandError> {
    let operator = sessions.get(access, pod, Login::User(&access.credentials.operator)).await?;
    match operator.run(doc! { "replSetGetStatus": 1 }, READ_DEADLINE).await {
        Err(CommandError::Login { message, .. }) => as_nobody(sessions, access, pod, message).await,
        answer => {
            let mut state = as_user(&operator, answer, Access::Granted).await?;
            if let Replication::Member { status, .. } = &mut state.replication
                && takes_chunks
                && status.my_state == MemberState::Primary
            {
                status.kept_ranges = sharding::kept_ranges(&operator).await;
            }
            sessions.drop_nobody(pod);
            Ok(state)
        }
    }
}

/// What a router says.
pub(crate) async fn router(
    sessions: &Sessions,
    access: &ClusterAccess,
    pod: &PodName,
) -> Result<RouterServer, CommandError> {
    let operator = sessions.get(access, pod, Login::User(&access.credentials.operator)).await?;
    let reply = operator.run(doc! { "listShards": 1 }, READ_DEADLINE).await?;
    let shards = wire::shards(&reply)?;
    let cluster = sharding::observe(&operator, &shards).await?;
    Ok(RouterServer::Serving { shards, cluster })
}

async fn as_user(
    session: &Session,
    status: Result<Document, CommandError>,
    access: Access,
) -> Result<ServerState, CommandError> {
    let mut replication = replication(status)?;
    let removed = matches!(replication, Replication::Removed { .. });
    if let Replication::Member { config, .. } | Replication::Removed { config } = &mut replication {
        match session.run(doc! { "replSetGetConfig": 1 }, READ_DEADLINE).await {
            Ok(reply) => *config = Some(wire::config(&reply)?),
            Err(CommandError::Server { .. }) if removed => {}
            Err(error @ CommandError::Server { .. }) => {
                replication = Replication::Unreadable { reason: error.to_string() };
            }
            Err(error) => return Err(error),
        }
    }
    if let Replication::Member { status, .. } = &mut replication {
        status.oplog_bytes = oplog_bytes(session, status).await;
    }
    match session.run(doc! { "hello": 1 }, READ_DEADLINE).await {
        Ok(hello) => Ok(ServerState { hello: wire::hello(&hello), access, replication }),
        Err(error) => match error.code() {
            Some(code::SHUTDOWN_IN_PROGRESS) => {
                Ok(ServerState { hello: Hello::default(), access, replication: Replication::ShuttingDown })
            }
            // It has no keys for the cluster time yet, which a member in its first sync answers.
            Some(code::KEY_NOT_FOUND) => Ok(ServerState { hello: Hello::default(), access, replication }),
            _ => Err(error),
        },
    }
}

/// The size of a primary's oplog, asked only while a member starts: how long that may take depends on it.
async fn oplog_bytes(session: &Session, status: &ReplStatus) -> Option<u64> {
    let starting = status.members.iter().any(|m| m.up && m.state == MemberState::Startup);
    if status.my_state != MemberState::Primary || !starting {
        return None;
    }
    let stats = session.run_in("local", doc! { "collStats": "oplog.rs" }, READ_DEADLINE).await.ok()?;
    u64::try_from(wire::integer(stats.get("maxSize")?)?).ok()
}

/// The operator's user was refused: the server knows no user yet, or it knows others.
async fn as_nobody(
    sessions: &Sessions,
    access: &ClusterAccess,
    pod: &PodName,
    refusal: String,
) -> Result<ServerState, CommandError> {
    let nobody = sessions.get(access, pod, Login::Nobody).await?;
    let hello = wire::hello(&nobody.run(doc! { "hello": 1 }, READ_DEADLINE).await?);
    let status = nobody.run(doc! { "replSetGetStatus": 1 }, READ_DEADLINE).await;
    if status.as_ref().err().and_then(CommandError::code) != Some(code::UNAUTHORIZED) {
        return Ok(ServerState { hello, access: Access::NoUsers, replication: replication(status)? });
    }
    let admin = sessions.get(access, pod, Login::User(&access.credentials.admin)).await?;
    match admin.run(doc! { "replSetGetStatus": 1 }, READ_DEADLINE).await {
        Err(CommandError::Login { .. }) => Ok(ServerState {
            hello,
            replication: Replication::Unreadable { reason: refusal.clone() },
            access: Access::Refused { reason: refusal },
        }),
        answer => as_user(&admin, answer, Access::NoOperator).await,
    }
}

/// `replSetGetStatus`'s answer: a member's status, or the code that says why there is none.
fn replication(status: Result<Document, CommandError>) -> Result<Replication, CommandError> {
    match status {
        Ok(reply) => Ok(Replication::Member { status: wire::status(&reply)?, config: None }),
        Err(error) => match error.code() {
            Some(code::NOT_YET_INITIALIZED | code::NOT_PRIMARY_OR_SECONDARY | code::KEY_NOT_FOUND) => {
                Ok(Replication::Starting)
            }
            Some(code::SHUTDOWN_IN_PROGRESS | code::INTERRUPTED_AT_SHUTDOWN) => Ok(Replication::ShuttingDown),
            Some(code::INVALID_REPLICA_SET_CONFIG) => Ok(Replication::Removed { config: None }),
            Some(_) => Ok(Replication::Unreadable { reason: error.to_string() }),
            None => Err(error),
        },
    }
}
