//! A POST of JSON for each message, in the manner of Standard Webhooks.

use std::time::Duration;

use engine::Time;
use futures_util::future::BoxFuture;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode, Url};

use crate::client::{self, failure, retry_after};
use crate::lanes::{self, DeliverOne};
use crate::signature::SigningSecret;
use crate::{Deliver, Message, OpenError, Outcome};

/// Requests at once: as many campaign groups are served beside each other.
const AT_ONCE: usize = 8;

/// Where and how to POST.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// The address.
    pub url: String,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// How long an answer may take.
    pub timeout: Duration,
    /// The header `Authorization`.
    pub authorization: Option<String>,
    /// Signs each message.
    pub secret: Option<SigningSecret>,
}

/// Delivers by HTTP.
pub struct HttpSink {
    client: Client,
    url: Url,
    secret: Option<SigningSecret>,
}

impl HttpSink {
    /// Gets ready; nothing is sent yet.
    ///
    /// # Errors
    /// The address or a header cannot be.
    pub fn open(settings: HttpSettings) -> Result<Self, OpenError> {
        let url = client::address(&settings.url)?;
        let client = client::client(settings.timeout, &settings.headers, settings.authorization.as_deref())?;
        Ok(Self { client, url, secret: settings.secret })
    }
}

impl Deliver for HttpSink {
    fn deliver<'a>(&'a self, now: Time, batch: &'a [Message]) -> BoxFuture<'a, Vec<Outcome>> {
        Box::pin(lanes::deliver(self, AT_ONCE, now, batch))
    }
}

impl DeliverOne for HttpSink {
    fn deliver_one<'a>(&'a self, now: Time, message: &'a Message) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let id = message.id.to_string();
            let seconds = now.as_micros().div_euclid(1_000_000);
            let mut request = self
                .client
                .post(self.url.clone())
                .header(CONTENT_TYPE, "application/json")
                .header("webhook-id", &id)
                .header("webhook-timestamp", seconds)
                .body(message.body.clone());
            if let Some(secret) = &self.secret {
                request = request.header("webhook-signature", secret.sign(&id, seconds, &message.body));
            }
            match request.send().await {
                Ok(response) if response.status().is_success() => Outcome::Delivered,
                Ok(response) => {
                    let after = retry_after(&response, now);
                    judge(response.status(), after)
                }
                Err(error) => Outcome::retry(failure(error)),
            }
        })
    }
}

/// What a status other than 2xx says. Refused for good is only what the receiver says of this very message; wrong
/// credentials or a wrong path are put right by somebody, and then every message is wanted.
fn judge(status: StatusCode, after: Option<Duration>) -> Outcome {
    let reason = format!("the receiver answered {}", status.as_u16());
    match status.as_u16() {
        400 | 405 | 406 | 410 | 411 | 413 | 414 | 415 | 422 | 431 => Outcome::Refused { reason },
        _ => Outcome::Retry { after, reason },
    }
}
