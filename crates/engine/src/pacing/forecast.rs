//! What a campaign group has learned of its calls and agents, whatever its dial mode: how many answer and how soon, how
//! long people talk and agents wrap up.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::ids::SourceId;
use crate::time::Time;

use super::durations::Durations;
use super::fading;
use super::{Answers, Lines};

/// What is the long run, at least: answers come sooner than the end of calls that nobody answers, so a record of
/// seconds, which is all that many calls a second leave of [`fading::OBSERVATIONS`], would be of answers after a burst
/// and of anything but answers after its end.
const LONG_RUN: Duration = Duration::from_secs(600);
/// Weight of what is assumed of a group before its first calls: a quarter answer.
const PRIOR: (f64, f64) = (2.5, 10.0);
/// A segment's own record outweighs its list's, and a list's its group's, from so many calls on.
const SEGMENT_SHRINKAGE: f64 = 60.0;
/// The last minute outweighs the long run from so many calls' worth of ringing on.
const RECENT_SHRINKAGE: f64 = 45.0;
/// What is recent.
const RECENT: Duration = Duration::from_secs(60);
/// Calls placed within so long are looked at together.
const COHORT: Duration = Duration::from_secs(1);
/// Segments that are told apart; further ones count as their list.
const SEGMENTS_MAX: usize = 4096;
/// Lists that are told apart; further ones count as their group.
const LISTS_MAX: usize = 1024;

/// Calls that are alike in what their chance of an answer depends on: list, hour of the day and attempt on the contact.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Segment {
    /// The source that the contact is from.
    pub list: SourceId,
    /// Hour of the day where the person is, 0 to 23.
    pub hour: u8,
    /// Which attempt on the contact it is, 1, 2 or 3 for all later ones.
    pub attempt: u8,
}

impl Segment {
    /// The segment of a call.
    pub fn new(list: SourceId, hour: u8, attempt: u16) -> Self {
        Self { list, hour, attempt: attempt.clamp(1, 3) as u8 }
    }
}

/// A count of successes that forgets slowly.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Rate {
    answers: f64,
    calls: f64,
    observed_at: Time,
}

impl Rate {
    fn observe(&mut self, now: Time, answered: bool) {
        let keep = fading::keep(1, now.since(self.observed_at), LONG_RUN);
        self.observed_at = now;
        self.answers = self.answers * keep + f64::from(u8::from(answered));
        self.calls = self.calls * keep + 1.0;
    }

    fn shrunk(&self, towards: f64, weight: f64) -> f64 {
        (self.answers + weight * towards) / (self.calls + weight)
    }
}

/// Calls placed within [`COHORT`] of each other.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cohort {
    placed_at: Time,
    calls: f64,
    answers: f64,
}

/// The calls placed in the last minute, looked at by how many were placed when, not by which of them still ring.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Recent {
    /// As many calls as have the time of their answer still before them: each counts by the part of all answers that
    /// come later than it was placed ago.
    pub to_come: f64,
    /// The other part of each.
    pub exposure: f64,
    /// People who answered.
    pub answers: f64,
}

/// What a group has learned.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    overall: Rate,
    lists: BTreeMap<SourceId, Rate>,
    segments: BTreeMap<Segment, Rate>,
    cohorts: VecDeque<Cohort>,
    placed: u64,
    /// From dial to a person's answer.
    pub ring: Durations,
    /// From answer to the end of the call.
    pub talk: Durations,
    /// From the end of the call to readiness.
    pub wrap: Durations,
}

impl Default for Forecast {
    fn default() -> Self {
        Self {
            overall: Rate { answers: PRIOR.0, calls: PRIOR.1, observed_at: Time::EPOCH },
            lists: BTreeMap::new(),
            segments: BTreeMap::new(),
            cohorts: VecDeque::new(),
            placed: 0,
            ring: Durations::assumed(Duration::from_secs(10)),
            talk: Durations::assumed(Duration::from_secs(100)),
            wrap: Durations::assumed(Duration::from_secs(20)),
        }
    }
}

impl Forecast {
    /// A call was placed.
    pub fn placed(&mut self, now: Time) {
        self.placed += 1;
        match self.cohorts.back_mut() {
            Some(cohort) if now.since(cohort.placed_at) < COHORT => cohort.calls += 1.0,
            _ => self.cohorts.push_back(Cohort { placed_at: now, calls: 1.0, answers: 0.0 }),
        }
        while self.cohorts.front().is_some_and(|cohort| now.since(cohort.placed_at) > RECENT) {
            self.cohorts.pop_front();
        }
    }

    /// A call came to an end of its ringing: a person answered, or nobody did.
    pub fn resolved(&mut self, segment: Segment, placed_at: Time, now: Time, by_person: bool) {
        self.overall.observe(now, by_person);
        if self.lists.len() < LISTS_MAX || self.lists.contains_key(&segment.list) {
            self.lists.entry(segment.list).or_default().observe(now, by_person);
        }
        if self.segments.len() < SEGMENTS_MAX || self.segments.contains_key(&segment) {
            self.segments.entry(segment).or_default().observe(now, by_person);
        }
        if by_person {
            self.ring.ended(placed_at, now);
            let cohort = self.cohorts.iter_mut().rev().find(|cohort| cohort.placed_at <= placed_at);
            if let Some(cohort) = cohort {
                cohort.answers += 1.0;
            }
        }
    }

    /// The chance that a person answers a call of this kind that is placed now: the kind's own record as far as it goes,
    /// then its list's, then the group's.
    pub fn answer_chance(&self, segment: Segment) -> f64 {
        let overall = self.long_run();
        let shrunk = |rate: Option<&Rate>, towards| {
            rate.map_or(towards, |rate| rate.shrunk(towards, SEGMENT_SHRINKAGE))
        };
        let list = shrunk(self.lists.get(&segment.list), overall);
        let own = shrunk(self.segments.get(&segment), list);
        own.clamp(0.002, 0.98)
    }

