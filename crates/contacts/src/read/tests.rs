use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::record_error::RecordErrorCode;

fn open(text: impl Into<Vec<u8>>) -> RecordReader {
    RecordReader::open(Cursor::new(text.into()), ReadOptions::default()).unwrap()
}

/// Every row as "number: cells joined by /", a broken one as "number! field".
fn rows(text: impl Into<Vec<u8>>) -> Vec<String> {
    open(text).map(|row| show(&row.unwrap())).collect()
}

fn show(row: &ReadRow) -> String {
    match row {
        ReadRow::Whole(Row { number, content: RowContent::Cells(cells) }) => {
            format!("{number}: {}", cells.iter().collect::<Vec<_>>().join("/"))
        }
        ReadRow::Whole(Row { number, content: RowContent::Json(json) }) => format!("{number}: {json}"),
        ReadRow::Broken(row) => {
            assert_eq!(row.error.code, RecordErrorCode::BrokenRow);
            format!("{}! {}", row.number, row.error.field.as_deref().unwrap_or("-"))
        }
    }
}

fn broken(text: impl Into<Vec<u8>>) -> BrokenRow {
    open(text)
        .find_map(|row| match row.unwrap() {
            ReadRow::Broken(row) => Some(row),
            ReadRow::Whole(_) => None,
        })
        .unwrap()
}

#[test]
fn rows_are_numbered_as_a_spreadsheet_shows_them() {
    let reader = open("\u{feff} id ; name\r\n1;Zoé\r\n\r\n2;\"a\r\nb\"\r\n3;c");
    assert_eq!(reader.headings(), ["id", "name"]);
    assert_eq!(reader.format(), FileFormat::Csv { delimiter: ';' });
    let rows: Vec<String> = reader.map(|row| show(&row.unwrap())).collect();
    assert_eq!(rows, ["2: 1/Zoé", "4: 2/a\r\nb", "5: 3/c"]);
}

#[test]
fn older_encodings_are_read() {
    assert_eq!(rows(&b"id;name\n1;Zo\xe9\n"[..]), ["2: 1/Zoé"]);
    for (mark, bytes) in
        [([0xff, 0xfe], u16::to_le_bytes as fn(u16) -> [u8; 2]), ([0xfe, 0xff], u16::to_be_bytes)]
    {
        let text = "id\tname\n1\tZoé 😀\n".encode_utf16().flat_map(bytes);
        assert_eq!(rows(mark.into_iter().chain(text).collect::<Vec<u8>>()), ["2: 1/Zoé 😀"]);
    }
}

#[test]
fn a_row_with_too_few_or_too_many_cells_is_broken_and_the_next_is_read() {
    assert_eq!(rows("a,b\n1\n2,3\n4,5,6\n7,8\n"), ["2! -", "3: 2/3", "4! -", "5: 7/8"]);
    assert_eq!(
        broken("a,b\n1\n").error.message,
        "row 2: 1 cells where the headings have 2: check for a missing quote or an extra delimiter"
    );
}

#[test]
fn a_quote_that_is_never_closed_costs_its_own_line_only() {
    let text = "id,name\n1,a\n2,\"b\n3,c\n4,d\n";
    assert_eq!(rows(text), ["2: 1/a", "3! name", "4: 3/c", "5: 4/d"]);
    let row = broken(text);
    assert_eq!(row.text, "2,\"b");
    assert_eq!(row.error.message, "row 3, column 2 (name): a quote is opened here and never closed");
}

#[test]
fn a_quote_that_is_closed_rows_later_does_not_take_in_the_rows_between() {
    assert_eq!(rows("id,name\n1,\"a\n2,b\n3,\"c\"\n"), ["2! name", "3: 2/b", "4: 3/c"]);
    assert_eq!(rows("id,name,x\n1,\"a,\n2,b,\n3,c,\"\n4,d,\n"), ["2! -", "3: 2/b/", "4! x", "5: 4/d/"]);
}

#[test]
fn an_unclosed_quote_in_a_large_file_is_found_within_a_mebibyte() {
    let mut text = String::from("id,name\n1,\"a\n");
    for id in 2..=400_000 {
        text.push_str(&format!("{id},b\n"));
    }
    text.push_str("x,\"y\"\n");
    let mut reader = open(text);
    assert_eq!(show(&reader.next().unwrap().unwrap()), "2! name");
    assert_eq!(show(&reader.next().unwrap().unwrap()), "3: 2/b");
    assert!(reader.buffer_bytes() <= 4 * ROW_BYTES_MAX);
    assert_eq!(reader.filter(|row| matches!(row, Ok(ReadRow::Whole(_)))).count(), 399_999);
}

#[test]
fn a_line_without_an_end_is_dropped_and_the_next_is_read() {
    let long = "x".repeat(3 * ROW_BYTES_MAX);
    let rows_after = rows(format!("id,name\n1,{long}\r\n2,b\n"));
    assert_eq!(rows_after, ["2! -", "3: 2/b"]);
    assert_eq!(broken(format!("id,name\n1,{long}\n2,b\n")).text.len(), BROKEN_TEXT_BYTES_MAX);
    assert_eq!(rows(format!("id,name\n1,\"{long}\n2,b\n")), ["2! name", "3: 2/b"]);
    assert_eq!(rows(format!("{{}}\n{{\"a\":\"{long}\"}}\n{{}}")), ["1: {}", "2! -", "3: {}"]);
}

