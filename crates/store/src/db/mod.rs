//! The two databases behind one face: transactions, workers, migrations.

mod dialect;
mod job;
mod migrate;
mod postgres;
mod postgres_value;
mod sqlite;
mod store;
mod tx;

pub use dialect::Dialect;
pub use migrate::{MIGRATIONS, Migration};
pub use store::{Store, StoreOptions, StoreTarget};
pub use tx::Tx;

/// Brings a PostgreSQL database's schema up to date, for a template that tests are copied from.
#[cfg(feature = "testing")]
pub(crate) fn migrate_postgres(config: &tokio_postgres::Config) -> Result<(), crate::StoreError> {
    postgres::migrate(config, MIGRATIONS, 0)
}
