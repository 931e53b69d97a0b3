//! The stories that users know.

use super::*;

#[test]
fn progressive_dials_one_line_for_a_ready_agent_and_none_while_they_talk() {
    let mut floor = one_agent(progressive());
    assert_eq!(floor.dialled.len(), 1);
    let first = floor.dialled[0];
    floor.talk(first);
    floor.settle(10);
    assert_eq!(floor.state_of(1), AgentState::OnCall);
    assert_eq!(floor.dialled.len(), 1);
}

#[test]
fn power_dials_its_lines_for_each_ready_agent() {
    assert_eq!(one_agent(with_mode(DialMode::Power)).dialled.len(), 3);
}

#[test]
fn no_call_is_placed_before_its_attempt_is_durable() {
    let mut floor = Floor::new(&[(1, progressive())], &[(1, &[1])]);
    floor.run(1);
    floor.log_in(1);
    floor.store_all();
    floor.answer_fetch(5, true);
    assert!(floor.dialled.is_empty());
    floor.store_all();
    assert_eq!(floor.dialled.len(), 1);
}

#[test]
fn an_agent_moves_on_only_when_the_outcome_is_durable() {
    let mut floor = one_agent(progressive());
    let attempt = floor.dialled[0];
    floor.talk(attempt);
    floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
    assert_eq!(floor.state_of(1), AgentState::WrapUp);
    let disposition = Some("sale".to_owned());
    floor.agent(
        1,
        AgentEvent::Dispose { disposition, notes: None, callback_at: None, callback_is_mine: false },
    );
    assert_eq!(floor.state_of(1), AgentState::WrapUp);
    floor.store_all();
    assert_eq!(floor.state_of(1), AgentState::Ready);
    let planned = floor.planned.last().unwrap();
    assert_eq!(planned.disposition.as_deref(), Some("sale"));
    assert_eq!(planned.next, PlannedNext::Final { reason: FinalReason::Treated });
}

#[test]
fn a_person_for_whom_no_agent_is_free_hears_the_message_after_two_seconds_and_counts_as_dropped() {
    let mut floor = one_agent(with_mode(DialMode::Power));
    let (first, second) = (floor.dialled[0], floor.dialled[1]);
    floor.talk(first);
    floor.answer(second);
    floor.pass(1);
    assert!(floor.messages.is_empty());
    floor.pass(1);
    assert_eq!(floor.messages, [second]);
    floor.call(second, CallEvent::MessageEnded);
    floor.call(second, CallEvent::Ended(CallEnd::ByUs));
    floor.store_all();
    assert_eq!(floor.ended[&second], CallResult::Dropped);
}

#[test]
fn a_waiting_person_gets_the_next_agent_who_becomes_ready() {
    let mut floor = Floor::new(&[(1, with_mode(DialMode::Power))], &[(1, &[1]), (2, &[1])]);
    floor.run(1);
    floor.log_in(1);
    floor.agent(2, AgentEvent::LogIn);
    floor.settle(10);
    let (first, second) = (floor.dialled[0], floor.dialled[1]);
    floor.talk(first);
    floor.answer(second);
    floor.agent(2, AgentEvent::Ready);
    assert_eq!(floor.connecting.last(), Some(&(second, agent_id(2))));
}

#[test]
fn a_person_who_hangs_up_before_an_agent_is_there_counts_as_abandoned() {
    let mut floor = one_agent(with_mode(DialMode::Power));
    let (first, second) = (floor.dialled[0], floor.dialled[1]);
    floor.talk(first);
    floor.answer(second);
    floor.call(second, CallEvent::Ended(CallEnd::ByCalledParty));
    floor.store_all();
    assert_eq!(floor.ended[&second], CallResult::Abandoned);
}

