//! `FederatedEtcd`: one etcd cluster across many Kubernetes clusters.

mod effective;
mod quota;
mod spec;
mod status;

pub use effective::PlacedMembers;
pub use quota::Quota;
pub use spec::{COMPONENT, EtcdPlacementSpec, EtcdRole, FederatedEtcd, FederatedEtcdSpec};
pub use status::FederatedEtcdStatus;
