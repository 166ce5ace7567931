//! Checks a certificate that a user gave before any server is made to rely on it: each cause is told by itself, with what
//! to do.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier as _;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{CertificateError, Error, RootCertStore};

/// The least time that a certificate must have left: members restart one by one to take it, and must not end amid that.
const LEAST_TIME: Duration = Duration::from_hours(1);

/// A certificate that a user gave, as PEM: the values of the keys of the Secret.
#[derive(Clone, Copy)]
pub struct GivenCertificate<'a> {
    /// `ca.crt`.
    pub authority: &'a str,
    /// `tls.crt`.
    pub certificate: &'a str,
    /// `tls.key`.
    pub key: &'a str,
}

/// Why servers could not work with a certificate.
#[derive(Debug, thiserror::Error)]
pub enum UnfitCertificate {
    /// A key of the Secret holds no PEM of that kind.
    #[error("{key} holds no {what} as PEM: {why}; write the {what} as PEM into it")]
    Pem {
        /// The key.
        key: &'static str,
        /// What it should hold.
        what: &'static str,
        /// Why it does not.
        why: String,
    },
    /// The key needs a passphrase.
    #[error(
        "tls.key is encrypted with a passphrase, and no server can enter one; store the key without it: `openssl pkey -in tls.key -out plain.key`"
    )]
    EncryptedKey,
    /// The certificate of the key is not the first.
    #[error(
        "tls.crt does not begin with the certificate of tls.key: that one is number {position} of {count}; put it first, and the intermediate certificates after it"
    )]
    Order {
        /// Where it is, from 1.
        position: usize,
        /// How many there are.
        count: usize,
    },
    /// No certificate is that of the key.
    #[error(
        "tls.key is not the key of any certificate in tls.crt ({0}); store the key that the certificate was issued for"
    )]
    Key(Error),
    /// It is over.
    #[error("{key} expired at {at}; renew it")]
    Expired {
        /// The key.
        key: &'static str,
        /// When.
        at: String,
    },
    /// It is almost over.
    #[error(
        "tls.crt expires in {minutes} minutes, at {at}: members restart one by one to take it, and need it for longer; renew it"
    )]
    Expires {
        /// The time that is left.
        minutes: u64,
        /// When.
        at: String,
    },
    /// It is not valid yet.
    #[error("{key} is valid from {at} on; issue it again, or check the clock of the machine that issues it")]
    NotYet {
        /// The key.
        key: &'static str,
        /// When.
        at: String,
    },
    /// The authority did not issue it.
    #[error(
        "tls.crt was not issued by ca.crt ({0}); store the authority's certificate in ca.crt, and every intermediate certificate in tls.crt after the server's own"
    )]
    Issuer(Error),
    /// It does not allow what members do with it.
    #[error(
        "tls.crt does not allow {usage} ({why}); every member is a server and a client of the others, so issue it with both extended key usages: serverAuth and clientAuth"
    )]
    Usage {
        /// The usage.
        usage: &'static str,
        /// Why it is refused.
        why: Error,
    },
    /// It does not bear a name.
    #[error("tls.crt is not valid for {name} ({why}); issue it with that name as well (subjectAltName)")]
    Name {
        /// The name.
        name: String,
        /// Why it is refused.
        why: Error,
    },
}

