//! Whom members and clients trust, with TLS for everybody, and while all of it is replaced.

use std::time::{Duration, Instant};

use anyhow::ensure;
use kogge_api::FederatedEtcd;
use kogge_e2e::{Database, Etcdctl, Harness, SCRATCH, VDCS};
use serde_json::json;

/// How long authority and certificates may take to be replaced everywhere.
const REPLACED: Duration = Duration::from_mins(10);
/// How long the authority before stays trusted: longer than a kubelet takes to bring a changed Secret into a pod.
const GRACE: &str = "3m";

/// Who has no certificate is not answered. While authority and certificates are replaced, a client in whose pod the Secret
/// is mounted, and brought up to date by its kubelet, is answered each time it asks.
pub(in crate::cases) async fn clients_with_a_certificate_are_answered_through_a_rotation(
    harness: &Harness,
) -> anyhow::Result<()> {
    let database = harness.etcd(SCRATCH, "sealed");
    let mut manifest = database.manifest(&VDCS[..3]);
    manifest["spec"]["security"] = json!({"tls": {"mode": "Require"}, "rotation": {"grace": GRACE}});
    database.apply(&manifest).await?;
    let began = Instant::now();
    database.ready().await?;
    println!("with TLS from the start: ready after {:.0} s", began.elapsed().as_secs_f32());

    let client = Etcdctl::start(database, VDCS[1], "sealed/").await?;
    client.run(&["put", "sealed/0", "first"]).await?;
    let refused = client.run(&["get", "sealed/0", "--cert=", "--key=", "--command-timeout=5s"]).await;
    ensure!(refused.is_err(), "answered without a certificate: {refused:?}");

    let (before, began) = (told(&database).await?, Instant::now());
    database.merge(json!({"spec": {"security": {"rotation": {"authority": 1, "certificates": 1}}}})).await?;
    let (mut answers, mut seen) = (0, before.clone());
    loop {
        let now = told(&database).await?;
        if now != seen {
            client.take_certificate().await?;
            println!("the Secret is another one after {:.0} s", began.elapsed().as_secs_f32());
            seen = now;
        }
        let key = format!("sealed/{answers}");
        client.run(&["put", &key, "again"]).await?;
        answers += 1;
        let done = kogge_e2e::ready(&database.get().await?).is_ok();
        if done && seen.0 != before.0 && seen.1.matches("BEGIN CERTIFICATE").count() == 1 {
            break;
        }
        ensure!(began.elapsed() < REPLACED, "not replaced after {REPLACED:?}");
    }
    println!("replaced after {:.0} s; all {answers} writes were acknowledged", began.elapsed().as_secs_f32());
    client.stop().await?;
    database.delete().await
}

/// The administrator's certificate, and the authorities to trust.
async fn told(database: &Database<'_, FederatedEtcd>) -> anyhow::Result<(String, String)> {
    let told = async |key| database.told(key).await.map_err(anyhow::Error::msg);
    Ok((told("tls.crt").await?, told("ca.crt").await?))
}
