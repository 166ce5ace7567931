//! The worker clusters: connections, watches, one snapshot, guarded writes.
