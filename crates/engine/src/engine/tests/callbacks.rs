//! Callbacks: who gets them, and what becomes of those that nobody can keep.

use super::*;
use crate::callback::{CallbackDelivery, WithoutAgent};

/// A running group with two agents at work, and a callback that has just come due.
fn due_callback(settings: GroupSettings, agent: Option<u128>) -> Floor {
    let mut floor = Floor::new(&[(1, settings)], &[(1, &[1]), (2, &[1]), (3, &[1])]);
    floor.run(1);
    floor.log_in(1);
    floor.log_in(2);
    floor.store_all();
    floor.hand_over(promised(contact(900), agent.map(agent_id), START));
    floor.store_all();
    floor
}

impl Floor {
    /// Answers the open question for contacts with this one.
    fn hand_over(&mut self, contact: HopperContact) {
        let (group, fence, _) = self.fetches.remove(0);
        self.claimed.insert(contact.contact);
        let supply = Supply { any_left: true, next_due: None };
        self.input(Input::Contacts { group, fence, contacts: vec![contact], supply });
    }

    fn previewed_to(&self) -> Vec<AgentId> {
        let previews = |(agent, notice): &(AgentId, AgentNotice)| {
            matches!(notice, AgentNotice::Preview { callback: Some(_), .. }).then_some(*agent)
        };
        self.notices.iter().filter_map(previews).collect()
    }

    fn callback_states(&self) -> Vec<CallbackState> {
        self.callbacks.iter().map(|moved| moved.state).collect()
    }
}

fn with_callbacks(change: impl FnOnce(&mut crate::CallbackSettings)) -> GroupSettings {
    let mut settings = progressive();
    change(&mut settings.callbacks);
    settings
}

#[test]
fn a_personal_callback_is_offered_to_its_agent_whatever_the_dial_mode() {
    let mut floor = due_callback(progressive(), Some(2));
    assert_eq!(floor.previewed_to(), [agent_id(2)]);
    assert_eq!(floor.state_of(1), AgentState::Ready);
    floor.agent(2, AgentEvent::AcceptPreview);
    floor.store_all();
    let attempt = floor.dialled[0];
    floor.talk(attempt);
    assert_eq!(floor.connecting.last(), Some(&(attempt, agent_id(2))));
    floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
    let disposition = Some("sale".to_owned());
    let sale = AgentEvent::Dispose { disposition, notes: None, callback_at: None, callback_is_mine: false };
    floor.agent(2, sale);
    floor.store_all();
    let states = [CallbackState::Offered, CallbackState::Dialled, CallbackState::Done];
    assert_eq!(floor.callback_states(), states);
}

#[test]
fn an_agent_who_refuses_a_callback_leaves_it_to_another_with_the_skill() {
    let mut floor = due_callback(progressive(), Some(1));
    floor.agent(1, AgentEvent::RejectPreview { reason: None });
    floor.store_all();
    assert_eq!(floor.previewed_to(), [agent_id(1), agent_id(2)]);
    floor.agent(2, AgentEvent::RejectPreview { reason: None });
    floor.store_all();
    assert_eq!(floor.previewed_to().len(), 2, "nobody is asked twice");
    assert!(floor.claimed.is_empty(), "it rests in the store until it is looked at again");
}

#[test]
fn a_personal_callback_waits_for_an_agent_who_is_not_at_work_and_then_goes_to_the_skill() {
    let mut floor = due_callback(progressive(), Some(3));
    assert!(floor.previewed_to().is_empty());
    assert!(floor.claimed.is_empty(), "it waits in the store, not in memory");
    floor.pass(15 * 60);
    floor.hand_over(promised(contact(900), Some(agent_id(3)), START));
    floor.store_all();
    assert_eq!(floor.previewed_to().len(), 1);
    let released = &floor.callbacks[0];
    assert_eq!((released.agent, released.reason.as_deref()), (None, Some("agent_absent")));
}

#[test]
fn a_group_may_let_the_callback_of_an_absent_agent_expire() {
    let mut floor =
        due_callback(with_callbacks(|callbacks| callbacks.agent_absent = WithoutAgent::Expire), Some(3));
    floor.pass(15 * 60);
    floor.hand_over(promised(contact(900), Some(agent_id(3)), START));
    floor.store_all();
    assert_eq!(floor.callback_states(), [CallbackState::Expired]);
    assert_eq!(floor.planned[0].next, PlannedNext::Final { reason: FinalReason::Expired });
}

#[test]
fn a_callback_of_an_agent_who_lost_the_skill_is_released_at_once() {
    let mut floor = Floor::new(&[(1, progressive())], &[(1, &[1]), (3, &[2])]);
    floor.run(1);
    floor.log_in(1);
    floor.log_in(3);
    floor.store_all();
    floor.hand_over(promised(contact(900), Some(agent_id(3)), START));
    floor.store_all();
    assert_eq!(floor.previewed_to(), [agent_id(1)]);
    assert_eq!(floor.callbacks[0].reason.as_deref(), Some("agent_lost_skill"));
}

#[test]
fn a_busy_agent_gets_their_callback_when_they_are_ready_again() {
    let mut floor = Floor::new(&[(1, progressive())], &[(1, &[1])]);
    floor.run(1);
    floor.log_in(1);
    floor.store_all();
    floor.hand_over(contact(1));
    floor.store_all();
    let attempt = floor.dialled[0];
    floor.talk(attempt);
    floor.store_all();
    floor.hand_over(promised(contact(900), Some(agent_id(1)), START));
    assert!(floor.previewed_to().is_empty());
    floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
    let sale = AgentEvent::Dispose {
        disposition: Some("sale".into()),
        notes: None,
        callback_at: None,
        callback_is_mine: false,
    };
    floor.agent(1, sale);
    floor.store_all();
    assert_eq!(floor.previewed_to(), [agent_id(1)]);
}

