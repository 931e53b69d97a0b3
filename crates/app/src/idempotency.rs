//! Requests that are sent again: carried out once, answered as often as asked.

use std::time::Duration;

use sha2::{Digest, Sha256};
use store::records::idempotency::{self as rows, Begun};

use crate::access::Principal;
use crate::{App, AppError};

/// How long an answer is kept for a repetition.
pub const KEPT: Duration = Duration::from_secs(48 * 3600);
/// Characters of a key at most.
const KEY_LENGTH_MAX: usize = 255;

/// What is to be done with a request that names a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repetition {
    /// It is the first: carry it out and keep its answer.
    First,
    /// It was carried out: this was the answer.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
}

impl App {
    /// Looks whether a request was carried out before, and notes that it is now.
    ///
    /// # Errors
    /// The key was used for another request, or the first request with it is under way or was cut short.
    pub async fn begin_once(
        &self,
        who: &Principal,
        key: &str,
        request: &[u8],
    ) -> Result<Repetition, AppError> {
        if key.is_empty() || key.len() > KEY_LENGTH_MAX || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            let message = "an Idempotency-Key has 1 to 255 visible ASCII characters";
            return Err(AppError::invalid("bad_idempotency_key", "", message));
        }
        let (tenant, key, now) = (who.tenant, key.to_owned(), self.clock.now());
        let hash: [u8; 32] = Sha256::digest(request).into();
        let begun = self.write(move |tx| Ok(rows::begin(tx, tenant, &key, &hash, now)?)).await?;
        match begun {
            Begun::Fresh => Ok(Repetition::First),
            Begun::Replay { status, body } => Ok(Repetition::Answered { status, body }),
            Begun::Mismatch => {
                let message = "this Idempotency-Key was used for another request: use a new one";
                Err(AppError::invalid("idempotency_key_reused", "", message))
            }
            Begun::Unfinished => {
                let message = "the first request with this Idempotency-Key has no answer yet: look whether it was \
                               carried out before sending it again with another key";
                Err(AppError::conflict("request_unfinished", message))
            }
        }
    }

    /// Keeps the answer to the first request with a key.
    ///
    /// # Errors
    /// The database failed.
    pub async fn keep_answer(
        &self,
        who: &Principal,
        key: &str,
        status: u16,
        body: &str,
    ) -> Result<(), AppError> {
        let (tenant, key, body) = (who.tenant, key.to_owned(), body.to_owned());
        self.write(move |tx| Ok(rows::store(tx, tenant, &key, status, &body)?)).await
    }

    /// Forgets a request that was not carried out, so that it can be sent again with the same key.
    ///
    /// # Errors
    /// The database failed.
    pub async fn forget_request(&self, who: &Principal, key: &str) -> Result<(), AppError> {
        let (tenant, key) = (who.tenant, key.to_owned());
        self.write(move |tx| Ok(rows::forget(tx, tenant, &key)?)).await
    }
}
