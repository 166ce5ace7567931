//! Every way in which a kubeconfig can be broken, each with its reason, the offending key and the mend.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use kogge_api::conditions::{Status, worker_cluster as conditions};
use kogge_fleet::{Fleet, SecretLookup, WorkerCredentials};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use crate::api::Api;
use crate::support::{document, options, secret, silence, until_condition, worker};

/// 2030-01-01.
const NOW: i64 = 1_893_456_000;

pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

/// A certificate with its key, in base64 of PEM.
pub(crate) fn client(expires: i32) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(expires, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    (STANDARD.encode(certificate.pem()), STANDARD.encode(key.serialize_pem()))
}

pub(crate) fn good() -> Value {
    let (authority, _) = client(2040);
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c", "preferences": {},
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "x"}}],
        "clusters": [{"name": "k", "cluster": {
            "server": "https://192.0.2.1:6443", "certificate-authority-data": authority, "tls-server-name": "k.example",
        }}],
        "users": [{"name": "u", "user": {"token": "t0ps3cret"}}],
    })
}

pub(crate) fn cluster(document: &mut Value) -> &mut Value {
    &mut document["clusters"][0]["cluster"]
}

pub(crate) fn user(document: &mut Value) -> &mut Value {
    &mut document["users"][0]["user"]
}

pub(crate) fn parse(document: &Value) -> Result<WorkerCredentials, kogge_fleet::KubeconfigError> {
    WorkerCredentials::parse(document.to_string().as_bytes(), now())
}

type Break = fn(&mut Value);

#[test]
fn each_broken_way_has_its_reason_and_names_its_key() {
    let cases: &[(&str, &str, &str, Break)] = &[
        ("no current-context", "KubeconfigIncomplete", "current-context", |d| {
            d.as_object_mut().unwrap().remove("current-context");
        }),
        ("empty current-context", "KubeconfigIncomplete", "current-context", |d| d["current-context"] = json!("")),
        ("unknown context", "KubeconfigIncomplete", "current-context is \"x\"", |d| {
            d["current-context"] = json!("x");
        }),
        ("unknown cluster", "KubeconfigIncomplete", "contexts[name=c].context.cluster is \"x\"", |d| {
            d["contexts"][0]["context"]["cluster"] = json!("x");
        }),
        ("unknown user", "KubeconfigIncomplete", "contexts[name=c].context.user is \"x\"", |d| {
            d["contexts"][0]["context"]["user"] = json!("x");
        }),
        ("no clusters", "KubeconfigIncomplete", "clusters has no entry", |d| d["clusters"] = Value::Null),
        ("no server", "KubeconfigServerInvalid", "clusters[name=k].cluster.server", |d| {
            cluster(d).as_object_mut().unwrap().remove("server");
        }),
        ("no address", "KubeconfigServerInvalid", "clusters[name=k].cluster.server", |d| {
            cluster(d)["server"] = json!("not an address");
        }),
        ("address with a password", "KubeconfigServerInvalid", "clusters[name=k].cluster.server", |d| {
            cluster(d)["server"] = json!("https://a:t0ps3cret@192.0.2.1");
        }),
        ("http", "KubeconfigInsecure", "clusters[name=k].cluster.server", |d| {
            cluster(d)["server"] = json!("http://192.0.2.1:6443");
        }),
        ("no check of TLS", "KubeconfigInsecure", "insecure-skip-tls-verify", |d| {
            cluster(d)["insecure-skip-tls-verify"] = json!(true);
        }),
        ("no CA", "KubeconfigCAMissing", "clusters[name=k].cluster.certificate-authority-data", |d| {
            cluster(d).as_object_mut().unwrap().remove("certificate-authority-data");
        }),
        ("CA in a file", "KubeconfigFilePath", "clusters[name=k].cluster.certificate-authority ", |d| {
            cluster(d)["certificate-authority"] = json!("/etc/ca.pem");
        }),
        ("certificate in a file", "KubeconfigFilePath", "users[name=u].user.client-certificate ", |d| {
            user(d)["client-certificate"] = json!("/etc/c.pem");
        }),
        ("key in a file", "KubeconfigFilePath", "users[name=u].user.client-key ", |d| {
            user(d)["client-key"] = json!("/etc/k.pem");
        }),
        ("token in a file", "KubeconfigFilePath", "users[name=u].user.tokenFile", |d| {
            user(d)["tokenFile"] = json!("/etc/token");
        }),
        ("exec", "KubeconfigExec", "users[name=u].user.exec", |d| {
            user(d)["exec"] = json!({"command": "aws", "args": ["t0ps3cret"]});
        }),
        ("auth-provider", "KubeconfigAuthProvider", "users[name=u].user.auth-provider", |d| {
            user(d)["auth-provider"] = json!({"name": "oidc", "config": {"id-token": "t0ps3cret"}});
        }),
        ("proxy", "KubeconfigProxy", "clusters[name=k].cluster.proxy-url", |d| {
            cluster(d)["proxy-url"] = json!("ssh://t0ps3cret@proxy");
        }),
        ("username", "KubeconfigBasicAuth", "users[name=u].user.username", |d| user(d)["username"] = json!("a")),
        ("password", "KubeconfigBasicAuth", "users[name=u].user.password", |d| {
            user(d)["password"] = json!("t0ps3cret");
        }),
        ("impersonation", "KubeconfigImpersonation", "users[name=u].user.as ", |d| user(d)["as"] = json!("admin")),
        ("no credentials", "KubeconfigCredentialsMissing", "users[name=u].user", |d| *user(d) = json!({})),
        ("certificate without key", "KubeconfigCredentialsMissing", "client-key-data is not", |d| {
            *user(d) = json!({"client-certificate-data": client(2040).0});
        }),
        ("key without certificate", "KubeconfigCredentialsMissing", "client-certificate-data is not", |d| {
            *user(d) = json!({"client-key-data": client(2040).1});
        }),
        ("CA not in base64", "KubeconfigCredentialsInvalid", "certificate-authority-data is not base64", |d| {
            cluster(d)["certificate-authority-data"] = json!("t0ps3cret!");
        }),
        (
            "CA not in PEM",
            "KubeconfigCredentialsInvalid",
            "certificate-authority-data holds no certificate",
            |d| {
                cluster(d)["certificate-authority-data"] = json!(STANDARD.encode("t0ps3cret"));
            },
        ),
        ("CA is a key", "KubeconfigCredentialsInvalid", "certificate-authority-data holds no certificate", |d| {
            cluster(d)["certificate-authority-data"] = json!(client(2040).1);
        }),
        ("key not in PEM", "KubeconfigCredentialsInvalid", "client-key-data holds no private key", |d| {
            *user(d) = json!({"client-certificate-data": client(2040).0, "client-key-data": STANDARD.encode("t0ps3cret")});
        }),
        ("expired", "KubeconfigExpired", "2025-01-01", |d| {
            let (certificate, key) = client(2025);
            *user(d) = json!({"client-certificate-data": certificate, "client-key-data": key});
        }),
    ];
    for (name, reason, says, change) in cases {
        let mut document = good();
        change(&mut document);
        let error = parse(&document).expect_err(name);
        let message = error.to_string();
        assert_eq!(error.reason(), *reason, "{name}: {message}");
        assert!(message.contains(says), "{name}: {message}");
        assert!(!format!("{message} {error:?}").contains("t0ps3cret"), "{name} tells a secret: {message}");
    }
}

