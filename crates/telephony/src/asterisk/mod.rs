//! The driver for Asterisk, over ARI (Asterisk 18 and later; 22 is what it is tested with).
//!
//! A call is placed with the attempt's id as the channel's id. When it is picked up, the dial plan's context
//! `outdial-detect` finds out by whom and hands it to Outdial's Stasis application; while Outdial is away it waits there
//! instead of being hung up, which is why calls do not go to the application directly. Every agent's line has a bridge
//! of its own; connecting a call is bringing it there. The connection subscribes to all channels, so that events come
//! from the first ringing on. `docs/telephony.md` has the configuration, and which calls go which way.
//!
//! One task holds what is known of all hosts. Each host has a connection task, which never drops an event: if the
//! runner is behind, Asterisk waits, and if it would not wait, the connection is made again and compared.

mod calls;
mod causes;
mod check;
mod compare;
mod connection;
mod ledger;
mod lines;
mod parties;
mod protocol;
mod recorder;
mod settings;
mod stored;
mod supervisors;
mod switchboard;
#[cfg(test)]
mod tests;
mod tls;

use std::sync::Arc;

use engine::{AgentId, AttemptId, PartyEnd, Time};
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::driver::{
    BoxFuture, Driver, DriverError, Fetched, LiveCall, PlaceCall, Request, SendError, SwitchState,
};
use crate::event::{CallEvent, EndCause, Event, EventKind, SupervisionState};
pub use check::{Finding, check};
use connection::{FromHost, Question, Way};
use ledger::Ledger;
pub use settings::{AsteriskSettings, BadSetting, HostSettings, RequestPath, TrunkSettings};
use stored::Stored;
use switchboard::{Output, Switchboard};
use tls::TlsError;

/// Questions that may wait for a connection; more than that and it counts as stuck.
const QUESTIONS_MAX: usize = 16_384;
/// What a host said and nobody has taken yet.
const SAID_MAX: usize = 4096;

/// The handle of a running driver. It stops when all handles are dropped.
pub struct AsteriskDriver {
    commands: mpsc::Sender<Request>,
    ledger: Arc<Ledger>,
    stored: Vec<Stored>,
}

impl AsteriskDriver {
    /// Starts the driver and hands out its events. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// A setting makes no sense. Whether the switches can be reached is told by `DriverBack` and `DriverLost`.
    pub fn start(
        settings: AsteriskSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<(Arc<Self>, mpsc::Receiver<Event>), BadSetting> {
        settings.check()?;
        let bad = |place: usize, host: &HostSettings, error: &TlsError| {
            host.bad(place, "ca_file", &error.to_string())
        };
        let stored = settings
            .hosts
            .iter()
            .enumerate()
            .map(|(place, host)| Stored::on(host).map_err(|error| bad(place, host, &error)));
        let stored = stored.collect::<Result<Vec<Stored>, BadSetting>>()?;
        let (commands, commands_in) = mpsc::channel(settings.requests_max.max(1));
        let (events_out, events) = mpsc::channel(settings.events_max.max(1));
        let (said_out, said) = mpsc::channel(SAID_MAX);
        let ledger = Arc::new(Ledger::of(settings.hosts.iter().map(|host| host.name.clone())));
        let settings = Arc::new(settings);
        let mut hosts = Vec::new();
        for (index, host) in settings.hosts.iter().enumerate() {
            let (questions, questions_in) = mpsc::channel(QUESTIONS_MAX);
            let application = settings.application.clone();
            let said = said_out.clone();
            let way = Way::to(host).map_err(|error| bad(index, host, &error))?;
            tokio::spawn(connection::keep(index, way, application, questions_in, said));
            let switchboard = Switchboard::new(Arc::clone(&settings), host.clone(), Arc::clone(&ledger));
            hosts.push(Host { name: host.name.clone(), switchboard, questions, noted: (false, (0, 0)) });
        }
        let fleet = Fleet { clock, hosts, events: events_out, ledger: Arc::clone(&ledger), is_used: true };
        tokio::spawn(fleet.run(commands_in, said));
        Ok((Arc::new(Self { commands, ledger, stored }), events))
    }
}

impl Driver for AsteriskDriver {
    fn send(&self, request: Request) -> Result<(), SendError> {
        let is_place = matches!(request, Request::Place(_));
        if is_place && !self.ledger.is_connected() && !self.commands.is_closed() {
            return Err(SendError::NotConnected);
        }
        self.commands.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SendError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => SendError::Stopped,
        })
    }

    fn is_connected(&self) -> bool {
        self.ledger.is_connected()
    }

    fn live_calls(&self) -> BoxFuture<'_, Result<Vec<LiveCall>, DriverError>> {
        let answer = if self.commands.is_closed() {
            Err(DriverError::Stopped)
        } else if self.ledger.is_connected() {
            Ok(self.ledger.live())
        } else {
            Err(DriverError::NotConnected)
        };
        Box::pin(std::future::ready(answer))
    }

    fn switches(&self) -> Vec<SwitchState> {
        self.ledger.switches()
    }

    fn drain(&self, switch: &str, drained: bool) -> bool {
        let is_known = self.ledger.drain(switch, drained);
        if is_known {
            tracing::info!(switch, drained, "a switch's use was changed");
        }
        is_known
    }

    fn records(&self) -> bool {
        true
    }

    fn fetch_recording<'a>(
        &'a self,
        name: &'a str,
        into: &'a mut (dyn AsyncWrite + Send + Unpin),
    ) -> BoxFuture<'a, Result<Fetched, DriverError>> {
        Box::pin(stored::fetch(&self.stored, name, into))
    }

    fn remove_recording<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), DriverError>> {
        Box::pin(stored::remove(&self.stored, name))
    }
}

