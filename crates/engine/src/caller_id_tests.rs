//! Which number is shown: who decides, how a pool chooses, and that no number is shown more often than it may be.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

/// 2026-09-21 22:13:20 UTC, a Tuesday's first minutes in Paris.
const START: Time = Time::from_micros(1_790_028_800_000_000);
const POOL: CallerIdPoolId = CallerIdPoolId(Uuid::from_u128(1));
const LONDON: &str = "+442079460001";
const READING: &str = "+441184960001";
const PARIS: &str = "+33142685301";

fn number(text: &str) -> PhoneNumber {
    text.parse().unwrap()
}

/// A number of the pool; where its area ends is told by the country's plan.
fn own(text: &str, per_day: Option<u32>, per_hour: Option<u32>) -> PoolNumber {
    let area_digits = match text {
        _ if text.starts_with("+4420") => 4,
        _ if text.starts_with("+44") => 5,
        _ if text.starts_with("+33") => 3,
        _ => 4,
    };
    PoolNumber {
        number: number(text),
        calls_per_day_max: per_day,
        calls_per_hour_max: per_hour,
        country_digits: if text.starts_with("+1") { 1 } else { 2 },
        area_digits,
    }
}

fn pool(choose: Choose, numbers: &[&str]) -> CallerIdPool {
    let numbers = numbers.iter().map(|text| own(text, None, None)).collect();
    CallerIdPool { choose, sticky: false, when_used_up: WhenUsedUp::Hold, numbers }
}

fn limited(numbers: &[&str], per_day: Option<u32>, per_hour: Option<u32>) -> CallerIdPool {
    let numbers = numbers.iter().map(|text| own(text, per_day, per_hour)).collect();
    CallerIdPool { numbers, ..pool(Choose::Rotate, &[]) }
}

fn state(pool: CallerIdPool, shown: Vec<ShownSoFar>) -> CallerIdState {
    let zone = "Europe/Paris".parse().unwrap();
    CallerIdState { zone, pools: BTreeMap::from([(POOL, pool)]), read_at: START, shown }
}

fn known(pool: CallerIdPool) -> CallerIds {
    let mut ids = CallerIds::default();
    ids.put(START, state(pool, Vec::new()));
    ids
}

fn from_pool(otherwise: Option<&str>) -> CallerIdRule {
    CallerIdRule::Pool { pool: POOL, otherwise: otherwise.map(number) }
}

fn called() -> PhoneNumber {
    number("+442079461234")
}

/// Chooses as a call does, and counts it.
fn call(ids: &mut CallerIds, to: PhoneNumber) -> Result<String, Time> {
    let chosen = ids.choose(from_pool(None), to, None)?.expect("the pool is known");
    ids.shown(chosen);
    Ok(chosen.to_string())
}

fn after(hours: u32) -> Time {
    START + HOUR * hours
}

#[test]
fn the_narrowest_that_says_anything_decides() {
    let list = SourceId(Uuid::from_u128(7));
    let other = SourceId(Uuid::from_u128(8));
    let plain = |text| CallerIdSetting { number: Some(number(text)), pool: None };
    let rules = CallerIdRules {
        campaign: plain("+440000001"),
        sources: BTreeMap::from([(list, plain("+440000003"))]),
    };
    let none = CallerIdSetting::default();
    let shown = |phone: Option<&str>, source, group| rules.rule(phone.map(number), source, group);
    let is = |text| Some(CallerIdRule::Number(number(text)));
    assert_eq!(shown(Some("+440000004"), list, plain("+440000002")), is("+440000004"), "the phone");
    assert_eq!(shown(None, list, plain("+440000002")), is("+440000003"), "the list");
    assert_eq!(shown(None, other, plain("+440000002")), is("+440000002"), "the group");
    assert_eq!(shown(None, other, none), is("+440000001"), "the campaign");
    assert_eq!(CallerIdRules::default().rule(None, other, none), None, "nobody");
}

