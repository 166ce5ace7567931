//! Servers that speak TLS: reached by whoever they trust and who trusts them, and by nobody else.

use anyhow::Result;
use kogge_engine_client::{Outcome, Trust};
use kogge_etcd::Action;
use kogge_etcd_client::Credentials;
use kogge_lab::Etcd;
use rstest::rstest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::certificates::Authority;
use crate::group::{Group, Security, observed, pod, serving, unreachable};

fn credentials(client: Option<Trust>, peer: Option<Trust>) -> Credentials {
    Credentials { client, peer, user: None }
}

/// A learner is seen through both ports, so both speak TLS to Kogge here.
#[rstest]
#[tokio::test]
async fn a_group_with_tls_is_seen_and_changed(#[values(Etcd::V3_5, Etcd::V3_6)] release: Etcd) -> Result<()> {
    let ours = Authority::new()?;
    let tls = ours.trusted_with(&ours)?;
    let mut group = Group::start_with(release, 1, 1, |dir| {
        let credentials = credentials(Some(tls.clone()), Some(tls));
        Ok(Security { flags: ours.server_flags(dir)?, tls: true, credentials })
    })
    .await?;
    let add = Action::AddLearner { via: pod(0), pod: pod(1), peer_url: group.servers[1].peer_url() };
    assert_eq!(group.execute(add).await?, Outcome::Done);
    let topology = group.observe().await;
    let listed = serving(&topology, 0).map_err(anyhow::Error::msg)?.members.clone();
    group.join(1, &listed)?;
    let learner = group
        .seen("the learner", |topology| {
            let state = serving(topology, 1)?;
            let told = state.learner && state.cluster_version.is_some() && observed(topology, 1).is_in_sync();
            if told { Ok(state.clone()) } else { Err(format!("{state:?}")) }
        })
        .await?;
    let promote = Action::Promote { via: pod(0), pod: pod(1), member_id: learner.member_id };
    assert_eq!(group.execute(promote).await?, Outcome::Done);
    group.settled(2).await?;
    Ok(())
}

#[rstest]
#[tokio::test]
async fn a_server_is_reached_by_nobody_with_other_certificates(
    #[values(Etcd::V3_5, Etcd::V3_6)] release: Etcd,
) -> Result<()> {
    let (ours, theirs) = (Authority::new()?, Authority::new()?);
    let good = ours.trusted_with(&ours)?;
    let mut group = Group::start_with(release, 1, 0, |dir| {
        let credentials = credentials(Some(good.clone()), Some(good.clone()));
        Ok(Security { flags: ours.server_flags(dir)?, tls: true, credentials })
    })
    .await?;
    for (what, client, words) in [
        ("a certificate of another authority", Some(ours.trusted_with(&theirs)?), "Kogge's certificate"),
        ("no certificate", Some(ours.trusted()?), "Kogge's certificate"),
        ("no trust in the server", Some(theirs.trusted_with(&ours)?), "invalid peer certificate"),
        ("no TLS", None, "the connection broke"),
    ] {
        group.security.credentials = credentials(client, Some(good.clone()));
        let topology = group.observe().await;
        let reason = unreachable(&topology, 0).map_err(anyhow::Error::msg)?;
        assert!(reason.contains(words), "{what}: {reason}");
    }
    group.security.credentials = credentials(Some(good.clone()), Some(good));
    group.settled(1).await?;
    Ok(())
}

/// What a port answers to a question by HTTP; nothing where it refuses who asks.
async fn answer(tls: &Trust, port: std::net::SocketAddr, path: &str) -> String {
    let mut answer = Vec::new();
    let asked = async {
        let mut stream = tls.connect("127.0.0.1", Some(b"http/1.1"), TcpStream::connect(port).await?).await?;
        let question = format!("GET {path} HTTP/1.1\r\nHost: {port}\r\nConnection: close\r\n\r\n");
        stream.write_all(question.as_bytes()).await?;
        stream.read_to_end(&mut answer).await
    };
    let refused = asked.await.err();
    format!("{}{}", String::from_utf8_lossy(&answer), refused.map(|error| error.to_string()).unwrap_or_default())
}

/// Both ports trust the same authority.
#[rstest]
#[tokio::test]
async fn the_administrators_certificate_opens_the_port_for_clients_and_not_that_for_peers(
    #[values(Etcd::V3_5, Etcd::V3_6)] release: Etcd,
) -> Result<()> {
    let ours = Authority::new()?;
    let (operator, administrator) = (ours.trusted_as_kogge()?, ours.trusted_as_administrator()?);
    let group = Group::start_with(release, 1, 0, |dir| {
        let credentials = credentials(Some(operator.clone()), Some(operator.clone()));
        Ok(Security { flags: ours.server_flags(dir)?, tls: true, credentials })
    })
    .await?;
    let [client, peer, _] = group.servers[0].addresses();
    let answered = answer(&administrator, client, "/version").await;
    assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");
    let answered = answer(&operator, peer, "/members").await;
    assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");
    let answered = answer(&administrator, peer, "/members").await;
    assert!(!answered.contains("HTTP/1.1"), "{answered}");
    Ok(())
}
