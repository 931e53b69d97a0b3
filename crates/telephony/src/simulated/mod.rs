//! The simulated carrier: a switch, a network and the people behind it, in one task.
//!
//! It lives through the outcomes of a [`World`] on a [`Clock`]. Events carry the instant at which they happen in the
//! world, even if the task is woken later, so equal runs on a fast clock tell equal times. It serves demonstrations
//! (with `docs/test-numbers.md` for trying things by hand) and tests, for which it counts what it was asked and can
//! lose its connection.

mod exchange;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::{AgentId, AttemptId, Zone};
use simulator::World;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::driver::{BoxFuture, CallStage, Driver, DriverError, LiveCall, Request, SendError};
use crate::event::Event;
use exchange::Exchange;

/// How many attempts the carrier remembers in order to refuse placing them twice; then it forgets the oldest.
pub const REMEMBERED_ATTEMPTS: usize = 1_000_000;

/// What the simulated carrier is like, beside the world it serves.
#[derive(Clone, Debug)]
pub struct CarrierSettings {
    /// How many calls can be up at once.
    pub lines_max: u32,
    /// From the answer until it is known who answered. Asterisk's `AMD()` takes about 2 s for a person.
    pub detection_delay: Duration,
    /// From the request to connect until the agent is connected.
    pub agent_delay: Duration,
    /// How long a message is that has neither sound nor text.
    pub message_length: Duration,
    /// Where the called people live, for the world's hourly profile; `None` leaves the profile out.
    pub zone: Option<Zone>,
    /// How many requests may wait (at least 1); one more is refused as `Overloaded`.
    pub requests_max: usize,
    /// How many events may wait (at least 1); then the carrier itself waits.
    pub events_max: usize,
}

impl Default for CarrierSettings {
    /// A thousand lines, detection and agents without delay, messages of 5 s.
    fn default() -> Self {
        Self {
            lines_max: 1000,
            detection_delay: Duration::ZERO,
            agent_delay: Duration::ZERO,
            message_length: Duration::from_secs(5),
            zone: None,
            requests_max: 8192,
            events_max: 1024,
        }
    }
}

/// What the carrier has seen so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CarrierStatistics {
    /// Calls that got a line and were dialled.
    pub placed: u64,
    /// Requests to place an attempt that had been placed already; none of them was dialled.
    pub duplicate_places: u64,
    /// Calls dialled while another call to the same number was up.
    pub placed_beside_another: u64,
    /// Requests to place for which no line was free.
    pub no_line: u64,
    /// Calls that were picked up by whomever.
    pub answered: u64,
    /// Calls that a person picked up.
    pub answered_by_person: u64,
    /// Calls that were connected with an agent.
    pub connected: u64,
    /// Calls that a person picked up and that ended without an agent.
    pub person_without_agent: u64,
    /// Calls that were dialled and are over.
    pub ended: u64,
    /// Requests that came too late or for a call that never was.
    pub requests_ignored: u64,
    /// Events that nobody could be told because the connection was lost.
    pub events_lost: u64,
    /// Calls up now.
    pub lines_in_use: u32,
    /// The most calls that were up at once.
    pub lines_peak: u32,
}

/// The handle of a running simulated carrier. The carrier stops when all handles are dropped.
pub struct SimulatedCarrier {
    commands: mpsc::Sender<Command>,
    ledger: Arc<Ledger>,
}

enum Command {
    Request(Request),
    LoseConnection,
    RestoreConnection,
}

impl SimulatedCarrier {
    /// Starts a carrier and hands out its driver and its events. Must be called within a Tokio runtime.
    pub fn start(
        world: World,
        clock: Arc<dyn Clock>,
        settings: CarrierSettings,
    ) -> (Arc<Self>, mpsc::Receiver<Event>) {
        let (commands, commands_in) = mpsc::channel(settings.requests_max.max(1));
        let (events_out, events) = mpsc::channel(settings.events_max.max(1));
        let ledger = Arc::new(Ledger::default());
        let exchange = Exchange::new(world, clock, settings, events_out, Arc::clone(&ledger));
        tokio::spawn(exchange.run(commands_in));
        (Arc::new(Self { commands, ledger }), events)
    }

