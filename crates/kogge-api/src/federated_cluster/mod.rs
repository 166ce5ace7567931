//! `FederatedCluster`: one MongoDB sharded cluster across many Kubernetes clusters.

mod component;
mod defaults;
mod effective;
mod security;
mod spec;
mod status;

pub use component::{Component, InvalidComponent};
pub use effective::PlacedComponent;
pub use security::{PreviousUser, RotationSpec, SecuritySpec, SecurityStatus, TlsMode, TlsSecretRef, TlsSpec};
pub use spec::{
    DataPolicy, DeletionSpec, FederatedCluster, FederatedClusterSpec, GlobalSpec, MemberOverride, MemberSpec,
    OnFailure, PlacementSpec, ResourcesSpec, Role, RolloutSpec, RouterOverride, RouterSpec, ShardSpec,
    StorageSpec,
};
pub use status::{
    ConnectionStatus, DeletionStatus, DrainStatus, FederatedClusterStatus, GroupStatus, MemberStatus,
    PlacementStatus, RolloutStatus, RoutersStatus, ShareStatus, WorkState,
};
