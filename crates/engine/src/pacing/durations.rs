//! How long things last, learned from what was seen: a histogram with logarithmic buckets that forgets slowly.

use std::time::Duration;

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
/// Observations after which an older one counts half: long enough for a smooth tail, short enough to follow the day.
const HALF_LIFE: f64 = 700.0;
/// What is assumed before anything was seen weighs as much as so many observations.
const PRIOR_WEIGHT: f64 = 8.0;
/// Below so many observations still alive at an age, the tail is too thin to say anything.
const THIN: f64 = 4.0;

/// A distribution of spans.
#[derive(Clone, Debug, PartialEq)]
pub struct Durations {
    weight: [f64; BUCKETS],
    total: f64,
    mean_seconds: f64,
    /// What is left at the end of each bucket, `1 − F`; kept with the counts.
    survival: [f64; BUCKETS],
    /// Observations since [`Self::survival`] was worked out.
    stale: u32,
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

impl Durations {
    /// Nothing was seen yet: exponential with this mean.
    pub fn assumed(mean: Duration) -> Self {
        let mean = mean.as_secs_f64().max(FIRST_SECONDS);
        let mut weight = [0.0; BUCKETS];
        let mut before = 1.0;
        for (bucket, weight) in weight.iter_mut().enumerate() {
            let after = if bucket + 1 == BUCKETS { 0.0 } else { libm::exp(-EDGES[bucket] / mean) };
            *weight = PRIOR_WEIGHT * (before - after);
            before = after;
        }
        let mut durations =
            Self { weight, total: PRIOR_WEIGHT, mean_seconds: mean, survival: [0.0; BUCKETS], stale: 0 };
        durations.work_out();
        durations
    }

    /// Another one was seen.
    pub fn observe(&mut self, span: Duration) {
        let seconds = span.as_secs_f64();
        let keep = libm::exp2(-1.0 / HALF_LIFE);
        // Instead of making all the old ones lighter, the new one is made heavier; now and then all are set right.
        self.weight[bucket_of(seconds)] += 1.0;
        self.total += 1.0;
        self.mean_seconds += (seconds - self.mean_seconds) / self.total.min(HALF_LIFE);
        self.stale += 1;
        if self.stale >= 16 {
            let keep = libm::pow(keep, f64::from(self.stale));
            for weight in &mut self.weight {
                *weight *= keep;
            }
            self.total *= keep;
            self.work_out();
        }
    }

    fn work_out(&mut self) {
        self.stale = 0;
        let mut left = self.total;
        for (weight, survival) in self.weight.iter().zip(&mut self.survival) {
            left = (left - weight).max(0.0);
            *survival = left / self.total;
        }
    }

    /// The mean, in seconds.
    pub fn mean_seconds(&self) -> f64 {
        self.mean_seconds
    }

    /// The probability that one lasts longer than this.
    pub fn lasts_longer_than(&self, seconds: f64) -> f64 {
        if seconds <= 0.0 {
            return 1.0;
        }
        let bucket = bucket_of(seconds);
        let (low, before) = match bucket.checked_sub(1) {
            Some(shorter) => (EDGES[shorter], self.survival[shorter]),
            None => (0.0, 1.0),
        };
        let part = ((seconds - low) * PER_WIDTH[bucket]).clamp(0.0, 1.0);
        before + (self.survival[bucket] - before) * part
    }

    /// The probability that one that has lasted so long ends within the next `within` seconds.
    pub fn ends_within(&self, elapsed: f64, within: f64) -> f64 {
        let alive = self.lasts_longer_than(elapsed);
        if alive * self.total < THIN {
            // Too few were seen to last that long: as if they ended at the mean rate.
            return 1.0 - libm::exp(-within / self.mean_seconds.max(1.0));
        }
        (1.0 - self.lasts_longer_than(elapsed + within) / alive).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_takes_the_place_of_what_was_assumed() {
        let mut durations = Durations::assumed(Duration::from_secs(100));
        assert!((durations.lasts_longer_than(100.0) - 0.37).abs() < 0.03);
        for _ in 0..2000 {
            durations.observe(Duration::from_secs(20));
        }
        assert!(durations.lasts_longer_than(30.0) < 0.02);
        assert!(durations.lasts_longer_than(15.0) > 0.98);
        assert!((durations.mean_seconds() - 20.0).abs() < 1.0);
    }

    #[test]
    fn an_agent_near_the_usual_end_is_likelier_to_end_than_one_who_has_just_begun() {
        let mut durations = Durations::assumed(Duration::from_secs(20));
        for second in 0..2000 {
            durations.observe(Duration::from_secs(15 + second % 10));
        }
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
    fn beyond_what_was_ever_seen_the_mean_rate_holds() {
        let mut durations = Durations::assumed(Duration::from_secs(10));
        for _ in 0..2000 {
            durations.observe(Duration::from_secs(10));
        }
        let chance = durations.ends_within(600.0, 10.0);
        assert!((chance - 0.63).abs() < 0.05, "{chance}");
    }
}
