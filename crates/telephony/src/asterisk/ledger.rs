//! Which calls and switches are up, as far as the driver knows: written by its task, read by whoever asks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use engine::{AgentId, AttemptId};
use tokio::sync::Notify;

use crate::driver::{CallStage, LiveCall, SwitchState};

#[derive(Default)]
pub(super) struct Ledger {
    connected: AtomicBool,
    live: Mutex<BTreeMap<AttemptId, LiveCall>>,
    switches: Mutex<Vec<SwitchState>>,
    /// Wakes the driver's task when a switch was drained or is used again.
    pub use_changed: Notify,
}

impl Ledger {
    pub fn of(switches: impl Iterator<Item = String>) -> Self {
        let switches = switches.map(|name| SwitchState { name, ..SwitchState::default() }).collect();
        Self { switches: Mutex::new(switches), ..Self::default() }
    }

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

    pub fn switches(&self) -> Vec<SwitchState> {
        self.switches.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many calls and agents' lines the switch at this place in the configuration has.
    pub fn note_switch(&self, index: usize, is_connected: bool, (calls, agent_lines): (u32, u32)) {
        let mut switches = self.switches.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(switch) = switches.get_mut(index) {
            (switch.is_connected, switch.calls, switch.agent_lines) = (is_connected, calls, agent_lines);
        }
    }

    pub fn is_drained(&self, index: usize) -> bool {
        let switches = self.switches.lock().unwrap_or_else(PoisonError::into_inner);
        switches.get(index).is_some_and(|switch| switch.is_drained)
    }

    /// Whether there is a switch of this name.
    pub fn drain(&self, name: &str, drained: bool) -> bool {
        let mut switches = self.switches.lock().unwrap_or_else(PoisonError::into_inner);
        let found = switches.iter_mut().find(|switch| switch.name == name);
        let is_known = found.map(|switch| switch.is_drained = drained).is_some();
        self.use_changed.notify_one();
        is_known
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AttemptId, LiveCall>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
