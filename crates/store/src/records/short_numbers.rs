//! Small whole numbers for objects, for interfaces whose ids are such: 1, 2, 3 … for each kind in each tenant, given
//! when they are first asked for and never given again.

use engine::TenantId;
use uuid::Uuid;

use crate::{StoreError, Tx, values};

/// Tries before it is given up to find a number that nobody takes at the same moment.
const TRIES: u32 = 100;

/// The number of an object.
///
/// # Errors
/// [`StoreError::Contended`] if others kept taking the next number; otherwise those of the database.
pub fn of(tx: &mut Tx<'_>, tenant: TenantId, kind: &str, object: Uuid) -> Result<i64, StoreError> {
    for _ in 0..TRIES {
        let known = tx.query_one(
            "SELECT number FROM short_number WHERE tenant_id = $1 AND kind = $2 AND object_id = $3",
            &values![tenant, kind, object],
        )?;
        if let Some(row) = known {
            return row.get(0);
        }
        tx.execute(
            "INSERT INTO short_number (tenant_id, kind, number, object_id)
             SELECT $1, $2, COALESCE(MAX(number), 0) + 1, $3 FROM short_number WHERE tenant_id = $1 AND kind = $2
             ON CONFLICT DO NOTHING",
            &values![tenant, kind, object],
        )?;
    }
    Err(StoreError::Contended)
}

/// The object with this number.
///
/// # Errors
/// Those of the database.
pub fn find(tx: &mut Tx<'_>, tenant: TenantId, kind: &str, number: i64) -> Result<Option<Uuid>, StoreError> {
    let found = tx.query_one(
        "SELECT object_id FROM short_number WHERE tenant_id = $1 AND kind = $2 AND number = $3",
        &values![tenant, kind, number],
    )?;
    found.map(|row| row.get(0)).transpose()
}
