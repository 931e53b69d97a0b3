//! Reading contact files: guess what they are, then hand out one row after the other in constant memory.
//!
//! A broken row never ends the reading and never takes others with it; it comes out as a [`BrokenRow`] that says
//! where it is. The rows of a CSV file are taken apart by this module and not by the `csv` crate, because that one
//! reads a stray quote as "the rest of the file is one cell" and does not say so.

mod decode;
mod reader;
mod sniff;
mod split;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record_error::RecordError;

pub use decode::Encoding;
pub use reader::RecordReader;
pub use sniff::{SNIFF_BYTES, Sniffed, sniff};

/// Largest row, in bytes. What is larger is a broken row, most likely because of a quote that nobody closed.
pub const ROW_BYTES_MAX: usize = 1024 * 1024;
/// How much of a broken row's text is kept, in bytes.
pub const BROKEN_TEXT_BYTES_MAX: usize = 64 * 1024;

/// What a file is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FileFormat {
    /// A table: a row of headings, then one row per contact, as RFC 4180 has it.
    Csv {
        /// What stands between two cells; an ASCII character other than a quote or a line break.
        delimiter: char,
    },
    /// One JSON object per line, each in the form of the API's body for a contact.
    Ndjson,
}

/// What the caller knows about a file; the rest is guessed from its first 64 KiB.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReadOptions {
    /// What it is made of.
    pub format: Option<FileFormat>,
    /// How its characters are written.
    pub encoding: Option<Encoding>,
}

/// A row that could be taken apart.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    /// Its number as a spreadsheet or editor shows it: the headings are row 1, in NDJSON the first line is.
    pub number: u64,
    /// What is in it.
    pub content: RowContent,
}

/// What is in a row.
#[derive(Clone, PartialEq, Eq)]
pub enum RowContent {
    /// As many cells as there are headings.
    Cells(csv::StringRecord),
    /// The text of one JSON object, not yet looked at.
    Json(String),
}

/// A row that could not be taken apart.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokenRow {
    /// Its number, as for [`Row::number`].
    pub number: u64,
    /// Its text, as far as it was kept; invalid bytes are shown as `U+FFFD`.
    pub text: String,
    /// What is wrong, with row and column.
    pub error: RecordError,
}

/// What the next row turned out to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReadRow {
    /// A good row.
    Whole(Row),
    /// A bad one; the reading goes on behind it.
    Broken(BrokenRow),
}

impl ReadRow {
    /// The row's number.
    pub fn number(&self) -> u64 {
        match self {
            Self::Whole(row) => row.number,
            Self::Broken(row) => row.number,
        }
    }
}

/// Why a file cannot be read, or not any further.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The source failed.
    #[error("the file could not be read: {0}")]
    Io(#[from] std::io::Error),
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// The row of headings cannot be taken apart.
    #[error("the headings cannot be read: {}", .0.message)]
    BrokenHeadings(RecordError),
    /// The delimiter cannot be one.
    #[error("the delimiter must be an ASCII character other than a quote or a line break")]
    BadDelimiter,
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row").field("number", &self.number).finish_non_exhaustive()
    }
}

impl fmt::Debug for BrokenRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokenRow")
            .field("number", &self.number)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
