//! Requests that add a few contacts each share transactions: a task per source takes what is waiting, stores it
//! together and answers each.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use contacts::RawContact;
use engine::{SourceId, TenantId};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::prepare::{Record, external_id};
use super::result::{RecordOutcome, RecordResult};
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
    answer.await.unwrap_or(Err(AppError::Unavailable("the intake")))
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

async fn serve(app: &Arc<App>, tenant: TenantId, source: SourceId, mut requests: Vec<Request>) {
    match store(app, tenant, source, &mut requests).await {
        Ok(results) => {
            let mut results = results.into_iter();
            for (request, count) in requests {
                // Whoever asked may have gone away; what was stored stays.
                let _ = request.send(Ok(results.by_ref().take(count).collect()));
            }
        }
        Err(error) => {
            tracing::debug!(%source, code = error.code(), "contacts were not stored");
            for request in requests {
                let _ = request.reply.send(Err(again(&error)));
            }
        }
    }
}
