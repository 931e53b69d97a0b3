//! Sinks: where other systems are told what happened.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Definition;
use crate::AppError;

/// Further headers of a request at most.
const HEADERS_MAX: usize = 20;
/// Kinds of messages that can be named at most.
const KINDS_MAX: usize = 50;

/// A place where other systems are told what happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SinkBody {
    /// Its name.
    pub name: String,
    /// Where it is. What it takes to be let in is set apart, as its credentials.
    pub target: SinkTarget,
    /// Whether it is told anything. One that is not falls behind, and is told all of it when it is again.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// In whose words.
    #[serde(default)]
    pub format: SinkFormat,
    /// Of what it is told: kinds of messages such as `group.state`, or `group.*`; of everything if empty.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// What becomes of messages that do not arrive.
    #[serde(default)]
    pub delivery: SinkDelivery,
    /// Whether a new sink is told what happened before it was made.
    #[serde(default)]
    pub begin: SinkBegin,
    /// Tries until a message is given up, 1 to 100.
    #[serde(default = "tries_max_default")]
    pub tries_max: u32,
    /// Seconds between two messages of the kind `group.activity` about a group that is loaded, 1 to 3600.
    #[serde(default = "activity_default")]
    pub activity_seconds: u32,
    /// The span over which figures are worked out, in seconds, 60 to 86400.
    #[serde(default = "window_default")]
    pub window_seconds: u32,
    /// The name by which the receiver knows the tenant, where the format tells one.
    #[serde(default)]
    pub tenant_name: Option<String>,
    /// The id by which the receiver knows the tenant, where the format tells one; the tenant's own if none.
    #[serde(default)]
    pub tenant_id: Option<String>,
}

fn yes() -> bool {
    true
}

/// With the waits between them, two and a half hours.
fn tries_max_default() -> u32 {
    24
}

fn activity_default() -> u32 {
    10
}

fn window_default() -> u32 {
    600
}

fn timeout_default() -> u32 {
    10
}

/// Where a sink is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "snake_case")]
pub enum SinkTarget {
    /// A POST of JSON for each message, signed as Standard Webhooks describe if there is a signing secret.
    Http {
        /// The address, `https://…` or `http://…`.
        url: String,
        /// Further headers.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// Seconds that an answer may take, 1 to 60.
        #[serde(default = "timeout_default")]
        timeout_seconds: u32,
    },
    /// Elasticsearch or OpenSearch, by its bulk API.
    Elasticsearch {
        /// The cluster's address.
        url: String,
        /// The index or data stream.
        index: String,
        /// Seconds that an answer may take, 1 to 60.
        #[serde(default = "timeout_default")]
        timeout_seconds: u32,
    },
    /// A stream of NATS JetStream.
    Nats {
        /// Addresses of servers, separated by commas.
        servers: String,
        /// Messages are published to this subject and their kind, as in `outdial.group.state`.
        subject: String,
        /// Seconds that the stream's word may take, 1 to 60.
        #[serde(default = "timeout_default")]
        timeout_seconds: u32,
    },
    /// A file of one JSON object a line, below the node's directory for data.
    File {
        /// The file's name: letters, digits, `.`, `_`, `-`.
        file: String,
        /// Bytes after which another file is begun, 1024 to 10 GiB.
        #[serde(default = "bytes_max_default")]
        bytes_max: u64,
        /// Full files that are kept, 0 to 1000.
        #[serde(default = "keep_default")]
        keep: u32,
    },
}

fn bytes_max_default() -> u64 {
    64 * 1024 * 1024
}

fn keep_default() -> u32 {
    10
}

/// In whose words a sink is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SinkFormat {
    /// Outdial's own events, as `/v1/events` gives them.
    #[default]
    Outdial,
    /// Campaign group status reporting: group states and activity, call reports and processed contacts.
    Ocs,
}

/// What becomes of messages that do not arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SinkDelivery {
    /// They are tried again, in order, and kept when they are given up.
    #[default]
    AtLeastOnce,
    /// They are forgotten.
    FireAndForget,
}

/// Where a new sink begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SinkBegin {
    /// With what happens from now on.
    #[default]
    Now,
    /// With the first event that is kept.
    Earliest,
}

impl SinkBody {
    /// Whether it is told of this kind of message.
    pub fn wants(&self, kind: &str) -> bool {
        let fits = |wanted: &String| match wanted.strip_suffix('*') {
            Some(beginning) => kind.starts_with(beginning),
            None => wanted == kind,
        };
        self.kinds.is_empty() || self.kinds.iter().any(fits)
    }
}

