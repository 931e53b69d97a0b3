//! Groups that share agents: who is kept for whom.

use super::*;
use crate::detection::AnswerAction;

/// Two agents for both groups: the first bets five lines on one of them, the second has a line for the other.
fn two_groups() -> (Floor, AttemptId) {
    let bets = GroupSettings { lines_per_agent: 5.0, lines_max: 5, ..with_mode(DialMode::Power) };
    let mut floor = Floor::new(&[(1, bets), (2, progressive())], &[(1, &[1, 2]), (2, &[1, 2])]);
    floor.run(1);
    floor.log_in(1);
    floor.settle(10);
    assert_eq!(floor.dialled.len(), 5);
    floor.run(2);
    floor.log_in(2);
    floor.settle(10);
    let [.., one_to_one] = floor.dialled[..] else { panic!("nothing was dialled") };
    assert_eq!(floor.dialled.len(), 6, "one line for the second agent");
    (floor, one_to_one)
}

/// Two of the bets are answered: the first takes one agent, the other is kept.
fn a_bet_too_many(floor: &mut Floor) -> AttemptId {
    let [first, second, ..] = floor.dialled[..] else { panic!("nothing was dialled") };
    floor.answer(first);
    floor.answer(second);
    assert_eq!(floor.connecting.len(), 1, "the agent of the other group's line is kept");
    second
}

#[test]
fn an_agent_is_kept_for_a_line_that_was_dialled_for_them() {
    let (mut floor, one_to_one) = two_groups();
    let waiting = a_bet_too_many(&mut floor);
    floor.answer(one_to_one);
    assert_eq!(floor.connecting[1].0, one_to_one);
    floor.pass(2);
    assert_eq!(floor.messages, [waiting], "who was a bet hears the message");
}

#[test]
fn whoever_waits_gets_the_agent_as_soon_as_the_line_that_they_were_kept_for_is_over() {
    let (mut floor, one_to_one) = two_groups();
    let waiting = a_bet_too_many(&mut floor);
    floor.call(one_to_one, CallEvent::Ringing);
    floor.call(one_to_one, CallEvent::Ended(CallEnd::NotAnswered(CallResult::Busy)));
    assert_eq!(floor.connecting[1].0, waiting);
}

#[test]
fn of_those_who_wait_the_one_who_answered_first_gets_the_first_agent() {
    let (mut floor, _) = two_groups();
    let first = a_bet_too_many(&mut floor);
    floor.now = floor.now + Duration::from_millis(100);
    let later = floor.dialled[2];
    floor.answer(later);
    floor.put_agent(3, &[1]);
    floor.log_in(3);
    assert_eq!(floor.connecting.last().map(|(attempt, _)| *attempt), Some(first));
    assert_eq!(floor.connecting.len(), 2);
}

#[test]
fn every_line_that_was_dialled_for_an_agent_keeps_one_whatever_skills_the_groups_have() {
    let bets = GroupSettings { lines_per_agent: 5.0, lines_max: 10, ..with_mode(DialMode::Power) };
    let one_line = GroupSettings { lines_max: 1, ..progressive() };
    let groups = [(1, bets), (2, one_line.clone()), (3, one_line)];
    let agents: Vec<(u128, &[u128])> = (1..=4).map(|agent| (agent, &[1, 2, 3][..])).collect();
    let mut floor = Floor::new(&groups, &agents);
    floor.run(1);
    floor.log_in(1);
    floor.log_in(2);
    floor.settle(20);
    let bets = floor.dialled.clone();
    assert_eq!(bets.len(), 10);
    floor.log_in(3);
    floor.log_in(4);
    floor.run(2);
    floor.run(3);
    floor.settle(20);
    assert_eq!(floor.dialled.len(), 12, "a line each for the two who are left");
    for bet in bets {
        floor.answer(bet);
    }
    assert_eq!(floor.connecting.len(), 2);
    let kept = floor.dialled.split_off(10);
    for line in kept {
        floor.answer(line);
    }
    assert_eq!(floor.connecting.len(), 4);
}

#[test]
fn groups_of_one_campaign_have_one_budget_and_keep_nobody_from_each_other() {
    let (mut floor, _) = two_groups();
    let mut definition = floor.engine.groups[&group_id(2)].definition.clone();
    definition.campaign = floor.engine.groups[&group_id(1)].definition.campaign;
    floor.engine.groups.get_mut(&group_id(2)).unwrap().definition = definition;
    let [first, second, ..] = floor.dialled[..] else { panic!("nothing was dialled") };
    floor.answer(first);
    floor.answer(second);
    assert_eq!(floor.connecting.len(), 2, "who has answered comes before who may");
}

