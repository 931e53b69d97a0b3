//! Agents' telephone lines, what agents do on calls, and calls that outlive a process.

use super::*;

fn agent_with_a_line() -> Floor {
    let mut floor = Floor::new(&[(1, progressive())], &[(1, &[1])]);
    floor.needs_line(1, true);
    floor.run(1);
    floor.agent(1, AgentEvent::LogIn);
    floor
}

fn line(floor: &mut Floor, is_up: bool) {
    floor.input(Input::Line { agent: agent_id(1), is_up });
}

#[test]
fn an_agent_is_ready_once_their_telephone_is_picked_up() {
    let mut floor = agent_with_a_line();
    assert_eq!(floor.lines_wanted, [agent_id(1)]);
    floor.agent(1, AgentEvent::Ready);
    assert_eq!(floor.state_of(1), AgentState::NotReady);
    line(&mut floor, true);
    assert_eq!(floor.state_of(1), AgentState::Ready);
}

#[test]
fn an_agent_whose_telephone_fails_is_not_ready_at_once_and_stays_so_after_the_call() {
    let mut floor = agent_with_a_line();
    line(&mut floor, true);
    floor.agent(1, AgentEvent::Ready);
    line(&mut floor, false);
    assert_eq!(floor.state_of(1), AgentState::NotReady);

    line(&mut floor, true);
    floor.agent(1, AgentEvent::Ready);
    floor.settle(5);
    let attempt = floor.dialled[0];
    floor.talk(attempt);
    line(&mut floor, false);
    floor.call(attempt, CallEvent::Ended(CallEnd::ByUs));
    floor.agent(
        1,
        AgentEvent::Dispose { disposition: None, notes: None, callback_at: None, callback_is_mine: false },
    );
    floor.store_all();
    assert_eq!(floor.state_of(1), AgentState::NotReady);
}

#[test]
fn the_line_is_given_up_with_the_session() {
    let mut floor = agent_with_a_line();
    line(&mut floor, true);
    floor.agent(1, AgentEvent::LogOut);
    assert!(floor.lines_wanted.is_empty());
}

#[test]
fn what_an_agent_does_on_a_call_reaches_the_switch_only_while_they_talk() {
    let mut floor = one_agent(progressive());
    let attempt = floor.dialled[0];
    floor.agent(1, AgentEvent::Control(CallControl::Hold));
    floor.talk(attempt);
    floor.agent(1, AgentEvent::Control(CallControl::Keys("12#".to_owned())));
    floor.agent(1, AgentEvent::Control(CallControl::Keys("call me".to_owned())));
    assert_eq!(floor.controls, [(attempt, CallControl::Keys("12#".to_owned()))]);
}

#[test]
fn a_call_that_its_agent_left_to_somebody_else_is_over_for_the_campaign_as_transferred() {
    let mut floor = one_agent(progressive());
    let attempt = floor.dialled[0];
    floor.talk(attempt);
    floor.call(attempt, CallEvent::AgentLeft);
    assert_eq!(floor.state_of(1), AgentState::WrapUp);
    floor.store_all();
    assert_eq!(floor.ended[&attempt], CallResult::Transferred);
    // The rest of the call is not the campaign's.
    floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
    floor.store_all();
    assert_eq!(floor.ended[&attempt], CallResult::Transferred);
}

/// Two agents of one skill, of whom the first talks.
fn one_talks_and_one_is_ready() -> (Floor, AttemptId) {
    let mut floor = Floor::new(&[(1, progressive())], &[(1, &[1]), (2, &[1])]);
    floor.run(1);
    floor.log_in(1);
    floor.settle(1);
    let attempt = floor.dialled[0];
    floor.talk(attempt);
    floor.agent(2, AgentEvent::LogIn);
    (floor, attempt)
}

fn transfers(to: ThirdParty) -> AgentEvent {
    AgentEvent::Control(CallControl::Transfer(Some(to)))
}

