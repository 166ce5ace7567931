//! What an approval is good for: one step on the group as it is now.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// Bytes of the digest that an approval's hash shows: sixteen hexadecimal digits.
const SHOWN: usize = 8;

/// The hash of what is approved, from the words that describe it in full.
pub(crate) fn hash(words: &str) -> String {
    Sha256::digest(words).iter().take(SHOWN).fold(String::with_capacity(2 * SHOWN), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
