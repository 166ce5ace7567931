//! TLS in the options: its flags, merged with the file's section and checked.

use std::path::PathBuf;

use clap::Args;

use super::{OptionsError, file::TlsSection, invalid};
use crate::net::{TlsMode, TlsOptions};

/// Flags of TLS.
#[derive(Debug, Clone, Default, Args)]
pub struct TlsArgs {
    /// Who speaks TLS: disabled, allowTLS, preferTLS or requireTLS.
    #[arg(long = "tlsMode")]
    pub mode: Option<TlsMode>,
    /// Certificate and private key of this server, as PEM in one file.
    #[arg(long = "tlsCertificateKeyFile")]
    pub certificate_key_file: Option<PathBuf>,
    /// Certificate and private key shown to other members; the server's own without it.
    #[arg(long = "tlsClusterFile")]
    pub cluster_file: Option<PathBuf>,
    /// Certificates of the authorities that peers are trusted by.
    #[arg(long = "tlsCAFile")]
    pub ca_file: Option<PathBuf>,
    /// Lets clients in that show no certificate.
    #[arg(long = "tlsAllowConnectionsWithoutCertificates")]
    pub allow_connections_without_certificates: bool,
}

impl TlsOptions {
    /// Merged and checked as mongod does: TLS needs a certificate and, since 7.0, a chain of trust.
    pub(super) fn resolve(args: TlsArgs, file: TlsSection) -> Result<Option<Self>, OptionsError> {
        let certificate = args.certificate_key_file.or(file.certificate_key_file);
        let mode = match args.mode.or(file.mode) {
            None if certificate.is_some() => {
                return Err(invalid(
                    "--tlsCertificateKeyFile",
                    "needs --tlsMode allowTLS, preferTLS or requireTLS",
                ));
            }
            None | Some(TlsMode::Disabled) => return Ok(None),
            Some(mode) => mode,
        };
        let needed = |path: Option<PathBuf>, name| path.ok_or_else(|| invalid(name, "is needed when TLS is on"));
        let certificate_key_file = needed(certificate, "--tlsCertificateKeyFile")?;
        Ok(Some(Self {
            mode,
            cluster_file: args.cluster_file.or(file.cluster_file).unwrap_or_else(|| certificate_key_file.clone()),
            certificate_key_file,
            ca_file: needed(args.ca_file.or(file.ca_file), "--tlsCAFile")?,
            allow_connections_without_certificates: args.allow_connections_without_certificates
                || file.allow_connections_without_certificates,
        }))
    }
}
