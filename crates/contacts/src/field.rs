//! The typed fields of a campaign's contacts.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, Time as CivilTime};
use jiff::fmt::strtime::{self, BrokenDownTime};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::raw::{RawText, TextFormat};

/// Longest name of a field.
pub(crate) const NAME_MAX: usize = 64;
/// Longest value of a text field that sets no length of its own, in characters.
pub const TEXT_LENGTH_MAX: u32 = 16_384;
/// Digits that a 64-bit float gives back unchanged (`f64::DIGITS`).
const DECIMAL_DIGITS_MAX: usize = f64::DIGITS as usize;

/// Name of a contact field: ASCII letters, digits and underscores, not beginning with a digit, at most 64 characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(transparent)]
pub struct FieldName(Box<str>);

/// The text cannot be a field's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a field name: use 1 to 64 ASCII letters, digits and underscores, and no digit at the beginning")]
pub struct BadFieldName;

/// One field that every contact of a campaign may have.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldDefinition {
    /// Its name, unique within the campaign.
    pub name: FieldName,
    /// What its values are.
    pub kind: FieldKind,
    /// What it stands for, so that scripts, screens and foreign interfaces find it whatever its name.
    #[serde(default)]
    pub meaning: FieldMeaning,
    /// Whether a contact without it is refused.
    #[serde(default)]
    pub required: bool,
    /// Longest text in characters; 16,384 without it. For kind `text` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
}

/// What the values of a field are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// Any text.
    Text,
    /// A whole number of 64 bits.
    Integer,
    /// A decimal number of at most 15 significant digits.
    Decimal,
    /// True or false; also written yes/no, y/n, 1/0.
    Boolean,
    /// A calendar date.
    Date,
    /// A calendar date with the time of day; with an offset from UTC it is an instant.
    DateTime,
    /// A time of day.
    Time,
}

/// What a field stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldMeaning {
    /// Nothing that Outdial knows.
    #[default]
    None,
    /// Given name.
    FirstName,
    /// Family name.
    LastName,
    /// Whole name in one field.
    FullName,
    /// What the customer is called in the owner's systems.
    CustomerId,
    /// Short description of the contact.
    Description,
    /// Company.
    Company,
    /// Private e-mail address.
    EmailPrivate,
    /// E-mail address at work.
    EmailBusiness,
    /// First line of the address.
    #[serde(rename = "address_1")]
    Address1,
    /// Second line of the address.
    #[serde(rename = "address_2")]
    Address2,
    /// Postal code.
    PostalCode,
    /// City.
    City,
    /// State, province or region.
    Region,
    /// Country.
    Country,
    /// Language to speak.
    Language,
    /// Free notes.
    Notes,
    /// Telephone at home.
    HomePhone,
    /// Telephone at work.
    BusinessPhone,
    /// Private mobile.
    PrivateMobile,
    /// Mobile for work.
    BusinessMobile,
    /// Profit that the contact may bring.
    PotentialProfit,
    /// Counts towards a quota.
    Quota,
    /// When consent was given.
    OptInDate,
    /// State of consent.
    OptInStatus,
    /// Degrees north.
    Latitude,
    /// Degrees east.
    Longitude,
}

impl FieldMeaning {
    /// The kind of line whose number a field of this meaning holds, as contacts are written; none if it holds no number.
    pub fn phone_kind(self) -> Option<&'static str> {
        match self {
            Self::HomePhone => Some("home"),
            Self::BusinessPhone => Some("work"),
            Self::PrivateMobile | Self::BusinessMobile => Some("mobile"),
            _ => None,
        }
    }

    /// Whether a field of this meaning holds a number that can be called.
    pub fn is_phone(self) -> bool {
        self.phone_kind().is_some()
    }
}

/// A value that fits its field.
#[derive(Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum FieldValue<'a> {
    /// A text, and also dates and times in ISO 8601.
    Text(Cow<'a, str>),
    /// A whole number.
    Integer(i64),
    /// A decimal number, finite.
    Decimal(f64),
    /// A truth value.
    Boolean(bool),
}

/// Shows the kind of value only.
impl fmt::Debug for FieldValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text",
            Self::Integer(_) => "Integer",
            Self::Decimal(_) => "Decimal",
            Self::Boolean(_) => "Boolean",
        })
    }
}

