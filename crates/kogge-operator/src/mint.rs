//! Makes keys, passwords and certificates, of this process's randomness and clock.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD};
use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};
use kogge_api::ClusterId;
use kogge_database::secrets::{Certificate, Mint, MintError};
use kogge_engine_client::GivenCertificate;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use rustls_pki_types::UnixTime;

/// Bytes of a keyfile's key: 1008 characters of base64, where engines take 1024 at most.
const KEY_BYTES: usize = 756;
/// Days that a server's certificate is valid.
const LEAF_DAYS: i32 = 365;
/// Days that an authority is valid.
const AUTHORITY_DAYS: i32 = 3650;

/// Makes secrets now.
pub struct OperatorMint {
    now: Timestamp,
}

impl OperatorMint {
    /// Makes secrets that are valid from now on.
    pub fn now() -> Self {
        Self { now: Timestamp::now() }
    }

    fn day(&self, offset: i32) -> Date {
        let today = self.now.to_zoned(TimeZone::UTC).date();
        today.saturating_add(offset.days())
    }

    /// Valid from yesterday, for clocks that are behind, and due for renewal when a third of its time is left.
    fn valid_for(&self, params: &mut CertificateParams, days: i32) -> Option<i64> {
        let at = |date: Date| {
            rcgen::date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
        };
        params.not_before = at(self.day(-1));
        params.not_after = at(self.day(days));
        let renewal = self.day(days - days / 3).to_zoned(TimeZone::UTC).ok()?;
        Some(renewal.timestamp().as_second())
    }
}

impl Mint for OperatorMint {
    fn cluster_id(&mut self) -> ClusterId {
        ClusterId::from_random(rand::random())
    }

    fn check(&self, authority: &str, leaf: &Certificate, names: &[String]) -> Result<(), String> {
        let given = GivenCertificate { authority, certificate: &leaf.certificate, key: &leaf.key };
        given.check(names, UnixTime::now()).map_err(|unfit| unfit.to_string())
    }

    fn key(&mut self) -> String {
        let mut key = [0; KEY_BYTES];
        rand::fill(&mut key);
        BASE64.encode(key)
    }

    fn password(&mut self) -> String {
        URL_SAFE_NO_PAD.encode(rand::random::<[u8; 24]>())
    }

    fn authority(&mut self, name: &str) -> Result<Certificate, MintError> {
        let mut params = CertificateParams::default();
        // Two authorities of one database are told apart by their names while both are trusted.
        params.distinguished_name.push(DnType::CommonName, format!("{name} {:016x}", rand::random::<u64>()));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let renew_at = self.valid_for(&mut params, AUTHORITY_DAYS);
        let key = KeyPair::generate().map_err(|e| failed("an authority", &e))?;
        let certificate = params.self_signed(&key).map_err(|e| failed("an authority", &e))?;
        Ok(Certificate { certificate: certificate.pem(), key: key.serialize_pem(), renew_at })
    }

    fn leaf(&mut self, authority: &Certificate, names: &[String]) -> Result<Certificate, MintError> {
        // A member is a client of the others.
        let usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(authority, names, DistinguishedName::new(), usages)
    }

    fn client(&mut self, authority: &Certificate, user: &str, from: &[String]) -> Result<Certificate, MintError> {
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, user);
        self.issue(authority, from, name, vec![ExtendedKeyUsagePurpose::ClientAuth])
    }
}

impl OperatorMint {
    fn issue(
        &self,
        authority: &Certificate,
        names: &[String],
        mut subject: DistinguishedName,
        usages: Vec<ExtendedKeyUsagePurpose>,
    ) -> Result<Certificate, MintError> {
        let wrong = |e: rcgen::Error| failed("a certificate", &e);
        let mut params = CertificateParams::new(names).map_err(wrong)?;
        subject.push(DnType::OrganizationName, "kogge");
        params.distinguished_name = subject;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = usages;
        params.use_authority_key_identifier_extension = true;
        let renew_at = self.valid_for(&mut params, LEAF_DAYS);
        let signer = KeyPair::from_pem(&authority.key).map_err(wrong)?;
        let issuer = Issuer::from_ca_cert_pem(&authority.certificate, signer).map_err(wrong)?;
        let key = KeyPair::generate().map_err(wrong)?;
        let certificate = params.signed_by(&key, &issuer).map_err(wrong)?;
        Ok(Certificate { certificate: certificate.pem(), key: key.serialize_pem(), renew_at })
    }
}

fn failed(what: &str, error: &rcgen::Error) -> MintError {
    MintError { what: what.to_owned(), why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    #[test]
    fn what_the_operator_makes_is_fit() {
        let mut mint = OperatorMint::now();
        let authority = mint.authority("db").unwrap();
        let names = ["*.db-shard-0.databases.svc.cluster.local", "localhost", "127.0.0.1"].map(str::to_owned);
        let leaf = mint.leaf(&authority, &names).unwrap();
        mint.check(&authority.certificate, &leaf, &names).unwrap();
    }

    #[test]
    fn keys_and_passwords_are_plain_text_of_their_length_and_never_the_same() {
        let mut mint = OperatorMint::now();
        let key = mint.key();
        assert!((6..=1024).contains(&key.len()), "{} characters", key.len());
        assert_ne!(key, mint.key());
        assert_ne!(mint.password(), mint.password());
    }

    #[test]
    fn a_certificate_is_renewed_when_a_third_of_its_time_is_left() {
        let mut mint = OperatorMint::now();
        let authority = mint.authority("db").unwrap();
        let names = ["*.db-shard-0.databases.svc.cluster.local", "localhost", "127.0.0.1"].map(str::to_owned);
        let leaf = mint.leaf(&authority, &names).unwrap();
        let days = |at: Option<i64>| (at.unwrap() - mint.now.as_second()) / DAY;
        assert!((242..=244).contains(&days(leaf.renew_at)), "{} days", days(leaf.renew_at));
        assert!((2432..=2435).contains(&days(authority.renew_at)), "{} days", days(authority.renew_at));
        assert_ne!(leaf.certificate, mint.leaf(&authority, &names).unwrap().certificate);
    }
}
