//! Messages to called parties: their texts, their sounds, and the files that the switch plays.

mod files;
mod speech;
mod wav;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use engine::time::rfc3339;
use engine::{MessageId, TenantId, Time};
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};
use store::records::definitions::{self as definition_rows, Seen};
use store::records::messages::{self as rows, Sound};
use store::{Store, StoreError, Tx};
use tokio::sync::Semaphore;
use uuid::Uuid;

pub use files::directory;
pub use wav::SOUND_BYTES_MAX;

use crate::access::{Permission, Principal};
use crate::audit::{self, Action};
use crate::definitions::load;
use crate::model::{Definition, MessageBody, Stored};
use crate::paging::{Listing, PageRequest};
use crate::{App, AppError};
use files::Files;
use speech::Speech;

/// Programs that speak at once, at most: each takes a core for a moment.
const SPEAKING_AT_ONCE_MAX: usize = 2;

/// How messages are spoken: what only whoever runs the machine may say.
#[derive(Clone, Debug, Default)]
pub struct MessageSettings {
    /// The program that speaks messages without an uploaded sound, as espeak-ng does; none leaves them unspoken.
    pub speech: Option<PathBuf>,
}

/// Where a sound came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SoundOrigin {
    /// Somebody uploaded it.
    Uploaded,
    /// It was spoken by a machine from the message's text.
    Spoken,
}

/// What is known of a message's sound.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SoundView {
    /// Where it came from.
    pub origin: SoundOrigin,
    /// SHA-256 of the sound, in hexadecimal.
    pub sha256: String,
    /// How long it is, in seconds.
    pub length_seconds: f64,
    /// Samples a second.
    pub rate: u32,
    /// When it was uploaded or spoken.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub made_at: Time,
}

/// A message as it is shown.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MessageView {
    /// What was configured.
    #[serde(flatten)]
    pub stored: Stored<MessageBody>,
    /// What it sounds like; none if it has no sound.
    pub sound: Option<SoundView>,
    /// What keeps it from being heard as it should be; none if nothing does.
    pub warning: Option<String>,
}

/// What came of looking whether a message has to be spoken.
enum Spoken {
    /// It has its sound.
    NotNeeded,
    /// It was spoken just now.
    Now,
    /// It could not be; with the reason.
    Not(String),
}

/// Sounds on this node; one for the whole process.
pub(crate) struct Messages {
    files: Files,
    speech: OnceLock<Speech>,
    /// Messages that are being spoken.
    speaking: Semaphore,
}

impl Messages {
    pub(crate) fn new(data_dir: &Path) -> Self {
        let speaking = Semaphore::new(SPEAKING_AT_ONCE_MAX);
        Self { files: Files::new(data_dir), speech: OnceLock::new(), speaking }
    }

    /// The sound to play for a message, if its file is on this node.
    pub(crate) fn playable(&self, sound: &Sound) -> Option<telephony::Sound> {
        let file = self.files.ready(&sound.sha256)?;
        Some(telephony::Sound { file, length: sound.length })
    }

    /// Gets the file of a message ready on this node, speaking the text first if it has to be; whether it was spoken
    /// just now.
    pub(crate) async fn get_ready(
        &self,
        store: &Store,
        tenant: TenantId,
        message: MessageId,
        now: Time,
    ) -> Result<bool, AppError> {
        let spoken = self.speak_if_needed(store, tenant, message, now).await?;
        let known = store.read(move |tx| rows::sound(tx, tenant, message)).await?;
        if let Some(sound) = known
            && self.files.ready(&sound.sha256).is_none()
            && let Some(wav) = store.read(move |tx| rows::wav(tx, tenant, message)).await?
        {
            self.files.keep(sound.sha256, wav).await?;
        }
        Ok(matches!(spoken, Spoken::Now))
    }

