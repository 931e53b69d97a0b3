//! The intake: everything that creates or changes contacts comes through here.
//!
//! A batch of records goes two steps. `App::prepare_records` normalises them on threads of their own (numbers, zones,
//! fields, fingerprints); `App::store_records` writes them in one transaction, where duplicates and suppressed
//! numbers are found, and tells what became of each. Callers of the API and import jobs differ only in where their
//! records come from and in what else they write in that transaction.

mod collector;
mod context;
mod fingerprint;
mod pool;
mod prepare;
mod result;
mod rows;
mod write;

use std::collections::HashMap;
use std::sync::Arc;

use contacts::{BoundMap, RawContact};
use engine::{Bucket, ImportId, SourceId, TenantId, Time};
use store::Tx;

pub(crate) use context::IntakeContext;
pub(crate) use prepare::{Prepared, Record, repeated};
pub use result::{RecordOutcome, RecordResult};
pub use rows::{NewRows, ROWS_MAX};
pub(crate) use write::{Sealed, seal, write as write_batch};

use crate::access::{Permission, Principal};
use crate::{App, AppError};
use collector::Collectors;
use pool::Pool;
use prepare::Preparation;
use write::Agents;

/// Records in one request at most.
pub const RECORDS_MAX: usize = 1000;
/// Threads that normalise for callers who wait.
const THREADS_FOR_REQUESTS: usize = 1;
/// Threads that normalise for imports; their own, so that nobody waits behind a batch of thousands.
const THREADS_FOR_IMPORTS: usize = 2;

/// The threads and queues of the intake.
pub(crate) struct Intake {
    requests: Pool,
    imports: Pool,
    collectors: Collectors,
}

impl Intake {
    /// Starts the threads.
    ///
    /// # Errors
    /// The operating system has no thread to give.
    pub(crate) fn start() -> Result<Self, AppError> {
        Ok(Self {
            requests: Pool::start("intake", THREADS_FOR_REQUESTS)?,
            imports: Pool::start("import", THREADS_FOR_IMPORTS)?,
            collectors: Collectors::default(),
        })
    }
}

/// Records with the rules they come under.
pub(crate) struct Batch {
    /// The rules.
    pub(crate) context: IntakeContext,
    /// The records, in order.
    pub(crate) records: Vec<Prepared>,
    /// The buckets of their numbers.
    pub(crate) buckets: Vec<Bucket>,
    /// The import they belong to.
    pub(crate) import: Option<ImportId>,
    /// When they came.
    pub(crate) now: Time,
}

/// The file that records come from.
pub(crate) struct FileOrigin {
    /// The import that reads it; none if the rows came in a request.
    pub(crate) import: Option<ImportId>,
    /// What its columns are; none for JSON lines.
    pub(crate) map: Option<Arc<BoundMap>>,
}

impl App {
    /// Adds or updates contacts of a source, and tells what became of each, in order. They are stored when this
    /// answers.
    ///
    /// Requests for the same source that come at the same time are stored in one transaction.
    ///
    /// # Errors
    /// The caller may not, there is no such source, there are too many records, or too much is waiting. Then nothing
    /// was stored.
    pub async fn add_contacts(
        self: &Arc<Self>,
        who: &Principal,
        source: SourceId,
        records: Vec<RawContact<'static>>,
    ) -> Result<Vec<RecordResult>, AppError> {
        who.may(Permission::Feed)?;
        if records.len() > RECORDS_MAX {
            let message =
                format!("a request has at most {RECORDS_MAX} contacts: send more requests or import a file");
            return Err(AppError::invalid("too_many", "contacts", message));
        }
        collector::add(self, who, source, records).await
    }

    /// The rules under which a source's records are taken at this moment.
    pub(crate) async fn intake_context(
        &self,
        tenant: TenantId,
        source: SourceId,
    ) -> Result<IntakeContext, AppError> {
        self.read(move |tx| IntakeContext::load(tx, tenant, source)).await
    }

    /// Makes records ready to be stored; they keep their order.
    pub(crate) async fn prepare_records(
        self: &Arc<Self>,
        context: IntakeContext,
        records: Vec<(u64, Record)>,
        file: Option<FileOrigin>,
    ) -> Result<Batch, AppError> {
        let pool = if file.as_ref().is_some_and(|file| file.import.is_some()) {
            &self.intake.imports
        } else {
            &self.intake.requests
        };
        let (app, now) = (Arc::clone(self), self.clock.now());
        let work = move || {
            let map = file.as_ref().and_then(|file| file.map.as_deref());
            let (rules, ids) = (&context.rules, &app.ids);
            let group = context.group;
            let mut preparation = Preparation { map, rules, ids, now, group, buckets: HashMap::new() };
            let records = records.into_iter().map(|(row, record)| preparation.prepare(row, record)).collect();
            let buckets = preparation.buckets.into_values().collect();
            Batch { context, records, buckets, import: file.and_then(|file| file.import), now }
        };
        pool.run(work).await
    }

    /// Finds the agents that the records of a batch name; [`seal`] needs them.
    pub(crate) async fn find_agents(&self, batch: &Batch) -> Result<Agents, AppError> {
        let (tenant, names) = (batch.context.tenant, write::named_agents(&batch.records));
        if names.is_empty() {
            return Ok(Agents::new());
        }
        self.read(move |tx| write::find_agents(tx, tenant, &names)).await
    }

    /// Stores a batch in one transaction, together with what `also` writes about it, and wakes the campaign's groups.
    pub(crate) async fn store_records<T: Send + 'static>(
        &self,
        batch: Arc<Sealed>,
        also: impl Fn(&mut Tx<'_>, &Sealed, &[RecordResult]) -> Result<T, AppError> + Send + Sync + 'static,
    ) -> Result<(Vec<RecordResult>, T), AppError> {
        let (tenant, campaign) = batch.campaign();
        let (results, told) = self
            .write(move |tx| {
                let results = write::write(tx, &batch)?;
                let told = also(tx, &batch, &results)?;
                Ok((results, told))
            })
            .await?;
        let is_change =
            |result: &RecordResult| matches!(result.outcome, RecordOutcome::Created | RecordOutcome::Updated);
        if results.iter().any(is_change) {
            self.floor.contacts_added(tenant, campaign).await;
        }
        Ok((results, told))
    }
}
