//! Speaks to etcd servers: observes their topology and executes the planner's steps.
//!
//! The operator keeps one [`Engine`] per database and loops: [`Engine::observe`] → [`kogge_etcd::plan`] →
//! anchor records, then pod restarts and [`Engine::execute`] → observe again. It gives, on every pass,
//! - the goal and the members' pods as the fleet knows them;
//! - a [`ClusterAccess`]: a [`MemberReach`](kogge_engine_client::MemberReach) made from the pods that run now, the [`Credentials`], and the election
//!   timeout that the members have.
//!
//! Sessions are kept as long as what is behind a pod's name and the credentials stay the same. Every call has a
//! deadline, and none is sent twice: a change whose answer did not come is an error of class
//! [`NeedsObservation`](kogge_engine::ErrorClass::NeedsObservation), never a success. A change is sent only to the
//! server that the plan was made on, and a change of the membership only while the group lists the members that the
//! plan was made on.
//!
//! The calls are those of etcd's own gRPC service; `/members`, `/version` and `/metrics` come by HTTP.
//! The peers that a server turned away (`refused_peers`) are in its log, which the caller reads.

mod access;
mod change;
mod client;
mod credentials;
mod dial;
mod engine;
mod error;
mod guard;
mod messages;
mod metrics;
mod observe;
mod page;
mod peer;
mod refusal;
mod session;
mod status;

pub use access::{CLIENT, ClusterAccess, METRICS, PEER};
pub use credentials::{Credentials, User};
pub use engine::{Engine, MEMBER_DEADLINE};
pub use error::{CallError, StepError};
