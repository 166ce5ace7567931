//! What the operator is told at its start.

use std::net::SocketAddr;
use std::num::NonZeroU8;
use std::path::PathBuf;

/// What is logged by default: Kogge's own lines. Those of the client libraries name no worker and no member, and come
/// dozens a second while one is unreachable; Kogge logs the change with its name.
pub const LOG: &str = "kogge=info";

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
    /// Groups of members, over all databases, that may sync or restart a member in one vdc at a time; the
    /// others wait for their turn.
    #[arg(long, env = "KOGGE_CHANGES_PER_VDC", default_value = "8")]
    pub changes_per_vdc: NonZeroU8,
    /// Where `/healthz`, `/readyz` and `/metrics` are served.
    #[arg(long, default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// What is logged, as for `RUST_LOG`. By default Kogge's own lines; `info,kube=debug` adds those of the
    /// client libraries, and of the engines' by their names.
    #[arg(long, env = "RUST_LOG", default_value = LOG)]
    pub log: String,
    /// Logs as text instead of JSON.
    #[arg(long)]
    pub log_text: bool,
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use tracing::Level;
    use tracing_subscriber::EnvFilter;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn the_libraries_lines_are_left_out_unless_they_are_asked_for() {
        let lets_through = |log: &str, at: fn() -> bool| {
            let subscriber = tracing_subscriber::registry().with(EnvFilter::new(log));
            tracing::subscriber::with_default(subscriber, at)
        };
        let library = || tracing::event_enabled!(target: "kube_client::client::builder", Level::ERROR);
        let driver = || tracing::event_enabled!(target: "driver::connection", Level::DEBUG);
        let own = || tracing::event_enabled!(target: "kogge_fleet::write::target", Level::INFO);
        let by_default = Settings::parse_from(["kogge-operator"]).log;
        assert!(lets_through(&by_default, own));
        assert!(!lets_through(&by_default, library) && !lets_through(&by_default, driver));
        for asked in [library, driver, own] {
            assert!(lets_through("info,kube=debug,driver=debug", asked));
        }
    }
}
