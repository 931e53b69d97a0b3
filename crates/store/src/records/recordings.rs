//! Recordings of calls: which there are, where their files are, and what is still to be done about them.

use std::time::Duration;

use engine::{AgentId, AttemptId, CampaignId, ContactId, GroupId, TenantId, Time};

use super::page::{Page, Rows, Select};
use super::{Sha256, corrupt};
use crate::{Row, StoreError, Tx, values};

/// How far a recording is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RecordingState {
    /// It is being made, or its file is still on the switch.
    Pending,
    /// Its file is in its storage.
    Stored,
    /// Its time was over: its file is gone, or goes soon.
    Expired,
    /// Somebody deleted it: its file is gone, or goes soon.
    Deleted,
    /// The switch does not have it.
    Missing,
}

impl RecordingState {
    const ALL: [Self; 5] = [Self::Pending, Self::Stored, Self::Expired, Self::Deleted, Self::Missing];

    /// The number stored for it.
    pub fn code(self) -> i64 {
        match self {
            Self::Pending => 0,
            Self::Stored => 1,
            Self::Expired => 2,
            Self::Deleted => 3,
            Self::Missing => 4,
        }
    }

    fn from_code(code: i64) -> Result<Self, StoreError> {
        let known = Self::ALL.into_iter().find(|state| state.code() == code);
        known.ok_or_else(|| corrupt("recording.state"))
    }
}

/// A file in its storage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordingFile {
    /// Which storage has it.
    pub place: String,
    /// Under which name.
    pub file: String,
    /// How long it is, in whole milliseconds.
    pub length: Duration,
    /// How large it is.
    pub bytes: u64,
    /// The digest of its bytes.
    pub sha256: Sha256,
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
    /// Who was called.
    pub contact: ContactId,
    /// The agent who talked with them.
    pub agent: AgentId,
    /// Its name, on the switch and in its storage.
    pub name: String,
    /// How far it is.
    pub state: RecordingState,
    /// When it began.
    pub started_at: Time,
    /// When its time is over.
    pub expires_at: Time,
    /// How long it is, in whole milliseconds; known from when it is stored, and kept.
    pub length: Option<Duration>,
    /// How large its file is or was.
    pub bytes: Option<u64>,
    /// The digest of its file's bytes.
    pub sha256: Option<Sha256>,
    /// When its file was taken from the switch.
    pub stored_at: Option<Time>,
    /// When it was deleted or its time was over.
    pub removed_at: Option<Time>,
    /// The storage that has its file, and the file's name there.
    pub file: Option<(String, String)>,
}

/// Something that is to be done about a recording.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DueRecording {
    /// The recording.
    pub recording: Recording,
    /// Whether its file may still be on the switch.
    pub on_switch: bool,
    /// Since when it is due; names this task when it is claimed.
    pub due_at: Time,
    /// How often it was tried before.
    pub tries: u32,
}

/// Which recordings are wanted; what is not given does not matter.
#[derive(Clone, Copy, Debug, Default)]
pub struct RecordingFilter {
    /// Of this attempt.
    pub attempt: Option<AttemptId>,
    /// Of this campaign.
    pub campaign: Option<CampaignId>,
    /// Of talks with this contact.
    pub contact: Option<ContactId>,
    /// Of talks with this agent.
    pub agent: Option<AgentId>,
    /// Begun at this instant or later.
    pub since: Option<Time>,
    /// Begun before this instant.
    pub until: Option<Time>,
}

/// Where a recording stands in the history.
pub type RecordingCursor = (Time, AttemptId);

const COLUMNS: &str = "SELECT attempt_id, tenant_id, campaign_id, group_id, contact_id, agent_id, name, state,
    started_at, expires_at, length_ms, bytes, sha256, stored_at, removed_at, place, file, on_switch, due_at, tries
    FROM recording";

fn read(row: &Row) -> Result<Recording, StoreError> {
    let number = |index: usize, what: &'static str| -> Result<Option<u64>, StoreError> {
        let number: Option<i64> = row.get(index)?;
        number.map(|number| u64::try_from(number).map_err(|_| corrupt(what))).transpose()
    };
    let digest = |bytes: Vec<u8>| Sha256::try_from(bytes).map_err(|_| corrupt("recording.sha256"));
    let (place, file): (Option<String>, Option<String>) = (row.get(15)?, row.get(16)?);
    Ok(Recording {
        attempt: row.get(0)?,
        tenant: row.get(1)?,
        campaign: row.get(2)?,
        group: row.get(3)?,
        contact: row.get(4)?,
        agent: row.get(5)?,
        name: row.get(6)?,
        state: RecordingState::from_code(row.get(7)?)?,
        started_at: row.get(8)?,
        expires_at: row.get(9)?,
        length: number(10, "recording.length_ms")?.map(Duration::from_millis),
        bytes: number(11, "recording.bytes")?,
        sha256: row.get::<Option<Vec<u8>>>(12)?.map(digest).transpose()?,
        stored_at: row.get(13)?,
        removed_at: row.get(14)?,
        file: place.zip(file),
    })
}

