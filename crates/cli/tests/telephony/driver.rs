//! The driver for Asterisk against the contract of a driver, on a real Asterisk.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use engine::{AgentId, AttemptId, PhoneNumber};
use telephony::{
    AgentFailure, AgentPhone, AsteriskDriver, AsteriskSettings, Detected, Detection, Driver, EndCause, Event,
    EventKind, HostSettings, PlaceCall, Request, RequestPath, SystemClock, TrunkSettings, Variables,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::lab::{Lab, USER};

/// Longest wait for anything: AMD alone takes five seconds.
const PATIENCE: Duration = Duration::from_secs(40);

pub struct Desk {
    pub driver: Arc<AsteriskDriver>,
    events: mpsc::Receiver<Event>,
    /// What each call told so far.
    told: HashMap<AttemptId, Vec<(EventKind, Instant)>>,
    others: Vec<Event>,
}

pub fn settings(lab: &Lab, requests: RequestPath) -> AsteriskSettings {
    let trunk = |name: &str| TrunkSettings {
        name: name.to_owned(),
        dial: format!("PJSIP/{{number}}@{name}"),
        lines_max: 100,
        calls_per_second_max: 100,
        headers: vec![("X-Outdial".to_owned(), "yes".to_owned())],
    };
    AsteriskSettings {
        node: "desk".to_owned(),
        application: "outdial-desk".to_owned(),
        hosts: vec![HostSettings {
            name: "lab".to_owned(),
            url: format!("http://127.0.0.1:{}", lab.http_port).parse().unwrap(),
            user: USER.to_owned(),
            password: USER.to_owned(),
            ca_pem: None,
            weight: 1,
            lines_max: 100,
            calls_per_second_max: 100,
            requests,
        }],
        trunks: vec![trunk("carrier"), trunk("carrier2")],
        sounds: format!("{}/sounds", lab.inside()),
        whisper_tone_hz: 1500,
        requests_max: AsteriskSettings::REQUESTS_MAX,
        events_max: AsteriskSettings::EVENTS_MAX,
    }
}

impl Desk {
    pub async fn open(lab: &Lab, requests: RequestPath) -> Self {
        Self::with(settings(lab, requests)).await
    }

    /// Over another port than Asterisk's own.
    pub async fn over_wire(lab: &Lab, port: u16) -> Self {
        let mut settings = settings(lab, RequestPath::Auto);
        settings.hosts[0].url = format!("http://127.0.0.1:{port}").parse().unwrap();
        Self::with(settings).await
    }

    pub async fn with(settings: AsteriskSettings) -> Self {
        let (driver, events) = AsteriskDriver::start(settings, Arc::new(SystemClock)).unwrap();
        let mut desk = Self { driver, events, told: HashMap::new(), others: Vec::new() };
        desk.other("the connection", |event| matches!(event, Event::DriverBack { .. })).await;
        desk
    }

    pub fn send(&self, request: Request) {
        self.driver.send(request).unwrap();
    }

    pub fn place(&self, number: &str) -> AttemptId {
        self.place_with(number, |_| {})
    }

    pub fn place_with(&self, number: &str, change: impl FnOnce(&mut PlaceCall)) -> AttemptId {
        let attempt = AttemptId(fresh());
        let mut place = PlaceCall {
            attempt,
            to: number.parse().unwrap(),
            caller_id: Some("+442079460999".parse::<PhoneNumber>().unwrap()),
            ring_timeout: Duration::from_secs(15),
            attempt_number: 1,
            detection: Some(Detection::default()),
            variables: Variables::default(),
        };
        change(&mut place);
        self.send(Request::Place(place));
        attempt
    }

    /// Waits for the next thing that is told.
    pub async fn next(&mut self) {
        let event = timeout(PATIENCE, self.events.recv()).await;
        match event.unwrap_or_else(|_| panic!("nothing more was told; so far {:?}", self.told)) {
            Some(Event::Call(event)) => {
                let told = self.told.entry(event.attempt).or_default();
                let is_over = told.iter().any(|(kind, _)| matches!(kind, EventKind::Ended(_)));
                assert!(!is_over, "{:?} was told of a call that had ended", event.kind);
                told.push((event.kind, Instant::now()));
            }
            Some(event) => self.others.push(event),
            None => panic!("the driver stopped"),
        }
    }

    /// Waits until a call tells something like this.
    pub async fn until(&mut self, attempt: AttemptId, wanted: impl Fn(EventKind) -> bool) -> Instant {
        loop {
            let told = self.told.get(&attempt).into_iter().flatten();
            if let Some((_, at)) = told.into_iter().find(|(kind, _)| wanted(*kind)) {
                return *at;
            }
            let ended = self.kinds(attempt).iter().any(|kind| matches!(kind, EventKind::Ended(_)));
            assert!(!ended, "the call ended without: {:?}", self.kinds(attempt));
            self.next().await;
        }
    }

    /// Waits for something that is not about one call; each is found once.
    pub async fn other(&mut self, what: &str, wanted: impl Fn(&Event) -> bool) -> Event {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(index) = self.others.iter().position(&wanted) {
                return self.others.remove(index);
            }
            assert!(Instant::now() < deadline, "not told of {what}; told {:?}", self.others);
            self.next().await;
        }
    }

    /// Waits for the end of a call, and gives all that it told.
    pub async fn over(&mut self, attempt: AttemptId) -> Vec<EventKind> {
        while !matches!(self.kinds(attempt).last(), Some(EventKind::Ended(_))) {
            self.next().await;
        }
        self.kinds(attempt)
    }

    pub fn kinds(&self, attempt: AttemptId) -> Vec<EventKind> {
        self.told.get(&attempt).into_iter().flatten().map(|(kind, _)| *kind).collect()
    }

    /// Waits until somebody answered, and until it is known who.
    pub async fn detected(&mut self, attempt: AttemptId) -> Detected {
        self.until(attempt, |kind| matches!(kind, EventKind::Detected(_))).await;
        let kinds = self.kinds(attempt);
        let detected = kinds.iter().find_map(|kind| match kind {
            EventKind::Detected(detected) => Some(*detected),
            _ => None,
        });
        detected.expect("it was told")
    }

    pub async fn line_up(&mut self, agent: AgentId, endpoint: &str) {
        let phone = AgentPhone::Endpoint(endpoint.to_owned());
        self.send(Request::OpenLine { agent, phone });
        self.other("a line", |event| matches!(event, Event::LineUp { agent: of, .. } if *of == agent)).await;
    }

    pub fn connect(&self, attempt: AttemptId, agent: AgentId) {
        self.send(Request::Connect { attempt, agent, phone: None });
    }

    pub async fn connected(&mut self, attempt: AttemptId, agent: AgentId) -> Instant {
        self.until(attempt, |kind| kind == EventKind::Connected { agent }).await
    }

    pub async fn hang_up(&mut self, attempt: AttemptId) {
        self.send(Request::HangUp { attempt });
        assert_eq!(self.over(attempt).await.last(), Some(&EventKind::Ended(EndCause::ByUs)));
    }
}

