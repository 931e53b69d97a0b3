//! Hands out the rows of a file.

use std::borrow::Cow;
use std::io::Read;

use csv::{ByteRecord, StringRecord};

use super::decode::{DecodedSource, Encoding, read_up_to};
use super::sniff::{self, SNIFF_BYTES};
use super::split::{OpenQuote, Split, line_length, split_row};
use super::{
    BROKEN_TEXT_BYTES_MAX, BrokenRow, FileFormat, ROW_BYTES_MAX, ReadError, ReadOptions, ReadRow, Row,
    RowContent,
};
use crate::record_error::{RecordError, RecordErrorCode};

/// How much is read at once, at least; more while a row is still unfinished.
const READ_BYTES: usize = 64 * 1024;

/// Reads a file of contacts row by row; its memory does not grow with the file.
///
/// It is an iterator over rows, good and broken ones. Blank lines are counted and passed over.
pub struct RecordReader {
    source: DecodedSource,
    buffer: Vec<u8>,
    /// Where the next row begins in the buffer.
    start: usize,
    at_end: bool,
    failed: bool,
    /// Number of the row that was read last.
    number: u64,
    format: FileFormat,
    /// The format's delimiter as a byte; of no meaning for NDJSON.
    delimiter: u8,
    encoding: Encoding,
    headings: Vec<String>,
}

/// What a piece of the buffer is.
enum Piece {
    Blank,
    Cells(ByteRecord),
    Line,
    Broken { column: Option<usize>, message: String },
}

impl RecordReader {
    /// Opens a file: guesses what the options leave open and reads the headings of a CSV file.
    ///
    /// # Errors
    /// The source fails, is empty, or its headings cannot be read.
    pub fn open(mut source: impl Read + Send + 'static, options: ReadOptions) -> Result<Self, ReadError> {
        let mut head = Vec::new();
        read_up_to(&mut source, &mut head, SNIFF_BYTES)?;
        let encoding = options.encoding.unwrap_or_else(|| sniff::encoding(&head));
        let format = options.format.unwrap_or_else(|| sniff::format(&head, encoding));
        let mut reader = Self {
            source: DecodedSource::new(head, Box::new(source), encoding),
            buffer: Vec::new(),
            start: 0,
            at_end: false,
            failed: false,
            number: 0,
            format,
            delimiter: delimiter(format)?,
            encoding,
            headings: Vec::new(),
        };
        reader.fill()?;
        reader.start = reader.buffer.len() - sniff::without_mark(&reader.buffer).len();
        if let FileFormat::Csv { .. } = format {
            reader.headings = match reader.read()? {
                None => return Err(ReadError::Empty),
                Some(ReadRow::Broken(row)) => return Err(ReadError::BrokenHeadings(row.error)),
                Some(ReadRow::Whole(row)) => {
                    row.into_cells().iter().map(|cell| cell.trim().to_owned()).collect()
                }
            };
        }
        Ok(reader)
    }

    /// The headings of a CSV file, without white space around them; none for NDJSON.
    pub fn headings(&self) -> &[String] {
        &self.headings
    }

    /// What the file is made of.
    pub fn format(&self) -> FileFormat {
        self.format
    }

