//! The task that lives through the calls.

mod third;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use engine::{AgentId, AttemptId, PartyEnd, PhoneNumber, Time};
use simulator::{Outcome, OutcomeKind, World, digits};
use tokio::sync::mpsc;

use super::{CarrierSettings, Command, Ledger};
use crate::clock::Clock;
use crate::driver::{AgentPhone, CallStage, Message, PlaceCall, Purpose, Request};
use crate::event::{AgentFailure, CallEvent, Detected, EndCause, Event, EventKind, SupervisionState};
use third::Third;

/// How long a machine records after its greeting before it hangs up. An assumption; mailboxes allow one to three
/// minutes.
const MACHINE_RECORDS_FOR: Duration = Duration::from_secs(120);

/// How long a fax waits for another fax: timer T1 of ITU-T T.30, 35 s.
const FAX_WAITS_FOR: Duration = Duration::from_secs(35);

/// The state of the simulated carrier.
pub(super) struct Exchange {
    world: World,
    clock: Arc<dyn Clock>,
    settings: CarrierSettings,
    ledger: Arc<Ledger>,
    events: mpsc::Sender<Event>,
    /// Events that happened and are not delivered yet; emptied before anything else happens.
    outbox: VecDeque<Event>,
    connected: bool,
    calls: HashMap<AttemptId, Call>,
    /// How many calls are up to each number.
    numbers_in_use: HashMap<PhoneNumber, u32>,
    /// What happens next, by instant and then in the order of scheduling. Steps of calls that are over stay until
    /// they are due and are then ignored.
    agenda: BTreeMap<(Time, u64), (AttemptId, Step)>,
    /// How many steps have been scheduled so far.
    scheduled: u64,
}

struct Call {
    to: PhoneNumber,
    outcome: Outcome,
    detect_machine: bool,
    stage: CallStage,
    agent_on_the_way: bool,
    /// An agent was connected, this one or one before.
    was_connected: bool,
    /// When it was picked up.
    answered_at: Time,
    /// How many messages were begun, so that the end of one that was replaced is not taken for the end of the latest.
    messages: u32,
    /// Their patience ended while a message played: they hang up at its end.
    has_had_enough: bool,
    /// What the message is for that is playing.
    plays: Option<Purpose>,
    /// Who else was rung.
    third: Option<Third>,
}

impl Call {
    fn is_person(&self) -> bool {
        matches!(self.outcome.kind, OutcomeKind::Human { .. })
    }

    /// Picked up, and no agent is or was connected.
    fn is_waiting(&self) -> bool {
        matches!(self.stage, CallStage::Answered | CallStage::MessagePlayed)
    }
}

#[derive(Clone, Copy)]
enum Step {
    RingTimeoutEnds,
    FarEndActs,
    DetectionEnds,
    /// A person's patience, a mailbox's tape or a fax's timer ends.
    WaitEnds,
    AgentAnswers(AgentId),
    AgentFails(AgentId, AgentFailure),
    /// A third party picks up, or is not to be had; with the number of the consultation.
    ThirdActs(Option<u32>, Option<PartyEnd>),
    TalkEnds,
    MessageEnds(u32),
    /// Presses a key in this message.
    Presses(u32, char),
}

impl Exchange {
    pub(super) fn new(
        world: World,
        clock: Arc<dyn Clock>,
        settings: CarrierSettings,
        events: mpsc::Sender<Event>,
        ledger: Arc<Ledger>,
    ) -> Self {
        Self {
            world,
            clock,
            settings,
            ledger,
            events,
            outbox: VecDeque::new(),
            connected: true,
            calls: HashMap::new(),
            numbers_in_use: HashMap::new(),
            agenda: BTreeMap::new(),
            scheduled: 0,
        }
    }