struct Host {
    name: String,
    switchboard: Switchboard,
    questions: mpsc::Sender<Question>,
    /// What was written down of it last: whether it is up, its calls and agents' lines.
    noted: (bool, (u32, u32)),
}

/// All hosts.
struct Fleet {
    clock: Arc<dyn Clock>,
    hosts: Vec<Host>,
    events: mpsc::Sender<Event>,
    ledger: Arc<Ledger>,
    /// Whether a switch is given calls, as far as was told.
    is_used: bool,
}

impl Fleet {
    async fn run(
        mut self,
        mut commands: mpsc::Receiver<Request>,
        mut said: mpsc::Receiver<(usize, FromHost)>,
    ) {
        loop {
            let wake =
                self.hosts.iter().map(|host| host.switchboard.next_wake()).min().unwrap_or(Time::NEVER);
            tokio::select! {
                // What happened comes before what is wanted: requests are then made on the newest state.
                biased;
                said = said.recv() => {
                    let Some((index, said)) = said else { return };
                    self.heard(index, said).await;
                }
                command = commands.recv() => match command {
                    Some(request) => self.request(request).await,
                    None => return,
                },
                () = self.clock.sleep_until(wake) => {
                    let now = self.clock.now();
                    self.hosts.iter_mut().for_each(|host| host.switchboard.woken(now));
                }
                () = self.ledger.use_changed.notified() => {}
                () = self.events.closed() => return,
            }
            for index in 0..self.hosts.len() {
                if self.carry_out(index).await.is_err() {
                    return;
                }
                self.note(index);
            }
            if self.tell_use().await.is_err() {
                return;
            }
        }
    }

    /// Tells when the last switch that was given calls is drained, and when there is one again.
    async fn tell_use(&mut self) -> Result<(), ()> {
        let is_used = self.hosts.iter().enumerate().any(|(index, host)| self.is_in_use(index, host));
        if is_used == self.is_used || !self.ledger.is_connected() {
            return Ok(());
        }
        self.is_used = is_used;
        let at = self.clock.now();
        self.events.send(if is_used { Event::Used { at } } else { Event::Drained { at } }).await.map_err(drop)
    }

    fn is_in_use(&self, index: usize, host: &Host) -> bool {
        host.switchboard.is_up() && !self.ledger.is_drained(index)
    }

    async fn heard(&mut self, index: usize, said: FromHost) {
        let now = self.clock.now();
        let Some(host) = self.hosts.get_mut(index) else { return };
        match said {
            FromHost::Up => host.switchboard.connected(now),
            FromHost::Said(incoming) => host.switchboard.incoming(now, incoming),
            FromHost::Lost => {
                host.switchboard.lost(now);
                let unplaced = host.switchboard.take_queue();
                if self.ledger.is_connected() && !self.hosts.iter().any(|host| host.switchboard.is_up()) {
                    self.ledger.set_connected(false);
                    // What comes next is that the connection is back, which says that calls can be placed.
                    self.is_used = true;
                    // The receiver that is gone ends the task at its next turn.
                    let _ = self.events.send(Event::DriverLost { at: now }).await;
                }
                for place in unplaced {
                    self.place(place).await;
                }
            }
        }
    }

