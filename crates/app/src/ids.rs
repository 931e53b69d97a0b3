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
        Self(Mutex::new(IdSource::new(rand::random())))
    }

    /// The next identifier.
    pub fn next(&self, now: Time) -> Uuid {
        // A poisoned source is still a source of identifiers.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).next(now)
    }
}
