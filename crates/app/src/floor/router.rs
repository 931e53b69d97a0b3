//! Brings the switch's events to the runner whose call they are about, and those about the switch to all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use engine::{AgentId, AttemptId, CallEnd, CallEvent, CallResult, Detected};
use store::records::recordings;
use telephony::{CallStage, EndCause, Event, EventKind, Request, call_result};
use tokio::sync::mpsc;

use super::{Shared, supervisions};
use crate::runner::Message;

/// How often the switch is asked what is up after its connection came back, until it answers.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// How long after the connection came up calls may be up that no runner knows, before they are ended: the runners take
/// their groups over meanwhile.
const STRANGERS_MAY_STAY: Duration = Duration::from_secs(60);

/// Which runner each call and each agent's line belongs to.
pub(crate) struct Routes(Mutex<Table>);

struct Table {
    /// Whether the switch can be reached, as far as the runners were told.
    is_reached: bool,
    runners: Vec<mpsc::Sender<Message>>,
    calls: HashMap<AttemptId, mpsc::Sender<Message>>,
    lines: HashMap<AgentId, mpsc::Sender<Message>>,
}

impl Routes {
    /// Nobody's yet; `is_reached`: whether the switch can be reached now.
    pub fn new(is_reached: bool) -> Self {
        let table = Table { is_reached, runners: Vec::new(), calls: HashMap::new(), lines: HashMap::new() };
        Self(Mutex::new(table))
    }

    /// A runner that has begun: it is told at once if there is no switch to dial on, and of every change.
    pub fn add_runner(&self, runner: mpsc::Sender<Message>) {
        let mut table = self.lock();
        table.runners.retain(|other| !other.is_closed());
        // Its queue is empty, so there is room. Within the lock, so that no change can come before.
        if !table.is_reached && runner.try_send(Message::Lines { up: false }).is_err() {
            tracing::error!("a runner could not be told that there is no switch");
        }
        table.runners.push(runner);
    }

    /// Notes whether the switch can be reached, and gives the runners that are to be told.
    fn reached(&self, is_reached: bool) -> Vec<mpsc::Sender<Message>> {
        let mut table = self.lock();
        table.is_reached = is_reached;
        table.runners.clone()
    }

    pub fn add(&self, attempt: AttemptId, runner: mpsc::Sender<Message>) {
        self.lock().calls.insert(attempt, runner);
    }

    pub fn remove(&self, attempt: AttemptId) {
        self.lock().calls.remove(&attempt);
    }

    /// There are no more of them than agents, so they stay.
    pub fn add_line(&self, agent: AgentId, runner: mpsc::Sender<Message>) {
        self.lock().lines.insert(agent, runner);
    }

    fn get(&self, attempt: AttemptId) -> Option<mpsc::Sender<Message>> {
        self.lock().calls.get(&attempt).cloned()
    }

    fn of_line(&self, agent: AgentId) -> Option<mpsc::Sender<Message>> {
        self.lock().lines.get(&agent).cloned()
    }

