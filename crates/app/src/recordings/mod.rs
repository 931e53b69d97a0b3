//! Recordings of conversations: which there are, hearing and deleting them.

mod collector;
mod storage;
mod wav;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use engine::time::{rfc3339, rfc3339_option};
use engine::{AgentId, AttemptId, CampaignId, ContactId, GroupId, Time};
use schemars::JsonSchema;
use serde::Serialize;
use sinks::OpenError;
use store::records::recordings::{self as rows, Recording, RecordingCursor, RecordingFilter};

pub use sinks::objects::BucketSettings;
pub use storage::{Bytestream, RecordingSettings};

use crate::access::{Permission, Principal};
use crate::audit::{self, Action};
use crate::paging::{Listing, PageRequest};
use crate::{App, AppError};
use storage::Storage;

/// Below the directory for data.
const DIRECTORY: &str = "recordings";

/// Where files of recordings are unless another place is named, by the directory for data.
pub fn directory(data_dir: &Path) -> PathBuf {
    data_dir.join(DIRECTORY)
}
/// What the audit log calls one.
const KIND: &str = "recording";
/// Recordings that expire in one transaction.
const ROWS: u32 = 1000;

/// How far a recording is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    /// It is being made, or its file is still to be fetched from the switch.
    Pending,
    /// It can be heard.
    Stored,
    /// Its time was over, and its file was deleted.
    Expired,
    /// Somebody deleted it.
    Deleted,
    /// The switch does not have it.
    Missing,
}

impl From<rows::RecordingState> for RecordingState {
    fn from(state: rows::RecordingState) -> Self {
        match state {
            rows::RecordingState::Pending => Self::Pending,
            rows::RecordingState::Stored => Self::Stored,
            rows::RecordingState::Expired => Self::Expired,
            rows::RecordingState::Deleted => Self::Deleted,
            rows::RecordingState::Missing => Self::Missing,
        }
    }
}

/// The recording of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Recording")]
pub struct RecordingView {
    /// Which: the id of its attempt, which has one at most.
    pub id: AttemptId,
    /// The attempt whose call it is.
    pub attempt: AttemptId,
    /// For which campaign.
    pub campaign: CampaignId,
    /// For which campaign group.
    pub group: GroupId,
    /// Who was called.
    pub contact: ContactId,
    /// The agent who talked with them.
    pub agent: AgentId,
    /// Its name, by the campaign's template.
    pub name: String,
    /// How far it is.
    pub state: RecordingState,
    /// When it began.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub started_at: Time,
    /// How long it is, in seconds; null until it is stored, as what follows.
    pub length_seconds: Option<f64>,
    /// How large its file is.
    pub bytes: Option<u64>,
    /// SHA-256 of its file, in hexadecimal.
    pub sha256: Option<String>,
    /// When it was taken from the switch.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub stored_at: Option<Time>,
    /// When its time is over, and its file is deleted.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub expires_at: Time,
    /// When it was deleted, or its time was over.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub removed_at: Option<Time>,
}

impl From<Recording> for RecordingView {
    fn from(it: Recording) -> Self {
        Self {
            id: it.attempt,
            attempt: it.attempt,
            campaign: it.campaign,
            group: it.group,
            contact: it.contact,
            agent: it.agent,
            name: it.name,
            state: it.state.into(),
            started_at: it.started_at,
            length_seconds: it.length.map(|length| length.as_secs_f64()),
            bytes: it.bytes,
            sha256: it.sha256.as_ref().map(hex),
            stored_at: it.stored_at,
            expires_at: it.expires_at,
            removed_at: it.removed_at,
        }
    }
}

