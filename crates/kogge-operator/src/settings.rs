//! What the operator is told at its start.

use std::net::SocketAddr;
use std::num::NonZeroU8;
use std::path::PathBuf;

/// Runs databases across many Kubernetes clusters from the control cluster.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "kogge-operator", version, about)]
pub struct Settings {
    /// Directories with charts, `<dir>/<name>/<version>/`; may be given several times.
    #[arg(long = "chart-dir", env = "KOGGE_CHART_DIR", value_delimiter = ':', default_value = "/charts")]
    pub chart_dirs: Vec<PathBuf>,
    /// Kogge's own namespace, in the control cluster and in every worker.
    #[arg(long, env = "POD_NAMESPACE", default_value = kogge_api::SYSTEM_NAMESPACE)]
    pub namespace: String,
    /// The image of Kogge's own containers in the pods of databases. Databases that stand take it with their next
    /// chart version.
    #[arg(long, env = "KOGGE_AGENT_IMAGE", default_value = kogge_api::gate::IMAGE)]
    pub agent_image: String,
    /// The name of this replica in the Lease.
    #[arg(long, env = "POD_NAME", default_value = "kogge-operator")]
    pub identity: String,
    /// Replica sets, over all databases, that may sync or restart a member in one vdc at a time; the others wait
    /// for their turn.
    #[arg(long, env = "KOGGE_CHANGES_PER_VDC", default_value = "8")]
    pub changes_per_vdc: NonZeroU8,
    /// Where `/healthz`, `/readyz` and `/metrics` are served.
    #[arg(long, default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// What is logged, as for `RUST_LOG`.
    #[arg(long, env = "RUST_LOG", default_value = "info,kube=warn")]
    pub log: String,
    /// Logs as text instead of JSON.
    #[arg(long)]
    pub log_text: bool,
}