    /// Runs until all handles are dropped or nobody takes events any more.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            let now = self.clock.now();
            self.take_due_steps(now);
            if !self.deliver().await {
                return;
            }
            let next = self.agenda.first_key_value().map_or(Time::NEVER, |((at, _), _)| *at);
            tokio::select! {
                () = self.clock.sleep_until(next) => {}
                () = self.events.closed() => return,
                command = commands.recv() => {
                    let Some(command) = command else { return };
                    let now = self.clock.now();
                    // First what happened before the command came, so that events stay in the order of time.
                    self.take_due_steps(now);
                    self.obey(command, now);
                }
            }
        }
    }

    /// Hands out all events, waiting for room; false if nobody takes them any more.
    async fn deliver(&mut self) -> bool {
        while let Some(event) = self.outbox.pop_front() {
            if self.events.send(event).await.is_err() {
                return false;
            }
        }
        true
    }

    fn take_due_steps(&mut self, now: Time) {
        while let Some(entry) = self.agenda.first_entry() {
            let (at, _) = *entry.key();
            if at > now {
                return;
            }
            let (attempt, step) = entry.remove();
            self.take_step(at, attempt, step);
        }
    }

    fn schedule(&mut self, at: Time, attempt: AttemptId, step: Step) {
        self.agenda.insert((at, self.scheduled), (attempt, step));
        self.scheduled += 1;
    }

    fn tell(&mut self, attempt: AttemptId, at: Time, kind: EventKind) {
        if self.connected {
            self.outbox.push_back(Event::Call(CallEvent { attempt, at, kind }));
        } else {
            self.ledger.book().statistics.events_lost += 1;
        }
    }

    fn obey(&mut self, command: Command, now: Time) {
        match command {
            Command::LoseConnection if self.connected => {
                self.outbox.push_back(Event::DriverLost { at: now });
                self.connected = false;
            }
            Command::RestoreConnection if !self.connected => {
                self.connected = true;
                self.ledger.disconnected.store(false, Ordering::Release);
                self.outbox.push_back(Event::DriverBack { at: now });
            }
            Command::LoseConnection | Command::RestoreConnection => {}
            Command::Request(_) if !self.connected => self.ignore(),
            Command::Request(Request::Place(place)) => self.place(place, now),
            Command::Request(Request::Cancel { attempt }) => match self.calls.get(&attempt) {
                Some(call) if !call.stage.is_answered() => self.end(attempt, now, EndCause::Cancelled),
                _ => self.ignore(),
            },
            Command::Request(Request::HangUp { attempt }) => {
                if self.calls.contains_key(&attempt) {
                    self.end(attempt, now, EndCause::ByUs);
                } else {
                    self.ignore();
                }
            }
            Command::Request(Request::Connect { attempt, agent, phone }) => {
                self.connect(attempt, agent, phone, now);
            }
            Command::Request(Request::Play { attempt, message }) => self.play(attempt, message, now),
            Command::Request(Request::OpenLine { agent, phone }) => self.open_line(agent, &phone, now),
            Command::Request(Request::CloseLine { agent }) => {
                self.outbox.push_back(Event::LineDown { agent, reason: None, at: now });
            }
            Command::Request(Request::Control { attempt, control }) => self.control(attempt, control, now),
            // Nobody is there to listen.
            Command::Request(Request::Supervise { supervision, .. }) => {
                let state = SupervisionState::Failed(PartyEnd::NobodyRung);
                self.outbox.push_back(Event::Supervision { supervision, at: now, state });
            }
        }
    }

    fn ignore(&self) {
        self.ledger.book().statistics.requests_ignored += 1;
    }

    fn place(&mut self, place: PlaceCall, now: Time) {
        let PlaceCall { attempt, to, ring_timeout, attempt_number, detection, .. } = place;
        let detect_machine = detection.is_some();
        if !self.ledger.book().note_place(attempt) {
            return;
        }
        if self.calls.len() >= usize::try_from(self.settings.lines_max).unwrap_or(usize::MAX) {
            self.ledger.book().statistics.no_line += 1;
            self.tell(attempt, now, EventKind::Ended(EndCause::NoLine));
            return;
        }
        let local_hour =
            self.settings.zone.as_ref().and_then(|zone| u8::try_from(zone.local(now).hour()).ok());
        let outcome = self.world.outcome(to, attempt_number, local_hour);
        let rings = match outcome.kind {
            OutcomeKind::Human { .. }
            | OutcomeKind::Machine { .. }
            | OutcomeKind::Fax
            | OutcomeKind::NoAnswer
            | OutcomeKind::Rejected => true,
            OutcomeKind::Busy | OutcomeKind::InvalidNumber | OutcomeKind::Congestion => false,
        };
        let stage = CallStage::Placed;
        let call = Call {
            to,
            outcome,
            detect_machine,
            stage,
            agent_on_the_way: false,
            was_connected: false,
            messages: 0,
            has_had_enough: false,
            answered_at: now,
            plays: None,
            third: None,
        };
        self.calls.insert(attempt, call);
        self.note_line_taken(attempt, to);
        self.tell(attempt, now, EventKind::Placed);
        if rings {
            self.reach(attempt, now, CallStage::Ringing, EventKind::Ringing);
        }
        if outcome.ring > ring_timeout {
            self.schedule(now + ring_timeout, attempt, Step::RingTimeoutEnds);
        } else {
            self.schedule(now + outcome.ring, attempt, Step::FarEndActs);
        }
    }

    fn note_line_taken(&mut self, attempt: AttemptId, to: PhoneNumber) {
        let calls_to_number = self.numbers_in_use.entry(to).or_insert(0);
        *calls_to_number += 1;
        let mut book = self.ledger.book();
        book.note(attempt, CallStage::Placed, None);
        book.statistics.placed += 1;
        book.statistics.placed_beside_another += u64::from(*calls_to_number > 1);
        book.statistics.lines_in_use += 1;
        book.statistics.lines_peak = book.statistics.lines_peak.max(book.statistics.lines_in_use);
    }

    /// Moves a call to a stage and tells it.
    fn reach(&mut self, attempt: AttemptId, at: Time, stage: CallStage, kind: EventKind) {
        if let Some(call) = self.calls.get_mut(&attempt) {
            call.stage = stage;
            let agent = if let EventKind::Connected { agent } = kind { Some(agent) } else { None };
            self.ledger.book().note(attempt, stage, agent);
            self.tell(attempt, at, kind);
        }
    }

    fn end(&mut self, attempt: AttemptId, at: Time, cause: EndCause) {
        let Some(call) = self.calls.remove(&attempt) else { return };
        if let Some(calls_to_number) = self.numbers_in_use.get_mut(&call.to) {
            *calls_to_number -= 1;
            if *calls_to_number == 0 {
                self.numbers_in_use.remove(&call.to);
            }
        }
        {
            let mut book = self.ledger.book();
            book.live.remove(&attempt);
            book.statistics.ended += 1;
            book.statistics.lines_in_use -= 1;
            book.statistics.person_without_agent += u64::from(call.is_person() && call.is_waiting());
        }
        self.tell(attempt, at, EventKind::Ended(cause));
    }

    fn take_step(&mut self, at: Time, attempt: AttemptId, step: Step) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        match step {
            Step::RingTimeoutEnds => self.end(attempt, at, EndCause::NoAnswer),
            Step::FarEndActs => self.far_end_acts(at, attempt),
            Step::DetectionEnds => {
                let detected = match call.outcome.kind {
                    OutcomeKind::Machine { .. } => Detected::Machine,
                    OutcomeKind::Fax => Detected::Fax,
                    _ => Detected::Person,
                };
                self.tell(attempt, at, EventKind::Detected(detected));
            }
            Step::WaitEnds => {
                // A person who talks with an agent does not wait any more, and one who hears something listens to its
                // end; a machine's time runs on.
                if call.is_person() && call.plays.is_some() {
                    call.has_had_enough = true;
                } else if call.is_waiting() || !call.is_person() {
                    self.end(attempt, at, EndCause::ByCalledParty);
                }
            }
            Step::AgentAnswers(agent) => self.agent_answers(at, attempt, agent),
            Step::AgentFails(agent, reason) => {
                call.agent_on_the_way = false;
                self.tell(attempt, at, EventKind::AgentFailed { agent, reason });
            }
            Step::Presses(message, key) => {
                if call.messages == message && call.is_waiting() {
                    self.tell(attempt, at, EventKind::Digit(key));
                }
            }
            Step::ThirdActs(consultation, failure) => self.third_acts(at, attempt, consultation, failure),
            Step::TalkEnds => self.end(attempt, at, EndCause::ByCalledParty),
            Step::MessageEnds(message) => {
                if call.messages == message
                    && let Some(played) = call.plays.take()
                {
                    let stage = match played {
                        Purpose::SafeHarbour => call.stage,
                        Purpose::Campaign => CallStage::MessagePlayed,
                    };
                    let leaves = call.has_had_enough;
                    self.reach(attempt, at, stage, EventKind::PlayFinished);
                    if leaves {
                        self.end(attempt, at, EndCause::ByCalledParty);
                    }
                }
            }
        }
    }

    fn far_end_acts(&mut self, at: Time, attempt: AttemptId) {
        let Some(call) = self.calls.get(&attempt) else { return };
        let Outcome { kind, patience, .. } = call.outcome;
        let (detect_machine, is_person) = (call.detect_machine, call.is_person());
        let waits = match kind {
            OutcomeKind::Human { .. } => patience,
            OutcomeKind::Machine { greeting } => greeting + MACHINE_RECORDS_FOR,
            OutcomeKind::Fax => FAX_WAITS_FOR,
            OutcomeKind::Busy => return self.end(attempt, at, EndCause::Busy),
            OutcomeKind::NoAnswer => return self.end(attempt, at, EndCause::NoAnswer),
            OutcomeKind::InvalidNumber => return self.end(attempt, at, EndCause::InvalidNumber),
            OutcomeKind::Congestion => return self.end(attempt, at, EndCause::Congestion),
            OutcomeKind::Rejected => return self.end(attempt, at, EndCause::Rejected),
        };
        {
            let mut book = self.ledger.book();
            book.statistics.answered += 1;
            book.statistics.answered_by_person += u64::from(is_person);
        }
        if let Some(call) = self.calls.get_mut(&attempt) {
            call.answered_at = at;
        }
        self.reach(attempt, at, CallStage::Answered, EventKind::Answered);
        if detect_machine {
            self.schedule(at + self.settings.detection_delay, attempt, Step::DetectionEnds);
        }
        self.schedule(at + waits, attempt, Step::WaitEnds);
    }

    fn connect(&mut self, attempt: AttemptId, agent: AgentId, phone: Option<AgentPhone>, now: Time) {
        let talks_with = self.ledger.book().live.get(&attempt).and_then(|call| call.agent);
        let Some(call) = self.calls.get_mut(&attempt) else { return self.ignore() };
        let is_handed_over = talks_with.is_some_and(|before| before != agent);
        if !(call.is_waiting() || is_handed_over) || call.agent_on_the_way {
            let reason = AgentFailure::CallNotWaiting;
            return self.tell(attempt, now, EventKind::AgentFailed { agent, reason });
        }
        call.agent_on_the_way = true;
        let (takes, failure) = failure_of(phone.as_ref());
        let step = failure.map_or(Step::AgentAnswers(agent), |reason| Step::AgentFails(agent, reason));
        self.schedule(now + self.settings.agent_delay + takes, attempt, step);
    }

    /// An agent's telephone is picked up at once, if it is one that is ever picked up.
    fn open_line(&mut self, agent: AgentId, phone: &AgentPhone, at: Time) {
        let event = match failure_of(Some(phone)).1 {
            None => Event::LineUp { agent, at },
            reason => Event::LineDown { agent, reason, at },
        };
        self.outbox.push_back(event);
    }

    fn agent_answers(&mut self, at: Time, attempt: AttemptId, agent: AgentId) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        call.agent_on_the_way = false;
        call.plays = None;
        let (is_person, talk) = (call.is_person(), call.outcome.talk);
        let is_first = !std::mem::replace(&mut call.was_connected, true);
        self.ledger.book().statistics.connected += u64::from(is_first);
        self.reach(attempt, at, CallStage::Connected, EventKind::Connected { agent });
        // Whom else they are handed over to, they talk for as long.
        if is_person && is_first {
            self.schedule(at + talk, attempt, Step::TalkEnds);
        }
    }

    fn play(&mut self, attempt: AttemptId, message: Message, now: Time) {
        let Some(call) = self.calls.get_mut(&attempt).filter(|call| call.is_waiting()) else {
            return self.ignore();
        };
        call.messages += 1;
        call.plays = Some(message.purpose);
        let (outcome, number) = (call.outcome, call.messages);
        let greeting = match outcome.kind {
            OutcomeKind::Machine { greeting } => (call.answered_at + greeting).since(now),
            _ => Duration::ZERO,
        };
        let begins = now + greeting;
        let ends = begins + message.length().unwrap_or(self.settings.message_length);
        if let Some(press) = outcome.presses {
            self.schedule(begins + press.after, attempt, Step::Presses(number, press.key));
        }
        self.schedule(ends, attempt, Step::MessageEnds(number));
    }
}

/// How long an agent's telephone rings, and why it is not picked up if it is not. It can be a test number too; every
/// other telephone is picked up at once.
fn failure_of(phone: Option<&AgentPhone>) -> (Duration, Option<AgentFailure>) {
    let agents_end = match phone {
        Some(AgentPhone::Number(number)) => digits::outcome(*number),
        Some(AgentPhone::Endpoint(_)) | None => None,
    };
    match agents_end.map(|outcome| (outcome.ring, outcome.kind)) {
        None => (Duration::ZERO, None),
        Some((ring, OutcomeKind::Human { .. })) => (ring, None),
        Some((ring, OutcomeKind::Busy | OutcomeKind::Rejected)) => (ring, Some(AgentFailure::Busy)),
        Some((ring, OutcomeKind::NoAnswer)) => (ring, Some(AgentFailure::NoAnswer)),
        Some((ring, _)) => (ring, Some(AgentFailure::Unreachable)),
    }
}
