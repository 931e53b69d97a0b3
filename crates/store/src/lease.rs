//! Leases: which node runs a campaign group.
//!
//! Every acquisition raises the group's epoch. Whoever changes the group's contacts or attempts names the epoch it
//! holds, and a stale one is refused by the database, so a node that stood still and woke up can do no harm.

use engine::{CampaignId, DialMode, GroupId, GroupState, TenantId, Time};
use uuid::Uuid;

use crate::{Row, StoreError, Tx, Value, values};

/// A group and where it belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupRow {
    /// The group.
    pub group: GroupId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Its campaign.
    pub campaign: CampaignId,
}

/// A lease that was acquired, and what the group was doing under the one before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lease {
    /// The fence: to be named with every change.
    pub epoch: i64,
    /// The group's state as last stored.
    pub state: GroupState,
    /// Its dial mode as last stored; none if it was never loaded.
    pub dial_mode: Option<DialMode>,
}

/// A group that is loaded and has nobody to run it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Orphan {
    /// The group.
    pub group: GroupRow,
    /// Its state as last stored; never [`GroupState::NotLoaded`].
    pub state: GroupState,
    /// Its dial mode as last stored.
    pub dial_mode: Option<DialMode>,
}

/// Takes the lease of a group until `until`: if it is free, has run out, or is `owner`'s already. `None` if another
/// holds it. The epoch grows by one each time.
///
/// # Errors
/// Those of the database.
pub fn acquire(
    tx: &mut Tx<'_>,
    group: GroupRow,
    owner: Uuid,
    now: Time,
    until: Time,
) -> Result<Option<Lease>, StoreError> {
    let taken = tx.query_one(
        "INSERT INTO group_runtime (group_id, tenant_id, campaign_id, state, dial_mode, changed_at, lease_owner,
                                    lease_epoch, lease_until)
         VALUES ($1, $2, $3, 0, NULL, $4, $5, 1, $6)
         ON CONFLICT (group_id) DO UPDATE
         SET lease_owner = excluded.lease_owner, lease_epoch = group_runtime.lease_epoch + 1,
             lease_until = excluded.lease_until
         WHERE group_runtime.lease_owner IS NULL OR group_runtime.lease_until <= $4
               OR group_runtime.lease_owner = excluded.lease_owner
         RETURNING lease_epoch, state, dial_mode",
        &values![group.group, group.tenant, group.campaign, now, owner, until],
    )?;
    taken
        .map(|row| Ok(Lease { epoch: row.get(0)?, state: state(&row, 1)?, dial_mode: dial_mode(&row, 2)? }))
        .transpose()
}

/// The group's state as last stored; a group that was never loaded is not loaded.
///
/// # Errors
/// Those of the database.
pub fn stored_state(tx: &mut Tx<'_>, group: GroupId) -> Result<GroupState, StoreError> {
    let row = tx.query_one("SELECT state FROM group_runtime WHERE group_id = $1", &values![group])?;
    row.map_or(Ok(GroupState::NotLoaded), |row| state(&row, 0))
}

/// The group's state as last stored, and who holds its lease or held it last: none if it was given back.
///
/// # Errors
/// Those of the database.
pub fn stored_holder(tx: &mut Tx<'_>, group: GroupId) -> Result<(GroupState, Option<Uuid>), StoreError> {
    let row =
        tx.query_one("SELECT state, lease_owner FROM group_runtime WHERE group_id = $1", &values![group])?;
    row.map_or(Ok((GroupState::NotLoaded, None)), |row| Ok((state(&row, 0)?, row.get(1)?)))
}

/// Prolongs a lease. One that has run out can be prolonged as long as nobody has taken it.
///
/// # Errors
/// [`StoreError::Fenced`] if another has it or it was released.
pub fn renew(tx: &mut Tx<'_>, group: GroupId, epoch: i64, until: Time) -> Result<(), StoreError> {
    let renewed = tx.execute(
        "UPDATE group_runtime SET lease_until = $3
         WHERE group_id = $1 AND lease_epoch = $2 AND lease_owner IS NOT NULL",
        &values![group, epoch, until],
    )?;
    if renewed == 1 { Ok(()) } else { Err(StoreError::Fenced { group }) }
}

/// Gives a lease back, so that another can take it at once. Of no effect if another has taken it.
///
/// # Errors
/// Those of the database.
pub fn release(tx: &mut Tx<'_>, group: GroupId, epoch: i64) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE group_runtime SET lease_owner = NULL, lease_until = 0 WHERE group_id = $1 AND lease_epoch = $2",
        &values![group, epoch],
    )?;
    Ok(())
}

/// Gives back every lease of an owner: at its start, when what it held in an earlier life is nobody's.
///
/// # Errors
/// Those of the database.
pub fn release_all(tx: &mut Tx<'_>, owner: Uuid) -> Result<u64, StoreError> {
    tx.execute(
        "UPDATE group_runtime SET lease_owner = NULL, lease_until = 0 WHERE lease_owner = $1",
        &values![owner],
    )
}

/// Groups that are loaded although nobody holds their lease: after a crash or the loss of a node. They are to be
/// acquired and run on.
///
/// # Errors
/// Those of the database.
pub fn groups_to_adopt(tx: &mut Tx<'_>, now: Time) -> Result<Vec<Orphan>, StoreError> {
    let rows = tx.query(
        "SELECT group_id, tenant_id, campaign_id, state, dial_mode FROM group_runtime
         WHERE state <> 0 AND (lease_owner IS NULL OR lease_until <= $1) ORDER BY group_id",
        &values![now],
    )?;
    rows.iter()
        .map(|row| {
            let group = GroupRow { group: row.get(0)?, tenant: row.get(1)?, campaign: row.get(2)? };
            Ok(Orphan { group, state: state(row, 3)?, dial_mode: dial_mode(row, 4)? })
        })
        .collect()
}

/// Makes sure that every lease named is held under its epoch, and that none is taken before this transaction ends.
pub(crate) fn check(tx: &mut Tx<'_>, held: &[(GroupId, i64)], will_change: bool) -> Result<(), StoreError> {
    // In one order, so that two transactions do not wait for each other.
    let sql = if will_change {
        "SELECT group_id, lease_epoch FROM group_runtime
         WHERE group_id = ANY($1) AND lease_owner IS NOT NULL ORDER BY group_id FOR UPDATE"
    } else {
        "SELECT group_id, lease_epoch FROM group_runtime
         WHERE group_id = ANY($1) AND lease_owner IS NOT NULL ORDER BY group_id FOR SHARE"
    };
    let rows = tx.query(sql, &[Value::uuids(held.iter().map(|(group, _)| group.0))])?;
    let stored =
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<Vec<_>, StoreError>>()?;
    match held.iter().find(|lease| !stored.contains(lease)) {
        Some((group, _)) => Err(StoreError::Fenced { group: *group }),
        None => Ok(()),
    }
}

fn state(row: &Row, index: usize) -> Result<GroupState, StoreError> {
    GroupState::from_code(row.get(index)?)
        .ok_or_else(|| StoreError::corrupt("a campaign group's state is not known"))
}

fn dial_mode(row: &Row, index: usize) -> Result<Option<DialMode>, StoreError> {
    let Some(code) = row.get::<Option<i64>>(index)? else { return Ok(None) };
    DialMode::from_code(code)
        .map(Some)
        .ok_or_else(|| StoreError::corrupt("a campaign group's dial mode is not known"))
}
