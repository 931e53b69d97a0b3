//! Test numbers: fictional numbers whose digits say how a call to them ends, so that a person can try everything by
//! hand. `docs/test-numbers.md` has the same tables for readers.
//!
//! Three ranges that are never assigned to anybody:
//! - +44 7700 900000 to 900999: Ofcom, "Telephone numbers for use in TV and radio drama programmes" (mobile);
//! - +44 3069 990000 to 990999: the same, for numbers of no place (UK-wide);
//! - +1 NPA 555 0100 to 0199 with any area code: the North American Numbering Plan keeps these for fiction.
//!
//! With the last three digits written `h t k`:
//!
//! | `k` | what happens |
//! |---|---|
//! | 0 | a person answers and waits a minute for an agent |
//! | 1 | busy |
//! | 2 | nobody answers |
//! | 3 | an answering machine with a greeting of 8 s |
//! | 4 | a fax |
//! | 5 | no such number (special information tone) |
//! | 6 | a person answers and hangs up at once |
//! | 7 | a person answers and waits 1 s for an agent |
//! | 8 | the network is congested |
//! | 9 | the call is declined |
//!
//! `t` is the time until that happens: 1 s for 0, else twice the digit in seconds (not for 2: nobody answers).
//! `h` is how long a person talks: 60 s for 0, else ten times the digit in seconds. The North American numbers all
//! have `h` = 1 by their range and take 60 s instead.
//!
//! At the UK-wide numbers a person answers after 1 s who waits a minute and presses the key `k` when they hear a
//! message: `t` seconds after it began, 1 s for 0.

use std::time::Duration;

use engine::PhoneNumber;

use crate::world::{NETWORK_RING_LIMIT, Outcome, OutcomeKind, Press};

const UK_WIDE: std::ops::RangeInclusive<u64> = 443_069_990_000..=443_069_990_999;
const BRITISH: std::ops::RangeInclusive<u64> = 447_700_900_000..=447_700_900_999;
/// Eleven digits that begin with 1: the North American Numbering Plan.
const NORTH_AMERICAN: std::ops::RangeInclusive<u64> = 10_000_000_000..=19_999_999_999;
/// The last seven digits of the fictional North American numbers.
const NORTH_AMERICAN_FICTION: std::ops::RangeInclusive<u64> = 5_550_100..=5_550_199;

const FIRST_RING: Duration = Duration::from_secs(1);
const USUAL_TALK: Duration = Duration::from_secs(60);
const USUAL_PATIENCE: Duration = Duration::from_secs(60);
const SHORT_PATIENCE: Duration = Duration::from_secs(1);
const WRAP: Duration = Duration::from_secs(10);
const GREETING: Duration = Duration::from_secs(8);

/// What a call to a test number does; `None` for every other number. Independent of seed and attempt.
pub fn outcome(number: PhoneNumber) -> Option<Outcome> {
    let digits = number.digits();
    let (kind_digit, ring_digit) = (digits % 10, digits / 10 % 10);
    let talk = talk(digits)?;
    if UK_WIDE.contains(&digits) {
        let key = char::from(b'0' + kind_digit as u8);
        let presses = Some(Press { key, after: Duration::from_secs(ring_digit.max(1)) });
        let kind = OutcomeKind::Human { hangs_up_at_once: false };
        return Some(Outcome { kind, ring: FIRST_RING, talk, wrap: WRAP, patience: USUAL_PATIENCE, presses });
    }
    let kind = match kind_digit {
        0 | 7 => OutcomeKind::Human { hangs_up_at_once: false },
        1 => OutcomeKind::Busy,
        2 => OutcomeKind::NoAnswer,
        3 => OutcomeKind::Machine { greeting: GREETING },
        4 => OutcomeKind::Fax,
        5 => OutcomeKind::InvalidNumber,
        6 => OutcomeKind::Human { hangs_up_at_once: true },
        8 => OutcomeKind::Congestion,
        _ => OutcomeKind::Rejected,
    };
    let ring = match (kind, ring_digit) {
        (OutcomeKind::NoAnswer, _) => NETWORK_RING_LIMIT,
        (_, 0) => FIRST_RING,
        (_, digit) => Duration::from_secs(2 * digit),
    };
    let patience = match kind_digit {
        6 => Duration::ZERO,
        7 => SHORT_PATIENCE,
        _ => USUAL_PATIENCE,
    };
    Some(Outcome { kind, ring, talk, wrap: WRAP, patience, presses: None })
}

