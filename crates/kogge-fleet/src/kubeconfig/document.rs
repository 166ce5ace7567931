//! The parts of a kubeconfig that Kogge reads, and those that it must find in order to refuse them.
//!
//! What is empty is absent, as in kubectl: tools write every key that they know.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::KubeconfigError;

/// A kubeconfig.
#[derive(Clone, Default, Deserialize)]
pub(super) struct Document {
    #[serde(rename = "current-context", default)]
    current_context: Option<String>,
    #[serde(default)]
    contexts: Option<Vec<NamedContext>>,
    #[serde(default)]
    clusters: Option<Vec<NamedCluster>>,
    #[serde(default)]
    users: Option<Vec<NamedUser>>,
}

#[derive(Clone, Deserialize)]
struct NamedContext {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    context: Option<Context>,
}

#[derive(Clone, Default, Deserialize)]
struct Context {
    #[serde(default)]
    cluster: Option<String>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default, deserialize_with = "text")]
    namespace: Option<String>,
}

#[derive(Clone, Deserialize)]
struct NamedCluster {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    cluster: Option<Cluster>,
    #[serde(skip)]
    folder: Option<PathBuf>,
}

#[derive(Clone, Deserialize)]
struct NamedUser {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    user: Option<User>,
    #[serde(skip)]
    folder: Option<PathBuf>,
}

/// One entry of `clusters`.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Cluster {
    #[serde(default, deserialize_with = "text")]
    pub(super) server: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) certificate_authority: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) certificate_authority_data: Option<String>,
    #[serde(default)]
    pub(super) insecure_skip_tls_verify: Option<bool>,
    #[serde(default, deserialize_with = "text")]
    pub(super) tls_server_name: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) proxy_url: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    pub(super) extensions: Option<Value>,
}

/// One entry of `users`.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct User {
    #[serde(default, deserialize_with = "text")]
    pub(super) token: Option<String>,
    #[serde(rename = "tokenFile", default, deserialize_with = "text")]
    pub(super) token_file: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) client_certificate: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) client_certificate_data: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) client_key: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) client_key_data: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) username: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) password: Option<String>,
    #[serde(rename = "as", default, deserialize_with = "text")]
    pub(super) impersonate: Option<String>,
    #[serde(rename = "as-uid", default, deserialize_with = "text")]
    pub(super) impersonate_uid: Option<String>,
    #[serde(rename = "as-groups", default, deserialize_with = "filled")]
    pub(super) impersonate_groups: Option<Value>,
    #[serde(rename = "as-user-extra", default, deserialize_with = "filled")]
    pub(super) impersonate_extra: Option<Value>,
    #[serde(default, deserialize_with = "filled")]
    pub(super) auth_provider: Option<Value>,
    #[serde(default, deserialize_with = "filled")]
    pub(super) exec: Option<Value>,
}

/// What a context leads to.
pub(super) struct Selected {
    pub(super) context: String,
    pub(super) namespace: Option<String>,
    pub(super) cluster_name: String,
    pub(super) cluster: Cluster,
    pub(super) user_name: String,
    pub(super) user: User,
    /// Where the paths in the cluster's entry begin; none where no file may be read.
    pub(super) cluster_folder: Option<PathBuf>,
    /// Where the paths in the user's entry begin.
    pub(super) user_folder: Option<PathBuf>,
}

impl Selected {
    /// How messages call a key of the cluster's entry.
    pub(super) fn at_cluster(&self, key: &str) -> String {
        format!("clusters[name={}].cluster.{key}", self.cluster_name)
    }

    /// How messages call a key of the user's entry.
    pub(super) fn at_user(&self, key: &str) -> String {
        format!("users[name={}].user.{key}", self.user_name)
    }
}

