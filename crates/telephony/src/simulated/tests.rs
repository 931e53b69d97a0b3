use std::sync::Arc;
use std::time::Duration;

use engine::{AgentId, AttemptId, PhoneNumber, Time};
use simulator::{Distribution, Population, World};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{CarrierSettings, SimulatedCarrier};
use crate::clock::{Clock, ScaledClock};
use crate::driver::{
    AgentPhone, CallStage, Detection, Driver, DriverError, LiveCall, Message, PlaceCall, Purpose, Request,
    SendError, Variables,
};
use crate::event::{AgentFailure, CallEvent, Detected, EndCause, Event, EventKind};

mod third_parties;

const SECOND: Duration = Duration::from_secs(1);
const FIRST: AttemptId = AttemptId(Uuid::from_u128(1));
const SECOND_ATTEMPT: AttemptId = AttemptId(Uuid::from_u128(2));
const AGENT: AgentId = AgentId(Uuid::from_u128(100));
const OTHER_AGENT: AgentId = AgentId(Uuid::from_u128(101));

/// A carrier on a clock that starts at the epoch.
struct Lab {
    carrier: Arc<SimulatedCarrier>,
    events: mpsc::Receiver<Event>,
    clock: Arc<ScaledClock>,
}

impl Lab {
    fn new() -> Self {
        Self::with(World::with_default_population(1), CarrierSettings::default(), 1.0)
    }

    fn with(world: World, settings: CarrierSettings, speed: f64) -> Self {
        let clock = Arc::new(ScaledClock::starting_at(Time::EPOCH, speed).unwrap());
        let (carrier, events) = SimulatedCarrier::start(world, Arc::clone(&clock) as _, settings);
        Self { carrier, events, clock }
    }

    fn place(&self, attempt: AttemptId, to: &str) {
        self.send(Request::Place(place(attempt, to)));
    }

    fn send(&self, request: Request) {
        self.carrier.send(request).unwrap();
    }

    fn connect(&self, attempt: AttemptId, agent: AgentId) {
        self.send(Request::Connect { attempt, agent, phone: None });
    }

    /// The next event of a call, as seconds since the start and what happened.
    async fn next(&mut self) -> (f64, EventKind) {
        match self.events.recv().await.unwrap() {
            Event::Call(CallEvent { at, kind, .. }) => (seconds(at), kind),
            other => panic!("not an event of a call: {other:?}"),
        }
    }

    async fn expect(&mut self, expected: &[(f64, EventKind)]) {
        for expected in expected {
            assert_eq!(self.next().await, *expected);
        }
    }

    /// Takes events up to one of this kind, and says when that was.
    async fn until(&mut self, kind: EventKind) -> f64 {
        loop {
            let (at, seen) = self.next().await;
            if seen == kind {
                return at;
            }
        }
    }

    /// No event comes any more.
    async fn expect_silence(&mut self) {
        let hour = Duration::from_secs(3600);
        assert_eq!(tokio::time::timeout(hour, self.events.recv()).await.ok(), None);
    }
}

fn seconds(at: Time) -> f64 {
    at.as_micros() as f64 / 1e6
}

fn place(attempt: AttemptId, to: &str) -> PlaceCall {
    PlaceCall {
        attempt,
        to: to.parse().unwrap(),
        caller_id: None,
        ring_timeout: Duration::from_secs(24),
        attempt_number: 1,
        detection: Some(Detection::default()),
        variables: Variables::default(),
    }
}

const PLACED: (f64, EventKind) = (0.0, EventKind::Placed);
const RINGING: (f64, EventKind) = (0.0, EventKind::Ringing);

fn answered(at: f64) -> (f64, EventKind) {
    (at, EventKind::Answered)
}

fn detected(at: f64, by: Detected) -> (f64, EventKind) {
    (at, EventKind::Detected(by))
}

fn connected(at: f64) -> (f64, EventKind) {
    (at, EventKind::Connected { agent: AGENT })
}

fn ended(at: f64, cause: EndCause) -> (f64, EventKind) {
    (at, EventKind::Ended(cause))
}

/// Dials a test number, leaves it alone and expects these events and no more.
async fn left_alone(to: &str, expected: &[(f64, EventKind)]) {
    let mut lab = Lab::new();
    lab.place(FIRST, to);
    lab.expect(expected).await;
    lab.expect_silence().await;
    assert_eq!(lab.carrier.live_calls().await, Ok(vec![]));
}

