//! Agents who are consulted, and what becomes of calls that are left to somebody else.

use super::*;
use crate::change::TransferOutcome;

/// A group whose first agent talks and whose second is ready, with nobody left to call; the third is not at work.
fn one_talks_and_one_is_ready() -> (Floor, AttemptId) {
    let mut floor = Floor::new(&[(1, progressive())], &[(1, &[1]), (2, &[1]), (3, &[1])]);
    floor.run(1);
    floor.log_in(1);
    floor.settle(1);
    let attempt = floor.dialled[0];
    floor.talk(attempt);
    floor.log_in(2);
    // The call that was decided on for the second agent goes back.
    floor.act(1, GroupAction::Stop);
    floor.store_all();
    for other in floor.up.clone().into_iter().filter(|other| *other != attempt) {
        floor.call(other, CallEvent::Ended(CallEnd::NotAnswered(CallResult::NoAnswer)));
    }
    floor.store_all();
    assert_eq!(floor.state_of(2), AgentState::Ready);
    (floor, attempt)
}

fn control(floor: &mut Floor, control: CallControl) {
    floor.agent(1, AgentEvent::Control(control));
}

fn consult(floor: &mut Floor, whom: u128) {
    control(floor, CallControl::Consult(ThirdParty::Agent(agent_id(whom))));
}

fn reason_of(floor: &Floor, index: u128) -> Option<String> {
    floor.engine.agents[&agent_id(index)].reason.clone()
}

/// The name of the last refusal that the first agent was told.
fn last_refusal(floor: &Floor) -> Option<&'static str> {
    floor.notices.iter().rev().find_map(|(agent, notice)| match notice {
        AgentNotice::Refused { code, .. } if *agent == agent_id(1) => *code,
        _ => None,
    })
}

fn was_told(floor: &Floor, wanted: &AgentNotice) -> bool {
    floor.notices.iter().any(|(agent, notice)| *agent == agent_id(1) && notice == wanted)
}

#[test]
fn an_agent_who_is_consulted_is_given_no_call_until_the_consultation_is_over() {
    let (mut floor, attempt) = one_talks_and_one_is_ready();
    consult(&mut floor, 2);
    assert_eq!(floor.consulted, [(attempt, 1, ThirdParty::Agent(agent_id(2)))]);
    assert_eq!(floor.state_of(2), AgentState::Reserved);
    assert_eq!(reason_of(&floor, 2).as_deref(), Some("consulted"));
    let dialled = floor.dialled.len();
    floor.act(1, GroupAction::Start);
    floor.settle(5);
    assert_eq!(floor.dialled.len(), dialled, "pacing does not count on them");
    floor.call(attempt, CallEvent::ThirdAnswered(1));
    control(&mut floor, CallControl::Join);
    control(&mut floor, CallControl::EndConsult);
    assert_eq!(floor.state_of(2), AgentState::Ready);
    assert_eq!(reason_of(&floor, 2), None);
    floor.settle(5);
    assert_eq!(floor.dialled.len(), dialled + 1, "the next call is for them");
}

#[test]
fn nobody_waits_for_an_agent_who_is_consulted() {
    let settings = GroupSettings { lines_per_agent: 2.0, ..with_mode(DialMode::Power) };
    let mut floor = Floor::new(&[(1, settings)], &[(1, &[1]), (2, &[1])]);
    floor.run(1);
    floor.log_in(1);
    floor.settle(2);
    let [first, second] = floor.dialled[..] else { panic!("two calls for one agent") };
    floor.talk(first);
    floor.log_in(2);
    consult(&mut floor, 2);
    floor.answer(second);
    assert!(!floor.connecting.contains(&(second, agent_id(2))), "the person is not connected with them");
    floor.call(first, CallEvent::ThirdGone(1, PartyEnd::Busy));
    assert!(floor.connecting.contains(&(second, agent_id(2))), "but as soon as they are free");
}

