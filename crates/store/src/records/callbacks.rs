//! Callbacks as users see them: made, listed, changed, and ended when their time has passed.

use engine::{
    AgentId, CallbackId, CallbackState, CampaignId, ContactId, GroupId, PhoneNumber, TenantId, Time,
};

use super::page::{Page, Rows, Select};
use super::{corrupt, debug_showing};
use crate::callbacks::replace_open;
use crate::{Row, StoreError, Tx, Value, values};

/// A promise to call at a time.
#[derive(Clone, PartialEq, Eq)]
pub struct Callback {
    /// Which.
    pub id: CallbackId,
    /// Whose.
    pub tenant: TenantId,
    /// For which campaign.
    pub campaign: CampaignId,
    /// For which group.
    pub group: GroupId,
    /// Whom to call.
    pub contact: ContactId,
    /// The number as it was agreed on; the contact says which numbers are tried.
    pub number: Option<PhoneNumber>,
    /// The person's given name, as it was agreed on.
    pub first_name: Option<String>,
    /// The person's family name, as it was agreed on.
    pub last_name: Option<String>,
    /// The agent whom it is promised with; none leaves it to any agent of the group.
    pub agent: Option<AgentId>,
    /// When to call.
    pub due: Time,
    /// From when on it is of no use.
    pub valid_until: Time,
    /// Where it is in its life.
    pub state: CallbackState,
    /// Why it is there, where that is not plain.
    pub reason: Option<String>,
    /// Notes for whoever calls.
    pub notes: Option<String>,
    /// How often an agent looked at it.
    pub offers: u32,
    /// How often it was dialled.
    pub dials: u32,
    /// The callback whose place it took.
    pub follows: Option<CallbackId>,
    /// Whether its contact was made for it, and ends with it.
    pub owns_contact: bool,
    /// When it was made.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}

debug_showing!(Callback: id, tenant, campaign, group, contact, agent, due, valid_until, state);

/// Which callbacks are wanted; what is not given does not matter.
#[derive(Clone, Debug, Default)]
pub struct CallbackFilter {
    /// Of this group.
    pub group: Option<GroupId>,
    /// Of one of these groups.
    pub groups: Option<Vec<GroupId>>,
    /// Promised with this agent.
    pub agent: Option<AgentId>,
    /// Of this contact.
    pub contact: Option<ContactId>,
    /// In this state.
    pub state: Option<CallbackState>,
    /// To this number.
    pub number: Option<PhoneNumber>,
    /// Due at this instant or later.
    pub since: Option<Time>,
    /// Due before this instant.
    pub until: Option<Time>,
}

/// Where a callback stands in the list.
pub type CallbackCursor = (Time, CallbackId);

const COLUMNS: &str =
    "SELECT id, tenant_id, campaign_id, group_id, contact_id, agent_id, due_at, valid_until, state,
    reason, notes, offers, dials, follows, owns_contact, created_at, updated_at, number, first_name, last_name
    FROM callback";

fn read(row: &Row) -> Result<Callback, StoreError> {
    Ok(Callback {
        id: row.get(0)?,
        tenant: row.get(1)?,
        campaign: row.get(2)?,
        group: row.get(3)?,
        contact: row.get(4)?,
        agent: row.get(5)?,
        due: row.get(6)?,
        valid_until: row.get(7)?,
        state: CallbackState::from_code(row.get(8)?).ok_or_else(|| corrupt("callback.state"))?,
        reason: row.get(9)?,
        notes: row.get(10)?,
        offers: row.get(11)?,
        dials: row.get(12)?,
        follows: row.get(13)?,
        owns_contact: row.get(14)?,
        created_at: row.get(15)?,
        updated_at: row.get(16)?,
        number: row.get(17)?,
        first_name: row.get(18)?,
        last_name: row.get(19)?,
    })
}

/// Adds a callback; an open one of the same contact gives way to it.
///
/// # Errors
/// The database failed.
pub fn insert(tx: &mut Tx<'_>, callback: &Callback) -> Result<(), StoreError> {
    replace_open(tx, callback.contact, callback.created_at)?;
    tx.execute(
        "INSERT INTO callback (id, tenant_id, campaign_id, group_id, contact_id, agent_id, due_at, valid_until, state,
                               reason, notes, offers, dials, follows, owns_contact, created_at, updated_at, number,
                               first_name, last_name)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
        &values![
            callback.id,
            callback.tenant,
            callback.campaign,
            callback.group,
            callback.contact,
            callback.agent,
            callback.due,
            callback.valid_until,
            callback.state.code(),
            callback.reason.as_ref(),
            callback.notes.as_ref(),
            callback.offers,
            callback.dials,
            callback.follows,
            callback.owns_contact,
            callback.created_at,
            callback.updated_at,
            callback.number,
            callback.first_name.as_ref(),
            callback.last_name.as_ref()
        ],
    )?;
    Ok(())
}

