//! Telling other systems: sinks, their state, and what did not arrive.

pub mod format;
mod keeper;
mod pump;
mod render;
mod statistics;
mod target;
mod waits;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use engine::time::{rfc3339, rfc3339_option};
use engine::{TenantId, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sinks::{Message, Outcome};
use store::sinks::{self as rows, SinkMessage, Which};
use store::{Tx, events};
use telephony::{Clock, SystemClock};
use uuid::Uuid;

pub use format::Format;
pub use render::ACTIVITY;
pub use target::SinkCredentials;

use crate::access::{Permission, Principal};
use crate::audit::{self, Action};
use crate::definitions::load;
use crate::model::{Definition, SinkBegin, SinkBody, SinkFormat, Stored};
use crate::paging::{Listing, PageRequest};
use crate::{App, AppError};

/// Below the directory for data.
const DIRECTORY: &str = "sinks";
/// Dead letters named in one request at most.
const NAMED_MAX: usize = 1000;

/// The words that each format is told in.
pub type Formats = BTreeMap<SinkFormat, Arc<dyn Format>>;

/// What delivering needs to know.
pub(crate) struct Sinks {
    /// This node, as the holder of leases.
    pub(crate) node: Uuid,
    /// Where files are kept.
    directory: PathBuf,
    formats: OnceLock<Formats>,
}

impl Sinks {
    pub(crate) fn new(data_dir: &Path, node: Uuid) -> Self {
        sinks::install_tls();
        Self { node, directory: data_dir.join(DIRECTORY), formats: OnceLock::new() }
    }

    /// The words of a format; none for Outdial's own.
    fn format(&self, format: SinkFormat) -> Result<Option<Arc<dyn Format>>, AppError> {
        if format == SinkFormat::Outdial {
            return Ok(None);
        }
        let known = self.formats.get().and_then(|formats| formats.get(&format)).cloned();
        known.map(Some).ok_or(AppError::Unavailable("the format of this sink"))
    }
}

/// How a sink stands.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SinkStatus {
    /// The last event that was taken up: delivered, waiting or given up.
    pub seq: i64,
    /// Events that were not taken up yet.
    pub lag: i64,
    /// Messages that wait to be tried again, or behind such.
    pub waiting: u64,
    /// Messages that were given up.
    pub dead: u64,
    /// Messages delivered since the sink was made.
    pub delivered: i64,
    /// Messages that were forgotten because they did not arrive.
    pub lost: i64,
    /// When a message last arrived.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub last_delivered_at: Option<Time>,
    /// Why a message last did not arrive.
    pub last_error: Option<String>,
    /// When that was.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub last_error_at: Option<Time>,
    /// Whether a node delivers to it.
    pub is_served: bool,
}

/// A message that was given up.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DeadLetter {
    /// The message's id, as the receiver would have seen it.
    pub id: Uuid,
    /// What it tells of.
    pub kind: String,
    /// When that happened.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub at: Time,
    /// How often it was tried.
    pub tries: u32,
    /// Why it did not arrive.
    pub error: Option<String>,
    /// The message.
    pub body: serde_json::Value,
}

/// Which of the messages that were given up.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeadLetters {
    /// These; all of them if not given.
    pub ids: Option<Vec<Uuid>>,
}

/// How many messages it was.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct LetterCount {
    /// So many.
    pub letters: u64,
}

/// What became of a trial.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SinkTrial {
    /// Whether the receiver took the message.
    pub delivered: bool,
    /// Why not.
    pub error: Option<String>,
}

impl From<SinkMessage> for DeadLetter {
    fn from(message: SinkMessage) -> Self {
        let body = serde_json::from_str(&message.body).unwrap_or_default();
        let SinkMessage { id, kind, at, tries, error, .. } = message;
        Self { id, kind, at, tries, error, body }
    }
}

