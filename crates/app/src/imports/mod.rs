//! Imports: jobs that read an uploaded file into a source.
//!
//! [`App::create_import`] looks at the file, keeps it and queues a job; the worker (`worker::work`) takes queued jobs
//! and those whose process died. What a batch did and how far it got are stored in the transaction that stores its
//! contacts, so a job that is taken up again goes on right behind its last batch.

mod create;
mod files;
mod reader;
mod rejects;
mod run;
mod seen;
mod settings;
mod view;
mod worker;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use engine::ImportId;
use store::records::imports as rows;
use store::records::imports::ImportState;
use telephony::{Clock, SystemClock};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

pub(crate) use create::check_fields;
pub use rejects::RejectsFile;
pub use settings::NewImport;
pub use view::{Import, RejectedRow};

use crate::access::{Permission, Principal};
use crate::audit::{self, Action};
use crate::paging::{Listing, PageRequest};
use crate::{App, AppError};
use files::Files;
use settings::Settings;
pub(crate) use worker::work;

/// Rows stored in one transaction: large enough that the commit costs little, small enough that others who write are
/// not kept waiting for long.
const BATCH_ROWS: usize = 5000;

/// What imports need between jobs.
pub(crate) struct Imports {
    files: Files,
    /// The node as the owner of jobs: see [`Imports::owner`].
    node: Uuid,
    wake: Notify,
    stopping: watch::Sender<bool>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

impl Imports {
    /// # Errors
    /// The directory for files cannot be made.
    pub(crate) fn open(data_dir: &Path, node: Uuid) -> Result<Self, AppError> {
        Ok(Self {
            files: Files::open(data_dir)?,
            node,
            wake: Notify::new(),
            stopping: watch::Sender::new(false),
            worker: Mutex::default(),
        })
    }

    /// Keeps the handle of the worker, to wait for its end.
    pub(crate) fn started(&self, worker: JoinHandle<()>) {
        *self.worker.lock().unwrap_or_else(PoisonError::into_inner) = Some(worker);
    }

    /// Lets jobs end their batches and puts them back, so that another process can go on with them at once. Jobs that
    /// take longer than `grace` are left to be found by another.
    pub(crate) async fn stop(&self, grace: Duration) {
        self.stopping.send_replace(true);
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(worker) = worker
            && tokio::time::timeout(grace, worker).await.is_err()
        {
            tracing::warn!("an import did not end its batch in time");
        }
    }

    fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// A new owner: the upper half is the node's, so that a restarted node knows the jobs of its earlier life; the lower
    /// half is new each time, so that no two takings of a job are mixed up.
    fn owner(&self, minted: Uuid) -> Uuid {
        let ((upper, _), (_, lower)) = (self.node.as_u64_pair(), minted.as_u64_pair());
        Uuid::from_u64_pair(upper, lower)
    }
}

impl App {
    /// A place for the file of an import that is being uploaded; on the disk on which it is kept afterwards.
    pub fn import_upload_path(&self) -> PathBuf {
        self.imports.files.upload(self.ids.next(self.clock.now()))
    }

    /// An import of the caller's tenant.
    ///
    /// # Errors
    /// The caller may not, or there is none.
    pub async fn import(&self, who: &Principal, id: ImportId) -> Result<Import, AppError> {
        who.may(Permission::Feed)?;
        let tenant = who.tenant;
        let job = self.read(move |tx| Ok(rows::get(tx, tenant, id)?)).await?;
        Import::of(job.ok_or_else(|| AppError::not_found("import", id))?, SystemClock.now())
    }

    /// The tenant's imports, the newest first.
    ///
    /// # Errors
    /// The caller may not, or the page cannot be.
    pub async fn imports(&self, who: &Principal, page: &PageRequest) -> Result<Listing<Import>, AppError> {
        who.may(Permission::Feed)?;
        let (tenant, page) = (who.tenant, page.read()?);
        let jobs = self.read(move |tx| Ok(rows::list(tx, tenant, &page)?)).await?;
        let now = SystemClock.now();
        Listing::try_of(jobs, |job| Import::of(job, now))
    }

    /// Stops an import: a queued one at once, a running one after its batch. What was stored stays.
    ///
    /// # Errors
    /// The caller may not, there is none, or it is over.
    pub async fn cancel_import(&self, who: &Principal, id: ImportId) -> Result<Import, AppError> {
        who.may(Permission::Feed)?;
        let (who_in, now, audit_id) = (who.clone(), SystemClock.now(), self.ids.next(self.clock.now()));
        let state = self
            .write(move |tx| {
                let before =
                    rows::get(tx, who_in.tenant, id)?.ok_or_else(|| AppError::not_found("import", id))?;
                if before.state.is_final() {
                    let message =
                        format!("the import is {}: it cannot be cancelled any more", before.state.name());
                    return Err(AppError::conflict("import_is_over", message));
                }
                let state = rows::request_cancel(tx, who_in.tenant, id, now)?;
                audit::note(tx, &who_in, audit_id, now, Action::Cancel, "import", Some(id.0), None, None)?;
                Ok(state)
            })
            .await?;
        if state == Some(ImportState::Cancelled) {
            self.imports.files.remove(&Files::name(who.tenant, id));
        }
        self.import(who, id).await
    }

    /// The records of an import that were not taken, in the order of the file.
    ///
    /// # Errors
    /// The caller may not, there is no such import, or the page cannot be.
    pub async fn import_rejects(
        &self,
        who: &Principal,
        id: ImportId,
        page: &PageRequest,
    ) -> Result<Listing<RejectedRow>, AppError> {
        who.may(Permission::Feed)?;
        let (tenant, page) = (who.tenant, page.read()?);
        let rejects = self
            .read(move |tx| {
                rows::get(tx, tenant, id)?.ok_or_else(|| AppError::not_found("import", id))?;
                Ok(rows::rejects(tx, tenant, id, &page)?)
            })
            .await?;
        Ok(Listing::of(rejects, RejectedRow::from))
    }

    /// The records of an import that were not taken, as a file that can be corrected and imported again.
    ///
    /// # Errors
    /// The caller may not, or there is no such import.
    pub async fn import_rejects_file(&self, who: &Principal, id: ImportId) -> Result<RejectsFile, AppError> {
        who.may(Permission::Feed)?;
        let tenant = who.tenant;
        let job = self.read(move |tx| Ok(rows::get(tx, tenant, id)?)).await?;
        let job = job.ok_or_else(|| AppError::not_found("import", id))?;
        Ok(rejects::file(self.store.clone(), tenant, id, Settings::from_json(&job.settings)?))
    }
}
