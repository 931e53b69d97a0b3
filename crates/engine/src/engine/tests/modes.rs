//! The stories of the modes without agents, with previews, and of callbacks alone.

use super::*;
use crate::change::{Heard, OptOut};
use crate::engine::snapshot::IdleReason;
use crate::engine::state::Stage;
use crate::pacing::{Pacing, PacingView, Wish};

const MESSAGE: MessageId = MessageId(Uuid::from_u128(0x3e55));
const ONE_NUMBER: u64 = 33_100_000_001;

fn agentless() -> GroupSettings {
    with_mode(DialMode::Agentless)
}

/// A running group without agents whose first person hears the message.
fn announced(settings: GroupSettings) -> (Floor, AttemptId) {
    let mut floor = Floor::new(&[(1, settings)], &[(1, &[1])]);
    floor.run(1);
    floor.settle(10);
    let attempt = floor.dialled[0];
    floor.answer(attempt);
    (floor, attempt)
}

fn ended(floor: &mut Floor, attempt: AttemptId, by: CallEnd) -> CallResult {
    floor.call(attempt, CallEvent::Ended(by));
    floor.store_all();
    floor.ended[&attempt]
}

#[test]
fn without_agents_every_port_dials_and_a_person_hears_the_message_at_once() {
    let (mut floor, attempt) = announced(agentless());
    assert_eq!(floor.dialled.len(), 3);
    assert_eq!(floor.announced, [(attempt, MESSAGE)]);
    floor.call(attempt, CallEvent::MessageEnded);
    floor.pass(3);
    assert_eq!(ended(&mut floor, attempt, CallEnd::ByUs), CallResult::Answer);
    floor.settle(10);
    assert_eq!(floor.dialled.len(), 4, "the port is used again");
    assert!(floor.messages.is_empty());
}

#[test]
fn a_person_who_hangs_up_during_a_message_that_began_in_time_is_not_abandoned() {
    let (mut floor, attempt) = announced(agentless());
    assert_eq!(ended(&mut floor, attempt, CallEnd::ByCalledParty), CallResult::Answer);
}

#[test]
fn a_person_who_hangs_up_on_a_message_that_began_too_late_is() {
    let mut floor = Floor::new(&[(1, agentless())], &[]);
    floor.run(1);
    floor.settle(10);
    let attempt = floor.dialled[0];
    floor.call(attempt, CallEvent::Answered);
    floor.pass(3);
    floor.call(attempt, CallEvent::Detected(Detected::Person));
    assert_eq!(ended(&mut floor, attempt, CallEnd::ByCalledParty), CallResult::Abandoned);
}

#[test]
fn a_message_cut_short_by_us_is_neither_an_answer_nor_an_abandonment() {
    let (mut floor, attempt) = announced(agentless());
    floor.act(1, GroupAction::ForceUnload);
    let result = ended(&mut floor, attempt, CallEnd::ByUs);
    assert_eq!((result, result.is_abandonment()), (CallResult::GeneralError, false));
}

#[test]
fn a_message_that_the_switch_never_ends_is_ended_as_a_failure_of_the_switch() {
    let (mut floor, attempt) = announced(agentless());
    floor.pass(720);
    assert_eq!(ended(&mut floor, attempt, CallEnd::ByUs), CallResult::SwitchError);
}

#[test]
fn the_opt_out_key_ends_the_call_and_suppresses_the_number_in_one_change() {
    let (mut floor, attempt) = announced(agentless());
    floor.store_all();
    floor.call(attempt, CallEvent::Digit('1'));
    let kinds = |set: &ChangeSet| set.changes.iter().map(Change::kind).collect::<Vec<_>>();
    assert!(
        floor
            .unstored
            .iter()
            .any(|set| { kinds(set).contains(&"attempt.ended") && kinds(set).contains(&"contact.planned") }),
        "stored together or not at all"
    );
    floor.store_all();
    assert_eq!(floor.ended[&attempt], CallResult::DoNotCall);
    assert_eq!(floor.endings[&attempt].opted_out, Some(OptOut::Message));
    assert!(!floor.endings[&attempt].is_abandonment());
    let planned = floor.planned.last().unwrap();
    assert_eq!(planned.suppress, Some(crate::PhoneNumber::from_digits(ONE_NUMBER).unwrap()));
    assert_eq!(planned.next, PlannedNext::Final { reason: FinalReason::Suppressed });
    assert_eq!(planned.phone_status, PhoneStatus::Suppressed);
}

