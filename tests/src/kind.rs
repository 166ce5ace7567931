//! The kinds of databases, as far as all of them are asked the same.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kogge_api::{FederatedCluster, FederatedEtcd};
use kube::Resource;
use serde::de::DeserializeOwned;

/// A kind of databases.
pub trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned
{
    /// What `kubectl` calls it.
    const SHORT: &'static str;

    /// What was reported of it.
    fn conditions(&self) -> &[Condition];

    /// What Kogge says that it waits for.
    fn waiting_for(&self) -> Option<&str>;
}

impl Kind for FederatedCluster {
    const SHORT: &'static str = "fc";

    fn conditions(&self) -> &[Condition] {
        self.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default()
    }

    fn waiting_for(&self) -> Option<&str> {
        self.status.as_ref()?.waiting_for.as_deref()
    }
}

impl Kind for FederatedEtcd {
    const SHORT: &'static str = "fe";

    fn conditions(&self) -> &[Condition] {
        self.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default()
    }

    fn waiting_for(&self) -> Option<&str> {
        self.status.as_ref()?.waiting_for.as_deref()
    }
}
