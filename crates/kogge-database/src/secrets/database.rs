//! The secrets of one database, and the Secrets that they stand in.

use std::fmt;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kogge_api::federated_cluster::{RotationSpec, TlsMode};
use kogge_api::{ClusterId, Owner, names};
use serde::{Deserialize, Serialize};

use super::generation::{Generation, Mounted};
use super::issuer::Issuer;
use super::stored::{IncompleteSecret, bytes, text};
use super::users::{PreviousUsers, Users};
use crate::revisions::system_labels;

const ROTATION: &str = "rotation.json";

/// The secrets of one database. Its `Debug` shows none of them.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseSecrets {
    /// The users that every group knows.
    pub users: Users,
    /// The users that are being made; until all groups know them, some do.
    pub next_users: Option<Users>,
    /// The users that the present ones replaced; until they are removed everywhere.
    pub previous_users: Option<PreviousUsers>,
    /// What pods are made with.
    pub current: Generation,
    /// What pods run that were not made anew yet.
    pub previous: Option<Generation>,
    /// Who issued the certificates; none without TLS.
    pub issuer: Option<Issuer>,
    /// Who issues the next ones: trusted already.
    pub incoming: Option<Issuer>,
    /// The requests that were granted.
    pub rotated: Granted,
    /// The present generation has other certificates than it began with, and not every server is known to serve them.
    pub reloading: bool,
    /// When clients got certificates by the present authority while the one before it stays trusted, in seconds since
    /// 1970; none where no client has to take another one.
    pub clients_replaced_at: Option<i64>,
}

/// The numbers of `spec.security.rotation` that were granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Granted {
    /// Of the keyfile.
    pub keyfile: u32,
    /// Of the certificates.
    pub certificates: u32,
    /// Of the authority.
    pub authority: u32,
    /// Of the users.
    pub passwords: u32,
}

impl From<&RotationSpec> for Granted {
    fn from(asked: &RotationSpec) -> Self {
        let RotationSpec { keyfile, certificates, authority, passwords, grace: _ } = *asked;
        Self { keyfile, certificates, authority, passwords }
    }
}

impl fmt::Debug for DatabaseSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseSecrets(…)")
    }
}

/// Everything but the passwords, as it stands in the Secret.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rotation {
    current: Generation,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<Generation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issuer: Option<Issuer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    incoming: Option<Issuer>,
    #[serde(default)]
    rotated: Granted,
    /// The generation of the users; that of a Secret from before they had generations is the first.
    #[serde(default = "first_generation")]
    users: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    users_replaced_at: Option<i64>,
    #[serde(default)]
    reloading: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clients_replaced_at: Option<i64>,
}

fn first_generation() -> u32 {
    1
}

impl DatabaseSecrets {
    /// The keys of the Secret that holds them.
    pub const KEYS: [&'static str; 7] = [
        ROTATION,
        "operator-password",
        "admin-password",
        "next-operator-password",
        "next-admin-password",
        "previous-operator-password",
        "previous-admin-password",
    ];

    /// The name of the Secret that holds them.
    pub fn name(id: &ClusterId) -> String {
        names::system_object(id, "secrets")
    }

    /// Reads them.
    pub fn read(secret: &Secret) -> Result<Self, IncompleteSecret> {
        let lacks = |key| IncompleteSecret { secret: secret.metadata.name.clone().unwrap_or_default(), key };
        let needed = |key: &'static str| text(secret, key).ok_or_else(|| lacks(key));
        let rotation: Rotation = serde_json::from_str(&needed(ROTATION)?).map_err(|_| lacks(ROTATION))?;
        let (number, replaced_at) = (rotation.users, rotation.users_replaced_at);
        let users = |number, operator, admin| {
            Some(Users { number, operator: text(secret, operator)?, admin: text(secret, admin)? })
        };
        let replaced = users(number.saturating_sub(1), "previous-operator-password", "previous-admin-password");
        Ok(Self {
            users: Users { number, operator: needed("operator-password")?, admin: needed("admin-password")? },
            next_users: users(number.saturating_add(1), "next-operator-password", "next-admin-password"),
            previous_users: replaced.map(|users| PreviousUsers { users, replaced_at }),
            current: rotation.current,
            previous: rotation.previous,
            issuer: rotation.issuer,
            incoming: rotation.incoming,
            rotated: rotation.rotated,
            reloading: rotation.reloading,
            clients_replaced_at: rotation.clients_replaced_at,
        })
    }

    /// The Secret in Kogge's own namespace, which says whose the database is.
    pub fn to_secret(&self, id: &ClusterId, namespace: &str, owner: &Owner) -> Result<Secret, serde_json::Error> {
        let rotation = Rotation {
            current: self.current.clone(),
            previous: self.previous.clone(),
            issuer: self.issuer.clone(),
            incoming: self.incoming.clone(),
            rotated: self.rotated.clone(),
            users: self.users.number,
            users_replaced_at: self.previous_users.as_ref().and_then(|previous| previous.replaced_at),
            reloading: self.reloading,
            clients_replaced_at: self.clients_replaced_at,
        };
        let mut data = vec![
            (ROTATION, serde_json::to_string(&rotation)?),
            ("operator-password", self.users.operator.clone()),
            ("admin-password", self.users.admin.clone()),
        ];
        if let Some(next) = &self.next_users {
            data.push(("next-operator-password", next.operator.clone()));
            data.push(("next-admin-password", next.admin.clone()));
        }
        if let Some(PreviousUsers { users, .. }) = &self.previous_users {
            data.push(("previous-operator-password", users.operator.clone()));
            data.push(("previous-admin-password", users.admin.clone()));
        }
        Ok(Secret {
            metadata: ObjectMeta {
                name: Some(Self::name(id)),
                namespace: Some(namespace.to_owned()),
                labels: Some(system_labels(id, "secrets")),
                annotations: Some([owner.annotation()].into()),
                ..ObjectMeta::default()
            },
            data: Some(bytes(data)),
            ..Secret::default()
        })
    }

    /// What templates see of them.
    pub fn mounted(&self) -> Mounted {
        Mounted { generation: self.current.number, tls: self.current.tls_mode() }
    }

    /// The generations that pods may be made with.
    pub(crate) fn generations(&self) -> impl Iterator<Item = &Generation> {
        [&self.current].into_iter().chain(&self.previous)
    }

    /// Whom the operator trusts, as PEM, where it is to speak TLS: from `Prefer` on, when every pod does at least
    /// if it is asked.
    pub fn operator_trust(&self) -> Option<String> {
        let tls = self.current.tls.as_ref().filter(|tls| tls.mode >= TlsMode::Prefer)?;
        Some(tls.bundle())
    }

    /// Whether every server speaks TLS at least where it is asked to.
    pub fn speaks_tls(&self) -> bool {
        self.current.tls_mode() >= TlsMode::Prefer
    }
}
