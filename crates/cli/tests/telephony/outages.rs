//! What goes on while somebody is away: the connection, Asterisk, Outdial.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use telephony::{
    AgentPhone, AsteriskDriver, CallStage, Control, Detected, Driver, EndCause, Event, EventKind, Failure,
    Request, RequestPath, SystemClock,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::driver::{Desk, agent, settings};
use crate::lab::Lab;

/// A person who talks for ten seconds, and one who talks for a minute.
const TALKS_10_S: &str = "+447700900100";
const TALKS_60_S: &str = "+447700900600";
const UNHEARD: EventKind = EventKind::Ended(EndCause::Failed(Failure::Unheard));

/// A way to Asterisk that can be cut.
struct Wire {
    port: u16,
    is_cut: Arc<AtomicBool>,
    cut: Arc<Notify>,
}

impl Wire {
    async fn lay(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (is_cut, cut) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
        let wire = Self { port, is_cut: Arc::clone(&is_cut), cut: Arc::clone(&cut) };
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                if is_cut.load(Ordering::Acquire) {
                    continue;
                }
                let cut = Arc::clone(&cut);
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        () = cut.notified() => {}
                    }
                });
            }
        });
        wire
    }

    fn cut(&self) {
        self.is_cut.store(true, Ordering::Release);
        self.cut.notify_waiters();
    }

    fn mend(&self) {
        self.is_cut.store(false, Ordering::Release);
    }
}

fn is_lost(event: &Event) -> bool {
    matches!(event, Event::DriverLost { .. })
}

fn is_back(event: &Event) -> bool {
    matches!(event, Event::DriverBack { .. })
}

#[tokio::test]
async fn a_hang_up_while_the_connection_is_cut_is_not_missed_and_live_calls_stay_up() {
    let lab = Lab::start();
    let wire = Wire::lay(lab.http_port).await;
    let mut desk = Desk::over_wire(&lab, wire.port).await;
    desk.line_up(agent(1), "PJSIP/agent-1001").await;
    let short = desk.place(TALKS_10_S);
    let long = desk.place(TALKS_60_S);
    let rings = desk.place("+447700900050");
    assert_eq!(desk.detected(long).await, Detected::Person);
    desk.connect(long, agent(1));
    desk.connected(long, agent(1)).await;
    desk.until(rings, |kind| kind == EventKind::Ringing).await;
    wire.cut();
    desk.other("the loss", is_lost).await;
    assert!(desk.driver.live_calls().await.is_err());
    tokio::time::sleep(Duration::from_secs(11)).await;
    wire.mend();
    desk.other("the return", is_back).await;
    assert_eq!(desk.over(short).await.last(), Some(&UNHEARD));
    desk.until(rings, |kind| kind == EventKind::Answered).await;
    assert_eq!(
        desk.detected(rings).await,
        Detected::Person,
        "who was picked up unheard is detected all the same"
    );
    let live = desk.driver.live_calls().await.unwrap();
    let talks = live.iter().find(|call| call.attempt == long).unwrap();
    assert_eq!((talks.stage, talks.agent), (CallStage::Connected, Some(agent(1))));
    desk.hang_up(rings).await;
    desk.hang_up(long).await;
    println!("3 calls over a cut of 11 s: 1 hang-up found, 1 answer found, 1 conversation kept");
}

#[tokio::test]
async fn when_asterisk_dies_every_call_ends_and_when_it_is_back_calls_are_placed_again() {
    let mut lab = Lab::start();
    let mut desk = Desk::open(&lab, RequestPath::Auto).await;
    desk.line_up(agent(1), "PJSIP/agent-1001").await;
    let calls = [desk.place(TALKS_60_S), desk.place("+447700900601"), desk.place("+447700900002")];
    desk.detected(calls[0]).await;
    lab.kill_asterisk();
    desk.other("the loss", is_lost).await;
    lab.start_asterisk();
    desk.other("the return", is_back).await;
    for attempt in [calls[0], calls[2]] {
        assert_eq!(desk.over(attempt).await.last(), Some(&UNHEARD));
    }
    desk.other("the end of the line", |event| matches!(event, Event::LineDown { .. })).await;
    assert!(desk.driver.live_calls().await.unwrap().is_empty());
    let again = desk.place("+447700900110");
    assert_eq!(desk.detected(again).await, Detected::Person);
    desk.hang_up(again).await;
}

#[tokio::test]
async fn an_asterisk_that_stands_still_counts_as_lost() {
    let lab = Lab::start();
    let mut desk = Desk::open(&lab, RequestPath::Auto).await;
    lab.pause_asterisk(true);
    desk.other("the loss", is_lost).await;
    lab.pause_asterisk(false);
    desk.other("the return", is_back).await;
}

#[tokio::test]
async fn when_another_program_took_the_application_and_is_gone_the_connection_is_made_again() {
    for requests in [RequestPath::Auto, RequestPath::Http] {
        let lab = Lab::start();
        let mut desk = Desk::open(&lab, requests).await;
        drop(Desk::open(&lab, requests).await);
        desk.other("the loss", is_lost).await;
        desk.other("the return", is_back).await;
        let attempt = desk.place(TALKS_10_S);
        desk.until(attempt, |kind| kind == EventKind::Answered).await;
        desk.hang_up(attempt).await;
    }
}

