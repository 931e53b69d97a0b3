//! Files of rejected records: what was given, and why it was not used.
//!
//! Such a file can be corrected and imported again as it is: the columns and keys added here are passed over.

use std::io::{self, Write};

use csv::StringRecord;
use serde::Serialize;

use crate::read::{BrokenRow, FileFormat, ReadRow, Row, RowContent};
use crate::record_error::RecordError;

/// What the names of the added columns begin with.
pub const COLUMN_PREFIX: &str = "outdial_";
/// The columns that are added: the row's number in the original file, the code, the field and the message.
pub const COLUMNS: [&str; 4] = ["outdial_row", "outdial_code", "outdial_field", "outdial_message"];
/// The key under which the text of a broken line of NDJSON is kept.
pub const TEXT_KEY: &str = "outdial_text";

/// Writes the rejected records of one file.
///
/// Cells are written exactly as they were read, also those that a spreadsheet would take for a formula: a corrected
/// file must bring in what the original meant. The text of a row that could not be taken apart is in its first
/// column, the others are empty.
pub struct RejectsWriter<W: Write> {
    output: Output<W>,
}

enum Output<W: Write> {
    /// The places of the original columns that are written.
    Csv {
        writer: Box<csv::Writer<W>>,
        columns: Vec<usize>,
    },
    Ndjson(W),
}

/// The added keys of a line of NDJSON, in the order of [`COLUMNS`].
#[derive(Serialize)]
struct Reason<'a> {
    outdial_row: u64,
    outdial_code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    outdial_field: Option<&'a str>,
    outdial_message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    outdial_text: Option<&'a str>,
}

/// Whether a column was added by a rejects file.
pub fn is_added_column(heading: &str) -> bool {
    COLUMNS.iter().any(|column| heading.trim().eq_ignore_ascii_case(column))
}

impl<W: Write> RejectsWriter<W> {
    /// For the rejects of a file of this format. For CSV the headings are written at once.
    ///
    /// # Errors
    /// Those of the output.
    pub fn new(output: W, format: FileFormat, headings: &[String]) -> io::Result<Self> {
        let FileFormat::Csv { delimiter } = format else {
            return Ok(Self { output: Output::Ndjson(output) });
        };
        let delimiter = u8::try_from(delimiter).unwrap_or(b',');
        let mut writer = Box::new(csv::WriterBuilder::new().delimiter(delimiter).from_writer(output));
        let columns: Vec<usize> =
            (0..headings.len()).filter(|index| !is_added_column(&headings[*index])).collect();
        writer.write_record(columns.iter().map(|index| headings[*index].as_str()).chain(COLUMNS))?;
        Ok(Self { output: Output::Csv { writer, columns } })
    }

    /// Writes a row that was read, with the reason why it was not used.
    ///
    /// # Errors
    /// Those of the output.
    pub fn write(&mut self, row: &ReadRow, error: &RecordError) -> io::Result<()> {
        match row {
            ReadRow::Whole(row) => self.write_row(row, error),
            ReadRow::Broken(row) => self.write_broken(row),
        }
    }

    /// Writes a good row whose contact was not used.
    ///
    /// # Errors
    /// Those of the output.
    pub fn write_row(&mut self, row: &Row, error: &RecordError) -> io::Result<()> {
        match (&mut self.output, &row.content) {
            (Output::Csv { writer, columns }, RowContent::Cells(cells)) => {
                let cells = columns.iter().map(|index| cells.get(*index).unwrap_or_default());
                write_cells(writer, cells, row.number, error)
            }
            (Output::Csv { writer, columns }, RowContent::Json(json)) => {
                write_cells(writer, first_cell(json, columns.len()), row.number, error)
            }
            (Output::Ndjson(writer), RowContent::Json(json)) => write_json(writer, json, row.number, error),
            (Output::Ndjson(writer), RowContent::Cells(cells)) => {
                write_line(writer, None, row.number, error, Some(&joined(cells)))
            }
        }
    }

    /// Writes a row that could not be taken apart.
    ///
    /// # Errors
    /// Those of the output.
    pub fn write_broken(&mut self, row: &BrokenRow) -> io::Result<()> {
        match &mut self.output {
            Output::Csv { writer, columns } => {
                write_cells(writer, first_cell(&row.text, columns.len()), row.number, &row.error)
            }
            Output::Ndjson(writer) => write_line(writer, None, row.number, &row.error, Some(&row.text)),
        }
    }

    /// Writes what is still held back and gives the output back.
    ///
    /// # Errors
    /// Those of the output.
    pub fn finish(self) -> io::Result<W> {
        match self.output {
            Output::Csv { writer, .. } => writer.into_inner().map_err(|error| error.into_error()),
            Output::Ndjson(mut writer) => writer.flush().map(|()| writer),
        }
    }
}