#[test]
fn a_message_that_the_switch_could_not_play_was_not_heard() {
    let mut floor = one_agent(with_mode(DialMode::Power));
    let (first, second) = (floor.dialled[0], floor.dialled[1]);
    floor.talk(first);
    floor.answer(second);
    floor.pass(2);
    floor.call(second, CallEvent::MessageFailed);
    floor.call(second, CallEvent::Ended(CallEnd::ByUs));
    floor.store_all();
    assert_eq!(floor.ended[&second], CallResult::Dropped);
    let evidence = floor.endings[&second].evidence;
    assert_eq!((evidence.message, evidence.message_at, evidence.message_ended_at), (None, None, None));
}

#[test]
fn whoever_opts_out_of_the_safe_harbour_message_still_counts_as_abandoned() {
    let mut floor = one_agent(with_mode(DialMode::Power));
    let (first, second) = (floor.dialled[0], floor.dialled[1]);
    floor.talk(first);
    floor.answer(second);
    floor.pass(2);
    assert_eq!(floor.messages, [second]);
    floor.call(second, CallEvent::Digit('1'));
    floor.store_all();
    assert_eq!(floor.ended[&second], CallResult::DoNotCall);
    assert!(floor.endings[&second].is_abandonment() && floor.endings[&second].answered_by_person());
    let ended = &floor.endings[&second];
    let evidence = ended.evidence;
    assert_eq!((evidence.detected, evidence.message), (Some(Detected::Person), Some(Heard::SafeHarbour)));
    let waited = evidence.message_at.unwrap().since(ended.answered_at.unwrap());
    assert!(waited <= crate::settings::CONNECT_WITHIN, "the message began {waited:?} after the answer");
    assert!(evidence.detected_at >= ended.answered_at && evidence.message_ended_at.is_none());
    assert!(floor.planned.last().unwrap().suppress.is_some());
}

#[test]
fn neither_scripts_nor_treatments_stand_between_an_opt_out_and_the_suppression() {
    let mut floor = Floor::new(&[], &[]);
    let scripts = ScriptRules { pre_call: None, before_reschedule: true, after_reschedule: true };
    floor.put_group_with(1, agentless(), scripts);
    floor.run(1);
    floor.settle(10);
    let attempt = floor.dialled[0];
    floor.answer(attempt);
    floor.call(attempt, CallEvent::Digit('1'));
    assert!(floor.hooks.is_empty());
    floor.store_all();
    assert!(floor.planned.last().unwrap().suppress.is_some());
}

#[test]
fn a_key_pressed_in_a_talk_is_between_those_who_talk() {
    let mut floor = one_agent(progressive());
    let attempt = floor.dialled[0];
    floor.talk(attempt);
    floor.call(attempt, CallEvent::Digit('1'));
    assert_eq!(floor.state_of(1), AgentState::OnCall);
    assert_eq!(floor.engine.ignored_inputs(), 0);
}

#[test]
fn keys_that_a_machines_greeting_sounds_like_opt_nobody_out() {
    let settings = GroupSettings {
        agentless: agentless().agentless.map(|own| AgentlessSettings { leave_on_machine: true, ..own }),
        ..agentless()
    };
    let mut floor = Floor::new(&[(1, settings)], &[]);
    floor.run(1);
    floor.settle(10);
    let attempt = floor.dialled[0];
    floor.call(attempt, CallEvent::Answered);
    floor.call(attempt, CallEvent::Detected(Detected::Machine));
    assert_eq!(floor.announced, [(attempt, MESSAGE)]);
    floor.call(attempt, CallEvent::Digit('1'));
    floor.call(attempt, CallEvent::MessageEnded);
    assert_eq!(ended(&mut floor, attempt, CallEnd::ByUs), CallResult::AnsweringMachine);
    assert!(floor.planned.last().unwrap().suppress.is_none());
}

#[test]
fn a_machine_is_hung_up_on_where_no_message_is_to_be_left() {
    let mut floor = Floor::new(&[(1, agentless())], &[]);
    floor.run(1);
    floor.settle(10);
    let attempt = floor.dialled[0];
    floor.call(attempt, CallEvent::Answered);
    floor.call(attempt, CallEvent::Detected(Detected::Machine));
    assert!(floor.announced.is_empty());
    assert_eq!(ended(&mut floor, attempt, CallEnd::ByUs), CallResult::AnsweringMachine);
}

