//! Sessions: writes that are sent twice are done once, wherever the second one arrives; reads see own writes.

use std::{sync::Arc, time::Duration};

use crate::support::{self, Set, client, eventually, run};
use bson::{Binary, Document, doc, spec::BinarySubtype};
use mongodb::{
    Client,
    options::{ReadPreference, SelectionCriteria, SessionOptions, WriteConcern},
};
use mongosim::{
    net::PeerPool,
    testing::{Member, member_args},
};

const LIMIT: Duration = Duration::from_secs(20);

fn session(number: u8) -> Document {
    doc! { "id": Binary { subtype: BinarySubtype::Uuid, bytes: vec![number; 16] } }
}

/// A batch of inserts as a driver sends it that may send it again.
fn inserts(session: u8, txn_number: i64, ids: std::ops::Range<i32>) -> Document {
    let documents: Vec<Document> = ids.map(|id| doc! { "_id": id }).collect();
    doc! {
        "insert": "c",
        "documents": documents,
        "lsid": self::session(session),
        "txnNumber": txn_number,
        "writeConcern": { "w": "majority" },
    }
}

fn increment(session: u8, txn_number: i64, w: &str) -> Document {
    let concern = if w == "1" {
        doc! { "w": 1 }
    } else {
        doc! { "w": w }
    };
    doc! {
        "update": "counters",
        "updates": [{ "q": { "_id": "n" }, "u": { "$inc": { "n": 1 } }, "upsert": true }],
        "lsid": self::session(session),
        "txnNumber": txn_number,
        "writeConcern": concern,
    }
}

/// Sends a command as it is: a driver would put a session of its own in.
async fn on(member: &Member, mut command: Document) -> anyhow::Result<Document> {
    command.insert("$db", "test");
    let reply = PeerPool::new(None, None, Arc::default()).command(&member.host(), &command, LIMIT).await?;
    anyhow::ensure!(mongosim::error::is_ok(&reply), "{reply}");
    Ok(reply)
}

