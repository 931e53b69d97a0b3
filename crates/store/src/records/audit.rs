//! Who changed what, and when. Rows are only ever added.

use engine::{TenantId, Time};
use uuid::Uuid;

use super::page::{Page, Rows, Select};
use super::{debug_showing, json_option};
use crate::{Row, StoreError, Tx, values};

/// One change of configuration or access.
#[derive(Clone, PartialEq)]
pub struct AuditEntry {
    /// Which.
    pub id: Uuid,
    /// Whose.
    pub tenant: TenantId,
    /// When.
    pub at: Time,
    /// Who did it: a user or key.
    pub actor: String,
    /// What they did: `create`, `update` …
    pub action: String,
    /// What kind of thing it was done to.
    pub target_kind: String,
    /// To which, if it is one thing.
    pub target: Option<Uuid>,
    /// How it was.
    pub before: Option<serde_json::Value>,
    /// How it is.
    pub after: Option<serde_json::Value>,
}

debug_showing!(AuditEntry: id, tenant, at, action, target_kind, target);

/// Which entries are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct AuditFilter<'a> {
    /// By this user or key alone.
    pub actor: Option<&'a str>,
    /// About this kind of thing alone.
    pub target_kind: Option<&'a str>,
    /// About this thing alone.
    pub target: Option<Uuid>,
}

/// Where an entry stands in the history.
pub type AuditCursor = (Time, Uuid);

fn read(row: &Row) -> Result<AuditEntry, StoreError> {
    Ok(AuditEntry {
        id: row.get(0)?,
        tenant: row.get(1)?,
        at: row.get(2)?,
        actor: row.get(3)?,
        action: row.get(4)?,
        target_kind: row.get(5)?,
        target: row.get(6)?,
        before: json_option(row, 7, "audit.before")?,
        after: json_option(row, 8, "audit.after")?,
    })
}

/// Adds an entry; call it in the transaction that makes the change.
///
/// # Errors
/// The database failed.
pub fn add(tx: &mut Tx<'_>, entry: &AuditEntry) -> Result<(), StoreError> {
    let text = |value: &Option<serde_json::Value>| value.as_ref().map(ToString::to_string);
    tx.execute(
        "INSERT INTO audit (id, tenant_id, at, actor, action, target_kind, target_id, before, after)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &values![
            entry.id,
            entry.tenant,
            entry.at,
            entry.actor.as_str(),
            entry.action.as_str(),
            entry.target_kind.as_str(),
            entry.target,
            text(&entry.before),
            text(&entry.after)
        ],
    )?;
    Ok(())
}

/// The tenant's history, the newest entry first.
///
/// # Errors
/// The database failed.
pub fn page(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    filter: AuditFilter<'_>,
    page: &Page<AuditCursor>,
) -> Result<Rows<AuditEntry, AuditCursor>, StoreError> {
    let mut select = Select::new(
        "SELECT id, tenant_id, at, actor, action, target_kind, target_id, before, after FROM audit
         WHERE tenant_id = $1",
        values![tenant],
    )
    .and_if("actor = ?", filter.actor)
    .and_if("target_kind = ?", filter.target_kind)
    .and_if("target_id = ?", filter.target);
    if let Some((at, id)) = page.after {
        select = select.and("(at, id) < (?, ?)", [at.into(), id.into()]);
    }
    select.page(tx, "at DESC, id DESC", page, read, |entry| (entry.at, entry.id))
}
