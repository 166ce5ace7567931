//! The way to members, and what an engine's client does there.
//!
//! The operator reaches a pod through its worker's API ([`PortForward`]) or at its address ([`Ways`]), by TLS where it
//! trusts somebody ([`Trust`]), as a user that it made ([`Credentials`]). What it says there is the engine's: a client
//! [observes](Observe) the servers of one database and [executes](Execute) the steps that its engine planned.

mod client;
mod credentials;
mod direct;
mod forward;
mod port_forward;
mod reach;

pub use client::{CertificateError, ClusterAccess, Execute, Observe, Outcome, Served, StepFailure, Told};
pub use credentials::{Credentials, Password, User};
pub use direct::{Address, Ways, try_address};
pub use forward::{Trust, TrustError};
pub use port_forward::{PortForward, Target};
pub use reach::{Loopback, MemberReach, ReachError, Tunnel};
