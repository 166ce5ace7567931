//! What people type.

use crate::{
    python,
    secured::{Secured, initiate, seeds},
    shell::session,
};

/// Waits in the shell until it speaks to a primary that takes writes.
const AWAIT_PRIMARY: &str = "while (!db.hello().isWritablePrimary) { sleep(100) }";
/// Waits until a primary is known.
const AWAIT_ELECTION: &str = "while (!db.hello().primary) { sleep(100) }";
/// Goes there: before the first user is made, nobody else lets one in.
const GO_TO_PRIMARY: &str = "db = connect('mongodb://' + db.hello().primary + '/admin?directConnection=true')";

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_set_from_its_first_command_on() -> anyhow::Result<()> {
    let secured = Secured::new()?;
    let members = secured.members("rs0", 3, |_| {})?;
    let (first, seeds) = (members[0].host(), seeds(&members));
    session(
        &format!("mongodb://{first}/?directConnection=true"),
        &[
            ("db.hello()", &["isWritablePrimary: false", "isreplicaset: true", "maxWireVersion: 21"]),
            ("show dbs", &["MongoServerError[Unauthorized]: Command listDatabases requires authentication"]),
            (&initiate("rs0", &members, ""), &["{ ok: 1"]),
            (AWAIT_ELECTION, &[]),
            ("rs.status().members.map(m => m.name).length", &["3"]),
            (GO_TO_PRIMARY, &["admin"]),
            (AWAIT_PRIMARY, &[]),
            ("db.createUser({user: 'root', pwd: 'secret', roles: ['root']})", &["{ ok: 1"]),
            ("db.createUser({user: 'second', pwd: 'x', roles: ['root']})", &["MongoServerError[Unauthorized]"]),
            ("db.auth('root', 'wrong')", &["MongoServerError[AuthenticationFailed]: Authentication failed."]),
            ("db.auth('root', 'secret')", &["{ ok: 1 }"]),
            ("while (rs.status().members.some(m => m.state !== 1 && m.state !== 2)) { sleep(100) }", &[]),
            (
                "rs.status()",
                &["set: 'rs0'", "stateStr: 'PRIMARY'", "stateStr: 'SECONDARY'", "majorityVoteCount: 2", "ok: 1"],
            ),
            (
                "rs.conf()",
                &["_id: 'rs0'", "tags: { dc: 'dc1' }", "protocolVersion: Long('1')", "replicaSetId: ObjectId("],
            ),
            ("cfg = rs.conf(); other = cfg.members.find(m => m.host !== db.hello().me); other.priority = 0.5; rs.reconfig(cfg)", &["{ ok: 1"]),
            ("rs.conf().members[other._id].priority", &["0.5"]),
            (
                "cfg = rs.conf(); cfg.members[1].host = cfg.members[0].host; rs.reconfig(cfg)",
                &["MongoServerError[NewReplicaSetConfigurationIncompatible]"],
            ),
            ("rs.printReplicationInfo()", &["actual oplog size", "'990 MB'", "log length start to end"]),
            ("rs.printSecondaryReplicationInfo()", &["source: ", "syncedTo", "behind the primary"]),
            ("db.getMongo().getDBNames().includes('local')", &["true"]),
        ],
    )
    .await?;
    session(
        &format!("mongodb://root:secret@{seeds}/admin?replicaSet=rs0"),
        &[
            ("db.hello().setName", &["rs0"]),
            ("use shop", &["switched to db shop"]),
            ("db.createUser({user: 'ann', pwd: 'tea', roles: ['readWrite']})", &["{ ok: 1"]),
            ("show users", &["_id: 'shop.ann'", "role: 'readWrite'", "SCRAM-SHA-256"]),
            ("db.getUser('ann').roles", &["[ { role: 'readWrite', db: 'shop' } ]"]),
            ("db.getUsers().users.length", &["1"]),
            (
                "db.createUser({user: 'ann', pwd: 'x', roles: []})",
                &["MongoServerError[Location51003]: User \"ann@shop\" already exists"],
            ),
            ("db.createUser({user: 'bob', pwd: 'x', roles: ['nosuch']})", &["Could not find role: nosuch@shop"]),
            ("db.changeUserPassword('ann', 'coffee')", &["{ ok: 1"]),
            ("db.grantRolesToUser('ann', [{role: 'read', db: 'other'}])", &["{ ok: 1"]),
            ("db.revokeRolesFromUser('ann', [{role: 'read', db: 'other'}])", &["{ ok: 1"]),
            ("show roles", &["readWrite", "isBuiltin: true"]),
            ("db.serverStatus().process + ' ' + db.version()", &["mongod 7.0.14"]),
            ("db.adminCommand({getParameter: 1, featureCompatibilityVersion: 1})", &["version: '7.0'"]),
            ("db.adminCommand({getDefaultRWConcern: 1}).defaultWriteConcern", &["w: 'majority'"]),
            ("db.currentOp().ok", &["1"]),
            ("rs.stepDown(20, 10)", &["{ ok: 1"]),
            (AWAIT_PRIMARY, &[]),
            ("db.hello().isWritablePrimary", &["true"]),
            ("db.logout()", &["{ ok: 1"]),
        ],
    )
    .await?;
    shopping(&format!("mongodb://ann:coffee@{seeds}/shop?replicaSet=rs0")).await
}

