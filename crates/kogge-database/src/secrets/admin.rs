//! The administrator's Secret beside the resource. It stands in a namespace where others make Secrets too, so it is
//! written and deleted only where Kogge made it for this very database.

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kogge_api::{ClusterId, Owner, labels, names};

use super::clients::ClientCertificates;
use super::database::DatabaseSecrets;
use super::stored::bytes;
use crate::problem::Problem;
use crate::revisions::system_labels;

/// The value of [`labels::ROLE`] of the Secret.
const ROLE: &str = "admin";

/// The keys of the Secret that are Kogge's; others may stand beside them.
pub const ADMIN_KEYS: [&str; 6] = ["ca.crt", "password", "tls.crt", "tls.key", "uri", "username"];

impl DatabaseSecrets {
    /// The Secret for the database's users, beside its resource. `uri` is the connection string for clients.
    pub fn admin_secret(&self, id: &ClusterId, owner: &Owner, uri: String) -> Secret {
        let admin = self.users.admin();
        let mut data = vec![("username", admin.user), ("password", admin.password), ("uri", uri)];
        if let Some(tls) = &self.current.tls {
            data.push(("ca.crt", tls.bundle()));
            let clients = tls.clients.iter();
            data.extend(clients.flat_map(|ClientCertificates { admin, .. }| {
                [("tls.crt", admin.certificate.clone()), ("tls.key", admin.key.clone())]
            }));
        }
        Secret {
            metadata: ObjectMeta {
                name: Some(names::admin_secret(&owner.name)),
                namespace: Some(owner.namespace.clone()),
                labels: Some(system_labels(id, ROLE)),
                annotations: Some([owner.annotation()].into()),
                ..ObjectMeta::default()
            },
            data: Some(bytes(data)),
            ..Secret::default()
        }
    }
}

/// Whether a Secret holds what `wanted` does, under the keys that are Kogge's.
pub(crate) fn holds(found: &Secret, wanted: &Secret) -> bool {
    let value = |secret: &Secret, key: &str| secret.data.as_ref().and_then(|data| data.get(key)).cloned();
    ADMIN_KEYS.iter().all(|key| value(found, key) == value(wanted, key))
}

/// Why a Secret under the name of the administrator's is not this database's; none where Kogge made it for this one.
pub fn taken_by(found: &Secret, id: &ClusterId, me: &Owner) -> Option<Problem> {
    let metadata = &found.metadata;
    let whose = match Owner::of(metadata) {
        Some(owner) if !owner.is_same(me) => format!("belongs to {owner}"),
        named => {
            let ours = system_labels(id, ROLE);
            let has = |(label, value): (&String, &String)| {
                metadata.labels.as_ref().and_then(|found| found.get(label)) == Some(value)
            };
            if ours.iter().all(has) {
                return None;
            }
            match named.and(metadata.labels.as_ref()).and_then(|found| found.get(labels::CLUSTER_ID)) {
                Some(other) => format!("was made for an earlier database of this name, clusterID {other}"),
                None => "was not made by Kogge".to_owned(),
            }
        }
    };
    let Owner { namespace, name, .. } = me;
    let secret = names::admin_secret(name);
    Some(Problem::Refused {
        reason: "SecretTaken".to_owned(),
        message: format!(
            "Secret {namespace}/{secret} {whose}, so Kogge neither changes nor deletes it and cannot write the \
             administrator's credentials of {me} there; delete that Secret, or keep it under another name"
        ),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn me() -> Owner {
        "FederatedCluster/databases/c3/uid-1".parse().unwrap()
    }

    /// Why a Secret with these labels and annotation is not that of `databases/c3`, clusterID `abcdefgh`.
    fn reason(id: Option<&str>, role: Option<&str>, owner: Option<&str>) -> Option<String> {
        let labels = json!({
            "kogge.dev/cluster-id": id, "kogge.dev/role": role, "app.kubernetes.io/managed-by": "kogge.dev",
        });
        let labels = labels.as_object().unwrap().iter().filter(|(_, value)| !value.is_null());
        let labels: serde_json::Map<_, _> = labels.map(|(key, value)| (key.clone(), value.clone())).collect();
        let annotations = owner.map(|owner| json!({ (labels::OWNER): owner }));
        let secret = json!({"metadata": {"name": "c3-admin", "labels": labels, "annotations": annotations}});
        let secret: Secret = serde_json::from_value(secret).unwrap();
        taken_by(&secret, &"abcdefgh".parse().unwrap(), &me()).map(|problem| problem.message().to_owned())
    }

    #[test]
    fn field_04_only_what_kogge_made_for_this_database_is_its_own() {
        let mine = "FederatedCluster/databases/c3/uid-0";
        assert_eq!(reason(Some("abcdefgh"), Some("admin"), Some(mine)), None, "also of a resource made again");
        assert_eq!(reason(Some("abcdefgh"), Some("admin"), None), None, "made before Secrets named their owner");
        let foreign = [
            (reason(None, None, None), "was not made by Kogge"),
            (reason(Some("abcdefgh"), None, None), "was not made by Kogge"),
            (
                reason(Some("zzzzzzzz"), Some("admin"), Some(mine)),
                "an earlier database of this name, clusterID zzzzzzzz",
            ),
            (
                reason(Some("abcdefgh"), Some("admin"), Some("FederatedEtcd/databases/c3/uid-1")),
                "belongs to databases/c3 (FederatedEtcd)",
            ),
            (
                reason(Some("abcdefgh"), Some("admin"), Some("FederatedCluster/databases/c2/uid-1")),
                "belongs to databases/c2 (FederatedCluster)",
            ),
        ];
        for (told, expected) in foreign {
            let told = told.unwrap();
            assert!(told.contains(expected) && told.contains("databases/c3-admin"), "{told}");
        }
    }
}