/// Why a value does not fit its field; it does not repeat the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// A text with a NUL character, which databases cannot hold.
    #[error("the text has a NUL character in it")]
    NulCharacter,
    /// A text beyond the field's length.
    #[error("longer than the {0} characters that the field allows")]
    TooLong(u32),
    /// Not a whole number.
    #[error("not a whole number: write digits only, such as 1500")]
    NotAnInteger,
    /// Not a decimal number.
    #[error("not a decimal number: write it such as 1500.25, without a thousands separator")]
    NotADecimal,
    /// A decimal number with more digits than can be kept.
    #[error("more than 15 significant digits: use a text field to keep all of them")]
    TooManyDigits,
    /// Not a truth value.
    #[error("neither yes nor no: write true, false, yes, no, y, n, 1 or 0")]
    NotABoolean,
    /// Not a date in the expected format.
    #[error("not a date: write it as 2026-01-31, or set the date format in the source map")]
    NotADate,
    /// Not a date with a time in the expected format.
    #[error("not a date and time: write it as 2026-01-31T09:30, or set the date format in the source map")]
    NotADateTime,
    /// Not a time of day.
    #[error("not a time of day: write it as 09:30 or 09:30:15")]
    NotATime,
}

impl FieldName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FieldName {
    type Err = BadFieldName;
    fn from_str(text: &str) -> Result<Self, BadFieldName> {
        let fits = (1..=NAME_MAX).contains(&text.len())
            && !text.starts_with(|first: char| first.is_ascii_digit())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if fits { Ok(Self(text.into())) } else { Err(BadFieldName) }
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for FieldName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for FieldName {
    fn schema_name() -> Cow<'static, str> {
        "FieldName".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]{0,63}$" })
    }
}

impl FieldDefinition {
    /// A field of this kind, not required and without a meaning.
    pub fn new(name: FieldName, kind: FieldKind) -> Self {
        Self { name, kind, meaning: FieldMeaning::None, required: false, max_length: None }
    }

    /// Reads a value; an empty one is `None`.
    ///
    /// # Errors
    /// The value does not fit the kind, or is too long.
    pub fn read<'a>(&self, raw: RawText<'a>) -> Result<Option<FieldValue<'a>>, FieldError> {
        if raw.trimmed().is_empty() {
            return Ok(None);
        }
        let value = self.kind.read(raw)?;
        if let (FieldKind::Text, FieldValue::Text(text)) = (self.kind, &value) {
            let length_max = self.max_length.unwrap_or(TEXT_LENGTH_MAX);
            // A character has at least one byte, so most texts need not be counted.
            if text.len() > length_max as usize && text.chars().count() > length_max as usize {
                return Err(FieldError::TooLong(length_max));
            }
        }
        Ok(Some(value))
    }
}

impl FieldKind {
    /// Reads a value that is not empty; white space around it does not count.
    ///
    /// # Errors
    /// The value is not of this kind.
    pub fn read(self, raw: RawText<'_>) -> Result<FieldValue<'_>, FieldError> {
        let format = raw.format;
        let text = raw.into_trimmed();
        match self {
            Self::Text if text.contains('\0') => Err(FieldError::NulCharacter),
            Self::Text => Ok(FieldValue::Text(text)),
            Self::Integer => text.parse().map(FieldValue::Integer).map_err(|_| FieldError::NotAnInteger),
            Self::Decimal => read_decimal(&text, format.decimal_comma).map(FieldValue::Decimal),
            Self::Boolean => read_boolean(&text).map(FieldValue::Boolean),
            Self::Date => read_date(&text, format).map(|date| FieldValue::Text(date.to_string().into())),
            Self::DateTime => {
                read_moment(&text, format).map(|moment| FieldValue::Text(moment.to_string().into()))
            }
            Self::Time => read_time(&text, format).map(|time| FieldValue::Text(time.to_string().into())),
        }
    }
}

/// A date, perhaps with a time, perhaps with an offset from UTC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Moment {
    Instant(jiff::Timestamp),
    Local(DateTime),
    Day(Date),
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instant(instant) => instant.fmt(f),
            Self::Local(local) => local.fmt(f),
            Self::Day(day) => day.to_datetime(CivilTime::midnight()).fmt(f),
        }
    }
}

