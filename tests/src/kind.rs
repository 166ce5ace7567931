//! The kinds of databases, as far as all of them are asked the same.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kogge_api::{DatabaseStatus, FederatedCluster, FederatedEtcd};
use kube::Resource;
use kube::core::object::HasStatus;
use serde::de::DeserializeOwned;

/// A kind of databases.
pub trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + HasStatus<Status = DatabaseStatus>
    + Clone
    + Debug
    + DeserializeOwned
{
    /// What `kubectl` calls it.
    const SHORT: &'static str;
}

impl Kind for FederatedCluster {
    const SHORT: &'static str = "fc";
}

impl Kind for FederatedEtcd {
    const SHORT: &'static str = "fe";
}