/// A sink that was made begins to be told, in the transaction that makes it.
pub(crate) fn after_create<T: Definition>(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    id: Uuid,
    body: &T,
) -> Result<(), AppError> {
    if let Some(sink) = (body as &dyn std::any::Any).downcast_ref::<SinkBody>() {
        let seq = match sink.begin {
            SinkBegin::Now => events::last(tx, tenant)?,
            SinkBegin::Earliest => 0,
        };
        rows::begin(tx, tenant, id, seq)?;
    }
    Ok(())
}

fn read_credentials(tx: &mut Tx<'_>, tenant: TenantId, sink: Uuid) -> Result<SinkCredentials, AppError> {
    let Some(text) = rows::credentials(tx, tenant, sink)? else { return Ok(SinkCredentials::default()) };
    let unreadable = |_| AppError::Internal(format!("the stored credentials of sink {sink} cannot be read"));
    serde_json::from_str(&text).map_err(unreadable)
}

impl App {
    /// Begins to deliver, in these words besides Outdial's own. To be called once, by whoever puts the parts together.
    ///
    /// # Errors
    /// The database failed.
    pub async fn start_sinks(self: &Arc<Self>, formats: Formats) -> Result<(), AppError> {
        // A second call finds the words there already.
        let _ = self.sinks.formats.set(formats);
        // What this node held before it was restarted is nobody's now.
        let node = self.sinks.node;
        self.write(move |tx| Ok(rows::release_all(tx, node)?)).await?;
        self.keep_running(keeper::keep(Arc::clone(self)));
        Ok(())
    }

    /// Sets what it takes to be let in, in place of what was set before.
    ///
    /// # Errors
    /// The caller may not, there is no such sink, or the credentials cannot be.
    pub async fn set_sink_credentials(
        &self,
        who: &Principal,
        sink: Uuid,
        credentials: SinkCredentials,
    ) -> Result<(), AppError> {
        who.may(Permission::Configure)?;
        let stored: Stored<SinkBody> = self.get(who, sink).await?;
        let opened = target::open(&self.sinks.directory, sink, &stored.body, credentials.clone());
        opened.map_err(|error| AppError::invalid("bad_credentials", "", error.to_string()))?;
        let body =
            serde_json::to_string(&credentials).map_err(|error| AppError::Internal(error.to_string()))?;
        let (who, now) = (who.clone(), self.clock.now());
        let audit_id = self.ids.next(now);
        self.write(move |tx| {
            rows::set_credentials(tx, who.tenant, sink, &body)?;
            let what = Some(json!({ "credentials": "set" }));
            audit::note(tx, &who, audit_id, now, Action::Update, SinkBody::KIND, Some(sink), None, what)
        })
        .await
    }

    /// How a sink stands.
    ///
    /// # Errors
    /// The caller may not see it, or there is none.
    pub async fn sink_status(&self, who: &Principal, sink: Uuid) -> Result<SinkStatus, AppError> {
        who.may(Permission::Read)?;
        let tenant = who.tenant;
        self.read(move |tx| {
            let cursor =
                rows::cursor(tx, tenant, sink)?.ok_or_else(|| AppError::not_found(SinkBody::KIND, sink))?;
            let last = events::last(tx, tenant)?;
            let (waiting, dead) = rows::kept(tx, tenant, sink)?;
            let (last_error, last_error_at) = cursor.last_error.unzip();
            Ok(SinkStatus {
                seq: cursor.seq,
                lag: last - cursor.seq,
                waiting,
                dead,
                delivered: cursor.delivered,
                lost: cursor.lost,
                last_delivered_at: cursor.last_delivered_at,
                last_error,
                last_error_at,
                is_served: cursor.lease_owner.is_some(),
            })
        })
        .await
    }

