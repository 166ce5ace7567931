//! Bearer tokens: what may stand in a header, and when a token says that it ends.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;

use super::{KubeconfigError, material};

/// Refuses a token that no server could be sent. White space around it is gone by now.
pub(super) fn check(token: &str, key: &str) -> Result<(), KubeconfigError> {
    material::refuse_omitted(token, key)?;
    if token.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(KubeconfigError::BadToken { key: key.to_owned() })
    }
}

/// The end of a JWT's validity, where it is one and tells: the claim `exp`.
pub(super) fn valid_until(token: &str) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Claims {
        exp: f64,
    }
    let mut parts = token.split('.');
    let (_header, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let Claims { exp } = serde_json::from_slice(&claims).ok()?;
    if !exp.is_finite() || exp.abs() > 1e11 {
        return None;
    }
    Timestamp::from_second(exp.floor() as i64).ok()
}