#[test]
fn however_a_consultation_ends_the_agent_is_what_they_were() {
    let ends: [fn(&mut Floor, AttemptId); 6] = [
        |floor, _| control(floor, CallControl::EndConsult),
        |floor, attempt| floor.call(attempt, CallEvent::ThirdGone(1, PartyEnd::Busy)),
        |floor, attempt| floor.call(attempt, CallEvent::ThirdGone(1, PartyEnd::HungUp)),
        |floor, attempt| floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty)),
        |floor, _| floor.input(Input::LeaseLost { group: group_id(1) }),
        |floor, _| floor.agent(2, AgentEvent::HangUp),
    ];
    for (index, end) in ends.into_iter().enumerate() {
        let (mut floor, attempt) = one_talks_and_one_is_ready();
        if index == 4 {
            floor.fenced.insert(group_id(1));
        }
        consult(&mut floor, 2);
        end(&mut floor, attempt);
        assert_eq!(floor.state_of(2), AgentState::Ready, "end {index}");

        let (mut floor, attempt) = one_talks_and_one_is_ready();
        if index == 4 {
            floor.fenced.insert(group_id(1));
        }
        floor.agent(2, AgentEvent::NotReady { reason: Some("lunch".to_owned()) });
        consult(&mut floor, 2);
        assert_eq!(floor.state_of(2), AgentState::NotReady, "they are rung in their break");
        end(&mut floor, attempt);
        assert_eq!(floor.state_of(2), AgentState::NotReady, "end {index}");
        assert_eq!(reason_of(&floor, 2).as_deref(), Some("lunch"));
    }
}

#[test]
fn what_an_agent_chooses_while_they_are_consulted_comes_after_it() {
    let (mut floor, _) = one_talks_and_one_is_ready();
    floor.agent(2, AgentEvent::NotReady { reason: Some("lunch".to_owned()) });
    consult(&mut floor, 2);
    floor.agent(2, AgentEvent::Ready);
    assert_eq!(floor.state_of(2), AgentState::Reserved, "they are ready, once they are free");
    floor.agent(2, AgentEvent::LogOut);
    assert_eq!(floor.state_of(2), AgentState::Reserved);
    control(&mut floor, CallControl::EndConsult);
    assert_eq!(floor.state_of(2), AgentState::LoggedOut);
}

#[test]
fn a_request_for_a_preview_outlives_a_consultation() {
    let (mut floor, _) = one_talks_and_one_is_ready();
    floor.put_group(1, with_mode(DialMode::Preview));
    floor.agent(2, AgentEvent::Next);
    consult(&mut floor, 2);
    floor.act(1, GroupAction::Start);
    floor.settle(5);
    assert_eq!(floor.state_of(2), AgentState::Reserved, "no preview meanwhile");
    control(&mut floor, CallControl::EndConsult);
    floor.settle(5);
    assert_eq!(floor.state_of(2), AgentState::Preview);
}

#[test]
fn an_agent_who_is_busy_is_not_consulted() {
    let (mut floor, _) = one_talks_and_one_is_ready();
    floor.act(1, GroupAction::Start);
    floor.settle(5);
    let second = *floor.dialled.last().unwrap();
    floor.talk(second);
    assert_eq!(floor.state_of(2), AgentState::OnCall);
    for whom in [2, 1] {
        floor.notices.clear();
        consult(&mut floor, whom);
        assert_eq!(last_refusal(&floor), Some("agent_busy"));
    }
    assert_eq!(floor.consulted, []);
    // The call stands, and somebody else can be consulted.
    let number = ThirdParty::Number(crate::PhoneNumber::from_digits(33_100_000_000).unwrap());
    control(&mut floor, CallControl::Consult(number));
    assert_eq!(floor.consulted.len(), 1);
}