#[test]
fn a_machine_is_hung_up_on_unless_the_group_connects_machines() {
    let mut floor = one_agent(progressive());
    let attempt = floor.dialled[0];
    floor.call(attempt, CallEvent::Answered);
    floor.call(attempt, CallEvent::Detected(Detected::Machine));
    floor.call(attempt, CallEvent::Ended(CallEnd::ByUs));
    floor.store_all();
    assert_eq!(floor.ended[&attempt], CallResult::AnsweringMachine);
    assert!(floor.connecting.is_empty());
}

#[test]
fn a_preview_is_dialled_only_when_the_agent_says_so_and_is_theirs() {
    let mut floor = one_agent(with_mode(DialMode::PushPreview));
    assert_eq!(floor.state_of(1), AgentState::Preview);
    assert!(floor.dialled.is_empty());
    floor.agent(1, AgentEvent::AcceptPreview);
    floor.store_all();
    let attempt = floor.dialled[0];
    assert_eq!(floor.state_of(1), AgentState::Reserved);
    floor.talk(attempt);
    assert_eq!(floor.connecting, [(attempt, agent_id(1))]);
}

#[test]
fn a_rejected_preview_goes_back_and_the_next_contact_comes() {
    let mut floor = one_agent(with_mode(DialMode::PushPreview));
    let first = floor.engine.agents[&agent_id(1)].preview.as_ref().unwrap().1.contact;
    floor.agent(1, AgentEvent::RejectPreview { reason: Some("known".into()) });
    floor.store_all();
    assert!(!floor.claimed.contains(&first));
    assert_eq!(floor.state_of(1), AgentState::Preview);
}

#[test]
fn a_preview_that_runs_out_sets_the_agent_not_ready() {
    let mut floor = one_agent(with_mode(DialMode::PushPreview));
    floor.pass(61);
    assert_eq!(floor.state_of(1), AgentState::NotReady);
}

#[test]
fn a_break_asked_for_during_a_call_begins_after_it() {
    let mut floor = one_agent(progressive());
    let attempt = floor.dialled[0];
    floor.talk(attempt);
    floor.agent(1, AgentEvent::NotReady { reason: Some("lunch".into()) });
    assert_eq!(floor.state_of(1), AgentState::OnCall);
    floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
    floor.pass(61);
    floor.store_all();
    assert_eq!(floor.state_of(1), AgentState::NotReady);
    assert_eq!(floor.engine.agents[&agent_id(1)].reason.as_deref(), Some("lunch"));
}

#[test]
fn groups_that_share_an_agent_do_not_both_count_on_them() {
    let mut floor = Floor::new(&[(1, progressive()), (2, progressive())], &[(1, &[1, 2])]);
    floor.run(1);
    floor.run(2);
    floor.log_in(1);
    floor.settle(10);
    assert_eq!(floor.dialled.len(), 1);
}

#[test]
fn a_group_that_is_unloaded_waits_for_its_calls_and_gives_every_contact_back() {
    let mut floor = one_agent(progressive());
    let attempt = floor.dialled[0];
    floor.talk(attempt);
    floor.act(1, GroupAction::Unload);
    assert_eq!(floor.group_state(1), Some(GroupState::WaitingUnload));
    floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
    floor.pass(61);
    floor.store_all();
    assert_eq!(floor.group_state(1), None);
    assert_eq!(floor.at_rest, [group_id(1)]);
    assert!(floor.claimed.is_empty());
}

#[test]
fn a_forced_unload_ends_the_calls() {
    let mut floor = one_agent(progressive());
    let attempt = floor.dialled[0];
    floor.talk(attempt);
    floor.act(1, GroupAction::ForceUnload);
    floor.call(attempt, CallEvent::Ended(CallEnd::ByUs));
    floor.pass(61);
    floor.store_all();
    assert_eq!(floor.group_state(1), None);
}

#[test]
fn a_group_that_ran_out_of_contacts_completes_by_itself() {
    let mut floor = Floor::new(&[(1, GroupSettings { auto_complete: true, ..progressive() })], &[(1, &[1])]);
    floor.run(1);
    floor.log_in(1);
    floor.store_all();
    floor.answer_fetch(0, false);
    floor.store_all();
    assert_eq!(floor.group_state(1), None);
}

