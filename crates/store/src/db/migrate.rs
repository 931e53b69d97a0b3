//! Migrations: numbered texts, applied once, in order, and never changed after.

use sha2::{Digest, Sha256};

use crate::error::StoreError;
use crate::value::{Row, Value};
use crate::values;

/// One step of the schema.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its number, from 1 without gaps.
    pub version: i64,
    /// What it is called.
    pub name: &'static str,
    /// Its text, in PostgreSQL's words; `dialect.rs` says how it is put into SQLite's.
    pub sql: &'static str,
}

/// All of them, in order.
pub const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "initial", sql: include_str!("../../migrations/0001_initial.sql") },
    Migration { version: 2, name: "callbacks", sql: include_str!("../../migrations/0002_callbacks.sql") },
    Migration { version: 3, name: "abandonment", sql: include_str!("../../migrations/0003_abandonment.sql") },
    Migration { version: 4, name: "sinks", sql: include_str!("../../migrations/0004_sinks.sql") },
    Migration { version: 5, name: "lanes", sql: include_str!("../../migrations/0005_lanes.sql") },
    Migration { version: 6, name: "scripts", sql: include_str!("../../migrations/0006_scripts.sql") },
    Migration { version: 7, name: "schedules", sql: include_str!("../../migrations/0007_schedules.sql") },
    Migration { version: 8, name: "check_in", sql: include_str!("../../migrations/0008_check_in.sql") },
    Migration {
        version: 10,
        name: "script_versions",
        sql: include_str!("../../migrations/0010_script_versions.sql"),
    },
];

/// Where it is kept which of them were applied.
pub(super) const VERSION_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migration (
    version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL
);";
pub(super) const SELECT_APPLIED: &str = "SELECT version, checksum FROM schema_migration ORDER BY version";
pub(super) const INSERT_APPLIED: &str =
    "INSERT INTO schema_migration (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)";

/// A migration that was applied.
pub(super) struct Applied {
    version: i64,
    checksum: String,
}

impl Migration {
    /// SHA-256 of the text as written, before it is put into a database's words.
    fn checksum(&self) -> String {
        Sha256::digest(self.sql.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn as_applied(&self, now: i64) -> [Value; 4] {
        values![self.version, self.name, self.checksum(), now]
    }
}

pub(super) fn read_applied(rows: &[Row]) -> Result<Vec<Applied>, StoreError> {
    rows.iter().map(|row| Ok(Applied { version: row.get(0)?, checksum: row.get(1)? })).collect()
}

/// Those that are still to be applied.
pub(super) fn pending<'a>(
    migrations: &'a [Migration],
    applied: &[Applied],
) -> Result<&'a [Migration], StoreError> {
    if let Some(newer) = applied.get(migrations.len()) {
        let known = migrations.len();
        let version = newer.version;
        return Err(StoreError::Unusable(format!(
            "its schema is at version {version} and this program knows {known}: start the newer program"
        )));
    }
    for (migration, applied) in migrations.iter().zip(applied) {
        if migration.version != applied.version || migration.checksum() != applied.checksum {
            return Err(StoreError::Unusable(format!(
                "migration {} ({}) is not the one that was applied to it: this program and the database do not belong \
                 together",
                migration.version, migration.name
            )));
        }
    }
    Ok(&migrations[applied.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Migration = Migration { version: 1, name: "first", sql: "SELECT 1;" };
    const SECOND: Migration = Migration { version: 2, name: "second", sql: "SELECT 2;" };

    fn applied(migrations: &[Migration]) -> Vec<Applied> {
        migrations.iter().map(|it| Applied { version: it.version, checksum: it.checksum() }).collect()
    }

    #[test]
    fn only_what_was_not_applied_is_pending() {
        let pending = pending(&[FIRST, SECOND], &applied(&[FIRST])).unwrap();
        assert_eq!(pending.iter().map(|it| it.version).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_newer_database_is_refused() {
        let error = pending(&[FIRST], &applied(&[FIRST, SECOND])).unwrap_err();
        assert!(error.to_string().contains("newer program"), "{error}");
    }

    #[test]
    fn a_changed_text_is_refused() {
        let changed = Migration { sql: "SELECT 3;", ..FIRST };
        assert!(matches!(pending(&[changed], &applied(&[FIRST])), Err(StoreError::Unusable(_))));
    }
}
