//! Servers that speak TLS: reached by whoever trusts their authority, and by nobody else.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use kogge_mongo::{Access, Server};
use kogge_mongo_client::{ClusterAccess, Credentials, Engine, Loopback, Password, Trust, User};
use mongosim::net::TlsMode;
use mongosim::options::TlsArgs;
use mongosim::testing::{Member, member_args};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

mod support;

use support::goal;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Result<Authority> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

/// A fresh member whose certificate bears the one name that the operator knows servers by.
fn member(dir: &Path, authority: &Authority, mode: TlsMode) -> Result<Member> {
    let key = KeyPair::generate()?;
    let leaf = CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&key, authority)?;
    fs::write(dir.join("ca.pem"), authority.pem())?;
    fs::write(dir.join("server.pem"), leaf.pem() + &key.serialize_pem())?;
    let mut args = member_args("ll-config-1", &dir.join("data"));
    args.tls = TlsArgs {
        mode: Some(mode),
        certificate_key_file: Some(dir.join("server.pem")),
        ca_file: Some(dir.join("ca.pem")),
        cluster_file: None,
        allow_connections_without_certificates: true,
    };
    Ok(Member::spawn(args)?)
}

async fn seen(member: &Member, trust: Option<Trust>) -> Result<Server> {
    let user = |name: &str| User::new(name, Password::new("s3cret"));
    let servers = BTreeMap::from([("pod".into(), member.host().parse()?)]);
    let access = ClusterAccess {
        reach: Arc::new(Loopback::new(servers).trusting(trust)),
        credentials: Credentials { operator: user("operator"), admin: user("admin") },
    };
    let topology = Engine::new().observe(&access, &goal(&["pod"]), &BTreeMap::new(), 0).await;
    Ok(topology.members.into_values().next().context("no member")?.server)
}

#[tokio::test]
async fn a_server_is_reached_by_whoever_trusts_it_and_by_nobody_else() -> Result<()> {
    let (ours, theirs) = (authority()?, authority()?);
    let dir = tempfile::tempdir()?;
    let member = member(dir.path(), &ours, TlsMode::Require)?;
    let both = Trust::of(&(theirs.pem() + &ours.pem()))?;
    let answer = seen(&member, Some(both)).await?;
    assert!(matches!(&answer, Server::Reachable(state) if state.access == Access::NoUsers), "{answer:?}");
    assert!(matches!(seen(&member, None).await?, Server::Unreachable { .. }), "without TLS");
    let stranger = seen(&member, Some(Trust::of(&theirs.pem())?)).await?;
    assert!(matches!(stranger, Server::Unreachable { .. }), "with another's trust");
    Ok(())
}

#[test]
fn trust_in_nobody_is_refused() {
    assert!(Trust::of("").is_err());
    assert!(Trust::of("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").is_err());
}
