"""A session with Python's driver on a sharded cluster: python sharded.py URI"""

import sys

from pymongo import MongoClient, ReturnDocument
from pymongo.errors import DuplicateKeyError
from pymongo.write_concern import WriteConcern

client = MongoClient(sys.argv[1], serverSelectionTimeoutMS=15000)
assert client.is_mongos
assert "shop" in client.list_database_names()

lists = client.get_database("shop", write_concern=WriteConcern("majority")).lists
assert lists.insert_many([{"_id": i, "n": i * i} for i in range(500)]).acknowledged
assert sum(1 for _ in lists.find(batch_size=50)) == 500
assert lists.update_many({"n": {"$gte": 100}}, {"$set": {"big": True}}).modified_count == 490
assert lists.find_one_and_update({"_id": 3}, {"$inc": {"n": 1}}, return_document=ReturnDocument.AFTER)["n"] == 10
assert list(lists.aggregate([{"$match": {"big": True}}, {"$count": "n"}])) == [{"n": 490}]
try:
    lists.insert_one({"_id": 1})
    raise SystemExit("a duplicate was let in")
except DuplicateKeyError as refusal:
    assert refusal.details["keyValue"] == {"_id": 1}, refusal.details

with client.start_session(causal_consistency=True) as session:
    for i in range(20):
        lists.insert_one({"_id": 1000 + i}, session=session)
        assert lists.find_one({"_id": 1000 + i}, session=session)
    assert session.operation_time is not None and session.cluster_time is not None

lists.drop()
assert "lists" not in client.shop.list_collection_names()
