//! What became of a record.

use contacts::{RecordError, RecordErrorCode};
use engine::ContactId;
use schemars::JsonSchema;
use serde::Serialize;

/// What became of a record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordOutcome {
    /// A contact was made of it.
    Created,
    /// A contact was there and has changed.
    Updated,
    /// A contact was there, as the record says.
    Unchanged,
    /// It was not taken; `code` says why.
    Rejected,
}

/// What became of one record. It repeats nothing of the record but its external id.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct RecordResult {
    /// Which record: its place in the request from 1, or its row in the file.
    pub row: u64,
    /// What the source calls the contact, if the record says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What became of it.
    pub outcome: RecordOutcome,
    /// The contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<ContactId>,
    /// Why it was rejected, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<RecordErrorCode>,
    /// Which part of it was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What was wrong and what to do, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What was left out, though the record was taken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<RecordError>,
}

impl RecordResult {
    pub(super) fn taken(
        row: u64,
        external_id: &str,
        outcome: RecordOutcome,
        contact: ContactId,
        warnings: Vec<RecordError>,
    ) -> Self {
        let external_id = Some(external_id.to_owned());
        Self {
            row,
            external_id,
            outcome,
            contact: Some(contact),
            code: None,
            field: None,
            message: None,
            warnings,
        }
    }

    pub(super) fn rejected(row: u64, external_id: Option<String>, error: &RecordError) -> Self {
        Self {
            row,
            external_id,
            outcome: RecordOutcome::Rejected,
            contact: None,
            code: Some(error.code),
            field: error.field.clone(),
            message: Some(error.message.to_string()),
            warnings: Vec::new(),
        }
    }
}
