//! From a definition to something that delivers.

use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sinks::bulk::{BulkSettings, BulkSink};
use sinks::file::{FileSettings, FileSink};
use sinks::http::{HttpSettings, HttpSink};
use sinks::jetstream::{JetStreamSettings, JetStreamSink};
use sinks::signature::SigningSecret;
use sinks::{Deliver, OpenError};
use uuid::Uuid;

use crate::model::{SinkBody, SinkTarget};

/// What it takes to be let in. It is never shown again.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SinkCredentials {
    /// Signs messages of kind `http`: `whsec_` and 24 to 64 bytes in base64, as Standard Webhooks describe.
    pub signing_secret: Option<String>,
    /// The header `Authorization`, for `http` and `elasticsearch`.
    pub authorization: Option<String>,
    /// The user, for `nats`.
    pub user: Option<String>,
    /// The user's password, for `nats`.
    pub password: Option<String>,
    /// A token instead of user and password, for `nats`.
    pub token: Option<String>,
}

/// Hides them.
impl std::fmt::Debug for SinkCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SinkCredentials")
    }
}

/// Opens a sink; nothing is sent yet. Files are kept below `directory`, in one of the sink's own.
///
/// # Errors
/// The definition or the credentials cannot be.
pub(super) fn open(
    directory: &Path,
    sink: Uuid,
    body: &SinkBody,
    credentials: SinkCredentials,
) -> Result<Box<dyn Deliver>, OpenError> {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let secret = credentials.signing_secret.as_deref().map(SigningSecret::parse).transpose()?;
    let authorization = credentials.authorization;
    Ok(match body.target.clone() {
        SinkTarget::Http { url, headers, timeout_seconds } => Box::new(HttpSink::open(HttpSettings {
            url,
            headers: headers.into_iter().collect(),
            timeout: seconds(timeout_seconds),
            authorization,
            secret,
        })?),
        SinkTarget::Elasticsearch { url, index, timeout_seconds } => {
            let timeout = seconds(timeout_seconds);
            Box::new(BulkSink::open(BulkSettings { url, index, timeout, authorization })?)
        }
        SinkTarget::Nats { servers, subject, timeout_seconds } => {
            Box::new(JetStreamSink::open(JetStreamSettings {
                servers,
                subject,
                timeout: seconds(timeout_seconds),
                login: credentials.user.zip(credentials.password),
                token: credentials.token,
            }))
        }
        SinkTarget::File { file, bytes_max, keep } => {
            let path = directory.join(sink.to_string()).join(file);
            Box::new(FileSink::open(FileSettings { path, bytes_max, keep }))
        }
    })
}
