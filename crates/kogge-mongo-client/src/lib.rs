//! Speaks to MongoDB servers: observes their topology and executes the planner's steps.
//!
//! [`Engine`] is the client of [`kogge_mongo::MongoDb`]: the operator keeps one per database and loops:
//! [`Engine::observe`] → [`kogge_mongo::plan`] → anchor records, then pod restarts and [`Engine::execute`] → observe again.
//! It gives, on every pass, the goal, the members' pods as the fleet knows them, and the way to the servers, a
//! [`ClusterAccess`].
//!
//! Sessions are kept as long as a pod's uid, its worker's connection and the credentials stay the same. Every
//! command has a deadline; a write whose answer did not come is an error of class
//! [`NeedsObservation`](kogge_mongo::errors::ErrorClass::NeedsObservation), never a success.

mod certificates;
mod client;
mod engine;
mod error;
mod observe;
mod reconfig;
mod session;
mod sets;
mod sharding;
mod users;
mod wire;

pub use engine::{Engine, MEMBER_DEADLINE};
pub use error::{CommandError, StepError};
pub use kogge_engine_client::{
    ClusterAccess, Credentials, Loopback, MemberReach, Outcome, Password, ReachError, Served, Told, Trust,
    TrustError, User,
};