    /// The messages to a sink that were given up, in order.
    ///
    /// # Errors
    /// The caller may not see them, or there is no such sink.
    pub async fn dead_letters(
        &self,
        who: &Principal,
        sink: Uuid,
        page: &PageRequest,
    ) -> Result<Listing<DeadLetter>, AppError> {
        who.may(Permission::Read)?;
        let (tenant, page) = (who.tenant, page.read()?);
        self.read(move |tx| {
            load::<SinkBody>(tx, tenant, sink)?;
            Ok(Listing::of(rows::dead(tx, tenant, sink, &page)?, DeadLetter::from))
        })
        .await
    }

    /// Sends messages again that were given up. Tells how many.
    ///
    /// # Errors
    /// The caller may not, or there is no such sink.
    pub async fn send_dead_letters_again(
        &self,
        who: &Principal,
        sink: Uuid,
        letters: DeadLetters,
    ) -> Result<LetterCount, AppError> {
        self.on_dead_letters(who, sink, letters, "send again", rows::revive).await
    }

    /// Throws messages away that were given up. Tells how many.
    ///
    /// # Errors
    /// The caller may not, or there is no such sink.
    pub async fn discard_dead_letters(
        &self,
        who: &Principal,
        sink: Uuid,
        letters: DeadLetters,
    ) -> Result<LetterCount, AppError> {
        self.on_dead_letters(who, sink, letters, "discard", rows::discard).await
    }

    async fn on_dead_letters(
        &self,
        who: &Principal,
        sink: Uuid,
        letters: DeadLetters,
        what: &'static str,
        act: fn(&mut Tx<'_>, TenantId, Uuid, &Which) -> Result<u64, store::StoreError>,
    ) -> Result<LetterCount, AppError> {
        who.may(Permission::Configure)?;
        let which = match letters.ids {
            None => Which::All,
            Some(ids) if ids.len() <= NAMED_MAX => Which::These(ids),
            Some(_) => return Err(AppError::invalid("too_many", "ids", "name at most 1000 messages")),
        };
        let (who, now) = (who.clone(), self.clock.now());
        let audit_id = self.ids.next(now);
        self.write(move |tx| {
            load::<SinkBody>(tx, who.tenant, sink)?;
            let letters = act(tx, who.tenant, sink, &which)?;
            let what = Some(json!({ "dead_letters": what, "letters": letters }));
            audit::note(tx, &who, audit_id, now, Action::Act, SinkBody::KIND, Some(sink), None, what)?;
            Ok(LetterCount { letters })
        })
        .await
    }

    /// Sends a message of the kind `sink.test`, past the queue, and tells what became of it.
    ///
    /// # Errors
    /// The caller may not, or there is no such sink.
    pub async fn try_sink(&self, who: &Principal, sink: Uuid) -> Result<SinkTrial, AppError> {
        who.may(Permission::Configure)?;
        let tenant = who.tenant;
        let (stored, credentials) = self
            .read(move |tx| Ok((load::<SinkBody>(tx, tenant, sink)?, read_credentials(tx, tenant, sink)?)))
            .await?;
        let (now, kind) = (self.clock.now(), "sink.test");
        let id = self.ids.next(now);
        let body = json!({ "id": id, "tenant": tenant, "at": now.to_rfc3339(), "kind": kind, "body": {} });
        let message = Message { id, lane: None, kind: kind.to_owned(), at: now, body: body.to_string() };
        let outcome = match target::open(&self.sinks.directory, sink, &stored.body, credentials) {
            Ok(opened) => opened.deliver(SystemClock.now(), &[message]).await.pop(),
            Err(error) => Some(Outcome::Refused { reason: error.to_string() }),
        };
        Ok(match outcome {
            Some(Outcome::Delivered) => SinkTrial { delivered: true, error: None },
            Some(Outcome::Retry { reason, .. } | Outcome::Refused { reason }) => {
                SinkTrial { delivered: false, error: Some(reason) }
            }
            Some(Outcome::Held) | None => {
                SinkTrial { delivered: false, error: Some("it was not tried".to_owned()) }
            }
        })
    }
}
