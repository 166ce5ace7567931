//! How members come by their data: copies of all of it, an oplog that is too short, a history that is taken back.

use std::time::{Duration, Instant};

use crate::support::{self, Set, client, eventually, run};
use bson::{Bson, Document, doc};
use mongosim::testing::{Member, member_args};
use tempfile::TempDir;

const MIB: usize = 1024 * 1024;

/// A member's state by the set's protocol: 1 primary, 2 secondary, 3 recovering, 5 copying.
async fn state(member: &Member) -> i32 {
    run(member, doc! { "replSetGetStatus": 1 }).await.ok().and_then(|s| s.get_i32("myState").ok()).unwrap_or(-1)
}

/// Documents of a collection as one member has them.
async fn count(member: &Member, collection: &str) -> i64 {
    let Ok(driver) = client(&member.uri()).await else { return -1 };
    let command = doc! { "count": collection, "$readPreference": { "mode": "nearest" } };
    let reply = driver.database("test").run_command(command).await;
    reply.ok().and_then(|r| r.get_i32("n").ok()).map_or(-1, i64::from)
}

/// Inserts documents of 10 KiB under `_id`s from `from` on.
async fn fill(driver: &mongodb::Client, from: i64, count: i64) -> anyhow::Result<()> {
    let filling = "x".repeat(10 * 1024);
    let c = driver.database("test").collection::<Document>("bulk");
    let ids: Vec<i64> = (from..from + count).collect();
    for batch in ids.chunks(500) {
        c.insert_many(batch.iter().map(|id| doc! { "_id": *id, "filling": &filling })).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_megabytes_are_copied_under_writes() -> anyhow::Result<()> {
    let mut set = Set::up("copy", 1).await?;
    let driver = client(&set.members[0].uri()).await?;
    let began = Instant::now();
    let documents = (100 * MIB / (10 * 1024)) as i64;
    fill(&driver, 0, documents).await?;
    let filled = began.elapsed();
    let writing = tokio::spawn({
        let c = driver.database("test").collection::<Document>("bulk");
        async move {
            let mut written = 0_i64;
            loop {
                c.insert_one(doc! { "_id": format!("w{written}") }).await?;
                c.update_one(doc! { "_id": written }, doc! { "$set": { "touched": true } }).await?;
                c.delete_one(doc! { "_id": documents - 1 - written }).await?;
                written += 1;
                if written == 1000 {
                    return mongodb::error::Result::Ok(written);
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    });
    let joining = Member::spawn(member_args("copy", &set.dir.path().join("1")))?;
    let mut config = run(&set.members[0], doc! { "replSetGetConfig": 1 }).await?.get_document("config")?.clone();
    config.insert("version", config.get_i32("version")? + 1);
    config
        .get_array_mut("members")?
        .push(doc! { "_id": 1, "host": joining.host(), "votes": 0, "priority": 0 }.into());
    let began = Instant::now();
    run(&set.members[0], doc! { "replSetReconfig": config, "maxTimeMS": 10_000 }).await?;
    set.members.push(joining);
    // It ends a copy that hangs: how long one takes is the machine's.
    let limit = Duration::from_mins(10);
    while state(&set.members[1]).await != 2 {
        anyhow::ensure!(began.elapsed() < limit, "the copy took more than {limit:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let copied = began.elapsed();
    let was_writing = !writing.is_finished();
    let written = writing.await??;
    let of = async |member: &Member| {
        let direct = client(&member.uri()).await?;
        let find = doc! { "find": "bulk", "filter": { "touched": true }, "projection": { "_id": 1 }, "sort": { "_id": 1 }, "batchSize": 2000, "$readPreference": { "mode": "nearest" } };
        let reply = direct.database("test").run_command(find).await?;
        anyhow::Ok(reply.get_document("cursor")?.get_array("firstBatch")?.len() as i64)
    };
    assert_eq!(of(&set.members[0]).await?, written);
    eventually("the copy to follow", async || {
        count(&set.members[1], "bulk").await == documents
            && of(&set.members[1]).await.is_ok_and(|touched| touched == written)
    })
    .await?;
    println!(
        "100 MiB written in {:.1} s, copied in {:.1} s{}",
        filled.as_secs_f64(),
        copied.as_secs_f64(),
        if was_writing { ", under writes to its end" } else { "" }
    );
    Ok(())
}

/// A set whose members have oplogs of 1 MiB.
async fn with_short_oplogs(name: &str) -> anyhow::Result<Set> {
    let dir = TempDir::new()?;
    let members = (0..3)
        .map(|i| {
            let mut args = support::args(name, &dir.path().join(i.to_string()));
            args.oplog_size = Some(1);
            Member::spawn(args)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let set = Set { name: name.to_owned(), members, dir };
    set.initiate(support::fast_settings()).await?;
    Ok(set)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_behind_the_oplog_is_recovering_until_it_is_copied_anew() -> anyhow::Result<()> {
    let mut set = with_short_oplogs("stale").await?;
    let driver = set.client().await?;
    fill(&driver, 0, 10).await?;
    let primary = set.primary().await?;
    let late = (0..3).find(|i| *i != primary).unwrap();
    set.members[late].kill();
    fill(&driver, 1000, 400).await?;
    let local = client(&set.members[primary].uri()).await?.database("local");
    eventually("the oplog to be cut off", async || {
        let stats = local.run_command(doc! { "collStats": "oplog.rs" }).await;
        stats.is_ok_and(|s| {
            s.get_i64("maxSize").ok() == Some(MIB as i64) && s.get_i64("size").is_ok_and(|size| size <= MIB as i64)
        })
    })
    .await?;

    set.members[late].start()?;
    eventually("the member to be recovering", async || state(&set.members[late]).await == 3).await?;
    // Neither time nor a new start help.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(state(&set.members[late]).await, 3);
    set.members[late].kill();
    set.members[late].start()?;
    eventually("the member to be recovering again", async || state(&set.members[late]).await == 3).await?;
    let direct = client(&set.members[late].uri()).await?;
    let read = direct.database("test").run_command(doc! { "count": "bulk" }).await;
    assert_eq!(support::code_of(&read.unwrap_err()), 13436);
    eventually("the primary to see it", async || {
        let status = run(&set.members[primary], doc! { "replSetGetStatus": 1 }).await;
        let seen = status.ok().and_then(|s| Some(s.get_array("members").ok()?[late].as_document()?.clone()));
        seen.is_some_and(|member| member.get_str("stateStr").ok() == Some("RECOVERING"))
    })
    .await?;

    set.members[late].kill();
    std::fs::remove_dir_all(set.dir.path().join(late.to_string()))?;
    set.members[late].start()?;
    eventually("the member to serve again", async || state(&set.members[late]).await == 2).await?;
    eventually("everything on it", async || count(&set.members[late], "bulk").await == 410).await
}

#[tokio::test(flavor = "multi_thread")]
async fn uncommitted_entries_stay_beyond_the_oplogs_size() -> anyhow::Result<()> {
    let mut set = with_short_oplogs("pinned").await?;
    let driver = set.client().await?;
    fill(&driver, 0, 10).await?;
    let primary = set.primary().await?;
    // Nobody confirms these: their undoing needs all of them.
    let alone = client(&set.members[primary].uri()).await?.database("test");
    let filling = "x".repeat(10 * 1024);
    set.diverge(primary, async || {
        for batch in 0..8 {
            let documents: Vec<Document> =
                (0..50).map(|i| doc! { "_id": 5000 + batch * 50 + i, "filling": &filling }).collect();
            let insert = doc! { "insert": "bulk", "documents": documents, "writeConcern": { "w": 1 } };
            alone.run_command(insert).await?;
        }
        Ok(())
    })
    .await?;
    assert_eq!(count(&set.members[primary], "bulk").await, 410);
    set.successor(primary).await?;
    set.heal();
    eventually("the old primary to have taken them back", async || {
        state(&set.members[primary]).await == 2 && count(&set.members[primary], "bulk").await == 10
    })
    .await?;
    let kept = rolled_back(&set, primary, "test.bulk")?;
    assert_eq!(kept.len(), 400);
    set.members.clear();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_went_its_own_way_and_fell_behind_keeps_what_it_has() -> anyhow::Result<()> {
    let set = with_short_oplogs("own").await?;
    fill(&set.client().await?, 0, 10).await?;
    let primary = set.primary().await?;
    let alone = client(&set.members[primary].uri()).await?;
    let insert = doc! { "insert": "bulk", "documents": [{ "_id": 7777 }], "writeConcern": { "w": 1 } };
    set.diverge(primary, async || Ok(alone.database("test").run_command(insert).await.map(drop)?)).await?;
    let next = set.successor(primary).await?;
    fill(&client(&set.members[next].uri()).await?, 1000, 400).await?;
    set.heal();
    eventually("the old primary to be recovering", async || state(&set.members[primary]).await == 3).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(state(&set.members[primary]).await, 3);
    let find = doc! { "find": "oplog.rs", "filter": { "o._id": 7777 }, "$readPreference": { "mode": "nearest" } };
    let found = alone.database("local").run_command(find).await?;
    assert_eq!(found.get_document("cursor")?.get_array("firstBatch")?.len(), 1, "{found}");
    Ok(())
}

/// The documents that a member has taken back, from the files below its data directory.
fn rolled_back(set: &Set, member: usize, ns: &str) -> anyhow::Result<Vec<Document>> {
    let mut documents = Vec::new();
    for file in std::fs::read_dir(set.dir.path().join(member.to_string()).join("rollback").join(ns))? {
        let path = file?.path();
        assert_eq!(path.extension().and_then(|e| e.to_str()), Some("bson"), "{}", path.display());
        let bytes = std::fs::read(path)?;
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            documents.push(Document::from_reader(&mut rest)?);
        }
    }
    Ok(documents)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rolled_back_is_kept_and_majority_reads_never_saw_it() -> anyhow::Result<()> {
    let set = Set::up("back", 3).await?;
    let driver = set.client().await?;
    let c = driver.database("test").collection::<Document>("c");
    c.insert_many([doc! { "_id": 1, "v": "old" }, doc! { "_id": 2, "v": "stays" }]).await?;
    let primary = set.primary().await?;
    let alone = client(&set.members[primary].uri()).await?.database("test");
    let read = |level: &str| {
        doc! { "find": "c", "sort": { "_id": 1 }, "readConcern": { "level": level }, "$readPreference": { "mode": "nearest" } }
    };
    let rows = async |level: &str| -> anyhow::Result<Vec<Bson>> {
        Ok(alone.run_command(read(level)).await?.get_document("cursor")?.get_array("firstBatch")?.clone())
    };
    let committed: Vec<Bson> = vec![doc! { "_id": 1, "v": "old" }.into(), doc! { "_id": 2, "v": "stays" }.into()];
    set.diverge(primary, async || {
        let w1 = doc! { "w": 1 };
        for write in [
            doc! { "insert": "c", "documents": [{ "_id": 3, "v": "lost" }], "writeConcern": w1.clone() },
            doc! { "update": "c", "updates": [{ "q": { "_id": 1 }, "u": { "$set": { "v": "lost" } } }], "writeConcern": w1.clone() },
            doc! { "delete": "c", "deletes": [{ "q": { "_id": 2 }, "limit": 1 }], "writeConcern": w1 },
        ] {
            assert_eq!(alone.run_command(write.clone()).await?.get_i32("n")?, 1, "{write}");
        }
        assert_eq!(rows("majority").await?, committed);
        assert_eq!(
            rows("local").await?,
            [Bson::from(doc! { "_id": 1, "v": "lost" }), doc! { "_id": 3, "v": "lost" }.into()]
        );
        Ok(())
    })
    .await?;
    set.successor(primary).await?;
    set.heal();
    eventually("the old primary to follow", async || {
        state(&set.members[primary]).await == 2 && rows("local").await.is_ok_and(|rows| rows == committed)
    })
    .await?;
    let mut kept = rolled_back(&set, primary, "test.c")?;
    kept.sort_by_key(|d| d.get_i32("_id").unwrap_or(0));
    assert_eq!(kept, [doc! { "_id": 1, "v": "lost" }, doc! { "_id": 3, "v": "lost" }]);
    Ok(())
}
