//! `FederatedCluster`: one MongoDB sharded cluster across many Kubernetes clusters.

mod bounds;
mod component;
mod defaults;
mod effective;
mod spec;

pub use crate::security::{
    PreviousUser, RotationSpec, SecuritySpec, SecurityStatus, TlsMode, TlsSecretRef, TlsSpec,
};
pub use component::{Component, InvalidComponent};
pub use effective::PlacedComponent;
pub use spec::{
    DataPolicy, DeletionSpec, FederatedCluster, FederatedClusterSpec, GlobalSpec, MemberOverride, MemberSpec,
    OnFailure, PlacementSpec, ResourcesSpec, Role, RolloutSpec, RouterOverride, RouterSpec, ShardSpec,
    StorageSpec,
};
