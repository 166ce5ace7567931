//! Workers that cannot be used: each way of it is told on the WorkerCluster, and the others go on.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kogge_api::conditions::worker_cluster::READY;
use kogge_api::{SYSTEM_NAMESPACE, WorkerCluster};
use kogge_e2e::{Harness, ready, worker_name};
use kogge_lab::CONTROL;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

const TOLD: Duration = Duration::from_secs(40);
/// The worker whose kubeconfig is spoilt.
const MODEL: &str = "vdc4";

/// One way in which a worker cannot be used.
struct Broken {
    name: &'static str,
    /// Key and content of its Secret; none for no Secret.
    secret: Option<(&'static str, String)>,
    reason: &'static str,
    /// What the sentence says.
    words: &'static str,
}

pub(super) async fn each_broken_kubeconfig_is_named(harness: &Harness) -> anyhow::Result<()> {
    let database = super::example(harness).await?;
    let before = database.pod_uids().await?;
    let all = ways(harness).await?;
    println!();
    for broken in &all {
        register(harness, broken.name, broken.secret.as_ref()).await?;
    }
    for Broken { name, reason, words, .. } in &all {
        let message = told(harness, name, reason).await?;
        ensure!(message.contains(words), "{name}: {words:?} is not in {message:?}");
    }
    let names: Vec<&str> = all.iter().map(|broken| broken.name).collect();
    remove(harness, &names).await?;
    ensure!(database.pod_uids().await? == before, "pods of a database elsewhere were restarted");
    ready(&database.get().await?).map_err(anyhow::Error::msg)
}

pub(super) async fn a_cluster_is_registered_once(harness: &Harness) -> anyhow::Result<()> {
    const TWIN: &str = "twin";
    let same = ("kubeconfig", kubeconfig(harness).await?.to_string());
    register(harness, TWIN, Some(&same)).await?;
    let message = told(harness, TWIN, "UIDAlreadyClaimed").await?;
    ensure!(message.contains(&worker_name(MODEL)), "{message}");
    remove(harness, &[TWIN]).await
}

async fn ways(harness: &Harness) -> anyhow::Result<Vec<Broken>> {
    let good = kubeconfig(harness).await?;
    let spoilt = |spoil: &dyn Fn(&mut Value)| {
        let mut document = good.clone();
        spoil(&mut document);
        Some(("kubeconfig", document.to_string()))
    };
    let foreign = BASE64.encode(harness.lab.control().ca_pem()?);
    let (certificate, key) = expired_certificate()?;
    let revoked = revoked_token(harness).await?;
    Ok(vec![
        Broken { name: "no-secret", secret: None, reason: "SecretMissing", words: "kogge worker join" },
        Broken {
            name: "no-key",
            secret: Some(("config", good.to_string())),
            reason: "SecretKeyMissing",
            words: "\"kubeconfig\"",
        },
        Broken {
            name: "garbage",
            secret: Some(("kubeconfig", "{not: [a kubeconfig".to_owned())),
            reason: "KubeconfigUnreadable",
            words: "YAML",
        },
        Broken {
            name: "exec",
            secret: spoilt(&|c| {
                c["users"][0]["user"] =
                    json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "aws"}});
            }),
            reason: "KubeconfigExec",
            words: "exec",
        },
        Broken {
            name: "file-path",
            secret: spoilt(&|c| c["users"][0]["user"] = json!({"tokenFile": "/var/run/token"})),
            reason: "KubeconfigFilePath",
            words: "tokenFile",
        },
        Broken {
            name: "foreign-ca",
            secret: spoilt(&|c| c["clusters"][0]["cluster"]["certificate-authority-data"] = json!(foreign)),
            reason: "ServerCertificateRefused",
            words: "certificate-authority-data",
        },
        Broken {
            name: "expired",
            secret: spoilt(&|c| {
                c["users"][0]["user"] = json!({"client-certificate-data": certificate, "client-key-data": key});
            }),
            reason: "KubeconfigExpired",
            words: "expired",
        },
        Broken {
            name: "revoked",
            secret: spoilt(&|c| c["users"][0]["user"] = json!({"token": revoked})),
            reason: "CredentialsRefused",
            words: "401",
        },
        Broken {
            name: "not-there",
            // The port of nothing on the node that is there.
            secret: spoilt(&|c| {
                let server = c["clusters"][0]["cluster"]["server"].as_str().unwrap_or_default().to_owned();
                c["clusters"][0]["cluster"]["server"] = json!(server.replace(":6443", ":6444"));
            }),
            reason: "ConnectionFailed",
            words: "address",
        },
    ])
}

