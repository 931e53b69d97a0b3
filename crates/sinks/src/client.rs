//! What the kinds that speak HTTP share.

use std::time::Duration;

use engine::Time;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, Url, redirect};

use crate::OpenError;

/// Longest wait that a receiver may ask for: one that asks for more is tried again all the same.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Chooses ring for TLS, once in a process. Whoever makes an HTTP client calls it before.
pub fn install_tls() {
    // An error means that a provider was chosen already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A client that follows no redirect: a message goes where it was configured to go, or nowhere.
pub(crate) fn client(
    timeout: Duration,
    headers: &[(String, String)],
    authorization: Option<&str>,
) -> Result<Client, OpenError> {
    install_tls();
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::try_from(name).map_err(|_| OpenError::Unsendable("header's name"))?;
        map.insert(name, HeaderValue::try_from(value).map_err(|_| OpenError::Unsendable("header"))?);
    }
    if let Some(authorization) = authorization {
        let mut value =
            HeaderValue::try_from(authorization).map_err(|_| OpenError::Unsendable("authorization"))?;
        value.set_sensitive(true);
        map.insert(AUTHORIZATION, value);
    }
    Client::builder()
        .timeout(timeout)
        .connect_timeout(timeout)
        .redirect(redirect::Policy::none())
        .user_agent(concat!("outdial/", env!("CARGO_PKG_VERSION")))
        .default_headers(map)
        .build()
        .map_err(|error| OpenError::Client(error.to_string()))
}

/// Reads an `http` or `https` address.
pub(crate) fn address(text: &str) -> Result<Url, OpenError> {
    let url = Url::parse(text).map_err(|_| OpenError::Address(text.to_owned()))?;
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        Ok(url)
    } else {
        Err(OpenError::Address(text.to_owned()))
    }
}

/// When the receiver wants to be asked again (RFC 9110 §10.2.3: seconds or a date).
pub(crate) fn retry_after(response: &Response, now: Time) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
            Time::from_micros(date.as_microsecond()).since(now)
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// What kept a request from being answered, without the address, which may hold a secret.
pub(crate) fn failure(error: reqwest::Error) -> String {
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "it cannot be reached"
    } else {
        "the connection broke"
    };
    let cause = std::iter::successors(std::error::Error::source(&error), |cause| cause.source()).last();
    cause.map_or_else(|| what.to_owned(), |cause| format!("{what}: {cause}"))
}
