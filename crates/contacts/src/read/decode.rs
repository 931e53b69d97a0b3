//! Bytes of any supported encoding become UTF-8.

use std::io::{self, Read};

use encoding_rs::{CoderResult, Decoder, UTF_16BE, UTF_16LE, WINDOWS_1252};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the characters of a file are written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    #[serde(rename = "utf-8")]
    Utf8,
    /// UTF-16, low byte first (what Excel calls "Unicode text").
    #[serde(rename = "utf-16le")]
    Utf16Le,
    /// UTF-16, high byte first.
    #[serde(rename = "utf-16be")]
    Utf16Be,
    /// Windows-1252, which has ISO 8859-1 in it: Western Europe before UTF-8.
    #[serde(rename = "windows-1252")]
    Windows1252,
}

impl Encoding {
    /// Its name, as in the JSON form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16Le => "utf-16le",
            Self::Utf16Be => "utf-16be",
            Self::Windows1252 => "windows-1252",
        }
    }

    /// From its name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Utf8, Self::Utf16Le, Self::Utf16Be, Self::Windows1252]
            .into_iter()
            .find(|encoding| encoding.as_str().eq_ignore_ascii_case(name))
    }

    /// The decoder; none for UTF-8, whose faults are to be found row by row.
    pub(super) fn decoder(self) -> Option<Decoder> {
        match self {
            Self::Utf8 => None,
            Self::Utf16Le => Some(UTF_16LE.new_decoder_with_bom_removal()),
            Self::Utf16Be => Some(UTF_16BE.new_decoder_with_bom_removal()),
            Self::Windows1252 => Some(WINDOWS_1252.new_decoder_without_bom_handling()),
        }
    }
}

/// A source whose bytes come out as UTF-8; those of a UTF-8 source come out unchanged.
pub(super) struct DecodedSource {
    source: Box<dyn Read + Send>,
    decoder: Option<Decoder>,
    /// Bytes that were read to guess the format, still to be given out.
    head: Vec<u8>,
    ended: bool,
}

impl DecodedSource {
    pub(super) fn new(head: Vec<u8>, source: Box<dyn Read + Send>, encoding: Encoding) -> Self {
        Self { source, decoder: encoding.decoder(), head, ended: false }
    }

    /// Appends about `wanted` bytes to `buffer`; false when nothing is left.
    pub(super) fn read_into(&mut self, buffer: &mut Vec<u8>, wanted: usize) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        let mut bytes = std::mem::take(&mut self.head);
        if bytes.is_empty() {
            read_up_to(&mut self.source, &mut bytes, wanted)?;
            self.ended = bytes.is_empty();
        }
        match &mut self.decoder {
            None => buffer.extend_from_slice(&bytes),
            Some(decoder) => decode(decoder, &bytes, self.ended, buffer),
        }
        Ok(!self.ended)
    }
}

/// Reads `wanted` bytes, fewer only at the end of the source.
pub(super) fn read_up_to(source: &mut impl Read, bytes: &mut Vec<u8>, wanted: usize) -> io::Result<()> {
    source.take(wanted as u64).read_to_end(bytes)?;
    Ok(())
}

fn decode(decoder: &mut Decoder, mut bytes: &[u8], last: bool, buffer: &mut Vec<u8>) {
    loop {
        let start = buffer.len();
        // Room for the worst case of any supported encoding: three bytes of UTF-8 for each byte, and some for the end.
        buffer.resize(start + 3 * bytes.len() + 16, 0);
        let (result, read, written, _) = decoder.decode_to_utf8(bytes, &mut buffer[start..], last);
        buffer.truncate(start + written);
        bytes = &bytes[read..];
        if result == CoderResult::InputEmpty {
            return;
        }
    }
}
