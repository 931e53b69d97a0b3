//! What is said, heard and pressed on calls, and who takes part in them.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use engine::{AttemptId, PartyEnd, SupervisionId};
use telephony::{
    AgentPhone, Control, Detected, Driver, EndCause, Event, EventKind, Message, PlaceCall, Purpose, Request,
    RequestPath, Sound, SoundFile, Supervision, SupervisionState, Variables,
};

use crate::driver::{Desk, agent, fresh};
use crate::lab::Lab;
use crate::sound::{length_of, seconds_of, seconds_of_short};

/// Hums 440 Hz from the answer on. Agents' phones hum 880 Hz.
const HUMS: &str = "+442079460700";
const SECOND: Duration = Duration::from_secs(1);

/// A message of so many seconds of 660 Hz.
fn make_sound(lab: &Lab, name: &str, seconds: u32) {
    let file = lab.folder().join("sounds").join(format!("{name}.wav"));
    let mut sox = Command::new("sox");
    sox.args(["-q", "-n", "-r", "8000", "-c", "1", "-b", "16"]).arg(&file);
    sox.args(["synth", &seconds.to_string(), "sine", "660", "vol", "0.3"]);
    assert!(sox.status().unwrap().success());
}

/// Without detection, and with each voice in a file by itself: the dial plan has that for tests.
fn recorded(lab: &Lab, name: &str) -> impl FnOnce(&mut PlaceCall) + use<> {
    let voices = voices(lab, name);
    move |place| {
        place.detection = None;
        place.variables = voices;
    }
}

fn voices(lab: &Lab, name: &str) -> Variables {
    let file = format!("{}/spool/monitor/{name}", lab.inside());
    Variables(vec![("OUTDIAL_VOICES".to_owned(), file)])
}

fn recording(lab: &Lab, name: &str, side: &str) -> PathBuf {
    lab.folder().join("spool/monitor").join(format!("{name}{side}.wav"))
}

/// One call with an agent, recorded under the name.
async fn conversation(lab: &Lab, desk: &mut Desk, name: &'static str) -> AttemptId {
    desk.line_up(agent(1), "PJSIP/agent-1001").await;
    let attempt = desk.place_with(HUMS, recorded(lab, name));
    desk.until(attempt, |kind| kind == EventKind::Answered).await;
    desk.connect(attempt, agent(1));
    desk.connected(attempt, agent(1)).await;
    attempt
}

#[tokio::test]
async fn a_person_and_an_agent_hear_each_other() {
    let lab = Lab::start();
    let mut desk = Desk::open(&lab, RequestPath::Auto).await;
    desk.line_up(agent(1), "PJSIP/agent-1001").await;
    let heard = lab.listen_to("line.");
    let attempt = conversation(&lab, &mut desk, "both").await;
    tokio::time::sleep(3 * SECOND).await;
    desk.hang_up(attempt).await;
    desk.send(Request::CloseLine { agent: agent(1) });
    tokio::time::sleep(SECOND).await;
    // The agent alone hears what tells of the call.
    let told = seconds_of_short(&heard, 1500);
    assert!((0.1..0.5).contains(&told), "the agent heard the tone for {told} s");
    assert_eq!(seconds_of(&recording(&lab, "both", "-agent"), 1500), 0.0);
    assert!(seconds_of(&heard, 440) > 2.0, "the agent's telephone heard the called party");
    let (called, of_agent) = (
        seconds_of(&recording(&lab, "both", "-called"), 440),
        seconds_of(&recording(&lab, "both", "-agent"), 880),
    );
    assert!(called > 2.0, "the called party was heard for {called} s");
    assert!(of_agent > 2.0, "the agent was heard for {of_agent} s");
    assert!(length_of(&recording(&lab, "both", "")) > 2.5);
    println!(
        "1 call of 3 s: the called party's tone heard for {called:.1} s, the agent's for {of_agent:.1} s"
    );
}

