//! The numbers that calls show, and groups that wait for one.

use proptest::prelude::*;

use super::laws::{any_step, live_through_on, two_groups_and_four_agents};
use super::*;
use crate::PhoneNumber;
use crate::caller_id::{
    CallerIdPool, CallerIdSetting, CallerIdState, Choose, PoolNumber, ShownSoFar, WhenUsedUp,
};
use crate::engine::snapshot::IdleReason;
use crate::ids::CallerIdPoolId;

const POOL: CallerIdPoolId = CallerIdPoolId(Uuid::from_u128(0xca11));

fn number(digits: u64) -> PhoneNumber {
    PhoneNumber::from_digits(digits).unwrap()
}

fn pool(digits: &[u64], per_day: u32, when_used_up: WhenUsedUp) -> CallerIdPool {
    let own = |digits: &u64| PoolNumber {
        number: number(*digits),
        calls_per_day_max: Some(per_day),
        calls_per_hour_max: None,
        country_digits: 2,
        area_digits: 3,
    };
    let numbers = digits.iter().map(own).collect();
    CallerIdPool { choose: Choose::Rotate, sticky: false, when_used_up, numbers }
}

fn know(floor: &mut Floor, pool: CallerIdPool, shown: Vec<ShownSoFar>) {
    let pools = BTreeMap::from([(POOL, pool)]);
    let state = CallerIdState { zone: crate::Zone::utc(), pools, read_at: floor.now, shown };
    floor.input(Input::Command(Command::PutCallerIds(state)));
}

fn with_pool(settings: GroupSettings) -> GroupSettings {
    GroupSettings { caller_id_pool: Some(POOL), ..settings }
}

/// A running group with three ports, whose calls show this pool.
fn dialling(pool: CallerIdPool, settings: GroupSettings) -> Floor {
    let mut floor = Floor::new(&[(1, settings)], &[(1, &[1])]);
    know(&mut floor, pool, Vec::new());
    floor.run(1);
    floor.settle(10);
    floor
}

fn idle_reason(floor: &Floor) -> Option<IdleReason> {
    floor.engine.snapshot().groups[0].idle_reason
}

fn end_all(floor: &mut Floor) {
    for attempt in floor.up.clone() {
        floor.call(attempt, CallEvent::Ended(CallEnd::NotAnswered(CallResult::NoAnswer)));
    }
    floor.settle(10);
}

#[test]
fn calls_show_the_numbers_of_the_pool_in_turn_and_their_attempts_say_so() {
    let own = pool(&[33_100_000, 33_200_000], 9, WhenUsedUp::Hold);
    let floor = dialling(own, with_pool(with_mode(DialMode::Agentless)));
    let shown = [33_100_000, 33_200_000, 33_100_000].map(|digits| Some(number(digits)));
    assert_eq!(floor.shown, shown);
    assert_eq!(floor.started.iter().map(|started| started.caller_id).collect::<Vec<_>>(), shown);
}

#[test]
fn a_group_whose_pool_is_used_up_dials_nobody_says_why_and_goes_on_the_next_day() {
    let own = pool(&[33_100_000], 2, WhenUsedUp::Hold);
    let mut floor = dialling(own, with_pool(with_mode(DialMode::Agentless)));
    assert_eq!(floor.dialled.len(), 2, "of three ports");
    end_all(&mut floor);
    assert_eq!(floor.dialled.len(), 2);
    assert_eq!(idle_reason(&floor), Some(IdleReason::CallerIdsUsedUp));
    assert!(!floor.claimed.is_empty(), "the contacts wait in the hopper");
    let until = floor.engine.groups[&group_id(1)].held.unwrap().until;
    // The engine wakes by itself when the day is over, whatever else it wakes for before.
    while floor.now < until {
        floor.now = floor.engine.next_wake().expect("it wakes by itself").0;
        floor.input(Input::Woken);
        assert!(floor.now >= until || floor.unstored.is_empty());
    }
    assert_eq!(floor.now, until);
    floor.settle(10);
    assert_eq!(floor.dialled.len(), 4);
    assert_eq!(idle_reason(&floor), None);
}

#[test]
fn a_pool_that_gets_another_number_is_free_at_once() {
    let own = pool(&[33_100_000], 2, WhenUsedUp::Hold);
    let mut floor = dialling(own, with_pool(with_mode(DialMode::Agentless)));
    end_all(&mut floor);
    know(&mut floor, pool(&[33_100_000, 33_200_000], 2, WhenUsedUp::Hold), Vec::new());
    floor.settle(10);
    assert_eq!(floor.shown[2..], [Some(number(33_200_000)); 2]);
}

#[test]
fn a_pool_that_does_not_hold_gives_way_to_the_groups_own_number() {
    let own = pool(&[33_100_000], 2, WhenUsedUp::Campaign);
    let plain = Some(number(33_900_000));
    let settings = GroupSettings { caller_id: plain, ..with_pool(with_mode(DialMode::Agentless)) };
    let floor = dialling(own, settings);
    assert_eq!(floor.shown, [Some(number(33_100_000)), Some(number(33_100_000)), plain]);
    assert_eq!(idle_reason(&floor), None);
}

#[test]
fn what_was_shown_before_a_restart_counts() {
    let mut floor = Floor::new(&[(1, with_pool(with_mode(DialMode::Agentless)))], &[]);
    let shown = ShownSoFar { number: number(33_100_000), this_hour: 1, today: 1, last_at: floor.now };
    know(&mut floor, pool(&[33_100_000], 2, WhenUsedUp::Hold), vec![shown]);
    floor.run(1);
    floor.settle(10);
    assert_eq!(floor.dialled.len(), 1);
}