/// Another one each time, in each process.
pub fn fresh() -> Uuid {
    let half = || u128::from(RandomState::new().build_hasher().finish());
    Uuid::from_u128((half() << 64) | half())
}

pub fn agent(number: u128) -> AgentId {
    AgentId(Uuid::from_u128(number))
}

/// Numbers whose last digits choose what the carrier does (`sipp/carrier.xml`).
pub const PERSON: &str = "+447700900000";

#[tokio::test]
async fn calls_that_nobody_answers_end_as_the_network_says() {
    let lab = Lab::start();
    let mut desk = Desk::open(&lab, RequestPath::Auto).await;
    let expected = [
        ("+447700900001", EndCause::Busy, false),
        ("+447700900002", EndCause::NoAnswer, true),
        ("+447700900005", EndCause::InvalidNumber, false),
        ("+442079460405", EndCause::InvalidNumber, true),
        ("+447700900009", EndCause::Rejected, true),
    ];
    let placed: Vec<_> = expected.iter().map(|(number, ..)| desk.place(number)).collect();
    for ((number, end, rings), attempt) in expected.into_iter().zip(placed) {
        let told = desk.over(attempt).await;
        let mut wanted = vec![EventKind::Placed];
        wanted.extend(rings.then_some(EventKind::Ringing));
        wanted.push(EventKind::Ended(end));
        assert_eq!(told, wanted, "{number}");
    }
    let rings = "+447700900002";
    let cancelled = lab.carrier_notes(0, "CANCEL", rings).await;
    let rang = cancelled.at - lab.carrier_notes(0, "RINGING", rings).await.at;
    assert!((14.5..16.5).contains(&rang), "it rang for {rang} s on the wire");
    println!("{} kinds of unanswered calls, each told as the network said", expected.len());
}

#[tokio::test]
async fn who_answered_is_told_from_their_voice() {
    let lab = Lab::start();
    let mut desk = Desk::open(&lab, RequestPath::Auto).await;
    let expected = [
        (PERSON, Detected::Person),
        ("+447700900003", Detected::Machine),
        ("+447700900004", Detected::Fax),
        ("+442079460500", Detected::Silence),
        ("+442079460100", Detected::Person),
    ];
    let placed: Vec<_> = expected.iter().map(|(number, _)| desk.place(number)).collect();
    for ((number, who), attempt) in expected.into_iter().zip(placed) {
        assert_eq!(desk.detected(attempt).await, who, "{number}");
        desk.hang_up(attempt).await;
    }
    println!("{} kinds of people and machines told apart", expected.len());
}

