//! One import from its first row, or the row behind its last batch, to its end.
//!
//! The file is taken apart on one thread, its rows are normalised on others, and batches are stored one after the
//! other, in the order of the file; the three go on at the same time.

use std::sync::Arc;
use std::time::Duration;

use contacts::{BoundMap, ReadError};
use futures_util::{StreamExt, pin_mut, stream};
use store::StoreError;
use store::records::imports::{self as rows, ImportClaim, ImportCounts, ImportJob, ImportState, Reject};
use telephony::{Clock, SystemClock};
use tokio::time::{Instant, sleep};

use super::BATCH_ROWS;
use super::reader::{self, Chunk};
use super::rejects::reject;
use super::seen::SeenIds;
use super::settings::Settings;
use crate::intake::{Batch, FileOrigin, RecordOutcome, RecordResult, Sealed, repeated, seal};
use crate::{App, AppError};

/// Batches that are normalised at once, or wait to be stored.
const BATCHES_AHEAD: usize = 2;
/// How often a job that stores nothing for a while gives a sign of life.
const SIGN_OF_LIFE_EVERY: Duration = Duration::from_secs(3);
/// The longest pause before a batch is tried again.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Rows from which on an import changes what the database knows of its tables: on SQLite nobody else writes meanwhile.
const ANALYSED_FROM: u64 = 1000;

/// Why a job stops before the end of its file.
pub(super) enum Halt {
    /// A user wants it.
    Cancelled,
    /// Another process works on it.
    Lost,
    /// This process ends; another, or its next life, goes on.
    Stopped,
    /// It cannot be read or stored any further.
    Failed(String),
}

impl From<AppError> for Halt {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Store(StoreError::StaleVersion) => Self::Lost,
            error => Self::Failed(error.to_string()),
        }
    }
}

/// A job under way.
pub(super) struct Run {
    app: Arc<App>,
    job: ImportJob,
    claim: ImportClaim,
    /// The last row that is dealt with; in a job that is taken up again, rows up to it are only looked at.
    row: u64,
    /// How far into the file that is.
    bytes: u64,
    seen: SeenIds,
    sign_of_life: Instant,
}

/// A chunk whose rows are normalised.
struct Looked {
    batch: Batch,
    bytes: u64,
}

impl Run {
    pub(super) fn new(app: Arc<App>, job: ImportJob, claim: ImportClaim) -> Self {
        let (row, bytes) = (job.counts.rows_done, job.counts.bytes_done);
        Self { app, job, claim, row, bytes, seen: SeenIds::default(), sign_of_life: Instant::now() }
    }

    /// Reads and stores until the end of the file.
    pub(super) async fn run(mut self) -> Result<(), Halt> {
        let settings = Settings::from_json(&self.job.settings)?;
        let map = settings.map.as_ref().map(|map| map.bind(&settings.headings)).transpose();
        let map = map.map_err(|error| Halt::Failed(error.to_string()))?.map(Arc::new);
        let path = self.app.imports.files.path(&self.job.file_path);
        let chunks = reader::read(&path, &settings, BATCH_ROWS);
        let chunks = stream::unfold(chunks, |mut chunks| async move { Some((chunks.recv().await?, chunks)) });
        let (app, job) = (Arc::clone(&self.app), Source::of(&self.job, &settings));
        let looked = chunks
            .map(move |chunk| look(Arc::clone(&app), job.clone(), map.clone(), chunk))
            .buffered(BATCHES_AHEAD);
        pin_mut!(looked);
        while let Some(looked) = looked.next().await {
            self.store(looked?).await?;
        }
        self.end().await
    }

