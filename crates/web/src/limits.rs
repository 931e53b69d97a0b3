//! Limits under overload: requests at once, requests a second of one key, and log-ins that fail.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use app::{AppError, Principal};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use engine::TenantId;
use tokio::sync::Semaphore;

use crate::{Context, Problem, WebSettings};

/// Callers that are remembered; beyond, those that have been quiet are forgotten.
const CALLERS_MAX: usize = 100_000;

/// Counts requests.
pub(crate) struct Limits {
    at_once: Semaphore,
    spacing: Duration,
    burst: Duration,
    /// When each caller's allowance is whole again (generic cell rate algorithm, ITU-T I.371).
    callers: Mutex<HashMap<(TenantId, String), Instant>>,
}

impl Limits {
    pub fn new(settings: &WebSettings) -> Self {
        let spacing = Duration::from_secs(1) / settings.requests_per_second_max.max(1);
        Self {
            at_once: Semaphore::new(settings.requests_at_once_max),
            spacing,
            burst: Duration::from_secs(2),
            callers: Mutex::default(),
        }
    }

    /// Takes one request from a caller's allowance.
    ///
    /// # Errors
    /// It is used up.
    pub fn take(&self, who: &Principal) -> Result<(), Problem> {
        let now = Instant::now();
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= CALLERS_MAX {
            callers.retain(|_, whole_at| *whole_at > now);
        }
        let whole_at = callers.entry((who.tenant, who.actor.clone())).or_insert(now);
        let next = (*whole_at).max(now) + self.spacing;
        if next > now + self.burst {
            let detail = "this key sends more requests than are allowed: slow down";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail));
        }
        *whole_at = next;
        Ok(())
    }
}

/// Log-ins of one user that may fail in a minute: a person mistypes less often, and who guesses gets nowhere with it.
const FAILURES_OF_USER_MAX: u32 = 10;
/// The same from one address, behind which there may be a whole office.
const FAILURES_FROM_ADDRESS_MAX: u32 = 60;
/// How long a log-in that failed counts.
const FAILURE_COUNTS: Duration = Duration::from_secs(60);
/// Users and addresses that are remembered. Checking a password takes so long that a minute has not room for as many.
const GUESSERS_MAX: usize = 20_000;

/// Counts log-ins that fail, by user and by address. Names are kept as hashes, so that long ones take no more room.
#[derive(Default)]
pub(crate) struct Guesses {
    hasher: RandomState,
    failures: Mutex<HashMap<u64, Failures>>,
}

struct Failures {
    since: Instant,
    count: u32,
}

/// A log-in under way; it counts as failed until [`Guesses::forgive`] says otherwise, so that many at once are no way
/// around the limit.
pub(crate) struct Guess {
    user: u64,
    address: Option<u64>,
}

impl Guesses {
    /// Notes a log-in under way.
    ///
    /// # Errors
    /// Too many have failed for this user or from this address.
    pub fn begin(&self, tenant: &str, login: &str, address: Option<IpAddr>) -> Result<Guess, Problem> {
        let user = self.hasher.hash_one((tenant.to_ascii_lowercase(), login.to_ascii_lowercase()));
        let address = address.and_then(network).map(|network| self.hasher.hash_one(network));
        let now = Instant::now();
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= GUESSERS_MAX {
            failures.retain(|_, failures| now < failures.since + FAILURE_COUNTS);
            if failures.len() >= GUESSERS_MAX {
                return Err(AppError::Overloaded.into());
            }
        }
        let limits = [(Some(user), FAILURES_OF_USER_MAX), (address, FAILURES_FROM_ADDRESS_MAX)];
        for (who, most) in limits {
            if let Some(failed) = who.and_then(|who| failures.get(&who))
                && now < failed.since + FAILURE_COUNTS
                && failed.count >= most
            {
                let detail = "too many log-ins have failed: wait a minute";
                let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail);
                return Err(problem.come_again_after(failed.since + FAILURE_COUNTS - now));
            }
        }
        count(&mut failures, user, now);
        Ok(Guess { user, address })
    }

    /// It failed: the address counts too. Those that are under way there do not, as an office logs in at the same hour.
    pub fn failed(&self, guess: &Guess) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(address) = guess.address {
            count(&mut failures, address, Instant::now());
        }
    }

    /// It was no guess: the password was right, or was not looked at.
    pub fn forgive(&self, guess: &Guess) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(failures) = failures.get_mut(&guess.user) {
            failures.count = failures.count.saturating_sub(1);
        }
    }
}

fn count(failures: &mut HashMap<u64, Failures>, who: u64, now: Instant) {
    let failures = failures.entry(who).or_insert(Failures { since: now, count: 0 });
    if now >= failures.since + FAILURE_COUNTS {
        *failures = Failures { since: now, count: 0 };
    }
    failures.count += 1;
}

/// The network that an address stands for: one customer of a provider has a whole /64 of IPv6. A proxy on this machine
/// stands for everybody and for nobody.
fn network(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        address if address.is_loopback() => None,
        IpAddr::V6(address) => Some(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into()),
        address => Some(address),
    }
}

/// Answers 503 at once when too many requests are under way, rather than letting all of them grow slow.
pub(crate) async fn keep(State(context): State<Context>, request: Request, next: Next) -> Response {
    let Ok(_permit) = context.limits.at_once.try_acquire() else {
        let detail = "too many requests are under way: try again in a moment";
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail).into_response();
    };
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_sends_too_much_is_slowed_down_and_others_are_not() {
        let limits = Limits::new(&WebSettings { requests_per_second_max: 5, ..WebSettings::default() });
        let who = |actor: &str| {
            let mut who = Principal::operator(TenantId(uuid::Uuid::nil()));
            who.actor = actor.to_owned();
            who
        };
        let taken = (0..100).filter(|_| limits.take(&who("key:a")).is_ok()).count();
        assert_eq!(taken, 10);
        assert!(limits.take(&who("key:b")).is_ok());
    }

    fn guess(guesses: &Guesses, login: &str, address: &str) -> Result<Guess, Problem> {
        guesses.begin("A", login, Some(address.parse().unwrap()))
    }

    #[test]
    fn a_password_can_be_guessed_ten_times_a_minute_and_no_more_often_all_at_once() {
        let guesses = Guesses::default();
        let begun: Vec<_> = (0..10).map(|_| guess(&guesses, "ann", "192.0.2.1").unwrap()).collect();
        let refused = guess(&guesses, "ANN", "192.0.2.2").err().unwrap();
        assert_eq!((refused.code(), refused.status().as_u16()), ("rate_limited", 429));
        assert!(guess(&guesses, "bob", "192.0.2.1").is_ok());
        guesses.forgive(&begun[0]);
        assert!(guess(&guesses, "ann", "192.0.2.1").is_ok());
    }

    #[test]
    fn an_address_that_tries_one_password_with_many_users_is_refused() {
        let guesses = Guesses::default();
        for user in 0..60 {
            let tried = guess(&guesses, &format!("user-{user}"), &format!("2001:db8::{user}")).unwrap();
            guesses.failed(&tried);
        }
        assert!(guess(&guesses, "ann", "2001:db8::ffff").is_err());
        assert!(guess(&guesses, "ann", "2001:db8:0:1::1").is_ok());
    }

    #[test]
    fn an_office_may_log_in_at_the_same_time() {
        let guesses = Guesses::default();
        for user in 0..500 {
            let tried = guess(&guesses, &format!("user-{user}"), "192.0.2.1").unwrap();
            guesses.forgive(&tried);
        }
    }
}
