//! What is kept besides the contacts' way through the engine: configuration, access, imports, suppression, the
//! history and what is needed to answer for it.
//!
//! Every function runs inside a transaction that its caller holds, so that several of them are committed together.
//! Every row belongs to a tenant and is found only under it; what one tenant asks for by another's identifier is
//! not there. Exceptions are named where they are: a secret's hash, which itself says whose it is, and the
//! housekeeping of this process.

pub mod attempts;
pub mod audit;
pub mod callbacks;
pub mod caller_ids;
pub mod contacts;
pub mod definitions;
pub mod idempotency;
pub mod imports;
pub mod keys;
pub mod messages;
pub mod page;
pub mod recordings;
pub mod schedules;
pub mod script_versions;
pub mod scripts;
pub mod short_numbers;
pub mod supervisions;
pub mod suppression;
pub mod tenants;
pub mod users;

pub use page::{PAGE_ROWS_MAX, Page, Rows};

use crate::{Dialect, Row, StoreError, Tx};

/// A SHA-256 digest: how secrets and requests are kept.
pub type Sha256 = [u8; 32];

/// Implements `Debug` with the fields that cannot hold personal data or secrets, and no others.
macro_rules! debug_showing {
    ($type:ident: $($field:ident),+) => {
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($type))$(.field(stringify!($field), &self.$field))+.finish_non_exhaustive()
            }
        }
    };
}
pub(crate) use debug_showing;

/// Reads a JSON column.
pub(crate) fn json(row: &Row, index: usize, what: &'static str) -> Result<serde_json::Value, StoreError> {
    let text: String = row.get(index)?;
    serde_json::from_str(&text).map_err(|_| corrupt(what))
}

/// Reads a JSON column that may be empty.
pub(crate) fn json_option(
    row: &Row,
    index: usize,
    what: &'static str,
) -> Result<Option<serde_json::Value>, StoreError> {
    let text: Option<String> = row.get(index)?;
    text.map(|text| serde_json::from_str(&text).map_err(|_| corrupt(what))).transpose()
}

/// The database holds something that this program never writes.
pub(crate) fn corrupt(what: &str) -> StoreError {
    StoreError::corrupt(format!("{what} is not one that is known"))
}

/// A column with its ASCII letters folded to lower case, in the words of the unique index on it. What it is compared
/// with is folded by `to_ascii_lowercase`.
pub(crate) fn folded(tx: &Tx<'_>, column: &str) -> String {
    match tx.dialect() {
        Dialect::Sqlite => format!("lower({column})"),
        // Without a collation it would fold as the database's locale does.
        Dialect::Postgres => format!("lower({column} COLLATE \"C\")"),
    }
}
