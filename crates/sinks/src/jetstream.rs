//! NATS JetStream: each message is published with its id as `Nats-Msg-Id`, and has arrived when the stream says so.

use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::{ConnectOptions, HeaderMap};
use engine::Time;
use futures_util::future::BoxFuture;
use tokio::sync::OnceCell;

use crate::client::install_tls;
use crate::lanes::{self, DeliverOne};
use crate::{Deliver, Message, Outcome};

/// Lanes published at once.
const AT_ONCE: usize = 32;

/// Which servers, which subject.
#[derive(Clone)]
pub struct JetStreamSettings {
    /// Addresses of servers, separated by commas: `nats://host:4222` or `tls://…`.
    pub servers: String,
    /// Published to this subject and the message's kind: `outdial.group.state`.
    pub subject: String,
    /// How long the connection and the stream's word may take.
    pub timeout: Duration,
    /// User and password, if wanted.
    pub login: Option<(String, String)>,
    /// A token, if wanted.
    pub token: Option<String>,
}

/// Delivers to a stream. The stream must exist and listen to the subject.
pub struct JetStreamSink {
    settings: JetStreamSettings,
    connection: OnceCell<Context>,
}

impl JetStreamSink {
    /// Gets ready; the connection is made with the first message and then keeps itself up.
    pub fn open(settings: JetStreamSettings) -> Self {
        Self { settings, connection: OnceCell::new() }
    }

    async fn connection(&self) -> Result<&Context, String> {
        self.connection
            .get_or_try_init(|| async {
                install_tls();
                let mut options = ConnectOptions::new().connection_timeout(self.settings.timeout);
                if let Some((user, password)) = self.settings.login.clone() {
                    options = options.user_and_password(user, password);
                }
                if let Some(token) = self.settings.token.clone() {
                    options = options.token(token);
                }
                let servers: Vec<&str> = self.settings.servers.split(',').map(str::trim).collect();
                let client = options
                    .connect(servers)
                    .await
                    .map_err(|error| format!("the server cannot be reached: {}", error.kind()))?;
                let mut context = async_nats::jetstream::new(client);
                context.set_timeout(self.settings.timeout);
                Ok(context)
            })
            .await
    }
}

impl Deliver for JetStreamSink {
    fn deliver<'a>(&'a self, now: Time, batch: &'a [Message]) -> BoxFuture<'a, Vec<Outcome>> {
        Box::pin(async move {
            if let Err(reason) = self.connection().await {
                return vec![Outcome::retry(reason); batch.len()];
            }
            lanes::deliver(self, AT_ONCE, now, batch).await
        })
    }
}

impl DeliverOne for JetStreamSink {
    fn deliver_one<'a>(&'a self, _: Time, message: &'a Message) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let context = match self.connection().await {
                Ok(context) => context,
                Err(reason) => return Outcome::retry(reason),
            };
            let mut headers = HeaderMap::new();
            headers.insert("Nats-Msg-Id", message.id.to_string().as_str());
            let subject = format!("{}.{}", self.settings.subject, message.kind);
            let publish = async {
                let body = message.body.clone().into();
                let accepted = context.publish_with_headers(subject, headers, body).await?;
                accepted.await.map(drop)
            };
            match tokio::time::timeout(self.settings.timeout, publish).await {
                Ok(Ok(())) => Outcome::Delivered,
                Ok(Err(error)) => judge(&error),
                Err(_) => Outcome::retry("the stream did not say in time that it has the message"),
            }
        })
    }
}

fn judge(error: &PublishError) -> Outcome {
    match error.kind() {
        PublishErrorKind::StreamNotFound => {
            Outcome::retry("no stream listens to the subject: make one that does")
        }
        PublishErrorKind::MaxPayloadExceeded => {
            Outcome::refused("the message is larger than the server takes")
        }
        kind => Outcome::retry(kind.to_string()),
    }
}
