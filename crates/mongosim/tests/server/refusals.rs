//! What is not implemented is refused, by the server's own codes.

use crate::support::{self, Set, client, code_of, run};
use bson::{Bson, Document, doc};

/// Database, command, and the code of its refusal.
fn refusals() -> Vec<(&'static str, Document, i32)> {
    let update = |u: Bson| doc! { "update": "c", "updates": [{ "q": {}, "u": u }] };
    let find = |filter: Document| doc! { "find": "c", "filter": filter };
    let aggregate = |stage: Document| doc! { "aggregate": "c", "pipeline": [stage], "cursor": {} };
    let index = |index: Document| doc! { "createIndexes": "c", "indexes": [index] };
    vec![
        // CommandNotFound
        ("admin", doc! { "nosuch": 1 }, 59),
        ("test", doc! { "mapReduce": "c" }, 59),
        ("test", doc! { "validate": "c" }, 59),
        ("admin", doc! { "addShard": "rs/h:1" }, 59),
        ("admin", doc! { "atlasVersion": 1 }, 59),
        // Queries: BadValue
        ("test", find(doc! { "a": { "$near": [0, 0] } }), 2),
        ("test", find(doc! { "$where": "true" }), 2),
        ("test", find(doc! { "$text": { "$search": "x" } }), 2),
        ("test", find(doc! { "a": { "$in": 1 } }), 2),
        ("test", find(doc! { "a": { "$regex": "(?=x)" } }), 51091),
        ("test", find(doc! { "$expr": { "$nosuch": 1 } }), 168),
        ("test", doc! { "find": "c", "sort": { "a": 2 } }, 2),
        ("test", doc! { "find": "c", "collation": { "locale": "de" } }, 2),
        ("test", doc! { "find": "c", "limit": -1 }, 51024),
        ("test", doc! { "find": "c", "readConcern": { "level": "nosuch" } }, 2),
        // Options
        ("test", doc! { "count": "c", "collation": { "locale": "de" } }, 2),
        ("test", doc! { "find": "c", "min": { "_id": 1 } }, 2),
        (
            "test",
            doc! { "update": "c", "updates": [{ "q": {}, "u": { "$set": { "a": 1 } }, "arrayFilters": [{ "x": 1 }] }] },
            2,
        ),
        // Updates: FailedToParse, TypeMismatch, ImmutableField
        ("test", update(Bson::Document(doc! { "$bit": { "a": { "or": 1 } } })), 9),
        ("test", update(Bson::Array(vec![doc! { "$set": { "a": 1 } }.into()])), 9),
        ("test", update(Bson::Document(doc! { "$set": { "l.$[]": 1 } })), 2),
        ("test", update(Bson::Document(doc! { "$inc": { "s": 1 } })), 14),
        ("test", update(Bson::Document(doc! { "$set": { "_id": 9 } })), 66),
        ("test", doc! { "insert": "c", "documents": [{ "_id": 1 }] }, 11000),
        ("test", doc! { "insert": "c", "documents": [] }, 21),
        ("test", doc! { "insert": "c" }, 40414),
        // Pipelines
        ("test", aggregate(doc! { "$lookup": {} }), 40324),
        ("test", aggregate(doc! { "$out": "d" }), 40324),
        ("test", aggregate(doc! { "$changeStream": {} }), 40324),
        ("test", aggregate(doc! { "$group": { "a": 1 } }), 15955),
        ("test", aggregate(doc! { "$group": { "_id": 1, "a": { "$stdDevPop": "$n" } } }), 15952),
        ("test", aggregate(doc! { "$limit": 0 }), 15958),
        ("test", aggregate(doc! { "$set": { "a": "$$nosuch" } }), 17276),
        ("test", doc! { "aggregate": 1, "pipeline": [{ "$match": {} }], "cursor": {} }, 73),
        // Collections and indexes
        ("test", doc! { "create": "capped", "capped": true, "size": 4096 }, 72),
        ("test", doc! { "create": "view", "viewOn": "c", "pipeline": [] }, 72),
        ("test", doc! { "create": "c" }, 48),
        ("test", doc! { "drop": "nosuch" }, 26),
        ("test", index(doc! { "key": { "t": "text" }, "name": "t" }), 67),
        ("test", index(doc! { "key": { "t": 1 }, "name": "t", "expireAfterSeconds": 60 }), 67),
        ("test", index(doc! { "key": { "t": 1 } }), 9),
        ("test", doc! { "dropIndexes": "c", "index": "nosuch" }, 27),
        // Sessions, cursors, users
        (
            "test",
            doc! { "insert": "c", "documents": [{}], "lsid": { "id": 1 }, "txnNumber": 1_i64, "autocommit": false, "startTransaction": true },
            20,
        ),
        ("test", doc! { "getMore": 12_345_i64, "collection": "c" }, 43),
        ("test", doc! { "insert": "c", "documents": [{}], "writeConcern": { "w": "nosuch" } }, 79),
        ("test", doc! { "createUser": "u", "pwd": "p", "roles": ["nosuch"] }, 31),
        ("test", doc! { "dropUser": "nosuch" }, 11),
        ("admin", doc! { "getParameter": 1, "nosuch": 1 }, 72),
        ("admin", doc! { "setParameter": 1, "nosuch": 1 }, 72),
        ("admin", doc! { "getLog": "nosuch" }, 96),
        ("test", doc! { "profile": 2 }, 2),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_implemented_is_refused_by_code() -> anyhow::Result<()> {
    let set = Set::up("refuse", 1).await?;
    let driver = client(&set.members[0].uri()).await?;
    driver.database("test").collection("c").insert_one(doc! { "_id": 1, "s": "text", "l": [1] }).await?;
    let mut wrong = Vec::new();
    for (db, command, expected) in refusals() {
        let reply = driver.database(db).run_command(command.clone()).await;
        let code = match &reply {
            // Errors of single statements are in an answer that is otherwise a success.
            Ok(reply) => {
                let of_statement =
                    reply.get_array("writeErrors").ok().and_then(|errors| errors.first()?.as_document());
                let of_concern = reply.get_document("writeConcernError").ok();
                of_statement.or(of_concern).and_then(|error| error.get_i32("code").ok()).unwrap_or(0)
            }
            Err(e) => support::code_of(e),
        };
        if code != expected {
            wrong.push(format!("{command} in {db}: {code} instead of {expected}: {reply:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn config_servers_have_no_user_databases() -> anyhow::Result<()> {
    let dir = tempfile::TempDir::new()?;
    let mut args = mongosim::testing::member_args("cfg", dir.path());
    args.configsvr = true;
    let set = Set { name: "cfg".to_owned(), members: vec![mongosim::testing::Member::spawn(args)?], dir };
    let mut config = set.config();
    config.insert("configsvr", true);
    run(&set.members[0], doc! { "replSetInitiate": config }).await?;
    set.primary().await?;
    let driver = set.client().await?;
    let test = driver.database("test");
    for command in [
        doc! { "insert": "c", "documents": [{ "_id": 1 }] },
        doc! { "update": "c", "updates": [{ "q": {}, "u": { "$set": { "a": 1 } } }] },
        doc! { "delete": "c", "deletes": [{ "q": {}, "limit": 1 }] },
        doc! { "findAndModify": "c", "query": {}, "remove": true },
        doc! { "create": "c" },
        doc! { "createIndexes": "c", "indexes": [{ "key": { "a": 1 }, "name": "a_1" }] },
    ] {
        assert_eq!(test.run_command(command.clone()).await.map_or_else(|e| code_of(&e), |_| 0), 73, "{command}");
    }
    for db in ["admin", "config", "local"] {
        driver.database(db).run_command(doc! { "insert": "c", "documents": [{ "_id": 1 }] }).await?;
    }
    let names = driver.list_database_names().await?;
    assert!(!names.contains(&"test".to_owned()), "{names:?}");
    Ok(())
}
