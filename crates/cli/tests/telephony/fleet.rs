//! Several Asterisks: calls are shared out by weight, one can be emptied, and one that dies takes only its own calls along.

use std::time::Duration;

use telephony::{Detected, Driver, EndCause, Event, EventKind, Failure, HostSettings, RequestPath};

use crate::driver::{Desk, settings};
use crate::lab::Lab;

fn host(lab: &Lab, name: &str, weight: u32) -> HostSettings {
    let mut host = settings(lab, RequestPath::Auto).hosts.remove(0);
    (host.name, host.weight) = (name.to_owned(), weight);
    host
}

/// Numbers of people who talk for a minute.
fn people() -> impl Iterator<Item = String> {
    (0..10).map(|ring| format!("+4477009006{ring}0"))
}

fn rung(lab: &Lab) -> usize {
    lab.carrier_log(0).iter().filter(|line| line.word == "INVITE").count()
}

#[tokio::test]
async fn calls_are_shared_out_by_weight_and_a_drained_or_dead_switch_is_left_out() {
    let (big, mut small) = (Lab::start(), Lab::start());
    let mut both = settings(&big, RequestPath::Auto);
    both.hosts = vec![host(&big, "big", 3), host(&small, "small", 1)];
    let mut desk = Desk::with(both).await;
    while desk.driver.switches().iter().any(|switch| !switch.is_connected) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut placed: Vec<_> = people().take(8).map(|number| desk.place(&number)).collect();
    for attempt in &placed {
        desk.until(*attempt, |kind| kind == EventKind::Placed).await;
    }
    let calls = |desk: &Desk| -> Vec<u32> { desk.driver.switches().iter().map(|one| one.calls).collect() };
    assert_eq!(calls(&desk), [6, 2], "three to one");
    let first = placed[0];
    assert_eq!(desk.detected(first).await, Detected::Person);
    // Emptied: the calls on it go on, new ones go to the other.
    assert!(desk.driver.drain("big", true) && !desk.driver.drain("nowhere", true));
    let next = desk.place("+447700900680");
    desk.until(next, |kind| kind == EventKind::Placed).await;
    assert_eq!(calls(&desk), [6, 3]);
    placed.push(next);
    // The one that is left dies: its calls end, nothing can be placed, and the drained one keeps its own.
    while rung(&small) < 3 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    small.kill_asterisk();
    desk.other("that no switch is used", |event| matches!(event, Event::Drained { .. })).await;
    assert!(desk.driver.is_connected());
    desk.driver.drain("big", false);
    desk.other("that one is used again", |event| matches!(event, Event::Used { .. })).await;
    let last = desk.place("+447700900690");
    desk.until(last, |kind| kind == EventKind::Placed).await;
    placed.push(last);
    assert_eq!(desk.driver.switches()[0].calls, 7);
    // When it is back it is known which of its calls are gone.
    small.start_asterisk();
    let unheard = EventKind::Ended(EndCause::Failed(Failure::Unheard));
    let lost =
        |desk: &Desk| placed.iter().filter(|attempt| desk.kinds(**attempt).last() == Some(&unheard)).count();
    while lost(&desk) < 3 {
        desk.next().await;
    }
    let live = desk.driver.live_calls().await.unwrap();
    assert_eq!(live.len(), 7, "those on the other go on");
    assert_eq!((rung(&big), rung(&small)), (7, 3), "nobody was rung twice");
    println!(
        "10 calls on 2 Asterisks: 7 and 3 by weight, draining and death; 3 ended with theirs, nobody rung twice"
    );
}
