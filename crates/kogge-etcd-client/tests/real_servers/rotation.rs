//! A new authority and new certificates on servers that run.

use std::path::PathBuf;

use anyhow::{Context, Result};
use kogge_etcd_client::Credentials;
use kogge_lab::Etcd;
use rstest::rstest;

use crate::certificates::Authority;
use crate::group::{Group, Security, serving, unreachable};

/// What Kogge sees of the one server when it trusts the one authority and shows a certificate of the other.
async fn meets(group: &mut Group, trusted: &Authority, shown: &Authority, met: bool) -> Result<()> {
    let tls = Some(trusted.trusted_with(shown)?);
    group.security.credentials = Credentials { client: tls.clone(), peer: tls, user: None };
    let what = if met { "a server that is met" } else { "a server that refuses" };
    group
        .seen(
            what,
            |topology| if met { serving(topology, 0).map(drop) } else { unreachable(topology, 0).map(drop) },
        )
        .await
}

/// Certificates are read at every handshake (case 55), and authorities only at a start (case 56): so a new authority is
/// trusted, servers restart, it issues, and the old one goes with another restart.
#[rstest]
#[tokio::test]
async fn etcd_56_a_new_authority_takes_two_restarts_and_its_certificates_none(
    #[values(Etcd::V3_5, Etcd::V3_6)] release: Etcd,
) -> Result<()> {
    let (old, new) = (Authority::new()?, Authority::new()?);
    let mut files = PathBuf::new();
    let tls = Some(old.trusted_with(&old)?);
    let mut group = Group::start_with(release, 1, 0, |dir| {
        files = dir.to_owned();
        let credentials = Credentials { client: tls.clone(), peer: tls, user: None };
        Ok(Security { flags: old.server_flags(dir)?, tls: true, credentials })
    })
    .await?;

    Authority::write_trust(&[&old, &new], &files)?;
    meets(&mut group, &old, &new, false).await.context("authorities are read at a start only")?;
    restart(&mut group)?;
    meets(&mut group, &old, &new, true).await.context("both authorities are trusted")?;

    new.write_leaf(&files)?;
    meets(&mut group, &new, &new, true).await.context("a certificate is read without a restart")?;
    meets(&mut group, &new, &old, true).await.context("who has the old certificate is let in")?;
    meets(&mut group, &old, &old, false).await.context("the old certificate is served no more")?;

    Authority::write_trust(&[&new], &files)?;
    meets(&mut group, &new, &old, true).await.context("the old authority is trusted until a restart")?;
    restart(&mut group)?;
    meets(&mut group, &new, &old, false).await.context("the old authority is trusted no more")?;
    meets(&mut group, &new, &new, true).await
}

fn restart(group: &mut Group) -> Result<()> {
    group.servers[0].kill()?;
    group.servers[0].start()
}
