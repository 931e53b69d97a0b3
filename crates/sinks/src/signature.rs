//! Signatures of messages, as Standard Webhooks 1.0.0 describes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::OpenError;

/// What a secret begins with.
const PREFIX: &str = "whsec_";

/// A secret that the receiver has too.
#[derive(Clone)]
pub struct SigningSecret(Vec<u8>);

/// Hides the secret.
impl std::fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningSecret")
    }
}

impl SigningSecret {
    /// Reads `whsec_` and 24 to 64 bytes in base64.
    ///
    /// # Errors
    /// It is something else.
    pub fn parse(text: &str) -> Result<Self, OpenError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(OpenError::Secret)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| OpenError::Secret)?;
        if (24..=64).contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(OpenError::Secret) }
    }

    /// The header `webhook-signature` of a message: `v1,` and the HMAC-SHA256 of id, time and body in base64.
    pub fn sign(&self, id: &str, seconds: i64, body: &str) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0);
        let Ok(mut mac) = mac else {
            // HMAC takes keys of every length.
            return String::new();
        };
        mac.update(format!("{id}.{seconds}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn a_signature_is_the_one_that_the_specification_gives() {
        let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_no_secret_is_refused_and_a_secret_is_never_shown() {
        for text in ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_!!"] {
            assert!(SigningSecret::parse(text).is_err(), "{text}");
        }
        let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(format!("{secret:?}"), "SigningSecret");
    }
}