async fn counter(member: &Member) -> anyhow::Result<i64> {
    let find = doc! { "find": "counters", "filter": { "_id": "n" }, "$readPreference": { "mode": "nearest" } };
    let reply = on(member, find).await?;
    let found =
        reply.get_document("cursor")?.get_array("firstBatch")?.first().and_then(|d| d.as_document().cloned());
    Ok(found.map_or(0, |d| d.get_i32("n").map(i64::from).or_else(|_| d.get_i64("n")).unwrap_or(0)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_sent_twice_is_done_once_on_every_later_primary() -> anyhow::Result<()> {
    let mut set = Set::calm("twice", 3).await?;
    let primary = 0;
    assert_eq!(on(&set.members[primary], inserts(1, 7, 0..300)).await?.get_i32("n")?, 300);
    on(&set.members[primary], increment(2, 1, "majority")).await?;
    let again = on(&set.members[primary], inserts(1, 7, 0..300)).await?;
    assert_eq!((again.get_i32("n")?, again.get_array("retriedStmtIds")?.len()), (300, 300));

    // Another primary knows it as well,
    set.members[primary].kill();
    let next = set.others(primary)[0];
    set.hand_over_to(next).await?;
    let again = on(&set.members[next], inserts(1, 7, 0..300)).await?;
    assert!(again.get("writeErrors").is_none() && again.get_i32("n")? == 300, "{again}");
    on(&set.members[next], increment(2, 1, "majority")).await?;
    assert_eq!(counter(&set.members[next]).await?, 1);

    // and so does one that has copied everything anew.
    std::fs::remove_dir_all(set.dir.path().join(primary.to_string()))?;
    set.members[primary].start()?;
    set.all_secondary().await?;
    set.hand_over_to(primary).await?;
    on(&set.members[primary], increment(2, 1, "majority")).await?;
    assert_eq!(counter(&set.members[primary]).await?, 1);
    let again = on(&set.members[primary], inserts(1, 7, 0..300)).await?;
    assert!(again.get("writeErrors").is_none() && again.get_i32("n")? == 300, "{again}");

    // A session that has gone on does not go back, and a longer batch leaves nothing of itself to the next.
    on(&set.members[primary], inserts(1, 8, 300..302)).await?;
    let old = on(&set.members[primary], inserts(1, 7, 0..300)).await?;
    assert_eq!(
        old.get_array("writeErrors")?.first().and_then(|e| e.as_document()?.get_i32("code").ok()),
        Some(225)
    );
    let fresh = on(&set.members[primary], inserts(1, 9, 302..310)).await?;
    assert!(fresh.get("retriedStmtIds").is_none() && fresh.get_i32("n")? == 8, "{fresh}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_was_taken_back_is_done_when_it_is_sent_again() -> anyhow::Result<()> {
    let set = Set::up("undone", 3).await?;
    let primary = set.primary().await?;
    on(&set.members[primary], increment(3, 1, "majority")).await?;
    set.diverge(primary, async || {
        on(&set.members[primary], increment(3, 2, "1")).await?;
        assert_eq!(counter(&set.members[primary]).await?, 2);
        Ok(())
    })
    .await?;
    set.successor(primary).await?;
    set.heal();
    eventually("the write to be taken back", async || counter(&set.members[primary]).await.is_ok_and(|n| n == 1))
        .await?;
    let leads = async || {
        set.all_secondary().await.is_ok()
            && run(&set.members[primary], doc! { "replSetStepUp": 1 }).await.is_ok()
            && set.primary_among(&[primary]).await.is_ok()
    };
    eventually("the old primary to lead again", leads).await?;
    for _ in 0..2 {
        on(&set.members[primary], increment(3, 2, "majority")).await?;
    }
    assert_eq!(counter(&set.members[primary]).await?, 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_reads_its_own_writes_on_secondaries() -> anyhow::Result<()> {
    let set = Set::up("causal", 3).await?;
    let driver: Client = set.client().await?;
    let c = driver.database("test").collection::<Document>("c");
    let causal = SessionOptions::builder().causal_consistency(true).build();
    let mut session = driver.start_session().with_options(causal).await?;
    let secondary = SelectionCriteria::ReadPreference(ReadPreference::Secondary { options: None });
    for id in 0..100 {
        let w1 = WriteConcern::builder().w(mongodb::options::Acknowledgment::Nodes(1)).build();
        c.insert_one(doc! { "_id": id }).write_concern(w1).session(&mut session).await?;
        let found =
            c.find_one(doc! { "_id": id }).selection_criteria(secondary.clone()).session(&mut session).await?;
        assert!(found.is_some(), "own write {id} is not there");
    }
    assert!(session.operation_time().is_some() && session.cluster_time().is_some());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_was_never_given_out_is_refused() -> anyhow::Result<()> {
    let dir = tempfile::TempDir::new()?;
    let alone = Member::spawn(member_args("ahead", dir.path()))?;
    let config = doc! { "_id": "ahead", "version": 1, "members": [{ "_id": 0, "host": alone.host() }] };
    run(&alone, doc! { "replSetInitiate": config }).await?;
    eventually("a primary", async || {
        run(&alone, doc! { "hello": 1 }).await.is_ok_and(|h| h.get_bool("isWritablePrimary").unwrap_or(false))
    })
    .await?;
    let read = |time: u32| {
        let after = bson::Timestamp { time, increment: 9 };
        doc! { "find": "c", "readConcern": { "afterClusterTime": after } }
    };
    let now = u32::try_from(bson::DateTime::now().timestamp_millis() / 1000)?;
    let moved = on(&alone, read(now + 2)).await?;
    assert!(moved.get_timestamp("operationTime")?.time >= now + 2, "{moved}");
    let refused = client(&alone.uri()).await?.database("test").run_command(read(now + 1000)).await;
    assert_eq!(support::code_of(&refused.unwrap_err()), 72);
    Ok(())
}