/// A date with or without a time, in the given format or in ISO 8601. An instant is always read in RFC 3339 too.
pub(crate) fn read_moment(text: &str, format: TextFormat<'_>) -> Result<Moment, FieldError> {
    if let Some(pattern) = format.date_format
        && let Ok(broken) = strtime::parse(pattern, text)
    {
        let moment = match (broken.offset(), broken.hour()) {
            (Some(_), _) => broken.to_timestamp().map(Moment::Instant),
            (None, Some(_)) => broken.to_datetime().map(Moment::Local),
            (None, None) => broken.to_date().map(Moment::Day),
        };
        return moment.map_err(|_| FieldError::NotADateTime);
    }
    if let Ok(instant) = text.parse() {
        return Ok(Moment::Instant(instant));
    }
    if format.date_format.is_some() {
        return Err(FieldError::NotADateTime);
    }
    if let Some(day) = iso_date(text) {
        return Ok(Moment::Day(day));
    }
    text.parse().map(Moment::Local).map_err(|_| FieldError::NotADateTime)
}

/// Whether dates can be written and read in this pattern.
pub(crate) fn is_date_format(pattern: &str) -> bool {
    let sample = jiff::civil::datetime(2026, 10, 27, 15, 48, 0, 0).to_zoned(jiff::tz::TimeZone::UTC);
    sample
        .and_then(|sample| BrokenDownTime::from(&sample).to_string(pattern))
        .and_then(|written| strtime::parse(pattern, written))
        .and_then(|read| read.to_date())
        .is_ok_and(|date| date == jiff::civil::date(2026, 10, 27))
}

fn read_date(text: &str, format: TextFormat<'_>) -> Result<Date, FieldError> {
    match format.date_format {
        Some(pattern) => strtime::parse(pattern, text).and_then(|read| read.to_date()).ok(),
        None => iso_date(text),
    }
    .ok_or(FieldError::NotADate)
}

/// `yyyy-MM-dd` and nothing else: the library alone would take a whole date and time for a date.
fn iso_date(text: &str) -> Option<Date> {
    let shape = text.len() == 10 && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-';
    if shape { text.parse().ok() } else { None }
}

fn read_time(text: &str, format: TextFormat<'_>) -> Result<CivilTime, FieldError> {
    let by_pattern = format
        .date_format
        .and_then(|pattern| strtime::parse(pattern, text).ok())
        .filter(|read| read.hour().is_some())
        .and_then(|read| read.to_time().ok());
    let is_clock =
        text.len() >= 5 && text.as_bytes()[2] == b':' && text.bytes().all(|byte| !byte.is_ascii_alphabetic());
    by_pattern.or_else(|| if is_clock { text.parse().ok() } else { None }).ok_or(FieldError::NotATime)
}

fn read_decimal(text: &str, decimal_comma: bool) -> Result<f64, FieldError> {
    let (sign, comma) = (['+', '-'], if decimal_comma { ',' } else { '.' });
    let unsigned = text.strip_prefix(sign).unwrap_or(text);
    let plain = unsigned.chars().all(|character| character.is_ascii_digit() || character == comma);
    if !plain {
        return Err(FieldError::NotADecimal);
    }
    let significant = unsigned.trim_start_matches(['0', comma]).chars().filter(char::is_ascii_digit).count();
    if significant > DECIMAL_DIGITS_MAX {
        return Err(FieldError::TooManyDigits);
    }
    let read = if decimal_comma { text.replace(',', ".").parse() } else { text.parse::<f64>() };
    read.map_err(|_| FieldError::NotADecimal)
}