    /// Stores what is new of a batch.
    async fn store(&mut self, looked: Looked) -> Result<(), Halt> {
        let Looked { mut batch, bytes } = looked;
        self.refuse_repeated(&mut batch);
        batch.records.retain(|record| record.row > self.row);
        let Some(last) = batch.records.last().map(|record| record.row) else {
            return self.give_sign_of_life().await;
        };
        let step = ImportCounts {
            rows_done: last - self.row,
            bytes_done: bytes.saturating_sub(self.bytes),
            ..Default::default()
        };
        let batch = Arc::new(self.sealed(batch).await?);
        let claim = self.claim;
        let state = self
            .persist(last, || {
                let batch = Arc::clone(&batch);
                let app = Arc::clone(&self.app);
                async move {
                    let stored = app.store_records(batch, move |tx, batch, results| {
                        let rejects = rejects(batch, results);
                        if !rejects.is_empty() {
                            rows::add_rejects(tx, claim.tenant, claim.import, &rejects)?;
                        }
                        Ok(rows::progress(tx, claim, counted(step, results), SystemClock.now())?)
                    });
                    stored.await.map(|(results, state)| {
                        measure(&results);
                        state
                    })
                }
            })
            .await?;
        (self.row, self.bytes) = (last, self.bytes + step.bytes_done);
        self.sign_of_life = Instant::now();
        if state == ImportState::Cancelling { Err(Halt::Cancelled) } else { Ok(()) }
    }

    /// The first good row about a contact counts; rows that were dealt with before a restart are noted as well.
    fn refuse_repeated(&mut self, batch: &mut Batch) {
        for record in &mut batch.records {
            let Ok(ready) = &record.content else { continue };
            if let Some(first) = self.seen.note(&ready.record.external_id, record.row) {
                record.content = Err(repeated(format!("row {first}")));
            }
        }
    }

    async fn give_sign_of_life(&mut self) -> Result<(), Halt> {
        if self.sign_of_life.elapsed() < SIGN_OF_LIFE_EVERY {
            return if self.app.imports.is_stopping() { Err(Halt::Stopped) } else { Ok(()) };
        }
        self.sign_of_life = Instant::now();
        match self.count(ImportCounts::default()).await? {
            ImportState::Cancelling => Err(Halt::Cancelled),
            _ => Ok(()),
        }
    }

    /// Finds the agents of a batch, however long the database is away.
    async fn sealed(&self, batch: Batch) -> Result<Sealed, Halt> {
        patiently(&self.app, || self.app.find_agents(&batch)).await.map(|agents| seal(batch, &agents))
    }

    /// Runs a write until it is done, however long the database is away. `last` is the row that it reaches: if a
    /// commit's answer was lost, the job itself says whether it is stored.
    async fn persist<F: Future<Output = Result<ImportState, AppError>>>(
        &self,
        last: u64,
        write: impl Fn() -> F,
    ) -> Result<ImportState, Halt> {
        let mut pause = Duration::from_millis(100);
        loop {
            if self.app.imports.is_stopping() {
                return Err(Halt::Stopped);
            }
            let error = match write().await {
                Ok(state) => return Ok(state),
                Err(AppError::Store(error)) if error.is_passing_or_unknown() => error,
                Err(AppError::Overloaded) => StoreError::Overloaded,
                Err(error) => return Err(error.into()),
            };
            tracing::warn!(import = %self.job.id, %error, "a batch of an import has to wait");
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
            let (tenant, import) = (self.claim.tenant, self.claim.import);
            match self.app.store.read(move |tx| rows::get(tx, tenant, import)).await {
                Ok(Some(job)) if job.counts.rows_done >= last && job.owner == Some(self.claim.owner) => {
                    return Ok(job.state);
                }
                // It is not stored, or that cannot be told yet: a write tells.
                _ => {}
            }
        }
    }

    /// The whole file is stored: its last bytes are counted, and after many rows the database is told of what it holds now.
    async fn end(&self) -> Result<(), Halt> {
        let rest =
            ImportCounts { bytes_done: self.job.file_size.saturating_sub(self.bytes), ..Default::default() };
        // Whoever cancels after the last batch finds everything done.
        self.count(rest).await?;
        if self.row >= ANALYSED_FROM
            && let Err(error) = self.app.store.write(store::intake::finish_import).await
        {
            tracing::warn!(import = %self.job.id, %error, "the statistics of the database are not up to date");
        }
        Ok(())
    }

