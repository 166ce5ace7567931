//! The `kogge.dev/v1alpha1` API: resources, their rules, names, labels and limits.
//!
//! Everything here is data. The crate has no client, no clock and no randomness; what needs one of them
//! takes it as an argument. The custom resource definitions in `config/crd/` are generated from these types.

pub mod anchor;
pub mod chart_kinds;
pub mod cluster_id;
pub mod conditions;
pub mod crd;
mod duration;
pub mod federated_cluster;
pub mod federated_etcd;
pub mod gate;
pub mod guarded;
pub mod hysteresis;
pub mod labels;
pub mod limits;
pub mod names;
pub mod owner;
pub mod rbac;
pub mod recovery;
mod rules;
mod security;
pub mod status;
pub mod worker_cluster;

pub use chart_kinds::{CHART_KINDS, ChartKind};
pub use cluster_id::ClusterId;
pub use federated_cluster::{FederatedCluster, FederatedClusterSpec};
pub use federated_etcd::{FederatedEtcd, FederatedEtcdSpec};
pub use owner::{Owner, OwnerRecord};
pub use status::DatabaseStatus;
pub use worker_cluster::{WorkerCluster, WorkerClusterSpec, WorkerClusterStatus};

/// The API group of every Kogge resource.
pub const GROUP: &str = "kogge.dev";
/// The version served and stored.
pub const VERSION: &str = "v1alpha1";
/// The field manager of every write by Kogge (A10).
pub const FIELD_MANAGER: &str = "kogge";
/// The finalizer that holds a resource until Kogge has let go of what it stands for.
pub const FINALIZER: &str = "kogge.dev/protect";
/// Kogge's own namespace, in the control cluster and in every worker, unless told otherwise.
pub const SYSTEM_NAMESPACE: &str = "kogge-system";
