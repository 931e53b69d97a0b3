//! From a raw record to one that is ready to be stored. Computes only: the same on any thread.

use std::collections::HashMap;

use contacts::{
    BoundMap, NewContact, NewPhone, RawContact, RawText, ReadRow, RecordError, RecordErrorCode, Row,
    RowContent, Rules, normalise,
};
use engine::{Bucket, BucketId, ContactId, GroupId, Time};
use store::intake::{IntakePhone, IntakeRecord};

use super::fingerprint;
use crate::Ids;

/// A record as it comes in.
pub(crate) enum Record {
    /// From a caller of the API.
    Contact(Box<RawContact<'static>>),
    /// From a file.
    Row(ReadRow),
}

/// A record that was looked at.
pub(crate) struct Prepared {
    /// Its place among those it came with, from 1; its row in the file.
    pub(crate) row: u64,
    /// The row as it was in the file, to be kept if it is rejected.
    pub(crate) read: Option<ReadRow>,
    /// What the source calls it, if it was rejected and says so.
    pub(crate) external_id: Option<String>,
    /// The contact, or why there is none.
    pub(crate) content: Result<Ready, RecordError>,
}

/// A valid contact in the form in which it is stored.
pub(crate) struct Ready {
    /// What is stored; the agent is still to be found.
    pub(crate) record: IntakeRecord,
    /// The agent who should get the call, as the source names them.
    pub(crate) preferred_agent: Option<String>,
    /// What was left out.
    pub(crate) warnings: Vec<RecordError>,
}

/// Makes the records of one batch ready.
pub(super) struct Preparation<'a> {
    /// How the columns of a file become a contact; a file of JSON lines needs none.
    pub(super) map: Option<&'a BoundMap>,
    /// What a record must be like.
    pub(super) rules: &'a Rules,
    /// For new contacts.
    pub(super) ids: &'a Ids,
    /// When they came.
    pub(super) now: Time,
    /// The only campaign group that may call them.
    pub(super) group: Option<GroupId>,
    /// The buckets of the numbers so far.
    pub(super) buckets: HashMap<BucketId, Bucket>,
}

impl Preparation<'_> {
    pub(super) fn prepare(&mut self, row: u64, record: Record) -> Prepared {
        match record {
            Record::Contact(raw) => {
                let external_id = external_id(&raw);
                let content = self.ready(row, *raw);
                let external_id = if content.is_err() { external_id } else { None };
                Prepared { row, read: None, external_id, content }
            }
            Record::Row(read) => {
                let content = self.of_file(row, &read);
                Prepared { row, read: Some(read), external_id: None, content }
            }
        }
    }

    fn of_file(&mut self, row: u64, read: &ReadRow) -> Result<Ready, RecordError> {
        match (read, self.map) {
            (ReadRow::Broken(broken), _) => Err(broken.error.clone()),
            (ReadRow::Whole(Row { content: RowContent::Json(text), .. }), _) => {
                RawContact::from_json(text).and_then(|raw| self.ready(row, raw))
            }
            (ReadRow::Whole(Row { content: RowContent::Cells(cells), .. }), Some(map)) => {
                self.ready(row, map.raw_contact(cells))
            }
            // What makes an import sees to it that a table has a map.
            (ReadRow::Whole(Row { content: RowContent::Cells(_), .. }), None) => {
                Err(RecordError::new(RecordErrorCode::BrokenRow, "no source map says what the columns are"))
            }
        }
    }

    fn ready(&mut self, row: u64, raw: RawContact<'_>) -> Result<Ready, RecordError> {
        let names_expiry = raw.expires_at.as_ref().is_some_and(|text| !text.text.trim().is_empty());
        let contact = normalise(raw, self.rules, self.now)?;
        let fingerprint = fingerprint::of(&contact, contact.expires_at.filter(|_| names_expiry), self.group);
        let phones = contact.phones.iter().map(|phone| self.phone(phone)).collect();
        let NewContact {
            external_id,
            fields_json,
            priority,
            not_before,
            expires_at,
            preferred_agent,
            tag,
            warnings,
            ..
        } = contact;
        let record = IntakeRecord {
            row,
            id: ContactId(self.ids.next(self.now)),
            external_id,
            phones,
            fields_json,
            priority,
            not_before,
            expires_at,
            preferred_agent: None,
            fingerprint,
            callback: false,
            urgent: false,
            group: self.group,
            tag,
            created_at: None,
        };
        Ok(Ready { record, preferred_agent, warnings })
    }

    fn phone(&mut self, phone: &NewPhone) -> IntakePhone {
        let bucket = Bucket { zones: (*phone.zones).clone(), window: phone.window };
        let id = bucket.id();
        self.buckets.entry(id).or_insert(bucket);
        IntakePhone {
            number: phone.number,
            kind: phone.kind,
            attempts_max: phone.attempts_max.map(u16::from),
            caller_id: phone.caller_id,
            bucket: id,
        }
    }
}

/// What a record calls itself, if that can be repeated to its sender.
pub(super) fn external_id(raw: &RawContact<'_>) -> Option<String> {
    const LENGTH_MAX: usize = contacts::normalise::EXTERNAL_ID_LENGTH_MAX;
    let RawText { text, .. } = raw.external_id.as_ref()?;
    let text = text.trim();
    let fits = text.chars().nth(LENGTH_MAX).is_none();
    (fits && !text.is_empty()).then(|| text.to_owned())
}

/// Why a record whose external id came before in the same file or request is not taken.
pub(crate) fn repeated(first: impl std::fmt::Display) -> RecordError {
    let message = format!("{first} has the same external id and was taken: keep one of them");
    RecordError::in_field(RecordErrorCode::DuplicateInFile, "external_id", message)
}
