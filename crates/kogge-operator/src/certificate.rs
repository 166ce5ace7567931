//! Checks a certificate that a user gave before any server is made to rely on it.

use std::sync::Arc;

use kogge_database::secrets::Certificate;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls::{Error, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

/// Why servers could not work with a certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    /// A key of the Secret holds no PEM of that kind.
    #[error("{key} holds no {what} as PEM: {why}")]
    Pem {
        /// The key.
        key: &'static str,
        /// What it should hold.
        what: &'static str,
        /// Why it does not.
        why: String,
    },
    /// Certificate and key do not belong together.
    #[error("tls.key is not the key of tls.crt: {0}")]
    Key(Error),
    /// The authority did not issue it for that name, or its time is over.
    #[error("tls.crt is not valid for {name} by ca.crt: {why}")]
    Name {
        /// The name.
        name: String,
        /// Why it is not.
        why: Error,
    },
}

/// Checks that servers of those names can work with a certificate now. A wildcard stands for any name below it.
pub(crate) fn check(authority: &str, leaf: &Certificate, names: &[String]) -> Result<(), Unfit> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let chain = certificates("tls.crt", &leaf.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).map_err(|e| pem("tls.key", "private key", &e))?;
    CertifiedKey::from_der(chain.clone(), key, &provider).map_err(Unfit::Key)?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates("ca.crt", authority)? {
        roots.add(certificate).map_err(|e| pem("ca.crt", "authority", &e))?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|e| pem("ca.crt", "authority", &e))?;
    let Some((end, intermediates)) = chain.split_first() else {
        return Err(pem("tls.crt", "certificate", &"it is empty"));
    };
    for name in names {
        let asked = name.replace('*', "any");
        let unfit = |why| Unfit::Name { name: name.clone(), why };
        let server = ServerName::try_from(asked).map_err(|e| unfit(Error::General(e.to_string())))?;
        verifier.verify_server_cert(end, intermediates, &server, &[], UnixTime::now()).map_err(unfit)?;
    }
    Ok(())
}

fn certificates(key: &'static str, text: &str) -> Result<Vec<CertificateDer<'static>>, Unfit> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match found {
        Ok(found) if found.is_empty() => Err(pem(key, "certificate", &"there is none")),
        Ok(found) => Ok(found),
        Err(error) => Err(pem(key, "certificate", &error)),
    }
}

fn pem(key: &'static str, what: &'static str, why: &dyn std::fmt::Display) -> Unfit {
    Unfit::Pem { key, what, why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use kogge_database::secrets::Mint as _;

    use super::*;
    use crate::mint::OperatorMint;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_operator_makes_is_fit() {
        let mut mint = OperatorMint::now();
        let authority = mint.authority("db").unwrap();
        let names = names(&["*.db-shard-0.databases.svc.cluster.local", "localhost", "127.0.0.1"]);
        let leaf = mint.leaf(&authority, &names).unwrap();
        check(&authority.certificate, &leaf, &names).unwrap();
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let mut mint = OperatorMint::now();
        let (ours, theirs) = (mint.authority("db").unwrap(), mint.authority("db").unwrap());
        let localhost = names(&["localhost"]);
        let leaf = mint.leaf(&ours, &localhost).unwrap();
        let refused = |authority: &str, leaf: &Certificate, names: &[String]| {
            check(authority, leaf, names).unwrap_err().to_string()
        };
        let stranger = refused(&theirs.certificate, &leaf, &localhost);
        assert!(stranger.starts_with("tls.crt is not valid for localhost by ca.crt"), "{stranger}");
        let nameless = refused(&ours.certificate, &leaf, &names(&["localhost", "*.db-config.databases.svc"]));
        assert!(nameless.contains("*.db-config.databases.svc"), "{nameless}");
        let mixed = Certificate { key: theirs.key.clone(), ..leaf.clone() };
        assert!(refused(&ours.certificate, &mixed, &localhost).starts_with("tls.key is not the key"));
        let empty = Certificate { certificate: "nothing".to_owned(), ..leaf.clone() };
        assert!(refused(&ours.certificate, &empty, &localhost).starts_with("tls.crt holds no certificate"));
        assert!(refused("nothing", &leaf, &localhost).starts_with("ca.crt holds no certificate"));
    }
}