impl GivenCertificate<'_> {
    /// Checks that servers of those names can work with it from now on. A wildcard stands for any name below it.
    pub fn check(&self, names: &[String], now: UnixTime) -> Result<(), UnfitCertificate> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let chain = certificates("tls.crt", self.certificate)?;
        self.check_key(&chain, &provider)?;
        let (end, intermediates) =
            chain.split_first().ok_or_else(|| pem("tls.crt", "certificate", &"it is empty"))?;
        let mut roots = RootCertStore::empty();
        let authorities = certificates("ca.crt", self.authority)?;
        for authority in &authorities {
            roots.add(authority.clone()).map_err(|error| pem("ca.crt", "certificate of an authority", &error))?;
        }
        let roots = Arc::new(roots);
        let unusable = |error: &dyn Display| pem("ca.crt", "certificate of an authority", error);
        let servers = WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
            .build()
            .map_err(|error| unusable(&error))?;
        let clients = WebPkiClientVerifier::builder_with_provider(roots, provider)
            .build()
            .map_err(|error| unusable(&error))?;
        let as_client = |at| clients.verify_client_cert(end, intermediates, at).map(drop);
        let as_server =
            |name: &ServerName<'_>, at| servers.verify_server_cert(end, intermediates, name, &[], at).map(drop);
        let shown = ServerName::try_from("localhost").map_err(|error| pem("tls.crt", "certificate", &error))?;
        as_server(&shown, now).or_else(of_name).map_err(|why| refused(why, "serverAuth"))?;
        as_client(now).map_err(|why| refused(why, "clientAuth"))?;
        for authority in &authorities {
            check_time(authority, &servers, &shown, now)?;
        }
        for name in names {
            let unfit = |why| UnfitCertificate::Name { name: name.clone(), why };
            let server = ServerName::try_from(name.replace('*', "any"));
            let server = server.map_err(|error| unfit(Error::General(error.to_string())))?;
            as_server(&server, now).map_err(unfit)?;
        }
        let soon = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()) + LEAST_TIME);
        match as_client(soon) {
            Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
                Err(UnfitCertificate::Expires {
                    minutes: not_after.as_secs().saturating_sub(now.as_secs()) / 60,
                    at: told(not_after),
                })
            }
            _ => Ok(()),
        }
    }

    fn check_key(
        &self,
        chain: &[CertificateDer<'static>],
        provider: &CryptoProvider,
    ) -> Result<(), UnfitCertificate> {
        // Both the header of PKCS#8 and that of the older formats say it so.
        if self.key.contains("ENCRYPTED") {
            return Err(UnfitCertificate::EncryptedKey);
        }
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes())
            .map_err(|error| pem("tls.key", "private key", &error))?;
        let is_of = |chain: Vec<CertificateDer<'static>>| CertifiedKey::from_der(chain, key.clone_key(), provider);
        let Err(why) = is_of(chain.to_vec()) else { return Ok(()) };
        let own = chain.iter().position(|certificate| is_of(vec![certificate.clone()]).is_ok());
        Err(match own {
            Some(index) => UnfitCertificate::Order { position: index + 1, count: chain.len() },
            None => UnfitCertificate::Key(why),
        })
    }
}

/// Checks an authority's own time: whoever verifies a chain takes its root as it is, and servers do not. Read as if it were
/// a server's, it is refused for its time before it is refused for being an authority's.
fn check_time(
    authority: &CertificateDer<'_>,
    servers: &WebPkiServerVerifier,
    shown: &ServerName<'_>,
    now: UnixTime,
) -> Result<(), UnfitCertificate> {
    let verified = servers.verify_server_cert(authority, &[], shown, &[], now);
    verified.err().and_then(|why| timely("ca.crt", &why)).map_or(Ok(()), Err)
}

/// A certificate for other names is one all the same; names are checked by themselves.
fn of_name(why: Error) -> Result<(), Error> {
    match why {
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => Ok(()),
        other => Err(other),
    }
}

fn refused(why: Error, usage: &'static str) -> UnfitCertificate {
    if let Some(unfit) = timely("tls.crt", &why) {
        return unfit;
    }
    match why {
        Error::InvalidCertificate(
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. },
        ) => UnfitCertificate::Usage { usage, why },
        other => UnfitCertificate::Issuer(other),
    }
}

/// What is wrong with its time, if that is what is wrong.
fn timely(key: &'static str, why: &Error) -> Option<UnfitCertificate> {
    match why {
        Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }) => {
            Some(UnfitCertificate::Expired { key, at: told(*not_after) })
        }
        Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. }) => {
            Some(UnfitCertificate::NotYet { key, at: told(*not_before) })
        }
        _ => None,
    }
}

fn told(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).map_or_else(|_| format!("{seconds} s after 1970"), |time| time.to_string())
}

fn certificates(key: &'static str, text: &str) -> Result<Vec<CertificateDer<'static>>, UnfitCertificate> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match found {
        Ok(found) if found.is_empty() => Err(pem(key, "certificate", &"there is none")),
        Ok(found) => Ok(found),
        Err(error) => Err(pem(key, "certificate", &error)),
    }
}

