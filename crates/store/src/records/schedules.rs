//! What schedules and sequences did, and where they are.

use std::time::Duration;

use engine::{GroupId, TenantId, Time};
use uuid::Uuid;

use super::page::{Page, Rows, Select};
use crate::{Row, StoreError, Tx, values};

/// Something that a schedule or sequence did or left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedRun {
    /// Which.
    pub id: Uuid,
    /// Whose.
    pub tenant: TenantId,
    /// Of which schedule or sequence.
    pub plan: Uuid,
    /// When it was due.
    pub due: Time,
    /// Which of its steps.
    pub step: u32,
    /// With which group.
    pub group: GroupId,
    /// What was asked of it.
    pub action: String,
    /// `started`, `done`, `refused` or `missed`.
    pub outcome: String,
    /// Why it was refused or missed.
    pub detail: Option<String>,
    /// When.
    pub at: Time,
}

/// Where a run stands in the list.
pub type RunCursor = (Time, Uuid);

/// How long whoever claimed a run may take to say how it ended. After that they are gone, and another does it.
const ABANDONED_AFTER: Duration = Duration::from_secs(60);

/// What came of claiming a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Claim {
    /// It is the caller's.
    Mine,
    /// It is not over, and somebody else is at it or will be.
    Pending,
    /// It is over.
    Over,
}

/// Claims a run; nothing is stored if somebody did before and may still be at it.
///
/// # Errors
/// The database failed.
pub fn claim(tx: &mut Tx<'_>, run: &PlannedRun) -> Result<Claim, StoreError> {
    let claimed = tx.execute(
        "INSERT INTO planned_run (id, tenant_id, plan_id, due_at, step, group_id, action, outcome, detail, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (plan_id, due_at, step, group_id, action) DO UPDATE
         SET id = excluded.id, outcome = excluded.outcome, detail = excluded.detail, at = excluded.at
         WHERE planned_run.outcome = 'started' AND planned_run.at < $11",
        &values![
            run.id,
            run.tenant,
            run.plan,
            run.due,
            run.step,
            run.group,
            run.action.as_str(),
            run.outcome.as_str(),
            run.detail.as_ref(),
            run.at,
            run.at - ABANDONED_AFTER
        ],
    )?;
    if claimed == 1 { Ok(Claim::Mine) } else { look(tx, run) }
}

/// How it stands with a run that is not the caller's.
///
/// # Errors
/// The database failed.
pub fn look(tx: &mut Tx<'_>, run: &PlannedRun) -> Result<Claim, StoreError> {
    let found = tx.query_one(
        "SELECT outcome FROM planned_run
         WHERE plan_id = $1 AND due_at = $2 AND step = $3 AND group_id = $4 AND action = $5",
        &values![run.plan, run.due, run.step, run.group, run.action.as_str()],
    )?;
    let outcome = found.map(|row| row.get::<String>(0)).transpose()?;
    Ok(if outcome.is_none_or(|outcome| outcome == "started") { Claim::Pending } else { Claim::Over })
}

/// Gives a claimed run back, so that it is tried again.
///
/// # Errors
/// The database failed.
pub fn give_back(tx: &mut Tx<'_>, run: Uuid) -> Result<(), StoreError> {
    tx.execute("DELETE FROM planned_run WHERE id = $1 AND outcome = 'started'", &values![run])?;
    Ok(())
}

/// Notes how a run ended.
///
/// # Errors
/// The database failed.
pub fn end(tx: &mut Tx<'_>, run: Uuid, outcome: &str, detail: Option<&str>) -> Result<(), StoreError> {
    let detail = detail.map(str::to_owned);
    tx.execute(
        "UPDATE planned_run SET outcome = $2, detail = $3 WHERE id = $1",
        &values![run, outcome, detail],
    )?;
    Ok(())
}

/// What a schedule or sequence did, what was due last first.
///
/// # Errors
/// The database failed.
pub fn runs(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    plan: Uuid,
    page: &Page<RunCursor>,
) -> Result<Rows<PlannedRun, RunCursor>, StoreError> {
    let mut select = Select::new(
        "SELECT id, tenant_id, plan_id, due_at, step, group_id, action, outcome, detail, at FROM planned_run
         WHERE tenant_id = $1 AND plan_id = $2",
        values![tenant, plan],
    );
    if let Some((due, id)) = page.after {
        select = select.and("(due_at, id) < (?, ?)", [due.into(), id.into()]);
    }
    select.page(tx, "due_at DESC, id DESC", page, read, |run| (run.due, run.id))
}