#[test]
fn the_transfer_key_connects_an_agent_who_is_ready() {
    let (mut floor, attempt) = announced(agentless());
    floor.log_in(1);
    floor.call(attempt, CallEvent::Digit('9'));
    assert_eq!(floor.connecting, [(attempt, agent_id(1))]);
    floor.call(attempt, CallEvent::Connected);
    assert_eq!(floor.state_of(1), AgentState::OnCall);
    assert_eq!(ended(&mut floor, attempt, CallEnd::ByCalledParty), CallResult::Answer);
    assert_eq!(floor.state_of(1), AgentState::WrapUp);
    floor.settle(10);
    assert_eq!(floor.dialled.len(), 4, "wrap-up takes no port");
}

#[test]
fn without_an_agent_the_transfer_key_leads_to_the_safe_harbour_message_and_another_call() {
    let (mut floor, attempt) = announced(agentless());
    floor.call(attempt, CallEvent::Digit('9'));
    assert_eq!(floor.messages, [attempt]);
    floor.call(attempt, CallEvent::MessageEnded);
    let result = ended(&mut floor, attempt, CallEnd::ByUs);
    assert_eq!((result, result.is_abandonment()), (CallResult::AgentCallbackError, false));
    assert!(matches!(floor.planned.last().unwrap().next, PlannedNext::Dial { .. }));
}

#[test]
fn a_person_whose_agents_phone_fails_gets_another_agent_or_is_told() {
    let mut floor = Floor::new(&[(1, agentless())], &[(1, &[1]), (2, &[1])]);
    floor.run(1);
    floor.settle(10);
    floor.log_in(1);
    floor.log_in(2);
    let attempt = floor.dialled[0];
    floor.answer(attempt);
    floor.call(attempt, CallEvent::Digit('9'));
    floor.call(attempt, CallEvent::AgentFailed);
    assert_eq!(floor.connecting, [(attempt, agent_id(1)), (attempt, agent_id(2))]);
    floor.call(attempt, CallEvent::AgentFailed);
    assert_eq!(floor.messages, [attempt]);
}

#[test]
fn agents_ready_for_others_are_not_taken_by_a_group_without_agents() {
    let mut floor = Floor::new(&[(1, agentless()), (2, progressive())], &[(1, &[1, 2])]);
    floor.run(1);
    floor.run(2);
    floor.log_in(1);
    floor.settle(10);
    assert_eq!(floor.dialled.len(), 4, "three ports and one line for the agent");
}

#[test]
fn a_callback_reserves_an_agent_whom_pacing_then_no_longer_counts() {
    let mut floor = Floor::new(&[(1, with_mode(DialMode::Power))], &[(1, &[1])]);
    floor.callback_every = Some(1);
    floor.run(1);
    floor.log_in(1);
    floor.store_all();
    floor.answer_fetch(1, true);
    floor.callback_every = None;
    floor.settle(10);
    assert_eq!(floor.state_of(1), AgentState::Preview);
    assert!(floor.dialled.is_empty(), "three lines would have rung for a ready agent");
}

#[test]
fn somebody_who_was_promised_a_call_hears_no_recording() {
    let mut floor = Floor::new(&[(1, agentless())], &[(1, &[1])]);
    floor.callback_every = Some(1);
    floor.run(1);
    floor.store_all();
    floor.answer_fetch(2, true);
    floor.store_all();
    assert!(floor.dialled.is_empty());
    assert_eq!(floor.returned.len(), 2, "they rest while nobody is at work");
    floor.log_in(1);
    floor.pass(6);
    floor.store_all();
    floor.answer_fetch(1, true);
    floor.store_all();
    assert_eq!(floor.state_of(1), AgentState::Preview);
}

#[test]
fn a_group_without_ports_and_message_cannot_be_set_to_dial_without_agents() {
    let mut floor = one_agent(progressive());
    let (group, actor, dial_mode) = (group_id(1), Actor::Client, Some(DialMode::Agentless));
    let action = GroupAction::SetDialMode;
    floor.input(Input::Command(Command::Act { group, action, dial_mode, actor, reply: 2 }));
    let refused = floor.answers.last().unwrap().as_ref().unwrap_err();
    assert!(refused.remedy.contains("agentless"), "{refused}");
    let settings = GroupSettings { dial_mode: DialMode::Agentless, ..progressive() };
    assert_eq!(settings.check().unwrap_err().field, "agentless");
}