#[test]
fn a_call_that_is_handed_over_is_wrapped_up_by_the_other_agent_and_the_first_is_free_at_once() {
    for to in [ThirdParty::Agent(agent_id(2)), ThirdParty::Skill(skill_id(1))] {
        let (mut floor, attempt) = one_talks_and_one_is_ready();
        floor.agent(1, transfers(to));
        assert_eq!(floor.state_of(1), AgentState::OnCall, "the other is not ready yet");
        floor.agent(2, AgentEvent::Ready);
        floor.agent(1, transfers(to));
        assert_eq!(floor.state_of(1), AgentState::Ready);
        assert_eq!(floor.state_of(2), AgentState::Reserved);
        floor.call(attempt, CallEvent::Connected);
        assert_eq!(floor.state_of(2), AgentState::OnCall);
        floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
        assert_eq!(floor.state_of(2), AgentState::WrapUp);
        assert_eq!(floor.state_of(1), AgentState::Ready);
        floor.store_all();
        assert_eq!(floor.ended[&attempt], CallResult::Answer);
    }
}

#[test]
fn whom_a_call_was_handed_over_to_and_whose_telephone_fails_passes_it_on_to_whoever_is_ready() {
    let (mut floor, attempt) = one_talks_and_one_is_ready();
    floor.agent(2, AgentEvent::Ready);
    floor.agent(1, transfers(ThirdParty::Agent(agent_id(2))));
    floor.call(attempt, CallEvent::AgentFailed);
    assert_eq!(floor.state_of(2), AgentState::NotReady);
    assert_eq!(floor.state_of(1), AgentState::Reserved, "the first is ready, and gets it back");
}

/// A floor whose process died with one call up.
fn after_a_crash(live: LiveCall) -> (Floor, AttemptId) {
    after_a_crash_of(progressive(), live)
}

fn after_a_crash_of(settings: GroupSettings, live: LiveCall) -> (Floor, AttemptId) {
    let mut floor = Floor::new(&[(1, settings)], &[(1, &[1])]);
    floor.act(1, GroupAction::Load);
    let attempt = AttemptId(Uuid::from_u128(1));
    let unfinished = floor.left_unfinished(attempt, 900, Some(live));
    floor.input(Input::Recovered { group: group_id(1), attempts: vec![unfinished] });
    (floor, attempt)
}

impl Floor {
    /// An attempt that the process of before left in the store, and on the switch if its call is up.
    fn left_unfinished(
        &mut self,
        attempt: AttemptId,
        contact_index: u64,
        live: Option<LiveCall>,
    ) -> Unfinished {
        let contact = contact(contact_index);
        self.claimed.insert(contact.contact);
        self.open_attempts.insert(attempt, contact.contact);
        if live.is_some() {
            self.dialled.push(attempt);
            self.up.insert(attempt);
        }
        Unfinished { attempt, contact, result: None, live, recording: None }
    }
}

#[test]
fn an_agent_who_talked_when_the_process_died_talks_on_and_wraps_up() {
    let (mut floor, attempt) = after_a_crash(LiveCall { is_answered: true, agent: Some(agent_id(1)) });
    assert_eq!(floor.state_of(1), AgentState::OnCall);
    floor.notices.clear();
    floor.agent(1, AgentEvent::LogIn);
    let shows_the_call =
        |(_, notice): &(AgentId, AgentNotice)| matches!(notice, AgentNotice::Connected { .. });
    assert!(floor.notices.iter().any(shows_the_call), "a screen that comes back is told of the call");
    let talk = |floor: &Floor| floor.engine.groups[&group_id(1)].forecast.talk.clone();
    let learned = talk(&floor);
    floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
    assert_eq!(talk(&floor), learned, "nobody knows how long they have talked");
    assert_eq!(floor.state_of(1), AgentState::WrapUp);
    floor.store_all();
    assert_eq!(floor.ended[&attempt], CallResult::Answer);
}

#[test]
fn a_call_that_rang_when_the_process_died_rings_on_and_is_not_dialled_again() {
    let (mut floor, attempt) = after_a_crash(LiveCall { is_answered: false, agent: None });
    floor.agent(1, AgentEvent::LogIn);
    floor.agent(1, AgentEvent::Ready);
    floor.call(attempt, CallEvent::Answered);
    floor.call(attempt, CallEvent::Detected(Detected::Person));
    assert_eq!(floor.connecting, [(attempt, agent_id(1))]);
    assert_eq!(floor.dialled, [attempt]);
}