/// One callback.
///
/// # Errors
/// The database failed.
pub fn get(tx: &mut Tx<'_>, tenant: TenantId, id: CallbackId) -> Result<Option<Callback>, StoreError> {
    let rows = tx.query(&format!("{COLUMNS} WHERE tenant_id = $1 AND id = $2"), &values![tenant, id])?;
    rows.first().map(read).transpose()
}

/// A page of callbacks, the first due first.
///
/// # Errors
/// The database failed.
pub fn page(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    filter: &CallbackFilter,
    page: &Page<CallbackCursor>,
) -> Result<Rows<Callback, CallbackCursor>, StoreError> {
    let mut select = Select::new(format!("{COLUMNS} WHERE tenant_id = $1"), values![tenant])
        .and_if("group_id = ?", filter.group)
        .and_if("agent_id = ?", filter.agent)
        .and_if("contact_id = ?", filter.contact)
        .and_if("state = ?", filter.state.map(CallbackState::code))
        .and_if("number = ?", filter.number)
        .and_if("due_at >= ?", filter.since)
        .and_if("due_at < ?", filter.until);
    if let Some(groups) = &filter.groups {
        select = select.and("group_id = ANY(?)", [Value::uuids(groups.iter().map(|group| group.0))]);
    }
    if let Some((due, id)) = page.after {
        select = select.and("(due_at, id) > (?, ?)", [due.into(), id.into()]);
    }
    select.page(tx, "due_at, id", page, read, |callback| (callback.due, callback.id))
}

/// Open callbacks to a number, the first due first.
///
/// # Errors
/// The database failed.
pub fn open_to(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    campaign: CampaignId,
    number: PhoneNumber,
) -> Result<Vec<CallbackId>, StoreError> {
    let rows = tx.query(
        "SELECT id FROM callback WHERE tenant_id = $1 AND number = $3 AND campaign_id = $2 AND state < 3
         ORDER BY due_at LIMIT 100",
        &values![tenant, campaign, number],
    )?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Stores what a user changed of a callback that nobody looks at or talks to; false, and nothing changes, if it is
/// offered, dialled or over.
///
/// # Errors
/// The database failed.
pub fn change(tx: &mut Tx<'_>, callback: &Callback) -> Result<bool, StoreError> {
    let changed = tx.execute(
        "UPDATE callback SET agent_id = $3, due_at = $4, valid_until = $5, notes = $6, state = $7, reason = $8,
                             updated_at = $9
         WHERE tenant_id = $1 AND id = $2 AND state = 0",
        &values![
            callback.tenant,
            callback.id,
            callback.agent,
            callback.due,
            callback.valid_until,
            callback.notes.as_ref(),
            callback.state.code(),
            callback.reason.as_ref(),
            callback.updated_at
        ],
    )?;
    Ok(changed == 1)
}

/// Open callbacks whose time has passed and that no call keeps, the oldest first, at most `limit`.
///
/// # Errors
/// The database failed.
pub fn overdue(tx: &mut Tx<'_>, now: Time, limit: u32) -> Result<Vec<Callback>, StoreError> {
    // A call that is up may still keep it; what becomes of the promise is decided when the call is over.
    let rows = tx.query(
        &format!("{COLUMNS} WHERE valid_until <= $1 AND state < 2 ORDER BY valid_until LIMIT $2"),
        &values![now, i64::from(limit)],
    )?;
    rows.iter().map(read).collect()
}

/// Ends a callback whose time has passed; false if it moved on meanwhile.
///
/// # Errors
/// The database failed.
pub fn close(
    tx: &mut Tx<'_>,
    id: CallbackId,
    state: CallbackState,
    reason: &str,
    now: Time,
) -> Result<bool, StoreError> {
    let closed = tx.execute(
        "UPDATE callback SET state = $2, reason = $3, updated_at = $4 WHERE id = $1 AND state < 2",
        &values![id, state.code(), reason, now],
    )?;
    Ok(closed == 1)
}
