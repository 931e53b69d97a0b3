//! How what was seen loses its weight.

use std::time::Duration;

/// An older observation counts half after so many newer ones (pacing notes: some 700): long enough for a steady figure,
/// short enough to follow the day.
pub const OBSERVATIONS: f64 = 700.0;

/// What is left of the weight of what was seen before: an older observation counts half after [`OBSERVATIONS`] newer
/// ones at the soonest, and not before `half_life_min` has passed; somewhat later where both are near.
pub fn keep(newer: u32, passed: Duration, half_life_min: Duration) -> f64 {
    let lives = (f64::from(newer) / OBSERVATIONS).min(passed.as_secs_f64() / half_life_min.as_secs_f64());
    libm::exp2(-lives)
}