/// The recording of an attempt.
///
/// # Errors
/// The database failed.
pub fn get(tx: &mut Tx<'_>, tenant: TenantId, attempt: AttemptId) -> Result<Option<Recording>, StoreError> {
    let sql = format!("{COLUMNS} WHERE tenant_id = $1 AND attempt_id = $2");
    tx.query_one(&sql, &values![tenant, attempt])?.as_ref().map(read).transpose()
}

/// The tenant's recordings, the newest first.
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
        .and_if("contact_id = ?", filter.contact)
        .and_if("agent_id = ?", filter.agent)
        .and_if("started_at >= ?", filter.since)
        .and_if("started_at < ?", filter.until);
    if let Some((started_at, attempt)) = page.after {
        select = select.and("(started_at, attempt_id) < (?, ?)", [started_at.into(), attempt.into()]);
    }
    let order = "started_at DESC, attempt_id DESC";
    select.page(tx, order, page, read, |recording| (recording.started_at, recording.attempt))
}

/// At most so many things that are to be done by now, of all tenants, the longest due first. Recordings that may still
/// be going on are left out: those of attempts that are not over. Without `with_switch` only what concerns storages is
/// given.
///
/// # Errors
/// The database failed.
pub fn due(
    tx: &mut Tx<'_>,
    now: Time,
    with_switch: bool,
    limit: u32,
) -> Result<Vec<DueRecording>, StoreError> {
    let sql = format!(
        "{COLUMNS} WHERE due_at <= $1 AND (state > 0 OR EXISTS
             (SELECT 1 FROM attempt a WHERE a.id = recording.attempt_id AND a.state > 0))
             AND ($2 = 1 OR (state > 1 AND file IS NOT NULL))
         ORDER BY due_at, attempt_id LIMIT $3"
    );
    let read = |row: &Row| {
        Ok(DueRecording {
            recording: read(row)?,
            on_switch: row.get::<i64>(17)? != 0,
            due_at: row.get(18)?,
            tries: u32::try_from(row.get::<i64>(19)?).map_err(|_| corrupt("recording.tries"))?,
        })
    };
    tx.query(&sql, &values![now, i64::from(with_switch), limit])?.iter().map(read).collect()
}

/// How many recordings of all tenants are pending: being made, or still to be fetched from the switch.
///
/// # Errors
/// The database failed.
pub fn pending(tx: &mut Tx<'_>) -> Result<u64, StoreError> {
    // A pending one is always due at some time, and the index on that holds few others.
    let sql = "SELECT COUNT(*) FROM recording WHERE due_at IS NOT NULL AND state = 0";
    tx.query_one(sql, &[])?.map_or(Ok(0), |row| row.get(0))
}

/// Takes on something that is to be done; it is due again at `again` unless it is done by then. `false` if somebody else
/// took it on, or there is nothing to be done any more.
///
/// # Errors
/// The database failed.
pub fn claim(tx: &mut Tx<'_>, due: &DueRecording, again: Time) -> Result<bool, StoreError> {
    // The count is for the wait between tries: it need not go on for ever.
    let sql = "UPDATE recording SET due_at = $3, tries = CASE WHEN tries < 1000 THEN tries + 1 ELSE tries END
         WHERE attempt_id = $1 AND due_at = $2";
    Ok(tx.execute(sql, &values![due.recording.attempt, due.due_at, again])? > 0)
}

/// Something that was taken on, with `until` as the time at which it is due again, failed: it is due again at `again`.
/// Nothing is changed if it became due meanwhile.
///
/// # Errors
/// The database failed.
pub fn try_again(tx: &mut Tx<'_>, attempt: AttemptId, until: Time, again: Time) -> Result<(), StoreError> {
    let sql = "UPDATE recording SET due_at = $3 WHERE attempt_id = $1 AND due_at = $2";
    tx.execute(sql, &values![attempt, until, again]).map(drop)
}

