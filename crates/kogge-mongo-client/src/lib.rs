//! Speaks to MongoDB servers: observes their topology and executes the planner's steps.
//!
//! The operator keeps one [`Engine`] per database and loops: [`Engine::observe`] → [`kogge_mongo::plan`] →
//! anchor records, then pod restarts and [`Engine::execute`] → observe again. It gives, on every pass,
//! - the goal and the members' pods as the fleet knows them;
//! - a [`ClusterAccess`]: a [`MemberReach`] made from the pods that run now ([`PortForward`] over each
//!   worker's client, or [`Loopback`]) and the [`Credentials`].
//!
//! Sessions are kept as long as a pod's uid, its worker's connection and the credentials stay the same. Every
//! command has a deadline; a write whose answer did not come is an error of class
//! [`NeedsObservation`](kogge_mongo::errors::ErrorClass::NeedsObservation), never a success.

mod certificates;
mod credentials;
mod direct;
mod engine;
mod error;
mod forward;
mod observe;
mod port_forward;
mod question;
mod reach;
mod reconfig;
mod session;
mod sets;
mod sharding;
mod users;
mod wire;

pub use certificates::{CertificateError, Served};
pub use credentials::{Credentials, Password, User};
pub use direct::{Address, Ways, try_address};
pub use engine::{ClusterAccess, Engine, MEMBER_DEADLINE, Outcome};
pub use error::{CommandError, StepError};
pub use forward::{Trust, TrustError};
pub use port_forward::{PortForward, Target};
pub use reach::{Loopback, MemberReach, ReachError, Tunnel};
pub use users::Told;
