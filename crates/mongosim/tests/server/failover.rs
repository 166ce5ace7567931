//! Elections, step-downs, partitions, crashes: nothing acknowledged is lost.

use std::time::{Duration, Instant};

use crate::support::{Set, client, code, eventually, run};
use anyhow::Context;
use bson::doc;
use futures::TryStreamExt;
use mongodb::{Client, bson::Document};
use mongosim::testing::{Member, member_args};
use tokio::sync::watch;

/// For what takes an election and some writes.
const LIMIT: Duration = Duration::from_secs(30);

/// Writes with majority until told to stop; the ids that were acknowledged.
struct Writers {
    acknowledged: watch::Receiver<usize>,
    tasks: Vec<tokio::task::JoinHandle<Vec<i64>>>,
}

impl Writers {
    fn start(client: &Client, count: i64) -> Self {
        let (counter, acknowledged) = watch::channel(0);
        let tasks = (0..count)
            .map(|writer| {
                let c = client.database("test").collection::<Document>("history");
                let counter = counter.clone();
                tokio::spawn(async move {
                    let mut acknowledged = Vec::new();
                    let mut next = writer << 32;
                    while !counter.is_closed() {
                        if c.insert_one(doc! { "_id": next, "writer": writer }).await.is_ok() {
                            acknowledged.push(next);
                            counter.send_modify(|n| *n += 1);
                        }
                        next += 1;
                    }
                    acknowledged
                })
            })
            .collect();
        Self { acknowledged, tasks }
    }

    /// Waits until some more writes are acknowledged.
    async fn writes_on(&mut self) -> anyhow::Result<()> {
        let more = *self.acknowledged.borrow() + 10;
        let written = self.acknowledged.wait_for(|count| *count >= more);
        tokio::time::timeout(LIMIT, written).await.context("no writes were acknowledged")??;
        Ok(())
    }

    async fn finish(self) -> anyhow::Result<Vec<i64>> {
        drop(self.acknowledged);
        let mut all = Vec::new();
        for task in self.tasks {
            all.extend(task.await?);
        }
        Ok(all)
    }
}

async fn stored(client: &Client) -> anyhow::Result<std::collections::BTreeSet<i64>> {
    let c = client.database("test").collection::<Document>("history");
    let found: Vec<Document> =
        c.find(doc! {}).read_concern(mongodb::options::ReadConcern::majority()).await?.try_collect().await?;
    Ok(found.iter().filter_map(|d| d.get_i64("_id").ok()).collect())
}