    /// What the carrier has seen so far.
    pub fn statistics(&self) -> CarrierStatistics {
        self.ledger.book().statistics
    }

    /// How often it was asked to place this attempt. Only the first time is dialled.
    pub fn times_placed(&self, attempt: AttemptId) -> u32 {
        self.ledger.book().placed.get(&attempt).copied().unwrap_or(0)
    }

    /// Loses the connection, as when a switch's network fails: requests are refused and events go unheard until
    /// [`Self::restore_connection`], while the calls go on. Requests that were taken before are still done.
    pub async fn lose_connection(&self) {
        self.ledger.disconnected.store(true, Ordering::Release);
        // If the carrier has stopped there is no connection to lose.
        let _ = self.commands.send(Command::LoseConnection).await;
    }

    /// Ends what [`Self::lose_connection`] began.
    pub async fn restore_connection(&self) {
        // If the carrier has stopped there is no connection to restore.
        let _ = self.commands.send(Command::RestoreConnection).await;
    }

    fn check_connection(&self) -> Result<(), DriverError> {
        if self.commands.is_closed() {
            Err(DriverError::Stopped)
        } else if self.ledger.disconnected.load(Ordering::Acquire) {
            Err(DriverError::NotConnected)
        } else {
            Ok(())
        }
    }
}

impl Driver for SimulatedCarrier {
    fn send(&self, request: Request) -> Result<(), SendError> {
        if self.ledger.disconnected.load(Ordering::Acquire) && !self.commands.is_closed() {
            return Err(SendError::NotConnected);
        }
        self.commands.try_send(Command::Request(request)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SendError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => SendError::Stopped,
        })
    }

    fn is_connected(&self) -> bool {
        !self.ledger.disconnected.load(Ordering::Acquire)
    }

    fn live_calls(&self) -> BoxFuture<'_, Result<Vec<LiveCall>, DriverError>> {
        // From the shared ledger, not by asking the task: the task may be waiting for room in the events' queue.
        let answer = self.check_connection().map(|()| self.ledger.live_calls());
        Box::pin(std::future::ready(answer))
    }
}

/// What the task writes down and the handles read.
#[derive(Default)]
struct Ledger {
    disconnected: AtomicBool,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    statistics: CarrierStatistics,
    live: HashMap<AttemptId, LiveCall>,
    placed: HashMap<AttemptId, u32>,
    /// The keys of `placed`, oldest first.
    placed_order: VecDeque<AttemptId>,
}

impl Ledger {
    fn book(&self) -> MutexGuard<'_, Book> {
        // Every change of the book is whole even if its writer panics right after.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn live_calls(&self) -> Vec<LiveCall> {
        let mut calls: Vec<LiveCall> = self.book().live.values().copied().collect();
        calls.sort();
        calls
    }
}

impl Book {
    /// Notes how far a call has come, and with whom it is if it came to an agent.
    fn note(&mut self, attempt: AttemptId, stage: CallStage, agent: Option<AgentId>) {
        let before = self.live.get(&attempt).and_then(|call| call.agent);
        self.live.insert(attempt, LiveCall { attempt, stage, agent: agent.or(before) });
    }

    /// Notes that an attempt is to be placed; says whether it is for the first time.
    fn note_place(&mut self, attempt: AttemptId) -> bool {
        let times = self.placed.entry(attempt).or_insert(0);
        *times += 1;
        if *times > 1 {
            self.statistics.duplicate_places += 1;
            return false;
        }
        self.placed_order.push_back(attempt);
        if self.placed_order.len() > REMEMBERED_ATTEMPTS
            && let Some(oldest) = self.placed_order.pop_front()
        {
            self.placed.remove(&oldest);
        }
        true
    }
}
