//! The way to one database's servers.

use std::sync::Arc;
use std::time::Duration;

use kogge_engine::Port;
use kogge_engine_client::MemberReach;

use crate::credentials::Credentials;

pub use kogge_etcd::{CLIENT, PEER};

/// `--listen-metrics-urls`, without TLS. It answers from the start; a server may have none.
pub const METRICS: Port = Port { name: "metrics", number: 2381 };

/// How the operator reaches one database's servers, and as whom.
#[derive(Clone)]
pub struct ClusterAccess {
    /// The way to the pods that run now.
    pub reach: Arc<dyn MemberReach>,
    /// Who Kogge is, and whom it trusts.
    pub credentials: Credentials,
    /// `--election-timeout` of the members: a change has an answer within 5 s and twice this, or its outcome is unknown.
    pub election_timeout: Duration,
}