#[test]
fn what_needs_a_consultation_is_refused_without_one_and_a_second_one_is_refused_too() {
    let (mut floor, attempt) = one_talks_and_one_is_ready();
    for needs_one in [CallControl::Join, CallControl::EndConsult, CallControl::Transfer(None)] {
        floor.notices.clear();
        control(&mut floor, needs_one);
        assert_eq!(last_refusal(&floor), Some("no_consultation"));
    }
    consult(&mut floor, 2);
    let number = ThirdParty::Number(crate::PhoneNumber::from_digits(33_100_000_000).unwrap());
    for comes_too_soon in [CallControl::Consult(number), CallControl::Transfer(Some(number))] {
        floor.notices.clear();
        control(&mut floor, comes_too_soon);
        assert_eq!(last_refusal(&floor), Some("consultation_stands"));
    }
    assert_eq!(floor.controls, [], "none of it reached the switch");
    // Once the third party is gone there is none any more.
    floor.call(attempt, CallEvent::ThirdGone(1, PartyEnd::NoAnswer));
    control(&mut floor, CallControl::Join);
    assert_eq!(last_refusal(&floor), Some("no_consultation"));
}

#[test]
fn an_agent_is_told_how_it_stands_with_whom_they_consult() {
    let (mut floor, attempt) = one_talks_and_one_is_ready();
    let told = |state| AgentNotice::Consultation { attempt, agent: Some(agent_id(2)), state };
    consult(&mut floor, 2);
    assert!(was_told(&floor, &told(ConsultationState::Ringing)));
    floor.call(attempt, CallEvent::ThirdGone(1, PartyEnd::Busy));
    assert!(was_told(&floor, &told(ConsultationState::Ended(PartyEnd::Busy))));
    assert_eq!(floor.state_of(1), AgentState::OnCall, "the call is as it was");
    consult(&mut floor, 2);
    // What is heard late of the first one says nothing of the second.
    floor.call(attempt, CallEvent::ThirdGone(1, PartyEnd::HungUp));
    assert_eq!(floor.state_of(2), AgentState::Reserved);
    floor.call(attempt, CallEvent::ThirdAnswered(2));
    assert!(was_told(&floor, &told(ConsultationState::Answered)));
    floor.notices.clear();
    floor.agent(1, AgentEvent::LogIn);
    assert!(was_told(&floor, &told(ConsultationState::Answered)), "a screen that comes back is told too");
}

#[test]
fn a_call_is_handed_over_to_the_agent_who_was_consulted_if_they_had_been_ready() {
    let (mut floor, attempt) = one_talks_and_one_is_ready();
    consult(&mut floor, 2);
    floor.call(attempt, CallEvent::ThirdAnswered(1));
    control(&mut floor, CallControl::Transfer(Some(ThirdParty::Agent(agent_id(2)))));
    assert_eq!(floor.state_of(1), AgentState::Ready);
    assert!(floor.connecting.contains(&(attempt, agent_id(2))));
    floor.call(attempt, CallEvent::Connected);
    assert_eq!(floor.state_of(2), AgentState::OnCall);
    floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
    floor.store_all();
    assert_eq!(floor.ended[&attempt], CallResult::Answer);
    assert_eq!(floor.state_of(2), AgentState::WrapUp);

    let (mut floor, attempt) = one_talks_and_one_is_ready();
    floor.agent(2, AgentEvent::NotReady { reason: None });
    consult(&mut floor, 2);
    control(&mut floor, CallControl::Transfer(Some(ThirdParty::Agent(agent_id(2)))));
    assert!(!floor.connecting.contains(&(attempt, agent_id(2))), "who is on a break gets no call");
}

#[test]
fn whom_a_call_is_handed_over_to_instead_frees_the_one_who_was_consulted() {
    let mut floor = Floor::new(&[(1, progressive())], &[(1, &[1]), (2, &[1]), (3, &[1])]);
    floor.run(1);
    floor.log_in(1);
    floor.settle(1);
    let attempt = floor.dialled[0];
    floor.talk(attempt);
    floor.act(1, GroupAction::Stop);
    floor.log_in(2);
    floor.log_in(3);
    consult(&mut floor, 2);
    control(&mut floor, CallControl::Transfer(Some(ThirdParty::Agent(agent_id(3)))));
    assert!(floor.connecting.contains(&(attempt, agent_id(3))));
    assert_eq!(floor.state_of(2), AgentState::Ready);
}

