//! Identifiers for what the use cases create.

use std::sync::{Mutex, PoisonError};

use engine::{IdSource, Time};
use uuid::Uuid;

/// A source of identifiers that many tasks share. Seeded from the operating system, so that no two nodes mint the
/// same one.
#[derive(Debug)]
pub struct Ids(Mutex<IdSource>);

impl Ids {
    /// A source with a random seed.
    pub fn random() -> Self {
        Self(Mutex::new(IdSource::new(random_seed())))
    }

    /// The next identifier.
    pub fn next(&self, now: Time) -> Uuid {
        // A poisoned source is still a source of identifiers.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).next(now)
    }
}

/// A seed from the operating system: the one place where chance comes in.
#[expect(
    clippy::disallowed_methods,
    reason = "the generators that are seeded with it are handed on from here"
)]
pub(crate) fn random_seed() -> u64 {
    rand::random()
}