#[test]
fn a_preview_waits_until_the_agent_asks_for_it() {
    let mut floor = one_agent(with_mode(DialMode::Preview));
    assert_eq!(floor.state_of(1), AgentState::Ready);
    assert_eq!(floor.engine.snapshot().groups[0].idle_reason, Some(IdleReason::NobodyAsked));
    floor.agent(1, AgentEvent::Next);
    assert_eq!(floor.state_of(1), AgentState::Preview);
    floor.agent(1, AgentEvent::RejectPreview { reason: None });
    floor.store_all();
    assert_eq!(floor.state_of(1), AgentState::Ready, "the next one is not pushed");
    let rejected = floor.returned.last().unwrap().rejected.as_ref().unwrap();
    assert_eq!((rejected.agent, &rejected.reason), (agent_id(1), &None));
}

#[test]
fn a_contact_asked_for_before_the_group_runs_comes_when_it_does() {
    let mut floor = Floor::new(&[(1, with_mode(DialMode::Preview))], &[(1, &[1])]);
    floor.log_in(1);
    floor.agent(1, AgentEvent::Next);
    floor.run(1);
    assert_eq!(floor.state_of(1), AgentState::Ready);
    floor.settle(10);
    assert_eq!(floor.state_of(1), AgentState::Preview);
}

#[test]
fn asking_for_the_next_contact_ends_the_wrap_up_and_brings_it() {
    let mut floor = one_agent(with_mode(DialMode::Preview));
    floor.agent(1, AgentEvent::Next);
    floor.agent(1, AgentEvent::AcceptPreview);
    floor.store_all();
    let attempt = floor.dialled[0];
    floor.talk(attempt);
    floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
    floor.agent(1, AgentEvent::Next);
    floor.settle(10);
    assert_eq!(floor.state_of(1), AgentState::Preview);
}

#[test]
fn asking_where_calls_come_by_themselves_is_refused_with_the_reason() {
    let mut floor = Floor::new(&[(1, with_mode(DialMode::PushPreview))], &[(1, &[1])]);
    floor.log_in(1);
    floor.run(1);
    floor.agent(1, AgentEvent::Next);
    assert!(matches!(floor.notices.last(), Some((_, AgentNotice::Refused { .. }))));
}

#[test]
fn a_pushed_preview_comes_unasked_and_is_rejected_with_a_reason_or_not_at_all() {
    let mut floor = one_agent(with_mode(DialMode::PushPreview));
    assert_eq!(floor.state_of(1), AgentState::Preview);
    floor.agent(1, AgentEvent::RejectPreview { reason: Some(" ".into()) });
    assert!(matches!(floor.notices.last(), Some((_, AgentNotice::Refused { .. }))));
    assert!(floor.returned.is_empty());
    floor.agent(1, AgentEvent::RejectPreview { reason: Some("known to me".into()) });
    floor.store_all();
    let rejected = floor.returned.last().unwrap().rejected.as_ref().unwrap();
    assert_eq!(rejected.reason.as_deref(), Some("known to me"));
    assert_eq!(floor.state_of(1), AgentState::Preview, "the next one");
}

#[test]
fn a_group_may_let_pushed_previews_be_rejected_without_a_reason() {
    let settings = GroupSettings { reject_needs_reason: Some(false), ..with_mode(DialMode::PushPreview) };
    let mut floor = one_agent(settings);
    floor.agent(1, AgentEvent::RejectPreview { reason: None });
    floor.store_all();
    assert!(floor.returned.last().unwrap().rejected.is_some());
}

#[test]
fn a_group_for_callbacks_alone_asks_for_nothing_else_and_gives_the_rest_back() {
    let mut floor = one_agent(progressive());
    assert_eq!(floor.fetched_callbacks_only.last(), Some(&false));
    let waiting = floor.engine.groups[&group_id(1)].hopper.len();
    assert!(waiting > 0);
    floor.put_group(1, GroupSettings { callbacks_only: true, ..progressive() });
    floor.store_all();
    assert_eq!(floor.returned.len(), waiting);
    assert!(floor.fetched_callbacks_only.ends_with(&[true]));
}