#[test]
fn whoever_of_a_skill_is_ready_is_consulted_and_gets_the_call_if_it_goes_to_that_skill() {
    let skill = ThirdParty::Skill(skill_id(1));
    let (mut floor, attempt) = one_talks_and_one_is_ready();
    floor.log_in(3);
    control(&mut floor, CallControl::Consult(skill));
    assert_eq!(floor.consulted, [(attempt, 1, ThirdParty::Agent(agent_id(2)))]);
    let (agent, state) = (Some(agent_id(2)), ConsultationState::Ringing);
    assert!(was_told(&floor, &AgentNotice::Consultation { attempt, agent, state }));
    control(&mut floor, CallControl::Transfer(Some(skill)));
    assert!(floor.connecting.contains(&(attempt, agent_id(2))), "not the other one who is ready");

    let (mut floor, _) = one_talks_and_one_is_ready();
    floor.agent(2, AgentEvent::NotReady { reason: None });
    control(&mut floor, CallControl::Consult(skill));
    assert_eq!(floor.consulted, [], "nobody of that skill is ready");
}

#[test]
fn an_agent_to_whom_a_call_was_left_is_free_when_it_is_over() {
    let (mut floor, attempt) = one_talks_and_one_is_ready();
    consult(&mut floor, 2);
    floor.call(attempt, CallEvent::ThirdAnswered(1));
    control(&mut floor, CallControl::Transfer(None));
    floor.call(attempt, CallEvent::AgentLeft);
    assert_eq!(floor.state_of(1), AgentState::WrapUp);
    floor.store_all();
    assert_eq!(floor.ended[&attempt], CallResult::Transferred);
    assert_eq!(floor.state_of(2), AgentState::Reserved, "they talk on");
    floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
    assert_eq!(floor.state_of(2), AgentState::Ready);
    floor.store_all();
    assert_eq!(floor.transfers.len(), 1);
    assert_eq!(floor.transfers[0].outcome, TransferOutcome::Answered);
}

#[test]
fn what_became_of_a_blind_transfer_is_stored_and_told_to_whoever_made_it() {
    let heard = [
        (vec![CallEvent::Transferred], TransferOutcome::Answered),
        (vec![CallEvent::TransferFailed(PartyEnd::Busy)], TransferOutcome::Busy),
        (vec![CallEvent::TransferFailed(PartyEnd::NoAnswer)], TransferOutcome::NoAnswer),
        (vec![CallEvent::TransferFailed(PartyEnd::Unreachable)], TransferOutcome::Unreachable),
        (vec![], TransferOutcome::CalledPartyLeft),
    ];
    for (events, outcome) in heard {
        let (mut floor, attempt) = one_talks_and_one_is_ready();
        let number = ThirdParty::Number(crate::PhoneNumber::from_digits(33_100_000_000).unwrap());
        control(&mut floor, CallControl::Transfer(Some(number)));
        floor.call(attempt, CallEvent::AgentLeft);
        for event in events.into_iter().chain([CallEvent::Ended(CallEnd::ByUs)]) {
            floor.call(attempt, event);
        }
        floor.store_all();
        assert_eq!(floor.ended[&attempt], CallResult::Transferred);
        let ended: Vec<_> = floor.transfers.iter().map(|ended| (ended.attempt, ended.outcome)).collect();
        assert_eq!(ended, [(attempt, outcome)]);
        assert_eq!(floor.transfers[0].agent, Some(agent_id(1)));
        assert!(was_told(&floor, &AgentNotice::TransferEnded { attempt, outcome }));
    }
}