fn read_boolean(text: &str) -> Result<bool, FieldError> {
    let is_one_of = |words: [&str; 4]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_one_of(["true", "yes", "y", "1"]) {
        Ok(true)
    } else if is_one_of(["false", "no", "n", "0"]) {
        Ok(false)
    } else {
        Err(FieldError::NotABoolean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: FieldKind, text: &str) -> Result<String, FieldError> {
        read_as(kind, text, TextFormat::default())
    }

    fn read_as(kind: FieldKind, text: &str, format: TextFormat<'_>) -> Result<String, FieldError> {
        let raw = RawText { text: text.into(), format };
        kind.read(raw).map(|value| serde_json::to_string(&value).unwrap())
    }

    #[test]
    fn every_kind_reads_its_usual_form() {
        use FieldKind::*;
        for (kind, text, json) in [
            (Text, " a \"b\" ", r#""a \"b\"""#),
            (Integer, "-12", "-12"),
            (Decimal, "0.1", "0.1"),
            (Boolean, "Yes", "true"),
            (Boolean, "0", "false"),
            (Date, "2026-01-31", r#""2026-01-31""#),
            (DateTime, "2026-01-31 09:30", r#""2026-01-31T09:30:00""#),
            (DateTime, "2026-01-31T09:30:00+02:00", r#""2026-01-31T07:30:00Z""#),
            (Time, "09:30", r#""09:30:00""#),
        ] {
            assert_eq!(read(kind, text), Ok(json.into()), "{kind:?} {text}");
        }
    }

    #[test]
    fn what_is_of_another_kind_is_refused() {
        use FieldKind::*;
        for (kind, text, error) in [
            (Text, "a\0b", FieldError::NulCharacter),
            (Integer, "1.5", FieldError::NotAnInteger),
            (Integer, "99999999999999999999", FieldError::NotAnInteger),
            (Decimal, "1,5", FieldError::NotADecimal),
            (Decimal, "NaN", FieldError::NotADecimal),
            (Decimal, "1e3", FieldError::NotADecimal),
            (Decimal, ".", FieldError::NotADecimal),
            (Decimal, "1234567890.1234567", FieldError::TooManyDigits),
            (Boolean, "maybe", FieldError::NotABoolean),
            (Date, "31/01/2026", FieldError::NotADate),
            (Date, "2026-02-30", FieldError::NotADate),
            (Date, "2026-01-31T09:30", FieldError::NotADate),
            (DateTime, "soon", FieldError::NotADateTime),
            (Time, "25:00", FieldError::NotATime),
            (Time, "é9:00", FieldError::NotATime),
        ] {
            assert_eq!(read(kind, text), Err(error), "{kind:?} {text}");
        }
    }

    #[test]
    fn a_source_may_write_dates_and_decimals_its_own_way() {
        let format = TextFormat { date_format: Some("%d/%m/%Y"), decimal_comma: true };
        assert_eq!(read_as(FieldKind::Date, "31/01/2026", format), Ok(r#""2026-01-31""#.into()));
        assert_eq!(read_as(FieldKind::Date, "2026-01-31", format), Err(FieldError::NotADate));
        assert_eq!(read_as(FieldKind::Decimal, "-1500,25", format), Ok("-1500.25".into()));
        assert_eq!(read_as(FieldKind::Decimal, "1.500", format), Err(FieldError::NotADecimal));
        let format = TextFormat { date_format: Some("%d.%m.%Y %H:%M"), decimal_comma: false };
        assert_eq!(
            read_as(FieldKind::DateTime, "31.01.2026 09:30", format),
            Ok(r#""2026-01-31T09:30:00""#.into())
        );
    }

    #[test]
    fn a_date_format_must_hold_a_whole_date() {
        assert!(
            is_date_format("%d/%m/%Y") && is_date_format("%Y-%m-%dT%H:%M:%S%z") && is_date_format("%d.%m.%y")
        );
        assert!(!is_date_format("%d/%m") && !is_date_format("%Q") && !is_date_format(""));
    }

    #[test]
    fn a_text_beyond_its_length_is_refused_and_counted_in_characters() {
        let mut field = FieldDefinition::new("city".parse().unwrap(), FieldKind::Text);
        field.max_length = Some(3);
        assert!(matches!(field.read(RawText::new("éèê")), Ok(Some(_))));
        assert_eq!(field.read(RawText::new("éèêë")), Err(FieldError::TooLong(3)));
        assert_eq!(field.read(RawText::new("  ")), Ok(None));
    }

    #[test]
    fn a_name_is_a_plain_word() {
        for name in ["a", "_x1", "first_name"] {
            assert!(name.parse::<FieldName>().is_ok(), "{name}");
        }
        for name in ["", "1a", "prénom", "first name", "a-b", &"x".repeat(65)] {
            assert_eq!(name.parse::<FieldName>(), Err(BadFieldName), "{name}");
        }
    }

    #[test]
    fn a_definition_is_read_from_json_and_misspelt_keys_are_refused() {
        let json = r#"{"name":"street","kind":"text","meaning":"address_1","required":true}"#;
        let field: FieldDefinition = serde_json::from_str(json).unwrap();
        assert_eq!((field.meaning, field.required), (FieldMeaning::Address1, true));
        assert!(
            serde_json::from_str::<FieldDefinition>(r#"{"name":"a","kind":"text","maxlength":3}"#).is_err()
        );
    }
}
