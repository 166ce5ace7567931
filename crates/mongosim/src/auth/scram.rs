//! SCRAM (RFC 5802, RFC 7677), both sides.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bson::{Document, doc};
use rand::Rng;

use super::Mechanism;

/// Iterations for the cluster key: the least a driver takes, as members connect often.
pub const INTERNAL_ITERATIONS: u32 = 4096;

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
    mechanism: Mechanism,
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
}

impl Credential {
    /// Derives a credential with a fresh salt.
    pub fn derive(mechanism: Mechanism, user: &str, password: &str, iterations: u32) -> Result<Self, ScramError> {
        let mut salt = vec![0; mechanism.salt_bytes()];
        rand::rng().fill(salt.as_mut_slice());
        Self::with_salt(mechanism, user, password, salt, iterations)
    }

    /// Derives another password's credential with this one's salt: one exchange can then be
    /// checked against both.
    pub fn same_salt(&self, user: &str, password: &str) -> Result<Self, ScramError> {
        Self::with_salt(self.mechanism, user, password, self.salt.clone(), self.iterations)
    }

    fn with_salt(
        mechanism: Mechanism,
        user: &str,
        password: &str,
        salt: Vec<u8>,
        iterations: u32,
    ) -> Result<Self, ScramError> {
        let salted = mechanism.salted_password(user, password, &salt, iterations)?;
        Ok(Self {
            mechanism,
            iterations,
            salt,
            stored_key: mechanism.hash(&mechanism.hmac(&salted, b"Client Key")),
            server_key: mechanism.hmac(&salted, b"Server Key"),
        })
    }

    /// As it is under its mechanism's name in `credentials` of a user document.
    pub fn to_document(&self) -> Document {
        doc! {
            "iterationCount": self.iterations as i32,
            "salt": BASE64.encode(&self.salt),
            "storedKey": BASE64.encode(&self.stored_key),
            "serverKey": BASE64.encode(&self.server_key),
        }
    }

    /// Reads what [`Self::to_document`] wrote.
    pub fn from_document(mechanism: Mechanism, document: &Document) -> Option<Self> {
        let bytes = |key: &str| BASE64.decode(document.get_str(key).ok()?).ok();
        let key = |name: &str| bytes(name).filter(|key| key.len() == mechanism.key_bytes());
        Some(Self {
            mechanism,
            iterations: document.get_i32("iterationCount").ok()? as u32,
            salt: bytes("salt")?,
            stored_key: key("storedKey")?,
            server_key: key("serverKey")?,
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
        let proof = BASE64.decode(proof).map_err(|_| ScramError::Malformed)?;
        let auth_message = format!("{},{},{without_proof}", self.first_bare, self.server_first);
        for credential in &self.credentials {
            let mechanism = credential.mechanism;
            let signature = mechanism.hmac(&credential.stored_key, auth_message.as_bytes());
            if proof.len() != signature.len() {
                return Err(ScramError::Malformed);
            }
            if mechanism.hash(&xor(&proof, &signature)) == credential.stored_key {
                let signature = mechanism.hmac(&credential.server_key, auth_message.as_bytes());
                return Ok(format!("v={}", BASE64.encode(signature)));
            }
        }
        Err(ScramError::Denied)
    }
}

/// The client's half of an exchange.
pub struct ClientExchange {
    user: String,
    nonce: String,
    first_bare: String,
}

/// Checks the server's signature.
pub struct Verifier(Vec<u8>);

impl ClientExchange {
    /// Begins an exchange for `user`.
    pub fn start(user: &str) -> (Self, String) {
        let nonce = fresh_nonce();
        let first_bare = format!("n={user},r={nonce}");
        let message = format!("n,,{first_bare}");
        (Self { user: user.to_owned(), nonce, first_bare }, message)
    }

    /// Proves the password.
    pub fn answer(
        &self,
        mechanism: Mechanism,
        password: &str,
        server_first: &str,
    ) -> Result<(Verifier, String), ScramError> {
        let nonce = attribute(server_first, 'r')?;
        let salt = BASE64.decode(attribute(server_first, 's')?).map_err(|_| ScramError::Malformed)?;
        let iterations: u32 = attribute(server_first, 'i')?.parse().map_err(|_| ScramError::Malformed)?;
        if !nonce.starts_with(&self.nonce) || iterations < INTERNAL_ITERATIONS {
            return Err(ScramError::Malformed);
        }
        let salted = mechanism.salted_password(&self.user, password, &salt, iterations)?;
        let client_key = mechanism.hmac(&salted, b"Client Key");
        let stored_key = mechanism.hash(&client_key);
        let without_proof = format!("c=biws,r={nonce}");
        let auth_message = format!("{},{server_first},{without_proof}", self.first_bare);
        let proof = xor(&client_key, &mechanism.hmac(&stored_key, auth_message.as_bytes()));
        let server_key = mechanism.hmac(&salted, b"Server Key");
        let verifier = Verifier(mechanism.hmac(&server_key, auth_message.as_bytes()));
        Ok((verifier, format!("{without_proof},p={}", BASE64.encode(proof))))
    }
}

impl Verifier {
    /// Fails unless the server proved that it knows the password too.
    pub fn check(&self, server_final: &str) -> Result<(), ScramError> {
        if attribute(server_final, 'v')? == BASE64.encode(&self.0) { Ok(()) } else { Err(ScramError::Denied) }
    }
}

fn xor(left: &[u8], right: &[u8]) -> Vec<u8> {
    left.iter().zip(right).map(|(left, right)| left ^ right).collect()
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

    fn exchange(mechanism: Mechanism, server_password: &str, client_password: &str) -> Result<(), ScramError> {
        let credential = Credential::derive(mechanism, "root", server_password, INTERNAL_ITERATIONS)?;
        let credential = Credential::from_document(mechanism, &credential.to_document()).unwrap();
        let (client, first) = ClientExchange::start("root");
        assert_eq!(user_of(&first).unwrap(), "root");
        let (server, server_first) = ServerExchange::start(&first, vec![credential])?;
        let (verifier, last) = client.answer(mechanism, client_password, &server_first)?;
        verifier.check(&server.finish(&last)?)
    }

    #[test]
    fn the_right_password_passes_both_ways() {
        for mechanism in Mechanism::ALL {
            assert_eq!(exchange(mechanism, "pencil", "pencil"), Ok(()));
        }
    }

    #[test]
    fn a_wrong_password_is_denied() {
        for mechanism in Mechanism::ALL {
            assert_eq!(exchange(mechanism, "pencil", "eraser"), Err(ScramError::Denied));
        }
    }
}
