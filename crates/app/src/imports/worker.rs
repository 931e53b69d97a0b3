//! The worker: takes jobs and sees them to their end.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use engine::Time;
use store::records::imports::{self as rows, ImportCounts, ImportEnd, ImportJob, ImportState};
use telephony::{Clock, SystemClock};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::files::Files;
use super::run::{Halt, Run};
use crate::{App, AppError};

/// Jobs that one process works on at once: a large file does not hold up a small one.
const JOBS_AT_ONCE: usize = 2;
/// How often the worker looks for jobs that were queued elsewhere or whose process died.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A process that gave no sign of life for so long has died. Each batch is one, and takes well below a second.
const DEAD_AFTER: Duration = Duration::from_secs(15);
/// How often old files are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// Takes jobs until told to stop.
pub(crate) async fn work(app: Arc<App>) {
    let mut stopping = app.imports.stopping.subscribe();
    let mut running = JoinSet::new();
    let mut swept: Option<Instant> = None;
    forget_earlier_life(&app).await;
    loop {
        while running.len() < JOBS_AT_ONCE && !app.imports.is_stopping() {
            match take(&app).await {
                Ok(Some(job)) => drop(running.spawn(see_through(Arc::clone(&app), job))),
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(%error, "could not look for imports");
                    break;
                }
            }
        }
        if swept.is_none_or(|at| at.elapsed() >= SWEEP_EVERY) {
            swept = Some(Instant::now());
            sweep(&app).await;
        }
        tokio::select! {
            Some(_) = running.join_next() => {}
            // A wake-up that comes while every place is taken is not lost: the end of a job looks again.
            () = app.imports.wake.notified() => {}
            _ = timeout(LOOK_EVERY, stopping.changed()) => {}
        }
        if app.imports.is_stopping() {
            // Each ends its batch and puts its job back.
            while running.join_next().await.is_some() {}
            return;
        }
    }
}

/// Jobs that this node worked on when it was killed need not wait to be found dead.
async fn forget_earlier_life(app: &App) {
    let (upper, _) = app.imports.node.as_u64_pair();
    let (first, last) = (Uuid::from_u64_pair(upper, 0), Uuid::from_u64_pair(upper, u64::MAX));
    match app.store.write(move |tx| rows::abandon(tx, first, last)).await {
        Ok(0) => {}
        Ok(jobs) => tracing::info!(jobs, "going on with imports of this node's earlier life"),
        // They are found dead a little later.
        Err(error) => tracing::warn!(%error, "could not look for imports of this node's earlier life"),
    }
}

async fn take(app: &App) -> Result<Option<ImportJob>, AppError> {
    let (owner, now) = (app.imports.owner(app.ids.next(app.now())), SystemClock.now());
    Ok(app.store.write(move |tx| rows::take_next(tx, owner, now, now - DEAD_AFTER)).await?)
}

/// Works on a job until it is over, another process has it, or this one is to stop.
async fn see_through(app: Arc<App>, job: ImportJob) {
    let import = job.id;
    let Some(claim) = job.claim() else { return };
    if job.counts.rows_done > 0 {
        tracing::info!(%import, rows = job.counts.rows_done, "going on with an import");
    }
    let name = job.file_path.clone();
    let ended = match job.state {
        ImportState::Cancelling => Err(Halt::Cancelled),
        _ => Run::new(Arc::clone(&app), job, claim).run().await,
    };
    let end = match ended {
        Ok(()) => ImportEnd::Completed,
        Err(Halt::Cancelled) => ImportEnd::Cancelled,
        Err(Halt::Failed(reason)) => {
            tracing::warn!(%import, reason, "an import failed");
            ImportEnd::Failed(reason)
        }
        Err(Halt::Lost) => {
            tracing::info!(%import, "another process has taken an import over");
            return;
        }
        Err(Halt::Stopped) => return put_back(&app, claim).await,
    };
    let mut pause = Duration::from_millis(100);
    loop {
        let (end, now) = (end.clone(), SystemClock.now());
        match app.store.write(move |tx| rows::finish(tx, claim, &end, now)).await {
            Ok(()) => break,
            Err(error) if error.is_passing_or_unknown() && !app.imports.is_stopping() => {
                sleep(pause).await;
                pause = (pause * 2).min(DEAD_AFTER / 3);
            }
            // A lost claim: whoever has it finishes it. Anything else: it is found dead and taken up again.
            Err(error) => return tracing::warn!(%import, %error, "an import could not be finished"),
        }
    }
    app.imports.files.remove(&name);
}

/// Makes a job look dead at once, so that another process goes on with it.
async fn put_back(app: &App, claim: rows::ImportClaim) {
    let put =
        app.store.write(move |tx| rows::progress(tx, claim, ImportCounts::default(), Time::EPOCH)).await;
    if let Err(error) = put {
        tracing::warn!(import = %claim.import, %error, "an import could not be put back; it is found dead later");
    }
}

/// Removes files that no unfinished import needs.
async fn sweep(app: &App) {
    for name in app.imports.files.sweep(SystemTime::now()) {
        let Some((tenant, import)) = Files::owner(&name) else { continue };
        let job = app.store.read(move |tx| rows::get(tx, tenant, import)).await;
        if matches!(&job, Ok(job) if job.as_ref().is_none_or(|job| job.state.is_final())) {
            app.imports.files.remove(&name);
        }
    }
}
