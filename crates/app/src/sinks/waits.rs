//! How long a message waits before it is tried again.

use std::time::Duration;

/// The wait after the first try.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(600);

/// The wait after so many tries, from 1: it doubles each time up to ten minutes, and `chance` takes away up to half of it,
/// so that messages that failed together do not come back together.
pub(super) fn wait_after(tries: u32, chance: u64) -> Duration {
    let doubled = FIRST.saturating_mul(1 << tries.saturating_sub(1).min(20)).min(LONGEST);
    let share = chance as f64 / u64::MAX as f64;
    doubled.mul_f64(1.0 - share / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_doubles_up_to_ten_minutes() {
        assert_eq!(wait_after(1, 0), Duration::from_secs(1));
        assert_eq!(wait_after(4, 0), Duration::from_secs(8));
        assert_eq!(wait_after(100, 0), Duration::from_secs(600));
    }

    #[test]
    fn chance_takes_away_half_of_a_wait_at_most() {
        for tries in 1..30 {
            let (all, least) = (wait_after(tries, 0), wait_after(tries, u64::MAX));
            assert!(
                least >= all / 2 - Duration::from_millis(1) && least < all,
                "{tries}: {least:?} of {all:?}"
            );
        }
    }
}
