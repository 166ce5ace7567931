"""Finds a replica set by its SRV and TXT records: python srv.py URI"""

import sys

from pymongo import MongoClient

client = MongoClient(sys.argv[1], serverSelectionTimeoutMS=15000, w="majority")
assert client.shop.c.insert_one({"from": "python"}).acknowledged
assert client.topology_description.replica_set_name == "rs0"
assert all(host.endswith(".kogge.test") for host, _ in client.nodes), client.nodes
