//! What is known of one Asterisk under every order of requests and events, heard, unheard and repeated.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use engine::{AgentId, AttemptId, PartyEnd, SupervisionId, Time};
use proptest::prelude::*;
use uuid::Uuid;

use super::ledger::Ledger;
use super::protocol::{Ask, BridgeId, Channel, Dialplan, Incoming, Playback, Response};
use super::settings::{AsteriskSettings, HostSettings, RequestPath, TrunkSettings};
use super::switchboard::{KIND, NODE, Output, Switchboard};
use crate::driver::{
    AgentPhone, CallStage, Control, Detection, Message, PlaceCall, Purpose, Request, Supervision, Variables,
};
use crate::event::{CallEvent, Event, EventKind, SupervisionState};

mod conversations;

const NODE_NAME: &str = "here";

fn settings() -> AsteriskSettings {
    let trunk = |name: &str| TrunkSettings {
        name: name.to_owned(),
        dial: format!("PJSIP/{{number}}@{name}"),
        lines_max: 2,
        calls_per_second_max: 10,
        headers: Vec::new(),
    };
    AsteriskSettings {
        node: NODE_NAME.to_owned(),
        application: "outdial".to_owned(),
        hosts: vec![HostSettings {
            name: "one".to_owned(),
            url: "http://127.0.0.1:8088".parse().unwrap(),
            user: "outdial".to_owned(),
            password: String::new(),
            ca_pem: None,
            weight: 1,
            lines_max: 10,
            calls_per_second_max: 10,
            requests: RequestPath::Auto,
        }],
        trunks: vec![trunk("first"), trunk("second")],
        sounds: "/sounds".to_owned(),
        whisper_tone_hz: 880,
        requests_max: 10,
        events_max: 10,
    }
}

fn attempt(number: u8) -> AttemptId {
    AttemptId(Uuid::from_u128(100 + u128::from(number)))
}

fn agent(number: u8) -> AgentId {
    AgentId(Uuid::from_u128(200 + u128::from(number)))
}

fn consult(consultation: u32) -> Control {
    Control::Consult { phone: AgentPhone::Endpoint("PJSIP/third".to_owned()), consultation }
}

