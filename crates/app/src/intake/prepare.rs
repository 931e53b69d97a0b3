//! From a raw record to one that is ready to be stored. Computes only: the same on any thread.

use contacts::{BoundMap, NewContact, RawContact, RawText, ReadRow, RecordError, Row, RowContent, Rules, normalise};
use engine::{ContactId, Time};

use super::fingerprint;
use crate::Ids;

/// A record as it comes in.
pub(crate) enum Record {
    /// From a caller of the API.
    Contact(RawContact<'static>),
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

/// A valid contact with what the store needs beside it.
#[derive(Clone)]
pub(crate) struct Ready {
    /// The identifier that it gets if it is new.
    pub(crate) id: ContactId,
    /// What it is.
    pub(crate) contact: NewContact,
    /// See [`fingerprint::of`].
    pub(crate) fingerprint: i64,
}

/// Makes a record ready. `map` says how the columns of a file become a contact; a file of JSON lines needs none.
pub(crate) fn prepare(
    row: u64,
    record: Record,
    map: Option<&BoundMap>,
    rules: &Rules,
    ids: &Ids,
    now: Time,
) -> Prepared {
    let ready = |raw: RawContact<'_>| ready(raw, rules, ids, now);
    match record {
        Record::Contact(raw) => {
            let external_id = external_id(&raw);
            let content = ready(raw);
            let external_id = if content.is_err() { external_id } else { None };
            Prepared { row, read: None, external_id, content }
        }
        Record::Row(read) => {
            let content = match (&read, map) {
                (ReadRow::Broken(broken), _) => Err(broken.error.clone()),
                (ReadRow::Whole(Row { content: RowContent::Json(text), .. }), _) => {
                    RawContact::from_json(text).and_then(ready)
                }
                (ReadRow::Whole(Row { content: RowContent::Cells(cells), .. }), Some(map)) => {
                    ready(map.raw_contact(cells))
                }
                (ReadRow::Whole(Row { content: RowContent::Cells(_), .. }), None) => Err(no_map()),
            };
            Prepared { row, read: Some(read), external_id: None, content }
        }
    }
}

fn ready(raw: RawContact<'_>, rules: &Rules, ids: &Ids, now: Time) -> Result<Ready, RecordError> {
    let names_expiry = raw.expires_at.as_ref().is_some_and(|text| !text.text.trim().is_empty());
    let contact = normalise(raw, rules, now)?;
    let fingerprint = fingerprint::of(&contact, contact.expires_at.filter(|_| names_expiry));
    Ok(Ready { id: ContactId(ids.next(now)), contact, fingerprint })
}

/// What a record calls itself, if that can be repeated to its sender.
pub(super) fn external_id(raw: &RawContact<'_>) -> Option<String> {
    let RawText { text, .. } = raw.external_id.as_ref()?;
    let text = text.trim();
    let fits = text.chars().take(contacts::normalise::EXTERNAL_ID_LENGTH_MAX + 1).count()
        <= contacts::normalise::EXTERNAL_ID_LENGTH_MAX;
    (fits && !text.is_empty()).then(|| text.to_owned())
}

/// A table is never read without a map: what makes an import sees to that.
fn no_map() -> RecordError {
    RecordError::new(contacts::RecordErrorCode::BrokenRow, "no source map says what the columns are")
}