#[test]
fn bytes_that_are_no_kubeconfig_say_where_and_quote_nothing() {
    for bytes in [
        &b"\xff\xfe\x00"[..],
        b"users: [t0ps3cret",
        b"t0ps3cret",
        b"users: t0ps3cret",
        b"users: [{name: u, user: {token: [t0ps3cret]}}]",
        b"",
    ] {
        let error = WorkerCredentials::parse(bytes, now()).unwrap_err();
        let expected = if bytes.is_empty() { "KubeconfigIncomplete" } else { "KubeconfigUnreadable" };
        assert!([expected, "KubeconfigUnreadable"].contains(&error.reason()), "{error}");
        assert!(!format!("{error} {error:?}").contains("t0ps3cret"), "{error}");
    }
}

#[test]
fn a_whole_kubeconfig_is_read() {
    let credentials = parse(&good()).unwrap();
    assert_eq!(credentials.server.to_string(), "https://192.0.2.1:6443/");
    assert_eq!(credentials.tls_server_name.as_deref(), Some("k.example"));
    assert_eq!(credentials.token.as_deref(), Some("t0ps3cret"));
    assert!(!format!("{credentials:?}").contains("t0ps3cret"));

    let mut document = good();
    let (certificate, key) = client(2031);
    *user(&mut document) = json!({"client-certificate-data": certificate, "client-key-data": key});
    let credentials = parse(&document).unwrap();
    assert!(!format!("{credentials:?}").contains("BEGIN"));
    let valid_until = credentials.valid_until().unwrap();
    assert!(credentials.check_validity(valid_until).is_err(), "valid_until is the first moment it is not");
    assert!(credentials.check_validity(now()).is_ok());
}

/// Pitfall F: kube runs a kubeconfig's `exec` when it makes a client.
#[tokio::test]
async fn an_exec_kubeconfig_never_runs() -> anyhow::Result<()> {
    let api = Api::start("uid-1").await?;
    let trace = std::env::temp_dir().join(format!("kogge-fleet-exec-{}", std::process::id()));
    let _ = std::fs::remove_file(&trace);
    let mut document = document(&api);
    document["users"][0]["user"] = json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": "touch", "args": [trace],
        "interactiveMode": "Never",
    }});
    let fleet = Fleet::new(options());
    fleet.upsert(&worker("w"), &secret(&document));
    let message =
        until_condition(&fleet, "w", conditions::CREDENTIALS_VALID, Status::False, "KubeconfigExec").await?;
    assert!(message.contains("users[name=u].user.exec"), "{message}");
    assert!(!trace.exists(), "the program ran");
    assert_eq!(api.asked().len(), 0, "nothing was sent");
    assert_eq!(silence(&fleet, "w")?.0, "KubeconfigExec");
    Ok(())
}

#[tokio::test]
async fn a_missing_secret_is_told_with_its_name() -> anyhow::Result<()> {
    let fleet = Fleet::new(options());
    for (lookup, reason, says) in [
        (SecretLookup::NoSecret, "SecretMissing", "Secret kogge-system/w does not exist"),
        (SecretLookup::NoKey, "SecretKeyMissing", "has no key \"kubeconfig\""),
    ] {
        fleet.upsert(&worker("w"), &lookup);
        let message = until_condition(&fleet, "w", conditions::READY, Status::False, reason).await?;
        assert!(message.contains(says), "{message}");
    }
    Ok(())
}