async fn assert_nothing_lost(client: &Client, acknowledged: &[i64]) -> anyhow::Result<()> {
    let stored = stored(client).await?;
    let lost: Vec<&i64> = acknowledged.iter().filter(|id| !stored.contains(id)).collect();
    assert!(lost.is_empty(), "{} of {} lost: {lost:?}", lost.len(), acknowledged.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_primaries_loses_nothing() -> anyhow::Result<()> {
    let mut set = Set::up("kill", 3).await?;
    let client = set.client().await?;
    let mut writers = Writers::start(&client, 4);
    for _ in 0..3 {
        writers.writes_on().await?;
        let primary = set.primary().await?;
        set.members[primary].kill();
        set.primary_among(&set.others(primary)).await?;
        set.members[primary].start()?;
        set.all_secondary().await?;
    }
    writers.writes_on().await?;
    let acknowledged = writers.finish().await?;
    assert_nothing_lost(&client, &acknowledged).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_down_hands_over_and_holds() -> anyhow::Result<()> {
    let set = Set::up("handover", 3).await?;
    let client = set.client().await?;
    let mut writers = Writers::start(&client, 2);
    writers.writes_on().await?;
    let primary = set.primary().await?;
    let began = Instant::now();
    assert_eq!(
        code(&set.members[primary], doc! { "replSetStepDown": 5, "secondaryCatchUpPeriodSecs": 10 }).await,
        2
    );
    run(&set.members[primary], doc! { "replSetStepDown": 30 }).await?;
    let next = set.primary().await?;
    assert_ne!(next, primary);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(code(&set.members[primary], doc! { "replSetStepDown": 30 }).await, 10107);
    writers.writes_on().await?;
    let acknowledged = writers.finish().await?;
    assert_nothing_lost(&client, &acknowledged).await
}

/// Writes that are under way when a step-down begins belong to what the next primary must hold: else they are rolled
/// back, or its election fails and takes another. Large writes are under way for long.
#[tokio::test(flavor = "multi_thread")]
async fn every_hand_over_under_load_takes_one_election() -> anyhow::Result<()> {
    let set = Set::fresh("load", 3)?;
    // Nobody stands by itself: a member that applies a large batch, or waits for the processor, is late with
    // everything.
    set.initiate(doc! { "electionTimeoutMillis": 8000 }).await?;
    let collection = set.client().await?.database("test").collection::<Document>("large");
    let (count, mut written) = watch::channel(0);
    let writer = tokio::spawn(async move {
        let text = "x".repeat(1_000);
        while !count.is_closed() {
            let many = (0..2_000).map(|_| doc! { "text": &text });
            if collection.insert_many(many).await.is_ok() {
                count.send_modify(|n| *n += 1);
            }
        }
    });
    let term = async |member: &Member| {
        let status = run(member, doc! { "replSetGetStatus": 1 }).await?;
        anyhow::Ok(status.get_i64("term")?)
    };
    for i in 0..8 {
        let primary = set.primary().await?;
        set.all_secondary().await?;
        let before = term(&set.members[primary]).await?;
        let more = *written.borrow() + 1;
        written.wait_for(|count| *count >= more).await?;
        tokio::time::sleep(Duration::from_millis(5 * i)).await;
        run(&set.members[primary], doc! { "replSetStepDown": 60, "secondaryCatchUpPeriodSecs": 10 }).await?;
        let next = set.primary().await?;
        // It may lead again.
        run(&set.members[primary], doc! { "replSetFreeze": 0 }).await?;
        assert_eq!(term(&set.members[next]).await?, before + 1);
        set.all_secondary().await?;
        written.wait_for(|count| *count > more).await?;
        assert!(!set.dir.path().join(primary.to_string()).join("rollback").exists());
    }
    drop(written);
    Ok(writer.await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_isolated_primary_steps_down_and_its_extra_writes_are_rolled_back() -> anyhow::Result<()> {
    let set = Set::up("isolated", 3).await?;
    let driver = set.client().await?;
    let old = set.primary().await?;
    let c = driver.database("test").collection::<Document>("c");
    c.insert_one(doc! { "_id": 1, "from": "both" }).await?;
    let direct = client(&set.members[old].uri()).await?;
    set.diverge(old, async || {
        let lonely =
            doc! { "insert": "c", "documents": [{ "_id": 2, "from": "minority" }], "writeConcern": { "w": 1 } };
        direct.database("test").run_command(lonely).await?;
        let changed = doc! { "update": "c", "updates": [{ "q": { "_id": 1 }, "u": { "$set": { "from": "minority" } } }], "writeConcern": { "w": 1 } };
        direct.database("test").run_command(changed).await?;
        let committed = doc! { "find": "c", "readConcern": { "level": "majority" } };
        let seen = direct.database("test").run_command(committed).await?;
        let batch = seen.get_document("cursor")?.get_array("firstBatch")?.clone();
        assert_eq!(batch, vec![mongodb::bson::Bson::Document(doc! { "_id": 1, "from": "both" })]);
        Ok(())
    })
    .await?;
    let new = set.successor(old).await?;
    eventually("the old primary to step down", async || {
        run(&set.members[old], doc! { "hello": 1 })
            .await
            .is_ok_and(|h| !h.get_bool("isWritablePrimary").unwrap_or(true))
    })
    .await?;
    let on_new = client(&set.members[new].uri()).await?;
    on_new.database("test").collection::<Document>("c").insert_one(doc! { "_id": 3, "from": "majority" }).await?;
    set.heal();
    eventually("the old primary to follow the new history", async || {
        let find = doc! { "find": "c", "sort": { "_id": 1 }, "$readPreference": { "mode": "nearest" } };
        let Ok(found) = direct.database("test").run_command(find).await else { return false };
        let expected = vec![
            mongodb::bson::Bson::Document(doc! { "_id": 1, "from": "both" }),
            mongodb::bson::Bson::Document(doc! { "_id": 3, "from": "majority" }),
        ];
        found.get_document("cursor").and_then(|c| c.get_array("firstBatch")).is_ok_and(|batch| *batch == expected)
    })
    .await?;
    let kept = set.dir.path().join(old.to_string()).join("rollback").join("test.c");
    assert!(kept.is_dir(), "rolled-back documents are kept in {}", kept.display());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_joins_under_writes_and_then_votes() -> anyhow::Result<()> {
    let mut set = Set::up("join", 1).await?;
    let driver = client(&set.members[0].uri()).await?;
    let mut writers = Writers::start(&driver, 2);
    for id in 1..3 {
        writers.writes_on().await?;
        let joining = Member::spawn(member_args(&set.name, &set.dir.path().join(id.to_string())))?;
        let reply = run(&set.members[0], doc! { "replSetGetConfig": 1 }).await?;
        let mut config = reply.get_document("config")?.clone();
        config.insert("version", config.get_i32("version")? + 1);
        config.get_array_mut("members")?.push(doc! { "_id": id, "host": joining.host() }.into());
        run(&set.members[0], doc! { "replSetReconfig": config, "maxTimeMS": 10_000 }).await?;
        set.members.push(joining);
        eventually("the new member to vote", async || {
            let status = run(&set.members[0], doc! { "replSetGetStatus": 1 }).await;
            status.is_ok_and(|s| s.get_i32("votingMembersCount").ok() == Some(id + 1))
        })
        .await?;
    }
    set.all_secondary().await?;
    writers.writes_on().await?;
    let acknowledged = writers.finish().await?;
    assert_nothing_lost(&driver, &acknowledged).await?;
    let kept = acknowledged.len() as i32;
    for member in &set.members[1..] {
        eventually("everything on the new member", async || {
            let Ok(direct) = client(&member.uri()).await else { return false };
            let count = doc! { "count": "history", "$readPreference": { "mode": "nearest" } };
            direct.database("test").run_command(count).await.is_ok_and(|r| r.get_i32("n").is_ok_and(|n| n >= kept))
        })
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_hand_over_of_a_rolling_restart_is_quicker_than_an_election() -> anyhow::Result<()> {
    let mut set = Set::fresh("rolling", 3)?;
    set.initiate(doc! { "electionTimeoutMillis": 8000 }).await?;
    let client = set.client().await?;
    let mut writers = Writers::start(&client, 4);
    for _ in 0..2 {
        let mut outdated: std::collections::BTreeSet<usize> = (0..3).collect();
        while !outdated.is_empty() {
            let primary = set.primary().await?;
            let next = outdated.iter().copied().find(|i| *i != primary).unwrap_or(primary);
            if next == primary {
                let began = Instant::now();
                run(&set.members[primary], doc! { "replSetStepDown": 60, "secondaryCatchUpPeriodSecs": 10 })
                    .await?;
                let successor = set.primary_among(&set.others(primary)).await?;
                println!("from {primary} to {successor}: {} ms", began.elapsed().as_millis());
                assert!(began.elapsed() < Duration::from_secs(4), "an election after a timeout, and no hand-over");
            }
            set.members[next].stop();
            set.members[next].start()?;
            set.all_secondary().await?;
            writers.writes_on().await?;
            outdated.remove(&next);
        }
    }
    let acknowledged = writers.finish().await?;
    assert_nothing_lost(&client, &acknowledged).await
}
