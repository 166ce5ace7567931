use std::{collections::HashMap, fmt, sync::LazyLock};

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use parking_lot::Mutex;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::scram::ScramError;

/// A way to prove a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// `SCRAM-SHA-1`, over the MD5 digest of the user's name and password (RFC 5802).
    ScramSha1,
    /// `SCRAM-SHA-256` (RFC 7677).
    ScramSha256,
}

type SaltedCache = HashMap<(Mechanism, String, Vec<u8>, u32), Vec<u8>>;
static SALTED: LazyLock<Mutex<SaltedCache>> = LazyLock::new(Mutex::default);
const SALTED_CACHE_ENTRIES: usize = 256;

impl Mechanism {
    /// Those that are enabled unless `authenticationMechanisms` says otherwise.
    pub const ALL: [Self; 2] = [Self::ScramSha1, Self::ScramSha256];

    /// As commands name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::ScramSha256 => "SCRAM-SHA-256",
        }
    }

    /// The mechanism of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }

    /// Iterations for users (`scramIterationCount`, `scramSHA256IterationCount`).
    pub fn iterations(self) -> u32 {
        match self {
            Self::ScramSha1 => 10_000,
            Self::ScramSha256 => 15_000,
        }
    }

    /// Bytes of a key.
    pub(super) fn key_bytes(self) -> usize {
        match self {
            Self::ScramSha1 => 20,
            Self::ScramSha256 => 32,
        }
    }

    /// Bytes of a fresh salt.
    pub(super) fn salt_bytes(self) -> usize {
        self.key_bytes() - 4
    }

    pub(super) fn hash(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::ScramSha1 => Sha1::digest(data).to_vec(),
            Self::ScramSha256 => Sha256::digest(data).to_vec(),
        }
    }

    pub(super) fn hmac(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        match self {
            Self::ScramSha1 => keyed::<Hmac<Sha1>>(key, message),
            Self::ScramSha256 => keyed::<Hmac<Sha256>>(key, message),
        }
    }

    pub(super) fn salted_password(
        self,
        user: &str,
        password: &str,
        salt: &[u8],
        iterations: u32,
    ) -> Result<Vec<u8>, ScramError> {
        let entry = (self, self.prepared(user, password)?, salt.to_vec(), iterations);
        if let Some(salted) = SALTED.lock().get(&entry) {
            return Ok(salted.clone());
        }
        let mut salted = vec![0; self.key_bytes()];
        match self {
            Self::ScramSha1 => pbkdf2::pbkdf2_hmac::<Sha1>(entry.1.as_bytes(), salt, iterations, &mut salted),
            Self::ScramSha256 => pbkdf2::pbkdf2_hmac::<Sha256>(entry.1.as_bytes(), salt, iterations, &mut salted),
        }
        let mut cache = SALTED.lock();
        if cache.len() >= SALTED_CACHE_ENTRIES {
            cache.clear();
        }
        cache.insert(entry, salted.clone());
        Ok(salted)
    }

    /// What is salted in place of the password itself.
    fn prepared(self, user: &str, password: &str) -> Result<String, ScramError> {
        match self {
            Self::ScramSha1 => {
                let digest = Md5::digest(format!("{user}:mongo:{password}"));
                Ok(format!("{:032x}", u128::from_be_bytes(digest.into())))
            }
            Self::ScramSha256 => {
                Ok(stringprep::saslprep(password).map_err(|_| ScramError::Password)?.into_owned())
            }
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn keyed<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    // HMAC takes keys of every length, so the error has no case.
    M::new_from_slice(key).map_or_else(
        |_| Vec::new(),
        |mut mac| {
            mac.update(message);
            mac.finalize().into_bytes().to_vec()
        },
    )
}