/// A group that completes by itself, and asked in vain for more than the contact that an agent looks at.
fn last_contact_is_previewed() -> Floor {
    let settings = GroupSettings { auto_complete: true, ..with_mode(DialMode::PushPreview) };
    let mut floor = Floor::new(&[(1, settings)], &[(1, &[1])]);
    floor.run(1);
    floor.log_in(1);
    floor.store_all();
    floor.answer_fetch(1, true);
    floor.store_all();
    assert_eq!(floor.state_of(1), AgentState::Preview);
    floor.answer_fetch(0, false);
    floor.store_all();
    floor.pass(10);
    floor.answer_fetch(0, false);
    floor.store_all();
    assert_eq!(floor.group_state(1), Some(GroupState::Running), "somebody looks at its last contact");
    floor
}

#[test]
fn a_group_does_not_complete_while_an_agent_looks_at_its_last_contact() {
    let mut floor = last_contact_is_previewed();
    floor.agent(1, AgentEvent::AcceptPreview);
    floor.store_all();
    let attempt = floor.dialled[0];
    floor.call(attempt, CallEvent::Ended(CallEnd::NotAnswered(CallResult::Busy)));
    floor.store_all();
    assert_eq!(floor.group_state(1), Some(GroupState::Running), "they may be called again");
    floor.answer_fetch(0, false);
    floor.store_all();
    assert_eq!(floor.group_state(1), None);
}

#[test]
fn a_group_whose_last_contact_went_back_to_the_list_looks_again_before_it_completes() {
    let mut floor = last_contact_is_previewed();
    floor.agent(1, AgentEvent::RejectPreview { reason: Some("asks for another".into()) });
    floor.store_all();
    assert_eq!(floor.group_state(1), Some(GroupState::Running));
    floor.pass(10);
    floor.answer_fetch(0, true);
    floor.store_all();
    assert_eq!(floor.group_state(1), Some(GroupState::Running), "the contact waits for another agent");
    floor.pass(10);
    floor.answer_fetch(0, false);
    floor.store_all();
    assert_eq!(floor.group_state(1), None);
}

#[test]
fn a_group_whose_last_contacts_may_not_be_called_at_this_hour_does_not_complete() {
    let settings = GroupSettings { auto_complete: true, ..progressive() };
    let mut floor = Floor::new(&[(1, settings)], &[(1, &[1])]);
    floor.run(1);
    floor.log_in(1);
    floor.store_all();
    let (group, fence, _) = floor.fetches.remove(0);
    let mut closes_soon = contact(1);
    closes_soon.dial_until = floor.now + Duration::from_secs(8);
    let contacts = vec![contact(0), closes_soon];
    floor.claimed.extend(contacts.iter().map(|contact| contact.contact));
    floor.input(Input::Contacts {
        group,
        fence,
        contacts,
        supply: Supply { any_left: true, next_due: None },
    });
    floor.store_all();
    let attempt = floor.dialled[0];
    floor.answer_fetch(0, false);
    floor.store_all();
    floor.pass(9);
    floor.answer_fetch(0, false);
    floor.call(attempt, CallEvent::Ended(CallEnd::NotAnswered(CallResult::Busy)));
    floor.store_all();
    floor.answer_fetch(0, true);
    floor.store_all();
    assert!(floor.claimed.is_empty(), "the second contact has gone back to the list");
    assert_eq!(floor.group_state(1), Some(GroupState::Running));
}