#[tokio::test]
async fn a_message_is_heard_to_its_end_and_a_key_is_told_at_once() {
    let lab = Lab::start();
    let mut desk = Desk::open(&lab, RequestPath::Auto).await;
    make_sound(&lab, "safe-harbour", 6);
    make_sound(&lab, "survey", 2);
    // Presses 1 three seconds after the answer: by RFC 4733, and by SIP INFO.
    let pressing = [desk.place_with("+442079460200", recorded(&lab, "keys")), desk.place("+442079460300")];
    desk.until(pressing[0], |kind| kind == EventKind::Answered).await;
    desk.send(Request::Play { attempt: pressing[0], message: Message::SAFE_HARBOUR });
    for attempt in pressing {
        desk.until(attempt, |kind| kind == EventKind::Digit('1')).await;
    }
    assert!(
        !desk.kinds(pressing[0]).contains(&EventKind::PlayFinished),
        "the key comes before the message's end"
    );
    desk.until(pressing[0], |kind| kind == EventKind::PlayFinished).await;
    let sound = Sound { file: SoundFile::new("survey.wav").unwrap(), length: 2 * SECOND };
    let survey = Message { purpose: Purpose::Campaign, sound: Some(sound), text: String::new() };
    let other = desk.place_with(HUMS, recorded(&lab, "survey"));
    desk.until(other, |kind| kind == EventKind::Answered).await;
    desk.send(Request::Play { attempt: other, message: survey });
    desk.until(other, |kind| kind == EventKind::PlayFinished).await;
    for attempt in [pressing[0], pressing[1], other] {
        desk.hang_up(attempt).await;
    }
    tokio::time::sleep(SECOND).await;
    let heard = seconds_of(&recording(&lab, "keys", "-agent"), 660);
    assert!((5.0..7.0).contains(&heard), "the message of 6 s was sent for {heard} s");
    println!("2 keys told (RFC 4733 and SIP INFO), 2 messages played to their ends");
}

#[tokio::test]
async fn a_message_for_a_mailbox_begins_when_its_greeting_is_over() {
    let lab = Lab::start();
    let mut desk = Desk::open(&lab, RequestPath::Auto).await;
    make_sound(&lab, "survey", 2);
    let attempt = desk.place_with("+442079460900", |place| place.variables = voices(&lab, "mailbox"));
    assert_eq!(desk.detected(attempt).await, Detected::Machine);
    let sound = Sound { file: SoundFile::new("survey.wav").unwrap(), length: 2 * SECOND };
    let message = Message { purpose: Purpose::Campaign, sound: Some(sound), text: String::new() };
    desk.send(Request::Play { attempt, message });
    desk.until(attempt, |kind| kind == EventKind::PlayFinished).await;
    desk.hang_up(attempt).await;
    tokio::time::sleep(SECOND).await;
    let first = crate::sound::first_second_of(&recording(&lab, "mailbox", "-agent"), 660);
    let beep = crate::sound::first_second_of(&recording(&lab, "mailbox", "-called"), 1000);
    let (first, beep) = (first.expect("the message was sent"), beep.expect("the mailbox beeped"));
    assert!(first > beep, "the message began {first} s after the answer, the beep {beep} s");
    println!("1 message left {:.1} s after the mailbox' beep", first - beep);
}

#[tokio::test]
async fn a_message_that_is_not_there_fails_at_once() {
    let lab = Lab::start();
    let mut desk = Desk::open(&lab, RequestPath::Auto).await;
    let attempt = desk.place_with(HUMS, |place| place.detection = None);
    desk.until(attempt, |kind| kind == EventKind::Answered).await;
    desk.send(Request::Play { attempt, message: Message::SAFE_HARBOUR });
    desk.until(attempt, |kind| kind == EventKind::PlayFailed).await;
    assert!(!desk.kinds(attempt).contains(&EventKind::PlayFinished), "nobody heard it");
    desk.hang_up(attempt).await;
}

