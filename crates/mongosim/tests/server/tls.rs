//! TLS between members and for clients: modes, trust, and certificates that are read anew.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::support::{code_of, eventually, fast_settings};
use bson::doc;
use mongodb::{
    Client,
    bson::Document,
    options::{ClientOptions, Tls, TlsOptions},
};
use mongosim::{
    net::TlsMode,
    options::{ServerArgs, TlsArgs},
    testing::{Member, member_args, mongos_args, write_key_file},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> anyhow::Result<Authority> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

/// The files that servers and clients read.
struct Files(TempDir);

impl Files {
    fn new(authority: &Authority) -> anyhow::Result<Self> {
        let files = Self(TempDir::new()?);
        files.trust(&[authority])?;
        files.issue(authority)?;
        Ok(files)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn trust(&self, authorities: &[&Authority]) -> anyhow::Result<()> {
        let bundle: String = authorities.iter().map(|a| a.pem()).collect();
        Ok(fs::write(self.path("ca.pem"), bundle)?)
    }

    fn issue(&self, authority: &Authority) -> anyhow::Result<()> {
        let key = KeyPair::generate()?;
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names)?.signed_by(&key, authority)?;
        Ok(fs::write(self.path("server.pem"), certificate.pem() + &key.serialize_pem())?)
    }

    fn args(&self, mode: TlsMode) -> TlsArgs {
        TlsArgs {
            mode: Some(mode),
            certificate_key_file: Some(self.path("server.pem")),
            ca_file: Some(self.path("ca.pem")),
            cluster_file: None,
            allow_connections_without_certificates: true,
        }
    }

    fn tls(&self) -> TlsOptions {
        TlsOptions::builder().ca_file_path(self.path("ca.pem")).build()
    }
}

async fn connect(uri: &str, tls: Option<TlsOptions>) -> anyhow::Result<Client> {
    let mut options = ClientOptions::parse(uri).await?;
    options.server_selection_timeout = Some(Duration::from_secs(15));
    options.connect_timeout = Some(Duration::from_secs(2));
    options.tls = tls.map(Tls::Enabled);
    Ok(Client::with_options(options)?)
}

async fn run(member: &Member, tls: Option<TlsOptions>, command: Document) -> anyhow::Result<Document> {
    run_within(Duration::from_secs(15), member, tls, command).await
}

/// Whether a server does not speak with a client that comes so.
async fn turns_away(member: &Member, tls: Option<TlsOptions>) -> bool {
    run_within(Duration::from_secs(1), member, tls, doc! { "hello": 1 }).await.is_err()
}

async fn run_within(
    limit: Duration,
    member: &Member,
    tls: Option<TlsOptions>,
    command: Document,
) -> anyhow::Result<Document> {
    let mut options = ClientOptions::parse(member.uri()).await?;
    options.server_selection_timeout = Some(limit);
    options.tls = tls.map(Tls::Enabled);
    Ok(Client::with_options(options)?.database("admin").run_command(command).await?)
}

fn spawn(
    set: &str,
    dir: &Path,
    files: &Files,
    mode: TlsMode,
    more: impl Fn(&mut ServerArgs),
) -> anyhow::Result<Member> {
    let mut args = member_args(set, dir);
    args.tls = files.args(mode);
    more(&mut args);
    Ok(Member::spawn(args)?)
}

async fn initiate(set: &str, members: &[Member], tls: Option<TlsOptions>) -> anyhow::Result<()> {
    let listed: Vec<Document> =
        members.iter().enumerate().map(|(i, m)| doc! { "_id": i as i32, "host": m.host() }).collect();
    let config = doc! { "_id": set, "version": 1, "members": listed, "settings": fast_settings() };
    run(&members[0], tls, doc! { "replSetInitiate": config }).await?;
    Ok(())
}

fn uri(set: &str, members: &[Member]) -> String {
    let hosts: Vec<String> = members.iter().map(Member::host).collect();
    format!("mongodb://{}/?replicaSet={set}&w=majority", hosts.join(","))
}

async fn is_in_service(member: &Member, tls: Option<TlsOptions>) -> bool {
    run(member, tls, doc! { "hello": 1 }).await.is_ok_and(|hello| {
        hello.get_bool("secondary").unwrap_or(false) || hello.get_bool("isWritablePrimary").unwrap_or(false)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_requires_tls_serves_nobody_without_it() -> anyhow::Result<()> {
    let files = Files::new(&authority("ours")?)?;
    let strangers = Files::new(&authority("theirs")?)?;
    let dir = TempDir::new()?;
    let key = write_key_file(&dir.path().join("key"), "a2V5a2V5a2V5")?;
    let members: Vec<Member> = (0..3)
        .map(|i| {
            spawn("tls", &dir.path().join(i.to_string()), &files, TlsMode::Require, |args| {
                args.key_file = Some(key.clone());
            })
        })
        .collect::<Result<_, _>>()?;
    initiate("tls", &members, Some(files.tls())).await?;
    let create = doc! { "createUser": "root", "pwd": "secret", "roles": ["root"] };
    eventually("the first user", async || {
        for member in &members {
            if run(member, Some(files.tls()), create.clone()).await.is_ok() {
                return true;
            }
        }
        false
    })
    .await?;
    let uri = uri("tls", &members).replace("mongodb://", "mongodb://root:secret@");
    let client = connect(&uri, Some(files.tls())).await?;
    client.database("test").collection("c").insert_one(doc! { "_id": 1 }).await?;
    assert!(turns_away(&members[0], None).await, "served without TLS");
    assert!(turns_away(&members[0], Some(strangers.tls())).await, "trusted a stranger");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_needs_a_certificate_unless_it_is_let_off() -> anyhow::Result<()> {
    let files = Files::new(&authority("ours")?)?;
    let dir = TempDir::new()?;
    let member = spawn("tls", dir.path(), &files, TlsMode::Require, |args| {
        args.tls.allow_connections_without_certificates = false;
    })?;
    assert!(turns_away(&member, Some(files.tls())).await);
    let mut with = files.tls();
    with.cert_key_file_path = Some(files.path("server.pem"));
    run(&member, Some(with), doc! { "hello": 1 }).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_turned_on_step_by_step_without_an_outage() -> anyhow::Result<()> {
    let files = Files::new(&authority("ours")?)?;
    let dir = TempDir::new()?;
    let mut members: Vec<Member> = (0..3)
        .map(|i| spawn("tls", &dir.path().join(i.to_string()), &files, TlsMode::Disabled, |_| {}))
        .collect::<Result<_, _>>()?;
    initiate("tls", &members, None).await?;
    let mut written = 0;
    for mode in [TlsMode::Allow, TlsMode::Prefer, TlsMode::Require] {
        for i in 0..members.len() {
            members[i].stop();
            members[i].set_args(|args| args.tls.mode = Some(mode));
            members[i].start()?;
            let speaks = (mode == TlsMode::Require).then(|| files.tls());
            eventually("the member to serve again", async || is_in_service(&members[i], speaks.clone()).await)
                .await?;
            // Before the last round clients go on without, in it they come with.
            let speaks = (mode == TlsMode::Require && i == 2).then(|| files.tls());
            if mode != TlsMode::Require || i == 2 {
                let client = connect(&uri("tls", &members), speaks).await?;
                written += 1;
                client.database("test").collection("c").insert_one(doc! { "_id": written }).await?;
            }
        }
    }
    let client = connect(&uri("tls", &members), Some(files.tls())).await?;
    let count = client.database("test").collection::<Document>("c").count_documents(doc! {}).await?;
    assert_eq!(count, written as u64);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_authority_is_rotated_without_a_restart() -> anyhow::Result<()> {
    let (old, new) = (authority("old")?, authority("new")?);
    let files = Files::new(&old)?;
    let dir = TempDir::new()?;
    let members: Vec<Member> = (0..3)
        .map(|i| spawn("tls", &dir.path().join(i.to_string()), &files, TlsMode::Require, |_| {}))
        .collect::<Result<_, _>>()?;
    let first_clients = files.tls();
    let old_trust = dir.path().join("old.pem");
    fs::copy(files.path("ca.pem"), &old_trust)?;
    initiate("tls", &members, Some(first_clients.clone())).await?;
    let trusts_old = TlsOptions::builder().ca_file_path(old_trust).build();
    let rotate = async || -> anyhow::Result<()> {
        for member in &members {
            run(member, Some(files.tls()), doc! { "rotateCertificates": 1 }).await?;
        }
        Ok(())
    };
    files.trust(&[&old, &new])?;
    rotate().await?;
    run(&members[0], Some(trusts_old.clone()), doc! { "hello": 1 }).await?;
    files.issue(&new)?;
    rotate().await?;
    files.trust(&[&new])?;
    rotate().await?;
    assert!(turns_away(&members[0], Some(trusts_old)).await);
    let client = connect(&uri("tls", &members), Some(files.tls())).await?;
    client.database("test").collection("c").insert_one(doc! { "_id": 1 }).await?;

    fs::write(files.path("server.pem"), "nothing")?;
    let refused = run(&members[0], Some(files.tls()), doc! { "rotateCertificates": 1 }).await.unwrap_err();
    let refused = refused.downcast_ref::<mongodb::error::Error>().map(code_of);
    assert_eq!(refused, Some(140));
    run(&members[0], Some(files.tls()), doc! { "hello": 1 }).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sharded_cluster_requires_tls() -> anyhow::Result<()> {
    let files = Files::new(&authority("ours")?)?;
    let dir = TempDir::new()?;
    let key = write_key_file(&dir.path().join("key"), "a2V5a2V5a2V5")?;
    let of = |set: &str, role: fn(&mut ServerArgs)| {
        spawn(set, &dir.path().join(set), &files, TlsMode::Require, |args| {
            args.key_file = Some(key.clone());
            role(args);
        })
    };
    let config = [of("cfg", |args| args.configsvr = true)?];
    let shard = [of("shard", |args| args.shardsvr = true)?];
    let listed = doc! { "_id": "cfg", "version": 1, "configsvr": true, "settings": fast_settings(),
    "members": [{ "_id": 0, "host": config[0].host() }] };
    run(&config[0], Some(files.tls()), doc! { "replSetInitiate": listed }).await?;
    initiate("shard", &shard, Some(files.tls())).await?;
    let create = doc! { "createUser": "root", "pwd": "secret", "roles": ["root"] };
    eventually("the first user", async || run(&config[0], Some(files.tls()), create.clone()).await.is_ok())
        .await?;
    let mut args = mongos_args(&format!("cfg/{}", config[0].host()));
    args.key_file = Some(key.clone());
    args.tls = files.args(TlsMode::Require);
    let mongos = Member::spawn(args)?;
    let uri = format!("mongodb://root:secret@{}/?directConnection=true", mongos.host());
    let client = connect(&uri, Some(files.tls())).await?;
    let admin = client.database("admin");
    admin.run_command(doc! { "addShard": format!("shard/{}", shard[0].host()) }).await?;
    client.database("test").collection("c").insert_one(doc! { "_id": 1 }).await?;
    admin.run_command(doc! { "rotateCertificates": 1 }).await?;
    client.database("test").collection("c").insert_one(doc! { "_id": 2 }).await?;
    Ok(())
}
