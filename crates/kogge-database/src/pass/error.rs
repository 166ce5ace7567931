//! Why a pass cannot go on.

use crate::observation::ObservationError;
use crate::secrets::MintError;

/// Why a pass cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// What the workers remember.
    #[error(transparent)]
    Observation(#[from] ObservationError),
    /// A key or a certificate.
    #[error(transparent)]
    Mint(#[from] MintError),
    /// The secrets cannot be kept.
    #[error("the secrets cannot be written as JSON: {0}")]
    Secrets(serde_json::Error),
    /// Secrets without a database.
    #[error("spec.clusterID is gone since this pass began; the next pass sees it again")]
    NoClusterId,
    /// The spec cannot be hashed.
    #[error("the spec cannot be written as JSON: {0}")]
    Spec(serde_json::Error),
}

impl PassError {
    /// A stable word in CamelCase.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Observation(_) => "AnchorsUnreadable",
            Self::Mint(_) => "CertificateNotMade",
            Self::Secrets(_) => "SecretsUnwritable",
            Self::NoClusterId => "ClusterIdMissing",
            Self::Spec(_) => "SpecUnwritable",
        }
    }
}
