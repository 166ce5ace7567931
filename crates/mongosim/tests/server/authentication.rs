//! How users prove their passwords, and what hello says of it.

use std::net::TcpStream;

use crate::support::{self, Set, client, code_of, eventually, run};
use bson::{Bson, doc};
use mongodb::bson::Document;
use mongosim::{
    options::ServerArgs,
    testing::{Member, member_args, mongos_args, write_key_file},
};
use tempfile::TempDir;

/// A set of one member with authentication.
fn secured(name: &str, change: impl Fn(&mut ServerArgs)) -> anyhow::Result<Set> {
    let dir = TempDir::new()?;
    let mut args = member_args(name, &dir.path().join("0"));
    args.key_file = Some(write_key_file(&dir.path().join("key"), "dGhpcyBpcyBhIHRlc3Qga2V5")?);
    change(&mut args);
    Ok(Set { name: name.to_owned(), members: vec![Member::spawn(args)?], dir })
}

async fn initiate(set: &Set, configsvr: bool) -> anyhow::Result<()> {
    let mut config = set.config();
    if configsvr {
        config.insert("configsvr", true);
    }
    run(&set.members[0], doc! { "replSetInitiate": config }).await?;
    set.primary().await?;
    Ok(())
}

fn create(user: &str) -> Document {
    doc! { "createUser": user, "pwd": "secret", "roles": ["root"] }
}

/// Logs in with one mechanism and runs a command that needs a user; 0 or the code of the refusal.
async fn logs_in(member: &Member, user: &str, mechanism: &str) -> anyhow::Result<i32> {
    let uri = format!(
        "mongodb://{user}:secret@{}/?directConnection=true&authSource=admin&authMechanism={mechanism}",
        member.host()
    );
    let asked = client(&uri).await?.database("admin").run_command(doc! { "replSetGetConfig": 1 }).await;
    Ok(match asked {
        Ok(_) => 0,
        Err(e) => {
            let text = e.to_string();
            let inner = std::error::Error::source(&e).map(ToString::to_string).unwrap_or_default();
            let says = |code: i32| text.contains(&format!("code: {code},")) || inner.contains(&format!("{code}"));
            [334, 18].into_iter().find(|code| says(*code)).unwrap_or(-1)
        }
    })
}

async fn offered(member: &Member, user: &str) -> anyhow::Result<Option<Vec<Bson>>> {
    let hello = run(member, doc! { "hello": 1, "saslSupportedMechs": format!("admin.{user}") }).await?;
    Ok(hello.get_array("saslSupportedMechs").ok().cloned())
}

fn names(mechanisms: &[&str]) -> Vec<Bson> {
    mechanisms.iter().map(|name| Bson::from(*name)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_proves_its_password_with_both_mechanisms_unless_it_was_made_for_one() -> anyhow::Result<()> {
    let set = secured("both", |_| {})?;
    initiate(&set, false).await?;
    let member = &set.members[0];
    run(member, create("root")).await?;
    let root = client(&format!("mongodb://root:secret@{}/?directConnection=true", member.host())).await?;
    let admin = root.database("admin");
    let mut strict = create("strict");
    strict.insert("mechanisms", vec!["SCRAM-SHA-256"]);
    admin.run_command(strict).await?;
    let mut odd = create("odd");
    odd.insert("mechanisms", vec!["PLAIN"]);
    assert_eq!(code_of(&admin.run_command(odd).await.unwrap_err()), 2);

    assert_eq!(offered(member, "root").await?, Some(names(&["SCRAM-SHA-1", "SCRAM-SHA-256"])));
    assert_eq!(offered(member, "strict").await?, Some(names(&["SCRAM-SHA-256"])));
    assert_eq!(offered(member, "nobody").await?, None);
    for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256"] {
        assert_eq!(logs_in(member, "root", mechanism).await?, 0, "{mechanism}");
    }
    assert_eq!(logs_in(member, "strict", "SCRAM-SHA-256").await?, 0);
    assert_eq!(logs_in(member, "strict", "SCRAM-SHA-1").await?, 18);

    // One mechanism fewer needs no password, one more does.
    let narrow = doc! { "updateUser": "root", "mechanisms": ["SCRAM-SHA-256"] };
    admin.run_command(narrow).await?;
    assert_eq!(offered(member, "root").await?, Some(names(&["SCRAM-SHA-256"])));
    let widen = doc! { "updateUser": "root", "mechanisms": ["SCRAM-SHA-1", "SCRAM-SHA-256"] };
    assert_eq!(code_of(&admin.run_command(widen).await.unwrap_err()), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mechanism_that_is_not_enabled_is_refused_and_not_offered() -> anyhow::Result<()> {
    let set = secured("one", |args| args.set_parameter.push("authenticationMechanisms=SCRAM-SHA-256".to_owned()))?;
    initiate(&set, false).await?;
    let member = &set.members[0];
    run(member, create("root")).await?;
    assert_eq!(offered(member, "root").await?, Some(names(&["SCRAM-SHA-256"])));
    assert_eq!(logs_in(member, "root", "SCRAM-SHA-256").await?, 0);
    assert_eq!(logs_in(member, "root", "SCRAM-SHA-1").await?, 334);
    Ok(())
}

/// A client that were told nothing of its user's mechanisms would fall back to SCRAM-SHA-1.
#[tokio::test(flavor = "multi_thread")]
async fn a_router_says_nothing_before_it_knows_its_users_and_fails_hello_when_it_cannot_read_them()
-> anyhow::Result<()> {
    let mut config = secured("users-cfg", |args| args.configsvr = true)?;
    let mut args = mongos_args(&format!("users-cfg/{}", config.members[0].host()));
    args.key_file = Some(config.dir.path().join("key"));
    let router = Member::spawn(args)?;
    assert!(TcpStream::connect(router.host()).is_err(), "it listens without config servers");
    initiate(&config, true).await?;
    eventually("the router to listen", async || TcpStream::connect(router.host()).is_ok()).await?;
    run(&router, create("root")).await?;
    assert_eq!(offered(&router, "root").await?, Some(names(&["SCRAM-SHA-1", "SCRAM-SHA-256"])));
    assert_eq!(offered(&router, "nobody").await?, None);

    config.members[0].kill();
    let ask = doc! { "hello": 1, "saslSupportedMechs": "admin.root" };
    eventually("hello to fail", async || support::code(&router, ask.clone()).await == 133).await?;
    let hello = run(&router, doc! { "hello": 1 }).await?;
    assert!(hello.get_bool("isWritablePrimary")?);
    Ok(())
}
