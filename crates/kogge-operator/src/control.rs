//! Reads and writes in the control cluster: each with a deadline, each write only while this process leads.

use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::{ClusterResourceScope, NamespaceResourceScope};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::leader::Leadership;

/// The deadline of one request to the control cluster.
const DEADLINE: Duration = Duration::from_secs(10);

/// Why the control cluster could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The API server refused or could not be reached.
    #[error("the control cluster's API server could not {what}: {source}")]
    Api {
        /// What was asked of it.
        what: String,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
    /// No answer within the deadline.
    #[error("the control cluster's API server did not answer within {DEADLINE:?} when asked to {what}")]
    Deadline {
        /// What was asked of it.
        what: String,
    },
    /// The object changed since it was observed; the next reconcile sees the new one.
    #[error("{what}: the object changed since it was read")]
    Stale {
        /// What was asked.
        what: String,
    },
    /// This process does not lead any more.
    #[error("this process does not lead any more and writes nothing")]
    NotLeading,
}

impl ControlError {
    /// The stable reason.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Api { .. } => "ControlClusterRefused",
            Self::Deadline { .. } => "ControlClusterSilent",
            Self::Stale { .. } => "Stale",
            Self::NotLeading => "NotLeading",
        }
    }
}

/// The control cluster, for its one writer.
#[derive(Clone)]
pub struct Control {
    client: Client,
    leadership: Leadership,
}

impl Control {
    /// The control cluster behind that client.
    pub fn new(client: Client, leadership: Leadership) -> Self {
        Self { client, leadership }
    }

    /// The client, for watches.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The UID of `kube-system`: the identity of this control cluster.
    pub async fn uid(&self) -> Result<Option<String>, ControlError> {
        let found = self.get_cluster::<Namespace>("kube-system").await?;
        Ok(found.and_then(|namespace| namespace.metadata.uid))
    }

    /// An object of a namespace, if it is there.
    pub async fn get<K>(&self, namespace: &str, name: &str) -> Result<Option<K>, ControlError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        let api = Api::<K>::namespaced(self.client.clone(), namespace);
        bounded(&format!("read {} {namespace}/{name}", K::kind(&())), api.get_opt(name)).await
    }

    /// A cluster-scoped object, if it is there.
    pub async fn get_cluster<K>(&self, name: &str) -> Result<Option<K>, ControlError>
    where
        K: Resource<DynamicType = (), Scope = ClusterResourceScope> + Clone + DeserializeOwned + Debug,
    {
        let api = Api::<K>::all(self.client.clone());
        bounded(&format!("read {} {name}", K::kind(&())), api.get_opt(name)).await
    }

    /// The objects of a namespace that a label selector chooses.
    pub async fn list<K>(&self, namespace: &str, selector: &str) -> Result<Vec<K>, ControlError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        let api = Api::<K>::namespaced(self.client.clone(), namespace);
        let params = ListParams::default().labels(selector);
        let what = format!("list {} in {namespace}", K::plural(&()));
        Ok(bounded(&what, api.list(&params)).await?.items)
    }

    /// Makes an object that must not be there yet: what is made of randomness is never written over.
    pub async fn create<K>(&self, namespace: &str, object: &K) -> Result<K, ControlError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + Debug
            + Serialize,
    {
        self.lead()?;
        let api = Api::<K>::namespaced(self.client.clone(), namespace);
        let params =
            PostParams { field_manager: Some(kogge_api::FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let what = format!("create {} {namespace}/{}", K::kind(&()), object.meta().name.as_deref().unwrap_or("?"));
        bounded(&what, api.create(&params, object)).await
    }

    /// Server-side apply of an object of a namespace.
    pub async fn apply<K>(
        &self,
        namespace: &str,
        name: &str,
        object: &(impl Serialize + Debug),
    ) -> Result<K, ControlError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        self.lead()?;
        let api = Api::<K>::namespaced(self.client.clone(), namespace);
        let what = format!("apply {} {namespace}/{name}", K::kind(&()));
        bounded(&what, api.patch(name, &forced(), &Patch::Apply(object))).await
    }

    /// Server-side apply of the status of an object of a namespace.
    pub async fn apply_status<K>(
        &self,
        namespace: &str,
        name: &str,
        object: &(impl Serialize + Debug),
    ) -> Result<K, ControlError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        self.lead()?;
        let api = Api::<K>::namespaced(self.client.clone(), namespace);
        let what = format!("apply the status of {} {namespace}/{name}", K::kind(&()));
        bounded(&what, api.patch_status(name, &forced(), &Patch::Apply(object))).await
    }

    /// Server-side apply of a cluster-scoped object.
    pub async fn apply_cluster<K>(&self, name: &str, object: &(impl Serialize + Debug)) -> Result<K, ControlError>
    where
        K: Resource<DynamicType = (), Scope = ClusterResourceScope> + Clone + DeserializeOwned + Debug,
    {
        self.lead()?;
        let api = Api::<K>::all(self.client.clone());
        bounded(&format!("apply {} {name}", K::kind(&())), api.patch(name, &forced(), &Patch::Apply(object))).await
    }

    /// Server-side apply of the status of a cluster-scoped object.
    pub async fn apply_cluster_status<K>(
        &self,
        name: &str,
        object: &(impl Serialize + Debug),
    ) -> Result<K, ControlError>
    where
        K: Resource<DynamicType = (), Scope = ClusterResourceScope> + Clone + DeserializeOwned + Debug,
    {
        self.lead()?;
        let api = Api::<K>::all(self.client.clone());
        let what = format!("apply the status of {} {name}", K::kind(&()));
        bounded(&what, api.patch_status(name, &forced(), &Patch::Apply(object))).await
    }

    /// Deletes an object of a namespace; one that is gone already is no error.
    pub async fn delete<K>(&self, namespace: &str, name: &str) -> Result<(), ControlError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        self.lead()?;
        let api = Api::<K>::namespaced(self.client.clone(), namespace);
        let what = format!("delete {} {namespace}/{name}", K::kind(&()));
        match bounded(&what, api.delete(name, &DeleteParams::background())).await {
            Err(ControlError::Api { source, .. }) if is_code(&source, 404) => Ok(()),
            other => other.map(drop),
        }
    }

    fn lead(&self) -> Result<(), ControlError> {
        if self.leadership.is_leader() { Ok(()) } else { Err(ControlError::NotLeading) }
    }
}

fn forced() -> PatchParams {
    PatchParams::apply(kogge_api::FIELD_MANAGER).force()
}

fn is_code(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}

async fn bounded<T>(what: &str, call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, ControlError> {
    let what = what.to_owned();
    match tokio::time::timeout(DEADLINE, call).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) if is_code(&error, 409) => Err(ControlError::Stale { what }),
        Ok(Err(error)) => Err(ControlError::Api { what, source: Box::new(error) }),
        Err(_) => Err(ControlError::Deadline { what }),
    }
}
