//! Secrets that are shown once and stored as their hash.

use std::fmt;

use sha2::{Digest, Sha256};

/// Letters and digits of a secret.
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Characters of a secret: 40 of 62 are 238 bits, beyond any guessing, so that a plain SHA-256 is enough to store.
const LENGTH: usize = 40;
/// Characters of a key's text that are shown in lists, so that people can tell keys apart.
const SHOWN: usize = 8;

/// A key or a session's token. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new one from the operating system's random source.
    pub fn random() -> Self {
        let letter = |_| char::from(ALPHABET[rand::random_range(0..ALPHABET.len())]);
        Self(format!("od_{}", (0..LENGTH).map(letter).collect::<String>()))
    }

    /// As given by a caller.
    pub fn given(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: shown once, to whoever made it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// The beginning, by which people tell keys apart.
    pub fn prefix(&self) -> String {
        self.0.chars().take(SHOWN).collect()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