#[test]
fn what_other_engines_showed_counts_too() {
    let own = pool(&[33_100_000], 5, WhenUsedUp::Hold);
    let mut floor = dialling(own, with_pool(with_mode(DialMode::Agentless)));
    assert_eq!(floor.dialled.len(), 3);
    let shown = ShownSoFar { number: number(33_100_000), this_hour: 4, today: 4, last_at: floor.now };
    floor.input(Input::Command(Command::CallerIdsShown { read_at: floor.now, shown: vec![shown] }));
    end_all(&mut floor);
    assert_eq!(floor.dialled.len(), 4, "one was left");
}

#[test]
fn contacts_of_a_source_with_a_number_of_its_own_are_called_while_others_wait() {
    let mut floor =
        dialling(pool(&[33_100_000], 1, WhenUsedUp::Hold), with_pool(with_mode(DialMode::Agentless)));
    end_all(&mut floor);
    assert_eq!(floor.dialled.len(), 1);
    let own = CallerIdSetting { number: Some(number(33_900_000)), pool: None };
    let sources = BTreeMap::from([(SourceId(Uuid::nil()), own)]);
    let caller_ids = CallerIdRules { sources, ..CallerIdRules::default() };
    let definition = GroupDefinition {
        group: group_id(1),
        campaign: CampaignId(Uuid::from_u128(0xc001)),
        skill: skill_id(1),
        settings: with_pool(with_mode(DialMode::Agentless)),
        rules: Arc::new(CampaignRules { caller_ids, ..(*rules()).clone() }),
        state: GroupState::NotLoaded,
        answered: AnsweredCalls::default(),
    };
    floor.input(Input::Command(Command::PutGroup(Box::new(definition))));
    floor.settle(10);
    assert_eq!(floor.shown[1..], [Some(number(33_900_000)); 3]);
}

#[test]
fn an_agent_who_accepts_a_preview_when_the_pool_is_used_up_meanwhile_is_told_so() {
    let mut floor = Floor::new(&[(1, with_pool(with_mode(DialMode::PushPreview)))], &[(1, &[1]), (2, &[1])]);
    know(&mut floor, pool(&[33_100_000], 1, WhenUsedUp::Hold), Vec::new());
    floor.run(1);
    floor.log_in(1);
    floor.log_in(2);
    floor.settle(10);
    assert_eq!([floor.state_of(1), floor.state_of(2)], [AgentState::Preview; 2]);
    floor.agent(1, AgentEvent::AcceptPreview);
    floor.agent(2, AgentEvent::AcceptPreview);
    floor.settle(10);
    assert_eq!(floor.dialled.len(), 1);
    assert_eq!(floor.state_of(2), AgentState::Ready);
    let is_refusal = |notice: &AgentNotice| matches!(notice, AgentNotice::Refused { .. });
    assert!(floor.notices.iter().any(|(agent, notice)| *agent == agent_id(2) && is_refusal(notice)));
    assert_eq!(idle_reason(&floor), None, "the one call rings");
    assert!(floor.returned.is_empty(), "the contact waits in the hopper");
}

#[test]
fn a_callback_waits_for_a_number_too() {
    let mut floor = Floor::new(&[(1, with_pool(progressive()))], &[(1, &[1])]);
    let shown = ShownSoFar { number: number(33_100_000), this_hour: 1, today: 1, last_at: floor.now };
    know(&mut floor, pool(&[33_100_000], 1, WhenUsedUp::Hold), vec![shown]);
    floor.callback_every = Some(1);
    floor.run(1);
    floor.log_in(1);
    floor.settle(1);
    assert!(floor.dialled.is_empty());
    // Every second callback is of an agent who is not there.
    let anybodys = contact(1).contact;
    assert!(floor.returned.iter().all(|returned| returned.contact != anybodys), "it waits where it is");
    assert_eq!(idle_reason(&floor), Some(IdleReason::CallerIdsUsedUp));
    assert_eq!(floor.state_of(1), AgentState::Ready);
    know(&mut floor, pool(&[33_100_000], 2, WhenUsedUp::Hold), Vec::new());
    assert_eq!(floor.state_of(1), AgentState::Preview, "a higher limit, and it is offered");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The laws of [`Floor::check`] hold where numbers are used up, and none is shown more often than it may be.
    #[test]
    fn no_order_of_events_breaks_the_laws_or_a_limit_where_numbers_are_scarce(
        steps in prop::collection::vec(any_step(), 1..300),
        per_day in 1..6_u32,
        preview in any::<bool>(),
    ) {
        let modes = [DialMode::Power, if preview { DialMode::Preview } else { DialMode::Agentless }];
        let mut floor = two_groups_and_four_agents(modes);
        floor.pool_of_new_groups = Some(POOL);
        know(&mut floor, pool(&[33_100_000, 33_200_000], per_day, WhenUsedUp::Hold), Vec::new());
        for (group, mode) in modes.into_iter().enumerate() {
            floor.put_group(group as u128, with_mode(mode));
        }
        let floor = live_through_on(floor, steps)?;
        let mut per_number = BTreeMap::new();
        for started in &floor.started {
            let day = crate::Zone::utc().local(started.at).date();
            *per_number.entry((started.caller_id, day)).or_insert(0) += 1;
        }
        prop_assert!(per_number.keys().all(|(shown, _)| shown.is_some()), "a call showed nothing");
        prop_assert!(per_number.values().all(|calls| *calls <= per_day), "{per_number:?}");
    }
}
