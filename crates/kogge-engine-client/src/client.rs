//! The two halves of an engine's client.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use kogge_engine::{Engine, Millis, Pod, PodName};

use crate::credentials::Credentials;
use crate::reach::MemberReach;
use crate::trust::Trust;

/// How the operator reaches one database's servers, and as whom.
#[derive(Clone)]
pub struct ClusterAccess {
    /// The way to the pods that run now.
    pub reach: Arc<dyn MemberReach>,
    /// The users.
    pub credentials: Credentials,
    /// Whom Kogge trusts, and who it is to servers; none where it connects to them without TLS.
    pub trust: Option<Trust>,
}

/// Observes the servers of one database. Make one per database and keep it: it holds connections, which servers are
/// silent, and for how many observations each member has been as it is; nothing that a step relies on.
pub trait Observe: Default + Send + Sync + 'static {
    /// Whose servers they are.
    type Engine: Engine;

    /// Asks every server that the goal names at once, each with a deadline. `pods` is what the fleet knows of the members'
    /// pods, `now` the time on the caller's monotonic clock.
    fn observe(
        &self,
        access: &ClusterAccess,
        goal: &<Self::Engine as Engine>::Goal,
        pods: &BTreeMap<PodName, Pod>,
        now: Millis,
    ) -> impl Future<Output = <Self::Engine as Engine>::Topology> + Send;
}

/// Lets the servers of one database do something. Before each write `may` is asked; where it says no, nothing more is
/// sent.
pub trait Execute: Observe {
    /// A step that was not taken, or whose outcome is unknown.
    type Error: StepFailure;

    /// Takes a step whose executor is the client.
    fn execute(
        &self,
        access: &ClusterAccess,
        action: &<Self::Engine as Engine>::Action,
    ) -> impl Future<Output = Result<Outcome, Self::Error>> + Send;

    /// Makes users in every group, through its leader, and logs in with them. An error leaves some groups without them; to
    /// do it once more changes nothing where it was done. A user of that name that has another password is somebody
    /// else's, and is left alone.
    fn create_users(
        &self,
        access: &ClusterAccess,
        leaders: &[PodName],
        users: &Credentials,
        may: impl Fn() -> bool + Send + Sync,
    ) -> impl Future<Output = Result<Told, Self::Error>> + Send;

    /// Removes users by their names from every group, through its leader, but only where the present users are let in. To
    /// do it once more changes nothing where it was done.
    fn remove_users(
        &self,
        access: &ClusterAccess,
        leaders: &[PodName],
        names: &[String],
        may: impl Fn() -> bool + Send + Sync,
    ) -> impl Future<Output = Result<Told, Self::Error>> + Send;

    /// Looks at the certificate that each server serves, and tells those that serve another one than is wanted, as PEM, to
    /// read their files again.
    fn reload_certificates(
        &self,
        access: &ClusterAccess,
        wanted: &BTreeMap<PodName, &str>,
        may: impl Fn() -> bool + Send + Sync,
    ) -> impl Future<Output = Result<Served<Self::Error>, CertificateError>> + Send;
}

/// What a step that failed asks for.
pub trait StepFailure: Error + Send + Sync + 'static {
    /// A stable word in CamelCase.
    fn reason(&self) -> &'static str;

    /// Whether a person should read of it, even where it is tried again.
    fn is_for_a_person(&self) -> bool;

    /// Whether it will fail again until a person changes something.
    fn is_final(&self) -> bool;
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was carried out.
    Done,
    /// It had been carried out before.
    AlreadyDone,
}

/// How far a change of the users came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Every group has it.
    All,
    /// The fence stopped it on the way.
    Stopped,
}

/// Which servers serve what they should.
#[derive(Debug)]
pub struct Served<E> {
    /// Those that do not yet; told to read their files, where they could be.
    pub missing: Vec<PodName>,
    /// The first of them that did not do what it was told.
    pub failed: Option<E>,
}

/// A certificate that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("a certificate that Kogge issued, or was given, cannot be read: {0}")]
pub struct CertificateError(pub String);
