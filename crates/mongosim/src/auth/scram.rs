//! SCRAM-SHA-256 (RFC 5802, RFC 7677), both sides.

use std::{collections::HashMap, sync::LazyLock};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bson::{Document, doc};
use hmac::{Hmac, Mac};
use parking_lot::Mutex;
use rand::Rng;
use sha2::{Digest, Sha256};

/// Iterations for users (`scramSHA256IterationCount`).
pub const ITERATIONS: u32 = 15_000;
/// Iterations for the cluster key: the least a driver takes, as members connect often.
pub const INTERNAL_ITERATIONS: u32 = 4096;

type SaltedCache = HashMap<(String, Vec<u8>, u32), [u8; 32]>;
static SALTED: LazyLock<Mutex<SaltedCache>> = LazyLock::new(Mutex::default);
const SALTED_CACHE_ENTRIES: usize = 256;

/// Why an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// A message is not what the RFC says.
    #[error("malformed SCRAM message")]
    Malformed,
    /// The password cannot be prepared.
    #[error("password is not valid for SASLprep")]
    Password,
    /// The other side does not know the password.
    #[error("Authentication failed.")]
    Denied,
}

/// What a server keeps of a password.
#[derive(Clone)]
pub struct Credential {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: [u8; 32],
    server_key: [u8; 32],
}

impl Credential {
    /// Derives a credential with a fresh salt.
    pub fn derive(password: &str, iterations: u32) -> Result<Self, ScramError> {
        Self::with_salt(password, &rand::rng().random::<[u8; 28]>(), iterations)
    }

    /// Derives another password's credential with this one's salt: one exchange can then be
    /// checked against both.
    pub fn same_salt(&self, password: &str) -> Result<Self, ScramError> {
        Self::with_salt(password, &self.salt, self.iterations)
    }

    fn with_salt(password: &str, salt: &[u8], iterations: u32) -> Result<Self, ScramError> {
        let salted = salted_password(password, salt, iterations)?;
        Ok(Self {
            iterations,
            salt: salt.to_vec(),
            stored_key: Sha256::digest(hmac(&salted, b"Client Key")).into(),
            server_key: hmac(&salted, b"Server Key"),
        })
    }

    /// As `credentials.SCRAM-SHA-256` of a user document.
    pub fn to_document(&self) -> Document {
        doc! {
            "iterationCount": self.iterations as i32,
            "salt": BASE64.encode(&self.salt),
            "storedKey": BASE64.encode(self.stored_key),
            "serverKey": BASE64.encode(self.server_key),
        }
    }

    /// Reads what [`Self::to_document`] wrote.
    pub fn from_document(document: &Document) -> Option<Self> {
        let bytes = |key: &str| BASE64.decode(document.get_str(key).ok()?).ok();
        Some(Self {
            iterations: document.get_i32("iterationCount").ok()? as u32,
            salt: bytes("salt")?,
            stored_key: bytes("storedKey")?.try_into().ok()?,
            server_key: bytes("serverKey")?.try_into().ok()?,
        })
    }
}

/// The user name in a client's first message.
pub fn user_of(client_first: &str) -> Result<String, ScramError> {
    let bare = client_first.strip_prefix("n,,").ok_or(ScramError::Malformed)?;
    let name = attribute(bare, 'n')?;
    Ok(name.replace("=2C", ",").replace("=3D", "="))
}

/// The server's half of an exchange.
pub struct ServerExchange {
    credentials: Vec<Credential>,
    nonce: String,
    first_bare: String,
    server_first: String,
}

impl ServerExchange {
    /// Answers a client's first message; any of `credentials` with the first one's salt may match.
    pub fn start(client_first: &str, credentials: Vec<Credential>) -> Result<(Self, String), ScramError> {
        let bare = client_first.strip_prefix("n,,").ok_or(ScramError::Malformed)?;
        let credential = credentials.first().ok_or(ScramError::Denied)?;
        let nonce = format!("{}{}", attribute(bare, 'r')?, fresh_nonce());
        let server_first = format!("r={nonce},s={},i={}", BASE64.encode(&credential.salt), credential.iterations);
        let exchange =
            Self { nonce, first_bare: bare.to_owned(), server_first: server_first.clone(), credentials };
        Ok((exchange, server_first))
    }

