//! One Asterisk: its calls and agents' lines, what is asked of it and what it says. No I/O here: requests, answers and
//! events come in with the time, and questions to the switch and events for the runner go out.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use engine::{AgentId, AttemptId, Time};
use serde_json::json;

use super::ledger::Ledger;
use super::lines::Line;
use super::parties::Party;
use super::protocol::{Ask, Bridge, Channel, Incoming, Response, quoted};
use super::settings::{AsteriskSettings, HostSettings, TrunkSettings};
use crate::driver::{AgentPhone, CallStage, Detection, PlaceCall, Purpose, Request};
use crate::event::{CallEvent, EndCause, Event, EventKind, Failure};

/// The variables by which calls are known on the switch; `ari.conf` has to name the first two in `channelvars`.
pub(super) const NODE: &str = "OUTDIAL_NODE";
pub(super) const KIND: &str = "OUTDIAL_KIND";

/// Kinds of events that Asterisk need not send.
const UNHEEDED: [&str; 7] = [
    "ChannelVarset",
    "ChannelDialplan",
    "ChannelConnectedLine",
    "ChannelCallerId",
    "DeviceStateChanged",
    "PeerStatusChange",
    "ContactStatusChange",
];

/// What a switchboard wants done.
#[derive(Debug)]
pub(super) enum Output {
    /// Ask the switch; the answer comes back under this number.
    Ask { id: u64, ask: Ask },
    /// Tell the runner.
    Tell(Event),
    /// The comparison with what is up on the switch is done: the connection is as good as new.
    Compared,
}

pub(super) struct Switchboard {
    pub(super) settings: Arc<AsteriskSettings>,
    host: HostSettings,
    pub(super) ledger: Arc<Ledger>,
    pub(super) now: Time,
    pub(super) calls: HashMap<AttemptId, Call>,
    pub(super) lines: HashMap<AgentId, Line>,
    pub(super) parties: HashMap<String, Party>,
    trunks: Vec<TrunkUse>,
    /// When this host may place its next call.
    next_call_at: Time,
    /// Calls that wait for that.
    queue: VecDeque<PlaceCall>,
    /// Tones that agents hear, and until when.
    pub(super) tones: VecDeque<(Time, String)>,
    /// Agents whose lines an earlier process left, and until when they may come back.
    pub(super) unclaimed: VecDeque<(Time, AgentId)>,
    /// Requests that came while there was no connection.
    backlog: VecDeque<Request>,
    pub(super) link: Link,
    asked: HashMap<u64, Asked>,
    next_number: u64,
    outputs: VecDeque<Output>,
}

/// How it stands with the connection.
pub(super) enum Link {
    Down,
    /// It is there, and what is up is being asked for.
    Comparing {
        channels: Option<Vec<Channel>>,
    },
    Up,
}

#[derive(Default)]
struct TrunkUse {
    calls: u32,
    next_call_at: Time,
}

/// A call of this host.
pub(super) struct Call {
    /// How it was asked for; none for a call that was up before this process was.
    pub place: Option<PlaceCall>,
    pub stage: CallStage,
    /// The way out that it takes.
    pub trunk: Option<usize>,
    /// What we asked for, if we asked for its end.
    pub ending: Option<EndCause>,
    /// In the application, where it can be bridged and played to; else the dial plan has it.
    pub in_stasis: bool,
    /// What it is to be done with when it is back in the application.
    pub deferred: Vec<Request>,
    /// The agent it is being connected with or is with.
    pub agent: Option<AgentId>,
    /// A machine answered, and its greeting may not be over.
    pub is_greeting: bool,
    /// The message that plays.
    pub playback: Option<String>,
    /// What the message that plays, or played last, is for.
    pub plays: Option<Purpose>,
    pub is_held: bool,
    /// It is held for as long as a third party is consulted, and only therefore.
    pub waits_for_third: bool,
    /// Its channel says with whom it waits.
    pub is_labelled: bool,
    /// The channel of a third party.
    pub third: Option<String>,
    /// The agent has left it to the third party.
    pub is_transferred: bool,
}

impl Call {
    pub fn new(place: Option<PlaceCall>, stage: CallStage) -> Self {
        Self {
            place,
            stage,
            trunk: None,
            ending: None,
            in_stasis: false,
            deferred: Vec::new(),
            agent: None,
            is_greeting: false,
            playback: None,
            plays: None,
            is_held: false,
            waits_for_third: false,
            is_labelled: false,
            third: None,
            is_transferred: false,
        }
    }
}