#[test]
fn a_pool_goes_before_the_plain_number_beside_it_and_falls_back_to_the_next_one() {
    let list = SourceId(Uuid::from_u128(7));
    let both = CallerIdSetting { number: Some(number(LONDON)), pool: Some(POOL) };
    let only_pool = CallerIdSetting { number: None, pool: Some(POOL) };
    let campaign = CallerIdSetting { number: Some(number(PARIS)), pool: None };
    let rules = CallerIdRules { campaign, sources: BTreeMap::new() };
    assert_eq!(rules.rule(None, list, both), Some(from_pool(Some(LONDON))));
    assert_eq!(rules.rule(None, list, only_pool), Some(from_pool(Some(PARIS))));
}

#[test]
fn numbers_take_turns() {
    let mut ids = known(pool(Choose::Rotate, &[LONDON, READING, PARIS]));
    let shown: Vec<_> = (0..7).map(|_| call(&mut ids, called()).unwrap()).collect();
    assert_eq!(shown, [LONDON, READING, PARIS, LONDON, READING, PARIS, LONDON]);
}

#[test]
fn the_number_of_the_same_area_is_shown_then_one_of_the_country_then_any() {
    let numbers = [PARIS, READING, LONDON, "+442079469001", "+12125550101"];
    let mut ids = known(pool(Choose::SameArea, &numbers));
    let mut to = |text| call(&mut ids, number(text)).unwrap();
    assert_eq!(to("+442079460999"), LONDON, "as many digits as any in common");
    assert_eq!(to("+442079469555"), "+442079469001");
    assert_eq!(to("+441184969999"), READING);
    assert_eq!(to("+33199001234"), PARIS);
    // Manchester has none of its own: the British ones take turns, and the one of longest ago is the first.
    assert_eq!([to("+441614960000"), to("+441614960000")], [LONDON, "+442079469001"]);
    assert_eq!(to("+12135550199"), "+12125550101", "Los Angeles is not New York, but is in its country");
    // Nobody of the pool is German.
    assert_eq!(to("+4930901820"), READING);
}

#[test]
fn numbers_that_only_look_alike_are_not_of_one_area() {
    // 213 and 212 have two digits in common and are three thousand miles apart.
    let los_angeles = own("+12135550101", None, None);
    assert_eq!(los_angeles.nearness(number("+12125550123")), 1);
    assert_eq!(los_angeles.nearness(number("+12135559999")), 7);
    assert_eq!(los_angeles.nearness(number("+442135550101")), 0);
    // A number of no country is near to nobody.
    let nowhere = PoolNumber { country_digits: 0, area_digits: 0, ..los_angeles };
    assert_eq!(nowhere.nearness(number("+12135559999")), 0);
}

#[test]
fn who_is_called_again_sees_the_same_number_until_it_is_used_up() {
    let rotating = limited(&[LONDON, READING], Some(2), None);
    let mut ids = known(CallerIdPool { sticky: true, ..rotating.clone() });
    let choose = |ids: &CallerIds| ids.choose(from_pool(None), called(), Some(number(READING)));
    assert_eq!(choose(&ids), Ok(Some(number(READING))));
    ids.shown(number(READING));
    assert_eq!(choose(&ids), Ok(Some(number(READING))));
    ids.shown(number(READING));
    assert_eq!(choose(&ids), Ok(Some(number(LONDON))));
    assert_eq!(choose(&known(rotating)), Ok(Some(number(LONDON))), "only where the pool says so");
}

#[test]
fn a_pool_that_is_used_up_holds_its_calls_until_the_next_day_of_its_zone() {
    let mut ids = known(limited(&[LONDON, READING], Some(1), None));
    assert_eq!(call(&mut ids, called()).as_deref(), Ok(LONDON));
    assert_eq!(ids.held_until(from_pool(None)), None);
    assert_eq!(call(&mut ids, called()).as_deref(), Ok(READING));
    let midnight = Time::parse_rfc3339("2026-09-22T22:00:00Z").unwrap();
    assert_eq!(ids.held_until(from_pool(None)), Some(midnight));
    assert_eq!(call(&mut ids, called()), Err(midnight));
    ids.turn_to(midnight - Duration::from_micros(1));
    assert_eq!(call(&mut ids, called()), Err(midnight));
    ids.turn_to(midnight);
    assert_eq!(call(&mut ids, called()).as_deref(), Ok(LONDON));
}

