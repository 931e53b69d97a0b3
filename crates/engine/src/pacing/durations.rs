//! How long things last, learned from what was seen: how often they end at each age, in buckets that grow with the age,
//! which forgets slowly.
//!
//! What is under way counts as well, as time in which nothing ended. A record of what has ended would know only the
//! short ones while many that began together, as at the start of a shift, are under way.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::time::Time;

use super::fading;

/// Shortest span told apart.
const FIRST_SECONDS: f64 = 0.25;
/// Four buckets for each doubling: 60 of them reach nearly two hours.
const PER_OCTAVE: usize = 4;
const BUCKETS: usize = 60;
/// The parts of a doubling: `2^(n/4)`.
const PARTS: [f64; PER_OCTAVE] =
    [1.0, 1.189_207_115_002_721, std::f64::consts::SQRT_2, 1.681_792_830_507_429];
/// Where each bucket ends, in seconds; the first begins at zero.
const EDGES: [f64; BUCKETS] = edges();
/// One over the width of each bucket.
const PER_WIDTH: [f64; BUCKETS] = per_width();
/// An older observation counts half after so many mean spans at the soonest: a large team, which sees
/// [`fading::OBSERVATIONS`] within seconds, would follow every chance cluster of short ones.
const SPANS: f64 = 10.0;
/// All is worked out anew after so many observations.
const WORKED_OUT_EVERY: u32 = 16;
/// What began within so long is looked at together.
const TOGETHER_MICROS: i64 = 1_000_000;
/// What is under way for longer has ended, and nobody was told.
const UNDER_WAY_MAX: Duration = Duration::from_secs(86_400);
/// Of so few who came to an age nothing can be said.
const NOTHING: f64 = 1e-9;
/// What is assumed before anything was seen weighs as much as so many observations.
const PRIOR_WEIGHT: f64 = 8.0;
/// Where fewer of those that have ended would be left at an age, the tail is too thin to say anything.
const THIN: f64 = 4.0;

/// A distribution of spans.
#[derive(Clone, Debug, PartialEq)]
pub struct Durations {
    /// How many ended at each age.
    ends: [f64; BUCKETS],
    /// How many went through each bucket without an end. One that is still in a bucket counts by the part of it that it has
    /// lived through.
    passed: [f64; BUCKETS],
    /// How many ended.
    total: f64,
    /// Seconds lived by all together.
    lived: f64,
    mean_seconds: f64,
    /// What is left at the end of each bucket, `1 − F`; kept with the counts.
    survival: [f64; BUCKETS],
    /// Observations since [`Self::survival`] was worked out.
    stale: u32,
    /// When that was. What is under way has been counted until then.
    worked_out_at: Time,
    /// How many are under way, by when they began, in units of [`TOGETHER_MICROS`].
    under_way: BTreeMap<i64, u32>,
}

const fn edges() -> [f64; BUCKETS] {
    let mut edges = [0.0; BUCKETS];
    let mut bucket = 0;
    while bucket < BUCKETS {
        let doubled = (1_u64 << (bucket / PER_OCTAVE)) as f64;
        edges[bucket] = FIRST_SECONDS * doubled * PARTS[bucket % PER_OCTAVE];
        bucket += 1;
    }
    edges
}

const fn per_width() -> [f64; BUCKETS] {
    let mut per_width = [1.0 / FIRST_SECONDS; BUCKETS];
    let mut bucket = 1;
    while bucket < BUCKETS {
        per_width[bucket] = 1.0 / (EDGES[bucket] - EDGES[bucket - 1]);
        bucket += 1;
    }
    per_width
}

/// The bucket of a span: its power of two is read off the number itself, since this is asked for every busy agent and
/// every second of calls that ring.
fn bucket_of(seconds: f64) -> usize {
    let doublings = seconds / FIRST_SECONDS;
    if doublings < 1.0 {
        return 0;
    }
    const MANTISSA: u64 = (1 << 52) - 1;
    let bits = doublings.to_bits();
    let octave = (bits >> 52) as usize - 1023;
    let part = f64::from_bits((bits & MANTISSA) | 1.0_f64.to_bits());
    let quarter = PARTS[1..].iter().filter(|edge| part >= **edge).count();
    (1 + octave * PER_OCTAVE + quarter).min(BUCKETS - 1)
}

/// Which part of a bucket one has behind it at this age.
fn part_of(bucket: usize, seconds: f64) -> f64 {
    let low = bucket.checked_sub(1).map_or(0.0, |shorter| EDGES[shorter]);
    ((seconds - low) * PER_WIDTH[bucket]).clamp(0.0, 1.0)
}

