//! An import as callers see it.

use contacts::{Encoding, FileFormat, SourceMap};
use engine::time::{rfc3339, rfc3339_option};
use engine::{CampaignId, ImportId, SourceId, Time};
use schemars::JsonSchema;
use serde::Serialize;
use store::records::imports::{ImportJob, Reject};

use super::rejects::{RowText, row_text};
use super::settings::Settings;
use crate::AppError;

/// An import: a job that reads a file into a source.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct Import {
    /// Which.
    pub id: ImportId,
    /// The source that its contacts come from.
    pub source: SourceId,
    /// The campaign that they are for.
    pub campaign: CampaignId,
    /// `queued`, `running`, `cancelling`, `completed`, `failed` or `cancelled`.
    pub state: String,
    /// What the file was called.
    pub file_name: Option<String>,
    /// What the file is made of.
    pub format: FileFormat,
    /// How its characters are written.
    pub encoding: Encoding,
    /// What its columns are; none for JSON lines.
    pub map: Option<SourceMap>,
    /// Length of the file in bytes.
    pub file_size: u64,
    /// Bytes of it that are dealt with.
    pub bytes_done: u64,
    /// Records that are dealt with.
    pub rows_done: u64,
    /// New contacts.
    pub created: u64,
    /// Contacts that were there and have changed.
    pub updated: u64,
    /// Contacts that were there, as the file says.
    pub unchanged: u64,
    /// Records that were not taken; see its rejects.
    pub rejected: u64,
    /// Records a second, over the whole time that it runs or ran.
    pub rows_per_second: Option<f64>,
    /// Seconds until it ends at this pace; only while it runs.
    pub seconds_left: Option<f64>,
    /// Why it failed.
    pub error: Option<String>,
    /// When it was asked for.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub created_at: Time,
    /// When it began.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub finished_at: Option<Time>,
}

impl Import {
    /// Whether nothing more happens to it.
    pub fn is_over(&self) -> bool {
        self.finished_at.is_some()
    }

    pub(super) fn of(job: ImportJob, now: Time) -> Result<Self, AppError> {
        let settings = Settings::from_json(&job.settings)?;
        let counts = job.counts;
        let rows_done = counts.created + counts.updated + counts.unchanged + counts.rejected;
        let ran = job.started_at.map(|started| job.finished_at.unwrap_or(now).since(started).as_secs_f64());
        let ran = ran.filter(|seconds| *seconds > 0.0);
        // The reader is ahead of the rows by its buffer.
        let bytes_done = counts.bytes_done.min(job.file_size);
        let bytes_left = (job.file_size - bytes_done) as f64;
        let pace = ran.map(|seconds| bytes_done as f64 / seconds).filter(|pace| *pace > 0.0);
        Ok(Self {
            id: job.id,
            source: job.source,
            campaign: job.campaign,
            state: job.state.name().to_owned(),
            file_name: settings.file_name,
            format: settings.format,
            encoding: settings.encoding,
            map: settings.map,
            file_size: job.file_size,
            bytes_done,
            rows_done,
            created: counts.created,
            updated: counts.updated,
            unchanged: counts.unchanged,
            rejected: counts.rejected,
            rows_per_second: ran.map(|seconds| (rows_done as f64 / seconds).round()),
            seconds_left: pace.filter(|_| job.finished_at.is_none()).map(|pace| (bytes_left / pace).ceil()),
            error: job.error,
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
        })
    }
}

/// A record of a file that was not taken.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RejectedRow {
    /// Its row as an editor shows it: the headings of a table are row 1.
    pub row: u64,
    /// What is wrong, for programs.
    pub code: String,
    /// Where it is; null if it is the record as a whole.
    pub field: Option<String>,
    /// What is wrong and what to do, for people.
    pub message: String,
    /// The cells of a row of a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cells: Option<Vec<String>>,
    /// The text of a JSON line, or of a row that could not be taken apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Shows no personal data.
impl std::fmt::Debug for RejectedRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RejectedRow")
            .field("row", &self.row)
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

impl From<Reject> for RejectedRow {
    fn from(reject: Reject) -> Self {
        let (cells, text) = match row_text(&reject) {
            RowText::Cells(cells) => (Some(cells), None),
            RowText::Text(text) => (None, Some(text)),
        };
        let field = Some(reject.field).filter(|field| !field.is_empty());
        Self { row: reject.row, code: reject.code, field, message: reject.message, cells, text }
    }
}
