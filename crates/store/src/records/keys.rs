//! API keys: secrets with which other systems call. Only a secret's SHA-256 is kept.

use std::time::Duration;

use engine::{TenantId, Time};
use uuid::Uuid;

use super::Sha256;
use super::page::{Page, Rows, Select};
use crate::{Row, StoreError, Tx, values};

/// How exactly the last use is known: a key is touched at most once in this time, to spare the database a write for
/// every request.
pub const TOUCH_EVERY: Duration = Duration::from_secs(60);

/// An API key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Which.
    pub id: Uuid,
    /// Whose.
    pub tenant: TenantId,
    /// What it is for, as its maker says.
    pub name: String,
    /// What it may do.
    pub role: String,
    /// The secret's first characters, by which people recognise it.
    pub prefix: String,
    /// When it was made.
    pub created_at: Time,
    /// Of no use from this instant on.
    pub expires_at: Option<Time>,
    /// When it was withdrawn.
    pub revoked_at: Option<Time>,
    /// When it was last used, to [`TOUCH_EVERY`].
    pub last_used_at: Option<Time>,
}

impl ApiKey {
    /// Whether [`touch`] would write anything; asked first, it saves the transaction.
    pub fn is_touch_due(&self, now: Time) -> bool {
        self.last_used_at.is_none_or(|at| at <= now - TOUCH_EVERY)
    }
}

const COLUMNS: &str =
    "SELECT id, tenant_id, name, role, prefix, created_at, expires_at, revoked_at, last_used_at
                       FROM api_key";

fn read(row: &Row) -> Result<ApiKey, StoreError> {
    Ok(ApiKey {
        id: row.get(0)?,
        tenant: row.get(1)?,
        name: row.get(2)?,
        role: row.get(3)?,
        prefix: row.get(4)?,
        created_at: row.get(5)?,
        expires_at: row.get(6)?,
        revoked_at: row.get(7)?,
        last_used_at: row.get(8)?,
    })
}

/// Stores a new key under its secret's hash; [`ApiKey::revoked_at`] and [`ApiKey::last_used_at`] are not looked at.
///
/// # Errors
/// [`StoreError::Conflict`] if the secret is already known.
pub fn insert(tx: &mut Tx<'_>, key: &ApiKey, secret: &Sha256) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO api_key (id, tenant_id, name, role, prefix, secret_sha256, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &values![
            key.id,
            key.tenant,
            key.name.as_str(),
            key.role.as_str(),
            key.prefix.as_str(),
            secret.to_vec(),
            key.created_at,
            key.expires_at
        ],
    )?;
    Ok(())
}

/// The key with this secret, if it may be used now. The hash says which tenant it belongs to.
///
/// # Errors
/// The database failed.
pub fn by_secret(tx: &mut Tx<'_>, secret: &Sha256, now: Time) -> Result<Option<ApiKey>, StoreError> {
    let sql = format!(
        "{COLUMNS} WHERE secret_sha256 = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)"
    );
    tx.query_one(&sql, &values![secret.to_vec(), now])?.as_ref().map(read).transpose()
}

/// The tenant's keys, those that are of no use any more too, in the order of their ids.
///
/// # Errors
/// The database failed.
pub fn list(tx: &mut Tx<'_>, tenant: TenantId, page: &Page<Uuid>) -> Result<Rows<ApiKey, Uuid>, StoreError> {
    Select::new(format!("{COLUMNS} WHERE tenant_id = $1"), values![tenant]).and_if("id > ?", page.after).page(
        tx,
        "id",
        page,
        read,
        |key| key.id,
    )
}

/// Withdraws a key for good; `false` if there is none. Withdrawing it again keeps the first instant.
///
/// # Errors
/// The database failed.
pub fn revoke(tx: &mut Tx<'_>, tenant: TenantId, key: Uuid, now: Time) -> Result<bool, StoreError> {
    let revoked = tx.execute(
        "UPDATE api_key SET revoked_at = COALESCE(revoked_at, $3) WHERE tenant_id = $1 AND id = $2",
        &values![tenant, key, now],
    )?;
    Ok(revoked > 0)
}

/// Notes that a key was used; does nothing, and says `false`, within [`TOUCH_EVERY`] of the last note.
///
/// # Errors
/// The database failed.
pub fn touch(tx: &mut Tx<'_>, tenant: TenantId, key: Uuid, now: Time) -> Result<bool, StoreError> {
    let touched = tx.execute(
        "UPDATE api_key SET last_used_at = $3
         WHERE tenant_id = $1 AND id = $2 AND (last_used_at IS NULL OR last_used_at <= $4)",
        &values![tenant, key, now, now - TOUCH_EVERY],
    )?;
    Ok(touched > 0)
}