fn unit(at: Time) -> i64 {
    at.as_micros().div_euclid(TOGETHER_MICROS)
}

fn middle(unit: i64) -> Time {
    Time::from_micros(unit * TOGETHER_MICROS + TOGETHER_MICROS / 2)
}

/// Seconds from one instant to another, none if that is before it.
fn age(began: Time, now: Time) -> f64 {
    now.since(began).as_secs_f64()
}

impl Durations {
    /// Nothing was seen yet: exponential with this mean.
    pub fn assumed(mean: Duration) -> Self {
        let mean = mean.as_secs_f64().max(FIRST_SECONDS);
        let (mut ends, mut passed) = ([0.0; BUCKETS], [0.0; BUCKETS]);
        let mut before = 1.0;
        for bucket in 0..BUCKETS {
            let after = if bucket + 1 == BUCKETS { 0.0 } else { libm::exp(-EDGES[bucket] / mean) };
            ends[bucket] = PRIOR_WEIGHT * (before - after);
            passed[bucket] = PRIOR_WEIGHT * after;
            before = after;
        }
        let mut durations = Self {
            ends,
            passed,
            total: PRIOR_WEIGHT,
            lived: PRIOR_WEIGHT * mean,
            mean_seconds: mean,
            survival: [0.0; BUCKETS],
            stale: 0,
            worked_out_at: Time::EPOCH,
            under_way: BTreeMap::new(),
        };
        durations.work_out();
        durations
    }

    /// One began now: until [`Self::ended`] it is under way. Where it is not known which will end in this way (of calls that
    /// ring, which will be answered) none is told, and whole spans alone count.
    pub fn began(&mut self, now: Time) {
        *self.under_way.entry(unit(now)).or_default() += 1;
    }

    /// One that began then ended now.
    pub fn ended(&mut self, began: Time, now: Time) {
        let seconds = now.since(began).as_secs_f64();
        let counted =
            if self.take_under_way(began) { age(began, self.worked_out_at).min(seconds) } else { 0.0 };
        self.live(1.0, counted, seconds);
        let last = bucket_of(seconds);
        self.ends[last] += 1.0;
        self.total += 1.0;
        // It has not gone through the one that it ended in.
        self.passed[last] = (self.passed[last] - part_of(last, seconds)).max(0.0);
        self.stale += 1;
        if self.stale >= WORKED_OUT_EVERY {
            self.fade(now);
            self.work_out();
        }
    }

    /// Whether one that began then was under way; it is no more.
    fn take_under_way(&mut self, began: Time) -> bool {
        let unit = unit(began);
        let Some(count) = self.under_way.get_mut(&unit) else { return false };
        *count -= 1;
        if *count == 0 {
            self.under_way.remove(&unit);
        }
        true
    }

    /// So many lived from one age to another.
    fn live(&mut self, many: f64, from: f64, until: f64) {
        let (first, last) = (bucket_of(from), bucket_of(until));
        for bucket in first..=last {
            let begun = if bucket == first { part_of(bucket, from) } else { 0.0 };
            let done = if bucket == last { part_of(bucket, until) } else { 1.0 };
            self.passed[bucket] += many * (done - begun);
        }
        self.lived += many * (until - from);
    }

    /// Counts what is under way until now, and makes what was seen before lighter.
    fn fade(&mut self, now: Time) {
        let half_life = Duration::from_secs_f64(SPANS * self.mean_seconds);
        let keep = fading::keep(self.stale, now.since(self.worked_out_at), half_life);
        for (ends, passed) in self.ends.iter_mut().zip(&mut self.passed) {
            *ends *= keep;
            *passed *= keep;
        }
        self.total *= keep;
        self.lived *= keep;
        self.under_way.retain(|unit, _| now.since(middle(*unit)) < UNDER_WAY_MAX);
        let under_way = std::mem::take(&mut self.under_way);
        for (unit, many) in &under_way {
            let began = middle(*unit);
            self.live(f64::from(*many), age(began, self.worked_out_at), age(began, now));
        }
        self.under_way = under_way;
        self.worked_out_at = now;
    }

    fn work_out(&mut self) {
        self.stale = 0;
        self.mean_seconds = self.lived / self.total;
        let mut left = 1.0;
        for (bucket, survival) in self.survival.iter_mut().enumerate() {
            let came = self.ends[bucket] + self.passed[bucket];
            // Where nobody came, as if they ended at the mean rate.
            let through = if came > NOTHING {
                self.passed[bucket] / came
            } else {
                libm::exp(-1.0 / (PER_WIDTH[bucket] * self.mean_seconds))
            };
            left *= through;
            *survival = left;
        }
    }

