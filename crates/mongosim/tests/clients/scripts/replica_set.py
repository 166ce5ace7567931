"""A session with Python's driver on a replica set: python replica_set.py USER PASSWORD HOSTS SET"""

import sys
import threading
import time

from pymongo import MongoClient, ReadPreference
from pymongo.errors import AutoReconnect, DuplicateKeyError, OperationFailure, PyMongoError, WTimeoutError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import Secondary, SecondaryPreferred
from pymongo.write_concern import WriteConcern

user, password, hosts, name = sys.argv[1:]


def connect(**options):
    return MongoClient(
        hosts.split(","),
        replicaSet=name,
        username=user,
        password=password,
        authSource="admin",
        serverSelectionTimeoutMS=15000,
        heartbeatFrequencyMS=500,
        **options,
    )


def eventually(what, holds):
    deadline = time.monotonic() + 15
    while not holds():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.05)


client = connect()
client.admin.command("ping")
eventually("two secondaries", lambda: len(client.secondaries) == 2)

# Who one is
try:
    MongoClient(hosts.split(",")[0], directConnection=True, username=user, password="wrong").admin.command("ping")
    raise SystemExit("a wrong password was let in")
except OperationFailure as refusal:
    assert refusal.code == 18, refusal.details
status = client.admin.command("connectionStatus")
assert status["authInfo"]["authenticatedUsers"] == [{"user": user, "db": "admin"}], status

# Create, read, update, delete
shop = client.get_database("shop", write_concern=WriteConcern("majority", wtimeout=10000))
assert shop.items.insert_one({"_id": 1, "name": "tea", "price": 3}).inserted_id == 1
assert shop.items.insert_many([{"_id": i, "price": i} for i in range(2, 300)]).inserted_ids[-1] == 299
assert shop.items.find_one({"name": "tea"})["price"] == 3
assert [d["_id"] for d in shop.items.find({"price": {"$lt": 6}}).sort("_id", -1)] == [5, 4, 3, 2, 1]
assert shop.items.update_one({"_id": 1}, {"$set": {"price": 4}}).modified_count == 1
assert shop.items.replace_one({"_id": 500}, {"x": 1}, upsert=True).upserted_id == 500
assert shop.items.count_documents({}) == 300
assert shop.items.delete_many({"_id": {"$gt": 100}}).deleted_count == 200
assert {"shop", "local"} <= set(client.list_database_names()), client.list_database_names()
assert shop.list_collection_names() == ["items"]
shop.items.create_index([("name", 1)], name="by_name")
assert set(shop.items.index_information()) == {"_id_", "by_name"}
try:
    shop.items.insert_one({"_id": 1})
    raise SystemExit("a duplicate was let in")
except DuplicateKeyError as refusal:
    assert refusal.code == 11000
try:
    shop.items.with_options(write_concern=WriteConcern(3, wtimeout=10000)).insert_one({"_id": "everywhere"})
except WTimeoutError:
    raise SystemExit("three members did not take a write in 10 s")
try:
    shop.items.with_options(write_concern=WriteConcern(4, wtimeout=1000)).insert_one({"_id": "nowhere"})
    raise SystemExit("four of three members took a write")
except OperationFailure as refusal:
    assert refusal.code == 100, refusal.details

# What is written with majority is read with majority, everywhere
majority = shop.get_collection("items", read_concern=ReadConcern("majority"))
for i in range(20):
    shop.items.insert_one({"_id": f"m{i}"})
    assert majority.find_one({"_id": f"m{i}"}), i
assert shop.get_collection("items", read_concern=ReadConcern("linearizable")).find_one({"_id": "m3"})

# Sessions: one reads its own writes, on secondaries too
own = shop.get_collection("items", write_concern=WriteConcern(1), read_preference=ReadPreference.SECONDARY)
with client.start_session(causal_consistency=True) as session:
    for i in range(50):
        own.insert_one({"_id": f"s{i}"}, session=session)
        assert own.find_one({"_id": f"s{i}"}, session=session), f"own write {i} is not there"
with client.start_session() as session:
    try:
        with session.start_transaction():
            shop.items.insert_one({"_id": "t"}, session=session)
        raise SystemExit("transactions are there after all")
    except OperationFailure as refusal:
        assert refusal.code == 20, refusal.details

# Read preferences with tags
for tag in ("dc0", "dc1", "dc2"):
    tagged = client.get_database("shop", read_preference=SecondaryPreferred(tag_sets=[{"dc": tag}, {}]))
    assert tagged.items.find_one({"_id": 1})
tags = {f"{host}:{port}" for host, port in client.secondaries}
config = client.admin.command("replSetGetConfig")["config"]
for member in config["members"]:
    if member["host"] in tags:
        chosen = client.get_database("shop", read_preference=Secondary(tag_sets=[member["tags"]]))
        cursor = chosen.items.find({"_id": 1})
        assert next(cursor)["price"] == 4
        assert "%s:%d" % cursor.address == member["host"], (cursor.address, member)
client.close()

# The primary changes while clients write: every write is done once, and none fails
writer = connect(retryWrites=True, w="majority")
history = writer.load.history
failures, done, stop = [], [], threading.Event()


def write(thread):
    number = 0
    while not stop.is_set():
        key = f"{thread}-{number}"
        try:
            history.insert_one({"_id": key})
            writer.load.sums.update_one({"_id": thread}, {"$inc": {"n": 1}}, upsert=True)
            done.append(key)
        except PyMongoError as failure:
            failures.append((key, repr(failure)))
        number += 1


def write_on():
    more = len(done) + 10
    eventually("more writes", lambda: len(done) >= more)


# Nothing waits for them when an assertion fails
threads = [threading.Thread(target=write, args=(i,), daemon=True) for i in range(3)]
for thread in threads:
    thread.start()
gaps = []
for _ in range(2):
    write_on()
    old = writer.primary
    began = time.monotonic()
    try:
        writer.admin.command("replSetStepDown", 20, secondaryCatchUpPeriodSecs=10)
    except AutoReconnect:
        pass
    eventually("another primary", lambda: writer.primary not in (None, old))
    gaps.append(time.monotonic() - began)
write_on()
stop.set()
for thread in threads:
    thread.join()
assert not failures, failures[:5]
stored = {d["_id"] for d in history.find()}
assert stored == set(done), (len(stored), len(done))
sums = {d["_id"]: d["n"] for d in writer.load.sums.find()}
assert sum(sums.values()) == len(done), (sums, len(done))
print(f"{len(done)} writes, none failed; the primary changed in {', '.join(f'{gap:.2f} s' for gap in gaps)}")