#[test]
fn a_limit_for_an_hour_holds_until_the_hour_is_over() {
    let mut ids = known(limited(&[LONDON], Some(3), Some(2)));
    let (first, second) = (call(&mut ids, called()), call(&mut ids, called()));
    assert!(first.is_ok() && second.is_ok());
    let next_hour = Time::parse_rfc3339("2026-09-21T23:00:00Z").unwrap();
    assert_eq!(call(&mut ids, called()), Err(next_hour));
    ids.turn_to(next_hour);
    assert!(call(&mut ids, called()).is_ok());
    let midnight = Time::parse_rfc3339("2026-09-22T22:00:00Z").unwrap();
    assert_eq!(call(&mut ids, called()), Err(midnight), "the day's limit is reached, whatever the hour");
}

#[test]
fn where_the_pool_says_so_the_plain_number_is_shown_when_it_is_used_up() {
    let own = limited(&[LONDON], Some(1), None);
    let mut ids = known(CallerIdPool { when_used_up: WhenUsedUp::Campaign, ..own.clone() });
    ids.shown(number(LONDON));
    let choose = |ids: &CallerIds, otherwise| ids.choose(from_pool(otherwise), called(), None);
    assert_eq!(choose(&ids, Some(PARIS)), Ok(Some(number(PARIS))));
    assert_eq!(ids.held_until(from_pool(Some(PARIS))), None);
    assert!(choose(&ids, None).is_err(), "without a plain number the calls are held");
    let mut holding = known(own);
    holding.shown(number(LONDON));
    assert!(choose(&holding, Some(PARIS)).is_err(), "a pool holds unless it says otherwise");
}

#[test]
fn what_is_stored_counts_and_what_was_counted_since_is_not_forgotten() {
    let own = limited(&[LONDON, READING], Some(3), Some(3));
    let shown =
        |text, times| ShownSoFar { number: number(text), this_hour: times, today: times, last_at: START };
    let mut ids = CallerIds::default();
    ids.put(START, state(own.clone(), vec![shown(LONDON, 3), shown(READING, 2)]));
    assert_eq!(call(&mut ids, called()).as_deref(), Ok(READING), "the other is used up");
    assert!(call(&mut ids, called()).is_err());
    // Read anew before that call was stored.
    ids.put(START, state(own.clone(), vec![shown(LONDON, 3), shown(READING, 2)]));
    assert!(call(&mut ids, called()).is_err());
    // What was read in an hour that is over says nothing of this one, but is still of this day.
    ids.put(after(2), state(own, vec![shown(READING, 2)]));
    let day_is_over = Time::parse_rfc3339("2026-09-22T22:00:00Z").unwrap();
    assert_eq!(call(&mut ids, called()), Err(day_is_over));
}

#[test]
fn after_a_restart_the_number_of_longest_ago_comes_first() {
    let shown = |text, seconds| ShownSoFar {
        number: number(text),
        this_hour: 1,
        today: 1,
        last_at: START - Duration::from_secs(seconds),
    };
    let mut ids = CallerIds::default();
    let own = pool(Choose::Rotate, &[LONDON, READING, PARIS]);
    ids.put(START, state(own, vec![shown(LONDON, 10), shown(READING, 90), shown(PARIS, 50)]));
    let order: Vec<_> = (0..3).map(|_| call(&mut ids, called()).unwrap()).collect();
    assert_eq!(order, [READING, PARIS, LONDON]);
}

#[test]
fn an_hour_that_the_clocks_repeat_is_two() {
    let zone: Zone = "Europe/Paris".parse().unwrap();
    let first = Period::at(&zone, Time::parse_rfc3339("2026-10-25T00:30:00Z").unwrap());
    let second = Period::at(&zone, Time::parse_rfc3339("2026-10-25T01:30:00Z").unwrap());
    assert_eq!(first.hour_until, second.hour_from);
    assert_eq!((first.day_from, first.day_until), (second.day_from, second.day_until));
    assert_eq!(first.day_until.since(first.day_from), HOUR * 25);
}

