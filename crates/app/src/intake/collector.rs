//! Requests that add a few contacts each share transactions: a task per source takes what is waiting, stores it
//! together and answers each.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use contacts::RawContact;
use engine::{SourceId, TenantId};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use uuid::Uuid;

use super::prepare::{Prepared, Record, external_id, repeated};
use super::result::{RecordOutcome, RecordResult};
use super::write::seal;
use crate::access::Principal;
use crate::audit::{self, Action};
use crate::{App, AppError};

/// Requests that may wait for a source; more are refused.
const QUEUE_MAX: usize = 256;
/// Records stored together at most; a larger request is stored alone.
const TOGETHER_MAX: usize = 500;
/// A source that nobody sends to for so long needs no task.
const IDLE: Duration = Duration::from_secs(60);

/// The queues of the sources that are being sent to.
#[derive(Default)]
pub(super) struct Collectors {
    queues: Mutex<HashMap<(TenantId, SourceId), mpsc::Sender<Request>>>,
}

struct Request {
    who: Principal,
    records: Vec<RawContact<'static>>,
    reply: oneshot::Sender<Result<Vec<RecordResult>, AppError>>,
}

/// Queues a request and waits for its answer.
pub(super) async fn add(
    app: &Arc<App>,
    who: &Principal,
    source: SourceId,
    records: Vec<RawContact<'static>>,
) -> Result<Vec<RecordResult>, AppError> {
    let (reply, answer) = oneshot::channel();
    let mut request = Request { who: who.clone(), records, reply };
    loop {
        match app.intake.collectors.queue(app, who.tenant, source).try_send(request) {
            Ok(()) => break,
            Err(mpsc::error::TrySendError::Full(_)) => return Err(AppError::Overloaded),
            // Its task ended just now; the next look starts another.
            Err(mpsc::error::TrySendError::Closed(back)) => request = back,
        }
    }
    answer.await.unwrap_or(Err(AppError::Unanswered("the intake")))
}

impl Collectors {
    fn queue(&self, app: &Arc<App>, tenant: TenantId, source: SourceId) -> mpsc::Sender<Request> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|_, queue| !queue.is_closed());
        let start = || {
            let (queue, requests) = mpsc::channel(QUEUE_MAX);
            // The task must not keep the application alive for the sake of its own queue.
            tokio::spawn(collect(Arc::downgrade(app), tenant, source, requests));
            queue
        };
        queues.entry((tenant, source)).or_insert_with(start).clone()
    }
}

async fn collect(app: Weak<App>, tenant: TenantId, source: SourceId, mut requests: mpsc::Receiver<Request>) {
    let mut held = None;
    loop {
        let first = match held.take() {
            Some(request) => Some(request),
            // Once closed, what is still in the queue is served and then there is no more.
            None => match timeout(IDLE, requests.recv()).await {
                Ok(first) => first,
                Err(_) => {
                    requests.close();
                    continue;
                }
            },
        };
        let (Some(first), Some(app)) = (first, app.upgrade()) else { return };
        let mut together = Together::default();
        together.take(first);
        while let Ok(next) = requests.try_recv() {
            if together.has_no_room_for(&next) {
                held = Some(next);
                break;
            }
            together.take(next);
        }
        serve(&app, tenant, source, together.requests).await;
    }
}

/// Requests that can be stored in one transaction.
#[derive(Default)]
struct Together {
    requests: Vec<Request>,
    records: usize,
    external_ids: HashSet<String>,
}

impl Together {
    /// Two requests about one contact are stored one after the other, so that the second finds what the first left.
    fn has_no_room_for(&self, request: &Request) -> bool {
        self.records + request.records.len() > TOGETHER_MAX
            || request.records.iter().filter_map(external_id).any(|id| self.external_ids.contains(&id))
    }

    fn take(&mut self, request: Request) {
        self.records += request.records.len();
        self.external_ids.extend(request.records.iter().filter_map(external_id));
        self.requests.push(request);
    }
}

async fn serve(app: &Arc<App>, tenant: TenantId, source: SourceId, requests: Vec<Request>) {
    let (mut senders, mut waiting, mut records) = (Vec::new(), Vec::new(), Vec::new());
    for request in requests {
        waiting.push((request.reply, request.records.len()));
        senders.push((request.who, request.records.len()));
        records.extend((1..).zip(request.records.into_iter().map(|raw| Record::Contact(Box::new(raw)))));
    }
    match store(app, tenant, source, senders, records).await {
        Ok(results) => {
            let mut results = results.into_iter();
            for (reply, count) in waiting {
                // Whoever asked may have gone away; what was stored stays.
                let _ = reply.send(Ok(results.by_ref().take(count).collect()));
            }
        }
        Err(error) => {
            for (reply, _) in waiting {
                let _ = reply.send(Err(same(&error)));
            }
        }
    }
}

/// Stores the records of several requests; each is noted in the audit log under its sender.
async fn store(
    app: &Arc<App>,
    tenant: TenantId,
    source: SourceId,
    senders: Vec<(Principal, usize)>,
    records: Vec<(u64, Record)>,
) -> Result<Vec<RecordResult>, AppError> {
    let context = app.intake_context(tenant, source).await?;
    let mut batch = app.prepare_records(context, records, None).await?;
    let mut rest = batch.records.as_mut_slice();
    for (_, count) in &senders {
        let (own, others) = rest.split_at_mut(*count);
        refuse_repeated(own);
        rest = others;
    }
    let agents = app.find_agents(&batch).await?;
    let batch = seal(batch, &agents);
    let audit_ids: Vec<Uuid> = senders.iter().map(|_| app.ids.next(batch.now())).collect();
    let (results, ()) = app
        .store_records(Arc::new(batch), move |tx, batch, results| {
            let mut rest = results;
            for ((who, count), id) in senders.iter().zip(&audit_ids) {
                let (own, others) = rest.split_at(*count);
                rest = others;
                let after = Some(counted(own));
                audit::note(tx, who, *id, batch.now(), Action::Add, "source", Some(source.0), None, after)?;
            }
            Ok(())
        })
        .await?;
    Ok(results)
}

/// Within one request the first record of an external id counts.
pub(super) fn refuse_repeated(records: &mut [Prepared]) {
    let mut first = HashMap::new();
    for record in records {
        let Ok(ready) = &record.content else { continue };
        match first.entry(ready.record.external_id.clone()) {
            Entry::Vacant(place) => {
                place.insert(record.row);
            }
            Entry::Occupied(place) => {
                record.external_id = Some(place.key().clone());
                record.content = Err(repeated(format!("record {} of this request", place.get())));
            }
        }
    }
}

pub(super) fn counted(results: &[RecordResult]) -> serde_json::Value {
    let count = |outcome| results.iter().filter(|result| result.outcome == outcome).count();
    json!({
        "created": count(RecordOutcome::Created),
        "updated": count(RecordOutcome::Updated),
        "unchanged": count(RecordOutcome::Unchanged),
        "rejected": count(RecordOutcome::Rejected),
    })
}

/// The error once more, for another who waits for the same transaction.
fn same(error: &AppError) -> AppError {
    match error {
        AppError::NotFound { what, id } => AppError::NotFound { what, id: id.clone() },
        AppError::Overloaded => AppError::Overloaded,
        AppError::Unavailable(what) => AppError::Unavailable(what),
        AppError::Unanswered(what) => AppError::Unanswered(what),
        AppError::Store(error) => AppError::Store(error.clone()),
        other => AppError::Internal(other.to_string()),
    }
}
