//! Limits under overload: requests at once, and requests a second of one key.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use app::Principal;
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
}
