//! New passwords, wherever the operator is killed while it tells them.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use kogge_mongo_client::{ClusterAccess, Credentials, Engine, Loopback, Password, Told, User};
use mongodb::Client;
use mongodb::bson::{Document, doc};
use mongosim::testing::{Member, member_args, write_key_file};
use rstest::rstest;
use tempfile::TempDir;

fn user(name: &str, password: &str, next: &str) -> User {
    User { name: name.to_owned(), password: Password::new(password), next: Some(Password::new(next)) }
}

async fn run(uri: &str, command: Document) -> mongodb::error::Result<Document> {
    Client::with_uri_str(uri).await?.database("admin").run_command(command).await
}

fn uri(member: &Member, name: &str, password: &str) -> String {
    format!("mongodb://{name}:{password}@{}/?directConnection=true&serverSelectionTimeoutMS=2000", member.host())
}

/// A set of one with both users.
async fn set(dir: &TempDir) -> Result<Member> {
    let mut args = member_args("ll-config-1", &dir.path().join("data"));
    args.key_file = Some(write_key_file(&dir.path().join("key"), "a2V5a2V5a2V5")?);
    let member = Member::spawn(args)?;
    let config = doc! { "_id": "ll-config-1", "version": 1, "members": [{ "_id": 0, "host": member.host() }] };
    run(&member.uri(), doc! { "replSetInitiate": config }).await?;
    let create = |name: &str| doc! { "createUser": name, "pwd": "old", "roles": ["root"] };
    let began = Instant::now();
    while run(&member.uri(), create("admin")).await.is_err() {
        ensure!(began.elapsed() < Duration::from_secs(20), "no primary");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    run(&uri(&member, "admin", "old"), create("kogge-operator")).await?;
    Ok(member)
}

#[rstest]
#[case::from_the_start(&[])]
#[case::after_the_administrator(&["admin"])]
#[case::after_both(&["admin", "kogge-operator"])]
#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_changed_wherever_it_was_cut_short(#[case] told: &[&str]) -> Result<()> {
    let dir = TempDir::new()?;
    let member = set(&dir).await?;
    for name in told {
        let admin = if *name == "admin" { "old" } else { "new" };
        run(&uri(&member, "admin", admin), doc! { "updateUser": *name, "pwd": "new" }).await?;
    }
    let access = ClusterAccess {
        reach: Arc::new(Loopback::new(BTreeMap::from([("pod".into(), member.host().parse()?)]))),
        credentials: Credentials {
            operator: user("kogge-operator", "old", "new"),
            admin: user("admin", "old", "new"),
        },
    };
    let engine = Engine::new();
    for _ in 0..2 {
        let told = engine.change_passwords(&access, [&"pod".into()], || true).await?;
        ensure!(told == Told::All, "{told:?}");
    }
    for name in ["admin", "kogge-operator"] {
        run(&uri(&member, name, "new"), doc! { "replSetGetStatus": 1 }).await?;
        ensure!(run(&uri(&member, name, "old"), doc! { "replSetGetStatus": 1 }).await.is_err(), "{name}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_leader_any_more_changes_no_password() -> Result<()> {
    let dir = TempDir::new()?;
    let member = set(&dir).await?;
    let access = ClusterAccess {
        reach: Arc::new(Loopback::new(BTreeMap::from([("pod".into(), member.host().parse()?)]))),
        credentials: Credentials {
            operator: user("kogge-operator", "old", "new"),
            admin: user("admin", "old", "new"),
        },
    };
    // The leadership is lost between the two users.
    let asked = Cell::new(0);
    let may = || asked.replace(asked.get() + 1) == 0;
    let told = Engine::new().change_passwords(&access, [&"pod".into()], may).await?;
    ensure!(told == Told::Stopped, "{told:?}");
    run(&uri(&member, "admin", "new"), doc! { "replSetGetStatus": 1 }).await?;
    run(&uri(&member, "kogge-operator", "old"), doc! { "replSetGetStatus": 1 }).await?;
    Ok(())
}
