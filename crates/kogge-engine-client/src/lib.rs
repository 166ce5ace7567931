//! The way to members, and what an engine's client does there.
//!
//! The operator reaches a pod through its worker's API ([`PortForward`]) or at its address ([`Ways`]), by TLS where it
//! trusts somebody ([`Trust`]), as a user that it made ([`Credentials`]). A client that makes its connections by itself
//! gets a loopback address that leads there, a [`Tunnel`]. What is said there is the engine's: a client
//! [observes](Observe) the servers of one database and [executes](Execute) the steps that its engine planned.

mod client;
mod credentials;
mod direct;
mod given_certificate;
mod port_forward;
mod question;
mod reach;
mod trust;
mod tunnel;

pub use client::{CertificateError, ClusterAccess, Execute, Observe, Outcome, Served, StepFailure, Told};
pub use credentials::{Credentials, Password, User};
pub use direct::{Address, Ways, try_address};
pub use given_certificate::{GivenCertificate, UnfitCertificate};
pub use port_forward::{PortForward, Target};
pub use question::{Questions, Silence};
pub use reach::{Connection, Listening, Loopback, MemberReach, ReachError, Stream};
pub use trust::{OwnCertificate, Trust, TrustError};
pub use tunnel::{Tunnel, served_certificate};
