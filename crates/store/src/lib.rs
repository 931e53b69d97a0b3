//! Everything that Outdial keeps, in SQLite or PostgreSQL. SQL is written here and nowhere else.
//!
//! What the crate does are plain functions over a transaction ([`Tx`]), one file per concern; [`Store::write`] and
//! [`Store::read`] run them on the database's own threads.

pub mod abandonment;
pub mod callbacks;
pub mod changes;
pub mod db;
mod error;
pub mod events;
pub mod feed;
pub mod figures;
mod hopper;
pub mod intake;
pub mod lease;
pub mod records;
pub mod recovery;
pub mod reference;
pub mod sinks;
#[cfg(feature = "testing")]
pub mod testing;
mod value;
pub mod verify;

/// A text as both databases can hold it: with U+FFFD for NUL, which PostgreSQL has in none.
pub fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

pub use db::{Dialect, Store, StoreOptions, StoreTarget, Tx};
pub use error::StoreError;
pub use hopper::ClaimedContact;
pub use value::{FromValue, Row, Value};
