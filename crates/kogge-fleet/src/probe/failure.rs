//! Why a probe learned nothing, told apart by what a person would mend.

use std::error::Error;

use crate::connection::GateError;
use crate::error::{chain, root_cause};

/// Why a worker did not say who it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProbeFailure {
    /// Nothing came back in time.
    #[error("{0}: check the way from the control cluster to the address in the kubeconfig, and the API server")]
    NoAnswer(GateError),
    /// There is no connection.
    #[error("cannot connect: {0}; check the address in the kubeconfig, and the API server")]
    ConnectionFailed(String),
    /// The server's certificate is not what the kubeconfig makes one expect.
    #[error("the server's certificate is refused: {0}; correct certificate-authority-data or tls-server-name")]
    ServerCertificate(String),
    /// The server refuses the client's certificate.
    #[error("the server refuses the client certificate: {0}; run `kogge worker join` again")]
    ClientCertificate(String),
    /// 401.
    #[error("the server does not accept the credentials (401): run `kogge worker join` again")]
    Unauthorized,
    /// 403 on the one object that tells who the cluster is.
    #[error(
        "the credentials may not get namespace kube-system, whose UID identifies the cluster: run `kogge worker join` again"
    )]
    IdentityForbidden,
    /// The server has trouble of its own.
    #[error("the API server answers with {0}: look at its own health")]
    ServerError(u16),
    /// Something else answers at that address.
    #[error("what answers there is no Kubernetes API server: correct the server in the kubeconfig")]
    NotKubernetes,
}

impl ProbeFailure {
    /// What a client's error says about the worker.
    pub(crate) fn of(error: &kube::Error) -> Self {
        if let Some(gate) = GateError::of(error) {
            return Self::NoAnswer(gate.clone());
        }
        match error {
            kube::Error::Api(status) => match status.code {
                401 => Self::Unauthorized,
                403 => Self::IdentityForbidden,
                code if code >= 500 || code == 429 => Self::ServerError(code),
                _ => Self::NotKubernetes,
            },
            kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => Self::NotKubernetes,
            other => match tls(other) {
                Some(rustls::Error::AlertReceived(alert)) => Self::ClientCertificate(format!("{alert:?}")),
                Some(error) => Self::ServerCertificate(error.to_string()),
                None => Self::ConnectionFailed(root_cause(other)),
            },
        }
    }

    /// A stable word in CamelCase.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::NoAnswer(_) => "NoAnswer",
            Self::ConnectionFailed(_) => "ConnectionFailed",
            Self::ServerCertificate(_) => "ServerCertificateRefused",
            Self::ClientCertificate(_) => "ClientCertificateRefused",
            Self::Unauthorized => "CredentialsRefused",
            Self::IdentityForbidden => "IdentityForbidden",
            Self::ServerError(_) => "ServerError",
            Self::NotKubernetes => "NotKubernetes",
        }
    }
}

fn tls(error: &kube::Error) -> Option<&rustls::Error> {
    chain(error).find_map(within)
}

/// I/O errors hide what they wrap from `source()`, and they are wrapped in one another.
fn within<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    match error.downcast_ref::<std::io::Error>() {
        Some(io) => within(io.get_ref()?),
        None => error.downcast_ref(),
    }
}
