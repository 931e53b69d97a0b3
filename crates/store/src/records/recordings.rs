//! Recordings of calls, as they were taken from the switch: where they are, and what they are.

use std::time::Duration;

use engine::{AgentId, AttemptId, CampaignId, GroupId, TenantId, Time};
use uuid::Uuid;

use super::page::{Page, Rows, Select};
use super::{Sha256, corrupt};
use crate::{Row, StoreError, Tx, values};

/// Whose voice a file has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Leg {
    /// Both voices.
    Both,
    /// The called party alone.
    Called,
    /// The agent alone, and messages.
    Agent,
}

impl Leg {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Both, Self::Called, Self::Agent];

    /// The number stored for it.
    pub fn code(self) -> i64 {
        match self {
            Self::Both => 0,
            Self::Called => 1,
            Self::Agent => 2,
        }
    }

    fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|leg| leg.code() == code)
    }
}

/// How far a recording is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RecordingState {
    /// Its files are there.
    Stored,
    /// Its files are to be deleted.
    Condemned,
    /// Its files are gone.
    Deleted,
}

impl RecordingState {
    /// The number stored for it.
    pub fn code(self) -> i64 {
        match self {
            Self::Stored => 0,
            Self::Condemned => 1,
            Self::Deleted => 2,
        }
    }

    fn from_code(code: i64) -> Option<Self> {
        [Self::Stored, Self::Condemned, Self::Deleted].into_iter().find(|state| state.code() == code)
    }
}

/// One file of a recording.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LegFile {
    /// Whose voice it has.
    pub leg: Leg,
    /// Its name in its place.
    pub file: String,
    /// How large it is.
    pub bytes: u64,
    /// The digest of its bytes.
    pub sha256: Sha256,
    /// How long it is, in whole milliseconds.
    pub length: Duration,
}

/// The recording of a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recording {
    /// Of which attempt.
    pub attempt: AttemptId,
    /// Whose.
    pub tenant: TenantId,
    /// For which campaign.
    pub campaign: CampaignId,
    /// For which group.
    pub group: GroupId,
    /// The agent who was connected.
    pub agent: Option<AgentId>,
    /// When the attempt began.
    pub started_at: Time,
    /// How long the longest of its files is, in whole milliseconds.
    pub length: Duration,
    /// Which storage has its files.
    pub place: String,
    /// How far it is.
    pub state: RecordingState,
    /// When it was taken from the switch.
    pub stored_at: Time,
    /// When it is deleted.
    pub expires_at: Time,
    /// When it was deleted.
    pub deleted_at: Option<Time>,
    /// Its files, in the order of their legs; none once it is deleted.
    pub legs: Vec<LegFile>,
}

/// What is to be known of an attempt to take its recording from the switch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordedAttempt {
    /// Whose.
    pub tenant: TenantId,
    /// For which campaign.
    pub campaign: CampaignId,
    /// For which group.
    pub group: GroupId,
    /// The agent who was connected.
    pub agent: Option<AgentId>,
    /// When it began.
    pub started_at: Time,
    /// Whether its call is over, as far as the campaign is concerned.
    pub is_over: bool,
    /// The name of its recording.
    pub name: Option<String>,
    /// How far its recording is, if there is one.
    pub recording: Option<RecordingState>,
}

/// Which recordings are wanted; what is not given does not matter.
#[derive(Clone, Copy, Debug, Default)]
pub struct RecordingFilter {
    /// Of this attempt.
    pub attempt: Option<AttemptId>,
    /// Of this campaign.
    pub campaign: Option<CampaignId>,
    /// Of this agent.
    pub agent: Option<AgentId>,
    /// Of attempts that began at this instant or later.
    pub since: Option<Time>,
    /// Of attempts that began before this instant.
    pub until: Option<Time>,
}

/// Where a recording stands in the history.
pub type RecordingCursor = (Time, AttemptId);

const COLUMNS: &str = "SELECT attempt_id, tenant_id, campaign_id, group_id, agent_id, started_at, length_ms, place,
    state, stored_at, expires_at, deleted_at FROM recording";

fn length(row: &Row, index: usize) -> Result<Duration, StoreError> {
    let millis: i64 = row.get(index)?;
    Ok(Duration::from_millis(u64::try_from(millis).map_err(|_| corrupt("recording.length_ms"))?))
}

fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

fn read(row: &Row) -> Result<Recording, StoreError> {
    Ok(Recording {
        attempt: row.get(0)?,
        tenant: row.get(1)?,
        campaign: row.get(2)?,
        group: row.get(3)?,
        agent: row.get(4)?,
        started_at: row.get(5)?,
        length: length(row, 6)?,
        place: row.get(7)?,
        state: read_state(row.get(8)?)?,
        stored_at: row.get(9)?,
        expires_at: row.get(10)?,
        deleted_at: row.get(11)?,
        legs: Vec::new(),
    })
}

fn read_state(code: i64) -> Result<RecordingState, StoreError> {
    RecordingState::from_code(code).ok_or_else(|| corrupt("recording.state"))
}

fn add_legs(tx: &mut Tx<'_>, recordings: &mut [Recording]) -> Result<(), StoreError> {
    let ids = crate::Value::uuids(recordings.iter().map(|recording| recording.attempt.0));
    let sql = "SELECT attempt_id, leg, file, bytes, sha256, length_ms FROM recording_leg
         WHERE attempt_id = ANY($1) ORDER BY attempt_id, leg";
    for row in &tx.query(sql, &[ids])? {
        let attempt: AttemptId = row.get(0)?;
        let leg = LegFile {
            leg: Leg::from_code(row.get(1)?).ok_or_else(|| corrupt("recording_leg.leg"))?,
            file: row.get(2)?,
            bytes: u64::try_from(row.get::<i64>(3)?).map_err(|_| corrupt("recording_leg.bytes"))?,
            sha256: Sha256::try_from(row.get::<Vec<u8>>(4)?).map_err(|_| corrupt("recording_leg.sha256"))?,
            length: length(row, 5)?,
        };
        let of_it = recordings.iter_mut().filter(|recording| recording.attempt == attempt);
        of_it.for_each(|recording| recording.legs.push(leg.clone()));
    }
    Ok(())
}

/// What is known of the attempt that a file in the switch's directory is named after, whoever's it is: the file says
/// no tenant.
///
/// # Errors
/// The database failed.
pub fn attempt(tx: &mut Tx<'_>, attempt: AttemptId) -> Result<Option<RecordedAttempt>, StoreError> {
    let row = tx.query_one(
        "SELECT a.tenant_id, a.campaign_id, a.group_id, a.agent_id, a.started_at, a.state, a.recording, r.state
         FROM attempt a LEFT JOIN recording r ON r.attempt_id = a.id WHERE a.id = $1",
        &values![attempt],
    )?;
    let Some(row) = row else { return Ok(None) };
    let state: Option<i64> = row.get(7)?;
    Ok(Some(RecordedAttempt {
        tenant: row.get(0)?,
        campaign: row.get(1)?,
        group: row.get(2)?,
        agent: row.get(3)?,
        started_at: row.get(4)?,
        is_over: row.get::<i64>(5)? > 0,
        name: row.get(6)?,
        recording: state.map(read_state).transpose()?,
    }))
}

/// Stores a recording, in place of what was stored of it before; `false`, and nothing is stored, if it was deleted
/// meanwhile.
///
/// # Errors
/// The database failed.
pub fn put(tx: &mut Tx<'_>, recording: &Recording) -> Result<bool, StoreError> {
    let stored = tx.execute(
        "INSERT INTO recording (attempt_id, tenant_id, campaign_id, group_id, agent_id, started_at, length_ms, place,
             state, stored_at, expires_at, deleted_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT (attempt_id) DO UPDATE SET length_ms = excluded.length_ms, place = excluded.place,
             stored_at = excluded.stored_at, agent_id = excluded.agent_id
         WHERE recording.state = 0",
        &values![
            recording.attempt,
            recording.tenant,
            recording.campaign,
            recording.group,
            recording.agent,
            recording.started_at,
            millis(recording.length),
            recording.place.as_str(),
            recording.state.code(),
            recording.stored_at,
            recording.expires_at,
            recording.deleted_at
        ],
    )?;
    if stored == 0 {
        return Ok(false);
    }
    for leg in &recording.legs {
        tx.execute(
            "INSERT INTO recording_leg (attempt_id, leg, file, bytes, sha256, length_ms)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (attempt_id, leg) DO UPDATE SET file = excluded.file, bytes = excluded.bytes,
                 sha256 = excluded.sha256, length_ms = excluded.length_ms",
            &values![
                recording.attempt,
                leg.leg.code(),
                leg.file.as_str(),
                i64::try_from(leg.bytes).unwrap_or(i64::MAX),
                leg.sha256.to_vec(),
                millis(leg.length)
            ],
        )?;
    }
    Ok(true)
}