    fn all(&self) -> Vec<(AttemptId, mpsc::Sender<Message>)> {
        self.lock().calls.iter().map(|(attempt, runner)| (*attempt, runner.clone())).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) async fn route(shared: Arc<Shared>, mut events: mpsc::Receiver<Event>) {
    let (supervised, heard) = mpsc::channel(supervisions::UNNOTED_MAX);
    tokio::spawn(supervisions::note_all(Arc::clone(&shared), heard));
    while let Some(event) = events.recv().await {
        match event {
            Event::Call(call) => {
                let Some(runner) = shared.routes.get(call.attempt) else { continue };
                if matches!(call.kind, EventKind::Ended(_)) {
                    shared.routes.remove(call.attempt);
                }
                if let Some(event) = translate(call.kind) {
                    // Awaits when the runner is behind: a hang-up is never dropped.
                    let _ = runner.send(Message::Call { attempt: call.attempt, event }).await;
                }
            }
            Event::LineUp { agent, .. } => tell_line(&shared, agent, true).await,
            Event::LineDown { agent, .. } => tell_line(&shared, agent, false).await,
            Event::RecordingFinished { attempt, .. } => {
                tokio::spawn(note_finished(Arc::clone(&shared), attempt));
            }
            Event::Supervision { supervision, at, state } => {
                let _ = supervised.send((supervision, state, at)).await;
            }
            Event::DriverLost { .. } | Event::Drained { .. } => tell_all(&shared, false).await,
            Event::Used { .. } => tell_all(&shared, true).await,
            Event::DriverBack { .. } => {
                end_what_is_gone(&shared).await;
                tell_all(&shared, true).await;
                tokio::spawn(end_strangers(Arc::clone(&shared)));
            }
        }
    }
}

/// Whether or not this is stored, the recording is looked for: only later if not.
async fn note_finished(shared: Arc<Shared>, attempt: AttemptId) {
    let now = shared.clock.now();
    if let Err(error) = shared.store.write(move |tx| recordings::finished(tx, attempt, now)).await {
        tracing::warn!(%attempt, %error, "could not note that a recording is finished");
    }
    shared.recording_due.notify_one();
}

async fn tell_line(shared: &Shared, agent: AgentId, is_up: bool) {
    if let Some(runner) = shared.routes.of_line(agent) {
        let _ = runner.send(Message::AgentLine { agent, is_up }).await;
    }
}

/// Calls that this node left on the switch and that no runner has taken over: nobody may go on talking on them unseen.
async fn end_strangers(shared: Arc<Shared>) {
    tokio::time::sleep(STRANGERS_MAY_STAY).await;
    let Ok(up) = shared.driver.live_calls().await else { return };
    for call in up.into_iter().filter(|call| shared.routes.get(call.attempt).is_none()) {
        tracing::warn!(attempt = %call.attempt, "ending a call that nobody knows");
        let _ = shared.driver.send(Request::HangUp { attempt: call.attempt });
    }
}

/// Every runner, those without a call too: a group that stands still for want of a switch goes on when it is back.
async fn tell_all(shared: &Shared, up: bool) {
    for runner in shared.routes.reached(up) {
        let _ = runner.send(Message::Lines { up }).await;
    }
}

/// Calls that ended while the connection was down are ended here too.
async fn end_what_is_gone(shared: &Shared) {
    let known = shared.routes.all();
    let up = loop {
        match shared.driver.live_calls().await {
            Ok(calls) => break calls,
            Err(telephony::DriverError::Stopped) => return,
            Err(error) => {
                tracing::warn!(%error, "could not ask the switch which calls are up");
                tokio::time::sleep(ASK_AGAIN).await;
            }
        }
    };
    for (attempt, runner) in known {
        if !up.iter().any(|call| call.attempt == attempt) {
            shared.routes.remove(attempt);
            let event = CallEvent::Ended(CallEnd::NotAnswered(CallResult::SwitchError));
            let _ = runner.send(Message::Call { attempt, event }).await;
        }
    }
}

/// The switch's words in the engine's.
fn translate(kind: EventKind) -> Option<CallEvent> {
    Some(match kind {
        EventKind::Placed => return None,
        EventKind::Ringing => CallEvent::Ringing,
        EventKind::Answered => CallEvent::Answered,
        EventKind::Detected(detected) => CallEvent::Detected(match detected {
            telephony::Detected::Person => Detected::Person,
            telephony::Detected::Unsure => Detected::Unsure,
            telephony::Detected::Machine => Detected::Machine,
            telephony::Detected::Fax => Detected::Fax,
            telephony::Detected::Silence => Detected::Silence,
        }),
        EventKind::Connected { .. } => CallEvent::Connected,
        EventKind::AgentFailed { .. } => CallEvent::AgentFailed,
        EventKind::PlayStarted => CallEvent::MessageBegan,
        EventKind::PlayFinished => CallEvent::MessageEnded,
        EventKind::PlayFailed => CallEvent::MessageFailed,
        EventKind::AgentLeft { .. } => CallEvent::AgentLeft,
        EventKind::ThirdAnswered { consultation } => CallEvent::ThirdAnswered(consultation),
        EventKind::ThirdGone { consultation, why } => CallEvent::ThirdGone(consultation, why),
        EventKind::Transferred => CallEvent::Transferred,
        EventKind::TransferFailed { why } => CallEvent::TransferFailed(why),
        EventKind::Digit(digit) => CallEvent::Digit(digit),
        EventKind::Ended(cause) => CallEvent::Ended(match cause {
            EndCause::ByCalledParty => CallEnd::ByCalledParty,
            EndCause::ByUs | EndCause::Cancelled => CallEnd::ByUs,
            other => CallEnd::NotAnswered(call_result(CallStage::Placed, other, None)),
        }),
    })
}
