//! The versions of server scripts.

use engine::{TenantId, Time};
use uuid::Uuid;

use super::json;
use super::page::{Page, Rows, Select};
use crate::{Row, StoreError, Tx, values};

/// Versions kept of a script: the newest.
pub const VERSIONS_KEPT: i64 = 1000;

/// A version of a script, but for what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionHead {
    /// Its number, from 1.
    pub version: i64,
    /// What the script was called.
    pub name: String,
    /// Who made it; not known of the oldest.
    pub actor: Option<String>,
    /// When.
    pub made_at: Time,
}

/// A version to be kept.
#[derive(Clone, Debug)]
pub struct NewVersion<'a> {
    /// Whose.
    pub tenant: TenantId,
    /// Of which script.
    pub script: Uuid,
    /// Its number, one more than that of the version before.
    pub version: i64,
    /// What the script is called.
    pub name: &'a str,
    /// What it says.
    pub body: &'a serde_json::Value,
    /// Who made it.
    pub actor: &'a str,
    /// When.
    pub made_at: Time,
}

/// Keeps a version, and forgets the one that is [`VERSIONS_KEPT`] older.
///
/// # Errors
/// The database failed, or the version is kept already.
pub fn keep(tx: &mut Tx<'_>, new: &NewVersion<'_>) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO script_version (tenant_id, script_id, version, name, body, actor, made_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        &values![new.tenant, new.script, new.version, new.name, new.body.to_string(), new.actor, new.made_at],
    )?;
    tx.execute(
        "DELETE FROM script_version WHERE script_id = $1 AND version <= $2",
        &values![new.script, new.version - VERSIONS_KEPT],
    )?;
    Ok(())
}

/// The versions of a script, the newest first.
///
/// # Errors
/// The database failed.
pub fn list(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    script: Uuid,
    page: &Page<i64>,
) -> Result<Rows<VersionHead, i64>, StoreError> {
    Select::new(
        "SELECT version, name, actor, made_at FROM script_version WHERE tenant_id = $1 AND script_id = $2",
        values![tenant, script],
    )
    .and_if("version < ?", page.after)
    .page(tx, "version DESC", page, head, |version| version.version)
}

/// One version of a script, with what it says.
///
/// # Errors
/// The database failed.
pub fn get(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    script: Uuid,
    version: i64,
) -> Result<Option<(VersionHead, serde_json::Value)>, StoreError> {
    let row = tx.query_one(
        "SELECT version, name, actor, made_at, body FROM script_version
         WHERE tenant_id = $1 AND script_id = $2 AND version = $3",
        &values![tenant, script, version],
    )?;
    row.map(|row| Ok((head(&row)?, json(&row, 4, "script_version.body")?))).transpose()
}

/// Forgets all versions of a script.
///
/// # Errors
/// The database failed.
pub fn forget(tx: &mut Tx<'_>, tenant: TenantId, script: Uuid) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM script_version WHERE tenant_id = $1 AND script_id = $2",
        &values![tenant, script],
    )?;
    Ok(())
}

fn head(row: &Row) -> Result<VersionHead, StoreError> {
    Ok(VersionHead { version: row.get(0)?, name: row.get(1)?, actor: row.get(2)?, made_at: row.get(3)? })
}
