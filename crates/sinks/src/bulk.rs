//! Elasticsearch and OpenSearch: `POST _bulk` with one `create` for each message.
//!
//! The document's `_id` is the message's id, so a message that arrives twice is one document: the second `create` is
//! answered with 409, which counts as delivered. Per-item failures are tried again only where the cluster asks for it
//! (429 and 5xx). Follows the documented bulk API of Elasticsearch 7.10 to 9 and OpenSearch 1 to 3.

use std::time::Duration;

use engine::Time;
use futures_util::future::BoxFuture;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};
use serde_json::{Value, json};

use crate::client::{self, failure, retry_after};
use crate::{Deliver, Message, OpenError, Outcome};

/// Bytes of one request: well below the cluster's limit (`http.max_content_length`, 100 MiB), near what its
/// documentation advises.
const REQUEST_BYTES: usize = 5 * 1024 * 1024;
/// Bytes of an answer at most.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// Which cluster, which index.
#[derive(Clone, Debug)]
pub struct BulkSettings {
    /// The cluster's address.
    pub url: String,
    /// The index or data stream.
    pub index: String,
    /// How long an answer may take.
    pub timeout: Duration,
    /// The header `Authorization`, such as `ApiKey …` or `Basic …`.
    pub authorization: Option<String>,
}

/// Delivers in bulk.
pub struct BulkSink {
    client: Client,
    url: Url,
    index: String,
}

impl BulkSink {
    /// Gets ready; nothing is sent yet.
    ///
    /// # Errors
    /// The address or the authorization cannot be.
    pub fn open(settings: BulkSettings) -> Result<Self, OpenError> {
        let mut url = client::address(&settings.url)?;
        let path = format!("{}/_bulk", url.path().trim_end_matches('/'));
        url.set_path(&path);
        let client = client::client(settings.timeout, &[], settings.authorization.as_deref())?;
        Ok(Self { client, url, index: settings.index })
    }

    /// Sends one request. `None` if the cluster refuses it as a whole because of what is in it.
    async fn send(&self, now: Time, lines: &[String]) -> Option<Vec<Outcome>> {
        let all = |outcome: Outcome| Some(vec![outcome; lines.len()]);
        let request = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/x-ndjson");
        let response = match request.body(lines.concat()).send().await {
            Ok(response) => response,
            Err(error) => return all(Outcome::retry(failure(error))),
        };
        let status = response.status();
        if matches!(status.as_u16(), 400 | 413) {
            return None;
        }
        if !status.is_success() {
            let reason = format!("the cluster answered {}", status.as_u16());
            return all(Outcome::Retry { after: retry_after(&response, now), reason });
        }
        match read(response).await {
            Ok(answer) => judge(&answer, lines.len())
                .or_else(|| all(Outcome::retry("the cluster's answer does not match the request"))),
            Err(reason) => all(Outcome::retry(reason)),
        }
    }
}

impl Deliver for BulkSink {
    fn deliver<'a>(&'a self, now: Time, batch: &'a [Message]) -> BoxFuture<'a, Vec<Outcome>> {
        Box::pin(async move {
            let lines: Vec<Option<String>> = batch.iter().map(|it| self.lines(it)).collect();
            let mut outcomes = vec![Outcome::refused("it is no JSON object"); batch.len()];
            // Requests still to be made, the next one last: each a list of places in the batch.
            let mut requests = split_by_size(&lines);
            requests.reverse();
            while let Some(places) = requests.pop() {
                let body: Vec<String> = places.iter().filter_map(|place| lines[*place].clone()).collect();
                match self.send(now, &body).await {
                    Some(done) => {
                        for (place, outcome) in places.into_iter().zip(done) {
                            outcomes[place] = outcome;
                        }
                    }
                    // One message may spoil the request for all: the halves are sent apart until it stands alone.
                    None if places.len() > 1 => {
                        let (first, second) = places.split_at(places.len() / 2);
                        requests.push(second.to_vec());
                        requests.push(first.to_vec());
                    }
                    None => outcomes[places[0]] = Outcome::refused("the cluster refuses the document"),
                }
            }
            outcomes
        })
    }
}

impl BulkSink {
    /// The two lines of a message.
    fn lines(&self, message: &Message) -> Option<String> {
        let Ok(Value::Object(mut document)) = serde_json::from_str(&message.body) else { return None };
        document.insert("@timestamp".to_owned(), json!(message.at.to_rfc3339()));
        document.insert("outdial".to_owned(), json!({"id": message.id, "kind": message.kind}));
        let action = json!({"create": {"_index": self.index, "_id": message.id.to_string()}});
        Some(format!("{action}\n{}\n", Value::Object(document)))
    }
}

/// Places in the batch, as many to a request as fit.
fn split_by_size(lines: &[Option<String>]) -> Vec<Vec<usize>> {
    let mut requests: Vec<Vec<usize>> = Vec::new();
    let mut room = 0;
    for (place, length) in
        lines.iter().enumerate().filter_map(|(place, it)| Some((place, it.as_ref()?.len())))
    {
        match requests.last_mut() {
            Some(request) if length <= room => {
                request.push(place);
                room -= length;
            }
            _ => {
                requests.push(vec![place]);
                room = REQUEST_BYTES.saturating_sub(length);
            }
        }
    }
    requests
}

async fn read(mut response: reqwest::Response) -> Result<Value, String> {
    let mut bytes = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(failure)? {
        if bytes.len() + piece.len() > ANSWER_BYTES {
            return Err("the cluster's answer is too long".to_owned());
        }
        bytes.extend_from_slice(&piece);
    }
    serde_json::from_slice(&bytes).map_err(|_| "the cluster's answer is no JSON".to_owned())
}

/// Reads what became of each item. `None` if the answer is not about as many items.
fn judge(answer: &Value, count: usize) -> Option<Vec<Outcome>> {
    let items = answer["items"].as_array().filter(|items| items.len() == count)?;
    items
        .iter()
        .map(|item| {
            let item = &item["create"];
            let status = item["status"].as_u64()?;
            let reason = || {
                let (kind, why) = (item["error"]["type"].as_str(), item["error"]["reason"].as_str());
                format!("{status} {}: {}", kind.unwrap_or("error"), why.unwrap_or("no reason given"))
            };
            Some(match status {
                200..=299 | 409 => Outcome::Delivered,
                429 | 500..=599 => Outcome::retry(reason()),
                _ => Outcome::refused(reason()),
            })
        })
        .collect()
}
