//! Tenants: organisations whose data no other may see.

use engine::{TenantId, Time};

use super::page::{Page, Rows, Select};
use crate::{Row, StoreError, Tx, values};

/// An organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Which.
    pub id: TenantId,
    /// Its name; no two tenants share one.
    pub name: String,
    /// When it came to be.
    pub created_at: Time,
    /// The zone in which its instants without an offset are read; UTC if none (IANA name).
    pub zone: Option<String>,
}

const COLUMNS: &str = "SELECT id, name, created_at, zone FROM tenant";

fn read(row: &Row) -> Result<Tenant, StoreError> {
    Ok(Tenant { id: row.get(0)?, name: row.get(1)?, created_at: row.get(2)?, zone: row.get(3)? })
}

/// Creates a tenant.
///
/// # Errors
/// [`StoreError::Conflict`] if the name or id is taken.
pub fn create(tx: &mut Tx<'_>, tenant: &Tenant) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO tenant (id, name, created_at, zone) VALUES ($1, $2, $3, $4)",
        &values![tenant.id, tenant.name.as_str(), tenant.created_at, tenant.zone.as_ref()],
    )?;
    Ok(())
}

/// Sets a tenant's zone; false if there is no such tenant.
///
/// # Errors
/// The database failed.
pub fn set_zone(tx: &mut Tx<'_>, tenant: TenantId, zone: Option<&str>) -> Result<bool, StoreError> {
    let zone = zone.map(str::to_owned);
    Ok(tx.execute("UPDATE tenant SET zone = $2 WHERE id = $1", &values![tenant, zone])? == 1)
}

/// The tenant with this id.
///
/// # Errors
/// The database failed.
pub fn get(tx: &mut Tx<'_>, tenant: TenantId) -> Result<Option<Tenant>, StoreError> {
    tx.query_one(&format!("{COLUMNS} WHERE id = $1"), &values![tenant])?.as_ref().map(read).transpose()
}

/// The tenant with this name.
///
/// # Errors
/// The database failed.
pub fn by_name(tx: &mut Tx<'_>, name: &str) -> Result<Option<Tenant>, StoreError> {
    tx.query_one(&format!("{COLUMNS} WHERE name = $1"), &values![name])?.as_ref().map(read).transpose()
}

/// All tenants in the order of their ids: for whoever runs the installation, never for a tenant's own users.
///
/// # Errors
/// The database failed.
pub fn list(tx: &mut Tx<'_>, page: &Page<TenantId>) -> Result<Rows<Tenant, TenantId>, StoreError> {
    Select::new(format!("{COLUMNS} WHERE 1 = 1"), []).and_if("id > ?", page.after).page(
        tx,
        "id",
        page,
        read,
        |tenant| tenant.id,
    )
}
