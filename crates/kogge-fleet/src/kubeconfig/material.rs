//! What a kubeconfig holds or names: texts in base64, files, certificates and keys.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{ClientCertificate, KubeconfigError};

/// What `kubectl config view` prints in the place of a secret where `--raw` is not given.
const OMITTED: [&str; 2] = ["DATA+OMITTED", "REDACTED"];

/// base64 as Go takes it, and without its padding as well.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Refuses a text that stands for a secret and is none.
pub(super) fn refuse_omitted(text: &str, key: &str) -> Result<(), KubeconfigError> {
    if OMITTED.contains(&text) { Err(KubeconfigError::Omitted { key: key.to_owned() }) } else { Ok(()) }
}

/// The bytes of a `…-data` key. `!!binary` has made PEM of it already.
pub(super) fn decode(data: &str, key: &str) -> Result<Vec<u8>, KubeconfigError> {
    refuse_omitted(data, key)?;
    if data.starts_with("-----BEGIN ") {
        return Ok(data.as_bytes().to_vec());
    }
    let compact: String = data.split_ascii_whitespace().collect();
    LENIENT.decode(compact).map_err(|_| KubeconfigError::BadBase64 { key: key.to_owned() })
}

/// The bytes of a file that a key names, seen from the folder of the kubeconfig.
pub(super) fn read(path: &str, folder: &Path, key: &str) -> Result<Vec<u8>, KubeconfigError> {
    let path = folder.join(path);
    std::fs::read(&path).map_err(|error| KubeconfigError::UnreadableFile {
        key: key.to_owned(),
        path: path.display().to_string(),
        why: error.to_string(),
    })
}

/// The certificates of a bundle that can be trusted, as DER.
pub(super) fn authorities(pem: &[u8], key: &str) -> Result<Vec<Vec<u8>>, KubeconfigError> {
    let mut store = RootCertStore::empty();
    let mut found = certificates(pem, key)?;
    found.retain(|der| store.add(der.clone()).is_ok());
    if found.is_empty() {
        return Err(KubeconfigError::BadCertificate { key: key.to_owned() });
    }
    Ok(found.into_iter().map(|der| der.to_vec()).collect())
}

/// A client's certificate with its key, which must belong together.
pub(super) fn pair(
    certificate: Vec<u8>,
    certificate_key: &str,
    key: Vec<u8>,
    key_key: &str,
) -> Result<ClientCertificate, KubeconfigError> {
    let chain = certificates(&certificate, certificate_key)?;
    let valid_until = chain.first().and_then(valid_until);
    let valid_until =
        valid_until.ok_or_else(|| KubeconfigError::BadCertificate { key: certificate_key.to_owned() })?;
    let private = PrivateKeyDer::from_pem_slice(&key).map_err(|_| {
        let key_key = key_key.to_owned();
        if is_encrypted(&key) {
            KubeconfigError::EncryptedKey { key: key_key }
        } else {
            KubeconfigError::BadKey { key: key_key }
        }
    })?;
    if is_encrypted(&key) {
        return Err(KubeconfigError::EncryptedKey { key: key_key.to_owned() });
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    CertifiedKey::from_der(chain, private, &provider).map_err(|_| KubeconfigError::UnusablePair {
        certificate: certificate_key.to_owned(),
        key: key_key.to_owned(),
    })?;
    Ok(ClientCertificate { certificate, key, valid_until })
}

/// `BEGIN ENCRYPTED PRIVATE KEY`, or the older `Proc-Type: 4,ENCRYPTED`.
fn is_encrypted(pem: &[u8]) -> bool {
    pem.windows(b"ENCRYPTED".len()).any(|part| part == b"ENCRYPTED")
}

/// The certificates of a PEM document. What else is in it is passed over, as Go does.
fn certificates(pem: &[u8], key: &str) -> Result<Vec<CertificateDer<'static>>, KubeconfigError> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect();
    if found.is_empty() { Err(KubeconfigError::BadCertificate { key: key.to_owned() }) } else { Ok(found) }
}

fn valid_until(der: &CertificateDer<'_>) -> Option<Timestamp> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}
