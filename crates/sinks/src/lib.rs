//! Sinks: where other systems are told what happened.
//!
//! One trait, [`Deliver`], and four kinds: HTTP ([`http`]), Elasticsearch or OpenSearch ([`bulk`]), NATS JetStream
//! ([`jetstream`]) and a file ([`mod@file`]). A kind is handed a batch of messages and says of each what became of it;
//! when a message is tried again, for how long, and where it waits meanwhile is decided by whoever hands it over.
//!
//! Beside them, storage for files that speaks S3 ([`objects`]).
//!
//! Order: messages of one lane (a campaign group) arrive in the order in which they are handed over, whatever fails in
//! between: after one that did not arrive, the later ones of its lane are [`Outcome::Held`] back. The bulk kind is the
//! exception: its documents carry their own instants and do not depend on each other.

pub mod bulk;
mod client;
pub mod file;
pub mod http;
pub mod jetstream;
mod lanes;
pub mod objects;
pub mod signature;

use std::time::Duration;

use engine::Time;
use futures_util::future::BoxFuture;
use uuid::Uuid;

pub use client::install_tls;

/// A message as it is delivered.
#[derive(Clone, PartialEq)]
pub struct Message {
    /// The same at every try: receivers drop what they have seen.
    pub id: Uuid,
    /// Messages of one lane are delivered in order.
    pub lane: Option<Uuid>,
    /// What it tells of (`group.state`).
    pub kind: String,
    /// When that happened.
    pub at: Time,
    /// A JSON object.
    pub body: String,
}

/// Without the body, which may name people.
impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message").field("id", &self.id).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// What became of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The receiver has it.
    Delivered,
    /// It did not arrive, or that is not known; it may be tried again.
    Retry {
        /// Not before this long, where the receiver said so.
        after: Option<Duration>,
        /// Why it did not arrive.
        reason: String,
    },
    /// The receiver will never take it.
    Refused {
        /// Why.
        reason: String,
    },
    /// It was not tried, because an earlier one of its lane did not arrive.
    Held,
}

impl Outcome {
    /// It may be tried again, whenever that suits.
    pub(crate) fn retry(reason: impl Into<String>) -> Self {
        Self::Retry { after: None, reason: reason.into() }
    }

    /// It is of no use to try again.
    pub(crate) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into() }
    }
}

/// Takes messages where they belong.
pub trait Deliver: Send + Sync {
    /// Delivers a batch and tells what became of each message, in the order of the batch. `now` is real time: it is
    /// what a signature is made for. Never fails as a whole and always ends: each kind limits its waits.
    fn deliver<'a>(&'a self, now: Time, batch: &'a [Message]) -> BoxFuture<'a, Vec<Outcome>>;
}

/// A sink that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is not one.
    #[error("the address {0} cannot be read: write it as in https://host:port/path")]
    Address(String),
    /// A header or secret holds what cannot be sent.
    #[error("the {0} holds characters that cannot be sent")]
    Unsendable(&'static str),
    /// The signing secret is not one.
    #[error("the signing secret must be whsec_ and 24 to 64 bytes in base64")]
    Secret,
    /// The bucket's name is not one.
    #[error("the bucket's name must not be empty")]
    Bucket,
    /// The client could not be made.
    #[error("no client for it: {0}")]
    Client(String),
}
