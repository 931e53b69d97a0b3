//! What can be configured: the typed bodies of definitions, and what each may hold.

mod agents;
mod caller_ids;
mod campaigns;
mod detection;
mod groups;
mod lists;
mod messages;
mod plans;
mod rules;
mod scripts;
mod sinks;

use engine::Time;
use engine::time::rfc3339;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use agents::{AgentBody, AgentSkill, AgentTelephone, SkillBody};
pub(crate) use caller_ids::setting as caller_id_setting;
pub use caller_ids::{CallerIdPoolBody, PoolNumberBody};
pub use campaigns::{CampaignBody, CampaignScripts, PostCallPhase};
pub use detection::DetectionProfileBody;
pub use groups::{CampaignGroupBody, FeedScript};
pub use lists::{DuplicateScope, SourceBody, SourceMapBody, SuppressionListBody};
pub use messages::MessageBody;
pub use plans::{ScheduleBody, ScheduleStep, ScheduledAction, SequenceBody, SequenceStep, WhenRefused};
pub use rules::{CallingHoursBody, TreatmentSetBody};
pub use scripts::{HttpValidation, ScriptBody};
pub use sinks::{SinkBegin, SinkBody, SinkDelivery, SinkFormat, SinkTarget};

use crate::AppError;

/// Longest name of anything, in characters.
pub const NAME_LENGTH_MAX: usize = 128;

/// The settings of one kind of definition.
pub trait Definition:
    Serialize + DeserializeOwned + JsonSchema + Clone + PartialEq + std::fmt::Debug + Send + Sync + 'static
{
    /// The name of the kind, as it is stored.
    const KIND: &'static str;

    /// Its name, unique among those of its kind and parent.
    fn name(&self) -> &str;

    /// What it belongs to for all its life.
    fn parent(&self) -> Option<Uuid> {
        None
    }

    /// What must exist for it to make sense.
    fn references(&self) -> Vec<Reference> {
        Vec::new()
    }

    /// What must exist under a name for it to make sense.
    fn named_references(&self) -> Vec<NamedReference> {
        Vec::new()
    }

    /// The server script that it is; it must be one that can be loaded.
    fn script(&self) -> Option<&str> {
        None
    }

    /// Checks whatever can be checked without looking at others; the name is checked apart.
    ///
    /// # Errors
    /// [`AppError::Invalid`] about the first thing that is wrong.
    fn check(&self) -> Result<(), AppError> {
        Ok(())
    }
}

/// That a definition names another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reference {
    /// The kind of the other.
    pub kind: &'static str,
    /// The other.
    pub id: Uuid,
    /// In which field it is named.
    pub field: String,
}

/// That a definition names another by its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamedReference {
    /// The kind of the other.
    pub kind: &'static str,
    /// The other's name.
    pub name: String,
    /// In which field it is named.
    pub field: &'static str,
    /// Whether it may be a script that is a service over HTTP and has no source.
    pub may_be_service: bool,
}

impl Reference {
    fn new(kind: &'static str, id: Uuid, field: impl Into<String>) -> Self {
        Self { kind, id, field: field.into() }
    }
}

/// A definition as it is stored and shown.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Stored{T}")]
pub struct Stored<T> {
    /// Which.
    pub id: Uuid,
    /// Grows by one with every change, from 1; the ETag.
    pub version: i64,
    /// When it was made.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub created_at: Time,
    /// When it was last changed.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub updated_at: Time,
    /// Its settings.
    #[serde(flatten)]
    pub body: T,
}

/// Checks a name: 1 to [`NAME_LENGTH_MAX`] characters, no control characters, no white space around.
///
/// # Errors
/// [`AppError::Invalid`] with the code `bad_name`.
pub(crate) fn check_name(name: &str) -> Result<(), AppError> {
    let fits = (1..=NAME_LENGTH_MAX).contains(&name.chars().count())
        && !name.contains(char::is_control)
        && name.trim().len() == name.len();
    if fits {
        return Ok(());
    }
    let message = "a name has 1 to 128 characters, no control characters and no white space around";
    Err(AppError::invalid("bad_name", "name", message))
}

#[cfg(test)]
mod tests;