/// The recording of an attempt.
///
/// # Errors
/// The database failed.
pub fn get(tx: &mut Tx<'_>, tenant: TenantId, attempt: AttemptId) -> Result<Option<Recording>, StoreError> {
    let sql = format!("{COLUMNS} WHERE tenant_id = $1 AND attempt_id = $2");
    let Some(row) = tx.query_one(&sql, &values![tenant, attempt])? else { return Ok(None) };
    let mut found = [read(&row)?];
    add_legs(tx, &mut found)?;
    let [found] = found;
    Ok(Some(found))
}

/// The tenant's recordings, those of the newest attempts first.
///
/// # Errors
/// The database failed.
pub fn page(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    filter: &RecordingFilter,
    page: &Page<RecordingCursor>,
) -> Result<Rows<Recording, RecordingCursor>, StoreError> {
    let mut select = Select::new(format!("{COLUMNS} WHERE tenant_id = $1"), values![tenant])
        .and_if("attempt_id = ?", filter.attempt)
        .and_if("campaign_id = ?", filter.campaign)
        .and_if("agent_id = ?", filter.agent)
        .and_if("started_at >= ?", filter.since)
        .and_if("started_at < ?", filter.until);
    if let Some((started_at, attempt)) = page.after {
        select = select.and("(started_at, attempt_id) < (?, ?)", [started_at.into(), attempt.into()]);
    }
    let order = "started_at DESC, attempt_id DESC";
    let mut rows =
        select.page(tx, order, page, read, |recording| (recording.started_at, recording.attempt))?;
    add_legs(tx, &mut rows.rows)?;
    Ok(rows)
}

/// Condemns a recording: nobody hears it from now on. `false` if it is not there or was condemned before.
///
/// # Errors
/// The database failed.
pub fn condemn(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    attempt: AttemptId,
    now: Time,
) -> Result<bool, StoreError> {
    let sql = "UPDATE recording SET state = 1, deleted_at = $3
         WHERE tenant_id = $1 AND attempt_id = $2 AND state = 0";
    Ok(tx.execute(sql, &values![tenant, attempt, now])? > 0)
}

/// At most so many recordings of all tenants whose time is over, and whose they are.
///
/// # Errors
/// The database failed.
pub fn expired(
    tx: &mut Tx<'_>,
    now: Time,
    limit: u32,
) -> Result<Vec<(TenantId, AttemptId)>, StoreError> {
    let sql = "SELECT tenant_id, attempt_id FROM recording WHERE expires_at <= $1 AND state = 0
         ORDER BY expires_at LIMIT $2";
    tx.query(sql, &values![now, limit])?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// At most so many condemned recordings of all tenants in a place, with their files.
///
/// # Errors
/// The database failed.
pub fn condemned(
    tx: &mut Tx<'_>,
    place: &str,
    limit: u32,
) -> Result<Vec<(AttemptId, Vec<String>)>, StoreError> {
    let sql = "SELECT attempt_id FROM recording WHERE place = $1 AND state = 1 ORDER BY attempt_id LIMIT $2";
    let ids: Vec<Uuid> =
        tx.query(sql, &values![place, limit])?.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
    ids.into_iter()
        .map(|id| {
            let files = tx.query("SELECT file FROM recording_leg WHERE attempt_id = $1", &values![id])?;
            let files = files.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
            Ok((AttemptId(id), files))
        })
        .collect()
}

/// The files of a condemned recording are gone: only that there was one, and when, is kept.
///
/// # Errors
/// The database failed.
pub fn deleted(tx: &mut Tx<'_>, attempt: AttemptId) -> Result<(), StoreError> {
    let sql = "UPDATE recording SET state = 2 WHERE attempt_id = $1 AND state = 1";
    if tx.execute(sql, &values![attempt])? > 0 {
        tx.execute("DELETE FROM recording_leg WHERE attempt_id = $1", &values![attempt])?;
    }
    Ok(())
}
