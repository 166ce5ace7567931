//! Answers of an API server, in words that say what to do.

use std::error::Error as _;
use std::fmt;

use anyhow::anyhow;

use super::Cluster;

/// No answer came from a cluster.
#[derive(Debug)]
pub(crate) struct Unreachable(String);

impl Unreachable {
    pub(crate) fn new(cluster: &Cluster, what: &str, why: &str) -> Self {
        Self(format!("{}: cannot {what}: {} {why}", cluster.name, cluster.server()))
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreachable {}

/// What went wrong when the cluster was asked, and the mend; `what` completes "cannot …".
pub(crate) fn explain(error: &kube::Error, cluster: &Cluster, what: &str) -> anyhow::Error {
    let detail = match error {
        kube::Error::Api(status) => match status.code {
            401 => format!(
                "{} does not accept the credentials ({}); renew them in the kubeconfig",
                cluster.server(),
                status.message
            ),
            403 => format!("{}; use credentials that are allowed to", status.message),
            409 => format!("{}; settle who manages it, then run the command again", status.message),
            _ => status.message.clone(),
        },
        other => {
            let why = format!(
                "cannot be reached{}: {}; check the address and that it is reachable from here",
                cluster.through,
                root_cause(other)
            );
            return Unreachable::new(cluster, what, &why).into();
        }
    };
    anyhow!("{}: cannot {what}: {detail}", cluster.name)
}

fn root_cause(error: &kube::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    let mut source = error.source();
    while let Some(deeper) = source {
        cause = deeper;
        source = deeper.source();
    }
    cause.to_string()
}