/// Something that an engine asks, or that happens at the switch. Small numbers stand for calls and agents.
#[derive(Clone, Debug)]
enum Step {
    Place(u8),
    Cancel(u8),
    HangUp(u8),
    Connect(u8, u8, bool),
    Play(u8),
    OpenLine(u8),
    CloseLine(u8),
    Control(u8, Control),
    Supervise(u8, Supervision),
    /// The oldest questions that wait are answered with this status.
    Answered(u16),
    /// The call's channel rings, is picked up, is detected, is gone.
    Rings(u8),
    PickedUp(u8),
    Detected(u8, &'static str),
    Gone(u8, i64, Option<i64>),
    /// The same of an agent's line, and of whoever else was rung.
    LineUp(u8),
    LineGone(u8),
    PartyUp(u8),
    PartyGone(u8),
    EnteredBridge(u8, u8),
    PlayedOut,
    Pressed(u8),
    Lost,
    Back,
    TimePasses,
}

fn any_step() -> impl Strategy<Value = Step> {
    let call = 0..4_u8;
    let who = 0..2_u8;
    let control = prop_oneof![
        Just(Control::Hold),
        Just(Control::Resume),
        Just(Control::Mute),
        Just(Control::Unmute),
        Just(Control::Keys("12#".to_owned())),
        (0..3_u32).prop_map(consult),
        Just(Control::Join),
        Just(Control::Transfer(None)),
        Just(Control::Transfer(Some(AgentPhone::Endpoint("PJSIP/third".to_owned())))),
        Just(Control::EndConsult),
    ];
    let part = prop_oneof![Just(Supervision::Monitor), Just(Supervision::Whisper), Just(Supervision::Barge)];
    let status = prop_oneof![6 => Just(204_u16), 1 => Just(404), 1 => Just(409), 1 => Just(500)];
    let word = prop_oneof![Just("HUMAN"), Just("MACHINE"), Just("NOTSURE"), Just("FAX"), Just("HANGUP")];
    let cause = prop_oneof![
        Just((16, None)),
        Just((17, Some(486))),
        Just((34, Some(503))),
        Just((38, None)),
        Just((0, None))
    ];
    prop_oneof![
        4 => call.clone().prop_map(Step::Place),
        1 => call.clone().prop_map(Step::Cancel),
        1 => call.clone().prop_map(Step::HangUp),
        2 => (call.clone(), who.clone(), any::<bool>()).prop_map(|(call, who, rung)| Step::Connect(call, who, rung)),
        1 => call.clone().prop_map(Step::Play),
        2 => who.clone().prop_map(Step::OpenLine),
        1 => who.clone().prop_map(Step::CloseLine),
        3 => (call.clone(), control).prop_map(|(call, control)| Step::Control(call, control)),
        2 => (call.clone(), part).prop_map(|(call, part)| Step::Supervise(call, part)),
        4 => status.prop_map(Step::Answered),
        2 => call.clone().prop_map(Step::Rings),
        3 => call.clone().prop_map(Step::PickedUp),
        2 => (call.clone(), word).prop_map(|(call, word)| Step::Detected(call, word)),
        2 => (call.clone(), cause).prop_map(|(call, (cause, sip))| Step::Gone(call, cause, sip)),
        3 => who.clone().prop_map(Step::LineUp),
        1 => who.clone().prop_map(Step::LineGone),
        2 => (0..4_u8).prop_map(Step::PartyUp),
        1 => (0..4_u8).prop_map(Step::PartyGone),
        3 => (call.clone(), who).prop_map(|(call, who)| Step::EnteredBridge(call, who)),
        1 => Just(Step::PlayedOut),
        1 => call.prop_map(Step::Pressed),
        1 => Just(Step::Lost),
        2 => Just(Step::Back),
        1 => Just(Step::TimePasses),
    ]
}

/// A switchboard and what it said.
struct Desk {
    board: Switchboard,
    ledger: Arc<Ledger>,
    now: Time,
    is_connected: bool,
    asked: Vec<(u64, Ask)>,
    /// Channels that were asked for and are not known to be gone.
    channels: Vec<String>,
    playbacks: Vec<String>,
    placed: HashSet<AttemptId>,
    told: HashMap<AttemptId, Vec<EventKind>>,
    /// What was told of each supervision that was asked for.
    supervised: HashMap<SupervisionId, Vec<SupervisionState>>,
}

impl Desk {
    fn new() -> Self {
        let (settings, ledger) = (Arc::new(settings()), Arc::new(Ledger::default()));
        let host = settings.hosts[0].clone();
        Self {
            board: Switchboard::new(settings, host, Arc::clone(&ledger)),
            ledger,
            now: Time::EPOCH,
            is_connected: false,
            asked: Vec::new(),
            channels: Vec::new(),
            playbacks: Vec::new(),
            placed: HashSet::new(),
            told: HashMap::new(),
            supervised: HashMap::new(),
        }
    }

    fn says(&mut self, incoming: Incoming) {
        if self.is_connected {
            self.board.incoming(self.now, incoming);
        }
    }

    fn asks(&mut self, request: Request) {
        self.board.request(self.now, request);
    }

    /// The agent's line's channel, the latest one.
    fn line(&self, who: u8) -> String {
        let prefix = format!("line.{}.", agent(who));
        self.channels.iter().rev().find(|id| id.starts_with(&prefix)).cloned().unwrap_or(prefix)
    }