#[test]
fn invalid_bytes_break_their_row_and_name_the_column() {
    let mut text = "id,name\n".to_owned().into_bytes();
    text.extend(std::iter::repeat_n(*b"1,a\n", SNIFF_BYTES / 4).flatten());
    text.extend(b"2,\xe9\n3,b\n");
    let last = rows(text).split_off(SNIFF_BYTES / 4);
    assert_eq!(last, ["16386! name", "16387: 3/b"]);
}

#[test]
fn an_interrupted_reading_goes_on_behind_the_last_row() {
    let text = "id,name\n1,a\n2,\"b\n3,c\n\n4,d\n";
    let all = rows(text);
    for done in 1..=7 {
        let mut reader = open(text);
        reader.skip_rows(done).unwrap();
        let rest: Vec<String> = reader.map(|row| show(&row.unwrap())).collect();
        let expected: Vec<&String> =
            all.iter().filter(|row| row[..1].parse::<u64>().unwrap() > done).collect();
        assert_eq!(rest.iter().collect::<Vec<_>>(), expected, "after row {done}");
    }
}

#[test]
fn lines_of_json_are_handed_out_with_their_numbers() {
    assert_eq!(rows("{\"a\":1}\n\n {\"a\":2} \r\n"), ["1: {\"a\":1}", "3: {\"a\":2}"]);
    assert!(open("{}").headings().is_empty());
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let open = |text: &'static str, options| RecordReader::open(text.as_bytes(), options).err().unwrap();
    assert!(matches!(open("", ReadOptions::default()), ReadError::Empty));
    assert!(matches!(open("\n\r\n", ReadOptions::default()), ReadError::Empty));
    assert!(matches!(open("a,\"b\n", ReadOptions::default()), ReadError::BrokenHeadings(_)));
    let options = ReadOptions { format: Some(FileFormat::Csv { delimiter: '"' }), encoding: None };
    assert!(matches!(open("a", options), ReadError::BadDelimiter));
}

#[test]
fn a_source_that_fails_ends_the_reading_with_its_error() {
    struct Failing(usize);
    impl std::io::Read for Failing {
        fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1..100 => {
                    let count = bytes.len().min(1000) / 4 * 4;
                    bytes[..count].chunks_exact_mut(4).for_each(|chunk| chunk.copy_from_slice(b"a,b\n"));
                    Ok(count)
                }
                _ => Err(std::io::Error::other("gone")),
            }
        }
    }
    let mut reader = RecordReader::open(Failing(0), ReadOptions::default()).unwrap();
    assert!(matches!(reader.by_ref().find(Result::is_err), Some(Err(ReadError::Io(_)))));
    assert!(reader.next().is_none());
}

fn cell() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9 ]{0,8}", "[a,;|\t\"\n\r é]{0,8}"]
}

proptest! {
    #[test]
    fn what_the_csv_crate_writes_is_guessed_and_read_back(
        delimiter in prop_oneof![Just(b','), Just(b';'), Just(b'\t'), Just(b'|')],
        crlf in any::<bool>(),
        quote_style in prop_oneof![Just(csv::QuoteStyle::Necessary), Just(csv::QuoteStyle::Always)],
        table in (2usize..6).prop_flat_map(|width| {
            proptest::collection::vec(proptest::collection::vec(cell(), width), 0..20)
        }),
    ) {
        let width = table.first().map_or(2, Vec::len);
        let headings: Vec<String> = (0..width).map(|column| format!("column {column}")).collect();
        let mut writer = csv::WriterBuilder::new()
            .delimiter(delimiter)
            .quote_style(quote_style)
            .terminator(if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') })
            .from_writer(Vec::new());
        writer.write_record(&headings).unwrap();
        for row in &table {
            writer.write_record(row).unwrap();
        }
        let reader = open(writer.into_inner().unwrap());
        prop_assert_eq!(reader.format(), FileFormat::Csv { delimiter: delimiter.into() });
        prop_assert_eq!(reader.headings(), &headings[..]);
        let read: Vec<Vec<String>> = reader
            .map(|row| match row.unwrap() {
                ReadRow::Whole(Row { content: RowContent::Cells(cells), .. }) => {
                    cells.iter().map(str::to_owned).collect()
                }
                other => vec![format!("{other:?}")],
            })
            .collect();
        prop_assert_eq!(read, table);
    }

    #[test]
    fn arbitrary_bytes_are_read_to_their_end(bytes in proptest::collection::vec(
        prop_oneof![any::<u8>(), Just(b'"'), Just(b','), Just(b'\n'), Just(b'\r'), Just(b'{')], 0..200,
    )) {
        let lines = bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 1;
        let options = ReadOptions { format: None, encoding: Some(Encoding::Utf8) };
        if let Ok(reader) = RecordReader::open(Cursor::new(bytes), options) {
            let rows: Vec<ReadRow> = reader.map(Result::unwrap).collect();
            prop_assert!(rows.len() <= lines);
        }
    }
}