#[tokio::test]
async fn on_hold_the_called_party_does_not_hear_the_agent_and_muted_nobody_does() {
    let lab = Lab::start();
    let mut desk = Desk::open(&lab, RequestPath::Auto).await;
    let attempt = conversation(&lab, &mut desk, "hold").await;
    let control = |control| Request::Control { attempt, control };
    tokio::time::sleep(2 * SECOND).await;
    desk.send(control(Control::Hold));
    tokio::time::sleep(3 * SECOND).await;
    desk.send(control(Control::Resume));
    tokio::time::sleep(2 * SECOND).await;
    desk.send(control(Control::Mute));
    tokio::time::sleep(3 * SECOND).await;
    desk.send(control(Control::Unmute));
    tokio::time::sleep(2 * SECOND).await;
    desk.hang_up(attempt).await;
    tokio::time::sleep(SECOND).await;
    let heard = seconds_of(&recording(&lab, "hold", "-agent"), 880);
    assert!((4.6..7.4).contains(&heard), "of 12 s the agent was heard for {heard} s; 6 were held or muted");
}

#[tokio::test]
async fn a_third_party_is_consulted_joined_and_left_with_the_called_party() {
    let lab = Lab::start();
    let mut desk = Desk::open(&lab, RequestPath::Auto).await;
    let attempt = conversation(&lab, &mut desk, "third").await;
    let control = |control| Request::Control { attempt, control };
    let third = AgentPhone::Endpoint("PJSIP/agent-1002".to_owned());
    desk.send(control(Control::Consult { phone: third, consultation: 1 }));
    lab.phone_does(1, "ANSWER", 1).await;
    desk.until(attempt, |kind| kind == EventKind::ThirdAnswered { consultation: 1 }).await;
    desk.send(control(Control::Join));
    tokio::time::sleep(2 * SECOND).await;
    desk.send(control(Control::Transfer(None)));
    desk.until(attempt, |kind| kind == EventKind::AgentLeft { agent: agent(1) }).await;
    desk.until(attempt, |kind| kind == EventKind::Transferred).await;
    tokio::time::sleep(2 * SECOND).await;
    // The line is free for the next call.
    let next = desk.place_with(HUMS, |place| place.detection = None);
    desk.until(next, |kind| kind == EventKind::Answered).await;
    desk.connect(next, agent(1));
    desk.connected(next, agent(1)).await;
    desk.hang_up(next).await;
    desk.hang_up(attempt).await;
    lab.phone_does(1, "BYE", 1).await;
    assert_eq!(
        lab.phone_log(0).iter().filter(|line| line.word == "BYE").count(),
        0,
        "the agent's line stands"
    );
    let of_third = seconds_of(&recording(&lab, "third", "-agent"), 880);
    assert!(of_third > 3.0, "after the transfer the third party is heard: {of_third} s");
}

#[tokio::test]
async fn a_call_is_transferred_blind_and_the_agent_is_free_at_once() {
    let lab = Lab::with_phones(["0", "3"]);
    let mut desk = Desk::open(&lab, RequestPath::Auto).await;
    let attempt = conversation(&lab, &mut desk, "blind").await;
    let third = AgentPhone::Endpoint("PJSIP/agent-1002".to_owned());
    desk.send(Request::Control { attempt, control: Control::Transfer(Some(third)) });
    desk.until(attempt, |kind| kind == EventKind::AgentLeft { agent: agent(1) }).await;
    assert!(!lab.phone_log(1).iter().any(|line| line.word == "ANSWER"), "the third party still rings");
    assert!(!desk.kinds(attempt).contains(&EventKind::Transferred), "nobody has answered");
    lab.phone_does(1, "ANSWER", 1).await;
    desk.until(attempt, |kind| kind == EventKind::Transferred).await;
    tokio::time::sleep(SECOND).await;
    desk.hang_up(attempt).await;
    lab.phone_does(1, "BYE", 1).await;
}

