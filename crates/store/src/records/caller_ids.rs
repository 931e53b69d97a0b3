//! How often numbers were shown to called parties.

use engine::caller_id::ShownSoFar;
use engine::{PhoneNumber, TenantId, Time};

use crate::{Row, StoreError, Tx, Value, values};

fn array(numbers: &[PhoneNumber]) -> Value {
    Value::integers(numbers.iter().map(|number| number.as_i64()))
}

/// How often each of these numbers was shown since `day_from`, and since `hour_from` within that; numbers that were
/// not are left out. Attempts count from when they were decided.
///
/// # Errors
/// Those of the database.
pub fn shown(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    numbers: &[PhoneNumber],
    day_from: Time,
    hour_from: Time,
) -> Result<Vec<ShownSoFar>, StoreError> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let rows = tx.query(
        "SELECT caller_id, CAST(COALESCE(SUM(CASE WHEN started_at >= $4 THEN 1 ELSE 0 END), 0) AS BIGINT), COUNT(*),
                MAX(started_at)
         FROM attempt WHERE tenant_id = $1 AND caller_id = ANY($2) AND started_at >= $3
         GROUP BY caller_id ORDER BY caller_id",
        &values![tenant, array(numbers), day_from, hour_from],
    )?;
    let read = |row: &Row| {
        Ok(ShownSoFar {
            number: row.get(0)?,
            this_hour: row.get(1)?,
            today: row.get(2)?,
            last_at: row.get(3)?,
        })
    };
    rows.iter().map(read).collect()
}
