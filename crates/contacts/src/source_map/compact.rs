//! The compact form of a source map, for command lines:
//! `external_id=CustomerNo,phone1:mobile=Mobile,field.first_name=Vorname,field.born|%d.%m.%Y=Geburtstag`.

use std::fmt::Write as _;

use engine::PhoneKind;

use super::{ColumnMapping, SourceMap, Target, kind_word};
use crate::read::Encoding;

/// Why a text is not a source map; the position is that of the entry, from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompactError {
    /// A quote that is not closed, or followed by something else.
    #[error("entry {0}: a quoted part must end with a quote; double the quotes inside it")]
    BadQuote(usize),
    /// An entry without an equals sign, or with two.
    #[error("entry {0}: write it as target=column, and quote a column that has '=' or ',' in it")]
    NotAnEntry(usize),
    /// A target that does not exist.
    #[error(
        "entry {0}: no such target; there are external_id, phone1 (also phone1:mobile), phone1.kind, \
         phone1.attempts_max, phone1.caller_id, phone1.window_from, phone1.window_until, zone, priority, not_before, \
         expires_at, preferred_agent, field.NAME and ignore"
    )]
    UnknownTarget(usize),
    /// An option with a value that it cannot have.
    #[error(
        "entry {0}: not an option; there are option.decimal_comma=true, option.date_format=%d/%m/%Y, \
         option.delimiter=; and option.encoding=utf-8, utf-16le, utf-16be or windows-1252"
    )]
    BadOption(usize),
}

/// What options begin with.
const OPTION: &str = "option.";

impl SourceMap {
    /// Reads the compact form: entries `target=column` with commas between. A part with `,`, `=` or quotes in it is
    /// quoted, its quotes doubled. A date format stands behind a bar after the target.
    ///
    /// # Errors
    /// The text is not of that form.
    pub fn parse_compact(text: &str) -> Result<Self, CompactError> {
        let mut map = Self::default();
        for (index, parts) in entries(text)?.into_iter().enumerate() {
            let position = index + 1;
            let (target, column) = parts;
            if let Some(option) = target.strip_prefix(OPTION) {
                map.set_option(option, &column).ok_or(CompactError::BadOption(position))?;
                continue;
            }
            let (target, date_format) = match target.split_once('|') {
                Some((target, format)) => (target, Some(format.to_owned())),
                None => (target.as_str(), None),
            };
            let target = read_target(target).ok_or(CompactError::UnknownTarget(position))?;
            map.columns.push(ColumnMapping { column, target, date_format });
        }
        Ok(map)
    }

    /// Writes the compact form, which reads back as the same map.
    pub fn to_compact(&self) -> String {
        let mut text = String::new();
        for mapping in &self.columns {
            let target = match &mapping.date_format {
                Some(format) => format!("{}|{format}", mapping.target),
                None => mapping.target.to_string(),
            };
            push_entry(&mut text, &target, &mapping.column);
        }
        if self.decimal_comma {
            push_entry(&mut text, "option.decimal_comma", "true");
        }
        if let Some(format) = &self.date_format {
            push_entry(&mut text, "option.date_format", format);
        }
        if let Some(delimiter) = self.delimiter {
            push_entry(&mut text, "option.delimiter", delimiter.encode_utf8(&mut [0; 4]));
        }
        if let Some(encoding) = self.encoding {
            push_entry(&mut text, "option.encoding", encoding.as_str());
        }
        text
    }

    fn set_option(&mut self, option: &str, value: &str) -> Option<()> {
        match option {
            "decimal_comma" => self.decimal_comma = value.parse().ok()?,
            "date_format" => self.date_format = Some(value.to_owned()),
            "delimiter" => {
                let mut characters = value.chars();
                self.delimiter = Some(characters.next().filter(|_| characters.next().is_none())?);
            }
            "encoding" => self.encoding = Some(Encoding::from_name(value)?),
            _ => return None,
        }
        Some(())
    }
}

/// The entries' two parts. White space around a part that is not quoted does not count.
fn entries(text: &str) -> Result<Vec<(String, String)>, CompactError> {
    let mut entries = Vec::new();
    let mut rest = text;
    while !rest.trim().is_empty() {
        let position = entries.len() + 1;
        let (target, after) = part(rest).ok_or(CompactError::BadQuote(position))?;
        let after = after.strip_prefix('=').ok_or(CompactError::NotAnEntry(position))?;
        let (column, after) = part(after).ok_or(CompactError::BadQuote(position))?;
        entries.push((target, column));
        rest = match after.strip_prefix(',') {
            Some(rest) => rest,
            None if after.is_empty() => "",
            None => return Err(CompactError::NotAnEntry(position)),
        };
    }
    Ok(entries)
}

/// The first part of a text and what follows it, which begins with `,` or `=` or is empty.
fn part(text: &str) -> Option<(String, &str)> {
    let Some(mut rest) = text.trim_start().strip_prefix('"') else {
        let end = text.find([',', '=']).unwrap_or(text.len());
        return Some((text[..end].trim().to_owned(), &text[end..]));
    };
    let mut part = String::new();
    loop {
        let quote = rest.find('"')?;
        part.push_str(&rest[..quote]);
        rest = &rest[quote + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                part.push('"');
                rest = after;
            }
            None => {
                let rest = rest.trim_start();
                return (rest.is_empty() || rest.starts_with([',', '='])).then_some((part, rest));
            }
        }
    }
}

fn push_entry(text: &mut String, target: &str, column: &str) {
    if !text.is_empty() {
        text.push(',');
    }
    push_part(text, target);
    text.push('=');
    push_part(text, column);
}

fn push_part(text: &mut String, part: &str) {
    if part.is_empty() || part.trim() != part || part.contains([',', '=', '"']) {
        // Writing into a String cannot fail.
        let _ = write!(text, "\"{}\"", part.replace('"', "\"\""));
    } else {
        text.push_str(part);
    }
}

fn read_target(text: &str) -> Option<Target> {
    Some(match text {
        "external_id" => Target::ExternalId,
        "zone" => Target::Zone,
        "priority" => Target::Priority,
        "not_before" => Target::NotBefore,
        "expires_at" => Target::ExpiresAt,
        "preferred_agent" => Target::PreferredAgent,
        "ignore" => Target::Ignore,
        _ => match (text.strip_prefix("field."), text.strip_prefix("phone")) {
            (Some(name), _) => Target::Field { name: name.parse().ok()? },
            (None, Some(phone)) => read_phone(phone)?,
            (None, None) => return None,
        },
    })
}

/// What follows `phone`: `1`, `1:mobile`, `1.caller_id`.
fn read_phone(text: &str) -> Option<Target> {
    let end = text.find([':', '.']).unwrap_or(text.len());
    let order: u8 = text[..end].parse().ok().filter(|order| *order > 0)?;
    Some(match &text[end..] {
        "" => Target::Phone { order, kind: None },
        ".kind" => Target::PhoneKind { order },
        ".attempts_max" => Target::PhoneAttemptsMax { order },
        ".caller_id" => Target::PhoneCallerId { order },
        ".window_from" => Target::PhoneWindowFrom { order },
        ".window_until" => Target::PhoneWindowUntil { order },
        rest => Target::Phone { order, kind: Some(read_kind(rest.strip_prefix(':')?)?) },
    })
}

fn read_kind(word: &str) -> Option<PhoneKind> {
    [PhoneKind::Unknown, PhoneKind::Home, PhoneKind::Work, PhoneKind::Mobile, PhoneKind::Other]
        .into_iter()
        .find(|kind| kind_word(*kind) == word)
}
