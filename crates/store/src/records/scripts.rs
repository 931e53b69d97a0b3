//! What server scripts leave behind: errors, and what they remember for a campaign.

use engine::{CampaignId, ContactId, TenantId, Time};
use uuid::Uuid;

use super::debug_showing;
use super::page::{Page, Rows, Select};
use crate::{Row, StoreError, Tx, values};

/// Keys that the scripts of a campaign may hold.
pub const KEYS_MAX: i64 = 10_000;

/// Something that went wrong with a script.
#[derive(Clone, PartialEq, Eq)]
pub struct ScriptFailure {
    /// Which.
    pub id: Uuid,
    /// Whose.
    pub tenant: TenantId,
    /// With which script.
    pub script: Uuid,
    /// In which version of it; not known of those from before versions were kept.
    pub version: Option<i64>,
    /// For which campaign.
    pub campaign: Option<CampaignId>,
    /// About whom.
    pub contact: Option<ContactId>,
    /// At which point.
    pub phase: String,
    /// When.
    pub at: Time,
    /// What kind of thing.
    pub kind: String,
    /// What, for people.
    pub message: String,
    /// Where in the script.
    pub stack: Option<String>,
}

debug_showing!(ScriptFailure: id, tenant, script, version, campaign, contact, phase, at, kind);

/// Where a failure stands in the list.
pub type FailureCursor = (Time, Uuid);

/// Keeps a failure.
///
/// # Errors
/// The database failed.
pub fn keep_failure(tx: &mut Tx<'_>, failure: &ScriptFailure) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO script_error (id, tenant_id, script_id, campaign_id, contact_id, phase, at, kind, message, stack,
                                   version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        &values![
            failure.id,
            failure.tenant,
            failure.script,
            failure.campaign,
            failure.contact,
            failure.phase.as_str(),
            failure.at,
            failure.kind.as_str(),
            failure.message.as_str(),
            failure.stack.as_ref(),
            failure.version
        ],
    )?;
    Ok(())
}

/// The failures of a script, the newest first.
///
/// # Errors
/// The database failed.
pub fn failures(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    script: Uuid,
    page: &Page<FailureCursor>,
) -> Result<Rows<ScriptFailure, FailureCursor>, StoreError> {
    let mut select = Select::new(
        "SELECT id, tenant_id, script_id, campaign_id, contact_id, phase, at, kind, message, stack, version
         FROM script_error WHERE tenant_id = $1 AND script_id = $2",
        values![tenant, script],
    );
    if let Some((at, id)) = page.after {
        select = select.and("(at, id) < (?, ?)", [at.into(), id.into()]);
    }
    select.page(tx, "at DESC, id DESC", page, read, |failure| (failure.at, failure.id))
}

fn read(row: &Row) -> Result<ScriptFailure, StoreError> {
    Ok(ScriptFailure {
        id: row.get(0)?,
        tenant: row.get(1)?,
        script: row.get(2)?,
        campaign: row.get(3)?,
        contact: row.get(4)?,
        phase: row.get(5)?,
        at: row.get(6)?,
        kind: row.get(7)?,
        message: row.get(8)?,
        stack: row.get(9)?,
        version: row.get(10)?,
    })
}

/// Forgets failures from before an instant; tells how many.
///
/// # Errors
/// The database failed.
pub fn forget_failures(tx: &mut Tx<'_>, before: Time) -> Result<u64, StoreError> {
    tx.execute("DELETE FROM script_error WHERE at < $1", &values![before])
}

/// What a campaign's scripts remember under a key, as JSON.
///
/// # Errors
/// The database failed.
pub fn value(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    campaign: CampaignId,
    key: &str,
) -> Result<Option<String>, StoreError> {
    let row = tx.query_one(
        "SELECT value FROM script_value WHERE tenant_id = $1 AND campaign_id = $2 AND key = $3",
        &values![tenant, campaign, key],
    )?;
    row.map(|row| row.get(0)).transpose()
}

/// Remembers a value; `false`, and nothing is remembered, if the campaign has as many keys as it may.
///
/// # Errors
/// The database failed.
pub fn set_value(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    campaign: CampaignId,
    key: &str,
    value: &str,
) -> Result<bool, StoreError> {
    let count = tx.query_one(
        "SELECT COUNT(*) FROM script_value WHERE campaign_id = $1 AND key <> $2",
        &values![campaign, key],
    )?;
    if count.map(|row| row.get::<i64>(0)).transpose()?.unwrap_or_default() >= KEYS_MAX {
        return Ok(false);
    }
    tx.execute(
        "INSERT INTO script_value (tenant_id, campaign_id, key, value) VALUES ($1, $2, $3, $4)
         ON CONFLICT (campaign_id, key) DO UPDATE SET value = excluded.value",
        &values![tenant, campaign, key, value],
    )?;
    Ok(true)
}

/// Forgets a key.
///
/// # Errors
/// The database failed.
pub fn forget_value(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    campaign: CampaignId,
    key: &str,
) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM script_value WHERE tenant_id = $1 AND campaign_id = $2 AND key = $3",
        &values![tenant, campaign, key],
    )?;
    Ok(())
}

/// Takes it on to check a tenant's contacts in, until an instant: gives the number of the last event that was seen, or none
/// if another node has taken it on. Whoever looks first begins with what happens from then on.
///
/// # Errors
/// The database failed.
pub fn own_check_in(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    owner: Uuid,
    now: Time,
    until: Time,
) -> Result<Option<i64>, StoreError> {
    let last = crate::events::last(tx, tenant)?;
    tx.execute(
        "INSERT INTO check_in_cursor (tenant_id, seq, owner, owned_until) VALUES ($1, $2, $3, 0) ON CONFLICT DO NOTHING",
        &values![tenant, last, owner],
    )?;
    let row = tx.query_one(
        "UPDATE check_in_cursor SET owner = $2, owned_until = $4
         WHERE tenant_id = $1 AND (owner = $2 OR owned_until < $3) RETURNING seq",
        &values![tenant, owner, now, until],
    )?;
    row.map(|row| row.get(0)).transpose()
}

/// Notes up to which event contacts were checked in; nothing if somebody else has taken it on meanwhile.
///
/// # Errors
/// The database failed.
pub fn checked_in_until(tx: &mut Tx<'_>, tenant: TenantId, owner: Uuid, seq: i64) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE check_in_cursor SET seq = $3 WHERE tenant_id = $1 AND owner = $2 AND seq < $3",
        &values![tenant, owner, seq],
    )?;
    Ok(())
}
