//! Why a record, or a part of one, could not be used.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is wrong with a record; the codes are stable, so that programs can act on them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordErrorCode {
    /// It names no external id.
    MissingExternalId,
    /// The external id is longer than 255 characters.
    ExternalIdTooLong,
    /// The external id has control characters in it.
    BadExternalId,
    /// It has no phone.
    NoPhone,
    /// It has more than ten different phones.
    TooManyPhones,
    /// A number, or its caller id, is not one that can be dialled.
    BadPhone,
    /// A number is in national form and no default country is set.
    NoCountry,
    /// The contact's own zone is not a time zone.
    UnknownZone,
    /// Neither the contact, nor the number, nor the campaign names a time zone.
    NoZone,
    /// A value does not fit its field.
    BadFieldValue,
    /// A required field is missing.
    MissingField,
    /// The campaign has no such field.
    UnknownField,
    /// An instant cannot be read, or the span between two is empty.
    BadDate,
    /// The priority is not a whole number from 0 to 100.
    BadPriority,
    /// A phone's calling window is not a part of a day.
    BadWindow,
    /// It expired before it was added.
    AlreadyExpired,
    /// An earlier record of the same file has the same external id.
    DuplicateInFile,
    /// The contact exists already.
    Duplicate,
    /// All its phones are suppressed.
    Suppressed,
    /// The row cannot be taken apart.
    BrokenRow,
    /// It is larger than a record may be.
    TooLarge,
}

impl RecordErrorCode {
    /// The code as APIs and rejects files show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingExternalId => "missing_external_id",
            Self::ExternalIdTooLong => "external_id_too_long",
            Self::BadExternalId => "bad_external_id",
            Self::NoPhone => "no_phone",
            Self::TooManyPhones => "too_many_phones",
            Self::BadPhone => "bad_phone",
            Self::NoCountry => "no_country",
            Self::UnknownZone => "unknown_zone",
            Self::NoZone => "no_zone",
            Self::BadFieldValue => "bad_field_value",
            Self::MissingField => "missing_field",
            Self::UnknownField => "unknown_field",
            Self::BadDate => "bad_date",
            Self::BadPriority => "bad_priority",
            Self::BadWindow => "bad_window",
            Self::AlreadyExpired => "already_expired",
            Self::DuplicateInFile => "duplicate_in_file",
            Self::Duplicate => "duplicate",
            Self::Suppressed => "suppressed",
            Self::BrokenRow => "broken_row",
            Self::TooLarge => "too_large",
        }
    }
}

impl fmt::Display for RecordErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that is wrong with a record. It never repeats the value, which may be personal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[serde(deny_unknown_fields)]
#[error("{code}: {message}")]
pub struct RecordError {
    /// What is wrong, for programs.
    pub code: RecordErrorCode,
    /// Where it is: `phone1`, `zone`, a contact field's or a column's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong and what to do, for people.
    pub message: Cow<'static, str>,
}

impl RecordError {
    /// Something wrong with the record as a whole.
    pub fn new(code: RecordErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, field: None, message: message.into() }
    }

    /// Something wrong with one part of it.
    pub fn in_field(
        code: RecordErrorCode,
        field: impl Into<String>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { code, field: Some(field.into()), message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_code_is_the_same_in_json() {
        for code in [RecordErrorCode::MissingExternalId, RecordErrorCode::NoZone, RecordErrorCode::TooLarge] {
            assert_eq!(serde_json::to_string(&code).unwrap(), format!("\"{code}\""));
        }
    }
}
