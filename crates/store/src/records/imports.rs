//! Imports: jobs that read a file into a source, batch by batch.
//!
//! A process claims a job and reports each batch with [`progress`] in the transaction that stores the batch. So what
//! the job says was done is what is stored, and whoever takes over from a process that died goes on right after its
//! last batch. A process that was only slow finds its claim gone, and its batch is not stored.

use engine::{CampaignId, ImportId, SourceId, TenantId, Time};
use uuid::Uuid;

use super::page::{Page, Rows, Select};
use super::{corrupt, debug_showing, json};
use crate::{Row, StoreError, Tx, Value, values};

/// Where an import is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ImportState {
    /// Waiting for a process to take it.
    Queued,
    /// A process works on it.
    Running,
    /// A process works on it and is to stop after its batch.
    Cancelling,
    /// The whole file was read.
    Completed,
    /// It cannot be read any further.
    Failed,
    /// It was stopped by a user; what was stored stays.
    Cancelled,
}

impl ImportState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Running, Self::Cancelling, Self::Completed, Self::Failed, Self::Cancelled];

    /// The name it is stored under and called by in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Cancelling => "cancelling",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// From its name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing more happens to it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// An import to be queued.
#[derive(Clone)]
pub struct NewImport {
    /// Its identifier.
    pub id: ImportId,
    /// Whose.
    pub tenant: TenantId,
    /// Where its contacts come from.
    pub source: SourceId,
    /// For which campaign.
    pub campaign: CampaignId,
    /// How the file is to be read.
    pub settings: serde_json::Value,
    /// Where the file is.
    pub file_path: String,
    /// Its length in bytes.
    pub file_size: u64,
    /// Its digest.
    pub file_sha256: super::Sha256,
    /// Now.
    pub now: Time,
}

debug_showing!(NewImport: id, tenant, source, campaign, file_size);

/// What was done so far, or by one batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportCounts {
    /// Rows of the file that are dealt with.
    pub rows_done: u64,
    /// Bytes of the file that are dealt with: where a resumed import goes on.
    pub bytes_done: u64,
    /// Contacts that are new.
    pub created: u64,
    /// Contacts that were there and differed.
    pub updated: u64,
    /// Contacts that were there as they are in the file.
    pub unchanged: u64,
    /// Rows that were not taken.
    pub rejected: u64,
}

/// An import as stored.
#[derive(Clone, PartialEq)]
pub struct ImportJob {
    /// Which.
    pub id: ImportId,
    /// Whose.
    pub tenant: TenantId,
    /// Where its contacts come from.
    pub source: SourceId,
    /// For which campaign.
    pub campaign: CampaignId,
    /// Where it is in its life.
    pub state: ImportState,
    /// How the file is to be read.
    pub settings: serde_json::Value,
    /// Where the file is.
    pub file_path: String,
    /// Its length in bytes.
    pub file_size: u64,
    /// Its digest.
    pub file_sha256: Vec<u8>,
    /// What was done so far.
    pub counts: ImportCounts,
    /// Why it failed.
    pub error: Option<String>,
    /// When it was queued.
    pub created_at: Time,
    /// When it was first taken.
    pub started_at: Option<Time>,
    /// When it came to its end.
    pub finished_at: Option<Time>,
    /// When its process last gave a sign of life.
    pub heartbeat_at: Option<Time>,
    /// The process that works on it, or did last.
    pub owner: Option<Uuid>,
}

debug_showing!(ImportJob: id, tenant, source, campaign, state, counts, created_at, heartbeat_at, owner);

/// That a process works on an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportClaim {
    /// Whose.
    pub tenant: TenantId,
    /// Which import.
    pub import: ImportId,
    /// Which process.
    pub owner: Uuid,
}

impl ImportJob {
    /// The claim of the process that works on it; none before the first has taken it.
    pub fn claim(&self) -> Option<ImportClaim> {
        self.owner.map(|owner| ImportClaim { tenant: self.tenant, import: self.id, owner })
    }
}

const COLUMNS: &str =
    "id, tenant_id, source_id, campaign_id, state, settings, file_path, file_size, file_sha256,
    rows_done, bytes_done, created, updated, unchanged, rejected, error, created_at, started_at, finished_at,
    heartbeat_at, owner";

fn read(row: &Row) -> Result<ImportJob, StoreError> {
    Ok(ImportJob {
        id: row.get(0)?,
        tenant: row.get(1)?,
        source: row.get(2)?,
        campaign: row.get(3)?,
        state: read_state(row, 4)?,
        settings: json(row, 5, "import_job.settings")?,
        file_path: row.get(6)?,
        file_size: row.get(7)?,
        file_sha256: row.get(8)?,
        counts: ImportCounts {
            rows_done: row.get(9)?,
            bytes_done: row.get(10)?,
            created: row.get(11)?,
            updated: row.get(12)?,
            unchanged: row.get(13)?,
            rejected: row.get(14)?,
        },
        error: row.get(15)?,
        created_at: row.get(16)?,
        started_at: row.get(17)?,
        finished_at: row.get(18)?,
        heartbeat_at: row.get(19)?,
        owner: row.get(20)?,
    })
}

