//! A member whose first sync is under way does not hold the keys that cluster times are signed with.

use std::{sync::Arc, time::Duration};

use crate::support::{self, eventually};
use bson::{Document, doc};
use mongosim::{
    net::{Connection, Faults},
    testing::{Member, write_key_file},
};
use tempfile::TempDir;
use tokio::time::Instant;

const LIMIT: Duration = Duration::from_secs(20);
const HELD: &str = "failpoint.initialSyncHangBeforeCopyingDatabases={\"mode\":\"alwaysOn\"}";

/// Asks as one who has not logged in.
async fn ask(member: &Member, mut command: Document) -> anyhow::Result<Document> {
    let faults = Arc::new(Faults::default());
    let mut connection = Connection::open(&member.host(), None, None, faults, Instant::now() + LIMIT).await?;
    command.insert("$db", "admin");
    Ok(connection.command(&command, LIMIT).await?)
}

async fn hello(member: &Member, time: Option<&Document>) -> anyhow::Result<Document> {
    let mut command = doc! { "hello": 1 };
    if let Some(time) = time {
        command.insert("$clusterTime", time.clone());
    }
    ask(member, command).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_is_refused_with_211_until_the_first_sync_has_ended() -> anyhow::Result<()> {
    let dir = TempDir::new()?;
    let key = write_key_file(&dir.path().join("key"), "a2V5a2V5a2V5")?;
    let mut members: Vec<Member> = (0..2)
        .map(|i| {
            let mut args = support::args("keys", &dir.path().join(i.to_string()));
            args.key_file = Some(key.clone());
            Member::spawn(args)
        })
        .collect::<Result<_, _>>()?;
    let listed: Vec<Document> = members
        .iter()
        .enumerate()
        .map(|(i, m)| doc! { "_id": i as i32, "host": m.host(), "priority": 1 - i as i32 })
        .collect();
    let settings =
        doc! { "heartbeatIntervalMillis": 100, "electionTimeoutMillis": 1000, "heartbeatTimeoutSecs": 1 };
    let config = doc! { "_id": "keys", "version": 1, "members": listed, "settings": settings };
    let initiated = ask(&members[0], doc! { "replSetInitiate": config }).await?;
    assert!(mongosim::error::is_ok(&initiated), "{initiated}");
    let serves = async |member: &Member, as_what: &str| {
        hello(member, None).await.is_ok_and(|hello| hello.get_bool(as_what).unwrap_or(false))
    };
    eventually("a primary", async || serves(&members[0], "isWritablePrimary").await).await?;
    eventually("a secondary", async || serves(&members[1], "secondary").await).await?;
    let told = hello(&members[0], None).await?;
    let time = told.get_document("$clusterTime")?;
    assert_ne!(time.get_document("signature")?.get_i64("keyId")?, 0, "{time}");
    assert!(mongosim::error::is_ok(&hello(&members[1], Some(time)).await?));

    members[1].kill();
    std::fs::remove_dir_all(dir.path().join("1"))?;
    members[1].set_args(|args| args.set_parameter.push(HELD.to_owned()));
    members[1].start()?;
    let knows_its_set = async || hello(&members[1], None).await.is_ok_and(|hello| hello.contains_key("setName"));
    eventually("the first sync", knows_its_set).await?;
    let refused = hello(&members[1], Some(time)).await?;
    assert_eq!(refused.get_i32("code")?, 211, "{refused}");
    assert!(refused.get_str("errmsg")?.contains("No keys found for HMAC that is valid for time"), "{refused}");
    let silent = hello(&members[1], None).await?;
    assert!(!silent.contains_key("$clusterTime"), "{silent}");

    members[1].kill();
    members[1].set_args(|args| args.set_parameter.retain(|parameter| parameter != HELD));
    members[1].start()?;
    eventually("the time to be taken", async || {
        hello(&members[1], Some(time)).await.is_ok_and(|hello| hello.get_bool("secondary").unwrap_or(false))
    })
    .await
}
