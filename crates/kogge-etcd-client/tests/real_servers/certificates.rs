//! Authorities and what they sign.

use std::fs;
use std::path::Path;

use anyhow::Result;
use kogge_engine_client::{OwnCertificate, Trust};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// An authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    /// A certificate and its key, as PEM.
    fn leaf(&self, names: &[&str]) -> Result<(String, String)> {
        let key = KeyPair::generate()?;
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let leaf = CertificateParams::new(names)?.signed_by(&key, &self.0)?;
        Ok((leaf.pem(), key.serialize_pem()))
    }

    /// TLS that trusts this authority and shows nothing.
    pub(crate) fn trusted(&self) -> Result<Trust> {
        Ok(Trust::new(&self.0.pem(), None)?)
    }

    /// TLS that trusts this authority and shows a certificate of `signer`. A peer port compares the address that a
    /// caller comes from with what its certificate bears.
    pub(crate) fn trusted_with(&self, signer: &Self) -> Result<Trust> {
        let (chain, key) = signer.leaf(&["kogge", "127.0.0.1"])?;
        Ok(Trust::new(&self.0.pem(), Some(OwnCertificate { chain, key }))?)
    }

    /// The flags of servers that ask clients and peers for certificates of this authority.
    pub(crate) fn server_flags(&self, dir: &Path) -> Result<Vec<String>> {
        let (chain, key) = self.leaf(&["localhost", "127.0.0.1"])?;
        let file = |name: &str, text: String| -> Result<String> {
            let path = dir.join(name);
            fs::write(&path, text)?;
            Ok(path.to_string_lossy().into_owned())
        };
        let (ca, chain, key) = (file("ca.pem", self.0.pem())?, file("server.pem", chain)?, file("key.pem", key)?);
        let mut flags = Vec::new();
        for port in ["", "peer-"] {
            flags.push(format!("--{port}trusted-ca-file={ca}"));
            flags.push(format!("--{port}cert-file={chain}"));
            flags.push(format!("--{port}key-file={key}"));
            flags.push(format!("--{port}client-cert-auth"));
        }
        Ok(flags)
    }
}
