//! What Kogge wrote, from the audit logs of the API servers.

use anyhow::Context as _;
use jiff::Timestamp;
use kogge_api::SYSTEM_NAMESPACE;
use kogge_lab::Cluster;
use kogge_lab::audit::{Filter, Write, writes};

/// The writes by Kogge on one cluster since that moment, but those of its Lease. Events are among them.
pub fn writes_by_kogge(cluster: &Cluster, since: Timestamp) -> anyhow::Result<Vec<Write>> {
    let path = cluster.audit_log()?;
    let log = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let filter = Filter { since: Some(since.to_string()), ..Filter::without_leases() };
    let ours = format!("system:serviceaccount:{SYSTEM_NAMESPACE}:");
    Ok(writes(&log, &filter).into_iter().filter(|write| write.user.starts_with(&ours)).collect())
}

/// One write in words.
pub fn in_words(write: &Write) -> String {
    let Write { received, verb, resource, namespace, name, status, .. } = write;
    format!("{received} {verb} {resource} {namespace}/{name}: {status}")
}
