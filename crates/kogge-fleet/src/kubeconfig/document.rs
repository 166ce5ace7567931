//! The parts of a kubeconfig that Kogge reads, and those that it must find in order to refuse them.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::KubeconfigError;

/// A kubeconfig.
#[derive(Deserialize)]
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

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    #[serde(default)]
    context: Option<Context>,
}

#[derive(Deserialize)]
struct Context {
    #[serde(default)]
    cluster: Option<String>,
    #[serde(default)]
    user: Option<String>,
}

#[derive(Deserialize)]
struct NamedCluster {
    name: String,
    #[serde(default)]
    cluster: Option<Cluster>,
}

#[derive(Deserialize)]
struct NamedUser {
    name: String,
    #[serde(default)]
    user: Option<User>,
}

/// One entry of `clusters`.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Cluster {
    #[serde(default)]
    pub(super) server: Option<String>,
    #[serde(default)]
    pub(super) certificate_authority: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) certificate_authority_data: Option<String>,
    #[serde(default)]
    pub(super) insecure_skip_tls_verify: Option<bool>,
    #[serde(default)]
    pub(super) tls_server_name: Option<String>,
    #[serde(default)]
    pub(super) proxy_url: Option<IgnoredAny>,
}

/// One entry of `users`.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct User {
    #[serde(default)]
    pub(super) token: Option<String>,
    #[serde(rename = "tokenFile", default)]
    pub(super) token_file: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) client_certificate: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) client_certificate_data: Option<String>,
    #[serde(default)]
    pub(super) client_key: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) client_key_data: Option<String>,
    #[serde(default)]
    pub(super) username: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) password: Option<IgnoredAny>,
    #[serde(rename = "as", default)]
    pub(super) impersonate: Option<IgnoredAny>,
    #[serde(rename = "as-uid", default)]
    pub(super) impersonate_uid: Option<IgnoredAny>,
    #[serde(rename = "as-groups", default)]
    pub(super) impersonate_groups: Option<IgnoredAny>,
    #[serde(rename = "as-user-extra", default)]
    pub(super) impersonate_extra: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) auth_provider: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) exec: Option<IgnoredAny>,
}

/// What the current context leads to.
pub(super) struct Selected<'a> {
    pub(super) cluster_name: &'a str,
    pub(super) cluster: &'a Cluster,
    pub(super) user_name: &'a str,
    pub(super) user: &'a User,
}

impl Document {
    /// Follows `current-context` to its cluster and its user.
    pub(super) fn select(&self) -> Result<Selected<'_>, KubeconfigError> {
        let name = self.current_context.as_deref().filter(|name| !name.is_empty());
        let name = name.ok_or(KubeconfigError::NoCurrentContext)?;
        let context = self.contexts.iter().flatten().find(|c| c.name == name).and_then(|c| c.context.as_ref());
        let context = context.ok_or_else(|| KubeconfigError::UnknownContext { context: name.to_owned() })?;

        let cluster_name = context.cluster.as_deref().unwrap_or_default();
        let cluster = self.clusters.iter().flatten().find(|c| c.name == cluster_name);
        let cluster = cluster.and_then(|c| c.cluster.as_ref()).ok_or_else(|| KubeconfigError::UnknownCluster {
            context: name.to_owned(),
            cluster: cluster_name.to_owned(),
        })?;

        let user_name = context.user.as_deref().unwrap_or_default();
        let user = self.users.iter().flatten().find(|u| u.name == user_name);
        let user = user.and_then(|u| u.user.as_ref()).ok_or_else(|| KubeconfigError::UnknownUser {
            context: name.to_owned(),
            user: user_name.to_owned(),
        })?;
        Ok(Selected { cluster_name, cluster, user_name, user })
    }
}
