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
    Migration { version: 9, name: "messages", sql: include_str!("../../migrations/0009_messages.sql") },
    Migration {
        version: 10,
        name: "script_versions",
        sql: include_str!("../../migrations/0010_script_versions.sql"),
    },
    Migration { version: 11, name: "recordings", sql: include_str!("../../migrations/0011_recordings.sql") },
    Migration { version: 12, name: "caller_ids", sql: include_str!("../../migrations/0012_caller_ids.sql") },
    Migration { version: 13, name: "evidence", sql: include_str!("../../migrations/0013_evidence.sql") },
    Migration {
        version: 14,
        name: "contact_key",
        sql: include_str!("../../migrations/0014_contact_key.sql"),
    },
    Migration {
        version: 15,
        name: "script_said",
        sql: include_str!("../../migrations/0015_script_said.sql"),
    },
    Migration {
        version: 16,
        name: "conversations",
        sql: include_str!("../../migrations/0016_conversations.sql"),
    },
    Migration {
        version: 17,
        name: "attempts_of",
        sql: include_str!("../../migrations/0017_attempts_of.sql"),
    },
    Migration {
        version: 18,
        name: "withdrawing",
        sql: include_str!("../../migrations/0018_withdrawing.sql"),
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

#[cfg(all(test, feature = "testing"))]
mod later_tests {
    use uuid::Uuid;

    use super::*;
    use crate::Tx;
    use crate::db::dialect::migration_for;
    use crate::testing::databases;

    type Found = Vec<(String, serde_json::Value, i64)>;

    /// Stores these definitions and runs the statements of a migration that change rows.
    fn migrated(
        tx: &mut Tx<'_>,
        version: usize,
        stored: &[(&str, serde_json::Value)],
    ) -> Result<Found, StoreError> {
        for (number, (kind, body)) in stored.iter().enumerate() {
            tx.execute(
                "INSERT INTO definition (id, tenant_id, kind, parent_id, name, body, version, created_at, updated_at)
                 VALUES ($1, $2, $3, NULL, $4, $5, 1, 0, 0)",
                &values![Uuid::from_u128(number as u128), Uuid::nil(), *kind, number.to_string(), body.to_string()],
            )?;
        }
        let text = migration_for(tx.dialect(), MIGRATIONS[version - 1].sql);
        for statement in text.split(';').filter(|statement| statement.trim_start().starts_with("UPDATE")) {
            tx.execute(statement, &[])?;
        }
        let rows = tx.query("SELECT kind, CAST(body AS TEXT), version FROM definition ORDER BY id", &[])?;
        let read = |row: &Row| {
            let text: String = row.get(1)?;
            Ok((row.get(0)?, serde_json::from_str(&text).expect("JSON"), row.get(2)?))
        };
        rows.iter().map(read).collect()
    }

    #[tokio::test]
    async fn groups_that_previewed_before_the_ninth_go_on_showing_contacts_unasked_and_without_reasons() {
        use serde_json::json;
        for database in databases() {
            let stored = [
                (
                    "campaign_group",
                    json!({"name": "a", "settings": {"dial_mode": "preview", "lines_max": 5}}),
                ),
                (
                    "campaign_group",
                    json!({"name": "\"dial_mode\":\"preview\"", "settings": {"dial_mode": "power"}}),
                ),
                ("schedule", json!({"steps": [{"action": "start", "dial_mode": "preview"}]})),
                ("sequence", json!({"groups": [{"dial_mode": "preview"}, {"dial_mode": "predictive"}]})),
            ];
            let changed = |settings: serde_json::Value| json!({"name": "a", "settings": settings});
            let wanted = [
                changed(json!({"dial_mode": "push_preview", "reject_needs_reason": false, "lines_max": 5})),
                stored[1].1.clone(),
                json!({"steps": [{"action": "start", "dial_mode": "push_preview"}]}),
                json!({"groups": [{"dial_mode": "push_preview"}, {"dial_mode": "predictive"}]}),
            ];
            let found = database.store.write(move |tx| migrated(tx, 9, &stored)).await.unwrap();
            let bodies: Vec<_> = found.iter().map(|(_, body, _)| body.clone()).collect();
            assert_eq!(bodies, wanted);
            assert_eq!(found.iter().map(|(_, _, version)| *version).collect::<Vec<_>>(), [2, 1, 2, 2]);
        }
    }

    #[tokio::test]
    async fn groups_whose_brake_was_off_before_the_eighteenth_withdraw_no_lines() {
        use serde_json::json;
        for database in databases() {
            let with = |predictive: serde_json::Value| json!({"settings": {"predictive": predictive}});
            let stored = [
                ("campaign_group", with(json!({"emergency_brake": false, "goal": 1}))),
                ("campaign_group", with(json!({"goal": 1}))),
            ];
            let wanted = [with(json!({"withdraw_when_short": false, "goal": 1})), stored[1].1.clone()];
            let found = database.store.write(move |tx| migrated(tx, 18, &stored)).await.unwrap();
            assert_eq!(found.iter().map(|(_, body, _)| body.clone()).collect::<Vec<_>>(), wanted);
        }
    }

    /// A contact of the thirteenth version is one of today's without a key.
    fn keyed(tx: &mut Tx<'_>) -> Result<Vec<(Uuid, String, Uuid)>, StoreError> {
        let columns = "id tenant_id campaign_id source_id external_id fields priority sequence created_at updated_at \
                       fingerprint feed_state bucket_id rank next_at next_phone is_callback attempts \
                       last_result_in_a_row lane_id";
        let columns: Vec<&str> = columns.split_whitespace().collect();
        let uuid = Uuid::from_u128;
        let row = |id: u128, source: u128, external_id: &str| {
            let start = values![uuid(id), uuid(1), uuid(2), uuid(source), external_id, "{}", 50];
            let end = values![uuid(2)];
            [&start[..], &vec![Value::Integer(0); 12], &end].concat()
        };
        tx.insert_rows("contact", &columns, &[row(10, 5, "a"), row(11, 5, "b"), row(12, 6, "a")])?;
        let text = migration_for(tx.dialect(), MIGRATIONS[13].sql);
        let fills =
            text.split(';').find(|statement| statement.trim_start().starts_with("INSERT INTO contact_key"));
        tx.execute(fills.expect("a statement that fills the table"), &[])?;
        let rows =
            tx.query("SELECT source_id, external_id, contact_id FROM contact_key ORDER BY contact_id", &[])?;
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
    }

    #[tokio::test]
    async fn contacts_from_before_the_fourteenth_are_found_by_what_their_sources_call_them() {
        for database in databases() {
            let found = database.store.write(keyed).await.unwrap();
            let uuid = Uuid::from_u128;
            let wanted = [(5, "a", 10), (5, "b", 11), (6, "a", 12)]
                .map(|(source, key, contact)| (uuid(source), key.to_owned(), uuid(contact)));
            assert_eq!(found, wanted);
        }
    }
}