    /// Adds counts to the job, which is also a sign of life.
    async fn count(&self, step: ImportCounts) -> Result<ImportState, Halt> {
        let (claim, app) = (self.claim, &self.app);
        let write = || async move {
            Ok(app.store.write(move |tx| rows::progress(tx, claim, step, SystemClock.now())).await?)
        };
        self.persist(u64::MAX, write).await
    }
}

/// What normalising needs to know of a job.
#[derive(Clone)]
struct Source {
    claim: (engine::TenantId, engine::SourceId, engine::ImportId),
    duplicates: Option<crate::model::DuplicateScope>,
    zone_policy: Option<contacts::ZonePolicy>,
    expires_at: Option<engine::Time>,
    group: Option<engine::GroupId>,
}

impl Source {
    fn of(job: &ImportJob, settings: &Settings) -> Self {
        Self {
            claim: (job.tenant, job.source, job.id),
            duplicates: settings.duplicates,
            zone_policy: settings.zone_policy.clone(),
            expires_at: settings.expires_at,
            group: settings.group,
        }
    }
}

/// Normalises a chunk under the rules of this moment.
async fn look(
    app: Arc<App>,
    source: Source,
    map: Option<Arc<BoundMap>>,
    chunk: Result<Chunk, ReadError>,
) -> Result<Looked, Halt> {
    let Chunk { rows, bytes } = chunk.map_err(|error| Halt::Failed(error.to_string()))?;
    let (tenant, id, import) = source.claim;
    let mut context = patiently(&app, || app.intake_context(tenant, id)).await?;
    context.duplicates = source.duplicates.unwrap_or(context.duplicates);
    context.group = source.group;
    context.rules.default_expires_at = source.expires_at;
    if let Some(policy) = source.zone_policy {
        context.rules.zone_policy = policy;
    }
    let batch = app.prepare_records(context, rows, Some(FileOrigin { import: Some(import), map })).await?;
    Ok(Looked { batch, bytes })
}

/// Reads something, however long the database is away.
async fn patiently<T, F: Future<Output = Result<T, AppError>>>(
    app: &App,
    read: impl Fn() -> F,
) -> Result<T, Halt> {
    let mut pause = Duration::from_millis(100);
    loop {
        match read().await {
            Ok(found) => return Ok(found),
            Err(_) if app.imports.is_stopping() => return Err(Halt::Stopped),
            Err(AppError::Store(error)) if error.is_passing_or_unknown() => {
                sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn rejects(batch: &Sealed, results: &[RecordResult]) -> Vec<Reject> {
    let records = batch.records().iter().zip(results);
    let rejected = records.filter(|(_, result)| result.outcome == RecordOutcome::Rejected);
    rejected.filter_map(|(record, result)| record.read.as_ref().map(|read| reject(read, result))).collect()
}

/// Counts the records of a batch that was stored.
fn measure(results: &[RecordResult]) {
    let counts = counted(ImportCounts::default(), results);
    let outcomes = [
        ("created", counts.created),
        ("updated", counts.updated),
        ("unchanged", counts.unchanged),
        ("rejected", counts.rejected),
    ];
    for (outcome, count) in outcomes {
        metrics::counter!("outdial_import_rows_total", "outcome" => outcome).increment(count);
    }
}

/// The step of a batch with what became of its records.
fn counted(step: ImportCounts, results: &[RecordResult]) -> ImportCounts {
    let mut counts = step;
    for result in results {
        match result.outcome {
            RecordOutcome::Created => counts.created += 1,
            RecordOutcome::Updated => counts.updated += 1,
            RecordOutcome::Unchanged => counts.unchanged += 1,
            RecordOutcome::Rejected => counts.rejected += 1,
        }
    }
    counts
}