    /// Speaks a message that has no sound, or one of another text.
    async fn speak_if_needed(
        &self,
        store: &Store,
        tenant: TenantId,
        message: MessageId,
        now: Time,
    ) -> Result<Spoken, AppError> {
        let read = move |tx: &mut Tx<'_>| {
            let body = crate::runner::for_store(load::<MessageBody>(tx, tenant, message.0))?.body;
            Ok::<_, StoreError>((body, rows::sound(tx, tenant, message)?))
        };
        let (body, sound) = store.read(read).await?;
        let digest = spoken_digest(&body);
        let is_fine = sound.as_ref().is_some_and(|sound| sound.spoken.is_none_or(|of| of == digest));
        if is_fine {
            return Ok(Spoken::NotNeeded);
        }
        let spoken = match self.speech.get() {
            Some(speech) => {
                let _place = self.speaking.acquire().await;
                speech.speak(&body.text, &body.language).await
            }
            None => Err("no program that speaks is set up".to_owned()),
        };
        let fresh = spoken.as_ref().ok().map(|spoken| {
            let sound = Sound {
                message,
                spoken: Some(digest),
                sha256: Sha256::digest(&spoken.wav).into(),
                length: spoken.length,
                rate: spoken.rate,
                made_at: now,
            };
            (sound, spoken.wav.clone())
        });
        let keep = move |tx: &mut Tx<'_>| {
            let (body, present) = read(tx)?;
            let is_uploaded = present.is_some_and(|sound| sound.spoken.is_none());
            if is_uploaded || spoken_digest(&body) != digest {
                // Somebody was faster; what they did holds.
                return Ok(());
            }
            match &fresh {
                Some((sound, wav)) => rows::put_sound(tx, tenant, sound, wav),
                // Better no sound than that of another text.
                None => rows::forget_sound(tx, tenant, message).map(drop),
            }
        };
        store.write(keep).await?;
        Ok(spoken.map_or_else(Spoken::Not, |_| Spoken::Now))
    }
}

/// What a spoken sound is known by: another text or language has another one.
fn spoken_digest(body: &MessageBody) -> [u8; 32] {
    Sha256::new().chain_update(&body.language).chain_update([0]).chain_update(&body.text).finalize().into()
}

/// Whether a sound is that of this message, and not spoken from a text that it had before.
pub(crate) fn belongs(sound: &Sound, body: &MessageBody) -> bool {
    sound.spoken.is_none_or(|of| of == spoken_digest(body))
}

fn view(stored: Stored<MessageBody>, sound: Option<&Sound>, why_not_spoken: Option<&str>) -> MessageView {
    let sound = sound.filter(|sound| belongs(sound, &stored.body));
    let warning = sound.is_none().then(|| {
        let why = why_not_spoken.unwrap_or("it could not be spoken");
        format!(
            "it has no sound ({why}): until one is uploaded the switch says it by its own means, if it has any"
        )
    });
    let sound = sound.map(|sound| SoundView {
        origin: if sound.spoken.is_some() { SoundOrigin::Spoken } else { SoundOrigin::Uploaded },
        sha256: files::hex(&sound.sha256),
        length_seconds: sound.length.as_secs_f64(),
        rate: sound.rate,
        made_at: sound.made_at,
    });
    MessageView { stored, sound, warning }
}

impl App {
    /// Removes files of sounds that nothing needs any more.
    pub(crate) async fn tidy_sounds(&self) -> Result<(), AppError> {
        let in_use = self.read(|tx| Ok(rows::all_digests(tx)?)).await?;
        let messages = Arc::clone(&self.messages);
        let sweeping = move || messages.files.sweep(&in_use, std::time::SystemTime::now());
        tokio::task::spawn_blocking(sweeping).await.map_err(|error| AppError::Internal(error.to_string()))
    }

    /// Has messages spoken and their files kept from now on; tells the log if the program cannot be run.
    pub async fn start_messages(&self, settings: MessageSettings) {
        let Some(program) = settings.speech else { return };
        let speech = Speech::new(program);
        match speech.check().await {
            Ok(()) => drop(self.messages.speech.set(speech)),
            Err(error) => {
                tracing::warn!(%error, "messages without a sound are not spoken: messages.speech cannot be run");
            }
        }
    }

