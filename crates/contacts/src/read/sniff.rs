//! Guesses what a file is from its beginning.

use csv::ByteRecord;

use super::FileFormat;
use super::decode::Encoding;
use super::split::{Split, split_row};

/// How much of a file is looked at, in bytes.
pub const SNIFF_BYTES: usize = 64 * 1024;
/// How many rows are looked at.
const ROWS_MAX: usize = 100;
/// What may stand between two cells, the likeliest first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// What a file seems to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sniffed {
    /// What it is made of.
    pub format: FileFormat,
    /// How its characters are written.
    pub encoding: Encoding,
}

/// Guesses from the first bytes of a file, at best [`SNIFF_BYTES`] of them.
///
/// A byte order mark decides the encoding, else it is UTF-8 where that is possible and Windows-1252 where not. A file
/// that begins with `{` is NDJSON. The delimiter is the one that divides the rows most evenly.
pub fn sniff(head: &[u8]) -> Sniffed {
    let encoding = encoding(head);
    Sniffed { format: format(head, encoding), encoding }
}

/// Guesses the encoding alone.
pub(super) fn encoding(head: &[u8]) -> Encoding {
    match head {
        [0xff, 0xfe, ..] => Encoding::Utf16Le,
        [0xfe, 0xff, ..] => Encoding::Utf16Be,
        _ => match std::str::from_utf8(head) {
            Ok(_) => Encoding::Utf8,
            // No length: the last character was merely cut.
            Err(error) if error.error_len().is_none() => Encoding::Utf8,
            Err(_) => Encoding::Windows1252,
        },
    }
}

/// Guesses the format of a file in a known encoding.
pub(super) fn format(head: &[u8], encoding: Encoding) -> FileFormat {
    let decoded;
    let text = match encoding.decoder() {
        None => without_mark(head),
        Some(mut decoder) => {
            let mut text = String::with_capacity(3 * head.len() + 16);
            // What does not fit or is cut at the end does not matter for a guess.
            let _ = decoder.decode_to_string(head, &mut text, false);
            decoded = text;
            decoded.as_bytes()
        }
    };
    if text.trim_ascii_start().first() == Some(&b'{') {
        FileFormat::Ndjson
    } else {
        FileFormat::Csv { delimiter: delimiter(text, head.len() < SNIFF_BYTES).into() }
    }
}

/// The text without UTF-8's byte order mark.
pub(super) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

fn delimiter(text: &[u8], at_end: bool) -> u8 {
    let mut best = (b',', (0, 0));
    for delimiter in DELIMITERS {
        let score = score(text, delimiter, at_end);
        if score > best.1 {
            best = (delimiter, score);
        }
    }
    best.0
}

/// How evenly a delimiter divides the rows: per mille of rows that have as many cells as the first, then that
/// number of cells. Nothing if it does not divide the first row.
fn score(mut text: &[u8], delimiter: u8, at_end: bool) -> (usize, usize) {
    let mut cells = ByteRecord::new();
    let (mut columns, mut rows, mut even) = (0, 0, 0);
    while rows < ROWS_MAX && !text.is_empty() {
        let length = match split_row(text, delimiter, at_end, &mut cells) {
            Split::Blank { length } => {
                text = &text[length..];
                continue;
            }
            Split::Row { length } => length,
            Split::Unfinished { open_quote: None } if rows == 0 => text.len(),
            Split::Unfinished { .. } | Split::TextAfterQuote(_) => break,
        };
        if rows == 0 {
            columns = cells.len();
        }
        rows += 1;
        even += usize::from(cells.len() == columns);
        text = &text[length..];
    }
    if columns < 2 { (0, 0) } else { (1000 * even / rows, columns) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(delimiter: char) -> FileFormat {
        FileFormat::Csv { delimiter }
    }

    #[test]
    fn the_delimiter_is_the_one_that_divides_the_rows_evenly() {
        for (text, delimiter) in [
            ("id,name\n1,a;b\n2,c\n", ','),
            ("id;name;price\n1;a;1,5\n2;b;2,5\n", ';'),
            ("id\tname\n1\ta, b\n", '\t'),
            ("id|name|x\n1|a|2\n", '|'),
            ("\"id,x\";name\n\"1,2\";b\n", ';'),
            ("number\n+33123456789\n", ','),
            ("a;b", ';'),
            ("", ','),
        ] {
            assert_eq!(sniff(text.as_bytes()).format, csv(delimiter), "{text}");
        }
    }

    #[test]
    fn the_encoding_shows_in_the_mark_or_in_the_bytes() {
        assert_eq!(sniff("é;ü\n".as_bytes()).encoding, Encoding::Utf8);
        assert_eq!(sniff(&"é;ü\n".as_bytes()[..1]).encoding, Encoding::Utf8);
        assert_eq!(sniff(b"\xe9;\xfc\n"), Sniffed { format: csv(';'), encoding: Encoding::Windows1252 });
        assert_eq!(
            sniff(b"\xff\xfea\0;\0b\0\n\0"),
            Sniffed { format: csv(';'), encoding: Encoding::Utf16Le }
        );
        assert_eq!(
            sniff(b"\xfe\xff\0a\0;\0b\0\n"),
            Sniffed { format: csv(';'), encoding: Encoding::Utf16Be }
        );
    }

    #[test]
    fn a_file_that_begins_with_a_brace_is_ndjson() {
        assert_eq!(sniff(b"\xef\xbb\xbf\n {\"a\":1}").format, FileFormat::Ndjson);
    }
}