    fn party(&self, number: u8) -> Option<String> {
        let is_party =
            |id: &&String| ["third.", "supervisor.", "snoop."].iter().any(|kind| id.starts_with(kind));
        self.channels.iter().filter(is_party).nth(usize::from(number)).cloned()
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Place(call) if self.placed.insert(attempt(call)) => self.asks(Request::Place(PlaceCall {
                attempt: attempt(call),
                to: format!("+4477009000{call:02}").parse().unwrap(),
                caller_id: None,
                ring_timeout: Duration::from_secs(20),
                attempt_number: 1,
                detection: (call % 2 == 0).then(Detection::default),
                variables: Variables::default(),
            })),
            // An attempt is placed once: the contract asks it of the engine.
            Step::Place(_) => {}
            Step::Cancel(call) => self.asks(Request::Cancel { attempt: attempt(call) }),
            Step::HangUp(call) => self.asks(Request::HangUp { attempt: attempt(call) }),
            Step::Connect(call, who, rung) => {
                let phone = rung.then(|| AgentPhone::Endpoint("PJSIP/agent".to_owned()));
                self.asks(Request::Connect { attempt: attempt(call), agent: agent(who), phone });
            }
            Step::Play(call) => {
                let purpose = if call % 2 == 0 { Purpose::Campaign } else { Purpose::SafeHarbour };
                let message = Message { purpose, sound: None, text: String::new() };
                self.asks(Request::Play { attempt: attempt(call), message });
            }
            Step::OpenLine(who) => {
                let phone = AgentPhone::Endpoint("PJSIP/agent".to_owned());
                self.asks(Request::OpenLine { agent: agent(who), phone });
            }
            Step::CloseLine(who) => self.asks(Request::CloseLine { agent: agent(who) }),
            Step::Control(call, control) => self.asks(Request::Control { attempt: attempt(call), control }),
            Step::Supervise(call, part) => {
                let supervision = SupervisionId(Uuid::from_u128(300 + self.supervised.len() as u128));
                self.supervised.insert(supervision, Vec::new());
                let phone = AgentPhone::Endpoint("PJSIP/boss".to_owned());
                self.asks(Request::Supervise { supervision, attempt: attempt(call), phone, part });
            }
            Step::Answered(status) => self.answer(status),
            Step::Rings(call) => {
                self.says(Incoming::ChannelStateChange { channel: channel(call, "Ringing") })
            }
            Step::PickedUp(call) => {
                self.says(Incoming::ChannelStateChange { channel: channel(call, "Up") });
                let args = vec!["call".to_owned()];
                self.says(Incoming::StasisStart { channel: channel(call, "Up"), args });
            }
            Step::Detected(call, word) => {
                let args = vec!["detected".to_owned(), word.to_owned(), String::new()];
                self.says(Incoming::StasisStart { channel: channel(call, "Up"), args });
            }
            Step::Gone(call, cause, sip) => {
                self.channels.retain(|id| *id != attempt(call).to_string());
                let channel = channel(call, "Down");
                self.says(Incoming::ChannelDestroyed { channel, cause, tech_cause: sip });
            }
            Step::LineUp(who) => {
                let channel = Channel { id: self.line(who), ..Channel::default() };
                self.says(Incoming::StasisStart { channel, args: vec!["line".to_owned()] });
            }
            Step::LineGone(who) => self.destroy(self.line(who)),
            Step::PartyUp(number) => {
                if let Some(id) = self.party(number) {
                    let channel = Channel { id, ..Channel::default() };
                    self.says(Incoming::StasisStart { channel, args: vec!["third".to_owned()] });
                }
            }
            Step::PartyGone(number) => {
                if let Some(id) = self.party(number) {
                    self.destroy(id);
                }
            }
            Step::EnteredBridge(call, who) => {
                let bridge = BridgeId { id: self.line(who) };
                self.says(Incoming::ChannelEnteredBridge { channel: channel(call, "Up"), bridge });
            }
            Step::PlayedOut => {
                for id in std::mem::take(&mut self.playbacks) {
                    self.says(Incoming::PlaybackFinished {
                        playback: Playback { id, ..Playback::default() },
                    });
                }
            }
            Step::Pressed(call) => {
                self.says(Incoming::ChannelDtmfReceived {
                    channel: channel(call, "Up"),
                    digit: "1".to_owned(),
                });
            }
            Step::Lost if self.is_connected => {
                self.is_connected = false;
                self.asked.clear();
                self.board.lost(self.now);
            }
            Step::Back if !self.is_connected => self.come_back(),
            Step::Lost | Step::Back => {}
            Step::TimePasses => {
                self.now = self.now + Duration::from_secs(1);
                self.board.woken(self.now);
            }
        }
        self.hear();
    }

