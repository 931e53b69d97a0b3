//! Clocks for everything that waits: the real one, and one that runs faster for demonstrations and tests.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use engine::Time;
use tokio::time::{Instant, sleep, sleep_until};

use crate::driver::BoxFuture;

/// The fastest a [`ScaledClock`] may run. Timers resolve 1 ms of real time, which is then 1 s.
pub const SPEED_MAX: f64 = 1000.0;

/// A step of the machine's clock is noticed by sleepers within this.
const STEP_NOTICED_WITHIN: Duration = Duration::from_secs(10);

/// Longer waits than this (ten years of real time) never end.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 86_400);

/// What says what time it is and wakes at a time.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Time;

    /// Completes once [`Self::now`] is `at` or later; at once if it is already. [`Time::NEVER`] is never reached.
    fn sleep_until(&self, at: Time) -> BoxFuture<'static, ()>;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl SystemClock {
    fn read() -> Time {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => Time::EPOCH + since,
            Err(before) => Time::EPOCH - before.duration(),
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        Self::read()
    }

    fn sleep_until(&self, at: Time) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            // Timers run on the monotonic clock, which does not follow when the machine's clock is set.
            loop {
                let left = at.since(Self::read());
                if left.is_zero() {
                    return;
                }
                sleep(left.min(STEP_NOTICED_WITHIN)).await;
            }
        })
    }
}

/// A clock that starts at a chosen time and runs at a chosen speed. In tests it follows Tokio's paused time.
#[derive(Clone, Copy, Debug)]
pub struct ScaledClock {
    anchor_real: Instant,
    anchor_virtual: Time,
    speed: f64,
}

/// A speed must lie above 0 and not above [`SPEED_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("the clock's speed must lie above 0 and not above {SPEED_MAX}, not {0}")]
pub struct SpeedOutOfRange(pub f64);

impl ScaledClock {
    /// A clock that shows `start` now and runs `speed` times as fast as the real one.
    ///
    /// # Errors
    /// The speed is zero or less, above [`SPEED_MAX`] or not a number.
    pub fn starting_at(start: Time, speed: f64) -> Result<Self, SpeedOutOfRange> {
        if speed > 0.0 && speed <= SPEED_MAX {
            Ok(Self { anchor_real: Instant::now(), anchor_virtual: start, speed })
        } else {
            Err(SpeedOutOfRange(speed))
        }
    }

    /// How many times as fast as the real one it runs.
    pub fn speed(&self) -> f64 {
        self.speed
    }
}

impl Clock for ScaledClock {
    fn now(&self) -> Time {
        let micros = self.anchor_real.elapsed().as_secs_f64() * self.speed * 1e6;
        self.anchor_virtual + Duration::from_micros(micros.round() as u64)
    }

    fn sleep_until(&self, at: Time) -> BoxFuture<'static, ()> {
        // Rounded up, so that the clock shows no less than `at` when the sleeper wakes.
        let nanos = (at.since(self.anchor_virtual).as_micros() as f64 * 1e3 / self.speed).ceil();
        let real = Duration::from_nanos(nanos as u64);
        let deadline = self.anchor_real + real.min(FOREVER);
        Box::pin(async move {
            if real >= FOREVER {
                std::future::pending::<()>().await;
            }
            sleep_until(deadline).await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_seconds(seconds: i64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    #[tokio::test(start_paused = true)]
    async fn a_scaled_clock_runs_at_its_speed_from_its_start() {
        let clock = ScaledClock::starting_at(at_seconds(1000), 60.0).unwrap();
        assert_eq!(clock.now(), at_seconds(1000));
        sleep(Duration::from_secs(2)).await;
        assert_eq!(clock.now(), at_seconds(1120));
    }

    #[tokio::test(start_paused = true)]
    async fn a_sleeper_wakes_when_its_time_has_come_and_not_before() {
        for speed in [0.5, 1.0, 3.0, 7.7, 1000.0] {
            let clock = ScaledClock::starting_at(at_seconds(1000), speed).unwrap();
            let real = Instant::now();
            clock.sleep_until(at_seconds(4000)).await;
            assert!(clock.now() >= at_seconds(4000), "speed {speed}: {:?}", clock.now());
            let expected = 3000.0 / speed;
            assert!((real.elapsed().as_secs_f64() - expected).abs() < 0.002, "speed {speed}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_that_has_passed_is_not_waited_for() {
        let clock = ScaledClock::starting_at(at_seconds(1000), 1.0).unwrap();
        clock.sleep_until(at_seconds(10)).await;
        assert_eq!(clock.now(), at_seconds(1000));
        SystemClock.sleep_until(Time::EPOCH).await;
    }

    #[tokio::test(start_paused = true)]
    async fn never_does_not_come() {
        let clock = ScaledClock::starting_at(Time::EPOCH, 1000.0).unwrap();
        let year = Duration::from_secs(365 * 86_400);
        assert!(tokio::time::timeout(year, clock.sleep_until(Time::NEVER)).await.is_err());
    }

    #[tokio::test]
    async fn speeds_that_make_no_sense_are_refused() {
        for speed in [0.0, -1.0, 1000.1, f64::NAN, f64::INFINITY] {
            assert!(ScaledClock::starting_at(Time::EPOCH, speed).is_err(), "{speed}");
        }
    }
}
