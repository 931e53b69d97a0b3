//! Work that waits for a database thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{SyncSender, TrySendError};

use tokio::sync::oneshot;

use super::tx::Tx;
use crate::error::StoreError;

/// What a thread does with work: run it in a transaction (again, if the transaction could not be committed for a
/// passing reason), and answer once it is committed or has failed.
pub(super) trait Job: Send {
    /// Runs the work and keeps its result.
    fn run(&mut self, tx: Tx<'_>) -> Result<(), StoreError>;
    /// Tells the caller: the kept result if `outcome` is good.
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

/// A closure with the channel on which its caller waits.
struct Work<F, T> {
    closure: F,
    result: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Job for Work<F, T>
where
    F: Fn(&mut Tx<'_>) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn run(&mut self, mut tx: Tx<'_>) -> Result<(), StoreError> {
        // What the closure leaves behind is rolled back and its result is dropped, so nothing half-done is seen.
        let ran = catch_unwind(AssertUnwindSafe(|| (self.closure)(&mut tx)));
        let result = ran.unwrap_or(Err(StoreError::Panicked))?;
        if let Some(failure) = tx.failure() {
            return Err(failure);
        }
        self.result = Some(result);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { result, reply, .. } = *self;
        let answer = outcome.and_then(|()| result.ok_or(StoreError::Panicked));
        // A caller that no longer waits has dropped its end; the work is done all the same.
        let _ = reply.send(answer);
    }
}

/// Puts a closure into a queue and waits for its result.
pub(super) async fn submit<F, T>(queue: &SyncSender<Box<dyn Job>>, closure: F) -> Result<T, StoreError>
where
    F: Fn(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    T: Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    let job: Box<dyn Job> = Box::new(Work { closure, result: None, reply });
    match queue.try_send(job) {
        Ok(()) => {}
        Err(TrySendError::Full(_)) => return Err(StoreError::Overloaded),
        Err(TrySendError::Disconnected(_)) => return Err(gone()),
    }
    answer.await.unwrap_or_else(|_| Err(gone()))
}

fn gone() -> StoreError {
    StoreError::Unavailable { reason: "its thread has ended".into() }
}