#[tokio::test]
async fn a_driver_that_starts_anew_finds_the_calls_of_its_node_and_rings_nobody_again() {
    let lab = Lab::start();
    let mut desk = Desk::open(&lab, RequestPath::Auto).await;
    desk.line_up(agent(1), "PJSIP/agent-1001").await;
    let talks = desk.place(TALKS_60_S);
    assert_eq!(desk.detected(talks).await, Detected::Person);
    desk.connect(talks, agent(1));
    desk.connected(talks, agent(1)).await;
    let rings = desk.place("+447700900030");
    desk.until(rings, |kind| kind == EventKind::Ringing).await;
    drop(desk);
    let mut desk = Desk::open(&lab, RequestPath::Auto).await;
    let live = desk.driver.live_calls().await.unwrap();
    let mut found: Vec<_> = live.iter().map(|call| (call.attempt, call.stage, call.agent)).collect();
    found.sort();
    let mut wanted = vec![(talks, CallStage::Connected, Some(agent(1))), (rings, CallStage::Ringing, None)];
    wanted.sort();
    assert_eq!(found, wanted);
    desk.until(rings, |kind| kind == EventKind::Answered).await;
    desk.connect(rings, agent(2));
    desk.until(rings, |kind| matches!(kind, EventKind::AgentFailed { .. })).await;
    desk.hang_up(rings).await;
    desk.hang_up(talks).await;
    // The line outlived the call, and takes the next.
    let next = desk.place("+447700900100");
    desk.detected(next).await;
    desk.connect(next, agent(1));
    desk.connected(next, agent(1)).await;
    desk.hang_up(next).await;
    for number in [TALKS_60_S, "+447700900030"] {
        assert_eq!(lab.invites(0, number), 1, "{number} was rung once");
    }
    println!("2 calls and 1 line adopted, 0 rung a second time");
}

#[tokio::test]
async fn who_waits_while_somebody_is_consulted_is_with_their_agent_again_when_the_driver_starts_anew() {
    let lab = Lab::start();
    let mut desk = Desk::open(&lab, RequestPath::Auto).await;
    desk.line_up(agent(1), "PJSIP/agent-1001").await;
    let attempt = desk.place(TALKS_60_S);
    desk.detected(attempt).await;
    desk.connect(attempt, agent(1));
    desk.connected(attempt, agent(1)).await;
    let phone = AgentPhone::Endpoint("PJSIP/agent-1002".to_owned());
    desk.send(Request::Control { attempt, control: Control::Consult { phone, consultation: 1 } });
    desk.until(attempt, |kind| kind == EventKind::ThirdAnswered { consultation: 1 }).await;
    drop(desk);
    let desk = Desk::open(&lab, RequestPath::Auto).await;
    lab.phone_does(1, "BYE", 1).await;
    let with_their_agent = |live: &[telephony::LiveCall]| {
        live.iter().any(|call| (call.stage, call.agent) == (CallStage::Connected, Some(agent(1))))
    };
    assert!(with_their_agent(&desk.driver.live_calls().await.unwrap()));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while lab.channels_in_bridges() != 2 {
        assert!(tokio::time::Instant::now() < deadline, "the called party still waits");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // On hold they stay there.
    desk.send(Request::Control { attempt, control: Control::Hold });
    while lab.channels_in_bridges() != 1 {
        assert!(tokio::time::Instant::now() < deadline, "the called party is not put on hold");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    drop(desk);
    let mut desk = Desk::open(&lab, RequestPath::Auto).await;
    assert!(with_their_agent(&desk.driver.live_calls().await.unwrap()));
    assert_eq!(lab.channels_in_bridges(), 1);
    desk.send(Request::Control { attempt, control: Control::Resume });
    while lab.channels_in_bridges() != 2 {
        assert!(tokio::time::Instant::now() < deadline, "the called party still waits");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    desk.hang_up(attempt).await;
}

#[tokio::test]
async fn another_node_s_calls_on_the_same_asterisk_are_not_touched() {
    let lab = Lab::start();
    let mut desk = Desk::open(&lab, RequestPath::Auto).await;
    let attempt = desk.place(TALKS_60_S);
    desk.detected(attempt).await;
    let mut of_other = settings(&lab, RequestPath::Auto);
    of_other.node = "other".to_owned();
    of_other.application = "outdial-other".to_owned();
    let (driver, mut events) = AsteriskDriver::start(of_other, Arc::new(SystemClock)).unwrap();
    assert!(events.recv().await.is_some_and(|event| is_back(&event)));
    assert!(driver.live_calls().await.unwrap().is_empty());
    driver.send(Request::HangUp { attempt }).unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(desk.driver.live_calls().await.unwrap().len(), 1);
    desk.hang_up(attempt).await;
}