fn first_cell(text: &str, count: usize) -> impl Iterator<Item = &str> {
    std::iter::once(text).chain(std::iter::repeat_n("", count.saturating_sub(1))).take(count)
}

fn joined(cells: &StringRecord) -> String {
    cells.iter().collect::<Vec<_>>().join("\t")
}

fn write_cells<'a, W: Write>(
    writer: &mut csv::Writer<W>,
    cells: impl Iterator<Item = &'a str>,
    number: u64,
    error: &RecordError,
) -> io::Result<()> {
    let number = number.to_string();
    let added = [&*number, error.code.as_str(), error.field.as_deref().unwrap_or_default(), &error.message];
    for cell in cells {
        writer.write_field(cell)?;
    }
    Ok(writer.write_record(added)?)
}

/// The original text with the added keys before its end, so that nothing in it changes.
fn write_json(writer: &mut impl Write, json: &str, number: u64, error: &RecordError) -> io::Result<()> {
    let object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(json);
    match object {
        Ok(object) if object.keys().any(|key| key.starts_with(COLUMN_PREFIX)) => {
            let kept = object.into_iter().filter(|(key, _)| !COLUMNS.contains(&key.as_str()));
            let kept = serde_json::to_string(&kept.collect::<serde_json::Map<_, _>>())?;
            write_line(writer, Some(&kept), number, error, None)
        }
        Ok(_) => write_line(writer, Some(json), number, error, None),
        Err(_) => write_line(writer, None, number, error, Some(json)),
    }
}

fn write_line(
    writer: &mut impl Write,
    object: Option<&str>,
    number: u64,
    error: &RecordError,
    text: Option<&str>,
) -> io::Result<()> {
    let reason = serde_json::to_string(&Reason {
        outdial_row: number,
        outdial_code: error.code.as_str(),
        outdial_field: error.field.as_deref(),
        outdial_message: &error.message,
        outdial_text: text,
    })?;
    let body = object.and_then(|object| object.trim_end().strip_suffix('}')).map(str::trim_end);
    match body {
        None | Some("{") => writeln!(writer, "{reason}"),
        Some(body) => writeln!(writer, "{body},{}", &reason[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::RawContact;
    use crate::read::{ReadOptions, RecordReader};
    use crate::record_error::RecordErrorCode;

    fn error() -> RecordError {
        RecordError::in_field(RecordErrorCode::BadPhone, "phone1", "no, really")
    }

    /// Rejects every row of a file.
    fn reject(text: String) -> String {
        let reader = RecordReader::open(io::Cursor::new(text), ReadOptions::default()).unwrap();
        let mut rejects = RejectsWriter::new(Vec::new(), reader.format(), reader.headings()).unwrap();
        for row in reader {
            rejects.write(&row.unwrap(), &error()).unwrap();
        }
        String::from_utf8(rejects.finish().unwrap()).unwrap()
    }

    #[test]
    fn cells_come_back_exactly_with_the_reason_behind_them() {
        let rejects = reject("id;number\n1; =SUM(A1)\n2;\"+33;\"\"\n\"\n".into());
        assert_eq!(
            rejects,
            "id;number;outdial_row;outdial_code;outdial_field;outdial_message\n\
             1; =SUM(A1);2;bad_phone;phone1;no, really\n\
             2;\"+33;\"\"\n\";3;bad_phone;phone1;no, really\n"
        );
    }

    #[test]
    fn rejects_of_a_rejects_file_have_the_added_columns_once() {
        let first = reject("id,number\n1,2\n".into());
        assert_eq!(reject(first.clone()), first);
        let first = reject("{\"external_id\":\"1\"}\n".into());
        assert_eq!(reject(first.clone()), first);
    }

    #[test]
    fn a_broken_row_is_kept_as_text() {
        let rejects = reject("id,number\n1,2,3\n".into());
        assert!(rejects.contains("\n\"1,2,3\",,2,broken_row,,row 2: 3 cells"), "{rejects}");
        let rejects = reject("{}\n{\"a\":\n".into());
        assert!(rejects.contains(r#""outdial_text":"{\"a\":""#), "{rejects}");
    }

    #[test]
    fn a_rejected_json_contact_is_read_again() {
        let rejects = reject(r#"{ "external_id": "1", "phones": [] }"#.into());
        assert_eq!(
            rejects,
            concat!(
                r#"{ "external_id": "1", "phones": [],"outdial_row":1,"outdial_code":"bad_phone","#,
                r#""outdial_field":"phone1","outdial_message":"no, really"}"#,
                "\n"
            )
        );
        assert!(RawContact::from_json(&rejects).is_ok());
    }
}
