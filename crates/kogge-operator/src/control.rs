//! Reads and writes in the control cluster: each with a deadline, each write only while this process leads.

use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::{ClusterResourceScope, NamespaceResourceScope};
use kogge_api::FINALIZER;
use kogge_database::pass::Standing;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, Preconditions, Request,
};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

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

/// What the control cluster holds: a kind with a type of its own.
pub trait Kind: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug {}

impl<K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug> Kind for K {}

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
        let found = self.get::<Namespace>(&self.cluster_wide(), "kube-system").await?;
        Ok(found.and_then(|namespace| namespace.metadata.uid))
    }

    /// The objects of a kind in a namespace.
    pub fn namespaced<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// The objects of a cluster-scoped kind.
    pub fn cluster_wide<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = ClusterResourceScope>,
    {
        Api::all(self.client.clone())
    }

    /// An object, if it is there.
    pub async fn get<K: Kind>(&self, api: &Api<K>, name: &str) -> Result<Option<K>, ControlError> {
        bounded(&told::<K>("read", name), api.get_opt(name)).await
    }

    /// The objects that a label selector chooses.
    pub async fn list<K: Kind>(&self, api: &Api<K>, selector: &str) -> Result<Vec<K>, ControlError> {
        let params = ListParams::default().labels(selector);
        Ok(bounded(&told::<K>("list", selector), api.list(&params)).await?.items)
    }

    /// Makes an object that must not be there yet: what is made of randomness is never written over.
    pub async fn create<K: Kind + Serialize>(&self, api: &Api<K>, object: &K) -> Result<K, ControlError> {
        self.lead()?;
        let params =
            PostParams { field_manager: Some(kogge_api::FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let what = told::<K>("create", object.meta().name.as_deref().unwrap_or("without a name"));
        bounded(&what, api.create(&params, object)).await
    }

    /// Server-side apply of an object.
    pub async fn apply<K: Kind>(
        &self,
        api: &Api<K>,
        name: &str,
        object: &(impl Serialize + Debug),
    ) -> Result<K, ControlError> {
        self.lead()?;
        bounded(&told::<K>("apply", name), api.patch(name, &forced(), &Patch::Apply(object))).await
    }

    /// A merge patch of an object; what it rests on stands in it as UID and resourceVersion.
    pub async fn merge<K: Kind>(&self, api: &Api<K>, name: &str, patch: &Value) -> Result<K, ControlError> {
        self.lead()?;
        bounded(&told::<K>("change", name), api.patch(name, &merging(), &Patch::Merge(patch))).await
    }

    /// Server-side apply of the status of an object.
    pub async fn apply_status<K: Kind>(
        &self,
        api: &Api<K>,
        name: &str,
        object: &(impl Serialize + Debug),
    ) -> Result<K, ControlError> {
        self.lead()?;
        let what = told::<K>("apply the status of", name);
        bounded(&what, api.patch_status(name, &forced(), &Patch::Apply(object))).await
    }

    /// Merges into the status of an object that its own type cannot read; what changed meanwhile is not written over. The
    /// answer is not read either.
    pub async fn merge_status(
        &self,
        kind: &ApiResource,
        object: &ObjectMeta,
        patch: &Value,
    ) -> Result<(), ControlError> {
        self.lead()?;
        let name = object.name.as_deref().unwrap_or_default();
        let params =
            PatchParams { field_manager: Some(kogge_api::FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let path = DynamicObject::url_path(kind, object.namespace.as_deref());
        let send = async {
            let request = Request::new(path).patch_subresource("status", name, &params, &Patch::Merge(patch));
            self.client.request_text(request.map_err(kube::Error::BuildRequest)?).await
        };
        bounded(&format!("merge into the status of {} {name}", kind.kind), send).await.map(drop)
    }

    /// Deletes an object; one that is gone already is no error.
    pub async fn delete<K: Kind>(&self, api: &Api<K>, name: &str) -> Result<(), ControlError> {
        self.lead()?;
        match bounded(&told::<K>("delete", name), api.delete(name, &DeleteParams::background())).await {
            Err(ControlError::Api { source, .. }) if is_code(&source, 404) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Deletes an object as it was read, and no other of its name; one that is gone already is no error.
    pub async fn delete_seen<K: Kind>(&self, api: &Api<K>, seen: &Standing) -> Result<(), ControlError> {
        self.lead()?;
        let Standing { name, uid, resource_version } = seen;
        let preconditions = Preconditions { uid: uid.clone(), resource_version: resource_version.clone() };
        let params = DeleteParams::background().preconditions(preconditions);
        match bounded(&told::<K>("delete", name), api.delete(name, &params)).await {
            Err(ControlError::Api { source, .. }) if is_code(&source, 404) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Takes Kogge's finalizer from an object, over what was read of it; one that is gone already is no error.
    pub async fn release<K: Kind>(&self, api: &Api<K>, read: &ObjectMeta) -> Result<(), ControlError> {
        let name = read.name.as_deref().unwrap_or_default();
        match self.merge(api, name, &without_finalizer(read)).await {
            Err(ControlError::Api { source, .. }) if is_code(&source, 404) => Ok(()),
            other => other.map(drop),
        }
    }

    fn lead(&self) -> Result<(), ControlError> {
        if self.leadership.is_leader() { Ok(()) } else { Err(ControlError::NotLeading) }
    }
}

/// The merge patch that takes Kogge's finalizer away, whoever wrote it: an apply takes only what Kogge alone has applied,
/// and a resource that was made from an exported manifest has the finalizer from its user as well.
fn without_finalizer(read: &ObjectMeta) -> Value {
    let others: Vec<&String> = read.finalizers.iter().flatten().filter(|name| *name != FINALIZER).collect();
    json!({
        "metadata": { "uid": read.uid, "resourceVersion": read.resource_version, "finalizers": others },
    })
}

/// What is asked, in words.
fn told<K: Kind>(verb: &str, name: &str) -> String {
    format!("{verb} {} {name}", K::kind(&()))
}

fn forced() -> PatchParams {
    PatchParams::apply(kogge_api::FIELD_MANAGER).force()
}

fn merging() -> PatchParams {
    PatchParams { field_manager: Some(kogge_api::FIELD_MANAGER.to_owned()), ..PatchParams::default() }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_05_the_finalizer_is_taken_away_whoever_wrote_it_and_no_other_is() {
        let finalizers = ["foregroundDeletion", FINALIZER, "example.org/backup"].map(str::to_owned).to_vec();
        let read = ObjectMeta {
            uid: Some("uid-of-fc".to_owned()),
            resource_version: Some("7".to_owned()),
            finalizers: Some(finalizers),
            ..ObjectMeta::default()
        };
        let expected = json!({"metadata": {
            "uid": "uid-of-fc", "resourceVersion": "7", "finalizers": ["foregroundDeletion", "example.org/backup"],
        }});
        assert_eq!(without_finalizer(&read), expected);
    }
}
