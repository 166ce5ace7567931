//! Groups that ask who calls.

use anyhow::Result;
use kogge_engine_client::{Outcome, Password};
use kogge_etcd::Action;
use kogge_etcd_client::{Credentials, User};
use kogge_lab::Etcd;
use rstest::rstest;
use tokio::net::TcpStream;

use crate::certificates::Authority;
use crate::group::{Group, Security, pod, serving, unreachable};
use crate::web;

fn root(password: &str) -> User {
    User { name: "root".to_owned(), password: Password::new(password) }
}

/// Without authentication a user is no hindrance; with it nobody but root changes the membership.
#[rstest]
#[tokio::test]
async fn a_group_with_users_is_asked_as_root(#[values(Etcd::V3_5, Etcd::V3_6)] release: Etcd) -> Result<()> {
    let mut group = Group::start(release, 1, 1).await?;
    group.security.credentials.user = Some(root("s3cret"));
    let client = group.servers[0].addresses()[0];
    let topology = group.observe().await;
    assert!(serving(&topology, 0).is_ok(), "no login is asked for: {topology:?}");
    web::post(client, "/v3/auth/user/add", r#"{"name":"root","password":"s3cret"}"#).await?;
    web::post(client, "/v3/auth/role/add", r#"{"name":"root"}"#).await?;
    web::post(client, "/v3/auth/user/grant", r#"{"user":"root","role":"root"}"#).await?;
    web::post(client, "/v3/auth/enable", "{}").await?;

    let topology = group.observe().await;
    assert!(serving(&topology, 0).is_ok(), "the session logs in: {topology:?}");
    let add = Action::AddLearner { via: pod(0), pod: pod(1), peer_url: group.servers[1].peer_url() };
    assert_eq!(group.execute(add.clone()).await?, Outcome::Done);

    group.security.credentials.user = None;
    let nobody = group.execute(add).await.unwrap_err();
    assert!(nobody.is_for_a_person(), "{nobody}");
    group.security.credentials.user = Some(root("wr0ng"));
    let topology = group.observe().await;
    let reason = unreachable(&topology, 0).map_err(anyhow::Error::msg)?;
    assert!(reason.contains("the user was refused") && !reason.contains("wr0ng"), "{reason}");
    Ok(())
}

/// The common name of Kogge's certificate is its user: with the role root it changes the membership, and needs no password.
#[rstest]
#[tokio::test]
async fn a_group_with_users_knows_kogge_by_its_certificate(
    #[values(Etcd::V3_5, Etcd::V3_6)] release: Etcd,
) -> Result<()> {
    let ours = Authority::new()?;
    let (kogge, nobody) = (ours.trusted_as_kogge()?, ours.trusted_as_administrator()?);
    let mut group = Group::start_with(release, 1, 1, |dir| {
        let credentials = Credentials { client: Some(kogge.clone()), peer: Some(kogge.clone()), user: None };
        Ok(Security { flags: ours.server_flags(dir)?, tls: true, credentials })
    })
    .await?;
    let client = group.servers[0].addresses()[0];
    let post = async |path: &str, body: &str| {
        let stream = kogge.connect("127.0.0.1", Some(b"http/1.1"), TcpStream::connect(client).await?).await?;
        web::post_over(stream, path, body).await
    };
    post("/v3/auth/role/add", r#"{"name":"root"}"#).await?;
    for user in ["root", "kogge-operator"] {
        let without_password = format!(r#"{{"name":"{user}","options":{{"no_password":true}}}}"#);
        post("/v3/auth/user/add", &without_password).await?;
        post("/v3/auth/user/grant", &format!(r#"{{"user":"{user}","role":"root"}}"#)).await?;
    }
    post("/v3/auth/enable", "{}").await?;

    let topology = group.observe().await;
    assert!(serving(&topology, 0).is_ok(), "{topology:?}");
    let add = Action::AddLearner { via: pod(0), pod: pod(1), peer_url: group.servers[1].peer_url() };
    group.security.credentials.client = Some(nobody);
    assert!(group.execute(add.clone()).await.unwrap_err().is_for_a_person());
    group.security.credentials.client = Some(kogge);
    group.observe().await;
    assert_eq!(group.execute(add).await?, Outcome::Done);
    Ok(())
}