/// Whether a recording's file is to be in its storage.
///
/// # Errors
/// The database failed.
pub fn has_file(tx: &mut Tx<'_>, attempt: AttemptId) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM recording WHERE attempt_id = $1 AND state = 1";
    Ok(tx.query_one(sql, &values![attempt])?.is_some())
}

/// The switch says that a recording is finished: its file may be fetched at once.
///
/// # Errors
/// The database failed.
pub fn finished(tx: &mut Tx<'_>, attempt: AttemptId, now: Time) -> Result<(), StoreError> {
    let sql = "UPDATE recording SET due_at = $2, tries = 0 WHERE attempt_id = $1 AND state = 0";
    tx.execute(sql, &values![attempt, now]).map(drop)
}

/// The recording goes on: its file is looked for again at `again`, as if that had not been tried yet.
///
/// # Errors
/// The database failed.
pub fn goes_on(tx: &mut Tx<'_>, attempt: AttemptId, again: Time) -> Result<(), StoreError> {
    finished(tx, attempt, again)
}

/// Its file is in its storage; the switch's is to be removed at once. `false`, and nothing is changed, if it was deleted
/// or expired meanwhile, or somebody else stored it.
///
/// # Errors
/// The database failed.
pub fn put_file(
    tx: &mut Tx<'_>,
    attempt: AttemptId,
    file: &RecordingFile,
    now: Time,
) -> Result<bool, StoreError> {
    let sql =
        "UPDATE recording SET state = 1, place = $2, file = $3, length_ms = $4, bytes = $5, sha256 = $6,
             stored_at = $7, due_at = $7, tries = 0
         WHERE attempt_id = $1 AND state = 0";
    let values = values![
        attempt,
        file.place.as_str(),
        file.file.as_str(),
        i64::try_from(file.length.as_millis()).unwrap_or(i64::MAX),
        i64::try_from(file.bytes).unwrap_or(i64::MAX),
        file.sha256.to_vec(),
        now
    ];
    Ok(tx.execute(sql, &values)? > 0)
}

/// The switch does not have it, and will not: nothing more is to be done.
///
/// # Errors
/// The database failed.
pub fn missing(tx: &mut Tx<'_>, attempt: AttemptId) -> Result<(), StoreError> {
    let sql =
        "UPDATE recording SET state = 4, on_switch = 0, due_at = NULL WHERE attempt_id = $1 AND state = 0";
    tx.execute(sql, &values![attempt]).map(drop)
}

/// The switch has its file no more.
///
/// # Errors
/// The database failed.
pub fn off_switch(tx: &mut Tx<'_>, attempt: AttemptId) -> Result<(), StoreError> {
    let sql = "UPDATE recording SET on_switch = 0,
             due_at = CASE WHEN state > 1 AND file IS NOT NULL THEN due_at ELSE NULL END
         WHERE attempt_id = $1 AND state > 0";
    tx.execute(sql, &values![attempt]).map(drop)
}

/// The storage has the file of a recording no more that was deleted or whose time was over.
///
/// # Errors
/// The database failed.
pub fn off_storage(tx: &mut Tx<'_>, attempt: AttemptId) -> Result<(), StoreError> {
    let sql = "UPDATE recording SET file = NULL, place = NULL,
             due_at = CASE WHEN on_switch = 1 THEN due_at ELSE NULL END
         WHERE attempt_id = $1 AND state > 1";
    tx.execute(sql, &values![attempt]).map(drop)
}

/// Deletes a recording: nobody hears it from now on, and its file goes soon. `false` if there is none, or it was deleted
/// or had expired before.
///
/// # Errors
/// The database failed.
pub fn delete(tx: &mut Tx<'_>, tenant: TenantId, attempt: AttemptId, now: Time) -> Result<bool, StoreError> {
    let sql = "UPDATE recording SET state = 3, removed_at = $3, due_at = $3, tries = 0
         WHERE tenant_id = $1 AND attempt_id = $2 AND state IN (0, 1)";
    Ok(tx.execute(sql, &values![tenant, attempt, now])? > 0)
}

/// Has at most so many recordings of all tenants expire whose time is over: their files go soon. How many did.
///
/// # Errors
/// The database failed.
pub fn expire(tx: &mut Tx<'_>, now: Time, limit: u32) -> Result<u64, StoreError> {
    let sql = "UPDATE recording SET state = 2, removed_at = $1, due_at = $1, tries = 0
         WHERE attempt_id IN
             (SELECT attempt_id FROM recording WHERE expires_at <= $1 AND state < 2 ORDER BY expires_at LIMIT $2)";
    tx.execute(sql, &values![now, limit])
}