impl Definition for SinkBody {
    const KIND: &'static str = "sink";
    fn name(&self) -> &str {
        &self.name
    }
    fn check(&self) -> Result<(), AppError> {
        let within = |field: &str, number: u64, from: u64, to: u64| {
            if (from..=to).contains(&number) {
                return Ok(());
            }
            Err(AppError::invalid("out_of_range", field, format!("it is {from} to {to}")))
        };
        within("tries_max", self.tries_max.into(), 1, 100)?;
        within("activity_seconds", self.activity_seconds.into(), 1, 3600)?;
        within("window_seconds", self.window_seconds.into(), 60, 86_400)?;
        if self.kinds.len() > KINDS_MAX {
            return Err(AppError::invalid("too_many", "kinds", "a sink names at most 50 kinds"));
        }
        match &self.target {
            SinkTarget::Http { url, headers, timeout_seconds } => {
                check_url(url)?;
                within("target.timeout_seconds", (*timeout_seconds).into(), 1, 60)?;
                check_headers(headers)
            }
            SinkTarget::Elasticsearch { url, index, timeout_seconds } => {
                check_url(url)?;
                within("target.timeout_seconds", (*timeout_seconds).into(), 1, 60)?;
                let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
                let fits = !index.is_empty() && index.len() <= 255 && index.chars().all(good);
                if fits && !index.starts_with(['_', '-', '.']) {
                    return Ok(());
                }
                let message =
                    "an index has small letters, digits, '.', '_' and '-', and begins with none of these";
                Err(AppError::invalid("bad_index", "target.index", message))
            }
            SinkTarget::Nats { servers, subject, timeout_seconds } => {
                within("target.timeout_seconds", (*timeout_seconds).into(), 1, 60)?;
                check_servers(servers)?;
                let good = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
                let token = |token: &str| !token.is_empty() && token.chars().all(good);
                if subject.split('.').all(token) {
                    return Ok(());
                }
                let message = "a subject is words of letters, digits, '_' and '-', separated by dots";
                Err(AppError::invalid("bad_subject", "target.subject", message))
            }
            SinkTarget::File { file, bytes_max, keep } => {
                within("target.bytes_max", *bytes_max, 1024, 10 << 30)?;
                within("target.keep", (*keep).into(), 0, 1000)?;
                let good = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
                let fits = (1..=100).contains(&file.len()) && file.chars().all(good);
                if fits && !file.starts_with('.') {
                    return Ok(());
                }
                let message =
                    "a file's name has letters, digits, '.', '_' and '-', and does not begin with a dot";
                Err(AppError::invalid("bad_file", "target.file", message))
            }
        }
    }
}

/// An address without user and password, which belong to the credentials.
fn check_url(url: &str) -> Result<(), AppError> {
    let bad = |message| Err(AppError::invalid("bad_url", "target.url", message));
    let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else {
        return bad("an address begins with https:// or http://");
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.is_empty() || url.len() > 2000 || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return bad("write the address as in https://host:port/path");
    }
    if host.contains('@') {
        return bad("user and password belong to the sink's credentials, not into its address");
    }
    Ok(())
}

fn check_servers(servers: &str) -> Result<(), AppError> {
    let fits = |server: &str| {
        let server = server.trim();
        let rest = server.strip_prefix("nats://").or_else(|| server.strip_prefix("tls://"));
        rest.is_some_and(|host| !host.is_empty() && !host.contains(['@', ' ']))
    };
    if servers.len() <= 2000 && servers.split(',').all(fits) {
        return Ok(());
    }
    let message =
        "servers are nats://host:port or tls://host:port without user and password, separated by commas";
    Err(AppError::invalid("bad_url", "target.servers", message))
}

fn check_headers(headers: &BTreeMap<String, String>) -> Result<(), AppError> {
    let bad = |message| Err(AppError::invalid("bad_header", "target.headers", message));
    if headers.len() > HEADERS_MAX {
        return bad("there are at most 20 further headers");
    }
    for (name, value) in headers {
        let lower = name.to_ascii_lowercase();
        if lower.starts_with("webhook-")
            || ["content-type", "content-length", "host"].contains(&lower.as_str())
        {
            return bad("this header is set by Outdial");
        }
        if ["authorization", "cookie", "proxy-authorization"].contains(&lower.as_str()) {
            return bad("authorization belongs to the sink's credentials, which are not shown");
        }
        let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if name.is_empty() || !name.bytes().all(good) || value.chars().any(char::is_control) {
            return bad(
                "a header has a name of letters, digits and '-', and a value without control characters",
            );
        }
    }
    Ok(())
}