#[tokio::test]
async fn a_call_that_is_left_to_somebody_who_is_busy_ends_and_says_so() {
    let lab = Lab::with_phones(["0", "busy"]);
    let mut desk = Desk::open(&lab, RequestPath::Auto).await;
    let attempt = conversation(&lab, &mut desk, "left").await;
    let third = AgentPhone::Endpoint("PJSIP/agent-1002".to_owned());
    desk.send(Request::Control { attempt, control: Control::Transfer(Some(third)) });
    let told = desk.over(attempt).await;
    let left = EventKind::AgentLeft { agent: agent(1) };
    let failed = EventKind::TransferFailed { why: PartyEnd::Busy };
    assert!(told.ends_with(&[left, failed, EventKind::Ended(EndCause::ByUs)]), "{told:?}");
}

#[tokio::test]
async fn when_whom_an_agent_consults_is_busy_the_called_party_hears_the_agent_again() {
    let lab = Lab::with_phones(["0", "busy"]);
    let mut desk = Desk::open(&lab, RequestPath::Auto).await;
    let attempt = conversation(&lab, &mut desk, "again").await;
    let third = AgentPhone::Endpoint("PJSIP/agent-1002".to_owned());
    desk.send(Request::Control { attempt, control: Control::Consult { phone: third, consultation: 1 } });
    let busy = EventKind::ThirdGone { consultation: 1, why: PartyEnd::Busy };
    desk.until(attempt, |kind| kind == busy).await;
    tokio::time::sleep(3 * SECOND).await;
    desk.hang_up(attempt).await;
    tokio::time::sleep(SECOND).await;
    let heard = seconds_of(&recording(&lab, "again", "-agent"), 880);
    assert!(heard > 2.0, "after the consultation that failed the agent was heard for {heard} s");
}

#[tokio::test]
async fn a_third_party_who_hangs_up_after_a_transfer_ends_the_call() {
    let lab = Lab::with_phones(["0", "leaves"]);
    let mut desk = Desk::open(&lab, RequestPath::Auto).await;
    let attempt = conversation(&lab, &mut desk, "leaves").await;
    let third = AgentPhone::Endpoint("PJSIP/agent-1002".to_owned());
    desk.send(Request::Control { attempt, control: Control::Transfer(Some(third)) });
    assert_eq!(desk.over(attempt).await.last(), Some(&EventKind::Ended(EndCause::ByUs)));
}

#[tokio::test]
async fn a_supervisor_listens_whispers_and_barges_in_and_leaves_with_the_call() {
    let lab = Lab::start();
    let mut desk = Desk::open(&lab, RequestPath::Auto).await;
    let attempt = conversation(&lab, &mut desk, "barge").await;
    let mut expected = 0;
    let mut supervision = SupervisionId(fresh());
    for part in [Supervision::Monitor, Supervision::Whisper, Supervision::Barge] {
        let phone = AgentPhone::Endpoint("PJSIP/agent-1002".to_owned());
        supervision = SupervisionId(fresh());
        desk.send(Request::Supervise { supervision, attempt, phone, part });
        expected += 1;
        lab.phone_does(1, "ANSWER", expected).await;
        desk.other("the supervision", is_supervision(supervision, SupervisionState::Started)).await;
        tokio::time::sleep(SECOND).await;
        if part != Supervision::Barge {
            // One at a time: the phone takes one call.
            lab.hang_phone_up(&format!("supervisor.{attempt}"));
            lab.phone_does(1, "BYE", expected).await;
            desk.other("its end", is_supervision(supervision, SupervisionState::Ended)).await;
        }
    }
    desk.hang_up(attempt).await;
    lab.phone_does(1, "BYE", 3).await;
    desk.other("its end", is_supervision(supervision, SupervisionState::Ended)).await;
    assert_eq!(lab.channels("snoop."), Vec::<String>::new(), "nothing listens any more");
}