/// What a question was about.
pub(super) enum Asked {
    Place(AttemptId),
    Line(AgentId),
    Connect(AttemptId, AgentId),
    Play(AttemptId, String),
    Party(String),
    /// Going on with a recording, which may not have begun.
    GoOnRecording(AttemptId, String),
    Channels,
    Bridges,
    /// Something whose failure is worth no more than a line in the log.
    Aside(&'static str),
}

impl Switchboard {
    pub fn new(settings: Arc<AsteriskSettings>, host: HostSettings, ledger: Arc<Ledger>) -> Self {
        let trunks = settings.trunks.iter().map(|_| TrunkUse::default()).collect();
        Self {
            settings,
            host,
            ledger,
            now: Time::EPOCH,
            calls: HashMap::new(),
            lines: HashMap::new(),
            parties: HashMap::new(),
            trunks,
            next_call_at: Time::EPOCH,
            queue: VecDeque::new(),
            tones: VecDeque::new(),
            unclaimed: VecDeque::new(),
            backlog: VecDeque::new(),
            link: Link::Down,
            asked: HashMap::new(),
            next_number: 1,
            outputs: VecDeque::new(),
        }
    }

    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub fn is_up(&self) -> bool {
        matches!(self.link, Link::Up)
    }

    pub fn has_call(&self, attempt: AttemptId) -> bool {
        self.calls.contains_key(&attempt)
    }

    pub fn has_line(&self, agent: AgentId) -> bool {
        self.lines.contains_key(&agent)
    }

    /// Calls and agents' lines on it.
    pub fn counts(&self) -> (u32, u32) {
        (self.calls.len() as u32, self.lines.len() as u32)
    }

    /// How full it is in parts of its weight; none if it can take no call.
    pub fn load(&self) -> Option<f64> {
        let room = self.is_up() && (self.calls.len() as u64) < u64::from(self.host.lines_max);
        room.then(|| self.calls.len() as f64 / f64::from(self.host.weight))
    }

    /// When it has something to do without being told; [`Time::NEVER`] if it has not.
    pub fn next_wake(&self) -> Time {
        if !self.is_up() {
            return Time::NEVER;
        }
        let tone = self.tones.front().map_or(Time::NEVER, |(until, _)| *until);
        let unclaimed = self.unclaimed.front().map_or(Time::NEVER, |(until, _)| *until);
        let call = if self.queue.is_empty() { Time::NEVER } else { self.earliest_call() };
        tone.min(unclaimed).min(call)
    }

    pub fn woken(&mut self, now: Time) {
        self.now = now;
        self.end_tones();
        self.end_unclaimed_lines();
        while self.is_up() && self.earliest_call() <= now {
            let Some(place) = self.queue.pop_front() else { return };
            self.place_now(place);
        }
    }

    // Requests.

    pub fn request(&mut self, now: Time, request: Request) {
        self.now = now;
        if !self.is_up() && !matches!(request, Request::Place(_)) {
            return self.backlog.push_back(request);
        }
        match request {
            Request::Place(place) => self.place(place),
            Request::Cancel { attempt } => {
                let rings = |call: &Call| !call.stage.is_answered();
                if self.calls.get(&attempt).is_some_and(rings) {
                    self.end(attempt, EndCause::Cancelled);
                }
            }
            Request::HangUp { attempt } => self.end(attempt, EndCause::ByUs),
            Request::Connect { .. } | Request::Play { .. } => self.when_in_stasis(request),
            Request::OpenLine { agent, phone } => self.open_line(agent, &phone),
            Request::CloseLine { agent } => self.close_line(agent),
            Request::Control { attempt, control } => self.control(attempt, control),
            Request::Supervise { supervision, attempt, phone, part } => {
                self.supervise(supervision, attempt, &phone, part);
            }
        }
    }

    /// Does what needs the call in the application; keeps it until the dial plan gives the call back.
    fn when_in_stasis(&mut self, request: Request) {
        let (Request::Connect { attempt, .. } | Request::Play { attempt, .. }) = &request else { return };
        let attempt = *attempt;
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        if !call.stage.is_answered() || !call.in_stasis {
            if call.stage.is_answered() {
                call.deferred.push(request);
            }
            return;
        }
        match request {
            Request::Connect { agent, phone, .. } => self.connect(attempt, agent, phone),
            Request::Play { message, .. } => self.play(attempt, &message),
            _ => {}
        }
    }