#[test]
fn a_group_for_callbacks_alone_completes_only_when_nobody_is_left_at_all() {
    let settings = GroupSettings { callbacks_only: true, auto_complete: true, ..progressive() };
    let mut floor = one_agent(settings);
    let attempt = floor.dialled[0];
    floor.call(attempt, CallEvent::Ended(CallEnd::NotAnswered(CallResult::SitInvalidNumber)));
    floor.act(1, GroupAction::Stop);
    floor.act(1, GroupAction::Start);
    floor.store_all();
    while floor.fetches.len() > 1 {
        floor.answer_fetch(0, true);
    }
    floor.answer_fetch(0, true);
    floor.store_all();
    assert_eq!(floor.group_state(1), Some(GroupState::Running), "others of the campaign may promise calls");
    floor.pass(6);
    floor.answer_fetch(0, false);
    floor.store_all();
    assert_ne!(floor.group_state(1), Some(GroupState::Running));
}

/// Wants two lines fewer, whatever it sees.
struct TwoTooMany;

impl Pacing for TwoTooMany {
    fn wish(&mut self, _: &PacingView<'_>) -> Wish {
        Wish { add: 0, withdraw: 2 }
    }
}

/// One agent and five ringing lines, of which two are too many from now on.
fn two_too_many() -> Floor {
    let settings = GroupSettings { lines_per_agent: 5.0, ..with_mode(DialMode::Power) };
    let mut floor = Floor::new(&[(1, settings)], &[(1, &[1])]);
    floor.run(1);
    floor.log_in(1);
    floor.settle(10);
    assert_eq!(floor.dialled.len(), 5);
    for attempt in floor.dialled.clone() {
        floor.call(attempt, CallEvent::Ringing);
    }
    floor.engine.groups.get_mut(&group_id(1)).unwrap().pacing = Box::new(TwoTooMany);
    floor
}

fn withdrawn(floor: &Floor) -> Vec<AttemptId> {
    let calls = floor.engine.calls.iter();
    let mut found: Vec<_> =
        calls.filter(|(_, call)| call.stage == Stage::Ending).map(|(id, _)| *id).collect();
    found.sort_unstable();
    found
}

#[test]
fn lines_that_are_too_many_are_withdrawn_once_and_only_after_they_have_rung_for_fifteen_seconds() {
    let mut floor = two_too_many();
    floor.pass(14);
    floor.input(Input::Woken);
    assert_eq!(withdrawn(&floor), []);
    floor.pass(1);
    // However often it is looked at before the switch says that they are over.
    for _ in 0..5 {
        floor.input(Input::Woken);
        assert_eq!(withdrawn(&floor), floor.dialled[..2], "those that rang longest");
    }
}

#[test]
fn a_withdrawn_line_is_one_that_nobody_answered() {
    let mut floor = two_too_many();
    floor.pass(15);
    floor.input(Input::Woken);
    floor.call(floor.dialled[0], CallEvent::Ended(CallEnd::ByUs));
    floor.store_all();
    assert_eq!(floor.planned.last().map(|planned| planned.result), Some(Some(CallResult::NoAnswer)));
}

#[test]
fn who_picks_up_while_their_line_is_withdrawn_counts_as_abandoned() {
    let mut floor = two_too_many();
    floor.pass(15);
    floor.input(Input::Woken);
    let attempt = floor.dialled[0];
    floor.call(attempt, CallEvent::Answered);
    floor.call(attempt, CallEvent::Ended(CallEnd::ByUs));
    floor.store_all();
    assert_eq!(floor.planned.last().map(|planned| planned.result), Some(Some(CallResult::Dropped)));
    let budget = floor.engine.budgets.values().next().unwrap();
    assert_eq!((budget.today().answered, budget.today().abandoned), (1, 1));
}

#[test]
fn lines_on_which_nothing_is_detected_ring_on() {
    let mut floor = two_too_many();
    let undetected = floor.dialled[0];
    floor.engine.calls.get_mut(&undetected).unwrap().detects = false;
    floor.pass(15);
    floor.input(Input::Woken);
    assert_eq!(withdrawn(&floor), floor.dialled[1..3]);
}