impl Document {
    /// Refuses two entries of one name, whichever is meant.
    pub(super) fn check_names(&self) -> Result<(), KubeconfigError> {
        twice("clusters", self.clusters.iter().flatten().map(|entry| entry.name.as_deref()))?;
        twice("users", self.users.iter().flatten().map(|entry| entry.name.as_deref()))?;
        twice("contexts", self.contexts.iter().flatten().map(|entry| entry.name.as_deref()))
    }

    /// Lets the files that the entries name be read, from this folder on.
    pub(super) fn set_folder(&mut self, folder: &Path) {
        self.clusters.iter_mut().flatten().for_each(|entry| entry.folder = Some(folder.to_owned()));
        self.users.iter_mut().flatten().for_each(|entry| entry.folder = Some(folder.to_owned()));
    }

    /// Adds what another file has and this one has not: the first to name something wins, as in kubectl.
    pub(super) fn merge(&mut self, next: Self) {
        let current = self.current_context.take().filter(|name| !name.is_empty());
        self.current_context = current.or(next.current_context);
        add(&mut self.contexts, next.contexts, |entry| entry.name.as_deref());
        add(&mut self.clusters, next.clusters, |entry| entry.name.as_deref());
        add(&mut self.users, next.users, |entry| entry.name.as_deref());
    }

    /// The names of the contexts.
    pub(super) fn contexts(&self) -> impl Iterator<Item = &str> {
        self.contexts.iter().flatten().map(|entry| entry.name.as_deref().unwrap_or_default())
    }

    /// Follows a context, by default the current one, to its cluster and its user.
    pub(super) fn select(&self, context: Option<&str>) -> Result<Selected, KubeconfigError> {
        let name = context.or(self.current_context.as_deref()).filter(|name| !name.is_empty());
        let name = name.ok_or(KubeconfigError::NoCurrentContext)?;
        let entry = self.contexts.iter().flatten().find(|c| c.name.as_deref() == Some(name));
        let entry = entry.ok_or_else(|| KubeconfigError::UnknownContext { context: name.to_owned() })?;
        let Context { cluster, user, namespace } = entry.context.clone().unwrap_or_default();

        let cluster_name = cluster.unwrap_or_default();
        let cluster =
            self.clusters.iter().flatten().find(|c| c.name.as_deref().unwrap_or_default() == cluster_name);
        let cluster = cluster.ok_or_else(|| KubeconfigError::UnknownCluster {
            context: name.to_owned(),
            cluster: cluster_name.clone(),
        })?;

        let user_name = user.unwrap_or_default();
        let user = self.users.iter().flatten().find(|u| u.name.as_deref().unwrap_or_default() == user_name);
        let user = user
            .ok_or_else(|| KubeconfigError::UnknownUser { context: name.to_owned(), user: user_name.clone() })?;
        Ok(Selected {
            context: name.to_owned(),
            namespace,
            cluster_name,
            cluster: cluster.cluster.clone().unwrap_or_default(),
            user_name,
            user: user.user.clone().unwrap_or_default(),
            cluster_folder: cluster.folder.clone(),
            user_folder: user.folder.clone(),
        })
    }
}

fn twice<'a>(list: &'static str, names: impl Iterator<Item = Option<&'a str>>) -> Result<(), KubeconfigError> {
    let mut seen = BTreeSet::new();
    for name in names.map(Option::unwrap_or_default) {
        if !seen.insert(name) {
            return Err(KubeconfigError::DuplicateName { list, name: name.to_owned() });
        }
    }
    Ok(())
}

fn add<T>(present: &mut Option<Vec<T>>, next: Option<Vec<T>>, name: impl Fn(&T) -> Option<&str>) {
    let present = present.get_or_insert_default();
    for entry in next.into_iter().flatten() {
        if !present.iter().any(|other| name(other) == name(&entry)) {
            present.push(entry);
        }
    }
}

/// A text without the white space around it; none where nothing is left.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
}

/// A value in which something is said.
fn filled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Ok(Option::<Value>::deserialize(deserializer)?.filter(|value| !is_empty(value)))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.iter().all(is_empty),
        Value::Object(fields) => fields.values().all(is_empty),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