#[test]
fn contacts_in_the_hopper_whose_hours_have_closed_are_not_dialled() {
    let mut floor = Floor::new(&[(1, progressive())], &[(1, &[1])]);
    floor.run(1);
    floor.log_in(1);
    floor.store_all();
    let (group, fence, _) = floor.fetches.remove(0);
    let mut late = contact(1);
    late.dial_until = floor.now;
    floor.claimed.insert(late.contact);
    let supply = Supply { any_left: true, next_due: None };
    floor.input(Input::Contacts { group, fence, contacts: vec![late], supply });
    floor.store_all();
    assert!(floor.dialled.is_empty());
    assert!(floor.claimed.is_empty());
}

#[test]
fn a_number_that_is_suppressed_now_leaves_the_hopper_and_its_ringing_call_is_withdrawn() {
    let mut floor = one_agent(progressive());
    let attempt = floor.dialled[0];
    floor.call(attempt, CallEvent::Ringing);
    let number = floor.engine.calls[&attempt].contact.phones[0].number;
    floor.input(Input::Suppressed { group: group_id(1), numbers: BTreeSet::from([number]) });
    floor.call(attempt, CallEvent::Ended(CallEnd::ByUs));
    floor.store_all();
    assert_eq!(floor.ended[&attempt], CallResult::DoNotCall);
    let planned = &floor.planned[0];
    assert_eq!((planned.phone_status, planned.suppress), (PhoneStatus::Active, None));
    assert!(
        matches!(planned.next, PlannedNext::Dial { phone: 0, at, .. } if at == floor.now),
        "the feed says whether it may be called: the entry may be for a time"
    );
    assert_eq!((planned.result, planned.result_in_a_row), (None, 0), "nothing was learned of the person");
}

#[test]
fn a_call_that_was_withdrawn_is_no_business_of_a_post_call_script() {
    let scripts = ScriptRules { before_reschedule: true, after_reschedule: true, ..ScriptRules::default() };
    let mut floor = Floor::new(&[], &[(1, &[1])]);
    floor.put_group_with(1, progressive(), scripts);
    floor.run(1);
    floor.log_in(1);
    floor.settle(1);
    floor.suppress(&contact(1));
    floor.call(floor.dialled[0], CallEvent::Ended(CallEnd::ByUs));
    floor.store_all();
    assert!(floor.hooks.is_empty());
    assert_eq!(floor.planned.len(), 1);
}

#[test]
fn attempts_that_a_crash_left_are_settled_before_anything_else() {
    let mut floor = Floor::new(&[(1, progressive())], &[]);
    floor.act(1, GroupAction::Load);
    let (open, over) = (contact(900), contact(901));
    let attempts = [AttemptId(Uuid::from_u128(1)), AttemptId(Uuid::from_u128(2))];
    for (attempt, contact) in attempts.iter().zip([&open, &over]) {
        floor.claimed.insert(contact.contact);
        floor.open_attempts.insert(*attempt, contact.contact);
    }
    floor.ended.insert(attempts[1], CallResult::Busy);
    floor.input(Input::Recovered {
        group: group_id(1),
        attempts: vec![
            Unfinished { attempt: attempts[0], contact: open, result: None, live: None, recording: None },
            Unfinished {
                attempt: attempts[1],
                contact: over,
                result: Some(CallResult::Busy),
                live: None,
                recording: None,
            },
        ],
    });
    floor.store_all();
    assert_eq!(floor.ended[&attempts[0]], CallResult::SystemError);
    assert!(floor.open_attempts.is_empty());
    assert!(floor.claimed.is_empty());
}

#[test]
fn calls_are_spread_over_the_second_by_the_groups_limit() {
    let settings = GroupSettings { calls_per_second_max: 2, ..with_mode(DialMode::Power) };
    let mut floor = Floor::new(&[(1, settings)], &[(1, &[1])]);
    floor.run(1);
    floor.log_in(1);
    floor.store_all();
    floor.answer_fetch(20, true);
    floor.store_all();
    assert_eq!(floor.dialled.len(), 1);
    floor.now = floor.now + Duration::from_millis(500);
    floor.input(Input::Woken);
    floor.store_all();
    assert_eq!(floor.dialled.len(), 2);
}