fn is_supervision(wanted: SupervisionId, is: SupervisionState) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::Supervision { supervision, state, .. } if *supervision == wanted && *state == is)
}

#[tokio::test]
async fn a_supervisor_whose_telephone_is_busy_or_not_there_is_told_of() {
    let lab = Lab::with_phones(["0", "busy"]);
    let mut desk = Desk::open(&lab, RequestPath::Auto).await;
    let attempt = conversation(&lab, &mut desk, "unheard").await;
    let rings = desk.place("+447700900002");
    for (attempt, endpoint, why) in [
        (attempt, "PJSIP/agent-1002", PartyEnd::Busy),
        (attempt, "PJSIP/agent-1003", PartyEnd::Unreachable),
        (rings, "PJSIP/agent-1002", PartyEnd::CallOver),
        (AttemptId(fresh()), "PJSIP/agent-1002", PartyEnd::CallOver),
    ] {
        let (supervision, part) = (SupervisionId(fresh()), Supervision::Whisper);
        let phone = AgentPhone::Endpoint(endpoint.to_owned());
        desk.send(Request::Supervise { supervision, attempt, phone, part });
        desk.other(endpoint, is_supervision(supervision, SupervisionState::Failed(why))).await;
    }
    desk.hang_up(rings).await;
    desk.hang_up(attempt).await;
}

#[tokio::test]
async fn what_listens_for_a_supervisor_does_not_outlive_the_driver_that_asked_for_it() {
    for part in [Supervision::Monitor, Supervision::Whisper, Supervision::Barge] {
        let lab = Lab::start();
        let mut desk = Desk::open(&lab, RequestPath::Auto).await;
        let attempt = conversation(&lab, &mut desk, "before").await;
        let (supervision, phone) =
            (SupervisionId(fresh()), AgentPhone::Endpoint("PJSIP/agent-1002".to_owned()));
        desk.send(Request::Supervise { supervision, attempt, phone, part });
        desk.other("the supervision", is_supervision(supervision, SupervisionState::Started)).await;
        // It is gone without a word, as if it were killed.
        drop(desk);
        tokio::time::sleep(SECOND).await;
        let listens = if part == Supervision::Barge { 0 } else { 1 };
        assert_eq!(lab.channels("snoop.").len(), listens, "it goes on listening");
        assert_eq!(lab.channels("supervisor.").len(), 1);
        let mut desk = Desk::open(&lab, RequestPath::Auto).await;
        lab.phone_does(1, "BYE", 1).await;
        let deadline = tokio::time::Instant::now() + 20 * SECOND;
        // The channel goes first, then its bridge.
        while !lab.channels("snoop.").is_empty() || lab.bridges("listen.") > 0 {
            assert!(tokio::time::Instant::now() < deadline, "it goes on listening");
            tokio::time::sleep(SECOND / 10).await;
        }
        assert_eq!(lab.channels("line.").len(), 1, "the agent's line stands");
        assert_eq!(desk.driver.live_calls().await.unwrap().len(), 1, "and the conversation goes on");
        desk.hang_up(attempt).await;
    }
}

#[tokio::test]
async fn an_agent_who_hangs_up_their_own_phone_is_told_and_the_person_can_be_given_to_another() {
    let lab = Lab::with_phones(["leaves", "0"]);
    let mut desk = Desk::open(&lab, RequestPath::Auto).await;
    let attempt = conversation(&lab, &mut desk, "other").await;
    desk.until(attempt, |kind| matches!(kind, EventKind::AgentFailed { .. })).await;
    desk.other("the line's end", |event| matches!(event, Event::LineDown { .. })).await;
    desk.line_up(agent(2), "PJSIP/agent-1002").await;
    desk.connect(attempt, agent(2));
    desk.connected(attempt, agent(2)).await;
    desk.hang_up(attempt).await;
}