    fn destroy(&mut self, id: String) {
        self.channels.retain(|other| *other != id);
        let channel = Channel { id, ..Channel::default() };
        self.says(Incoming::ChannelDestroyed { channel, cause: 16, tech_cause: None });
    }

    /// The connection is made, and the switch says which channels it has.
    fn come_back(&mut self) {
        self.is_connected = true;
        self.board.connected(self.now);
        self.hear();
        let channel = |id: &String| {
            let kind = if AttemptId::parse(id).is_ok() { "call" } else { id.split('.').next().unwrap_or("") };
            // A channel that hears another carries no variables.
            let variables = match kind {
                "snoop" => serde_json::json!({}),
                _ => serde_json::json!({NODE: NODE_NAME, KIND: kind}),
            };
            serde_json::json!({
                "id": id, "state": "Up", "dialplan": {"app_name": "Stasis"}, "channelvars": variables,
            })
        };
        let channels: Vec<_> = self.channels.iter().map(channel).collect();
        self.compare(&serde_json::json!(channels), &serde_json::json!([]));
    }

    fn compare(&mut self, channels: &serde_json::Value, bridges: &serde_json::Value) {
        for (id, ask) in std::mem::take(&mut self.asked) {
            let body = if ask.uri == "channels" { channels } else { bridges };
            self.respond(id, 200, Some(body.to_string()));
        }
        self.hear();
    }

    fn wants(&self, ask: &Ask) -> bool {
        self.asked.iter().any(|(_, other)| other == ask)
    }

    fn told_last(&self, call: u8) -> Option<EventKind> {
        self.told.get(&attempt(call))?.last().copied()
    }

    fn answer(&mut self, status: u16) {
        for (id, ask) in std::mem::take(&mut self.asked) {
            // What is refused does not come to be.
            if status >= 400
                && ask.method == "POST"
                && let Some(channel) = ask.uri.strip_prefix("channels/")
            {
                let path = channel.split('?').next().unwrap_or("");
                let made = path.split_once("/snoop/").map_or(channel, |(_, snoop)| snoop);
                self.channels.retain(|id| id != made);
            }
            self.respond(id, status, None);
        }
    }

    fn respond(&mut self, id: u64, status_code: u16, message_body: Option<String>) {
        self.says(Incoming::Response(Response { request_id: id.to_string(), status_code, message_body }));
    }

    /// Takes what the switchboard wants and tells, and checks what holds at any time.
    fn hear(&mut self) {
        while let Some(output) = self.board.poll() {
            match output {
                Output::Ask { id, ask } => self.note(id, ask),
                Output::Tell(Event::Call(CallEvent { attempt, kind, .. })) => {
                    let told = self.told.entry(attempt).or_default();
                    let over = told.iter().any(|kind| matches!(kind, EventKind::Ended(_)));
                    assert!(!over, "{kind:?} was told of a call that had ended");
                    let once = matches!(kind, EventKind::Placed | EventKind::Ringing | EventKind::Answered);
                    assert!(
                        !once || !told.contains(&kind) || kind == EventKind::Placed,
                        "{kind:?} was told twice"
                    );
                    if matches!(kind, EventKind::Connected { .. } | EventKind::Detected(_)) {
                        assert!(told.contains(&EventKind::Answered), "{kind:?} before the answer");
                    }
                    told.push(kind);
                }
                Output::Tell(Event::Supervision { supervision, state, .. }) => {
                    let told = self.supervised.get_mut(&supervision).expect("it was asked for");
                    let follows = match state {
                        SupervisionState::Started | SupervisionState::Failed(_) => told.is_empty(),
                        SupervisionState::Ended => told[..] == [SupervisionState::Started],
                    };
                    assert!(follows, "{state:?} after {told:?}");
                    told.push(state);
                }
                Output::Tell(_) | Output::Compared => {}
            }
        }
        for live in self.ledger.live() {
            let told = self.told.get(&live.attempt).into_iter().flatten();
            let is_over = told.into_iter().any(|kind| matches!(kind, EventKind::Ended(_)));
            assert!(!is_over, "a call that has ended counts as live");
        }
    }

