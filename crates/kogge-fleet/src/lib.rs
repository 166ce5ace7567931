//! The worker clusters: connections, watches, one snapshot, guarded writes.
//!
//! A [`Fleet`] holds one connection per WorkerCluster, each with its own client, deadline, limit, breaker and
//! tasks, so that one slow or dead worker changes nothing for the others (A4). Watches fill one
//! [`FleetView`](kogge_plan::FleetView); [`Fleet::execute`] carries out one [`Action`](kogge_plan::Action) at
//! a time, and its result comes back through the next observation.

mod connection;
pub mod error;
pub mod fleet;
pub mod kubeconfig;
pub mod probe;
pub mod proxy;
mod watch;
pub mod write;

pub use error::FleetError;
pub use fleet::{Change, Fleet, FleetOptions, SecretLookup, WorkerFindings};
pub use kubeconfig::{Access, KubeconfigError, KubeconfigFiles, WorkerCredentials};
pub use probe::RequiredRules;
pub use proxy::ProxyEnvironment;
pub use write::{Fence, FieldConflict, Outcome, WriteContext, WriteError};
