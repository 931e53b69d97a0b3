//! Who asks.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use app::access::Secret;
use app::{AppError, Principal};
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::AgentId;

use crate::dialects::nixxis;
use crate::{Context, Problem};

/// How long a ticket for an agent's session is good: long enough for a page to open its socket.
const TICKET: Duration = Duration::from_secs(30);
/// Tickets that may be open; more than that and somebody makes them without using them.
const TICKETS_MAX: usize = 10_000;

/// The caller, by key or session.
pub(crate) struct Caller(pub Principal);

/// The secret that a request carries.
pub(crate) fn secret_of(parts: &Parts) -> Option<Secret> {
    let bearer = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| {
        let (scheme, secret) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
    });
    let basic = parts
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(basic_password);
    let key = || parts.headers.get("x-api-key").and_then(|value| value.to_str().ok());
    bearer.or_else(key).map(Secret::given).or_else(|| basic.map(|password| Secret::given(&password)))
}

/// The password of `Authorization: Basic`, which is the key; the user's name does not matter.
fn basic_password(value: &str) -> Option<String> {
    let (scheme, encoded) = value.split_once(' ')?;
    let decoded = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(encoded.trim()).ok())??;
    let text = String::from_utf8(decoded).ok()?;
    text.split_once(':').map(|(_, password)| password.to_owned())
}

impl FromRequestParts<Context> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self, Problem> {
        if let Some(known) = parts.extensions.get::<Principal>() {
            return Ok(Self(known.clone()));
        }
        let principal = match secret_of(parts) {
            Some(secret) => context.app.authenticate(&secret).await?,
            None => nixxis::caller_without_key(parts, context).await?.ok_or(AppError::Unauthenticated(
                "send an API key or a session's token: Authorization: Bearer KEY, or X-Api-Key: KEY",
            ))?,
        };
        context.limits.take(&principal)?;
        parts.extensions.insert(principal.clone());
        Ok(Self(principal))
    }
}

/// A caller who follows a stream, and may do so for as long as the key or session that they came with is good.
pub(crate) struct Follower {
    pub who: Principal,
    secret: Option<Secret>,
    checked_at: Instant,
}

impl Follower {
    /// Whether they still may, as far as is known: it is looked from time to time.
    pub async fn still_may(&mut self, context: &Context) -> bool {
        if self.checked_at.elapsed() < context.settings.streams_checked_every {
            return true;
        }
        self.checked_at = Instant::now();
        let Some(secret) = &self.secret else { return true };
        match context.app.authenticate(secret).await {
            Ok(who) => who == self.who,
            Err(AppError::Unauthenticated(_)) => false,
            // A database that is away for a moment says nothing about the key.
            Err(_) => true,
        }
    }
}

impl FromRequestParts<Context> for Follower {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self, Problem> {
        let Caller(who) = Caller::from_request_parts(parts, context).await?;
        Ok(Self { who, secret: secret_of(parts), checked_at: Instant::now() })
    }
}

/// Whoever runs the installation, by the root key.
pub(crate) struct Root;

impl FromRequestParts<Context> for Root {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self, Problem> {
        let given = secret_of(parts);
        // Hashes are compared, so that the time it takes tells nothing of the key.
        let matches = |key: &String| {
            given.as_ref().is_some_and(|given| given.sha256() == Secret::given(key.as_str()).sha256())
        };
        match &context.settings.root_key {
            Some(key) if matches(key) => Ok(Self),
            Some(_) => Err(AppError::Unauthenticated("this needs the root key of the installation").into()),
            None => Err(AppError::Forbidden("no root key is configured (server.root_key)".into()).into()),
        }
    }
}

struct Ticket {
    principal: Principal,
    agent: AgentId,
    until: Instant,
}

/// Tickets that let a browser open an agent's session, because a browser's socket can carry no header.
#[derive(Default)]
pub(crate) struct Tickets(Mutex<HashMap<String, Ticket>>);

impl Tickets {
    /// Makes a ticket, good once and for half a minute.
    ///
    /// # Errors
    /// Too many are open.
    pub fn make(&self, principal: Principal, agent: AgentId) -> Result<String, AppError> {
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        tickets.retain(|_, ticket| ticket.until > now);
        if tickets.len() >= TICKETS_MAX {
            return Err(AppError::Overloaded);
        }
        let text = Secret::random().expose().to_owned();
        tickets.insert(text.clone(), Ticket { principal, agent, until: now + TICKET });
        Ok(text)
    }

    /// Whom a ticket is for; it is used up.
    pub fn take(&self, text: &str) -> Option<(Principal, AgentId)> {
        let ticket = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(text)?;
        (ticket.until > Instant::now()).then_some((ticket.principal, ticket.agent))
    }
}