/// What can happen to the counts.
#[derive(Clone, Debug)]
enum Step {
    Call {
        to: u64,
        before: Option<usize>,
    },
    Pass(u64),
    /// The pools are read again, with what was stored so many calls ago.
    Read(usize),
    Restart,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..9_999_999_u64, proptest::option::of(0..4_usize))
            .prop_map(|(to, before)| Step::Call { to, before }),
        2 => (0..20_000_u64).prop_map(Step::Pass),
        1 => (0..4_usize).prop_map(Step::Read),
        1 => Just(Step::Restart),
    ]
}

const NUMBERS: [&str; 4] = [LONDON, READING, PARIS, "+442079469001"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_number_is_shown_beyond_its_limits_in_any_order_of_calls_restarts_and_changes(
        limits in prop::collection::vec((proptest::option::of(1..6_u32), proptest::option::of(1..4_u32)), 4),
        same_area in any::<bool>(),
        sticky in any::<bool>(),
        steps in prop::collection::vec(any_step(), 1..120),
    ) {
        let numbers: Vec<PoolNumber> = NUMBERS.iter().zip(&limits)
            .map(|(text, (day, hour))| own(text, *day, *hour)).collect();
        let choose = if same_area { Choose::SameArea } else { Choose::Rotate };
        let own = CallerIdPool { choose, sticky, when_used_up: WhenUsedUp::Hold, numbers: numbers.clone() };
        let zone: Zone = "Europe/Paris".parse().unwrap();
        let (mut now, mut calls, mut ids) = (START, Vec::<(Time, PhoneNumber)>::new(), CallerIds::default());
        // What a store that knows the first `known` calls answers at this instant.
        let stored = |calls: &[(Time, PhoneNumber)], now: Time| {
            let period = Period::at(&zone, now);
            let of = |number: PhoneNumber, from: Time| {
                calls.iter().filter(|(at, own)| *own == number && *at >= from).count() as u32
            };
            let shown = numbers.iter().map(|own| ShownSoFar {
                number: own.number,
                this_hour: of(own.number, period.hour_from),
                today: of(own.number, period.day_from),
                last_at: calls.iter().rfind(|(_, shown)| *shown == own.number).map_or(Time::EPOCH, |(at, _)| *at),
            });
            CallerIdState { read_at: now, shown: shown.filter(|shown| shown.today > 0).collect(), ..state(own.clone(), vec![]) }
        };
        ids.put(now, stored(&calls, now));
        for step in steps {
            match step {
                Step::Pass(seconds) => now = now + Duration::from_secs(seconds),
                Step::Read(unstored) => {
                    ids.put(now, stored(&calls[..calls.len().saturating_sub(unstored)], now));
                }
                Step::Restart => {
                    ids = CallerIds::default();
                    ids.put(now, stored(&calls, now));
                }
                Step::Call { to, before } => {
                    let to = PhoneNumber::from_digits(442_070_000_000 + to).unwrap();
                    let before = before.map(|index| number(NUMBERS[index]));
                    ids.turn_to(now);
                    match ids.choose(from_pool(Some(PARIS)), to, before) {
                        Ok(Some(shown)) => {
                            ids.shown(shown);
                            calls.push((now, shown));
                        }
                        Ok(None) => prop_assert!(false, "the pool is known"),
                        Err(until) => prop_assert!(until > now, "held until {until:?}, which is past"),
                    }
                }
            }
            let period = Period::at(&zone, now);
            for own in &numbers {
                let since = |from: Time| {
                    calls.iter().filter(|(at, shown)| *shown == own.number && *at >= from).count() as u32
                };
                prop_assert!(own.calls_per_day_max.is_none_or(|max| since(period.day_from) <= max));
                prop_assert!(own.calls_per_hour_max.is_none_or(|max| since(period.hour_from) <= max));
            }
        }
    }
}
