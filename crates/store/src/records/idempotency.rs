//! Requests that are carried out once, however often they are sent: the answer is kept under the client's key.

use engine::{TenantId, Time};

use super::{Sha256, corrupt};
use crate::{StoreError, Tx, values};

/// What is known of a request when it comes in.
#[derive(Clone, PartialEq, Eq)]
pub enum Begun {
    /// It was never seen: carry it out, and [`store`] its answer in the same transaction.
    Fresh,
    /// It was carried out; this is its answer.
    Replay {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
    /// The key was used for another request.
    Mismatch,
    /// It was begun and committed without an answer: what came of it is not known, so it is not carried out again.
    Unfinished,
}

impl std::fmt::Debug for Begun {
    /// The body of an answer may hold personal data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fresh => f.write_str("Fresh"),
            Self::Replay { status, .. } => {
                f.debug_struct("Replay").field("status", status).finish_non_exhaustive()
            }
            Self::Mismatch => f.write_str("Mismatch"),
            Self::Unfinished => f.write_str("Unfinished"),
        }
    }
}

/// The status of a request that has no answer yet.
const UNANSWERED: i64 = 0;

/// Looks a request up by its key and takes the key if it is free.
///
/// A second request with the same key waits here on PostgreSQL until the first one's transaction has ended, and on
/// SQLite there is only one writer; so of two at once, one is carried out and the other is answered with its answer.
///
/// # Errors
/// The database failed.
pub fn begin(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    key: &str,
    request: &Sha256,
    now: Time,
) -> Result<Begun, StoreError> {
    let taken = tx.execute(
        "INSERT INTO idempotency (tenant_id, key, request_sha256, status, body, created_at)
         VALUES ($1, $2, $3, $4, '', $5) ON CONFLICT (tenant_id, key) DO NOTHING",
        &values![tenant, key, request.to_vec(), UNANSWERED, now],
    )?;
    if taken > 0 {
        return Ok(Begun::Fresh);
    }
    let sql = "SELECT request_sha256, status, body FROM idempotency WHERE tenant_id = $1 AND key = $2";
    // It can only be gone if it was purged between the two statements; then nothing is known of it.
    let Some(row) = tx.query_one(sql, &values![tenant, key])? else { return Ok(Begun::Unfinished) };
    let status: i64 = row.get(1)?;
    if row.get::<Vec<u8>>(0)? != request {
        return Ok(Begun::Mismatch);
    }
    if status == UNANSWERED {
        return Ok(Begun::Unfinished);
    }
    let status = u16::try_from(status).map_err(|_| corrupt("idempotency.status"))?;
    Ok(Begun::Replay { status, body: row.get(2)? })
}

/// Keeps the answer of a request that [`begin`] called fresh.
///
/// # Errors
/// The database failed.
pub fn store(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    key: &str,
    status: u16,
    body: &str,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE idempotency SET status = $3, body = $4 WHERE tenant_id = $1 AND key = $2",
        &values![tenant, key, i64::from(status), body],
    )?;
    Ok(())
}

/// Forgets a request that was begun and not carried out, so that it can be sent again with the same key.
///
/// # Errors
/// The database failed.
pub fn forget(tx: &mut Tx<'_>, tenant: TenantId, key: &str) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM idempotency WHERE tenant_id = $1 AND key = $2 AND status = $3",
        &values![tenant, key, UNANSWERED],
    )?;
    Ok(())
}

/// Forgets requests of all tenants that began before an instant, `limit` at most; call it again while it forgets as
/// many.
///
/// # Errors
/// The database failed.
pub fn purge(tx: &mut Tx<'_>, before: Time, limit: u32) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM idempotency WHERE (tenant_id, key) IN
             (SELECT tenant_id, key FROM idempotency WHERE created_at < $1 LIMIT $2)",
        &values![before, limit],
    )
}
