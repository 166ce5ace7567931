//! Who the members, the operator and clients are to each other.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube_core::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits::ROTATION;
use crate::rules::rule;

/// TLS, and what is to be replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecuritySpec {
    /// TLS between members and for clients.
    #[serde(default)]
    #[schemars(extend("default" = {}))]
    pub tls: TlsSpec,
    /// What is to be replaced.
    #[serde(default)]
    #[schemars(extend("default" = {}))]
    pub rotation: RotationSpec,
}

/// TLS between members and for clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TlsSpec {
    /// Who speaks TLS. A database that runs gets there step by step, with a rolling restart for each.
    #[serde(default)]
    pub mode: TlsMode,
    /// A Secret with `tls.crt`, `tls.key` and `ca.crt`, as cert-manager makes them, beside the FederatedCluster.
    /// Its certificate must bear the names of all members and routers, and `localhost`. By default Kogge has an
    /// authority of its own for each database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<TlsSecretRef>,
}

/// Who speaks TLS, in MongoDB's own steps.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum TlsMode {
    /// Nobody.
    #[default]
    Disabled,
    /// Clients may; members do not to each other.
    Allow,
    /// Clients may; members do to each other.
    Prefer,
    /// Everybody.
    Require,
}

impl TlsMode {
    /// The next mode on the way to another; itself when it is there.
    #[must_use]
    pub fn toward(self, goal: Self) -> Self {
        const STEPS: [TlsMode; 4] = [TlsMode::Disabled, TlsMode::Allow, TlsMode::Prefer, TlsMode::Require];
        let (from, to) = (self as usize, goal as usize);
        STEPS[if to > from { from + 1 } else { from - usize::from(to < from) }]
    }

    /// The server's own word for it.
    pub fn as_flag(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Allow => "allowTLS",
            Self::Prefer => "preferTLS",
            Self::Require => "requireTLS",
        }
    }
}

/// The Secret with a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TlsSecretRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// What is to be replaced: whoever raises a number asks for it once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RotationSpec {
    /// The key that members authenticate to each other by.
    #[serde(default)]
    #[schemars(range(max = ROTATION))]
    pub keyfile: u32,
    /// The certificates, by the same authority. Kogge renews them by itself when a third of their time is left.
    #[serde(default)]
    #[schemars(range(max = ROTATION))]
    pub certificates: u32,
    /// The authority, and every certificate with it.
    #[serde(default)]
    #[schemars(range(max = ROTATION))]
    pub authority: u32,
    /// The users of the administrator and of Kogge itself: the next ones have new names and new passwords.
    #[serde(default)]
    #[schemars(range(max = ROTATION))]
    pub passwords: u32,
    /// How long the administrator's previous user keeps working after the Secret names the next one, and where clients
    /// have certificates, how long the previous authority stays trusted after the next one issued theirs. `0s` ends both
    /// at once.
    #[serde(default = "grace", deserialize_with = "crate::duration::read")]
    #[schemars(length(max = 16), extend("default" = "1h", "x-kubernetes-validations" = [
        rule("duration(self) >= duration('0s') && duration(self) <= duration('720h')", "spec.security.rotation.grace must be between 0s and 720h (30 days)"),
    ]))]
    pub grace: Duration,
}

impl Default for RotationSpec {
    fn default() -> Self {
        Self { keyfile: 0, certificates: 0, authority: 0, passwords: 0, grace: grace() }
    }
}

/// What the pods were made with, and what is under way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecurityStatus {
    /// Who speaks TLS now.
    pub tls_mode: TlsMode,
    /// Counts what keyfile, certificates and mode were made of; the pods' Secrets are named by it.
    pub generation: u32,
    /// What is being replaced; none where nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotating: Option<String>,
    /// When certificates will be renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal: Option<Time>,
    /// The administrator's previous user, which still works; none where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_user: Option<PreviousUser>,
}

/// A user that the next one has replaced in the administrator's Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviousUser {
    /// Its name.
    pub name: String,
    /// When Kogge removes it from every group: `spec.security.rotation.grace` after it was replaced.
    pub removed_at: Time,
}

/// An hour: more than any client takes to read a mounted Secret again.
fn grace() -> Duration {
    std::time::Duration::from_hours(1).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_step_of_tls_is_left_out() {
        use TlsMode::{Allow, Disabled, Prefer, Require};
        assert_eq!(
            [Disabled, Allow, Prefer, Require].map(|mode| mode.toward(Require)),
            [Allow, Prefer, Require, Require]
        );
        assert_eq!(
            [Require, Prefer, Allow, Disabled].map(|mode| mode.toward(Disabled)),
            [Prefer, Allow, Disabled, Disabled]
        );
    }
}