    async fn request(&mut self, request: Request) {
        let now = self.clock.now();
        let (attempt, agent) = match &request {
            Request::Place(place) => return self.place(place.clone()).await,
            Request::Cancel { attempt }
            | Request::HangUp { attempt }
            | Request::Play { attempt, .. }
            | Request::Connect { attempt, .. }
            | Request::Control { attempt, .. }
            | Request::Supervise { attempt, .. } => (Some(*attempt), None),
            Request::OpenLine { agent, .. } | Request::CloseLine { agent } => (None, Some(*agent)),
        };
        let index = attempt
            .and_then(|attempt| self.host_of_call(attempt))
            .or_else(|| agent.and_then(|agent| self.host_of_line(agent)))
            .or_else(|| agent.and_then(|_| self.host_for_line()));
        if let Some(host) = index.and_then(|index| self.hosts.get_mut(index)) {
            host.switchboard.request(now, request);
        } else if let Request::Supervise { supervision, .. } = request {
            let state = SupervisionState::Failed(PartyEnd::CallOver);
            let _ = self.events.send(Event::Supervision { supervision, at: now, state }).await;
        }
    }

    /// On the host that is emptiest for its weight.
    async fn place(&mut self, place: PlaceCall) {
        let now = self.clock.now();
        if self.host_of_call(place.attempt).is_some() {
            return;
        }
        let is_used = |index: &usize| !self.ledger.is_drained(*index);
        let emptiest = self
            .hosts
            .iter()
            .enumerate()
            .filter(|(index, _)| is_used(index))
            .filter_map(|(index, host)| host.switchboard.load().map(|load| (index, load)))
            .min_by(|(_, one), (_, other)| one.total_cmp(other));
        if let Some(host) = emptiest.and_then(|(index, _)| self.hosts.get_mut(index)) {
            return host.switchboard.request(now, Request::Place(place));
        }
        let kind = EventKind::Ended(EndCause::NoLine);
        let _ = self.events.send(Event::Call(CallEvent { attempt: place.attempt, at: now, kind })).await;
    }

    fn host_of_call(&self, attempt: AttemptId) -> Option<usize> {
        self.hosts.iter().position(|host| host.switchboard.has_call(attempt))
    }

    fn host_of_line(&self, agent: AgentId) -> Option<usize> {
        self.hosts.iter().position(|host| host.switchboard.has_line(agent))
    }

    /// Lines stand on the first host that is in use: a call that is placed on another rings the agent for itself.
    fn host_for_line(&self) -> Option<usize> {
        let in_use =
            |(index, host): (usize, &Host)| host.switchboard.is_up() && !self.ledger.is_drained(index);
        self.hosts.iter().enumerate().position(in_use).or(Some(0))
    }

    /// Writes down how a host is, for whoever asks.
    fn note(&mut self, index: usize) {
        let Some(host) = self.hosts.get_mut(index) else { return };
        let now = (host.switchboard.is_up(), host.switchboard.counts());
        if now != host.noted {
            host.noted = now;
            self.ledger.note_switch(index, now.0, now.1);
        }
    }

    async fn carry_out(&mut self, index: usize) -> Result<(), ()> {
        while let Some(output) = self.hosts.get_mut(index).and_then(|host| host.switchboard.poll()) {
            match output {
                Output::Ask { id, ask } => {
                    let Some(host) = self.hosts.get(index) else { return Ok(()) };
                    // A question to a connection that is down is asked again after the comparison, if it still matters.
                    if host.questions.try_send(Question { id, ask }).is_err() {
                        tracing::error!(host = host.name, "too many questions wait for Asterisk");
                    }
                }
                Output::Tell(event) => self.events.send(event).await.map_err(drop)?,
                Output::Compared => {
                    if !self.ledger.is_connected() {
                        self.ledger.set_connected(true);
                        let at = self.clock.now();
                        self.events.send(Event::DriverBack { at }).await.map_err(drop)?;
                    }
                }
            }
        }
        Ok(())
    }
}