fn read(row: &Row) -> Result<PlannedRun, StoreError> {
    Ok(PlannedRun {
        id: row.get(0)?,
        tenant: row.get(1)?,
        plan: row.get(2)?,
        due: row.get(3)?,
        step: row.get(4)?,
        group: row.get(5)?,
        action: row.get(6)?,
        outcome: row.get(7)?,
        detail: row.get(8)?,
        at: row.get(9)?,
    })
}

/// Tenants that have schedules or sequences.
///
/// # Errors
/// The database failed.
pub fn tenants(tx: &mut Tx<'_>) -> Result<Vec<TenantId>, StoreError> {
    let rows =
        tx.query("SELECT DISTINCT tenant_id FROM definition WHERE kind IN ('schedule', 'sequence')", &[])?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Until when it was seen what a schedule wants done; from `now` on if it was never looked at.
///
/// # Errors
/// The database failed.
pub fn seen_until(tx: &mut Tx<'_>, tenant: TenantId, schedule: Uuid, now: Time) -> Result<Time, StoreError> {
    tx.execute(
        "INSERT INTO schedule_state (schedule_id, tenant_id, seen_until) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        &values![schedule, tenant, now],
    )?;
    let row =
        tx.query_one("SELECT seen_until FROM schedule_state WHERE schedule_id = $1", &values![schedule])?;
    row.map_or(Ok(now), |row| row.get(0))
}

/// Notes that it was seen until an instant; never goes back.
///
/// # Errors
/// The database failed.
pub fn set_seen_until(tx: &mut Tx<'_>, schedule: Uuid, until: Time) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE schedule_state SET seen_until = $2 WHERE schedule_id = $1 AND seen_until < $2",
        &values![schedule, until],
    )?;
    Ok(())
}

/// Where a sequence is that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceState {
    /// Which.
    pub sequence: Uuid,
    /// Whose.
    pub tenant: TenantId,
    /// At which of its groups.
    pub step: u32,
    /// Since when.
    pub since: Time,
    /// Grows with every change.
    pub version: i64,
}

/// Where a sequence is; none if it does not run.
///
/// # Errors
/// The database failed.
pub fn sequence(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    sequence: Uuid,
) -> Result<Option<SequenceState>, StoreError> {
    let row = tx.query_one(
        "SELECT sequence_id, tenant_id, step, since, version FROM sequence_state
         WHERE tenant_id = $1 AND sequence_id = $2",
        &values![tenant, sequence],
    )?;
    row.map(|row| {
        Ok(SequenceState {
            sequence: row.get(0)?,
            tenant: row.get(1)?,
            step: row.get(2)?,
            since: row.get(3)?,
            version: row.get(4)?,
        })
    })
    .transpose()
}

/// Begins a sequence; false if it runs already.
///
/// # Errors
/// The database failed.
pub fn begin_sequence(tx: &mut Tx<'_>, state: &SequenceState) -> Result<bool, StoreError> {
    let begun = tx.execute(
        "INSERT INTO sequence_state (sequence_id, tenant_id, step, since, version)
         VALUES ($1, $2, $3, $4, 1) ON CONFLICT DO NOTHING",
        &values![state.sequence, state.tenant, state.step, state.since],
    )?;
    Ok(begun == 1)
}

/// Moves a sequence on from the version that was seen; false if somebody else did.
///
/// # Errors
/// The database failed.
pub fn move_sequence(tx: &mut Tx<'_>, state: &SequenceState) -> Result<bool, StoreError> {
    let moved = tx.execute(
        "UPDATE sequence_state SET step = $2, since = $3, version = version + 1
         WHERE sequence_id = $1 AND version = $4",
        &values![state.sequence, state.step, state.since, state.version],
    )?;
    Ok(moved == 1)
}

/// Ends a sequence; false if it did not run.
///
/// # Errors
/// The database failed.
pub fn end_sequence(tx: &mut Tx<'_>, tenant: TenantId, sequence: Uuid) -> Result<bool, StoreError> {
    let ended = tx.execute(
        "DELETE FROM sequence_state WHERE tenant_id = $1 AND sequence_id = $2",
        &values![tenant, sequence],
    )?;
    Ok(ended == 1)
}
