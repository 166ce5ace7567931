//! `FederatedEtcd`: one etcd cluster across many Kubernetes clusters.

mod effective;
mod maintenance;
mod quota;
mod spec;

pub use effective::PlacedMembers;
pub use maintenance::{MaintenanceSpec, MaintenanceWindow, Weekday};
pub use quota::Quota;
pub use spec::{COMPONENT, EtcdPlacementSpec, EtcdRole, FederatedEtcd, FederatedEtcdSpec};
