//! Third parties, and supervisors who are not there.

use engine::{PartyEnd, SupervisionId};

use super::*;
use crate::driver::{Control, Supervision};
use crate::event::SupervisionState;

/// A person who talks for a minute with the agent, from the second second on.
async fn conversation(lab: &mut Lab) {
    lab.place(FIRST, "+447700900600");
    lab.until(EventKind::Answered).await;
    lab.connect(FIRST, AGENT);
    lab.until(EventKind::Connected { agent: AGENT }).await;
}

fn control(control: Control) -> Request {
    Request::Control { attempt: FIRST, control }
}

fn number(number: &str) -> AgentPhone {
    AgentPhone::Number(number.parse().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_third_party_who_is_consulted_does_what_their_test_number_says() {
    let mut lab = Lab::new();
    conversation(&mut lab).await;
    let consult = |to, consultation| control(Control::Consult { phone: number(to), consultation });
    lab.send(consult("+447700900001", 1));
    lab.until(EventKind::ThirdGone { consultation: 1, why: PartyEnd::Busy }).await;
    // Nothing is told of one that was ended as asked.
    lab.send(consult("+447700900040", 2));
    lab.send(control(Control::EndConsult));
    lab.send(consult("+447700900010", 3));
    lab.until(EventKind::ThirdAnswered { consultation: 3 }).await;
    lab.send(control(Control::Transfer(None)));
    lab.expect(&[(4.0, EventKind::AgentLeft { agent: AGENT }), (4.0, EventKind::Transferred)]).await;
    lab.until(EventKind::Ended(EndCause::ByCalledParty)).await;
    lab.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_left_to_somebody_who_is_not_to_be_had_ends_and_says_why() {
    for (to, why) in [
        ("+447700900001", PartyEnd::Busy),
        ("+447700900002", PartyEnd::NoAnswer),
        ("+447700900005", PartyEnd::Unreachable),
    ] {
        let mut lab = Lab::new();
        conversation(&mut lab).await;
        lab.send(control(Control::Transfer(Some(number(to)))));
        lab.until(EventKind::AgentLeft { agent: AGENT }).await;
        lab.until(EventKind::TransferFailed { why }).await;
        lab.until(EventKind::Ended(EndCause::ByUs)).await;
        lab.expect_silence().await;
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_supervises_on_the_simulated_carrier_and_it_says_so() {
    let mut lab = Lab::new();
    conversation(&mut lab).await;
    let supervision = SupervisionId(Uuid::from_u128(7));
    let phone = AgentPhone::Endpoint("PJSIP/boss".to_owned());
    lab.send(Request::Supervise { supervision, attempt: FIRST, phone, part: Supervision::Monitor });
    let state = SupervisionState::Failed(PartyEnd::NobodyRung);
    let told = lab.events.recv().await.unwrap();
    assert!(
        matches!(told, Event::Supervision { supervision: of, state: is, .. } if of == supervision && is == state)
    );
}
