//! Configuration objects of every kind: a name, a JSON body and a version. What a body may hold is checked by the
//! layer that knows its kind.
//!
//! Names are compared without regard to the case of ASCII letters; other letters differ by case.

use engine::{TenantId, Time};
use uuid::Uuid;

use super::page::{Page, Rows, Select};
use super::{folded, json};
use crate::{Row, StoreError, Tx, values};

/// References told at most: enough to say what stands in the way of a deletion.
pub const REFERENCES_MAX: u32 = 20;

/// A configuration object as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// Which.
    pub id: Uuid,
    /// Whose.
    pub tenant: TenantId,
    /// What it is: `campaign`, `skill` …
    pub kind: String,
    /// What it belongs to, as a source to its campaign.
    pub parent: Option<Uuid>,
    /// Its name, unique among those of its kind and parent.
    pub name: String,
    /// Its settings.
    pub body: serde_json::Value,
    /// Grows by one with every change, from 1.
    pub version: i64,
    /// When it came to be.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
}

/// A configuration object to be stored.
#[derive(Clone, Debug)]
pub struct NewDefinition<'a> {
    /// Its identifier.
    pub id: Uuid,
    /// Whose.
    pub tenant: TenantId,
    /// What it is.
    pub kind: &'a str,
    /// What it belongs to.
    pub parent: Option<Uuid>,
    /// Its name.
    pub name: &'a str,
    /// Its settings.
    pub body: &'a serde_json::Value,
    /// Now.
    pub now: Time,
}

const COLUMNS: &str =
    "SELECT id, tenant_id, kind, parent_id, name, body, version, created_at, updated_at FROM definition";

fn read(row: &Row) -> Result<Definition, StoreError> {
    Ok(Definition {
        id: row.get(0)?,
        tenant: row.get(1)?,
        kind: row.get(2)?,
        parent: row.get(3)?,
        name: row.get(4)?,
        body: json(row, 5, "definition.body")?,
        version: row.get(6)?,
        created_at: row.get(7)?,
        updated_at: row.get(8)?,
    })
}

/// Stores a new object as version 1.
///
/// # Errors
/// [`StoreError::Conflict`] if its name is taken under the same kind and parent.
pub fn insert(tx: &mut Tx<'_>, new: &NewDefinition<'_>) -> Result<Definition, StoreError> {
    tx.execute(
        "INSERT INTO definition (id, tenant_id, kind, parent_id, name, body, version, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $7)",
        &values![new.id, new.tenant, new.kind, new.parent, new.name, new.body.to_string(), new.now],
    )?;
    Ok(Definition {
        id: new.id,
        tenant: new.tenant,
        kind: new.kind.to_owned(),
        parent: new.parent,
        name: new.name.to_owned(),
        body: new.body.clone(),
        version: 1,
        created_at: new.now,
        updated_at: new.now,
    })
}

/// The object of this kind with this id.
///
/// # Errors
/// The database failed.
pub fn get(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    kind: &str,
    id: Uuid,
) -> Result<Option<Definition>, StoreError> {
    let sql = format!("{COLUMNS} WHERE tenant_id = $1 AND kind = $2 AND id = $3");
    tx.query_one(&sql, &values![tenant, kind, id])?.as_ref().map(read).transpose()
}