/// Creates, reads, updates, deletes, as a user of one database.
async fn shopping(uri: &str) -> anyhow::Result<()> {
    session(
        uri,
        &[
            ("db.runCommand({connectionStatus: 1}).authInfo.authenticatedUsers", &["user: 'ann', db: 'shop'"]),
            ("db.items.insertOne({_id: 1, name: 'tea', price: 3, tags: ['hot', 'green']})", &["acknowledged: true, insertedId: 1"]),
            ("db.items.insertMany([{_id: 2, name: 'cake', price: 5}, {_id: 3, name: 'milk', price: 1.5}])", &["insertedIds: { '0': 2, '1': 3 }"]),
            ("db.items.insertOne({_id: 1})", &["MongoServerError[DuplicateKey]: E11000 duplicate key error collection: shop.items index: _id_ dup key: { _id: 1 }", "!acknowledged"]),
            ("db.items.find()", &["{ _id: 1, name: 'tea', price: 3, tags: [ 'hot', 'green' ] }", "{ _id: 3, name: 'milk', price: 1.5 }"]),
            ("db.items.findOne({name: /^TE/i})", &["_id: 1"]),
            ("db.items.find({price: {$gte: 3}}, {_id: 0, name: 1}).sort({price: -1}).limit(1)", &["[ { name: 'cake' } ]"]),
            ("db.items.updateOne({_id: 1}, {$set: {price: 4}, $push: {tags: 'new'}})", &["matchedCount: 1", "modifiedCount: 1"]),
            ("db.items.updateMany({}, {$inc: {sold: 1}})", &["matchedCount: 3", "modifiedCount: 3"]),
            ("db.items.updateOne({_id: 9}, {$set: {name: 'rice'}}, {upsert: true})", &["insertedId: 9", "upsertedCount: 1"]),
            ("db.items.findOneAndUpdate({_id: 2}, {$set: {price: 6}}, {returnDocument: 'after'})", &["price: 6"]),
            ("db.items.replaceOne({_id: 3}, {name: 'oat milk'})", &["modifiedCount: 1"]),
            ("db.items.countDocuments()", &["4"]),
            ("db.items.estimatedDocumentCount()", &["4"]),
            ("db.items.distinct('name')", &["[ 'tea', 'cake', 'oat milk', 'rice' ]"]),
            ("db.items.aggregate([{$match: {price: {$gt: 1}}}, {$group: {_id: null, total: {$sum: '$price'}, mean: {$avg: '$price'}}}])", &["[ { _id: null, total: 10, mean: 5 } ]"]),
            ("db.items.aggregate([{$unwind: '$tags'}, {$project: {_id: 0, tag: '$tags'}}, {$sort: {tag: 1}}, {$limit: 2}])", &["[ { tag: 'green' }, { tag: 'hot' } ]"]),
            ("db.items.bulkWrite([{insertOne: {document: {_id: 20}}}, {deleteOne: {filter: {_id: 20}}}])", &["insertedCount: 1", "deletedCount: 1"]),
            ("db.items.deleteMany({price: {$exists: false}})", &["deletedCount: 2"]),
            ("db.items.createIndex({name: 1}, {unique: true})", &["name_1"]),
            ("db.items.getIndexes()", &["{ v: 2, key: { _id: 1 }, name: '_id_' }", "{ v: 2, key: { name: 1 }, name: 'name_1', unique: true }"]),
            ("db.items.insertOne({name: 'tea'})", &["MongoServerError[DuplicateKey]: E11000", "index: name_1 dup key: { name: "]),
            ("db.items.dropIndex('name_1')", &["nIndexesWas: 2"]),
            ("db.items.stats().count", &["2"]),
            ("db.stats()", &["db: 'shop'", "objects: Long('2')"]),
            ("db.items.find({_id: 1}).explain().queryPlanner.winningPlan.stage", &["IDHACK"]),
            ("db.createCollection('empty')", &["{ ok: 1"]),
            ("show collections", &["empty items"]),
            ("show dbs", &["shop", "KiB", "!admin"]),
            ("s = db.getMongo().startSession(); c = s.getDatabase('shop').items; c.insertOne({_id: 50}); c.findOne({_id: 50})", &["{ _id: 50 }"]),
            ("s.endSession()", &[]),
            ("db.getSiblingDB('other').c.insertOne({})", &["MongoServerError[Unauthorized]: not authorized on other"]),
            ("db.items.find({price: {$nosuch: 1}})", &["MongoServerError[BadValue]: unknown operator: $nosuch"]),
            ("db.items.aggregate([{$nosuch: 1}])", &["MongoServerError[Location40324]: Unrecognized pipeline stage name: '$nosuch'"]),
            ("db.items.updateOne({}, {$nosuch: {a: 1}})", &["MongoServerError[FailedToParse]: Unknown modifier: $nosuch"]),
            ("db.runCommand({nosuch: 1})", &["MongoServerError[CommandNotFound]: no such command: 'nosuch'"]),
            ("db.empty.drop()", &["true"]),
            ("db.items.renameCollection('things')", &["not authorized"]),
            ("db.dropDatabase()", &["{ ok: 1", "dropped: 'shop'"]),
            ("show collections", &["!items"]),
        ],
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sharded_cluster_from_its_first_command_on() -> anyhow::Result<()> {
    let secured = Secured::new()?;
    let config = secured.members("cfg", 1, |args| args.configsvr = true)?;
    let shard = secured.members("shard0", 1, |args| args.shardsvr = true)?;
    let mongos = secured.mongos(&format!("cfg/{}", config[0].host()))?;
    for (set, members, more) in [("cfg", &config, "configsvr: true, "), ("shard0", &shard, "")] {
        session(
            &format!("mongodb://{}/?directConnection=true", members[0].host()),
            &[(&initiate(set, members, more), &["{ ok: 1"]), (AWAIT_PRIMARY, &[])],
        )
        .await?;
    }
    let router = mongos.host();
    session(
        &format!("mongodb://{router}/admin"),
        &[
            (AWAIT_PRIMARY, &[]),
            ("db.createUser({user: 'root', pwd: 'secret', roles: ['root']})", &["{ ok: 1"]),
            ("db.auth('root', 'secret')", &["{ ok: 1 }"]),
            ("db.hello().msg", &["isdbgrid"]),
            (&format!("sh.addShard('shard0/{}')", shard[0].host()), &["shardAdded: 'shard0'"]),
            ("use shop", &["switched to db shop"]),
            ("db.items.insertMany([{_id: 1}, {_id: 2}])", &["acknowledged: true"]),
            ("db.items.find().sort({_id: -1})", &["[ { _id: 2 }, { _id: 1 } ]"]),
            ("show dbs", &["admin", "config", "shop"]),
            (
                "sh.status()",
                &[
                    "shardingVersion",
                    "clusterId: ObjectId(",
                    "_id: 'shard0'",
                    "host: 'shard0/",
                    "state: 1",
                    "active mongoses",
                    "'7.0.14': 1",
                    "'Currently enabled': 'yes'",
                    "'No recent migrations'",
                    "_id: 'shop', primary: 'shard0'",
                ],
            ),
            ("sh.stopBalancer().ok", &["1"]),
            ("sh.getBalancerState()", &["false"]),
            ("sh.startBalancer().ok", &["1"]),
            ("sh.getBalancerState()", &["true"]),
            ("db.adminCommand({listShards: 1}).shards.length", &["1"]),
            ("db.adminCommand({removeShard: 'shard0'})", &["MongoServerError[IllegalOperation]", "last shard"]),
            ("rs.status()", &["MongoServerError[CommandNotFound]"]),
        ],
    )
    .await?;
    python::run("sharded.py", &[&format!("mongodb://root:secret@{router}/?authSource=admin")]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn pymongo_on_a_replica_set() -> anyhow::Result<()> {
    let secured = Secured::new()?;
    let members = secured.members("rs0", 3, |_| {})?;
    session(
        &format!("mongodb://{}/admin?directConnection=true", members[0].host()),
        &[
            (&initiate("rs0", &members, ""), &["{ ok: 1"]),
            (AWAIT_ELECTION, &[]),
            (GO_TO_PRIMARY, &["admin"]),
            (AWAIT_PRIMARY, &[]),
            ("db.createUser({user: 'root', pwd: 'secret', roles: ['root']})", &["{ ok: 1"]),
        ],
    )
    .await?;
    let printed = python::run("replica_set.py", &["root", "secret", &seeds(&members), "rs0"]).await?;
    println!("{printed}");
    Ok(())
}