fn read_state(row: &Row, index: usize) -> Result<ImportState, StoreError> {
    ImportState::from_name(&row.get::<String>(index)?).ok_or_else(|| corrupt("import_job.state"))
}

/// Queues an import.
///
/// # Errors
/// [`StoreError::Conflict`] if the id is taken.
pub fn insert(tx: &mut Tx<'_>, new: &NewImport) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO import_job (id, tenant_id, source_id, campaign_id, state, settings, file_path, file_size,
             file_sha256, rows_done, bytes_done, created, updated, unchanged, rejected, created_at)
         VALUES ($1, $2, $3, $4, 'queued', $5, $6, $7, $8, 0, 0, 0, 0, 0, 0, $9)",
        &values![
            new.id,
            new.tenant,
            new.source,
            new.campaign,
            new.settings.to_string(),
            new.file_path.as_str(),
            new.file_size,
            new.file_sha256.to_vec(),
            new.now
        ],
    )?;
    Ok(())
}

/// The import with this id.
///
/// # Errors
/// The database failed.
pub fn get(tx: &mut Tx<'_>, tenant: TenantId, import: ImportId) -> Result<Option<ImportJob>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM import_job WHERE tenant_id = $1 AND id = $2");
    tx.query_one(&sql, &values![tenant, import])?.as_ref().map(read).transpose()
}

/// Where an import stands among the tenant's.
pub type ImportCursor = (Time, ImportId);

/// The tenant's imports, the newest first.
///
/// # Errors
/// The database failed.
pub fn list(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    page: &Page<ImportCursor>,
) -> Result<Rows<ImportJob, ImportCursor>, StoreError> {
    let mut select =
        Select::new(format!("SELECT {COLUMNS} FROM import_job WHERE tenant_id = $1"), values![tenant]);
    if let Some((created_at, id)) = page.after {
        select = select.and("(created_at, id) < (?, ?)", [created_at.into(), id.into()]);
    }
    select.page(tx, "created_at DESC, id DESC", page, read, |job| (job.created_at, job.id))
}

/// Claims the oldest import of any tenant that is queued, or whose process gave no sign of life since
/// `stale_before`. No two processes get the same one.
///
/// One that was being cancelled when its process died comes back as [`ImportState::Cancelling`]: finish it.
///
/// # Errors
/// The database failed.
pub fn take_next(
    tx: &mut Tx<'_>,
    owner: Uuid,
    now: Time,
    stale_before: Time,
) -> Result<Option<ImportJob>, StoreError> {
    let sql = format!(
        "UPDATE import_job SET state = CASE state WHEN 'queued' THEN 'running' ELSE state END,
             owner = $1, heartbeat_at = $2, started_at = COALESCE(started_at, $2)
         WHERE id = (SELECT id FROM import_job
                     WHERE state = 'queued' OR (state IN ('running', 'cancelling') AND heartbeat_at < $3)
                     ORDER BY created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING {COLUMNS}"
    );
    tx.query_one(&sql, &values![owner, now, stale_before])?.as_ref().map(read).transpose()
}

/// Makes the unfinished imports of the owners from `first` to `last` look dead, so that they can be claimed at once, and
/// tells how many they are. For a process that knows that those owners were itself before it was restarted.
///
/// # Errors
/// The database failed.
pub fn abandon(tx: &mut Tx<'_>, first: Uuid, last: Uuid) -> Result<u64, StoreError> {
    tx.execute(
        "UPDATE import_job SET heartbeat_at = 0
         WHERE state IN ('running', 'cancelling') AND owner >= $1 AND owner <= $2",
        &values![first, last],
    )
}

/// Adds what a batch did, in the transaction that stores the batch, and gives a sign of life. Tells the state:
/// [`ImportState::Cancelling`] asks to stop after this batch.
///
/// # Errors
/// [`StoreError::StaleVersion`] if another process has taken the import over: the batch must not be stored.
pub fn progress(
    tx: &mut Tx<'_>,
    claim: ImportClaim,
    batch: ImportCounts,
    now: Time,
) -> Result<ImportState, StoreError> {
    tx.query_one(
        "UPDATE import_job SET rows_done = rows_done + $4, bytes_done = bytes_done + $5, created = created + $6,
             updated = updated + $7, unchanged = unchanged + $8, rejected = rejected + $9, heartbeat_at = $10
         WHERE tenant_id = $1 AND id = $2 AND owner = $3 AND state IN ('running', 'cancelling')
         RETURNING state",
        &values![
            claim.tenant,
            claim.import,
            claim.owner,
            batch.rows_done,
            batch.bytes_done,
            batch.created,
            batch.updated,
            batch.unchanged,
            batch.rejected,
            now
        ],
    )?
    .map_or(Err(StoreError::StaleVersion), |row| read_state(&row, 0))
}

/// How an import came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportEnd {
    /// The whole file was read.
    Completed,
    /// It cannot be read any further; why.
    Failed(String),
    /// It was stopped by a user.
    Cancelled,
}

