//! The end of a member: it hands over, goes on in quiesce mode, and closes every connection.

use std::{sync::Arc, time::Duration};

use crate::support::{self, Set, client, code, eventually, run};
use bson::doc;
use mongodb::bson::Document;
use mongosim::{
    net::{Connection, Faults},
    testing::Member,
};
use tokio::time::Instant;

const LIMIT: Duration = Duration::from_secs(20);
const SLOW_END: &str = "shutdownTimeoutMillisForSignaledShutdown=600000";

/// A connection that says no hello by itself: a driver has no use for a server that ends.
async fn connect(member: &Member) -> anyhow::Result<Connection> {
    Ok(Connection::open(&member.host(), None, None, Arc::new(Faults::default()), Instant::now() + LIMIT).await?)
}

async fn ask(connection: &mut Connection, command: bson::Document) -> anyhow::Result<bson::Document> {
    Ok(connection.command(&command, LIMIT).await?)
}

fn hello() -> bson::Document {
    doc! { "hello": 1, "$db": "admin" }
}

/// A set whose members end as slowly as a test needs to look at it.
async fn set_that_ends_slowly(name: &str) -> anyhow::Result<Set> {
    let set = Set::fresh_with(name, 3, &[SLOW_END])?;
    set.initiate(support::fast_settings()).await?;
    Ok(set)
}

/// State and health of a member, as another one sees it.
async fn seen_by(member: &Member, index: usize) -> Option<(i32, f64)> {
    let status = run(member, doc! { "replSetGetStatus": 1 }).await.ok()?;
    let row = status.get_array("members").ok()?.get(index)?.as_document()?.clone();
    Some((row.get_i32("state").ok()?, row.get_f64("health").ok()?))
}

fn assert_quiescing(reply: &bson::Document) -> anyhow::Result<()> {
    assert_eq!(reply.get_i32("code")?, 91, "{reply}");
    assert_eq!(reply.get_str("codeName")?, "ShutdownInProgress");
    assert_eq!(reply.get_str("errmsg")?, "The server is in quiesce mode and will shut down");
    assert!((1..=600_000).contains(&reply.get_i64("remainingQuiesceTimeMillis")?), "{reply}");
    assert!(reply.contains_key("topologyVersion"), "{reply}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secondary_that_ends_refuses_hello_and_goes_on_with_all_else() -> anyhow::Result<()> {
    let set = set_that_ends_slowly("quiesce").await?;
    let primary = set.primary().await?;
    let ending = (primary + 1) % 3;
    let mut standing = connect(&set.members[ending]).await?;
    let mut awaiting = connect(&set.members[ending]).await?;
    let waiting = tokio::spawn(async move {
        let mut known = ask(&mut awaiting, hello()).await?;
        // What else moves the topology is waited through: only the end answers with a refusal.
        while mongosim::error::is_ok(&known) {
            let mut next = hello();
            next.insert("topologyVersion", known.get_document("topologyVersion")?.clone());
            next.insert("maxAwaitTimeMS", 10_000_i64);
            known = ask(&mut awaiting, next).await?;
        }
        anyhow::Ok(known)
    });
    set.members[ending].begin_stop();
    let woken = tokio::time::timeout(Duration::from_secs(5), waiting).await???;
    assert_quiescing(&woken)?;
    assert_quiescing(&ask(&mut standing, hello()).await?)?;
    assert_quiescing(&ask(&mut connect(&set.members[ending]).await?, hello()).await?)?;

    // It follows, it answers heartbeats, and it is read from.
    let everywhere =
        doc! { "insert": "c", "documents": [{ "_id": 1 }], "writeConcern": { "w": 3, "wtimeout": 15_000 } };
    let written = client(&set.members[primary].uri()).await?.database("test").run_command(everywhere).await?;
    assert!(!written.contains_key("writeConcernError"), "{written}");
    let read = doc! { "find": "c", "$readPreference": { "mode": "nearest" }, "$db": "test" };
    let found = ask(&mut standing, read).await?;
    assert_eq!(found.get_document("cursor")?.get_array("firstBatch")?.len(), 1, "{found}");
    assert_eq!(seen_by(&set.members[primary], ending).await, Some((2, 1.0)));
    assert!(!set.members[ending].has_ended());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_ends_hands_over_before_it_quiesces() -> anyhow::Result<()> {
    let set = set_that_ends_slowly("handover").await?;
    let old = set.primary().await?;
    let mut standing = connect(&set.members[old]).await?;
    set.members[old].begin_stop();
    set.primary_among(&set.others(old)).await?;
    assert_quiescing(&ask(&mut standing, hello()).await?)?;
    let insert = doc! { "insert": "c", "documents": [{ "_id": 1 }], "$db": "test" };
    assert_eq!(ask(&mut standing, insert).await?.get_i32("code")?, 10107);
    assert!(!set.members[old].has_ended());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_closed_when_the_time_is_over() -> anyhow::Result<()> {
    let mut set = Set::up("over", 3).await?;
    let ending = (set.primary().await? + 1) % 3;
    let mut standing = connect(&set.members[ending]).await?;
    let began = Instant::now();
    set.members[ending].stop();
    assert!(began.elapsed() >= Duration::from_millis(250), "{:?}", began.elapsed());
    assert!(ask(&mut standing, hello()).await.is_err());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_by_command_needs_a_successor_unless_it_is_forced() -> anyhow::Result<()> {
    let set = Set::up("command", 3).await?;
    let primary = set.primary().await?;
    let end = |more: Document| {
        let mut command = doc! { "shutdown": 1, "timeoutSecs": 1 };
        command.extend(more);
        command
    };
    for other in set.others(primary) {
        let hold = doc! { "configureFailPoint": "stopReplProducer", "mode": "alwaysOn" };
        run(&set.members[other], hold).await?;
    }
    let behind = doc! { "insert": "c", "documents": [{ "_id": 1 }], "writeConcern": { "w": 1 } };
    client(&set.members[primary].uri()).await?.database("test").run_command(behind).await?;
    assert_eq!(code(&set.members[primary], end(doc! {})).await, 262, "nobody has caught up");
    assert_eq!(set.primary_among(&[primary]).await?, primary, "it leads on");
    // There is no answer: the server is gone.
    assert_eq!(code(&set.members[primary], end(doc! { "force": true })).await, -1);
    eventually("the server to have ended", async || set.members[primary].has_ended()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_whose_data_are_removed_ends() -> anyhow::Result<()> {
    let mut set = Set::up("gone", 3).await?;
    let gone = (set.primary().await? + 1) % 3;
    std::fs::remove_dir_all(set.dir.path().join(gone.to_string()))?;
    eventually("the server to have ended", async || set.members[gone].has_ended()).await?;
    set.members[gone].kill();
    set.members[gone].start()?;
    // Nothing stands between it and its old name: it comes back, empty, as the voter that it was.
    eventually("it to be copied anew", async || {
        run(&set.members[gone], doc! { "hello": 1 }).await.is_ok_and(|h| h.get_bool("secondary").unwrap_or(false))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn before_5_0_there_is_no_quiesce_mode() -> anyhow::Result<()> {
    let mut set = Set::fresh_with("old", 3, &[SLOW_END, "serverVersion=4.4"])?;
    set.initiate(support::fast_settings()).await?;
    let ending = (set.primary().await? + 1) % 3;
    let began = Instant::now();
    set.members[ending].stop();
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    Ok(())
}
