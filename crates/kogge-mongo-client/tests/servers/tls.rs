//! Servers that speak TLS: reached by whoever trusts their authority, and by nobody else.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use kogge_engine::Engine as _;
use kogge_mongo::{Access, MongoDb, Server};
use kogge_mongo_client::{ClusterAccess, Credentials, Engine, Loopback, Password, Trust, User};
use mongodb::bson::doc;
use mongosim::net::TlsMode;
use mongosim::options::TlsArgs;
use mongosim::testing::{Member, member_args, write_key_file};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::goal::goal;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Result<Authority> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

/// The one name that the operator knows servers by.
const LOCALHOST: &str = "localhost";

/// A certificate with its key, as PEM.
fn leaf(authority: &Authority, names: &[&str]) -> Result<(String, String)> {
    let key = KeyPair::generate()?;
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let leaf = CertificateParams::new(names)?.signed_by(&key, authority)?;
    Ok((leaf.pem(), key.serialize_pem()))
}

/// A fresh member whose certificate bears the one name that the operator knows servers by.
fn member(dir: &Path, authority: &Authority, mode: TlsMode) -> Result<Member> {
    let (certificate, key) = leaf(authority, &[LOCALHOST])?;
    fs::write(dir.join("ca.pem"), authority.pem())?;
    fs::write(dir.join("server.pem"), certificate + &key)?;
    let mut args = member_args("ll-config-1", &dir.join("data"));
    args.tls = tls(dir, mode);
    Ok(Member::spawn(args)?)
}

fn tls(dir: &Path, mode: TlsMode) -> TlsArgs {
    TlsArgs {
        mode: Some(mode),
        certificate_key_file: Some(dir.join("server.pem")),
        ca_file: Some(dir.join("ca.pem")),
        cluster_file: None,
        allow_connections_without_certificates: true,
    }
}

async fn seen(member: &Member, trust: Option<Trust>) -> Result<Server> {
    let user = |name: &str| User::new(name, Password::new("s3cret"));
    let servers = BTreeMap::from([("pod".into(), member.host().parse()?)]);
    let access = ClusterAccess {
        reach: Arc::new(Loopback::new(MongoDb::PORT, servers)),
        credentials: Credentials { operator: user("operator"), admin: user("admin") },
        trust,
    };
    let topology = Engine::new().observe(&access, &goal(&["pod"]), &BTreeMap::new(), 0).await;
    Ok(topology.members.into_values().next().context("no member")?.server)
}

#[tokio::test]
async fn a_server_is_reached_by_whoever_trusts_it_and_by_nobody_else() -> Result<()> {
    let (ours, theirs) = (authority()?, authority()?);
    let dir = tempfile::tempdir()?;
    let member = member(dir.path(), &ours, TlsMode::Require)?;
    let both = Trust::new(&(theirs.pem() + &ours.pem()), None)?;
    let answer = seen(&member, Some(both)).await?;
    assert!(matches!(&answer, Server::Reachable(state) if state.access == Access::NoUsers), "{answer:?}");
    assert!(matches!(seen(&member, None).await?, Server::Unreachable { .. }), "without TLS");
    let stranger = seen(&member, Some(Trust::new(&theirs.pem(), None)?)).await?;
    assert!(matches!(stranger, Server::Unreachable { .. }), "with another's trust");
    Ok(())
}

/// A set of one with both users, which speaks TLS with whoever asks for it.
async fn set(dir: &Path, leaf: &(String, String), authority: &Authority) -> Result<Member> {
    fs::write(dir.join("ca.pem"), authority.pem())?;
    fs::write(dir.join("server.pem"), leaf.0.clone() + &leaf.1)?;
    let mut args = member_args("ll-config-1", &dir.join("data"));
    args.key_file = Some(write_key_file(&dir.join("key"), "a2V5a2V5a2V5")?);
    args.tls = tls(dir, TlsMode::Prefer);
    let member = Member::spawn(args)?;
    let nobody = format!("mongodb://{}/?directConnection=true", member.host());
    let nobody = mongodb::Client::with_uri_str(nobody).await?.database("admin");
    let config = doc! { "_id": "ll-config-1", "version": 1, "members": [{ "_id": 0, "host": member.host() }] };
    nobody.run_command(doc! { "replSetInitiate": config }).await?;
    let create = |name: &str| doc! { "createUser": name, "pwd": "s3cret", "roles": ["root"] };
    let began = Instant::now();
    while nobody.run_command(create("operator")).await.is_err() {
        anyhow::ensure!(began.elapsed() < Duration::from_secs(20), "no primary");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(member)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_serves_new_certificates_without_a_restart() -> Result<()> {
    let (authority, dir) = (authority()?, tempfile::tempdir()?);
    // The member finds itself at its address.
    let names = [LOCALHOST, "127.0.0.1"];
    let (first, second) = (leaf(&authority, &names)?, leaf(&authority, &names)?);
    let member = set(dir.path(), &first, &authority).await?;
    let servers = BTreeMap::from([("pod".into(), member.host().parse()?)]);
    let user = |name: &str| User::new(name, Password::new("s3cret"));
    let access = ClusterAccess {
        reach: Arc::new(Loopback::new(MongoDb::PORT, servers)),
        credentials: Credentials { operator: user("operator"), admin: user("admin") },
        trust: Some(Trust::new(&authority.pem(), None)?),
    };
    let engine = Engine::new();
    let missing = async |leaf: &(String, String), may: bool| -> Result<Vec<String>> {
        let wanted = BTreeMap::from([("pod".into(), leaf.0.as_str())]);
        let served = engine.reload_certificates(&access, &wanted, || may).await?;
        anyhow::ensure!(served.failed.is_none(), "{served:?}");
        Ok(served.missing.iter().map(ToString::to_string).collect())
    };
    assert_eq!(missing(&first, false).await?, Vec::<String>::new());
    assert_eq!(missing(&second, true).await?, ["pod"], "the kubelet has not brought it yet");
    fs::write(dir.path().join("server.pem"), second.0.clone() + &second.1)?;
    assert_eq!(missing(&second, false).await?, ["pod"], "it is not told to read its files");
    assert_eq!(missing(&second, true).await?, Vec::<String>::new());
    assert_eq!(missing(&first, false).await?, ["pod"]);
    Ok(())
}

#[test]
fn trust_in_nobody_is_refused() {
    assert!(Trust::new("", None).is_err());
    assert!(Trust::new("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", None).is_err());
}