    fn place(&mut self, place: PlaceCall) {
        let attempt = place.attempt;
        if self.calls.contains_key(&attempt) {
            return;
        }
        self.calls.insert(attempt, Call::new(Some(place.clone()), CallStage::Placed));
        self.ledger.put(attempt, CallStage::Placed, None);
        if self.earliest_call() > self.now || !self.queue.is_empty() {
            return self.queue.push_back(place);
        }
        self.place_now(place);
    }

    /// When the next call may be placed on this host, by the limits on calls a second.
    fn earliest_call(&self) -> Time {
        let trunk = self.trunks.iter().map(|trunk| trunk.next_call_at).min().unwrap_or(Time::EPOCH);
        self.next_call_at.max(trunk)
    }

    fn place_now(&mut self, place: PlaceCall) {
        let attempt = place.attempt;
        let Some(call) = self.calls.get(&attempt) else { return };
        let first = call.trunk.map_or(0, |trunk| trunk + 1);
        let Some(trunk) = self.trunk_with_room(first) else {
            let end = if first == 0 { EndCause::NoLine } else { EndCause::Congestion };
            return self.over(attempt, end);
        };
        self.take_trunk(attempt, trunk);
        self.dial(&place, trunk);
    }

    fn trunk_with_room(&self, first: usize) -> Option<usize> {
        let has_room = |index: &usize| {
            let (settings, usage): (&TrunkSettings, &TrunkUse) =
                (&self.settings.trunks[*index], &self.trunks[*index]);
            usage.calls < settings.lines_max && usage.next_call_at <= self.now
        };
        let with_room = |index: &usize| self.trunks[*index].calls < self.settings.trunks[*index].lines_max;
        (first..self.trunks.len()).find(has_room).or_else(|| (first..self.trunks.len()).find(with_room))
    }

    fn take_trunk(&mut self, attempt: AttemptId, trunk: usize) {
        let gap = |per_second: u32| Duration::from_secs_f64(1.0 / f64::from(per_second.max(1)));
        self.next_call_at = self.now + gap(self.host.calls_per_second_max);
        let usage = &mut self.trunks[trunk];
        usage.calls += 1;
        usage.next_call_at = self.now + gap(self.settings.trunks[trunk].calls_per_second_max);
        if let Some(call) = self.calls.get_mut(&attempt) {
            call.trunk = Some(trunk);
        }
    }

    pub(super) fn leave_trunk(&mut self, attempt: AttemptId) {
        if let Some(trunk) = self.calls.get(&attempt).and_then(|call| call.trunk) {
            let usage = &mut self.trunks[trunk];
            usage.calls = usage.calls.saturating_sub(1);
        }
    }

    fn dial(&mut self, place: &PlaceCall, trunk: usize) {
        let settings = Arc::clone(&self.settings);
        let trunk = &settings.trunks[trunk];
        let mut variables = serde_json::Map::new();
        let mut set = |name: &str, value: &str| {
            variables.insert(name.to_owned(), value.into());
        };
        set(NODE, &settings.node);
        set(KIND, "call");
        set("OUTDIAL_APP", &settings.application);
        if let Some(detection) = &place.detection {
            set("OUTDIAL_AMD", &amd_arguments(detection));
        }
        for (name, value) in &trunk.headers {
            set(&format!("PJSIP_HEADER(add,{name})"), value);
        }
        for (name, value) in &place.variables.0 {
            set(name, value);
        }
        let context = if place.detection.is_some() { "outdial-detect" } else { "outdial-answered" };
        let body = json!({
            "endpoint": dial_string(&trunk.dial, &place.to.to_string()),
            "context": context,
            "extension": "s",
            "priority": 1,
            "callerId": place.caller_id.map(|number| number.to_string()).unwrap_or_default(),
            "timeout": place.ring_timeout.as_secs(),
            "variables": variables,
        });
        let ask = Ask::post(format!("channels/{}", place.attempt)).with(body);
        self.ask(Asked::Place(place.attempt), ask);
    }

    /// What it takes to ring somebody beside the called party, who is handed to the application under this word.
    pub(super) fn ring(&self, phone: &AgentPhone, word: &str, seconds: u32) -> serde_json::Value {
        json!({
            "endpoint": self.endpoint(phone),
            "context": "outdial-answered",
            "extension": "s",
            "priority": 1,
            "timeout": seconds,
            "variables": {NODE: self.settings.node, KIND: word, "OUTDIAL_APP": self.settings.application},
        })
    }

    pub(super) fn make_bridge(&mut self, id: &str) {
        let name = quoted(&self.bridge_name());
        let ask = Ask::post(format!("bridges?type=mixing&bridgeId={id}&name={name}"));
        self.ask(Asked::Aside("make a bridge"), ask);
    }

