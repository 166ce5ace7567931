//! `mongodb+srv://`: the members come from the name service.

use std::process::Command;

use anyhow::{Context as _, ensure};
use bson::doc;
use mongosim::testing::{Member, member_args};
use tempfile::TempDir;

use crate::{
    common::{client, eventually, fast_settings, run},
    dns::{DOMAIN, Responder, SET},
    python, shell,
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
    std::fs::write(&resolver, "nameserver 127.0.0.1\noptions timeout:2 attempts:2\n")?;
    let script = "ip link set lo up && mount --bind \"$1\" /etc/resolv.conf && exec \"$2\" --exact srv::members_are_found_by_name --nocapture";
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "--net", "sh", "-c", script, "sh"])
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
    let members = (0..3)
        .map(|i| Member::spawn(member_args("rs0", &dir.path().join(i.to_string()))))
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
    run(&members[0], doc! { "replSetInitiate": config }).await?;

    let uri = format!("mongodb+srv://{SET}/shop?tls=false");
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