/// The kubeconfig that a worker joined with.
async fn kubeconfig(harness: &Harness) -> anyhow::Result<Value> {
    let secrets: Api<Secret> = Api::namespaced(harness.control.clone(), SYSTEM_NAMESPACE);
    let secret = secrets.get(&worker_name(MODEL)).await?;
    let bytes = secret.data.and_then(|mut data| data.remove("kubeconfig")).context("no kubeconfig")?;
    serde_saphyr::from_str(std::str::from_utf8(&bytes.0)?).context("the kubeconfig cannot be read")
}

/// A certificate, with its key, whose time is over.
fn expired_certificate() -> anyhow::Result<(String, String)> {
    let mut parameters = rcgen::CertificateParams::default();
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let key = rcgen::KeyPair::generate()?;
    let certificate = parameters.self_signed(&key)?;
    Ok((BASE64.encode(certificate.pem()), BASE64.encode(key.serialize_pem())))
}

/// The token of an account that is deleted again.
async fn revoked_token(harness: &Harness) -> anyhow::Result<String> {
    const ACCOUNT: &str = "short-lived";
    let accounts: Api<ServiceAccount> = Api::namespaced(harness.lab.worker(MODEL)?.client().await?, "default");
    let account: ServiceAccount = serde_json::from_value(json!({"metadata": {"name": ACCOUNT}}))?;
    accounts.create(&PostParams::default(), &account).await?;
    let request = accounts.create_token_request(ACCOUNT, &PostParams::default(), &TokenRequest::default()).await;
    accounts.delete(ACCOUNT, &DeleteParams::default()).await?;
    Ok(request?.status.context("no token")?.token)
}

async fn register(harness: &Harness, name: &str, secret: Option<&(&str, String)>) -> anyhow::Result<()> {
    let mut items = vec![json!({
        "apiVersion": "kogge.dev/v1alpha1",
        "kind": "WorkerCluster",
        "metadata": {"name": name},
        "spec": {
            "vdc": "spare",
            "kubeconfig": {"secretRef": {"name": name}},
            "allowedNamespaces": {"names": ["databases"]},
        },
    })];
    items.extend(secret.map(|(key, content)| {
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": SYSTEM_NAMESPACE},
            "stringData": BTreeMap::from([(key, content)]),
        })
    }));
    harness.kubectl_apply(CONTROL, &json!({"apiVersion": "v1", "kind": "List", "items": items})).await
}

/// Waits until Ready is not True for that reason, and returns its sentence.
async fn told(harness: &Harness, name: &str, reason: &str) -> anyhow::Result<String> {
    let what = format!("told {reason}");
    let worker = harness.worker_until(name, &what, TOLD, |worker| match ready_of(worker) {
        Some((status, found, _)) if status == "False" && found == reason => Ok(()),
        Some((status, found, message)) => Err(format!("Ready is {status}, {found}: {message}")),
        None => Err("nothing has been reported yet".to_owned()),
    });
    let worker = worker.await?;
    let message = ready_of(&worker).map(|(_, _, message)| message.to_owned()).unwrap_or_default();
    println!("{name}: {reason}: {message}");
    Ok(message)
}

fn ready_of(worker: &WorkerCluster) -> Option<(&str, &str, &str)> {
    let conditions = &worker.status.as_ref()?.conditions;
    let ready = conditions.iter().find(|condition| condition.type_ == READY)?;
    Some((&ready.status, &ready.reason, &ready.message))
}

/// Removes them, and waits until they are gone: none is in use.
async fn remove(harness: &Harness, names: &[&str]) -> anyhow::Result<()> {
    let delete: Vec<&str> =
        ["delete", "workercluster", "--timeout=30s"].into_iter().chain(names.iter().copied()).collect();
    harness.kubectl(CONTROL, &delete).await?;
    let secrets = ["delete", "secret", "-n", SYSTEM_NAMESPACE, "--ignore-not-found"];
    let delete: Vec<&str> = secrets.into_iter().chain(names.iter().copied()).collect();
    harness.kubectl(CONTROL, &delete).await.map(drop)
}