    /// By which this node's bridges are known even when nobody is in them.
    pub(super) fn bridge_name(&self) -> String {
        format!("outdial.{}", self.settings.node)
    }

    /// Where an agent or a third party is reached.
    fn endpoint(&self, phone: &AgentPhone) -> String {
        match phone {
            AgentPhone::Endpoint(endpoint) => endpoint.clone(),
            AgentPhone::Number(number) => {
                let dial = self.settings.trunks.first().map_or("{number}", |trunk| trunk.dial.as_str());
                dial_string(dial, &number.to_string())
            }
        }
    }

    /// Asks for the end of a call.
    fn end(&mut self, attempt: AttemptId, end: EndCause) {
        if let Some(position) = self.queue.iter().position(|place| place.attempt == attempt) {
            self.queue.remove(position);
            return self.over(attempt, EndCause::Cancelled);
        }
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        call.ending = Some(end);
        self.ask(Asked::Aside("hang a call up"), Ask::delete(format!("channels/{attempt}")));
    }

    // The connection.

    /// The connection stands: what is up on the switch?
    pub fn connected(&mut self, now: Time) {
        self.now = now;
        self.asked.clear();
        self.link = Link::Comparing { channels: None };
        // Kinds of events that say nothing to a dialler and are many.
        let many = UNHEEDED.map(|kind| json!({ "type": kind }));
        let filter = json!({ "disallowed": many });
        let ask = Ask {
            method: "PUT",
            uri: format!("applications/{}/eventFilter", quoted(&self.settings.application)),
            body: Some(filter),
        };
        self.ask(Asked::Aside("filter events"), ask);
        self.ask(Asked::Channels, Ask::get("channels"));
        self.ask(Asked::Bridges, Ask::get("bridges"));
    }

    pub fn lost(&mut self, now: Time) {
        self.now = now;
        self.link = Link::Down;
        self.asked.clear();
    }

    pub(super) fn compared(&mut self) {
        self.link = Link::Up;
        self.outputs.push_back(Output::Compared);
        for request in std::mem::take(&mut self.backlog) {
            self.request(self.now, request);
        }
        self.woken(self.now);
    }

    pub(super) fn is_queued(&self, attempt: AttemptId) -> bool {
        self.queue.iter().any(|place| place.attempt == attempt)
    }

    /// Calls that were never sent to a switch that went away.
    pub fn take_queue(&mut self) -> Vec<PlaceCall> {
        let queue: Vec<PlaceCall> = self.queue.drain(..).collect();
        for place in &queue {
            self.calls.remove(&place.attempt);
        }
        queue
    }

    // What the switch says.

    pub fn incoming(&mut self, now: Time, incoming: Incoming) {
        self.now = now;
        match incoming {
            Incoming::Response(response) => self.answered_us(response),
            Incoming::ChannelStateChange { channel } => self.state_changed(&channel),
            Incoming::Dial { peer, dialstatus } => {
                // Tones before the answer (183) are what the caller hears as ringing.
                if matches!(dialstatus.as_str(), "RINGING" | "PROGRESS") {
                    self.rings(&peer.id);
                }
            }
            Incoming::StasisStart { channel, args } => self.in_application(&channel, &args),
            Incoming::ChannelEnteredBridge { channel, bridge } => {
                self.entered_bridge(&channel.id, &bridge.id)
            }
            Incoming::PlaybackStarted { playback } => self.playback_started(&playback.id),
            Incoming::PlaybackFinished { playback } if playback.state == "failed" => {
                self.playback_failed(&playback);
            }
            Incoming::PlaybackFinished { playback } => self.playback_finished(&playback.id),
            Incoming::RecordingFinished { recording } | Incoming::RecordingFailed { recording } => {
                self.recording_finished(&recording);
            }
            Incoming::ChannelDtmfReceived { channel, digit } => {
                if let (Some(attempt), Some(digit)) = (self.call_of(&channel.id), digit.chars().next()) {
                    self.tell(attempt, EventKind::Digit(digit));
                }
            }
            Incoming::ChannelDestroyed { channel, cause, tech_cause } => {
                self.destroyed(&channel.id, cause, tech_cause);
            }
            Incoming::Other => {}
        }
    }

