//! `mongodb+srv://`: the members come from the name service, and speak TLS, as it implies.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path, process::Command};

use anyhow::{Context as _, ensure};
use bson::doc;
use mongosim::{
    net::TlsMode,
    options::TlsArgs,
    testing::{Member, member_args},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;

use crate::{
    dns::{DOMAIN, Responder, SET},
    python, shell,
    support::{client, eventually, fast_settings},
};

/// Set in the process that has a network and a resolver configuration of its own.
const INSIDE: &str = "KOGGE_TEST_OWN_NETWORK";

/// All three clients ask the system's name servers, so the test runs again where those are its own.
#[test]
fn members_are_found_by_name() -> anyhow::Result<()> {
    if std::env::var_os(INSIDE).is_some() {
        return tokio::runtime::Runtime::new()?.block_on(inside());
    }
    let dir = TempDir::new()?;
    let resolver = dir.path().join("resolv.conf");
    fs::write(&resolver, "nameserver 127.0.0.1\noptions timeout:2 attempts:2\n")?;
    let script = "ip link set lo up && mount --bind \"$1\" /etc/resolv.conf && exec \"$2\" --exact srv::members_are_found_by_name --nocapture";
    let is_root = fs::metadata("/proc/self")?.uid() == 0;
    let output = Command::new("unshare")
        .args(if is_root { &[][..] } else { &["--user", "--map-root-user"][..] })
        .args(["--mount", "--net", "sh", "-c", script, "sh"])
        .arg(&resolver)
        .arg(std::env::current_exe()?)
        .env(INSIDE, "1")
        .output()
        .context("cannot run `unshare`")?;
    ensure!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

async fn inside() -> anyhow::Result<()> {
    let dir = TempDir::new()?;
    let tls = certificates(dir.path())?;
    let authority = dir.path().join("ca.pem");
    let members = (0..3)
        .map(|i| {
            let mut args = member_args("rs0", &dir.path().join(i.to_string()));
            args.tls = tls.clone();
            Member::spawn(args)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let ports = members.iter().map(|member| member.host().rsplit(':').next().unwrap_or_default().parse());
    let ports = ports.collect::<Result<Vec<u16>, _>>()?;
    let names = Responder::bind(([127, 0, 0, 1], 53).into(), ports.clone(), "replicaSet=rs0").await?;
    let names = tokio::spawn(names.serve());
    let listed: Vec<_> = ports
        .iter()
        .enumerate()
        .map(|(i, port)| doc! { "_id": i as i32, "host": format!("m{i}.{DOMAIN}:{port}") })
        .collect();
    let config = doc! { "_id": "rs0", "version": 1, "members": listed, "settings": fast_settings() };
    let first = format!("{}&tls=true&tlsCAFile={}", members[0].uri(), authority.display());
    client(&first).await?.database("admin").run_command(doc! { "replSetInitiate": config }).await?;

    let uri = format!("mongodb+srv://{SET}/shop?tlsCAFile={}", authority.display());
    let driver = client(&uri).await?;
    eventually("a write through the names", async || {
        driver.database("shop").collection("c").insert_one(doc! { "from": "rust" }).await.is_ok()
    })
    .await?;
    let hello = driver.database("admin").run_command(doc! { "hello": 1 }).await?;
    ensure!(hello.get_str("primary")?.contains(DOMAIN), "{hello}");

    python::run("srv.py", &[&uri]).await?;
    let found: &[shell::Exchange<'_>] = &[
        ("db.c.insertOne({from: 'mongosh'})", &["acknowledged: true"]),
        ("db.c.distinct('from').sort()", &["[ 'mongosh', 'python', 'rust' ]"]),
        ("db.hello().hosts", &["m0.kogge.test:", "m1.kogge.test:", "m2.kogge.test:"]),
    ];
    shell::session(&uri, found).await?;
    names.abort();
    Ok(())
}

/// An authority, and a certificate of it for all members.
fn certificates(dir: &Path) -> anyhow::Result<TlsArgs> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "authority");
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec![format!("*.{DOMAIN}"), "127.0.0.1".to_owned()])?;
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, &authority)?;
    let (ca_file, certificate_key_file) = (dir.join("ca.pem"), dir.join("server.pem"));
    fs::write(&ca_file, authority.pem())?;
    fs::write(&certificate_key_file, certificate.pem() + &key.serialize_pem())?;
    Ok(TlsArgs {
        mode: Some(TlsMode::Require),
        certificate_key_file: Some(certificate_key_file),
        ca_file: Some(ca_file),
        cluster_file: None,
        allow_connections_without_certificates: true,
    })
}