/// How long a person at a test number talks; `None` if it is none.
fn talk(digits: u64) -> Option<Duration> {
    if BRITISH.contains(&digits) || UK_WIDE.contains(&digits) {
        let talk_digit = digits / 100 % 10;
        Some(if talk_digit == 0 { USUAL_TALK } else { Duration::from_secs(10 * talk_digit) })
    } else if NORTH_AMERICAN.contains(&digits) && NORTH_AMERICAN_FICTION.contains(&(digits % 10_000_000)) {
        Some(USUAL_TALK)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Population, World};

    fn of(number: &str) -> Option<Outcome> {
        outcome(number.parse().unwrap())
    }

    const PERSON: OutcomeKind = OutcomeKind::Human { hangs_up_at_once: false };

    #[test]
    fn the_last_digit_chooses_how_the_call_ends() {
        let kinds = [
            PERSON,
            OutcomeKind::Busy,
            OutcomeKind::NoAnswer,
            OutcomeKind::Machine { greeting: Duration::from_secs(8) },
            OutcomeKind::Fax,
            OutcomeKind::InvalidNumber,
            OutcomeKind::Human { hangs_up_at_once: true },
            PERSON,
            OutcomeKind::Congestion,
            OutcomeKind::Rejected,
        ];
        for (digit, kind) in kinds.into_iter().enumerate() {
            assert_eq!(of(&format!("+44770090000{digit}")).unwrap().kind, kind);
            assert_eq!(of(&format!("+1415555010{digit}")).unwrap().kind, kind);
        }
    }

    #[test]
    fn the_tens_digit_is_the_ring_and_the_hundreds_digit_the_talk() {
        let seconds = |outcome: Outcome| (outcome.ring.as_secs(), outcome.talk.as_secs());
        assert_eq!(seconds(of("+447700900000").unwrap()), (1, 60));
        assert_eq!(seconds(of("+447700900390").unwrap()), (18, 30));
        assert_eq!(seconds(of("+12125550150").unwrap()), (10, 60));
        assert_eq!(of("+447700900012").unwrap().ring, NETWORK_RING_LIMIT);
    }

    #[test]
    fn people_at_uk_wide_numbers_press_the_last_digit_so_many_seconds_into_a_message() {
        let press = |key, after| Some(Press { key, after: Duration::from_secs(after) });
        let uk_wide = |number: &str| of(number).unwrap();
        assert_eq!(uk_wide("+443069990001").presses, press('1', 1));
        assert_eq!(uk_wide("+443069990239").presses, press('9', 3));
        assert_eq!((uk_wide("+443069990239").kind, uk_wide("+443069990239").talk.as_secs()), (PERSON, 20));
        assert_eq!(of("+447700900001").unwrap().presses, None);
    }

    #[test]
    fn patience_is_a_minute_a_second_or_nothing() {
        let patience = |number: &str| of(number).unwrap().patience.as_secs();
        assert_eq!([0, 7, 6].map(|digit| patience(&format!("+44770090000{digit}"))), [60, 1, 0]);
    }

    #[test]
    fn numbers_beside_the_ranges_are_ordinary_numbers() {
        for number in
            ["+447700899999", "+447700901000", "+14155550099", "+14155550200", "+15550100", "+24155550100"]
        {
            assert_eq!(of(number), None, "{number}");
        }
    }

    #[test]
    fn test_numbers_ignore_seed_attempt_and_population() {
        let population = Population { answer_probability: 0.0, ..Population::default() };
        let number = "+447700900120".parse().unwrap();
        let first = World::new(1, population).unwrap().outcome(number, 1, Some(3));
        assert_eq!(first, World::with_default_population(2).outcome(number, 9, None));
        assert_eq!(first.kind, PERSON);
    }
}