    fn answered_us(&mut self, response: Response) {
        let Some(asked) = response.request_id.parse().ok().and_then(|id: u64| self.asked.remove(&id)) else {
            return;
        };
        let is_good = (200..300).contains(&response.status_code);
        let status = response.status_code;
        match asked {
            // The answer may come behind the events of a call that is quick, even behind its end.
            Asked::Place(attempt) if is_good && !self.is_at(attempt, CallStage::Placed) => {}
            Asked::Place(attempt) if is_good => self.tell(attempt, EventKind::Placed),
            // It is up already: its events come all the same.
            Asked::Place(_) if status == 409 => {}
            Asked::Place(attempt) => {
                tracing::warn!(status, %attempt, "the switch refused to place a call");
                self.not_answered(attempt, EndCause::Failed(Failure::NotPlaced));
            }
            Asked::Line(agent) if !is_good => self.line_refused(agent, status),
            Asked::Connect(attempt, agent) if !is_good => self.connect_refused(attempt, agent, status),
            Asked::Play(attempt, playback) if !is_good => {
                tracing::warn!(status, %attempt, "the switch refused to play a message");
                self.message_failed(&playback);
            }
            Asked::Party(channel) if !is_good => self.party_refused(&channel, status),
            Asked::GoOnRecording(attempt, name) if status == 404 => self.begin_recording(attempt, &name),
            Asked::GoOnRecording(..) if !is_good => {
                tracing::warn!(status, "the switch refused to go on with a recording");
            }
            Asked::Aside(what) if !is_good && status != 404 => {
                tracing::warn!(status, "the switch refused to {what}");
            }
            Asked::Channels | Asked::Bridges if !is_good => {
                tracing::error!(status, "the switch does not say which calls are up");
            }
            Asked::Channels => {
                let channels = parsed(&response);
                self.link = Link::Comparing { channels: Some(channels) };
            }
            Asked::Bridges => {
                let bridges: Vec<Bridge> = parsed(&response);
                self.compare(&bridges);
            }
            _ => {}
        }
    }

    pub(super) fn ask(&mut self, asked: Asked, ask: Ask) {
        let id = self.next_number;
        self.next_number += 1;
        self.asked.insert(id, asked);
        self.outputs.push_back(Output::Ask { id, ask });
    }

    /// A number that was not used before on this switch, as long as clocks go forward.
    pub(super) fn fresh(&mut self) -> String {
        self.next_number += 1;
        format!("{:x}-{:x}", self.now.as_micros(), self.next_number)
    }

    pub(super) fn tell(&mut self, attempt: AttemptId, kind: EventKind) {
        let event = CallEvent { attempt, at: self.now, kind };
        self.outputs.push_back(Output::Tell(Event::Call(event)));
    }

    pub(super) fn tell_event(&mut self, event: Event) {
        self.outputs.push_back(Output::Tell(event));
    }

    fn is_at(&self, attempt: AttemptId, stage: CallStage) -> bool {
        self.calls.get(&attempt).is_some_and(|call| call.stage == stage)
    }

    /// The call whose channel this is.
    pub(super) fn call_of(&self, channel: &str) -> Option<AttemptId> {
        let attempt = AttemptId::parse(channel).ok()?;
        self.calls.contains_key(&attempt).then_some(attempt)
    }

    /// Dials a call again over the next way out.
    pub(super) fn try_next_trunk(&mut self, attempt: AttemptId) -> bool {
        let Some(call) = self.calls.get(&attempt) else { return false };
        let (Some(trunk), Some(place)) = (call.trunk, call.place.clone()) else { return false };
        let Some(next) = self.trunk_with_room(trunk + 1) else { return false };
        self.leave_trunk(attempt);
        self.take_trunk(attempt, next);
        self.dial(&place, next);
        true
    }
}

fn parsed<T: serde::de::DeserializeOwned>(response: &Response) -> Vec<T> {
    let body = response.message_body.as_deref().unwrap_or("[]");
    serde_json::from_str(body).unwrap_or_else(|error| {
        tracing::error!(%error, "the switch's list of what is up could not be read");
        Vec::new()
    })
}

/// Fills a number into a way out's template.
fn dial_string(template: &str, number: &str) -> String {
    template.replace("{number}", number).replace("{digits}", number.trim_start_matches('+'))
}

/// In the order in which `AMD()` takes them.
fn amd_arguments(detection: &Detection) -> String {
    let Detection {
        initial_silence_ms,
        greeting_ms,
        after_greeting_silence_ms,
        total_ms,
        word_ms_min,
        between_words_ms,
        words_max,
        silence_threshold,
    } = detection;
    format!(
        "{initial_silence_ms},{greeting_ms},{after_greeting_silence_ms},{total_ms},{word_ms_min},\
         {between_words_ms},{words_max},{silence_threshold}"
    )
}