fn hex(digest: &[u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Which recordings are wanted; what is not given does not matter.
#[derive(Clone, Copy, Debug, Default)]
pub struct RecordingQuery {
    /// Of this attempt.
    pub attempt: Option<AttemptId>,
    /// Of this campaign.
    pub campaign: Option<CampaignId>,
    /// Of talks with this contact.
    pub contact: Option<ContactId>,
    /// Of talks with this agent.
    pub agent: Option<AgentId>,
    /// Begun at this instant or later.
    pub since: Option<Time>,
    /// Begun before this instant.
    pub until: Option<Time>,
}

/// A recording that can be heard.
pub struct Audio {
    /// The recording's name.
    pub name: String,
    /// How many bytes its file has: WAV.
    pub bytes: u64,
    /// SHA-256 of them, in hexadecimal.
    pub sha256: String,
    id: AttemptId,
    place: String,
    file: String,
}

/// Recordings on this node; one for the whole process.
pub(crate) struct Recordings {
    /// Where they are kept if nobody says otherwise.
    directory: PathBuf,
    storage: OnceLock<Storage>,
}

impl Recordings {
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self { directory: directory(data_dir), storage: OnceLock::new() }
    }
}

impl App {
    /// Has recordings fetched from the switch and kept from now on; what was said first about where stays.
    ///
    /// # Errors
    /// A setting of the storage is none that could work.
    pub fn start_recordings(self: &Arc<Self>, settings: RecordingSettings) -> Result<(), OpenError> {
        self.keep_recordings_in(settings)?;
        self.keep_running(collector::keep(Arc::clone(self)));
        Ok(())
    }

    /// Says where recordings are kept.
    ///
    /// # Errors
    /// A setting of the storage is none that could work.
    pub fn keep_recordings_in(&self, settings: RecordingSettings) -> Result<(), OpenError> {
        let directory = settings.directory.unwrap_or_else(|| self.recordings.directory.clone());
        let storage = match &settings.s3 {
            Some(bucket) => Storage::with_bucket(directory, bucket)?,
            None => Storage::new(directory),
        };
        if self.recordings.storage.set(storage).is_err() {
            tracing::error!("recordings are kept somewhere already: that stays");
        }
        Ok(())
    }

    fn recordings(&self) -> &Storage {
        self.recordings.storage.get_or_init(|| Storage::new(self.recordings.directory.clone()))
    }

    /// Recordings, the newest first, page by page.
    ///
    /// # Errors
    /// The caller may not.
    pub async fn list_recordings(
        &self,
        who: &Principal,
        query: RecordingQuery,
        page: &PageRequest,
    ) -> Result<Listing<RecordingView>, AppError> {
        who.may(Permission::Read)?;
        let (tenant, page) = (who.tenant, page.read::<RecordingCursor>()?);
        let RecordingQuery { attempt, campaign, contact, agent, since, until } = query;
        let filter = RecordingFilter { attempt, campaign, contact, agent, since, until };
        let found = self.read(move |tx| Ok(rows::page(tx, tenant, &filter, &page)?)).await?;
        Ok(Listing::of(found, RecordingView::from))
    }

    /// A recording.
    ///
    /// # Errors
    /// The caller may not, or there is none.
    pub async fn recording(&self, who: &Principal, id: AttemptId) -> Result<RecordingView, AppError> {
        who.may(Permission::Read)?;
        let tenant = who.tenant;
        let found = self.read(move |tx| Ok(rows::get(tx, tenant, id)?)).await?;
        found.map(RecordingView::from).ok_or_else(|| AppError::not_found(KIND, id))
    }

    /// What there is of a recording to be heard by the caller.
    ///
    /// # Errors
    /// The caller may not, there is none, or its file is not fetched yet or is gone.
    pub async fn recording_audio(&self, who: &Principal, id: AttemptId) -> Result<Audio, AppError> {
        who.may(Permission::Listen)?;
        let tenant = who.tenant;
        let opening = self.read(move |tx| Ok(rows::get(tx, tenant, id)?)).await?;
        let found = opening.ok_or_else(|| AppError::not_found(KIND, id))?;
        let (place, file) = match (found.state, found.file) {
            (rows::RecordingState::Stored, Some(file)) => file,
            (rows::RecordingState::Pending, _) => {
                let message = "its file is still to be fetched from the switch: try again in a minute";
                return Err(AppError::conflict("recording_pending", message));
            }
            _ => return Err(AppError::not_found("file of recording", id)),
        };
        let (name, bytes) = (found.name, found.bytes.unwrap_or_default());
        Ok(Audio { name, bytes, sha256: found.sha256.as_ref().map(hex).unwrap_or_default(), id, place, file })
    }

    /// What a recording sounds like, or the bytes of it that are named, counted from 0. The audit log says who heard what,
    /// before they do.
    ///
    /// # Errors
    /// The caller may not, or the storage does not answer.
    pub async fn hear_recording(
        &self,
        who: &Principal,
        audio: &Audio,
        part: Option<RangeInclusive<u64>>,
    ) -> Result<Bytestream, AppError> {
        who.may(Permission::Listen)?;
        let (id, who, now) = (audio.id, who.clone(), self.clock.now());
        let audit_id = self.ids.next(now);
        let mut heard = serde_json::json!({ "sha256": audio.sha256 });
        if let Some(part) = &part {
            heard["bytes"] = format!("{}-{}", part.start(), part.end()).into();
        }
        let stream = self.recordings().read(&audio.place, &audio.file, part).await.map_err(|error| {
            tracing::error!(attempt = %id, %error, "the file of a recording cannot be read");
            AppError::Unavailable("the storage of recordings")
        })?;
        self.write(move |tx| {
            let heard = Some(heard.clone());
            audit::note(tx, &who, audit_id, now, Action::Play, KIND, Some(id.0), None, heard)
        })
        .await?;
        Ok(stream)
    }

    /// Deletes a recording: nobody hears it from now on, and its file goes soon. That there was one stays known.
    ///
    /// # Errors
    /// The caller may not, or there is none.
    pub async fn delete_recording(&self, who: &Principal, id: AttemptId) -> Result<(), AppError> {
        who.may(Permission::Listen)?;
        let (tenant, who, now) = (who.tenant, who.clone(), self.clock.now());
        let audit_id = self.ids.next(now);
        self.write(move |tx| {
            let found = rows::get(tx, tenant, id)?.ok_or_else(|| AppError::not_found(KIND, id))?;
            // What is gone already need not be deleted.
            if !rows::delete(tx, tenant, id, now)? {
                return Ok(());
            }
            let before = serde_json::to_value(RecordingView::from(found)).ok();
            audit::note(tx, &who, audit_id, now, Action::Delete, KIND, Some(id.0), before, None)
        })
        .await?;
        self.floor.look_at_recordings();
        Ok(())
    }

    /// Has recordings expire whose time is over, and removes what a crash left of their files.
    pub(crate) async fn tidy_recordings(&self, now: Time) -> Result<(), AppError> {
        // Before it is said where they are kept, nothing there is to be swept.
        if let Some(storage) = self.recordings.storage.get()
            && let Err(error) = storage.sweep(SystemTime::now()).await
        {
            tracing::warn!(%error, "could not remove unfinished files of recordings");
        }
        let mut any = false;
        loop {
            let count = self.write(move |tx| Ok(rows::expire(tx, now, ROWS)?)).await?;
            any |= count > 0;
            if count < u64::from(ROWS) {
                break;
            }
        }
        if any {
            self.floor.look_at_recordings();
        }
        Ok(())
    }
}