    fn note(&mut self, id: u64, ask: Ask) {
        // Nothing that is asked for while the connection is down gets there.
        if !self.is_connected {
            return;
        }
        let path = ask.uri.split('?').next().unwrap_or("");
        if let Some(channel) = path.strip_prefix("channels/")
            && ask.method == "POST"
        {
            match channel.split_once('/') {
                None => self.channels.push(channel.to_owned()),
                Some((_, rest)) => {
                    self.playbacks.extend(rest.strip_prefix("play/").map(str::to_owned));
                    self.channels.extend(rest.strip_prefix("snoop/").map(str::to_owned));
                }
            }
        }
        self.asked.push((id, ask));
    }

    /// Everything that is up is gone, unheard, and the connection comes back.
    fn end(&mut self) {
        self.take(Step::Lost);
        self.channels.clear();
        self.take(Step::Back);
        // What was asked for meanwhile, and calls that waited for their turn.
        for _ in 0..30 {
            self.take(Step::TimePasses);
            for call in 0..4 {
                self.take(Step::Gone(call, 16, None));
            }
            self.hang_up_as_asked();
        }
    }

    /// Supervisors who were asked for while the connection was lost are rung after it is back, and hung up on with their call.
    fn hang_up_as_asked(&mut self) {
        let ends = |ask: &Ask| {
            ask.uri.strip_prefix("channels/").filter(|_| ask.method == "DELETE").map(str::to_owned)
        };
        let ended: Vec<String> = self.asked.iter().filter_map(|(_, ask)| ends(ask)).collect();
        for id in ended.into_iter().filter(|id| self.channels.contains(id)).collect::<Vec<_>>() {
            self.destroy(id);
            self.hear();
        }
    }
}

fn channel(call: u8, state: &str) -> Channel {
    let dialplan = Dialplan { app_name: "Stasis".to_owned() };
    Channel { id: attempt(call).to_string(), state: state.to_owned(), dialplan, ..Channel::default() }
}

/// Call 1 is with agent 0; agent 1 has a line, too.
fn talks(desk: &mut Desk) {
    let steps = [
        Step::Back,
        Step::OpenLine(0),
        Step::OpenLine(1),
        Step::LineUp(0),
        Step::LineUp(1),
        Step::Place(1),
        Step::PickedUp(1),
        Step::Connect(1, 0, false),
        Step::EnteredBridge(1, 0),
    ];
    steps.into_iter().for_each(|step| desk.take(step));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_call_ends_exactly_once_whatever_is_heard_and_in_whichever_order(
        steps in prop::collection::vec(any_step(), 1..80),
    ) {
        let mut desk = Desk::new();
        desk.take(Step::Back);
        for step in steps {
            desk.take(step);
        }
        desk.end();
        for attempt in &desk.placed {
            let told = desk.told.get(attempt).cloned().unwrap_or_default();
            let ends = told.iter().filter(|kind| matches!(kind, EventKind::Ended(_))).count();
            prop_assert_eq!(ends, 1, "a call told {:?}", told);
        }
        prop_assert!(desk.ledger.live().is_empty(), "nothing is up any more");
        for told in desk.supervised.values() {
            let is_over = matches!(told.last(), Some(SupervisionState::Failed(_) | SupervisionState::Ended));
            prop_assert!(is_over, "a supervision told {:?}", told);
        }
        prop_assert!(desk.board.parties.is_empty(), "somebody is still in a call that is over");
        prop_assert_eq!(desk.board.counts().0, 0);
        prop_assert_eq!(desk.board.load(), Some(0.0), "all lines are free again");
    }
}
