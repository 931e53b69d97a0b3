//! Which calls are up, as far as the driver knows: written by its task, read by whoever asks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use engine::{AgentId, AttemptId};

use crate::driver::{CallStage, LiveCall};

#[derive(Default)]
pub(super) struct Ledger {
    connected: AtomicBool,
    live: Mutex<BTreeMap<AttemptId, LiveCall>>,
}

impl Ledger {
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    pub fn set_connected(&self, connected: bool) {
        self.connected.store(connected, Ordering::Release);
    }

    pub fn put(&self, attempt: AttemptId, stage: CallStage, agent: Option<AgentId>) {
        self.lock().insert(attempt, LiveCall { attempt, stage, agent });
    }

    pub fn remove(&self, attempt: AttemptId) {
        self.lock().remove(&attempt);
    }

    pub fn live(&self) -> Vec<LiveCall> {
        self.lock().values().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AttemptId, LiveCall>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