#[test]
fn a_kept_agent_is_free_once_their_line_is_being_ended() {
    let (mut floor, one_to_one) = two_groups();
    let waiting = a_bet_too_many(&mut floor);
    floor.call(one_to_one, CallEvent::Ringing);
    floor.act(2, GroupAction::ForceUnload);
    assert_eq!(floor.connecting[1].0, waiting);
}

#[test]
fn a_pushed_preview_does_not_take_an_agent_who_is_kept() {
    let (mut floor, one_to_one) = two_groups();
    floor.put_group(3, with_mode(DialMode::PushPreview));
    floor.put_agent(2, &[1, 2, 3]);
    floor.put_agent(1, &[1, 2, 3]);
    floor.run(3);
    floor.settle(10);
    let previews = [1, 2]
        .map(|agent| floor.state_of(agent))
        .iter()
        .filter(|state| **state == AgentState::Preview)
        .count();
    assert_eq!(previews, 1, "one of the two is kept");
    floor.answer(one_to_one);
    assert_eq!(floor.connecting.len(), 1);
}

#[test]
fn who_waits_has_the_agent_who_comes_in_the_instant_in_which_patience_ends() {
    let (mut floor, _) = two_groups();
    let waiting = a_bet_too_many(&mut floor);
    let until = floor.engine.calls[&waiting].deadline.unwrap();
    floor.put_agent(3, &[1]);
    floor.agent(3, AgentEvent::LogIn);
    floor.now = until;
    floor.agent(3, AgentEvent::Ready);
    assert_eq!(floor.connecting.last(), Some(&(waiting, agent_id(3))));
    assert!(floor.messages.is_empty());
}

#[test]
fn a_bet_that_takes_the_agent_of_its_own_groups_line_costs_no_other_group_theirs() {
    let one_line = GroupSettings { lines_max: 1, ..progressive() };
    let groups = [(1, one_line.clone()), (2, one_line)];
    let mut floor = Floor::new(&groups, &[(1, &[1, 2]), (2, &[1, 2])]);
    floor.log_in(1);
    floor.log_in(2);
    floor.run(1);
    floor.run(2);
    floor.settle(10);
    let [own, of_other] = floor.dialled[..] else { panic!("a line each: {:?}", floor.dialled) };
    let bets = GroupSettings { lines_per_agent: 5.0, lines_max: 5, ..with_mode(DialMode::Power) };
    floor.put_group(1, bets);
    floor.settle(10);
    let bet = *floor.dialled.last().unwrap();
    assert_ne!(bet, of_other);
    floor.answer(bet);
    floor.answer(own);
    floor.answer(of_other);
    assert_eq!(floor.connecting.iter().map(|(attempt, _)| *attempt).collect::<Vec<_>>(), [bet, of_other]);
}

#[test]
fn a_person_whose_agents_phone_fails_is_no_bet_any_more() {
    let (mut floor, _) = two_groups();
    let first = floor.dialled[0];
    floor.answer(first);
    floor.call(first, CallEvent::AgentFailed);
    let [(one, failed), (again, other)] = floor.connecting[..] else { panic!("{:?}", floor.connecting) };
    assert_eq!((one, again), (first, first));
    assert_ne!(failed, other, "the one who was kept");
}

#[test]
fn an_agent_is_kept_while_a_script_is_asked_who_picked_up() {
    for action in [AnswerAction::Connect, AnswerAction::HangUp] {
        let (mut floor, one_to_one) = two_groups();
        floor.put_rules(2, |rules| rules.detection = super::answers::asking_about_everything());
        floor.call(one_to_one, CallEvent::Answered);
        floor.call(one_to_one, CallEvent::Detected(Detected::Unsure));
        assert_eq!(floor.hooks.len(), 1);
        let waiting = a_bet_too_many(&mut floor);
        floor.verdict(HookVerdict::Detected(Some(action)));
        let served = if action == AnswerAction::Connect { one_to_one } else { waiting };
        assert_eq!(floor.connecting.last().map(|(attempt, _)| *attempt), Some(served), "{action:?}");
    }
}

#[test]
fn whoever_asked_for_an_agent_by_a_key_takes_one_who_is_kept() {
    let (mut floor, one_to_one) = two_groups();
    floor.put_group(3, with_mode(DialMode::Agentless));
    floor.put_agent(1, &[1, 2, 3]);
    floor.put_agent(2, &[1, 2, 3]);
    floor.run(3);
    floor.settle(10);
    let hears_a_message = *floor.dialled.last().unwrap();
    let waiting = a_bet_too_many(&mut floor);
    floor.answer(hears_a_message);
    floor.call(hears_a_message, CallEvent::Digit('9'));
    assert_eq!(floor.connecting.last().map(|(attempt, _)| *attempt), Some(hears_a_message));
    floor.answer(one_to_one);
    floor.pass(2);
    assert_eq!(floor.messages, [waiting, one_to_one], "nobody is left for either");
}