#[tokio::test(start_paused = true)]
async fn each_test_number_ends_by_its_last_digit() {
    use EndCause as Cause;
    let person = |at, until| {
        [PLACED, RINGING, answered(at), detected(at, Detected::Person), ended(until, Cause::ByCalledParty)]
    };
    left_alone("+447700900000", &person(1.0, 61.0)).await;
    left_alone("+447700900021", &[PLACED, ended(4.0, Cause::Busy)]).await;
    left_alone("+447700900002", &[PLACED, RINGING, ended(24.0, Cause::NoAnswer)]).await;
    let machine = detected(1.0, Detected::Machine);
    left_alone(
        "+447700900003",
        &[PLACED, RINGING, answered(1.0), machine, ended(129.0, Cause::ByCalledParty)],
    )
    .await;
    let fax = detected(1.0, Detected::Fax);
    left_alone("+447700900004", &[PLACED, RINGING, answered(1.0), fax, ended(36.0, Cause::ByCalledParty)])
        .await;
    left_alone("+447700900005", &[PLACED, ended(1.0, Cause::InvalidNumber)]).await;
    left_alone("+447700900036", &person(6.0, 6.0)).await;
    left_alone("+447700900047", &person(8.0, 9.0)).await;
    left_alone("+447700900008", &[PLACED, ended(1.0, Cause::Congestion)]).await;
    left_alone("+14155550109", &[PLACED, RINGING, ended(1.0, Cause::Rejected)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_rings_longer_than_it_may_is_not_answered() {
    let mut lab = Lab::new();
    lab.send(Request::Place(PlaceCall { ring_timeout: 17 * SECOND, ..place(FIRST, "+447700900090") }));
    lab.expect(&[PLACED, RINGING, ended(17.0, EndCause::NoAnswer)]).await;
    lab.expect_silence().await;
    lab.send(Request::Place(PlaceCall {
        ring_timeout: 18 * SECOND,
        ..place(SECOND_ATTEMPT, "+447700900090")
    }));
    lab.until(EventKind::Answered).await;
}

#[tokio::test(start_paused = true)]
async fn a_connected_person_talks_to_the_end_and_hangs_up() {
    let mut lab = Lab::new();
    lab.place(FIRST, "+447700900320");
    lab.expect(&[PLACED, RINGING, answered(4.0), detected(4.0, Detected::Person)]).await;
    tokio::time::sleep(2 * SECOND).await;
    lab.connect(FIRST, AGENT);
    lab.expect(&[connected(6.0), ended(36.0, EndCause::ByCalledParty)]).await;
    lab.expect_silence().await;
    let statistics = lab.carrier.statistics();
    assert_eq!((statistics.connected, statistics.person_without_agent, statistics.ended), (1, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn patience_ends_while_the_agent_is_being_reached() {
    let settings = CarrierSettings { agent_delay: 3 * SECOND, ..CarrierSettings::default() };
    let mut lab = Lab::with(World::with_default_population(1), settings, 1.0);
    lab.place(FIRST, "+447700900007");
    lab.until(EventKind::Answered).await;
    lab.connect(FIRST, AGENT);
    assert_eq!(lab.until(EventKind::Ended(EndCause::ByCalledParty)).await, 2.0);
    lab.expect_silence().await;
    assert_eq!(lab.carrier.statistics().person_without_agent, 1);
}

#[tokio::test(start_paused = true)]
async fn we_can_hang_up_at_every_stage() {
    let mut lab = Lab::new();
    lab.place(FIRST, "+447700900020");
    lab.send(Request::HangUp { attempt: FIRST });
    lab.expect(&[PLACED, RINGING, ended(0.0, EndCause::ByUs)]).await;
    lab.place(SECOND_ATTEMPT, "+447700900020");
    lab.until(EventKind::Answered).await;
    lab.connect(SECOND_ATTEMPT, AGENT);
    lab.until(EventKind::Connected { agent: AGENT }).await;
    tokio::time::sleep(5 * SECOND).await;
    lab.send(Request::HangUp { attempt: SECOND_ATTEMPT });
    lab.expect(&[ended(9.0, EndCause::ByUs)]).await;
    lab.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_is_withdrawn_only_while_nobody_has_answered() {
    let mut lab = Lab::new();
    lab.place(FIRST, "+447700900020");
    tokio::time::sleep(SECOND).await;
    lab.send(Request::Cancel { attempt: FIRST });
    lab.expect(&[PLACED, RINGING, ended(1.0, EndCause::Cancelled)]).await;
    lab.place(SECOND_ATTEMPT, "+447700900000");
    lab.until(EventKind::Detected(Detected::Person)).await;
    lab.send(Request::Cancel { attempt: SECOND_ATTEMPT });
    lab.expect(&[ended(62.0, EndCause::ByCalledParty)]).await;
    assert_eq!(lab.carrier.statistics().requests_ignored, 1);
}

#[tokio::test(start_paused = true)]
async fn requests_for_calls_that_are_not_there_are_ignored() {
    let mut lab = Lab::new();
    lab.send(Request::Cancel { attempt: FIRST });
    lab.send(Request::HangUp { attempt: FIRST });
    lab.connect(FIRST, AGENT);
    lab.send(Request::Play { attempt: FIRST, message: Message::SAFE_HARBOUR });
    lab.expect_silence().await;
    assert_eq!(lab.carrier.statistics().requests_ignored, 4);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_placed_twice_rings_once() {
    let mut lab = Lab::new();
    lab.place(FIRST, "+447700900001");
    lab.place(FIRST, "+447700900001");
    lab.expect(&[PLACED, ended(1.0, EndCause::Busy)]).await;
    lab.place(FIRST, "+447700900001");
    lab.expect_silence().await;
    assert_eq!(lab.carrier.times_placed(FIRST), 3);
    let statistics = lab.carrier.statistics();
    assert_eq!((statistics.placed, statistics.duplicate_places, statistics.ended), (1, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn two_calls_to_one_number_at_a_time_are_counted() {
    let mut lab = Lab::new();
    lab.place(FIRST, "+447700900001");
    lab.until(EventKind::Ended(EndCause::Busy)).await;
    lab.place(SECOND_ATTEMPT, "+447700900001");
    lab.until(EventKind::Placed).await;
    assert_eq!(lab.carrier.statistics().placed_beside_another, 0);
    lab.place(AttemptId(Uuid::from_u128(3)), "+447700900001");
    lab.until(EventKind::Placed).await;
    assert_eq!(lab.carrier.statistics().placed_beside_another, 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_for_which_no_line_is_free_ends_without_being_placed() {
    let settings = CarrierSettings { lines_max: 1, ..CarrierSettings::default() };
    let mut lab = Lab::with(World::with_default_population(1), settings, 1.0);
    lab.place(FIRST, "+447700900001");
    lab.place(SECOND_ATTEMPT, "+447700900001");
    lab.expect(&[PLACED, ended(0.0, EndCause::NoLine), ended(1.0, EndCause::Busy)]).await;
    lab.place(AttemptId(Uuid::from_u128(3)), "+447700900001");
    lab.until(EventKind::Placed).await;
    let statistics = lab.carrier.statistics();
    assert_eq!((statistics.no_line, statistics.placed, statistics.lines_peak), (1, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn an_agent_who_cannot_be_reached_leaves_the_person_waiting_for_another() {
    let mut lab = Lab::new();
    lab.place(FIRST, "+447700900000");
    lab.until(EventKind::Detected(Detected::Person)).await;
    let failures = [("+447700900001", AgentFailure::Busy), ("+447700900005", AgentFailure::Unreachable)];
    for (number, reason) in failures {
        let phone = Some(AgentPhone::Number(number.parse().unwrap()));
        lab.send(Request::Connect { attempt: FIRST, agent: OTHER_AGENT, phone });
        let failed = EventKind::AgentFailed { agent: OTHER_AGENT, reason };
        assert_eq!(lab.next().await.1, failed);
    }
    let phone = Some(AgentPhone::Number("+447700900010".parse().unwrap()));
    lab.send(Request::Connect { attempt: FIRST, agent: AGENT, phone });
    lab.expect(&[connected(5.0), ended(65.0, EndCause::ByCalledParty)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_waiting_takes_no_agent() {
    let mut lab = Lab::new();
    let refused = |agent| EventKind::AgentFailed { agent, reason: AgentFailure::CallNotWaiting };
    lab.place(FIRST, "+447700900000");
    lab.connect(FIRST, AGENT);
    lab.expect(&[PLACED, RINGING, (0.0, refused(AGENT)), answered(1.0)]).await;
    lab.until(EventKind::Detected(Detected::Person)).await;
    lab.connect(FIRST, AGENT);
    lab.expect(&[connected(1.0)]).await;
    lab.connect(FIRST, AGENT);
    lab.expect(&[(1.0, refused(AGENT)), ended(61.0, EndCause::ByCalledParty)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_from_one_agent_to_another_and_talks_no_longer_for_it() {
    let mut lab = Lab::new();
    lab.place(FIRST, "+447700900000");
    lab.until(EventKind::Detected(Detected::Person)).await;
    lab.connect(FIRST, AGENT);
    lab.expect(&[connected(1.0)]).await;
    lab.connect(FIRST, OTHER_AGENT);
    let other = EventKind::Connected { agent: OTHER_AGENT };
    lab.expect(&[(1.0, other), ended(61.0, EndCause::ByCalledParty)]).await;
    assert_eq!(lab.carrier.statistics().connected, 1);
}

#[tokio::test(start_paused = true)]
async fn a_second_agent_is_refused_while_the_first_is_being_reached() {
    let settings = CarrierSettings { agent_delay: 3 * SECOND, ..CarrierSettings::default() };
    let mut lab = Lab::with(World::with_default_population(1), settings, 1.0);
    lab.place(FIRST, "+447700900000");
    lab.until(EventKind::Detected(Detected::Person)).await;
    lab.connect(FIRST, AGENT);
    lab.connect(FIRST, OTHER_AGENT);
    let refused = EventKind::AgentFailed { agent: OTHER_AGENT, reason: AgentFailure::CallNotWaiting };
    lab.expect(&[(1.0, refused), connected(4.0)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_played_to_its_end_is_reported() {
    let mut lab = Lab::new();
    lab.place(FIRST, "+447700900000");
    lab.until(EventKind::Detected(Detected::Person)).await;
    lab.send(Request::Play { attempt: FIRST, message: Message::SAFE_HARBOUR });
    lab.expect(&[(6.0, EventKind::PlayFinished)]).await;
    let stage = |stage| Ok(vec![LiveCall { attempt: FIRST, stage, agent: None }]);
    assert_eq!(lab.carrier.live_calls().await, stage(CallStage::Answered));
    let survey = Message { purpose: Purpose::Campaign, sound: None, text: "x".repeat(70) };
    lab.send(Request::Play { attempt: FIRST, message: survey });
    lab.expect(&[(11.0, EventKind::PlayFinished)]).await;
    assert_eq!(lab.carrier.live_calls().await, stage(CallStage::MessagePlayed));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_cut_short_is_not_reported() {
    let mut lab = Lab::new();
    lab.place(FIRST, "+447700900000");
    lab.until(EventKind::Detected(Detected::Person)).await;
    lab.send(Request::Play { attempt: FIRST, message: Message::SAFE_HARBOUR });
    tokio::time::sleep(2 * SECOND).await;
    lab.send(Request::Play { attempt: FIRST, message: Message::SAFE_HARBOUR });
    lab.expect(&[(8.0, EventKind::PlayFinished)]).await;
    lab.send(Request::Play { attempt: FIRST, message: Message::SAFE_HARBOUR });
    lab.connect(FIRST, AGENT);
    lab.expect(&[connected(8.0), ended(68.0, EndCause::ByCalledParty)]).await;
}

#[tokio::test(start_paused = true)]
async fn detection_comes_after_its_delay_and_only_if_it_was_asked() {
    let settings = CarrierSettings { detection_delay: 2 * SECOND, ..CarrierSettings::default() };
    let mut lab = Lab::with(World::with_default_population(1), settings, 1.0);
    lab.place(FIRST, "+447700900004");
    lab.expect(&[PLACED, RINGING, answered(1.0), detected(3.0, Detected::Fax)]).await;
    lab.send(Request::HangUp { attempt: FIRST });
    lab.until(EventKind::Ended(EndCause::ByUs)).await;
    lab.send(Request::Place(PlaceCall { detection: None, ..place(SECOND_ATTEMPT, "+447700900004") }));
    lab.until(EventKind::Answered).await;
    assert!(matches!(lab.next().await, (_, EventKind::Ended(EndCause::ByCalledParty))));
}

#[tokio::test(start_paused = true)]
async fn an_agent_can_be_connected_to_a_machine_until_it_hangs_up() {
    let mut lab = Lab::new();
    lab.place(FIRST, "+447700900003");
    lab.until(EventKind::Detected(Detected::Machine)).await;
    lab.connect(FIRST, AGENT);
    lab.expect(&[connected(1.0), ended(129.0, EndCause::ByCalledParty)]).await;
}

#[tokio::test(start_paused = true)]
async fn live_calls_can_be_asked_while_nobody_takes_events() {
    let settings = CarrierSettings { events_max: 1, ..CarrierSettings::default() };
    let lab = Lab::with(World::with_default_population(1), settings, 1.0);
    lab.place(FIRST, "+447700900002");
    lab.place(SECOND_ATTEMPT, "+447700900000");
    tokio::time::sleep(SECOND).await;
    // The queue of events has room for one, so the carrier waits with the second event of the first call.
    let live = lab.carrier.live_calls().await;
    assert_eq!(live, Ok(vec![LiveCall { attempt: FIRST, stage: CallStage::Ringing, agent: None }]));
}

#[tokio::test(start_paused = true)]
async fn no_event_is_lost_when_they_are_taken_late() {
    let settings = CarrierSettings { events_max: 1, ..CarrierSettings::default() };
    let mut lab = Lab::with(World::with_default_population(1), settings, 1.0);
    lab.place(FIRST, "+447700900006");
    tokio::time::sleep(100 * SECOND).await;
    let person = detected(1.0, Detected::Person);
    lab.expect(&[PLACED, RINGING, answered(1.0), person, ended(1.0, EndCause::ByCalledParty)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_of_requests_is_reported() {
    let settings = CarrierSettings { requests_max: 2, ..CarrierSettings::default() };
    let lab = Lab::with(World::with_default_population(1), settings, 1.0);
    let hang_up = Request::HangUp { attempt: FIRST };
    assert_eq!(lab.carrier.send(hang_up.clone()), Ok(()));
    assert_eq!(lab.carrier.send(hang_up.clone()), Ok(()));
    assert_eq!(lab.carrier.send(hang_up.clone()), Err(SendError::Overloaded));
    tokio::time::sleep(SECOND).await;
    assert_eq!(lab.carrier.send(hang_up), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn the_carrier_stops_when_nobody_takes_events_any_more() {
    let Lab { carrier, events, .. } = Lab::new();
    drop(events);
    tokio::time::sleep(SECOND).await;
    assert_eq!(carrier.send(Request::HangUp { attempt: FIRST }), Err(SendError::Stopped));
    assert_eq!(carrier.live_calls().await, Err(DriverError::Stopped));
}

#[tokio::test(start_paused = true)]
async fn the_events_end_when_nobody_holds_the_driver_any_more() {
    let Lab { carrier, mut events, .. } = Lab::new();
    drop(carrier);
    assert_eq!(events.recv().await, None);
}

#[tokio::test(start_paused = true)]
async fn while_the_connection_is_lost_calls_go_on_unheard() {
    let mut lab = Lab::new();
    lab.place(FIRST, "+447700900000");
    lab.place(SECOND_ATTEMPT, "+447700900021");
    lab.expect(&[PLACED, RINGING, PLACED]).await;
    lab.carrier.lose_connection().await;
    assert_eq!(lab.events.recv().await, Some(Event::DriverLost { at: Time::EPOCH }));
    assert_eq!(lab.carrier.send(Request::HangUp { attempt: FIRST }), Err(SendError::NotConnected));
    assert_eq!(lab.carrier.live_calls().await, Err(DriverError::NotConnected));
    tokio::time::sleep(10 * SECOND).await;
    lab.carrier.restore_connection().await;
    assert_eq!(lab.events.recv().await, Some(Event::DriverBack { at: Time::EPOCH + 10 * SECOND }));
    let live = lab.carrier.live_calls().await;
    assert_eq!(live, Ok(vec![LiveCall { attempt: FIRST, stage: CallStage::Answered, agent: None }]));
    assert_eq!(lab.carrier.statistics().events_lost, 3);
    lab.connect(FIRST, AGENT);
    lab.expect(&[connected(10.0), ended(70.0, EndCause::ByCalledParty)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_fast_clock_tells_the_same_times() {
    let mut lab = Lab::with(World::with_default_population(1), CarrierSettings::default(), 1000.0);
    let real = tokio::time::Instant::now();
    lab.place(FIRST, "+447700900000");
    let person = detected(1.0, Detected::Person);
    lab.expect(&[PLACED, RINGING, answered(1.0), person, ended(61.0, EndCause::ByCalledParty)]).await;
    assert!(real.elapsed() < SECOND);
    assert!(lab.clock.now() >= Time::EPOCH + 61 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn the_hour_where_people_live_decides_how_many_answer() {
    let mut hourly_factor = [0.0; 24];
    hourly_factor[1] = 4.0;
    let population = Population {
        hourly_factor,
        machine_probability: 0.0,
        fax_probability: 0.0,
        busy_probability: 0.0,
        invalid_number_probability: 0.0,
        ..Population::default()
    };
    let world = World::new(1, population).unwrap();
    // At the epoch it was 00:00 in UTC and 01:00 in Paris.
    for (zone, answers) in [("Europe/Paris", 20), ("UTC", 0)] {
        let settings = CarrierSettings { zone: Some(zone.parse().unwrap()), ..CarrierSettings::default() };
        let mut lab = Lab::with(world.clone(), settings, 1.0);
        for index in 0..20 {
            lab.place(AttemptId(Uuid::from_u128(index)), &format!("+331234567{index:02}"));
        }
        while lab.carrier.statistics().ended < 20 {
            lab.next().await;
        }
        assert_eq!(lab.carrier.statistics().answered_by_person, answers, "{zone}");
    }
}

#[tokio::test(start_paused = true)]
async fn thousands_of_calls_each_end_exactly_once_and_leave_nothing_behind() {
    const CALLS: u128 = 5000;
    let population = Population { patience: Distribution::Constant { value: 5.0 }, ..Population::default() };
    let settings = CarrierSettings { lines_max: 10_000, ..CarrierSettings::default() };
    let mut lab = Lab::with(World::new(9, population).unwrap(), settings, 1.0);
    let mut ended = std::collections::HashMap::new();
    for index in 0..CALLS {
        let to = PhoneNumber::from_digits(33_100_000_000 + index as u64).unwrap();
        lab.place(AttemptId(Uuid::from_u128(index)), &to.to_string());
    }
    let mut last = Time::EPOCH;
    while ended.len() < CALLS as usize {
        let Event::Call(event) = lab.events.recv().await.unwrap() else {
            panic!("the connection was not lost")
        };
        assert!(event.at >= last, "events come in the order of time");
        last = event.at;
        assert!(!ended.contains_key(&event.attempt), "nothing comes after the end");
        match event.kind {
            EventKind::Detected(Detected::Person) => lab.connect(event.attempt, AGENT),
            EventKind::Detected(_) => lab.send(Request::HangUp { attempt: event.attempt }),
            EventKind::Ended(cause) => assert_eq!(ended.insert(event.attempt, cause), None),
            _ => {}
        }
    }
    lab.expect_silence().await;
    let statistics = lab.carrier.statistics();
    assert_eq!((statistics.placed, statistics.ended, statistics.lines_in_use), (5000, 5000, 0));
    assert_eq!(statistics.connected, statistics.answered_by_person);
    assert_eq!(statistics.duplicate_places, 0);
    assert!(statistics.lines_peak > 4000);
}

#[tokio::test(start_paused = true)]
async fn a_person_presses_their_key_while_a_message_plays_and_not_before() {
    let mut lab = Lab::new();
    lab.place(FIRST, "+443069990039");
    lab.until(EventKind::Detected(Detected::Person)).await;
    tokio::time::sleep(10 * SECOND).await;
    let survey = Message { purpose: Purpose::Campaign, sound: None, text: "x".repeat(140) };
    lab.send(Request::Play { attempt: FIRST, message: survey });
    lab.expect(&[(14.0, EventKind::Digit('9')), (21.0, EventKind::PlayFinished)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_key_is_not_pressed_when_the_call_is_over_before() {
    let mut lab = Lab::new();
    lab.place(FIRST, "+443069990051");
    lab.until(EventKind::Detected(Detected::Person)).await;
    lab.send(Request::Play { attempt: FIRST, message: Message::SAFE_HARBOUR });
    tokio::time::sleep(2 * SECOND).await;
    lab.send(Request::HangUp { attempt: FIRST });
    lab.expect(&[ended(3.0, EndCause::ByUs)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_person_listens_to_the_end_of_a_message_however_impatient() {
    let mut lab = Lab::new();
    lab.place(FIRST, "+447700900007");
    lab.until(EventKind::Detected(Detected::Person)).await;
    lab.send(Request::Play { attempt: FIRST, message: Message::SAFE_HARBOUR });
    lab.expect(&[(6.0, EventKind::PlayFinished), ended(6.0, EndCause::ByCalledParty)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_on_a_machine_begins_after_its_greeting() {
    let mut lab = Lab::new();
    lab.place(FIRST, "+447700900003");
    lab.until(EventKind::Detected(Detected::Machine)).await;
    lab.send(Request::Play { attempt: FIRST, message: Message::SAFE_HARBOUR });
    lab.expect(&[(14.0, EventKind::PlayFinished)]).await;
}