#[test]
fn an_agent_whose_phone_fails_is_not_ready_and_the_person_gets_another() {
    let mut floor = Floor::new(&[(1, progressive())], &[(1, &[1]), (2, &[1])]);
    floor.run(1);
    floor.log_in(1);
    floor.log_in(2);
    floor.settle(10);
    let attempt = floor.dialled[0];
    floor.answer(attempt);
    let first = floor.connecting[0].1;
    floor.call(attempt, CallEvent::AgentFailed);
    let second = floor.connecting[1].1;
    assert_ne!(first, second);
    assert_eq!(floor.engine.agents[&first].state, AgentState::NotReady);
}

#[test]
fn equal_inputs_give_equal_outputs() {
    let run = || {
        let mut floor = one_agent(with_mode(DialMode::Power));
        let attempt = floor.dialled[0];
        floor.talk(attempt);
        (floor.dialled.clone(), format!("{:?}", floor.notices))
    };
    assert_eq!(run(), run());
}

impl Floor {
    /// Puts the number of a contact on a suppression list that the group heeds.
    fn suppress(&mut self, contact: &HopperContact) {
        let numbers = BTreeSet::from([contact.phones[0].number]);
        self.input(Input::Suppressed { group: group_id(1), numbers });
    }

    fn previewed(&self, agent: u128) -> Option<Box<HopperContact>> {
        self.engine.agents[&agent_id(agent)].preview.as_ref().map(|(_, contact)| contact.clone())
    }
}

#[test]
fn a_contact_whose_number_is_suppressed_while_an_agent_looks_at_it_goes_back_and_the_next_one_comes() {
    let mut floor = one_agent(with_mode(DialMode::PushPreview));
    let first = floor.previewed(1).unwrap();
    floor.notices.clear();
    floor.suppress(&first);
    let is_told = |(_, notice): &(AgentId, AgentNotice)| {
        matches!(notice, AgentNotice::State { state: AgentState::Ready, .. })
    };
    assert!(floor.notices.iter().any(is_told));
    assert_ne!(floor.previewed(1).unwrap().contact, first.contact);
    floor.agent(1, AgentEvent::AcceptPreview);
    floor.store_all();
    assert!(!floor.claimed.contains(&first.contact));
    assert_ne!(floor.started[0].contact, first.contact);
}

#[test]
fn a_number_that_is_suppressed_while_contacts_are_asked_for_is_not_dialled_from_that_answer() {
    let mut floor = Floor::new(&[(1, progressive())], &[(1, &[1])]);
    floor.run(1);
    floor.log_in(1);
    floor.store_all();
    floor.suppress(&contact(1));
    floor.answer_fetch(2, true);
    floor.store_all();
    assert_eq!(floor.returned[0].contact, contact(1).contact);
    assert_eq!(floor.started.len(), 1);
    assert_eq!(floor.started[0].contact, contact(2).contact, "the others of the answer are called");
}

#[test]
fn contacts_that_were_claimed_by_other_hours_or_lists_go_back_and_are_asked_for_again() {
    let changes: [fn(&mut CampaignRules); 2] = [
        |rules| rules.hours = CallingHours::cautious(),
        |rules| rules.suppression_lists = vec![crate::SuppressionListId(Uuid::from_u128(7))],
    ];
    for change in changes {
        let mut floor = one_agent(with_mode(DialMode::PushPreview));
        let claimed = floor.claimed.clone();
        assert!(floor.fetches.is_empty() && claimed.len() > 1);
        floor.put_rules(1, change);
        floor.store_all();
        assert_eq!(floor.state_of(1), AgentState::Ready, "what an agent looks at goes back as well");
        assert!(floor.claimed.is_empty());
        floor.settle(10);
        assert!(floor.previewed(1).is_some_and(|contact| !claimed.contains(&contact.contact)));
    }
}