/// The tenants that have objects of a kind.
///
/// # Errors
/// The database failed.
pub fn tenants_with(tx: &mut Tx<'_>, kind: &str) -> Result<Vec<TenantId>, StoreError> {
    let rows = tx.query("SELECT DISTINCT tenant_id FROM definition WHERE kind = $1", &values![kind])?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Whose an object is, whoever asks: for callers who prove themselves otherwise than by belonging to a tenant.
///
/// # Errors
/// The database failed.
pub fn tenant_of(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<TenantId>, StoreError> {
    let found = tx.query_one("SELECT tenant_id FROM definition WHERE id = $1", &values![id])?;
    found.map(|row| row.get(0)).transpose()
}

/// The object of this kind and parent with this name, whatever the case of its ASCII letters.
///
/// # Errors
/// The database failed.
pub fn by_name(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    kind: &str,
    parent: Option<Uuid>,
    name: &str,
) -> Result<Option<Definition>, StoreError> {
    // What belongs to nothing stands under its tenant, as in the unique index.
    let parent = parent.unwrap_or(tenant.0);
    let sql = format!(
        "{COLUMNS} WHERE tenant_id = $1 AND kind = $2 AND COALESCE(parent_id, tenant_id) = $3 AND {} = $4",
        folded(tx, "name")
    );
    tx.query_one(&sql, &values![tenant, kind, parent, name.to_ascii_lowercase()])?
        .as_ref()
        .map(read)
        .transpose()
}

/// The objects of a kind in the order of their ids, which is that of their creation; those of one parent if one is
/// given, else those of all.
///
/// # Errors
/// The database failed.
pub fn list(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    kind: &str,
    parent: Option<Uuid>,
    page: &Page<Uuid>,
) -> Result<Rows<Definition, Uuid>, StoreError> {
    list_named(tx, tenant, kind, parent, None, page)
}

/// The same, of those with a name if one is given, whatever the case of its ASCII letters.
///
/// # Errors
/// The database failed.
pub fn list_named(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    kind: &str,
    parent: Option<Uuid>,
    name: Option<&str>,
    page: &Page<Uuid>,
) -> Result<Rows<Definition, Uuid>, StoreError> {
    let is_named = format!("{} = ?", folded(tx, "name"));
    Select::new(format!("{COLUMNS} WHERE tenant_id = $1 AND kind = $2"), values![tenant, kind])
        .and_if("parent_id = ?", parent)
        .and_if(&is_named, name.map(str::to_ascii_lowercase))
        .and_if("id > ?", page.after)
        .page(tx, "id", page, read, |definition| definition.id)
}

/// Which object is changed or deleted, and which version of it was seen.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Whose.
    pub tenant: TenantId,
    /// What it is.
    pub kind: &'a str,
    /// Which.
    pub id: Uuid,
    /// The version that the change is based on.
    pub version: i64,
}

/// Gives an object a new name and body, and the next version. `None` if it is not there.
///
/// # Errors
/// [`StoreError::StaleVersion`] if it has changed since the version that was seen; [`StoreError::Conflict`] if the
/// name is taken.
pub fn update(
    tx: &mut Tx<'_>,
    seen: Seen<'_>,
    name: &str,
    body: &serde_json::Value,
    now: Time,
) -> Result<Option<Definition>, StoreError> {
    let changed = tx.execute(
        "UPDATE definition SET name = $5, body = $6, version = version + 1, updated_at = $7
         WHERE tenant_id = $1 AND kind = $2 AND id = $3 AND version = $4",
        &values![seen.tenant, seen.kind, seen.id, seen.version, name, body.to_string(), now],
    )?;
    match (changed, get(tx, seen.tenant, seen.kind, seen.id)?) {
        (0, Some(_)) => Err(StoreError::StaleVersion),
        (_, found) => Ok(found),
    }
}

/// Deletes an object; `false` if it is not there. Ask [`references`] first.
///
/// # Errors
/// [`StoreError::StaleVersion`] if it has changed since the version that was seen.
pub fn delete(tx: &mut Tx<'_>, seen: Seen<'_>) -> Result<bool, StoreError> {
    let deleted = tx.execute(
        "DELETE FROM definition WHERE tenant_id = $1 AND kind = $2 AND id = $3 AND version = $4",
        &values![seen.tenant, seen.kind, seen.id, seen.version],
    )?;
    if deleted == 0 && get(tx, seen.tenant, seen.kind, seen.id)?.is_some() {
        return Err(StoreError::StaleVersion);
    }
    Ok(deleted > 0)
}

/// An object that stands in the way of deleting another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// What it is.
    pub kind: String,
    /// Which.
    pub id: Uuid,
    /// Its name.
    pub name: String,
}

/// The objects that belong to `id` or whose body names it anywhere, [`REFERENCES_MAX`] of them at most.
///
/// It reads the tenant's objects and searches their text: configuration is hundreds of rows, not millions, and a
/// table of references would have to be kept right by every kind of object.
///
/// # Errors
/// The database failed.
pub fn references(tx: &mut Tx<'_>, tenant: TenantId, id: Uuid) -> Result<Vec<Reference>, StoreError> {
    // A UUID's text holds neither % nor _, so it needs no escaping.
    tx.query(
        "SELECT kind, id, name FROM definition
         WHERE tenant_id = $1 AND id <> $2 AND (parent_id = $2 OR CAST(body AS TEXT) LIKE $3)
         ORDER BY id LIMIT $4",
        &values![tenant, id, format!("%{id}%"), REFERENCES_MAX],
    )?
    .iter()
    .map(|row| Ok(Reference { kind: row.get(0)?, id: row.get(1)?, name: row.get(2)? }))
    .collect()
}
