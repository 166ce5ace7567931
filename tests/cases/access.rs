//! Who members and clients are to each other, made anew while a client writes.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use kogge_api::FederatedCluster;
use kogge_api::federated_cluster::TlsMode;
use kogge_e2e::{Database, ELECTION, Harness, HistoryClient, SCRATCH, VDCS};
use kogge_lab::wait;
use serde_json::json;

/// How long the members may take to be restarted once.
const ONE_RESTART: Duration = Duration::from_mins(4);

/// A database begins with TLS for everybody. Its keyfile, its authority and its certificates are made anew, in three
/// generations; a client that reads the authorities when they change loses nothing, no write of it fails, and each
/// primary that is restarted hands over without an election's timeout.
pub(super) async fn keyfile_and_tls_are_rotated_while_a_client_writes(harness: &Harness) -> anyhow::Result<()> {
    let database = harness.database(SCRATCH, "access");
    let mut manifest = database.manifest(&VDCS[..3]);
    manifest["spec"]["security"] = json!({"tls": {"mode": "Require"}});
    database.apply(&manifest).await?;
    let began = Instant::now();
    let cluster = database.ready().await?;
    println!("with TLS from the start: ready after {:.0} s", began.elapsed().as_secs_f32());
    ensure!(generation(&cluster) == (1, TlsMode::Require), "{:?}", cluster.status);
    let first = HistoryClient::start(database, VDCS[1]).await?;
    first.acknowledged(50).await?;

    let (since, began, elections) = (Timestamp::now(), Instant::now(), database.elections().await?);
    let rotation = json!({"keyfile": 1, "authority": 1, "certificates": 1});
    database.merge(json!({"spec": {"security": {"rotation": rotation}}})).await?;
    both_are_trusted(&database).await?;
    let second = HistoryClient::start(database, VDCS[2]).await?;
    second.acknowledged(20).await?;
    unharmed(&first, since, "the new authority is trusted").await?;
    first.stop().await?;
    for number in 2..=4 {
        let what = format!("of generation {number}");
        let reached = |cluster: &FederatedCluster| match generation(cluster).0 {
            reached if reached >= number => Ok(()),
            reached => Err(format!("its pods have generation {reached}")),
        };
        database.until(&what, ONE_RESTART, reached).await?;
        println!("generation {number} begins after {:.0} s", began.elapsed().as_secs_f32());
    }
    let cluster = database.ready().await?;
    println!("keyfile and authority are new after {:.0} s", began.elapsed().as_secs_f32());
    ensure!(generation(&cluster) == (4, TlsMode::Require), "{:?}", cluster.status);
    unharmed(&second, since, "keyfile and authority are rotated").await?;
    database.elections().await?.were_hand_overs_since(&elections)?;
    old_ones_are_gone(&database).await?;
    second.stop().await?;

    passwords_are_changed(&database).await?;
    let third = HistoryClient::start(database, VDCS[0]).await?;
    third.acknowledged(20).await?;
    third.stop().await?;
    database.delete().await
}

fn generation(cluster: &FederatedCluster) -> (u32, TlsMode) {
    let told = cluster.status.as_ref().and_then(|status| status.security.clone()).unwrap_or_default();
    (told.generation, told.tls_mode)
}

/// Waits until clients are told to trust the new authority beside the old one.
async fn both_are_trusted(database: &Database<'_>) -> anyhow::Result<()> {
    let both = wait::until("two authorities in the administrator's Secret", ONE_RESTART, || async {
        match database.told("ca.crt").await?.matches("BEGIN CERTIFICATE").count() {
            2 => Ok(()),
            count => Err(format!("it holds {count}")),
        }
    });
    Ok(both.await?)
}

/// Asks for new passwords, and waits until they are told and nothing is left to do. No pod is restarted for them.
async fn passwords_are_changed(database: &Database<'_>) -> anyhow::Result<()> {
    let before = database.told("password").await.map_err(anyhow::Error::msg)?;
    database.merge(json!({"spec": {"security": {"rotation": {"passwords": 1}}}})).await?;
    wait::until("another password in the administrator's Secret", ONE_RESTART, || async {
        if database.told("password").await? == before { Err("it is the old one".to_owned()) } else { Ok(()) }
    })
    .await?;
    let cluster = database.ready().await?;
    ensure!(generation(&cluster).0 == 4, "passwords took a restart: {:?}", cluster.status);
    Ok(())
}

async fn unharmed(client: &HistoryClient<'_>, since: Timestamp, what: &str) -> anyhow::Result<()> {
    let service = client.service_since(since).await?;
    println!("{what}: {service:?}");
    ensure!(service.failed == 0, "{what}: {} writes failed", service.failed);
    ensure!(service.slowest <= ELECTION, "{what}: a write took {:?}", service.slowest);
    let verdict = client.check().await?;
    ensure!(verdict.lost == 0, "{what}: {verdict:?}");
    Ok(())
}

/// No worker keeps the key, or a certificate, that was given up.
async fn old_ones_are_gone(database: &Database<'_>) -> anyhow::Result<()> {
    for vdc in &VDCS[..3] {
        let held = format!("{vdc} holds the secrets of the last generation alone");
        wait::until(&held, ONE_RESTART, || async {
            let arguments = ["get", "secrets", "-n", database.namespace, "-o", "name"];
            let listed = database.harness.kubectl(vdc, &arguments).await.map_err(|error| format!("{error:#}"))?;
            let prefix = format!("secret/{}-", database.name);
            match listed.lines().find(|name| name.starts_with(&prefix) && !name.ends_with("-4")) {
                None => Ok(()),
                Some(old) => Err(format!("{old} is still there")),
            }
        })
        .await
        .context("an old generation stays")?;
    }
    Ok(())
}
