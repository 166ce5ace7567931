//! Authorities and what they sign.

use std::fs;
use std::path::Path;

use anyhow::Result;
use kogge_engine_client::{OwnCertificate, Trust};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};

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

    /// TLS that trusts this authority and shows a certificate for clients alone, as the administrator's Secret has it, with a
    /// name that no address has.
    pub(crate) fn trusted_as_administrator(&self) -> Result<Trust> {
        self.trusted_as("admin", &["admin.orders.databases.invalid"])
    }

    /// TLS that trusts this authority and shows a certificate for clients alone, as Kogge's own is.
    pub(crate) fn trusted_as_kogge(&self) -> Result<Trust> {
        self.trusted_as("kogge-operator", &["localhost", "127.0.0.1"])
    }

    fn trusted_as(&self, user: &str, names: &[&str]) -> Result<Trust> {
        let key = KeyPair::generate()?;
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, user);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let chain = params.signed_by(&key, &self.0)?.pem();
        Ok(Trust::new(&self.0.pem(), Some(OwnCertificate { chain, key: key.serialize_pem() }))?)
    }

    /// Writes the certificate that servers with their files in `dir` serve.
    pub(crate) fn write_leaf(&self, dir: &Path) -> Result<()> {
        let (chain, key) = self.leaf(&["localhost", "127.0.0.1"])?;
        // As the kubelet does: certificate and key change at once.
        fs::write(dir.join("server.tmp"), chain + &key)?;
        Ok(fs::rename(dir.join("server.tmp"), dir.join("server.pem"))?)
    }

    /// Writes whom servers with their files in `dir` trust.
    pub(crate) fn write_trust(authorities: &[&Self], dir: &Path) -> Result<()> {
        let bundle: String = authorities.iter().map(|authority| authority.0.pem()).collect();
        Ok(fs::write(dir.join("ca.pem"), bundle)?)
    }

    /// The flags of servers that ask clients and peers for certificates of this authority, with their files in `dir`.
    pub(crate) fn server_flags(&self, dir: &Path) -> Result<Vec<String>> {
        self.write_leaf(dir)?;
        Self::write_trust(&[self], dir)?;
        let [ca, server] = ["ca.pem", "server.pem"].map(|name| dir.join(name).to_string_lossy().into_owned());
        let mut flags = Vec::new();
        for port in ["", "peer-"] {
            flags.push(format!("--{port}trusted-ca-file={ca}"));
            flags.push(format!("--{port}cert-file={server}"));
            flags.push(format!("--{port}key-file={server}"));
            flags.push(format!("--{port}client-cert-auth"));
        }
        Ok(flags)
    }
}