#[test]
fn other_rules_that_say_nothing_of_who_may_be_called_leave_the_hopper_as_it_is() {
    let mut floor = one_agent(progressive());
    let claimed = floor.claimed.clone();
    floor.put_rules(1, |rules| rules.attempts_max = 3);
    floor.store_all();
    assert_eq!(floor.claimed, claimed);
}

/// A group whose agents may wrap up for as long as they like.
fn without_limit() -> GroupSettings {
    GroupSettings { wrap_up_seconds_max: 0, ..progressive() }
}

#[test]
fn the_wrap_up_of_an_agent_whose_screen_went_during_the_call_ends_by_itself() {
    let mut floor = one_agent(without_limit());
    let attempt = floor.dialled[0];
    floor.talk(attempt);
    floor.agent(1, AgentEvent::ConnectionLost);
    floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
    assert_eq!(floor.state_of(1), AgentState::WrapUp);
    floor.pass(60);
    floor.store_all();
    assert_eq!(floor.state_of(1), AgentState::NotReady);
}

#[test]
fn an_agent_whose_screen_came_back_during_the_call_wraps_up_for_as_long_as_they_like() {
    let mut floor = one_agent(without_limit());
    let attempt = floor.dialled[0];
    floor.talk(attempt);
    floor.agent(1, AgentEvent::ConnectionLost);
    floor.agent(1, AgentEvent::LogIn);
    floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
    floor.pass(3600);
    floor.store_all();
    assert_eq!(floor.state_of(1), AgentState::WrapUp);
}

#[test]
fn a_forced_unload_ends_the_wrap_ups_as_well() {
    let mut floor = one_agent(without_limit());
    let attempt = floor.dialled[0];
    floor.talk(attempt);
    floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
    floor.act(1, GroupAction::Unload);
    assert_eq!(floor.group_state(1), Some(GroupState::WaitingUnload));
    floor.act(1, GroupAction::ForceUnload);
    floor.store_all();
    assert_eq!(floor.group_state(1), None);
    assert_eq!(floor.state_of(1), AgentState::Ready);
}

fn remove(floor: &mut Floor, agent: u128) {
    floor.input(Input::Command(Command::RemoveAgent(agent_id(agent))));
}

fn is_known(floor: &Floor, agent: u128) -> bool {
    floor.engine.agents.contains_key(&agent_id(agent))
}

#[test]
fn an_agent_who_is_removed_while_idle_is_logged_out_and_their_line_is_given_up() {
    let mut floor = Floor::new(&[], &[(1, &[1])]);
    floor.needs_line(1, true);
    floor.agent(1, AgentEvent::LogIn);
    assert_eq!(floor.lines_wanted, [agent_id(1)]);
    remove(&mut floor, 1);
    assert!(floor.lines_wanted.is_empty());
    let last = floor.notices.last();
    let logged_out = AgentNotice::State { state: AgentState::LoggedOut, reason: None };
    assert_eq!(last, Some(&(agent_id(1), logged_out)));
    assert!(!is_known(&floor, 1));
}

#[test]
fn an_agent_who_is_removed_during_a_call_ends_it_and_is_forgotten_once_that_is_stored() {
    let mut floor = one_agent(without_limit());
    let attempt = floor.dialled[0];
    floor.talk(attempt);
    remove(&mut floor, 1);
    assert_eq!(floor.state_of(1), AgentState::OnCall);
    floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
    assert!(is_known(&floor, 1));
    floor.store_all();
    assert!(!is_known(&floor, 1));
    assert_eq!(floor.planned.len(), 1);
}

#[test]
fn an_agent_who_is_removed_in_their_wrap_up_or_at_a_preview_is_forgotten_at_once() {
    let mut floor = one_agent(without_limit());
    let attempt = floor.dialled[0];
    floor.talk(attempt);
    floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
    remove(&mut floor, 1);
    floor.store_all();
    assert!(!is_known(&floor, 1));

    let mut floor = one_agent(with_mode(DialMode::PushPreview));
    remove(&mut floor, 1);
    assert!(!is_known(&floor, 1));
    floor.store_all();
    assert_eq!(floor.returned.len(), 1);
}

