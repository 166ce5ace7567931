//! `FederatedCluster`: one MongoDB sharded cluster across many Kubernetes clusters.

mod component;
mod defaults;
mod effective;
mod security;
mod spec;

pub use component::{Component, InvalidComponent};
pub use effective::PlacedComponent;
pub use security::{PreviousUser, RotationSpec, SecuritySpec, SecurityStatus, TlsMode, TlsSecretRef, TlsSpec};
pub use spec::{
    DataPolicy, DeletionSpec, FederatedCluster, FederatedClusterSpec, GlobalSpec, MemberOverride, MemberSpec,
    OnFailure, PlacementSpec, ResourcesSpec, Role, RolloutSpec, RouterOverride, RouterSpec, ShardSpec,
    StorageSpec,
};
