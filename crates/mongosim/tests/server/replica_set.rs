//! A replica set as an unmodified driver sees it.

use crate::support::{self, Set, code, eventually};
use bson::doc;
use mongodb::bson::Document;

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_node_has_no_role_and_takes_no_writes() -> anyhow::Result<()> {
    let set = Set::fresh("fresh", 1)?;
    for command in [doc! { "replSetStepDown": 10 }, doc! { "replSetFreeze": 10 }] {
        assert_eq!(code(&set.members[0], command).await, 94);
    }
    assert_eq!(code(&set.members[0], doc! { "insert": "c", "documents": [{ "_id": 1 }] }).await, 10107);
    assert_eq!(code(&set.members[0], doc! { "noSuchCommand": 1 }).await, 59);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn majority_writes_are_read_everywhere() -> anyhow::Result<()> {
    let set = Set::up("crud", 3).await?;
    let client = set.client().await?;
    let c = client.database("test").collection::<Document>("c");
    c.insert_many((0..250).map(|i| doc! { "_id": i, "n": i % 5 })).await?;
    assert_eq!(c.count_documents(doc! { "n": 3 }).await?, 50);
    c.update_one(doc! { "_id": 7 }, doc! { "$set": { "n": 99 } }).await?;
    c.delete_one(doc! { "_id": 8 }).await?;
    let upserted = c.update_one(doc! { "_id": 1000 }, doc! { "$inc": { "n": 1 } }).upsert(true).await?;
    assert!(upserted.upserted_id.is_some());
    let changed = c.find_one_and_update(doc! { "_id": 9 }, doc! { "$set": { "n": -1 } }).await?;
    assert_eq!(changed, Some(doc! { "_id": 9, "n": 4 }));
    let error = c.insert_one(doc! { "_id": 7 }).await.unwrap_err();
    assert_eq!(support::code_of(&error), 11000);
    let mut cursor = c.find(doc! { "n": { "$gte": 0 } }).sort(doc! { "_id": -1 }).batch_size(20).await?;
    let mut seen = Vec::new();
    while cursor.advance().await? {
        seen.push(cursor.deserialize_current()?.get_i32("_id")?);
    }
    assert_eq!((seen.len(), seen[0]), (249, 1000));
    assert!(seen.windows(2).all(|pair| pair[0] > pair[1]));
    for member in &set.members {
        eventually("the documents on every member", async || {
            let find = doc! { "count": "c", "$readPreference": { "mode": "nearest" } };
            let client = support::client(&member.uri()).await;
            match client {
                Ok(client) => client
                    .database("test")
                    .run_command(find)
                    .await
                    .is_ok_and(|reply| reply.get_i32("n").ok() == Some(250)),
                Err(_) => false,
            }
        })
        .await?;
    }
    Ok(())
}
