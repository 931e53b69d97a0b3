//! How long things last, learned from what was seen: a histogram with logarithmic buckets that forgets slowly.

use std::time::Duration;

/// Shortest span told apart.
const FIRST_SECONDS: f64 = 0.25;
/// Each bucket is so much wider than the one before; 60 of them reach an hour and three quarters.
const GROWTH: f64 = 1.18;
const BUCKETS: usize = 60;
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

fn edge(bucket: usize) -> f64 {
    FIRST_SECONDS * libm::pow(GROWTH, bucket as f64)
}

fn bucket_of(seconds: f64) -> usize {
    if seconds <= FIRST_SECONDS {
        return 0;
    }
    let place = libm::log(seconds / FIRST_SECONDS) / libm::log(GROWTH);
    (libm::ceil(place) as usize).min(BUCKETS - 1)
}

impl Durations {
    /// Nothing was seen yet: exponential with this mean.
    pub fn assumed(mean: Duration) -> Self {
        let mean = mean.as_secs_f64().max(FIRST_SECONDS);
        let mut weight = [0.0; BUCKETS];
        let mut before = 1.0;
        for (bucket, weight) in weight.iter_mut().enumerate() {
            let after = if bucket + 1 == BUCKETS { 0.0 } else { libm::exp(-edge(bucket) / mean) };
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
        let (low, high) = if bucket == 0 { (0.0, edge(0)) } else { (edge(bucket - 1), edge(bucket)) };
        let before = if bucket == 0 { 1.0 } else { self.survival[bucket - 1] };
        let part = ((seconds - low) / (high - low)).clamp(0.0, 1.0);
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
    fn beyond_what_was_ever_seen_the_mean_rate_holds() {
        let mut durations = Durations::assumed(Duration::from_secs(10));
        for _ in 0..2000 {
            durations.observe(Duration::from_secs(10));
        }
        let chance = durations.ends_within(600.0, 10.0);
        assert!((chance - 0.63).abs() < 0.05, "{chance}");
    }
}
