//! What the operator counts by itself.

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The counter of passes, by kind and outcome.
const PASSES: &str = "kogge_reconciles_total{kind=\"FederatedCluster\"";

/// How many passes over FederatedClusters an operator has made since it started.
pub(super) async fn passes(address: SocketAddr) -> anyhow::Result<u64> {
    let mut stream = TcpStream::connect(address).await.context("the operator's metrics cannot be reached")?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.context("the operator's metrics cannot be read")?;
    Ok(sum(&answer))
}

fn sum(metrics: &str) -> u64 {
    let counted = metrics.lines().filter(|line| line.starts_with(PASSES));
    counted.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_outcomes_count() {
        let metrics = "# HELP kogge_reconciles Reconciles\n\
            kogge_reconciles_total{kind=\"FederatedCluster\",reason=\"Ok\"} 40\n\
            kogge_reconciles_total{kind=\"FederatedCluster\",reason=\"Stale\"} 2\n\
            kogge_reconciles_total{kind=\"WorkerCluster\",reason=\"Ok\"} 7\n";
        assert_eq!(sum(metrics), 42);
    }
}
