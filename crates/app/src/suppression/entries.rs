//! Entries of suppression lists as callers give them.

use std::io::Cursor;

use contacts::{ReadOptions, ReadRow, RecordReader, RowContent, read_number};
use engine::{PhoneNumber, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SUPPRESSIONS_MAX;
use crate::AppError;

/// Longest key of a customer, in characters.
const EXTERNAL_ID_LENGTH_MAX: usize = contacts::normalise::EXTERNAL_ID_LENGTH_MAX;

/// Somebody to be put on a list: either `number` or `external_id` is given.
#[derive(Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewSuppression {
    /// A number in international form; it is not dialled.
    pub number: Option<String>,
    /// A customer's key in their source; none of their numbers is dialled.
    pub external_id: Option<String>,
    /// It holds until this instant (RFC 3339); for ever without it.
    pub until: Option<String>,
}

/// An entry that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RejectedSuppression {
    /// Which: its place in the request from 1, or its row in the table, whose headings are row 1.
    pub row: u64,
    /// Which part of it is wrong.
    pub field: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

/// Entries that were read.
#[derive(Default)]
pub(super) struct ReadEntries {
    pub numbers: Vec<(PhoneNumber, Option<Time>)>,
    pub customers: Vec<(String, Option<Time>)>,
    pub rejections: Vec<RejectedSuppression>,
}

impl ReadEntries {
    fn take(&mut self, row: u64, entry: NewSuppression, now: Time) -> Result<(), AppError> {
        if self.numbers.len() + self.customers.len() + self.rejections.len() >= SUPPRESSIONS_MAX {
            let message = format!("a request has at most {SUPPRESSIONS_MAX} entries: send more requests");
            return Err(AppError::invalid("too_many", "entries", message));
        }
        if let Err((field, message)) = self.try_take(entry, now) {
            self.rejections.push(RejectedSuppression { row, field, message });
        }
        Ok(())
    }

    fn try_take(&mut self, entry: NewSuppression, now: Time) -> Result<(), (&'static str, String)> {
        let given =
            |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let until = given(entry.until).map(|text| Time::parse_rfc3339(&text)).transpose();
        let until =
            until.map_err(|_| ("until", "give an instant such as 2027-01-31T00:00:00Z".to_owned()))?;
        if until.is_some_and(|until| until <= now) {
            return Err(("until", "it is over already: give a later instant, or none for ever".to_owned()));
        }
        match (given(entry.number), given(entry.external_id)) {
            (Some(number), None) => {
                let number = read_number(&number, None).map_err(|error| ("number", error.to_string()))?;
                self.numbers.push((number, until));
            }
            (None, Some(key)) => {
                if key.chars().count() > EXTERNAL_ID_LENGTH_MAX || key.contains(char::is_control) {
                    let message =
                        format!("give at most {EXTERNAL_ID_LENGTH_MAX} characters, no control characters");
                    return Err(("external_id", message));
                }
                self.customers.push((key, until));
            }
            _ => return Err(("number", "give either a number or an external_id".to_owned())),
        }
        Ok(())
    }
}

/// Reads entries; what is wrong with one is told with its place.
///
/// # Errors
/// There are too many.
pub(super) fn read(entries: Vec<NewSuppression>, now: Time) -> Result<ReadEntries, AppError> {
    let mut read = ReadEntries::default();
    for (row, entry) in (1..).zip(entries) {
        read.take(row, entry, now)?;
    }
    Ok(read)
}

/// Reads a table. Its headings are `number`, `external_id` and `until`, in any order; others are passed over.
///
/// # Errors
/// It is no table, names neither numbers nor customers, or is too long.
pub(super) fn read_table(table: Vec<u8>, now: Time) -> Result<ReadEntries, AppError> {
    let unreadable = |error: contacts::ReadError| AppError::invalid("bad_table", "", error.to_string());
    let mut reader = RecordReader::open(Cursor::new(table), ReadOptions::default()).map_err(unreadable)?;
    let column =
        |name: &str| reader.headings().iter().position(|heading| heading.trim().eq_ignore_ascii_case(name));
    let (number, external_id, until) = (column("number"), column("external_id"), column("until"));
    if number.is_none() && external_id.is_none() {
        let message = "the table needs a column 'number' or 'external_id', and may have 'until'";
        return Err(AppError::invalid("bad_table", "", message));
    }
    let mut read = ReadEntries::default();
    for row in &mut reader {
        match row.map_err(unreadable)? {
            ReadRow::Whole(row) => {
                let RowContent::Cells(cells) = &row.content else {
                    return Err(AppError::invalid(
                        "bad_table",
                        "",
                        "send a table: CSV with a row of headings",
                    ));
                };
                let cell = |index: Option<usize>| index.and_then(|index| cells.get(index)).map(str::to_owned);
                let entry = NewSuppression {
                    number: cell(number),
                    external_id: cell(external_id),
                    until: cell(until),
                };
                read.take(row.number, entry, now)?;
            }
            ReadRow::Broken(broken) => read.rejections.push(RejectedSuppression {
                row: broken.number,
                field: "",
                message: broken.error.message.to_string(),
            }),
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_micros(1_790_000_000_000_000);

    #[test]
    fn a_table_of_numbers_and_customers_is_read_and_what_is_wrong_is_told_by_row() {
        let table = "until,number,external_id\n\
                     ,+14155550100,\n\
                     2099-01-01T00:00:00Z,,c-7\n\
                     ,12,\n\
                     ,,\n\
                     2001-01-01T00:00:00Z,+14155550101,\n";
        let read = read_table(table.into(), NOW).unwrap();
        assert_eq!(read.numbers, [("+14155550100".parse().unwrap(), None)]);
        assert_eq!(read.customers.len(), 1);
        assert!(read.customers[0].1.is_some());
        let rejected: Vec<_> =
            read.rejections.iter().map(|rejection| (rejection.row, rejection.field)).collect();
        assert_eq!(rejected, [(4, "number"), (5, "number"), (6, "until")]);
    }

    #[test]
    fn a_table_without_a_column_that_says_who_is_refused() {
        assert_eq!(
            read_table("tel\n+14155550100\n".into(), NOW).err().map(|error| error.code()),
            Some("bad_table")
        );
    }

    #[test]
    fn an_entry_is_a_number_or_a_customer_and_not_both() {
        let both = NewSuppression {
            number: Some("+14155550100".into()),
            external_id: Some("c-7".into()),
            until: None,
        };
        assert_eq!(read(vec![both], NOW).unwrap().rejections.len(), 1);
    }
}
