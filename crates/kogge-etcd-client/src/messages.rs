//! The part of etcd's gRPC service that Kogge calls, by the field numbers of `etcdserverpb/rpc.proto`. They are written
//! by hand: ten calls are not worth a build that needs `protoc`, as every client that is made from the protos does.

use std::fmt;

use prost::Message;

/// A request, and where it goes.
pub(crate) trait Call: Message + Clone + 'static {
    /// What comes back.
    type Answer: Message + Default + 'static;
    /// The call's name, for messages.
    const NAME: &'static str;
    /// Service and method.
    const PATH: &'static str;
}

macro_rules! call {
    ($service:literal, $name:literal, $request:ident => $answer:ident) => {
        impl Call for $request {
            type Answer = $answer;
            const NAME: &'static str = $name;
            const PATH: &'static str = concat!("/etcdserverpb.", $service, "/", $name);
        }
    };
}

call!("Maintenance", "Status", StatusRequest => StatusResponse);
call!("Maintenance", "Defragment", DefragmentRequest => Headed);
call!("Maintenance", "MoveLeader", MoveLeaderRequest => Headed);
call!("Maintenance", "Alarm", AlarmRequest => AlarmResponse);
call!("Cluster", "MemberList", MemberListRequest => MembersResponse);
call!("Cluster", "MemberAdd", MemberAddRequest => Headed);
call!("Cluster", "MemberPromote", MemberPromoteRequest => Headed);
call!("Cluster", "MemberRemove", MemberRemoveRequest => Headed);
call!("Cluster", "MemberUpdate", MemberUpdateRequest => Headed);
call!("Auth", "Authenticate", AuthenticateRequest => AuthenticateResponse);

/// Who answered.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(crate) struct ResponseHeader {
    #[prost(uint64, tag = "1")]
    pub(crate) cluster_id: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) member_id: u64,
}

/// An answer of which only the header is read, if that.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(crate) struct Headed {
    #[prost(message, optional, tag = "1")]
    pub(crate) header: Option<ResponseHeader>,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(crate) struct StatusRequest {}

#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct StatusResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) header: Option<ResponseHeader>,
    #[prost(string, tag = "2")]
    pub(crate) version: String,
    #[prost(int64, tag = "3")]
    pub(crate) db_size: i64,
    #[prost(uint64, tag = "4")]
    pub(crate) leader: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) raft_index: u64,
    #[prost(uint64, tag = "6")]
    pub(crate) raft_term: u64,
    #[prost(uint64, tag = "7")]
    pub(crate) raft_applied_index: u64,
    /// Alarms, and that there is no leader.
    #[prost(string, repeated, tag = "8")]
    pub(crate) errors: Vec<String>,
    #[prost(int64, tag = "9")]
    pub(crate) db_size_in_use: i64,
    #[prost(bool, tag = "10")]
    pub(crate) is_learner: bool,
    /// Empty before 3.6.
    #[prost(string, tag = "11")]
    pub(crate) storage_version: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct Member {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    /// Empty until it was started.
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(string, repeated, tag = "3")]
    pub(crate) peer_urls: Vec<String>,
    #[prost(bool, tag = "5")]
    pub(crate) is_learner: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(crate) struct MemberListRequest {
    /// The group's list by a quorum; else the list as the server itself has it.
    #[prost(bool, tag = "1")]
    pub(crate) linearizable: bool,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct MembersResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) header: Option<ResponseHeader>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) members: Vec<Member>,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct MemberAddRequest {
    #[prost(string, repeated, tag = "1")]
    pub(crate) peer_urls: Vec<String>,
    #[prost(bool, tag = "2")]
    pub(crate) is_learner: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(crate) struct MemberPromoteRequest {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(crate) struct MemberRemoveRequest {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct MemberUpdateRequest {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    #[prost(string, repeated, tag = "2")]
    pub(crate) peer_urls: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(crate) struct DefragmentRequest {}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(crate) struct MoveLeaderRequest {
    #[prost(uint64, tag = "1")]
    pub(crate) target_id: u64,
}

/// `AlarmType`: NOSPACE.
pub(crate) const NO_SPACE: i32 = 1;
/// `AlarmType`: CORRUPT.
pub(crate) const CORRUPT: i32 = 2;
/// `AlarmAction`: DEACTIVATE.
pub(crate) const DEACTIVATE: i32 = 2;

#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(crate) struct AlarmRequest {
    #[prost(int32, tag = "1")]
    pub(crate) action: i32,
    #[prost(uint64, tag = "2")]
    pub(crate) member_id: u64,
    #[prost(int32, tag = "3")]
    pub(crate) alarm: i32,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(crate) struct AlarmMember {
    #[prost(uint64, tag = "1")]
    pub(crate) member_id: u64,
    #[prost(int32, tag = "2")]
    pub(crate) alarm: i32,
}

#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct AlarmResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) header: Option<ResponseHeader>,
    /// Those that the request changed.
    #[prost(message, repeated, tag = "2")]
    pub(crate) alarms: Vec<AlarmMember>,
}

#[derive(Clone, PartialEq, Eq, Message)]
#[prost(skip_debug)]
pub(crate) struct AuthenticateRequest {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) password: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
#[prost(skip_debug)]
pub(crate) struct AuthenticateResponse {
    #[prost(string, tag = "2")]
    pub(crate) token: String,
}

impl fmt::Debug for AuthenticateRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticateRequest").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for AuthenticateResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticateResponse").finish_non_exhaustive()
    }
}