    /// The chance over all kinds of calls, in the long run.
    pub fn long_run(&self) -> f64 {
        self.overall.shrunk(PRIOR.0 / PRIOR.1, 0.0)
    }

    /// How many calls were placed since the group was taken up.
    pub fn calls_placed(&self) -> u64 {
        self.placed
    }

    /// What the calls placed in the last minute have brought, and what they still may.
    pub fn recent(&self, now: Time) -> Recent {
        let mut recent = Recent::default();
        for cohort in self.cohorts.iter().rev() {
            let age = now.since(cohort.placed_at);
            if age > RECENT {
                break;
            }
            let to_come = cohort.calls * self.ring.lasts_longer_than(age.as_secs_f64());
            recent.to_come += to_come;
            recent.answers += cohort.answers;
            recent.exposure += cohort.calls - to_come;
        }
        recent
    }

    /// The answers that these lines may still bring. Calls count by how many were placed when, not by which of them still ring.
    pub fn answers_to_come(&self, lines: &Lines, now: Time) -> Answers {
        if lines.is_empty() {
            return Answers::default();
        }
        Self::of_lines(lines, self.recent(now).to_come)
    }

    /// The answers of lines of which so many have the time of their answer still before them.
    pub(super) fn of_lines(lines: &Lines, to_come: f64) -> Answers {
        let flow = (to_come / lines.len() as f64).clamp(0.02, 1.0);
        Answers::alike(lines.len(), lines.expected_answers() * flow / lines.len() as f64)
    }

    /// By how much more (or less) people answer in the last minute than in the long run, cautiously.
    ///
    /// Calls that still ring count by the part of their answers that should have come by now, so that a jump shows
    /// within seconds and a burst of calls does not look like a drought.
    pub fn surge(&self, recent: &Recent) -> f64 {
        let usual = self.long_run();
        let share = (recent.answers + RECENT_SHRINKAGE * usual) / (recent.exposure + RECENT_SHRINKAGE);
        (share / usual).clamp(0.25, 4.0)
    }

    /// How sure the chance is: one standard deviation, relative to it.
    pub fn uncertainty(&self) -> f64 {
        let chance = self.long_run();
        let calls = self.overall.calls.clamp(1.0, fading::OBSERVATIONS);
        ((1.0 - chance) / (chance * calls)).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: SourceId = SourceId(uuid::Uuid::nil());
    const OTHER_LIST: SourceId = SourceId(uuid::Uuid::max());
    const MORNING: Segment = Segment { list: LIST, hour: 9, attempt: 1 };
    const EVENING: Segment = Segment { list: LIST, hour: 19, attempt: 1 };

    fn second(second: u64) -> Time {
        Time::from_micros(1_790_000_000_000_000) + Duration::from_secs(second)
    }

    /// Calls one a second, of which every n-th is answered after 8 s.
    fn learn(forecast: &mut Forecast, seconds: std::ops::Range<u64>, every: u64, segment: Segment) {
        for at in seconds {
            forecast.placed(second(at));
            if at >= 8 {
                let answered = (at - 8) % every == 0;
                forecast.resolved(segment, second(at - 8), second(at), answered);
            }
        }
    }

    fn surge(forecast: &Forecast, at: u64) -> f64 {
        forecast.surge(&forecast.recent(second(at)))
    }

    #[test]
    fn the_chance_of_an_answer_is_learned_and_shrinks_towards_the_group() {
        let mut forecast = Forecast::default();
        assert!((forecast.answer_chance(MORNING) - 0.25).abs() < 1e-9);
        learn(&mut forecast, 0..3000, 10, MORNING);
        assert!((forecast.answer_chance(MORNING) - 0.10).abs() < 0.02);
        // Nothing is known of another list's evening but what is known of the group.
        let unknown = Segment { list: OTHER_LIST, ..EVENING };
        assert!((forecast.answer_chance(unknown) - forecast.long_run()).abs() < 1e-9);
    }

    #[test]
    fn a_list_has_its_own_chance_at_hours_at_which_it_was_not_called_yet() {
        let mut forecast = Forecast::default();
        learn(&mut forecast, 0..1000, 10, MORNING);
        learn(&mut forecast, 1000..2000, 2, Segment { list: OTHER_LIST, ..MORNING });
        let evening = |list| forecast.answer_chance(Segment { list, ..EVENING });
        assert!((evening(LIST) - 0.10).abs() < 0.05, "{}", evening(LIST));
        assert!((evening(OTHER_LIST) - 0.50).abs() < 0.05, "{}", evening(OTHER_LIST));
    }

    #[test]
    fn a_jump_shows_within_a_few_seconds_of_ringing() {
        let mut forecast = Forecast::default();
        learn(&mut forecast, 0..3000, 10, MORNING);
        assert!((surge(&forecast, 3000) - 1.0).abs() < 0.35);
        learn(&mut forecast, 3000..3045, 2, MORNING);
        assert!(surge(&forecast, 3045) > 1.6, "{}", surge(&forecast, 3045));
    }

    #[test]
    fn a_burst_of_calls_that_still_ring_is_not_taken_for_a_drought() {
        let mut forecast = Forecast::default();
        learn(&mut forecast, 0..3000, 4, MORNING);
        for _ in 0..200 {
            forecast.placed(second(3000));
        }
        assert!(surge(&forecast, 3001) > 0.7, "{}", surge(&forecast, 3001));
    }
}