    /// Creates a message and has it spoken.
    ///
    /// # Errors
    /// As [`App::create`].
    pub async fn create_message(&self, who: &Principal, body: MessageBody) -> Result<MessageView, AppError> {
        let stored = self.create(who, body).await?;
        self.spoken_view(who, stored).await
    }

    /// Changes a message and has it spoken anew if its text is another; an uploaded sound stays.
    ///
    /// # Errors
    /// As [`App::update`].
    pub async fn update_message(
        &self,
        who: &Principal,
        id: Uuid,
        version: i64,
        body: MessageBody,
    ) -> Result<MessageView, AppError> {
        let stored = self.update(who, id, version, body).await?;
        self.spoken_view(who, stored).await
    }

    async fn spoken_view(
        &self,
        who: &Principal,
        stored: Stored<MessageBody>,
    ) -> Result<MessageView, AppError> {
        let (tenant, message) = (who.tenant, MessageId(stored.id));
        let spoken = self.messages.speak_if_needed(&self.store, tenant, message, self.clock.now()).await?;
        if !matches!(spoken, Spoken::NotNeeded) {
            self.floor.definitions_changed(tenant).await;
        }
        let sound = self.read(move |tx| Ok(rows::sound(tx, tenant, message)?)).await?;
        let why_not = if let Spoken::Not(why) = &spoken { Some(why.as_str()) } else { None };
        Ok(view(stored, sound.as_ref(), why_not))
    }

    /// Reads a message.
    ///
    /// # Errors
    /// The caller may not, or there is none.
    pub async fn message(&self, who: &Principal, id: Uuid) -> Result<MessageView, AppError> {
        who.may(Permission::LookUp)?;
        let tenant = who.tenant;
        self.read(move |tx| {
            let stored = load(tx, tenant, id)?;
            Ok(view(stored, rows::sound(tx, tenant, MessageId(id))?.as_ref(), None))
        })
        .await
    }

    /// Lists messages in the order of their ids.
    ///
    /// # Errors
    /// The caller may not.
    pub async fn messages(
        &self,
        who: &Principal,
        page: &PageRequest,
    ) -> Result<Listing<MessageView>, AppError> {
        let Listing { items, next } = self.list::<MessageBody>(who, None, page).await?;
        let tenant = who.tenant;
        let sounds = self.read(move |tx| Ok(rows::sounds(tx, tenant)?)).await?;
        let sounds: HashMap<Uuid, Sound> = sounds.into_iter().map(|sound| (sound.message.0, sound)).collect();
        let items = items.into_iter().map(|stored| {
            let sound = sounds.get(&stored.id);
            view(stored, sound, None)
        });
        Ok(Listing { items: items.collect(), next })
    }

    /// Gives a message that the caller has seen in `version` an uploaded sound: WAV, PCM, 16 bit, mono, 8 or 16 kHz, at
    /// most [`SOUND_BYTES_MAX`] bytes. It has another version then.
    ///
    /// # Errors
    /// The caller may not, there is no such message, it was changed meanwhile, or the sound cannot be played; the error's
    /// code says why.
    pub async fn put_message_sound(
        &self,
        who: &Principal,
        id: Uuid,
        version: i64,
        wav: Vec<u8>,
    ) -> Result<MessageView, AppError> {
        who.may(Permission::Configure)?;
        if wav.len() > SOUND_BYTES_MAX {
            return Err(AppError::invalid("too_large", "", "a sound has at most 10 MiB: shorten it"));
        }
        let checked = tokio::task::spawn_blocking(move || wav::check(&wav))
            .await
            .map_err(|error| AppError::Internal(error.to_string()))??;
        let (who_in, tenant, now) = (who.clone(), who.tenant, self.clock.now());
        let audit_id = self.ids.next(now);
        let message = MessageId(id);
        let sha256: [u8; 32] = Sha256::digest(&checked.wav).into();
        // What is stored counts whole milliseconds.
        let length = Duration::from_millis(u64::try_from(checked.length.as_millis()).unwrap_or(u64::MAX));
        let sound = Sound { message, spoken: None, sha256, length, rate: checked.rate, made_at: now };
        let bytes = Arc::new(checked.wav);
        let shown = self
            .write(move |tx| {
                let stored = next_version(tx, tenant, id, version, now)?;
                rows::put_sound(tx, tenant, &sound, &bytes)?;
                note(tx, &who_in, audit_id, now, Action::Update, id, Some(&sound))?;
                Ok(view(stored, Some(&sound), None))
            })
            .await?;
        self.floor.definitions_changed(tenant).await;
        Ok(shown)
    }