#[tokio::test]
async fn whoever_hangs_up_is_told_apart() {
    let lab = Lab::start();
    let mut desk = Desk::open(&lab, RequestPath::Auto).await;
    let at_once = desk.place("+447700900006");
    let before_bridge = desk.place("+447700900007");
    for attempt in [at_once, before_bridge] {
        let told = desk.over(attempt).await;
        assert_eq!(told.last(), Some(&EventKind::Ended(EndCause::ByCalledParty)));
        assert!(told.contains(&EventKind::Answered));
    }
    let rings = desk.place("+447700900002");
    desk.until(rings, |kind| kind == EventKind::Ringing).await;
    desk.send(Request::Cancel { attempt: rings });
    assert_eq!(desk.over(rings).await.last(), Some(&EventKind::Ended(EndCause::Cancelled)));
    let answered = desk.place(PERSON);
    desk.until(answered, |kind| kind == EventKind::Answered).await;
    desk.send(Request::Cancel { attempt: answered });
    assert_eq!(desk.detected(answered).await, Detected::Person, "an answered call is not withdrawn");
    desk.hang_up(answered).await;
}

#[tokio::test]
async fn a_congested_carrier_is_gone_round_before_it_rings_and_never_after() {
    let lab = Lab::start();
    let mut desk = Desk::open(&lab, RequestPath::Auto).await;
    let before = desk.place("+447700900008");
    let after = desk.place("+442079460808");
    let told = desk.over(before).await;
    assert_eq!(told.last(), Some(&EventKind::Ended(EndCause::Congestion)), "the second is congested, too");
    assert_eq!(desk.over(after).await.last(), Some(&EventKind::Ended(EndCause::Congestion)));
    assert_eq!([lab.invites(0, "+447700900008"), lab.invites(1, "+447700900008")], [1, 1]);
    assert_eq!([lab.invites(0, "+442079460808"), lab.invites(1, "+442079460808")], [1, 0]);
}

#[tokio::test]
async fn the_same_attempt_never_rings_twice() {
    let lab = Lab::start();
    let mut desk = Desk::open(&lab, RequestPath::Auto).await;
    let attempt = desk.place(PERSON);
    desk.until(attempt, |kind| kind == EventKind::Answered).await;
    desk.place_with(PERSON, |place| place.attempt = attempt);
    desk.detected(attempt).await;
    desk.hang_up(attempt).await;
    assert_eq!(lab.invites(0, PERSON), 1);
    let invite = lab.carrier_notes(0, "INVITE", PERSON).await;
    assert!(invite.rest.contains("+442079460999"), "the caller id is on the wire: {}", invite.rest);
}

#[tokio::test]
async fn an_agents_phone_that_is_busy_absent_or_hangs_up_is_told() {
    let lab = Lab::with_phones(["0", "busy"]);
    let mut desk = Desk::open(&lab, RequestPath::Auto).await;
    let down = |agent: AgentId, why: Option<AgentFailure>| move |event: &Event| matches!(event, Event::LineDown { agent: of, reason, .. } if *of == agent && *reason == why);
    for (number, endpoint, why) in
        [(2, "PJSIP/agent-1002", AgentFailure::Busy), (3, "PJSIP/agent-1003", AgentFailure::Unreachable)]
    {
        let phone = AgentPhone::Endpoint(endpoint.to_owned());
        desk.send(Request::OpenLine { agent: agent(number), phone });
        desk.other(endpoint, down(agent(number), Some(why))).await;
    }
    desk.line_up(agent(1), "PJSIP/agent-1001").await;
    desk.send(Request::CloseLine { agent: agent(1) });
    desk.other("the end of a line", down(agent(1), None)).await;
    // Rung for one call, and let go of with it.
    let attempt = desk.place_with("+442079460700", |place| place.detection = None);
    desk.until(attempt, |kind| kind == EventKind::Answered).await;
    let phone = Some(AgentPhone::Endpoint("PJSIP/agent-1002".to_owned()));
    desk.send(Request::Connect { attempt, agent: agent(2), phone });
    let failed = EventKind::AgentFailed { agent: agent(2), reason: AgentFailure::Busy };
    desk.until(attempt, |kind| kind == failed).await;
    let phone = Some(AgentPhone::Endpoint("PJSIP/agent-1001".to_owned()));
    desk.send(Request::Connect { attempt, agent: agent(1), phone });
    desk.connected(attempt, agent(1)).await;
    desk.hang_up(attempt).await;
    desk.other("the end of the line for the call", down(agent(1), None)).await;
}

#[tokio::test]
async fn requests_go_over_http_where_asterisk_does_not_take_them_over_the_web_socket() {
    let lab = Lab::start();
    let mut desk = Desk::open(&lab, RequestPath::Http).await;
    desk.line_up(agent(1), "PJSIP/agent-1001").await;
    let attempt = desk.place(PERSON);
    assert_eq!(desk.detected(attempt).await, Detected::Person);
    desk.connect(attempt, agent(1));
    desk.connected(attempt, agent(1)).await;
    desk.hang_up(attempt).await;
}
