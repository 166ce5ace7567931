//! The next users beside the previous ones, wherever the operator is killed while it makes or removes them.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use kogge_engine::Engine as _;
use kogge_mongo::MongoDb;
use kogge_mongo_client::{ClusterAccess, Credentials, Engine, Loopback, Password, Told, User};
use mongodb::Client;
use mongodb::bson::{Document, doc};
use mongosim::testing::{Member, member_args, write_key_file};
use rstest::rstest;
use tempfile::TempDir;

fn user(name: &str, password: &str) -> User {
    User::new(name, Password::new(password))
}

fn first() -> Credentials {
    Credentials { operator: user("kogge-operator", "old"), admin: user("admin", "old") }
}

fn second() -> Credentials {
    Credentials { operator: user("kogge-operator-2", "new"), admin: user("admin-2", "new") }
}

fn access(member: &Member, credentials: Credentials) -> Result<ClusterAccess> {
    let servers = BTreeMap::from([("pod".into(), member.host().parse()?)]);
    Ok(ClusterAccess { reach: Arc::new(Loopback::new(MongoDb::PORT, servers)), credentials, trust: None })
}

/// Whether a user is let in, asked on a connection of its own.
async fn knows(member: &Member, name: &str, password: &str) -> bool {
    run(&uri(member, name, password), doc! { "replSetGetStatus": 1 }).await.is_ok()
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

const FORMER: [&str; 2] = ["admin", "kogge-operator"];

#[rstest]
#[case::from_the_start(&[])]
#[case::after_the_administrator(&["admin-2"])]
#[case::after_both(&["admin-2", "kogge-operator-2"])]
#[tokio::test(flavor = "multi_thread")]
async fn the_next_users_are_made_beside_the_previous_ones(#[case] made: &[&str]) -> Result<()> {
    let dir = TempDir::new()?;
    let member = set(&dir).await?;
    for name in made {
        run(&uri(&member, "admin", "old"), doc! { "createUser": *name, "pwd": "new", "roles": ["root"] }).await?;
    }
    let (engine, access) = (Engine::new(), access(&member, first())?);
    for _ in 0..2 {
        let told = engine.create_users(&access, [&"pod".into()], &second(), || true).await?;
        ensure!(told == Told::All, "{told:?}");
    }
    for (name, password) in
        [("admin", "old"), ("kogge-operator", "old"), ("admin-2", "new"), ("kogge-operator-2", "new")]
    {
        ensure!(knows(&member, name, password).await, "{name} is refused");
    }
    Ok(())
}

#[rstest]
#[case::from_the_start(&[])]
#[case::after_the_administrator(&["admin"])]
#[case::after_both(&["admin", "kogge-operator"])]
#[tokio::test(flavor = "multi_thread")]
async fn the_previous_users_are_removed_wherever_it_was_cut_short(#[case] gone: &[&str]) -> Result<()> {
    let dir = TempDir::new()?;
    let member = set(&dir).await?;
    let engine = Engine::new();
    engine.create_users(&access(&member, first())?, [&"pod".into()], &second(), || true).await?;
    for name in gone {
        run(&uri(&member, "admin-2", "new"), doc! { "dropUser": *name }).await?;
    }
    let access = access(&member, second())?;
    for _ in 0..2 {
        let told = engine.remove_users(&access, [&"pod".into()], &FORMER.map(str::to_owned), || true).await?;
        ensure!(told == Told::All, "{told:?}");
    }
    for name in FORMER {
        ensure!(!knows(&member, name, "old").await, "{name} is let in");
    }
    ensure!(knows(&member, "admin-2", "new").await && knows(&member, "kogge-operator-2", "new").await);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_somebody_elses_is_left_alone() -> Result<()> {
    let dir = TempDir::new()?;
    let member = set(&dir).await?;
    let theirs = doc! { "createUser": "admin-2", "pwd": "theirs", "roles": ["readAnyDatabase"] };
    run(&uri(&member, "admin", "old"), theirs).await?;
    let refused =
        Engine::new().create_users(&access(&member, first())?, [&"pod".into()], &second(), || true).await;
    let error = refused.err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(error.contains("pod refuses user admin-2"), "{error}");
    run(&uri(&member, "admin-2", "theirs"), doc! { "listDatabases": 1 }).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_user_is_removed_where_the_present_ones_are_refused() -> Result<()> {
    let dir = TempDir::new()?;
    let member = set(&dir).await?;
    let Credentials { operator, admin } = second();
    let behind = Credentials { operator: operator.or(Some(first().operator)), admin };
    let access = access(&member, behind)?;
    let refused = Engine::new().remove_users(&access, [&"pod".into()], &FORMER.map(str::to_owned), || true).await;
    ensure!(refused.is_err_and(|error| error.reason() == "UserRefused"));
    ensure!(knows(&member, "admin", "old").await && knows(&member, "kogge-operator", "old").await);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_behind_is_asked_as_the_previous_user() -> Result<()> {
    let dir = TempDir::new()?;
    let member = set(&dir).await?;
    let Credentials { operator, admin } = second();
    let behind = Credentials { operator: operator.or(Some(first().operator)), admin };
    // It knows the users of before alone, and is told of others as if it were the primary.
    let third = Credentials { operator: user("kogge-operator-3", "newer"), admin: user("admin-3", "newer") };
    Engine::new().create_users(&access(&member, behind)?, [&"pod".into()], &third, || true).await?;
    ensure!(knows(&member, "admin-3", "newer").await);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_leader_any_more_changes_no_user() -> Result<()> {
    let dir = TempDir::new()?;
    let member = set(&dir).await?;
    // The leadership is lost between the two users.
    let asked = Cell::new(0);
    let may = || asked.replace(asked.get() + 1) == 0;
    let told = Engine::new().create_users(&access(&member, first())?, [&"pod".into()], &second(), may).await?;
    ensure!(told == Told::Stopped, "{told:?}");
    ensure!(knows(&member, "admin-2", "new").await && !knows(&member, "kogge-operator-2", "new").await);
    Ok(())
}