    /// How its characters are written.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Passes over every row up to and including row `last`, to go on where an earlier reading stopped.
    ///
    /// # Errors
    /// The source fails.
    pub fn skip_rows(&mut self, last: u64) -> Result<(), ReadError> {
        while self.number < last && self.has_more()? {
            self.read_one()?;
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn buffer_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    fn read(&mut self) -> Result<Option<ReadRow>, ReadError> {
        while self.has_more()? {
            if let Some(row) = self.read_one()? {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    fn has_more(&mut self) -> Result<bool, ReadError> {
        Ok(self.start < self.buffer.len() || self.fill()?)
    }

    /// Reads one row; none if it is blank.
    fn read_one(&mut self) -> Result<Option<ReadRow>, ReadError> {
        self.number += 1;
        let (length, piece) = self.next_piece()?;
        let end = if length == 0 { self.buffer.len() } else { self.start + length };
        let text = &self.buffer[self.start..end];
        let row = match piece {
            Piece::Blank => None,
            Piece::Line => line(text, self.number),
            Piece::Cells(cells) => Some(self.whole(cells, text)),
            Piece::Broken { column, message } => Some(ReadRow::Broken(self.broken(text, column, &message))),
        };
        self.start += length;
        if length == 0 {
            self.pass_long_line()?;
        }
        Ok(row)
    }

    /// The next row's length in the buffer and what it is. A length of 0 is a line that is too long to be held.
    fn next_piece(&mut self) -> Result<(usize, Piece), ReadError> {
        let mut cells = ByteRecord::with_capacity(256, self.headings.len().max(8));
        loop {
            let text = &self.buffer[self.start..];
            let open_quote = if self.format == FileFormat::Ndjson {
                match line_length(text, self.at_end) {
                    Some(length) if length <= ROW_BYTES_MAX => return Ok((length, Piece::Line)),
                    Some(length) => return Ok((length, too_long())),
                    None => None,
                }
            } else {
                match split_row(text, self.delimiter, self.at_end, &mut cells) {
                    Split::Row { length } if length > ROW_BYTES_MAX => {
                        return Ok((self.first_line(length), too_long()));
                    }
                    Split::Row { length } if self.is_uneven(&cells) => {
                        return Ok((self.first_line(length), self.uneven(cells.len())));
                    }
                    Split::Row { length } => return Ok((length, Piece::Cells(cells))),
                    Split::Blank { length } => return Ok((length, Piece::Blank)),
                    Split::TextAfterQuote(quote)
                        if self.at_end
                            || text.len() > ROW_BYTES_MAX
                            || line_length(&text[quote.at..], false).is_some() =>
                    {
                        return Ok(self.stray_quote(quote, AFTER_QUOTE));
                    }
                    Split::TextAfterQuote(_) => None,
                    Split::Unfinished { open_quote } => open_quote,
                }
            };
            match open_quote {
                Some(quote) if self.at_end || text.len() > ROW_BYTES_MAX => {
                    return Ok(self.stray_quote(quote, NEVER_CLOSED));
                }
                None if text.len() > ROW_BYTES_MAX => return Ok((0, too_long())),
                _ => self.fill()?,
            };
        }
    }

    /// A quote that is at fault breaks the lines up to its own; the reading goes on with the line after that.
    fn stray_quote(&self, quote: OpenQuote, message: &str) -> (usize, Piece) {
        let text = &self.buffer[self.start..];
        let length = line_length(&text[quote.at..], self.at_end).map_or(0, |length| quote.at + length);
        (length, Piece::Broken { column: Some(quote.column), message: message.to_owned() })
    }

    /// A row that cannot be right ends with its first line: what seemed to be the rest of it may be good rows that a
    /// stray quote took in.
    fn first_line(&self, length: usize) -> usize {
        line_length(&self.buffer[self.start..self.start + length], true).unwrap_or(length)
    }

    fn is_uneven(&self, cells: &ByteRecord) -> bool {
        !self.headings.is_empty() && cells.len() != self.headings.len()
    }

    fn uneven(&self, count: usize) -> Piece {
        let message = format!(
            "{count} cells where the headings have {}: check for a missing quote or an extra delimiter",
            self.headings.len()
        );
        Piece::Broken { column: None, message }
    }

    fn whole(&self, cells: ByteRecord, text: &[u8]) -> ReadRow {
        let number = self.number;
        match StringRecord::from_byte_record(cells) {
            Ok(cells) => ReadRow::Whole(Row { number, content: RowContent::Cells(cells) }),
            Err(error) => {
                let message = "invalid UTF-8: save the file as UTF-8, or name its encoding";
                ReadRow::Broken(self.broken(text, Some(error.utf8_error().field()), message))
            }
        }
    }

    fn broken(&self, text: &[u8], column: Option<usize>, message: &str) -> BrokenRow {
        let heading =
            column.and_then(|column| self.headings.get(column)).filter(|heading| !heading.is_empty());
        let place = match (column, heading) {
            (Some(column), Some(heading)) => {
                format!("row {}, column {} ({heading})", self.number, column + 1)
            }
            (Some(column), None) => format!("row {}, column {}", self.number, column + 1),
            (None, _) => format!("row {}", self.number),
        };
        let field = heading.cloned().or_else(|| column.map(|column| format!("column {}", column + 1)));
        let message = Cow::Owned(format!("{place}: {message}"));
        broken_row(self.number, text, RecordError { code: RecordErrorCode::BrokenRow, field, message })
    }

    /// Drops the rest of a line that is longer than may be held.
    fn pass_long_line(&mut self) -> Result<(), ReadError> {
        loop {
            if let Some(length) = line_length(&self.buffer[self.start..], self.at_end) {
                self.start += length;
                return Ok(());
            }
            // A carriage return at the very end is kept: the line feed may follow.
            let kept = usize::from(self.buffer.last() == Some(&b'\r'));
            self.start = self.buffer.len() - kept;
            self.fill()?;
        }
    }

    /// Reads more; as much again as is held, so that a long row is not looked at too often. False at the end.
    fn fill(&mut self) -> Result<bool, ReadError> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let held = self.buffer.len();
        while self.buffer.len() == held && !self.at_end {
            let more = self.source.read_into(&mut self.buffer, READ_BYTES.max(held));
            self.at_end = !more.inspect_err(|_| self.failed = true)?;
        }
        Ok(self.buffer.len() > held)
    }
}

impl Iterator for RecordReader {
    type Item = Result<ReadRow, ReadError>;

    /// The next row. After an error of the source there is none.
    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        self.read().transpose()
    }
}

impl Row {
    /// The cells; none for NDJSON.
    fn into_cells(self) -> StringRecord {
        match self.content {
            RowContent::Cells(cells) => cells,
            RowContent::Json(_) => StringRecord::new(),
        }
    }
}

const NEVER_CLOSED: &str = "a quote is opened here and never closed";
const AFTER_QUOTE: &str =
    "text after a closing quote: double the quotes inside a quoted cell, or close the one before";

fn too_long() -> Piece {
    Piece::Broken {
        column: None,
        message: "longer than 1 MiB: check for a missing line end or quote".to_owned(),
    }
}

fn broken_row(number: u64, text: &[u8], error: RecordError) -> BrokenRow {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let kept = &text[..text.len().min(BROKEN_TEXT_BYTES_MAX)];
    BrokenRow { number, text: String::from_utf8_lossy(kept).into_owned(), error }
}

/// A line of NDJSON; none if it is blank.
fn line(text: &[u8], number: u64) -> Option<ReadRow> {
    let trimmed = text.trim_ascii();
    if trimmed.is_empty() {
        return None;
    }
    Some(match std::str::from_utf8(trimmed) {
        Ok(json) => ReadRow::Whole(Row { number, content: RowContent::Json(json.to_owned()) }),
        Err(_) => {
            let message = format!("row {number}: invalid UTF-8: JSON must be UTF-8");
            ReadRow::Broken(broken_row(number, text, RecordError::new(RecordErrorCode::BrokenRow, message)))
        }
    })
}

fn delimiter(format: FileFormat) -> Result<u8, ReadError> {
    match format {
        FileFormat::Ndjson => Ok(b','),
        FileFormat::Csv { delimiter } => u8::try_from(delimiter)
            .ok()
            .filter(|byte| byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r'))
            .ok_or(ReadError::BadDelimiter),
    }
}