    /// A message's version and its sound. No two sounds of a message have the same version.
    ///
    /// # Errors
    /// The caller may not, there is no such message, or it has no sound.
    pub async fn message_sound(&self, who: &Principal, id: Uuid) -> Result<(i64, Vec<u8>), AppError> {
        who.may(Permission::LookUp)?;
        let tenant = who.tenant;
        self.read(move |tx| {
            let stored = load::<MessageBody>(tx, tenant, id)?;
            // One that was spoken from another text is not its sound any more.
            let known = rows::sound(tx, tenant, MessageId(id))?.filter(|sound| belongs(sound, &stored.body));
            let wav = if known.is_some() { rows::wav(tx, tenant, MessageId(id))? } else { None };
            let wav = wav.ok_or_else(|| AppError::not_found("sound of message", id))?;
            Ok((stored.version, wav))
        })
        .await
    }

    /// Takes the uploaded sound of a message that the caller has seen in `version` away; it is spoken from its text again.
    ///
    /// # Errors
    /// The caller may not, there is no such message, it was changed meanwhile, or no sound was uploaded for it.
    pub async fn delete_message_sound(
        &self,
        who: &Principal,
        id: Uuid,
        version: i64,
    ) -> Result<MessageView, AppError> {
        who.may(Permission::Configure)?;
        let (who_in, tenant, now) = (who.clone(), who.tenant, self.clock.now());
        let audit_id = self.ids.next(now);
        let stored = self
            .write(move |tx| {
                load::<MessageBody>(tx, tenant, id)?;
                let sound = rows::sound(tx, tenant, MessageId(id))?;
                let Some(sound) = sound.filter(|sound| sound.spoken.is_none()) else {
                    return Err(AppError::not_found("uploaded sound of message", id));
                };
                let stored = next_version(tx, tenant, id, version, now)?;
                rows::forget_sound(tx, tenant, MessageId(id))?;
                note(tx, &who_in, audit_id, now, Action::Delete, id, Some(&sound))?;
                Ok(stored)
            })
            .await?;
        self.floor.definitions_changed(tenant).await;
        self.spoken_view(who, stored).await
    }
}

/// A message that was seen in `version`, in its next version: its sound is another, its body is not.
fn next_version(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    id: Uuid,
    version: i64,
    now: Time,
) -> Result<Stored<MessageBody>, AppError> {
    let stored: Stored<MessageBody> = load(tx, tenant, id)?;
    let body = serde_json::to_value(&stored.body).map_err(|error| AppError::Internal(error.to_string()))?;
    let seen = Seen { tenant, kind: MessageBody::KIND, id, version };
    let row = definition_rows::update(tx, seen, stored.body.name(), &body, now)?;
    let row = row.ok_or_else(|| AppError::not_found(MessageBody::KIND, id))?;
    Ok(Stored { version: row.version, updated_at: row.updated_at, ..stored })
}

/// Notes in the audit log what was done with a sound.
fn note(
    tx: &mut Tx<'_>,
    who: &Principal,
    audit_id: Uuid,
    now: Time,
    action: Action,
    id: Uuid,
    sound: Option<&Sound>,
) -> Result<(), AppError> {
    let what = sound.map(|sound| {
        serde_json::json!({"sound_sha256": files::hex(&sound.sha256), "length_seconds": sound.length.as_secs_f64()})
    });
    audit::note(tx, who, audit_id, now, action, MessageBody::KIND, Some(id), None, what)
}