fn pem(key: &'static str, what: &'static str, why: &dyn Display) -> UnfitCertificate {
    UnfitCertificate::Pem { key, what, why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, Certificate, CertificateParams, ExtendedKeyUsagePurpose as Usage, IsCa, Issuer, KeyPair,
        date_time_ymd,
    };

    use super::*;

    const NAMES: [&str; 2] = ["*.db-shard-0.databases.svc.cluster.local", "localhost"];
    /// 2026-06-01T00:00:00Z.
    const JUNE: u64 = 1_780_272_000;
    /// 2027-01-01T00:00:00Z.
    const END: u64 = 1_798_761_600;

    struct Made {
        authority: Issuer<'static, KeyPair>,
        root: Certificate,
        leaf: Certificate,
        key: KeyPair,
    }

    fn valid(mut params: CertificateParams, until: i32) -> CertificateParams {
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        params
    }

    fn made(usages: &[Usage], authority_until: i32) -> Made {
        let mut params = valid(CertificateParams::default(), authority_until);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_key = KeyPair::generate().unwrap();
        let root = params.self_signed(&root_key).unwrap();
        let authority = Issuer::new(params, root_key);
        let mut params = valid(CertificateParams::new(NAMES.map(str::to_owned)).unwrap(), 2027);
        params.extended_key_usages = usages.to_vec();
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &authority).unwrap();
        Made { authority, root, leaf, key }
    }

    fn both() -> Made {
        made(&[Usage::ServerAuth, Usage::ClientAuth], 2036)
    }

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    fn check(authority: &str, certificate: &str, key: &str, now: u64) -> Result<(), String> {
        let given = GivenCertificate { authority, certificate, key };
        given.check(&NAMES.map(str::to_owned), at(now)).map_err(|unfit| unfit.to_string())
    }

    #[track_caller]
    fn says(answer: Result<(), String>, parts: &[&str]) {
        let told = answer.unwrap_err();
        for part in parts {
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn what_is_fit_passes_with_and_without_named_usages() {
        for usages in [&[Usage::ServerAuth, Usage::ClientAuth][..], &[]] {
            let Made { root, leaf, key, .. } = made(usages, 2036);
            assert_eq!(check(&root.pem(), &leaf.pem(), &key.serialize_pem(), JUNE), Ok(()));
        }
    }

    #[test]
    fn field_26_a_certificate_that_is_not_the_first_is_found() {
        let Made { root, leaf, key, .. } = both();
        let chain = root.pem() + &leaf.pem();
        let expected = ["tls.crt does not begin with", "number 2 of 2", "put it first"];
        says(check(&root.pem(), &chain, &key.serialize_pem(), JUNE), &expected);
    }

    #[test]
    fn field_26_an_encrypted_key_is_named() {
        let Made { root, leaf, .. } = both();
        for key in [
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nMIIB\n-----END RSA PRIVATE KEY-----\n",
        ] {
            says(check(&root.pem(), &leaf.pem(), key, JUNE), &["encrypted with a passphrase", "openssl pkey"]);
        }
    }

    #[test]
    fn field_26_members_are_servers_and_clients() {
        for (usage, missing) in [(Usage::ServerAuth, "clientAuth"), (Usage::ClientAuth, "serverAuth")] {
            let Made { root, leaf, key, .. } = made(&[usage], 2036);
            let expected = format!("tls.crt does not allow {missing}");
            says(check(&root.pem(), &leaf.pem(), &key.serialize_pem(), JUNE), &[&expected, "issue it with both"]);
        }
    }

    #[test]
    fn field_26_what_is_over_or_almost_over_or_not_yet_valid_is_told_with_its_time() {
        let Made { root, leaf, key, .. } = both();
        let at = |now| check(&root.pem(), &leaf.pem(), &key.serialize_pem(), now);
        assert_eq!(at(END - 2 * 3600), Ok(()));
        says(at(END - 20 * 60), &["tls.crt expires in 20 minutes, at 2027-01-01T00:00:00Z", "renew it"]);
        says(at(END + 60), &["tls.crt expired at 2027-01-01T00:00:00Z"]);
        says(at(1_700_000_000), &["tls.crt is valid from 2026-01-01T00:00:00Z on"]);
        // The authority's time ends before that of what it issued.
        let Made { authority, root, key, .. } = made(&[], 2027);
        let leaf = valid(CertificateParams::new(NAMES.map(str::to_owned)).unwrap(), 2036);
        let leaf = leaf.signed_by(&key, &authority).unwrap();
        let answer = check(&root.pem(), &leaf.pem(), &key.serialize_pem(), END + 60);
        says(answer, &["ca.crt expired at 2027-01-01T00:00:00Z"]);
    }

    #[test]
    fn what_does_not_belong_together_is_told() {
        let (ours, theirs) = (both(), both());
        let (root, leaf, key) = (ours.root.pem(), ours.leaf.pem(), ours.key.serialize_pem());
        says(check(&theirs.root.pem(), &leaf, &key, JUNE), &["was not issued by ca.crt"]);
        says(
            check(&root, &leaf, &theirs.key.serialize_pem(), JUNE),
            &["tls.key is not the key of any certificate"],
        );
        says(check(&root, "nothing", &key, JUNE), &["tls.crt holds no certificate"]);
        says(check("nothing", &leaf, &key, JUNE), &["ca.crt holds no certificate"]);
        says(check(&root, &leaf, "nothing", JUNE), &["tls.key holds no private key"]);
        let other = ["*.db-config.databases.svc.cluster.local".to_owned()];
        let given = GivenCertificate { authority: &root, certificate: &leaf, key: &key };
        let nameless = given.check(&other, at(JUNE)).unwrap_err().to_string();
        assert!(
            nameless.contains("not valid for *.db-config") && nameless.contains("issue it with"),
            "{nameless}"
        );
    }
}