    /// Seconds lived for each end: the mean, in the long run. More while many that began together are under way.
    pub fn mean_seconds(&self) -> f64 {
        self.mean_seconds
    }

    /// The probability that one lasts longer than this.
    pub fn lasts_longer_than(&self, seconds: f64) -> f64 {
        if seconds <= 0.0 {
            return 1.0;
        }
        let bucket = bucket_of(seconds);
        let before = bucket.checked_sub(1).map_or(1.0, |shorter| self.survival[shorter]);
        let part = part_of(bucket, seconds);
        before + (self.survival[bucket] - before) * part
    }

    /// The probability that one that has lasted so long ends within the next `within` seconds.
    pub fn ends_within(&self, elapsed: f64, within: f64) -> f64 {
        let alive = self.lasts_longer_than(elapsed);
        if alive * self.total < THIN {
            // Too few were seen to end later: as if they ended at the mean rate.
            return 1.0 - libm::exp(-within / self.mean_seconds.max(1.0));
        }
        (1.0 - self.lasts_longer_than(elapsed + within) / alive).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: u64) -> Time {
        Time::from_micros(1_790_000_000_000_000) + Duration::from_secs(second)
    }

    /// One after the other, of so many seconds each.
    fn observe(durations: &mut Durations, spans: impl IntoIterator<Item = u64>) {
        let mut now = 0;
        for span in spans {
            durations.ended(second(now), second(now + span));
            now += span;
        }
    }

    #[test]
    fn what_was_seen_takes_the_place_of_what_was_assumed() {
        let mut durations = Durations::assumed(Duration::from_secs(100));
        assert!((durations.lasts_longer_than(100.0) - 0.37).abs() < 0.03);
        observe(&mut durations, [20; 2000]);
        assert!(durations.lasts_longer_than(30.0) < 0.02);
        assert!(durations.lasts_longer_than(15.0) > 0.98);
        assert!((durations.mean_seconds() - 20.0).abs() < 1.0);
    }

    #[test]
    fn an_agent_near_the_usual_end_is_likelier_to_end_than_one_who_has_just_begun() {
        let mut durations = Durations::assumed(Duration::from_secs(20));
        observe(&mut durations, (0..2000).map(|nth| 15 + nth % 10));
        assert!(durations.ends_within(17.0, 6.0) > 0.5);
        assert!(durations.ends_within(2.0, 6.0) < 0.05);
    }

    #[test]
    fn every_span_lies_within_the_edges_of_its_bucket() {
        let mut seconds = 0.01;
        while seconds < 6800.0 {
            let bucket = bucket_of(seconds);
            let low = bucket.checked_sub(1).map_or(0.0, |shorter| EDGES[shorter]);
            assert!(low <= seconds && seconds < EDGES[bucket], "{seconds} s in bucket {bucket}");
            seconds *= 1.0371;
        }
        assert_eq!(bucket_of(0.0), 0);
        assert_eq!(bucket_of(1e9), BUCKETS - 1);
    }

    #[test]
    fn while_many_that_began_together_are_under_way_those_that_have_ended_are_not_taken_for_all() {
        let mut durations = Durations::assumed(Duration::from_secs(100));
        // Spans of 1 to 1000 s, alike, that begin at once: in the first 100 s a tenth of them end.
        for _ in 0..1000 {
            durations.began(second(0));
        }
        for ends in 1..=100 {
            durations.ended(second(0), second(ends));
        }
        let longer = durations.lasts_longer_than(80.0);
        assert!((longer - 0.92).abs() < 0.02, "{longer}");
    }

    #[test]
    fn a_large_team_remembers_for_several_spans() {
        let mut durations = Durations::assumed(Duration::from_secs(100));
        let (mut long, mut short) = (0..20_000, 0..2000);
        // 20 a second end after 100 s; then for 20 s a hundred a second after 5 s.
        long.by_ref().for_each(|nth| durations.ended(second(nth / 20), second(nth / 20 + 100)));
        short.by_ref().for_each(|nth| durations.ended(second(1100 + nth / 100), second(1105 + nth / 100)));
        assert!(durations.lasts_longer_than(50.0) > 0.75, "{}", durations.lasts_longer_than(50.0));
    }

    #[test]
    fn beyond_what_was_ever_seen_the_mean_rate_holds() {
        let mut durations = Durations::assumed(Duration::from_secs(10));
        observe(&mut durations, [10; 2000]);
        let chance = durations.ends_within(600.0, 10.0);
        assert!((chance - 0.63).abs() < 0.05, "{chance}");
    }
}
