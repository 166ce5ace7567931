//! What only a server's metrics tell.

use std::collections::BTreeSet;

use kogge_etcd::MemberId;

/// The metrics that Kogge reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metrics {
    /// The raft index up to which it knows entries to be committed.
    pub(crate) raft_index: Option<u64>,
    /// The members that it has live connections to.
    pub(crate) active_peers: BTreeSet<MemberId>,
}

/// Reads the text that Prometheus reads.
pub(crate) fn read(text: &str) -> Metrics {
    let mut metrics = Metrics::default();
    for line in text.lines() {
        let Some((name, value)) = line.rsplit_once(' ') else { continue };
        if name == "etcd_server_proposals_committed_total" {
            metrics.raft_index = value.parse::<f64>().ok().map(|index| index as u64);
        } else if let Some(labels) = name.strip_prefix("etcd_network_active_peers{")
            && value != "0"
            && let Some(peer) = remote(labels)
        {
            metrics.active_peers.insert(peer);
        }
    }
    metrics
}

/// The label `Remote`: the peer's id in hexadecimal.
fn remote(labels: &str) -> Option<MemberId> {
    let (_, id) = labels.split_once("Remote=\"")?;
    let (id, _) = id.split_once('"')?;
    u64::from_str_radix(id, 16).ok().map(MemberId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_and_the_peers_with_a_connection_are_read() {
        let text = "# HELP etcd_network_active_peers The current number of active peer connections.\n\
            # TYPE etcd_network_active_peers gauge\n\
            etcd_network_active_peers{Local=\"8e9e05c52164694d\",Remote=\"91bc3c398fb3c146\"} 1\n\
            etcd_network_active_peers{Local=\"8e9e05c52164694d\",Remote=\"fd422379fda50e48\"} 0\n\
            etcd_server_proposals_committed_total 1.000005e+06\n\
            etcd_server_proposals_pending 0\n";
        let metrics = read(text);
        assert_eq!(metrics.raft_index, Some(1_000_005));
        assert_eq!(metrics.active_peers, BTreeSet::from([MemberId(0x91bc_3c39_8fb3_c146)]));
        assert_eq!(read("garbage\n\nmore garbage {"), Metrics::default());
    }
}
