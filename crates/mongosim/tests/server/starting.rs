//! A member between its start and the moment at which it has loaded its configuration: it holds its data and answers as
//! one that has never been in a set.

use crate::support::{self, Set, code, code_of, eventually, fast_settings, run};
use bson::doc;
use mongodb::bson::Document;
use mongosim::testing::Member;

/// Makes a member's next start as long as a test needs to look at it.
fn starts_slowly(member: &mut Member) {
    member.set_args(|args| args.set_parameter.push("configLoadMillis=600000".to_owned()));
}

fn starts_fast(member: &mut Member) {
    member.set_args(|args| args.set_parameter.push("configLoadMillis=50".to_owned()));
}

async fn status_code(member: &Member) -> i32 {
    code(member, doc! { "replSetGetStatus": 1 }).await
}

async fn state(member: &Member) -> Option<i32> {
    run(member, doc! { "replSetGetStatus": 1 }).await.ok()?.get_i32("myState").ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_with_all_its_data_answers_94_until_it_has_loaded_its_config() -> anyhow::Result<()> {
    let mut set = Set::up("starting", 3).await?;
    let primary = set.primary().await?;
    let restarted = (primary + 1) % 3;
    let everywhere = doc! { "insert": "c", "documents": [{ "_id": 1 }], "writeConcern": { "w": 3 } };
    set.client().await?.database("test").run_command(everywhere).await?;
    let config = run(&set.members[primary], doc! { "replSetGetConfig": 1 }).await?.get_document("config")?.clone();

    set.members[restarted].kill();
    starts_slowly(&mut set.members[restarted]);
    set.members[restarted].start()?;
    let member = &set.members[restarted];
    let status = run(member, doc! { "replSetGetStatus": 1 }).await.unwrap_err();
    assert_eq!(code_of(&status), 94);
    assert!(status.to_string().contains("no replset config has been received"), "{status}");
    let hello = run(member, doc! { "hello": 1 }).await?;
    assert!(hello.get_bool("isreplicaset")?, "{hello}");
    assert!(!hello.get_bool("isWritablePrimary")? && !hello.get_bool("secondary")?, "{hello}");
    assert!(!hello.contains_key("setName"), "{hello}");
    for refused in [
        doc! { "replSetGetConfig": 1 },
        doc! { "replSetReconfig": config.clone() },
        doc! { "replSetReconfig": config, "force": true },
        doc! { "replSetFreeze": 1 },
        doc! { "replSetStepDown": 20 },
        doc! { "replSetRequestVotes": 1, "setName": "starting", "term": 9_i64, "dryRun": true },
        doc! { "replSetHeartbeat": "starting", "configVersion": 1, "from": "", "term": 1_i64 },
    ] {
        assert_eq!(code(member, refused.clone()).await, 94, "{refused}");
    }
    assert_eq!(code(member, doc! { "replSetInitiate": set.config() }).await, 23, "it has a config");
    let read = doc! { "find": "c", "$readPreference": { "mode": "nearest" } };
    let test = support::client(&member.uri()).await?.database("test");
    assert_eq!(test.run_command(read.clone()).await.map_err(|e| code_of(&e)).unwrap_err(), 13436);
    assert_eq!(code(member, doc! { "listDatabases": 1 }).await, 13436);
    let insert = doc! { "insert": "c", "documents": [{ "_id": 2 }] };
    assert_eq!(test.run_command(insert).await.map_err(|e| code_of(&e)).unwrap_err(), 10107);

    eventually("the others to hear that it does not answer as a member", async || {
        let status = run(&set.members[primary], doc! { "replSetGetStatus": 1 }).await;
        status.is_ok_and(|status| heard_as(&status, restarted) == Some((8, 0.0)))
    })
    .await?;

    set.members[restarted].kill();
    starts_fast(&mut set.members[restarted]);
    set.members[restarted].start()?;
    let member = &set.members[restarted];
    eventually("the member to be secondary", async || state(member).await == Some(2)).await?;
    let found = support::client(&member.uri()).await?.database("test").run_command(read).await?;
    assert_eq!(
        found.get_document("cursor")?.get_array("firstBatch")?.len(),
        1,
        "its data were there all the time"
    );
    Ok(())
}

/// State and health of a member, as the status of another one has them.
fn heard_as(status: &Document, index: usize) -> Option<(i32, f64)> {
    let row = status.get_array("members").ok()?.get(index)?.as_document()?;
    Some((row.get_i32("state").ok()?, row.get_f64("health").ok()?))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_config_is_initiated_at_once() -> anyhow::Result<()> {
    let mut set = Set::fresh("empty", 1)?;
    set.members[0].kill();
    starts_slowly(&mut set.members[0]);
    set.members[0].start()?;
    assert_eq!(status_code(&set.members[0]).await, 94);
    set.initiate(fast_settings()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_member_answers_94_after_its_start_and_93_once_it_knows() -> anyhow::Result<()> {
    let mut set = Set::up("removed", 3).await?;
    let primary = set.primary().await?;
    let removed = (primary + 1) % 3;
    let mut config =
        run(&set.members[primary], doc! { "replSetGetConfig": 1 }).await?.get_document("config")?.clone();
    config.insert("version", config.get_i32("version")? + 1);
    config.get_array_mut("members")?.remove(removed);
    run(&set.members[primary], doc! { "replSetReconfig": config }).await?;
    eventually("the removed member to know", async || status_code(&set.members[removed]).await == 93).await?;

    set.members[removed].kill();
    starts_slowly(&mut set.members[removed]);
    set.members[removed].start()?;
    assert_eq!(status_code(&set.members[removed]).await, 94);
    set.members[removed].kill();
    starts_fast(&mut set.members[removed]);
    set.members[removed].start()?;
    eventually("the removed member to know again", async || status_code(&set.members[removed]).await == 93).await
}