#[test]
fn pacing_does_not_count_on_agents_who_take_a_break_or_go_home_after_the_call() {
    for leaving in [AgentEvent::NotReady { reason: None }, AgentEvent::LogOut, AgentEvent::ConnectionLost] {
        let mut floor = one_agent(progressive());
        floor.talk(floor.dialled[0]);
        let busy = |floor: &Floor| floor.engine.team(skill_id(1)).busy.len();
        assert_eq!(busy(&floor), 1);
        floor.agent(1, leaving);
        assert_eq!(busy(&floor), 0);
        assert_eq!(floor.engine.team(skill_id(1)).at_work, 1, "they are still at work");
        floor.agent(1, AgentEvent::Ready);
        assert_eq!(busy(&floor), 1);
    }
}

#[test]
fn wrap_ups_take_none_of_the_lines_that_a_group_may_have() {
    let settings = GroupSettings { lines_max: 1, ..without_limit() };
    let mut floor = Floor::new(&[(1, settings)], &[(1, &[1]), (2, &[1])]);
    floor.run(1);
    floor.log_in(1);
    floor.settle(5);
    floor.log_in(2);
    floor.talk(floor.dialled[0]);
    floor.settle(5);
    assert_eq!(floor.dialled.len(), 1, "the only line is taken");
    floor.call(floor.dialled[0], CallEvent::Ended(CallEnd::ByCalledParty));
    floor.pass(1);
    floor.store_all();
    assert_eq!(floor.state_of(1), AgentState::WrapUp);
    assert_eq!(floor.dialled.len(), 2);
}

/// A call that somebody picked up at once and that an agent was connected with so many seconds after they were known to be a
/// person.
fn connected_after(settings: GroupSettings, seconds: u64) -> (Floor, crate::change::AttemptEnded) {
    let mut floor = one_agent(settings);
    let attempt = floor.dialled[0];
    floor.call(attempt, CallEvent::Ringing);
    floor.call(attempt, CallEvent::Answered);
    floor.pass(1);
    floor.call(attempt, CallEvent::Detected(Detected::Person));
    floor.pass(seconds);
    floor.call(attempt, CallEvent::Connected);
    floor.pass(60);
    floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
    floor.store_all();
    let ended = floor.endings[&attempt].clone();
    (floor, ended)
}

#[test]
fn whoever_is_connected_more_than_two_seconds_after_their_greeting_counts_as_abandoned() {
    for (seconds, late) in [(0, false), (2, false), (3, true)] {
        let (floor, ended) = connected_after(progressive(), seconds);
        assert_eq!(ended.result, CallResult::Answer);
        assert_eq!((ended.connected_late(), ended.is_abandonment()), (late, late), "after {seconds} s");
        assert!(!ended.found_nobody());
        let campaign = floor.engine.groups[&group_id(1)].definition.campaign;
        let today = floor.engine.budgets[&campaign].today();
        assert_eq!((today.answered, today.abandoned), (1, u64::from(late)), "after {seconds} s");
    }
}

#[test]
fn whoever_heard_what_the_call_was_for_before_an_agent_came_was_not_connected_late() {
    let mut floor = Floor::new(&[(1, with_mode(DialMode::Agentless))], &[(1, &[1])]);
    floor.run(1);
    floor.log_in(1);
    floor.settle(10);
    let attempt = floor.dialled[0];
    floor.answer(attempt);
    floor.call(attempt, CallEvent::MessageBegan);
    floor.pass(9);
    floor.call(attempt, CallEvent::Digit('9'));
    floor.call(attempt, CallEvent::Connected);
    floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
    floor.store_all();
    let ended = &floor.endings[&attempt];
    assert!(ended.connected_at.is_some() && !ended.is_abandonment(), "{ended:?}");
}
