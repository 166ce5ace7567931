//! Generations: what pods are made with. The next one has another number, which is part of its Secrets' names and so of
//! the pods' templates, and reaches the pods as every change of a template does. What changes within one are its
//! certificates alone, where the servers can read them again without a restart.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use kogge_api::federated_cluster::TlsMode;
use kogge_api::{labels, names};
use kogge_chart::{SecretsContext, TlsContext};
use kogge_engine::{ComponentKey, Identity};
use kogge_plan::Object;
use kube_core::TypeMeta;
use kube_core::metadata::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::clients::ClientCertificates;
use super::mint::Certificate;

/// What pods are made with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Generation {
    /// Its number, from 1.
    pub number: u32,
    /// The key that members authenticate to each other by; the old one and the new one while it is rotated.
    pub keys: Vec<String>,
    /// TLS; none while it is disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// What pods speak TLS by.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// Who speaks it.
    pub mode: TlsMode,
    /// The authorities that are trusted, as PEM; two while the authority is rotated.
    pub trust: Vec<String>,
    /// The certificates, by component.
    pub leaves: BTreeMap<String, Certificate>,
    /// The certificates of those who call the servers; none where servers ask for none, or Kogge cannot issue them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<ClientCertificates>,
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generation").field("number", &self.number).finish_non_exhaustive()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("mode", &self.mode).finish_non_exhaustive()
    }
}

impl Tls {
    /// The authorities in one PEM bundle.
    pub fn bundle(&self) -> String {
        self.trust.concat()
    }
}

/// The part of a generation that templates see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mounted {
    /// The number.
    pub generation: u32,
    /// Who speaks TLS.
    pub tls: TlsMode,
}

impl Mounted {
    /// The first generation of a database that begins now: nothing runs yet, so it begins with the mode it asks for.
    pub fn first(tls: TlsMode) -> Self {
        Self { generation: 1, tls }
    }

    pub(crate) fn context(self, identity: &Identity, component: &ComponentKey) -> SecretsContext {
        SecretsContext {
            keyfile: names::keyfile_secret(&identity.name, self.generation),
            tls: (self.tls != TlsMode::Disabled).then(|| TlsContext {
                mode: self.tls.as_flag().to_owned(),
                secret: names::tls_secret(&identity.name, component, self.generation),
            }),
        }
    }
}

impl Generation {
    /// Who speaks TLS.
    pub fn tls_mode(&self) -> TlsMode {
        self.tls.as_ref().map_or(TlsMode::Disabled, |tls| tls.mode)
    }

    /// Whether the other generation differs in its certificates alone, so that servers of the one take them without a
    /// restart: whoever trusts this generation's certificates trusts the other's as well.
    pub(super) fn differs_in_certificates_alone(&self, other: &Self) -> bool {
        let (Some(tls), Some(others)) = (&self.tls, &other.tls) else { return false };
        let same = Tls { leaves: others.leaves.clone(), clients: others.clients.clone(), ..tls.clone() };
        tls.leaves != others.leaves && Self { tls: Some(same), ..self.clone() } == *other
    }

    /// The certificate, as PEM, that the servers of a component serve.
    pub fn certificate(&self, component: &ComponentKey) -> Option<&str> {
        Some(&self.leaf(component)?.certificate)
    }

    /// The certificate that Kogge shows to servers that ask for one: its own, or where Kogge cannot issue one the servers',
    /// which is good for clients as well.
    pub fn operator_certificate(&self) -> Option<&Certificate> {
        let tls = self.tls.as_ref()?;
        let own = tls.clients.as_ref().map(|clients| &clients.operator);
        own.or_else(|| tls.leaves.values().next())
    }

    /// The certificate of a component's servers, with its key.
    fn leaf(&self, component: &ComponentKey) -> Option<&Certificate> {
        self.tls.as_ref()?.leaves.get(component.as_str())
    }

    /// The keyfile: one key, or a YAML list of two.
    pub fn keyfile(&self) -> String {
        match self.keys.as_slice() {
            [key] => key.clone(),
            keys => keys.iter().flat_map(|key| ["- ", key, "\n"]).collect(),
        }
    }

    /// The Secrets on a worker that holds shares of those components.
    pub(crate) fn objects<'a>(
        &self,
        identity: &Identity,
        has_keyfile: bool,
        components: impl Iterator<Item = &'a ComponentKey>,
    ) -> Vec<Object> {
        let name = names::keyfile_secret(&identity.name, self.number);
        let keyfile = || object(identity, name, "keyfile", [("keyfile", self.keyfile())]);
        let mut objects: Vec<Object> = has_keyfile.then(keyfile).into_iter().collect();
        let Some(tls) = &self.tls else { return objects };
        for component in components {
            let Some(leaf) = tls.leaves.get(component.as_str()) else { continue };
            let name = names::tls_secret(&identity.name, component, self.number);
            let server = format!("{}{}", leaf.certificate, leaf.key);
            objects.push(object(identity, name, "tls", [("server.pem", server), ("ca.pem", tls.bundle())]));
        }
        objects
    }
}

fn object<const N: usize>(identity: &Identity, name: String, role: &str, data: [(&str, String); N]) -> Object {
    let data: BTreeMap<&str, Value> =
        data.into_iter().map(|(key, text)| (key, json!(BASE64.encode(text)))).collect();
    Object {
        types: Some(TypeMeta { api_version: "v1".to_owned(), kind: "Secret".to_owned() }),
        metadata: ObjectMeta {
            name: Some(name),
            namespace: Some(identity.namespace.clone()),
            labels: Some(own_labels(identity, role)),
            ..ObjectMeta::default()
        },
        data: json!({ "type": "Opaque", "data": data }),
    }
}

/// The labels of an object that is no part of a chart.
fn own_labels(identity: &Identity, role: &str) -> BTreeMap<String, String> {
    [
        (labels::CLUSTER_ID, identity.id.as_str()),
        (labels::CLUSTER, &identity.name),
        (labels::ROLE, role),
        (labels::MANAGED_BY, labels::MANAGER),
    ]
    .map(|(label, value)| (label.to_owned(), value.to_owned()))
    .into()
}

/// The names and addresses that the servers of a component are called by.
pub fn server_names(identity: &Identity, component: &ComponentKey) -> Vec<String> {
    let Identity { name, namespace, cluster_domain, .. } = identity;
    let service = names::service(name, component);
    vec![
        format!("*.{service}.{namespace}.svc.{cluster_domain}"),
        format!("{service}.{namespace}.svc.{cluster_domain}"),
        format!("{service}.{namespace}.svc"),
        format!("{service}.{namespace}"),
        service,
        // The operator comes through the pod's loopback.
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
    ]
}
