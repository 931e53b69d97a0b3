//! A few threads for work that computes and does not wait, so that the async threads stay free.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;

use tokio::sync::oneshot;

use crate::AppError;

/// Pieces of work that may wait; more are refused.
const QUEUE_MAX: usize = 256;

type Work = Box<dyn FnOnce() + Send>;

/// Threads that share one queue. They end when the pool is dropped.
#[derive(Clone)]
pub(super) struct Pool {
    queue: SyncSender<Work>,
}

impl Pool {
    /// Starts the threads.
    ///
    /// # Errors
    /// The operating system has no thread to give.
    pub(super) fn start(name: &str, threads: usize) -> Result<Self, AppError> {
        let (queue, work) = sync_channel::<Work>(QUEUE_MAX);
        let work = Arc::new(Mutex::new(work));
        for _ in 0..threads.max(1) {
            let work = Arc::clone(&work);
            let started = Builder::new().name(name.to_owned()).spawn(move || run(&work));
            started.map_err(|error| AppError::Internal(format!("no thread for {name}: {error}")))?;
        }
        Ok(Self { queue })
    }

    /// Runs the work on one of the threads and gives its result.
    ///
    /// # Errors
    /// Too much is waiting, or the work panicked.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AppError> {
        let (reply, answer) = oneshot::channel();
        let work: Work = Box::new(move || {
            // Whoever asked may have gone away.
            let _ = reply.send(work());
        });
        match self.queue.try_send(work) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(AppError::Overloaded),
            Err(TrySendError::Disconnected(_)) => return Err(gone()),
        }
        answer.await.map_err(|_| gone())
    }
}

fn gone() -> AppError {
    AppError::Internal("a thread of the intake has panicked".to_owned())
}

fn run(queue: &Mutex<Receiver<Work>>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(work) = next else { return };
        // A panic drops the reply, which the caller notices; the thread goes on.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_panics_fails_alone() {
        let pool = Pool::start("test", 1).unwrap();
        let panicked = pool.run(|| -> u8 { std::panic::panic_any("on purpose") }).await;
        assert!(matches!(panicked, Err(AppError::Internal(_))));
        assert_eq!(pool.run(|| 7).await.unwrap(), 7);
    }
}
