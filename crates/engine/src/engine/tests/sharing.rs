//! Groups that share agents: who is kept for whom.

use super::*;

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