#[test]
fn a_person_who_waited_when_the_process_died_hears_the_message_if_nobody_is_free() {
    let (mut floor, attempt) = after_a_crash(LiveCall { is_answered: true, agent: None });
    floor.pass(2);
    assert_eq!(floor.messages, [attempt]);
}

/// A group whose process died while it waited to be unloaded.
fn put_in_waiting_unload(floor: &mut Floor) {
    let definition = GroupDefinition {
        group: group_id(1),
        campaign: CampaignId(Uuid::from_u128(0xc001)),
        skill: skill_id(1),
        settings: progressive(),
        rules: rules(),
        state: GroupState::WaitingUnload,
        answered: AnsweredCalls::default(),
    };
    floor.input(Input::Command(Command::PutGroup(Box::new(definition))));
}

#[test]
fn a_group_that_waited_to_be_unloaded_when_its_process_died_waits_on_for_the_calls_that_are_up() {
    let mut floor = Floor::new(&[], &[(1, &[1])]);
    put_in_waiting_unload(&mut floor);
    floor.store_all();
    let ends = floor.left_unfinished(AttemptId(Uuid::from_u128(1)), 900, None);
    let live = LiveCall { is_answered: true, agent: Some(agent_id(1)) };
    let talks = floor.left_unfinished(AttemptId(Uuid::from_u128(2)), 901, Some(live));
    floor.input(Input::Recovered { group: group_id(1), attempts: vec![ends, talks] });
    floor.store_all();
    assert_eq!(floor.group_state(1), Some(GroupState::WaitingUnload));
    floor.call(AttemptId(Uuid::from_u128(2)), CallEvent::Ended(CallEnd::ByCalledParty));
    floor.pass(61);
    floor.store_all();
    assert_eq!(floor.at_rest, [group_id(1)]);
    assert!(floor.claimed.is_empty());
}

#[test]
fn a_group_that_waited_to_be_unloaded_when_its_process_died_rests_if_no_call_is_left() {
    let mut floor = Floor::new(&[], &[]);
    put_in_waiting_unload(&mut floor);
    floor.input(Input::Recovered { group: group_id(1), attempts: Vec::new() });
    floor.store_all();
    assert_eq!(floor.at_rest, [group_id(1)]);
}

#[test]
fn a_call_that_was_hung_up_cannot_be_transferred_any_more() {
    let (mut floor, attempt) = one_talks_and_one_is_ready();
    floor.agent(2, AgentEvent::Ready);
    floor.agent(1, AgentEvent::HangUp);
    floor.agent(1, transfers(ThirdParty::Agent(agent_id(2))));
    floor.agent(1, AgentEvent::Control(CallControl::Hold));
    assert_eq!(floor.state_of(2), AgentState::Ready);
    assert!(floor.controls.is_empty());
    floor.call(attempt, CallEvent::Ended(CallEnd::ByUs));
    assert_eq!(floor.state_of(1), AgentState::WrapUp);
}

#[test]
fn the_wrap_up_of_an_agent_whose_screen_does_not_come_back_after_a_crash_ends_by_itself() {
    let settings = GroupSettings { wrap_up_seconds_max: 0, ..progressive() };
    let live = LiveCall { is_answered: true, agent: Some(agent_id(1)) };
    let (mut floor, attempt) = after_a_crash_of(settings, live);
    floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
    assert_eq!(floor.state_of(1), AgentState::WrapUp);
    floor.pass(60);
    floor.store_all();
    assert_eq!(floor.state_of(1), AgentState::NotReady);
}

#[test]
fn lines_that_ring_on_after_a_crash_count_before_new_ones_are_dialled() {
    let mut floor = Floor::new(&[(1, with_mode(DialMode::Power))], &[(1, &[1])]);
    floor.run(1);
    let ringing = LiveCall { is_answered: false, agent: None };
    let attempts = (1..=2).map(|index| {
        floor.left_unfinished(AttemptId(Uuid::from_u128(index)), 900 + index as u64, Some(ringing))
    });
    let attempts = attempts.collect();
    floor.input(Input::Recovered { group: group_id(1), attempts });
    floor.log_in(1);
    floor.settle(10);
    assert_eq!(floor.dialled.len(), 3, "two ring on, and one is new");
}
