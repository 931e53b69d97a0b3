//! How an import is asked for, and what of that is kept with the job.

use contacts::{Encoding, FileFormat, SourceMap, ZonePolicy};
use engine::time::rfc3339_option;
use engine::{GroupId, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::AppError;
use crate::model::DuplicateScope;

/// How a file is to be imported.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewImport {
    /// What the columns are. Without it and without `source_map` the headings are guessed, and the file is refused
    /// if no column for the external id or for a number is recognised. A file of JSON lines needs none.
    pub map: Option<SourceMap>,
    /// A stored source map of the source, instead of `map`.
    pub source_map: Option<Uuid>,
    /// What the file is made of; guessed without it.
    pub format: Option<FileFormat>,
    /// How its characters are written; guessed without it.
    pub encoding: Option<Encoding>,
    /// Where a number that another contact has already counts as a duplicate, if not as the source says.
    pub duplicates: Option<DuplicateScope>,
    /// What becomes of a number whose time zone nobody knows, if not what the source says.
    pub zone_policy: Option<ZonePolicy>,
    /// What the file was called, for people.
    pub file_name: Option<String>,
    /// From when on contacts are not called that name no expiry (RFC 3339), if not as the source says.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub expires_at: Option<Time>,
    /// The only campaign group that may call them; any of the campaign without it.
    pub group: Option<GroupId>,
}

/// What was found out about the file when the import was made; a resumed import reads the file in the same way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Settings {
    /// What the columns are; none for JSON lines.
    pub(super) map: Option<SourceMap>,
    /// What the file is made of.
    pub(super) format: FileFormat,
    /// How its characters are written.
    pub(super) encoding: Encoding,
    /// The headings of a table.
    pub(super) headings: Vec<String>,
    /// See [`NewImport::duplicates`].
    pub(super) duplicates: Option<DuplicateScope>,
    /// See [`NewImport::zone_policy`].
    #[serde(default)]
    pub(super) zone_policy: Option<ZonePolicy>,
    /// See [`NewImport::file_name`].
    pub(super) file_name: Option<String>,
    /// See [`NewImport::expires_at`].
    #[serde(default, with = "rfc3339_option")]
    pub(super) expires_at: Option<Time>,
    /// See [`NewImport::group`].
    #[serde(default)]
    pub(super) group: Option<GroupId>,
}

impl Settings {
    pub(super) fn to_json(&self) -> Result<serde_json::Value, AppError> {
        serde_json::to_value(self).map_err(|error| AppError::Internal(error.to_string()))
    }

    pub(super) fn from_json(value: &serde_json::Value) -> Result<Self, AppError> {
        Self::deserialize(value).map_err(|error| AppError::Internal(format!("import_job.settings: {error}")))
    }
}
