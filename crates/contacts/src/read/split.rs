//! Takes one row of a CSV text apart.

use csv::ByteRecord;

/// What is at the beginning of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Split {
    /// A row of `length` bytes with its line end; its cells are in the record.
    Row { length: usize },
    /// A line with nothing in it.
    Blank { length: usize },
    /// The text ends before the row does.
    Unfinished { open_quote: Option<OpenQuote> },
    /// A closed quote is followed by something other than a delimiter or a line end.
    TextAfterQuote(OpenQuote),
}

/// Where a quote was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OpenQuote {
    /// Its place in the text, in bytes.
    pub(super) at: usize,
    /// Its column, from 0.
    pub(super) column: usize,
}

/// Splits the first row off `text`, as RFC 4180 has it, with any of `\n`, `\r\n` and `\r` as line end. A quote that
/// is not at the beginning of a cell is a character like others (`5" nails`). `at_end` says that nothing follows.
pub(super) fn split_row(text: &[u8], delimiter: u8, at_end: bool, cells: &mut ByteRecord) -> Split {
    cells.clear();
    if let Some(length) = line_end(text, at_end) {
        return Split::Blank { length };
    }
    let mut unescaped = Vec::new();
    let mut at = 0;
    loop {
        let end = if text.get(at) == Some(&b'"') {
            let open = OpenQuote { at, column: cells.len() };
            match quoted_cell(text, at, at_end, &mut unescaped) {
                None => return Split::Unfinished { open_quote: Some(open) },
                Some(end) => {
                    cells.push_field(&unescaped);
                    if !text[end..].first().is_none_or(|byte| is_cell_end(*byte, delimiter)) {
                        return Split::TextAfterQuote(open);
                    }
                    end
                }
            }
        } else {
            let found = text[at..].iter().position(|byte| is_cell_end(*byte, delimiter));
            let end = found.map_or(text.len(), |length| at + length);
            cells.push_field(&text[at..end]);
            end
        };
        match text.get(end) {
            Some(byte) if *byte == delimiter => at = end + 1,
            Some(_) => {
                return match line_end(&text[end..], at_end) {
                    Some(length) => Split::Row { length: end + length },
                    None => Split::Unfinished { open_quote: None },
                };
            }
            None if at_end => return Split::Row { length: end },
            None => return Split::Unfinished { open_quote: None },
        }
    }
}

/// The length of the line end at the beginning of `text`; none if there is none, or not yet all of it.
fn line_end(text: &[u8], at_end: bool) -> Option<usize> {
    match text {
        [b'\n', ..] => Some(1),
        [b'\r', b'\n', ..] => Some(2),
        [b'\r'] if !at_end => None,
        [b'\r', ..] => Some(1),
        _ => None,
    }
}

/// The length of the first line of `text` with its end; none if the line does not end in it.
pub(super) fn line_length(text: &[u8], at_end: bool) -> Option<usize> {
    match text.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
        Some(at) => line_end(&text[at..], at_end).map(|length| at + length),
        None if at_end => Some(text.len()),
        None => None,
    }
}

fn is_cell_end(byte: u8, delimiter: u8) -> bool {
    byte == delimiter || byte == b'\n' || byte == b'\r'
}

/// The place behind the closing quote of the cell that opens at `at`; none if the text ends before it.
fn quoted_cell(text: &[u8], at: usize, at_end: bool, unescaped: &mut Vec<u8>) -> Option<usize> {
    unescaped.clear();
    let mut at = at + 1;
    loop {
        let quote = at + text[at..].iter().position(|byte| *byte == b'"')?;
        unescaped.extend_from_slice(&text[at..quote]);
        match text.get(quote + 1) {
            Some(b'"') => {
                unescaped.push(b'"');
                at = quote + 2;
            }
            Some(_) => return Some(quote + 1),
            None if at_end => return Some(quote + 1),
            // Whether the quote closes the cell or is doubled is in the next byte.
            None => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> (Split, Vec<String>) {
        let mut cells = ByteRecord::new();
        let split = split_row(text.as_bytes(), b',', true, &mut cells);
        (split, cells.iter().map(|cell| String::from_utf8(cell.to_vec()).unwrap()).collect())
    }

    #[test]
    fn cells_are_unquoted_and_every_line_end_counts() {
        for line_end in ["\n", "\r\n", "\r"] {
            let text = format!("a,\"b\"\"\n,c\",,5\" nails{line_end}x");
            let (split, cells) = split(&text);
            assert_eq!(split, Split::Row { length: text.len() - 1 });
            assert_eq!(cells, ["a", "b\"\n,c", "", "5\" nails"]);
        }
        assert_eq!(split("a,"), (Split::Row { length: 2 }, vec!["a".into(), String::new()]));
        assert_eq!(split("\r\na").0, Split::Blank { length: 2 });
        assert_eq!(split("\"\"\n"), (Split::Row { length: 3 }, vec![String::new()]));
    }

    #[test]
    fn a_quote_that_nobody_closes_is_found_where_it_was_opened() {
        let open = OpenQuote { at: 2, column: 1 };
        assert_eq!(split("a,\"b\nc").0, Split::Unfinished { open_quote: Some(open) });
        assert_eq!(split("a,\"b\"c\n").0, Split::TextAfterQuote(open));
    }

    #[test]
    fn a_text_that_is_cut_anywhere_is_unfinished_and_never_wrong() {
        let text = b"a,\"b\"\"c\",d\r\n";
        for cut in 1..text.len() {
            let split = split_row(&text[..cut], b',', false, &mut ByteRecord::new());
            assert!(matches!(split, Split::Unfinished { .. }), "{cut}: {split:?}");
        }
    }
}