    /// Checks the client's proof and gives the server's signature.
    pub fn finish(&self, client_final: &str) -> Result<String, ScramError> {
        let (without_proof, proof) = client_final.rsplit_once(",p=").ok_or(ScramError::Malformed)?;
        if attribute(without_proof, 'r')? != self.nonce {
            return Err(ScramError::Malformed);
        }
        let proof: [u8; 32] =
            BASE64.decode(proof).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(ScramError::Malformed)?;
        let auth_message = format!("{},{},{without_proof}", self.first_bare, self.server_first);
        for credential in &self.credentials {
            let signature = hmac(&credential.stored_key, auth_message.as_bytes());
            let client_key = xor(&proof, &signature);
            if <[u8; 32]>::from(Sha256::digest(client_key)) == credential.stored_key {
                let signature = hmac(&credential.server_key, auth_message.as_bytes());
                return Ok(format!("v={}", BASE64.encode(signature)));
            }
        }
        Err(ScramError::Denied)
    }
}

/// The client's half of an exchange.
pub struct ClientExchange {
    nonce: String,
    first_bare: String,
}

/// Checks the server's signature.
pub struct Verifier([u8; 32]);

impl ClientExchange {
    /// Begins an exchange for `user`.
    pub fn start(user: &str) -> (Self, String) {
        let nonce = fresh_nonce();
        let first_bare = format!("n={user},r={nonce}");
        let message = format!("n,,{first_bare}");
        (Self { nonce, first_bare }, message)
    }

    /// Proves the password.
    pub fn answer(&self, password: &str, server_first: &str) -> Result<(Verifier, String), ScramError> {
        let nonce = attribute(server_first, 'r')?;
        let salt = BASE64.decode(attribute(server_first, 's')?).map_err(|_| ScramError::Malformed)?;
        let iterations: u32 = attribute(server_first, 'i')?.parse().map_err(|_| ScramError::Malformed)?;
        if !nonce.starts_with(&self.nonce) || iterations < INTERNAL_ITERATIONS {
            return Err(ScramError::Malformed);
        }
        let salted = salted_password(password, &salt, iterations)?;
        let client_key = hmac(&salted, b"Client Key");
        let stored_key: [u8; 32] = Sha256::digest(client_key).into();
        let without_proof = format!("c=biws,r={nonce}");
        let auth_message = format!("{},{server_first},{without_proof}", self.first_bare);
        let proof = xor(&client_key, &hmac(&stored_key, auth_message.as_bytes()));
        let server_key = hmac(&salted, b"Server Key");
        let verifier = Verifier(hmac(&server_key, auth_message.as_bytes()));
        Ok((verifier, format!("{without_proof},p={}", BASE64.encode(proof))))
    }
}

impl Verifier {
    /// Fails unless the server proved that it knows the password too.
    pub fn check(&self, server_final: &str) -> Result<(), ScramError> {
        if attribute(server_final, 'v')? == BASE64.encode(self.0) { Ok(()) } else { Err(ScramError::Denied) }
    }
}

fn salted_password(password: &str, salt: &[u8], iterations: u32) -> Result<[u8; 32], ScramError> {
    let prepared = stringprep::saslprep(password).map_err(|_| ScramError::Password)?.into_owned();
    let entry = (prepared, salt.to_vec(), iterations);
    if let Some(salted) = SALTED.lock().get(&entry) {
        return Ok(*salted);
    }
    let mut salted = [0u8; 32];
    pbkdf2::pbkdf2_hmac::<Sha256>(entry.0.as_bytes(), salt, iterations, &mut salted);
    let mut cache = SALTED.lock();
    if cache.len() >= SALTED_CACHE_ENTRIES {
        cache.clear();
    }
    cache.insert(entry, salted);
    Ok(salted)
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    // HMAC takes keys of every length, so the error has no case.
    Hmac::<Sha256>::new_from_slice(key).map_or([0; 32], |mut mac| {
        mac.update(message);
        mac.finalize().into_bytes().into()
    })
}

fn xor(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    std::array::from_fn(|i| left[i] ^ right[i])
}

fn attribute(message: &str, key: char) -> Result<&str, ScramError> {
    message.split(',').find_map(|part| part.strip_prefix(key)?.strip_prefix('=')).ok_or(ScramError::Malformed)
}

fn fresh_nonce() -> String {
    BASE64.encode(rand::rng().random::<[u8; 24]>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(server_password: &str, client_password: &str) -> Result<(), ScramError> {
        let credential = Credential::derive(server_password, INTERNAL_ITERATIONS)?;
        let credential = Credential::from_document(&credential.to_document()).unwrap();
        let (client, first) = ClientExchange::start("root");
        assert_eq!(user_of(&first).unwrap(), "root");
        let (server, server_first) = ServerExchange::start(&first, vec![credential])?;
        let (verifier, last) = client.answer(client_password, &server_first)?;
        verifier.check(&server.finish(&last)?)
    }

    #[test]
    fn the_right_password_passes_both_ways() {
        assert_eq!(exchange("pencil", "pencil"), Ok(()));
    }

    #[test]
    fn a_wrong_password_is_denied() {
        assert_eq!(exchange("pencil", "eraser"), Err(ScramError::Denied));
    }
}