/// Ends an import.
///
/// # Errors
/// [`StoreError::StaleVersion`] if another process has taken the import over.
pub fn finish(tx: &mut Tx<'_>, claim: ImportClaim, end: &ImportEnd, now: Time) -> Result<(), StoreError> {
    let (state, error) = match end {
        ImportEnd::Completed => (ImportState::Completed, None),
        ImportEnd::Failed(error) => (ImportState::Failed, Some(error.as_str())),
        ImportEnd::Cancelled => (ImportState::Cancelled, None),
    };
    let finished = tx.execute(
        "UPDATE import_job SET state = $4, error = $5, finished_at = $6, heartbeat_at = $6
         WHERE tenant_id = $1 AND id = $2 AND owner = $3 AND state IN ('running', 'cancelling')",
        &values![claim.tenant, claim.import, claim.owner, state.name(), error, now],
    )?;
    if finished == 0 { Err(StoreError::StaleVersion) } else { Ok(()) }
}

/// Asks for an import to be stopped and tells its state after that: a queued one is cancelled at once, a running one
/// after its batch, one that has ended stays as it is. `None` if there is none.
///
/// # Errors
/// The database failed.
pub fn request_cancel(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    import: ImportId,
    now: Time,
) -> Result<Option<ImportState>, StoreError> {
    tx.query_one(
        "UPDATE import_job SET
             finished_at = CASE state WHEN 'queued' THEN $3 ELSE finished_at END,
             state = CASE state WHEN 'queued' THEN 'cancelled' WHEN 'running' THEN 'cancelling' ELSE state END
         WHERE tenant_id = $1 AND id = $2 RETURNING state",
        &values![tenant, import, now],
    )?
    .map(|row| read_state(&row, 0))
    .transpose()
}

/// A row of a file that was not taken.
#[derive(Clone, PartialEq, Eq)]
pub struct Reject {
    /// Which row of the file, from 1.
    pub row: u64,
    /// What is wrong, for programs.
    pub code: String,
    /// In which field; empty if it is the row as a whole.
    pub field: String,
    /// What is wrong, for people.
    pub message: String,
    /// The row as it is in the file.
    pub raw: String,
}

debug_showing!(Reject: row, code, field);

/// Keeps the rows of a batch that were not taken, in the transaction that stores the batch.
///
/// # Errors
/// [`StoreError::NotFound`] if the tenant has no such import; [`StoreError::Conflict`] if a row was already rejected.
pub fn add_rejects(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    import: ImportId,
    rejects: &[Reject],
) -> Result<(), StoreError> {
    if !exists(tx, tenant, import)? {
        return Err(StoreError::NotFound { what: "import" });
    }
    let rows: Vec<[Value; 6]> = rejects
        .iter()
        .map(|reject| {
            values![
                import,
                reject.row,
                reject.code.as_str(),
                reject.field.as_str(),
                reject.message.as_str(),
                reject.raw.as_str()
            ]
        })
        .collect();
    tx.insert_rows("import_reject", &["import_id", "row", "code", "field", "message", "raw"], &rows)?;
    Ok(())
}

/// The rows of an import that were not taken, in the order of the file.
///
/// # Errors
/// The database failed.
pub fn rejects(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    import: ImportId,
    page: &Page<u64>,
) -> Result<Rows<Reject, u64>, StoreError> {
    if !exists(tx, tenant, import)? {
        return Ok(Rows { rows: vec![], next: None });
    }
    Select::new(
        r#"SELECT "row", code, field, message, raw FROM import_reject WHERE import_id = $1"#,
        values![import],
    )
    .and_if(r#""row" > ?"#, page.after)
    .page(tx, r#""row""#, page, read_reject, |reject| reject.row)
}

fn read_reject(row: &Row) -> Result<Reject, StoreError> {
    Ok(Reject {
        row: row.get(0)?,
        code: row.get(1)?,
        field: row.get(2)?,
        message: row.get(3)?,
        raw: row.get(4)?,
    })
}

fn exists(tx: &mut Tx<'_>, tenant: TenantId, import: ImportId) -> Result<bool, StoreError> {
    let sql = "SELECT id FROM import_job WHERE tenant_id = $1 AND id = $2";
    Ok(tx.query_one(sql, &values![tenant, import])?.is_some())
}

/// Whether an import of a source waits or is under way.
///
/// # Errors
/// The database failed.
pub fn any_unfinished(tx: &mut Tx<'_>, tenant: TenantId, source: SourceId) -> Result<bool, StoreError> {
    let found = tx.query_one(
        "SELECT 1 FROM import_job WHERE tenant_id = $1 AND source_id = $2 AND state IN ('queued', 'running') LIMIT 1",
        &values![tenant, source],
    )?;
    Ok(found.is_some())
}
