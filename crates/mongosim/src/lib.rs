//! A wire-level stand-in for mongod and mongos, with real elections and replication.
