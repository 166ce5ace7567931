//! `FederatedEtcd`: one etcd cluster across many Kubernetes clusters.

mod effective;
mod spec;

pub use effective::PlacedMembers;
pub use spec::{COMPONENT, EtcdPlacementSpec, EtcdRole, FederatedEtcd, FederatedEtcdSpec};