#[test]
fn a_callback_that_is_dialled_at_once_reserves_its_agent() {
    let dialled = with_callbacks(|callbacks| callbacks.delivery = CallbackDelivery::Dial);
    let mut floor = due_callback(dialled, Some(2));
    assert!(floor.previewed_to().is_empty());
    assert_eq!(floor.state_of(2), AgentState::Reserved);
    assert_eq!(floor.dialled.len(), 1);
    floor.talk(floor.dialled[0]);
    assert_eq!(floor.connecting.last().unwrap().1, agent_id(2));
}

#[test]
fn a_person_who_is_not_reached_keeps_the_promise_standing_until_it_is_of_no_use() {
    let mut floor = due_callback(progressive(), None);
    let agent = floor.previewed_to()[0];
    floor.input(Input::Agent { agent, event: AgentEvent::AcceptPreview });
    floor.store_all();
    floor.call(floor.dialled[0], CallEvent::Ended(CallEnd::NotAnswered(CallResult::Busy)));
    floor.store_all();
    let last = floor.callbacks.last().unwrap();
    assert_eq!((last.state, last.due), (CallbackState::Scheduled, Some(START + Duration::from_secs(600))));
    assert!(matches!(floor.planned[0].next, PlannedNext::Dial { callback: true, .. }));
}

#[test]
fn an_agent_who_agrees_another_time_makes_a_callback_of_their_own() {
    let mut floor = due_callback(progressive(), Some(2));
    floor.agent(2, AgentEvent::AcceptPreview);
    floor.store_all();
    let attempt = floor.dialled[0];
    floor.talk(attempt);
    floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
    let tomorrow = START + Duration::from_secs(86_400);
    let later = AgentEvent::Dispose {
        disposition: Some("sale".into()),
        notes: Some("after lunch".into()),
        callback_at: Some(tomorrow),
        callback_is_mine: true,
    };
    floor.agent(2, later);
    floor.store_all();
    let made = &floor.made[0];
    assert_eq!((made.agent, made.due), (Some(agent_id(2)), tomorrow));
    assert_eq!(made.follows, Some(floor.callbacks[0].callback));
    assert_eq!(floor.callbacks.last().unwrap().state, CallbackState::Rescheduled);
}

#[test]
fn a_time_is_refused_by_name_with_an_answer_that_agrees_on_none() {
    let mut floor = due_callback(progressive(), Some(2));
    floor.agent(2, AgentEvent::AcceptPreview);
    floor.store_all();
    let attempt = floor.dialled[0];
    floor.talk(attempt);
    floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
    let agreed = |code: Option<&str>| AgentEvent::Dispose {
        disposition: code.map(str::to_owned),
        notes: None,
        callback_at: Some(START + Duration::from_secs(86_400)),
        callback_is_mine: false,
    };
    for code in [Some("stop"), None] {
        floor.agent(2, agreed(code));
        let Some((_, AgentNotice::Refused { why, .. })) = floor.notices.last() else {
            panic!("{code:?} was taken")
        };
        assert_eq!(*why, "callback_at needs a disposition whose callback is true");
        assert_eq!(floor.state_of(2), AgentState::WrapUp);
    }
    floor.agent(2, agreed(Some("sale")));
    floor.store_all();
    assert_eq!(floor.made.len(), 1);
}

#[test]
fn a_group_that_stops_takes_its_offers_back_and_the_callbacks_are_scheduled_again() {
    let mut floor = due_callback(progressive(), Some(2));
    floor.act(1, GroupAction::Stop);
    floor.store_all();
    assert!(floor.claimed.is_empty());
    assert_eq!(floor.callback_states(), [CallbackState::Offered, CallbackState::Scheduled]);
    assert_eq!(floor.callbacks[1].agent, Some(agent_id(2)), "it stays the agent's own");
    assert_eq!(floor.state_of(2), AgentState::Ready);
}

#[test]
fn callbacks_that_wait_for_their_busy_agent_keep_nobody_else_waiting() {
    let mut floor = Floor::new(&[(1, progressive())], &[(1, &[1]), (2, &[1])]);
    floor.run(1);
    floor.log_in(1);
    floor.store_all();
    floor.hand_over(contact(1));
    floor.store_all();
    floor.talk(floor.dialled[0]);
    let (group, fence, _) = floor.fetches.remove(0);
    let contacts: Vec<_> =
        (900..940).map(|index| promised(contact(index), Some(agent_id(1)), START)).collect();
    floor.claimed.extend(contacts.iter().map(|contact| contact.contact));
    let supply = Supply { any_left: true, next_due: None };
    floor.input(Input::Contacts { group, fence, contacts, supply });
    floor.log_in(2);
    floor.store_all();
    floor.hand_over(contact(2));
    floor.pass(1);
    floor.store_all();
    assert_eq!(floor.dialled.len(), 2);
    assert_eq!(floor.engine.groups[&group_id(1)].promised.len(), 40);
}

#[test]
fn a_call_that_has_its_agent_leaves_the_lines_of_the_others_to_them() {
    let mut floor = due_callback(progressive(), Some(2));
    floor.agent(2, AgentEvent::AcceptPreview);
    floor.store_all();
    floor.hand_over(contact(1));
    floor.pass(1);
    floor.store_all();
    assert_eq!(floor.dialled.len(), 2, "the other agent is ready");
    let rate = |floor: &Floor| floor.engine.groups[&group_id(1)].forecast.long_run();
    let before = rate(&floor);
    floor.call(floor.dialled[0], CallEvent::Ended(CallEnd::NotAnswered(CallResult::Busy)));
    assert!(rate(&floor) < before, "what became of it is learned all the same");
}
