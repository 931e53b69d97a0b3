//! The one door for contacts: whatever they come from, a raw record becomes a valid contact here or is refused.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use engine::contact::{PHONES_MAX, PRIORITY_DEFAULT, PRIORITY_MAX};
use engine::{DayWindow, PhoneKind, PhoneNumber, Time, Zone, ZoneSet};
use schemars::JsonSchema;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use crate::country::Country;
use crate::field::{FieldDefinition, FieldValue, Moment, read_moment};
use crate::number_zones::zones_of;
use crate::numbers::{NumberError, read_number};
use crate::raw::{RawContact, RawPhone, RawText, RawWindow};
use crate::record_error::{RecordError, RecordErrorCode};

/// Longest external id and longest agent name, in characters.
pub const EXTERNAL_ID_LENGTH_MAX: usize = 255;
/// Longest tag, in characters: what Nixxis' `ImportTag` holds.
pub const TAG_LENGTH_MAX: usize = 250;
/// Largest set of field values of one contact, as JSON, in bytes: a hundred thousand contacts in memory must fit.
pub const FIELDS_JSON_BYTES_MAX: usize = 64 * 1024;

/// What a source and its campaign demand of a contact.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The country in which national numbers are read.
    pub default_country: Option<Country>,
    /// The campaign's contact fields.
    pub fields: Vec<FieldDefinition>,
    /// What becomes of a phone whose zone nobody knows.
    pub zone_policy: ZonePolicy,
    /// How long after it was added a contact without an expiry may be called.
    pub default_expiry: Option<Duration>,
    /// From when on a contact without an expiry is not called; it comes before `default_expiry`.
    pub default_expires_at: Option<Time>,
}

/// What becomes of a phone for which neither the contact nor the number names a time zone.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ZonePolicy {
    /// It is refused: without a zone nobody knows whether calling is allowed.
    #[default]
    Reject,
    /// It is taken to be in this zone.
    Default(Zone),
}

/// A valid contact, ready to be stored.
#[derive(Clone, PartialEq)]
pub struct NewContact {
    /// What the source calls it, 1 to 255 characters.
    pub external_id: String,
    /// 1 to 10 different phones in the order in which they are tried.
    pub phones: Vec<NewPhone>,
    /// The field values as a JSON object in the order of the campaign's definitions; empty fields are left out.
    pub fields_json: String,
    /// 0 (called last) to 100 (called first).
    pub priority: u8,
    /// Not called before this instant.
    pub not_before: Option<Time>,
    /// Not called from this instant on.
    pub expires_at: Option<Time>,
    /// The agent who should get the call, as the source names them.
    pub preferred_agent: Option<String>,
    /// The batch that the source says it came with, 1 to 250 characters.
    pub tag: Option<String>,
    /// What was left out, though the contact as a whole is good.
    pub warnings: Vec<RecordError>,
}

/// A phone of a [`NewContact`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewPhone {
    /// The number.
    pub number: PhoneNumber,
    /// What kind of line it is.
    pub kind: PhoneKind,
    /// Its place among the contact's phones, from 0.
    pub position: u8,
    /// Attempts at most, if it has a cap of its own.
    pub attempts_max: Option<u8>,
    /// The number to show when it is called, if it has one of its own.
    pub caller_id: Option<PhoneNumber>,
    /// The only part of the day in which it may be called, if it has one.
    pub window: Option<DayWindow>,
    /// Every zone in which its owner may be.
    pub zones: Arc<ZoneSet>,
}

/// Shows no personal data.
impl fmt::Debug for NewContact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewContact")
            .field("phones", &self.phones)
            .field("priority", &self.priority)
            .field("not_before", &self.not_before)
            .field("expires_at", &self.expires_at)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

/// Makes a valid contact of a raw one.
///
/// A phone of which anything is wrong is left out with a warning as long as a good one remains; equal numbers become
/// one phone. The zone is the contact's own, else those that the number's prefix gives, else that of the policy.
///
/// # Errors
/// The first thing for which the contact as a whole cannot be used.
pub fn normalise(raw: RawContact<'_>, rules: &Rules, now: Time) -> Result<NewContact, RecordError> {
    let external_id = external_id(raw.external_id)?;
    let own_zone = raw.zone.as_ref().map(own_zone).transpose()?.flatten();
    let priority = priority(raw.priority.as_ref())?;
    let preferred_agent = preferred_agent(raw.preferred_agent)?;
    let tag = tag(raw.tag)?;
    let (phones, warnings) = phones(&raw.phones, own_zone.as_ref(), rules)?;
    let zones = own_zone.as_ref().unwrap_or(&phones[0].zones);
    let not_before = instant("not_before", raw.not_before.as_ref(), zones)?;
    let expires_at = instant("expires_at", raw.expires_at.as_ref(), zones)?;
    let expires_at = expires_at
        .or(rules.default_expires_at)
        .or_else(|| rules.default_expiry.map(|span| now.max(not_before.unwrap_or(now)) + span));
    check_span(not_before, expires_at, now)?;
    let fields_json = fields_json(raw.fields, &rules.fields)?;
    Ok(NewContact {
        external_id,
        phones,
        fields_json,
        priority,
        not_before,
        expires_at,
        preferred_agent,
        tag,
        warnings,
    })
}

fn external_id(raw: Option<RawText<'_>>) -> Result<String, RecordError> {
    let bad = |code, message| RecordError::in_field(code, "external_id", message);
    let text = raw.map(RawText::into_trimmed).unwrap_or_default();
    if text.is_empty() {
        return Err(bad(
            RecordErrorCode::MissingExternalId,
            "no external id: give what the source calls this contact, so that it is not added twice",
        ));
    }
    if is_too_long(&text) {
        return Err(bad(RecordErrorCode::ExternalIdTooLong, "the external id is longer than 255 characters"));
    }
    if text.chars().any(char::is_control) {
        return Err(bad(RecordErrorCode::BadExternalId, "the external id has control characters in it"));
    }
    Ok(text.into_owned())
}

fn preferred_agent(raw: Option<RawText<'_>>) -> Result<Option<String>, RecordError> {
    let Some(text) = raw.map(RawText::into_trimmed).filter(|text| !text.is_empty()) else { return Ok(None) };
    if is_too_long(&text) || text.chars().any(char::is_control) {
        let message = "the agent's name is longer than 255 characters or has control characters in it";
        return Err(RecordError::in_field(RecordErrorCode::BadFieldValue, "preferred_agent", message));
    }
    Ok(Some(text.into_owned()))
}

fn tag(raw: Option<RawText<'_>>) -> Result<Option<String>, RecordError> {
    let Some(text) = raw.map(RawText::into_trimmed).filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.chars().count() > TAG_LENGTH_MAX || text.chars().any(char::is_control) {
        let message = "the tag is longer than 250 characters or has control characters in it";
        return Err(RecordError::in_field(RecordErrorCode::BadFieldValue, "tag", message));
    }
    Ok(Some(text.into_owned()))
}

fn is_too_long(text: &str) -> bool {
    text.len() > EXTERNAL_ID_LENGTH_MAX && text.chars().count() > EXTERNAL_ID_LENGTH_MAX
}

fn own_zone(raw: &RawText<'_>) -> Result<Option<Arc<ZoneSet>>, RecordError> {
    let text = raw.trimmed();
    if text.is_empty() {
        return Ok(None);
    }
    match Zone::from_str(text) {
        // The time zone database's own word for "not known".
        Ok(zone) if zone.name() != "Etc/Unknown" => Ok(Some(Arc::new(ZoneSet::one(zone)))),
        _ => Err(RecordError::in_field(
            RecordErrorCode::UnknownZone,
            "zone",
            "not an IANA time zone: give one such as Europe/Paris, or leave it empty to go by the number",
        )),
    }
}

fn priority(raw: Option<&RawText<'_>>) -> Result<u8, RecordError> {
    match raw.map(RawText::trimmed) {
        None | Some("") => Ok(PRIORITY_DEFAULT),
        Some(text) => text.parse().ok().filter(|priority| *priority <= PRIORITY_MAX).ok_or_else(|| {
            let message = "not a priority: give a whole number from 0 (called last) to 100 (called first)";
            RecordError::in_field(RecordErrorCode::BadPriority, "priority", message)
        }),
    }
}

/// At least one phone, and what was wrong with those left out.
fn phones(
    raw: &[RawPhone<'_>],
    own_zone: Option<&Arc<ZoneSet>>,
    rules: &Rules,
) -> Result<(Vec<NewPhone>, Vec<RecordError>), RecordError> {
    let mut phones: Vec<NewPhone> = Vec::with_capacity(raw.len().min(PHONES_MAX));
    let mut warnings = Vec::new();
    for (index, raw) in raw.iter().enumerate().filter(|(_, raw)| !raw.number.trimmed().is_empty()) {
        let place = if raw.order == 0 { index + 1 } else { usize::from(raw.order) };
        match phone(raw, place, own_zone, rules) {
            Ok(phone) => {
                if let Some(known) = phones.iter_mut().find(|known| known.number == phone.number) {
                    merge(known, phone);
                } else if phones.len() == PHONES_MAX {
                    let message = "more than 10 different phones: leave some out";
                    return Err(RecordError::new(RecordErrorCode::TooManyPhones, message));
                } else {
                    phones.push(NewPhone { position: phones.len() as u8, ..phone });
                }
            }
            Err(error) => warnings.push(error),
        }
    }
    if phones.is_empty() {
        return Err(warnings.into_iter().next().unwrap_or_else(|| {
            RecordError::new(RecordErrorCode::NoPhone, "no phone: give at least one number")
        }));
    }
    Ok((phones, warnings))
}

/// The first one counts; what it does not say is taken from the later one.
fn merge(known: &mut NewPhone, later: NewPhone) {
    if known.kind == PhoneKind::Unknown {
        known.kind = later.kind;
    }
    known.attempts_max = known.attempts_max.or(later.attempts_max);
    known.caller_id = known.caller_id.or(later.caller_id);
    known.window = known.window.or(later.window);
}

fn phone(
    raw: &RawPhone<'_>,
    place: usize,
    own_zone: Option<&Arc<ZoneSet>>,
    rules: &Rules,
) -> Result<NewPhone, RecordError> {
    let number =
        number(&raw.number, rules).map_err(|(code, error)| bad_phone(code, place, "", error.to_string()))?;
    let attempts_max = match raw.attempts_max.as_ref().map(RawText::trimmed) {
        None | Some("") => None,
        Some(text) => Some(text.parse().ok().filter(|count| *count > 0).ok_or_else(|| {
            let message = "not a cap on attempts: give a whole number from 1 to 255";
            bad_phone(RecordErrorCode::BadFieldValue, place, ".attempts_max", message)
        })?),
    };
    let caller_id = raw
        .caller_id
        .as_ref()
        .filter(|text| !text.trimmed().is_empty())
        .map(|text| self::number(text, rules))
        .transpose()
        .map_err(|(code, error)| bad_phone(code, place, ".caller_id", error.to_string()))?;
    let window = raw.window.as_ref().map_or(Ok(None), |raw| window(raw, place))?;
    let zones = match (own_zone, zones_of(number), &rules.zone_policy) {
        (Some(zones), ..) | (None, Some(zones), _) => Arc::clone(zones),
        (None, None, ZonePolicy::Default(zone)) => Arc::new(ZoneSet::one(zone.clone())),
        (None, None, ZonePolicy::Reject) => {
            let message =
                "no time zone is known for this number: give the contact a zone, or the campaign a default";
            return Err(bad_phone(RecordErrorCode::NoZone, place, "", message));
        }
    };
    Ok(NewPhone {
        number,
        kind: phone_kind(raw.kind.as_ref()),
        position: 0,
        attempts_max,
        caller_id,
        window,
        zones,
    })
}

fn number(raw: &RawText<'_>, rules: &Rules) -> Result<PhoneNumber, (RecordErrorCode, NumberError)> {
    read_number(&raw.text, rules.default_country).map_err(|error| match error {
        NumberError::NoCountry => (RecordErrorCode::NoCountry, error),
        _ => (RecordErrorCode::BadPhone, error),
    })
}

fn bad_phone(
    code: RecordErrorCode,
    place: usize,
    part: &str,
    message: impl Into<Cow<'static, str>>,
) -> RecordError {
    RecordError::in_field(code, format!("phone{place}{part}"), message)
}

fn window(raw: &RawWindow<'_>, place: usize) -> Result<Option<DayWindow>, RecordError> {
    let side = |text: &Option<RawText<'_>>| {
        text.as_ref().map(|text| text.trimmed().to_owned()).filter(|text| !text.is_empty())
    };
    match (side(&raw.from), side(&raw.until)) {
        (None, None) => Ok(None),
        (from, until) => {
            DayWindow::parse(from.as_deref().unwrap_or("00:00"), until.as_deref().unwrap_or("24:00"))
                .map(Some)
                .map_err(|_| {
                    let message = "not a calling window: give from and until as HH:MM, from before until";
                    bad_phone(RecordErrorCode::BadWindow, place, ".window", message)
                })
        }
    }
}

/// What the source's word for a line means, in the languages of the source maps; an unknown word is "other".
fn phone_kind(raw: Option<&RawText<'_>>) -> PhoneKind {
    const WORDS: [(PhoneKind, &[&str]); 4] = [
        (
            PhoneKind::Mobile,
            &["mobile", "mobil", "cell", "cellular", "gsm", "handy", "portable", "móvil", "movil"],
        ),
        (PhoneKind::Home, &["home", "private", "privat", "privé", "prive", "domicile", "casa", "particular"]),
        (
            PhoneKind::Work,
            &["work", "business", "office", "bureau", "geschäft", "büro", "trabajo", "oficina"],
        ),
        (PhoneKind::Unknown, &["", "unknown"]),
    ];
    let Some(text) = raw.map(RawText::trimmed) else { return PhoneKind::Unknown };
    let text = text.to_lowercase();
    WORDS.iter().find(|(_, words)| words.contains(&text.as_str())).map_or(PhoneKind::Other, |(kind, _)| *kind)
}

/// An instant with an offset from UTC stands for itself. A local one is read in every zone in which the contact may
/// be, and that which gives the shorter time for calling counts.
fn instant(name: &str, raw: Option<&RawText<'_>>, zones: &ZoneSet) -> Result<Option<Time>, RecordError> {
    let Some(raw) = raw.filter(|raw| !raw.trimmed().is_empty()) else { return Ok(None) };
    let bad = || {
        let message = "not a date: write it as 2026-01-31T09:30:00Z, 2026-01-31T09:30 or 2026-01-31";
        RecordError::in_field(RecordErrorCode::BadDate, name, message)
    };
    let is_start = name == "not_before";
    let local = match read_moment(raw.trimmed(), raw.format).map_err(|_| bad())? {
        Moment::Instant(instant) => return Ok(Some(Time::from_micros(instant.as_microsecond()))),
        Moment::Local(local) => local,
        Moment::Day(day) if is_start => day.to_datetime(jiff::civil::Time::midnight()),
        Moment::Day(day) => day.tomorrow().map_err(|_| bad())?.to_datetime(jiff::civil::Time::midnight()),
    };
    let instants = zones.zones().iter().map(|zone| zone.instant(local));
    Ok(if is_start { instants.max() } else { instants.min() })
}

fn check_span(not_before: Option<Time>, expires_at: Option<Time>, now: Time) -> Result<(), RecordError> {
    let Some(expires_at) = expires_at else { return Ok(()) };
    if expires_at <= now {
        let message = "it has expired already: give a later expires_at, or leave it out";
        return Err(RecordError::in_field(RecordErrorCode::AlreadyExpired, "expires_at", message));
    }
    if not_before.is_some_and(|not_before| expires_at <= not_before) {
        let message = "it expires before it may be called: expires_at must be later than not_before";
        return Err(RecordError::in_field(RecordErrorCode::BadDate, "expires_at", message));
    }
    Ok(())
}

/// Serialises as an object in the order of the definitions.
struct Fields<'a>(Vec<(&'a str, FieldValue<'a>)>);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

fn fields_json(
    mut raw: Vec<(Cow<'_, str>, RawText<'_>)>,
    definitions: &[FieldDefinition],
) -> Result<String, RecordError> {
    let mut values = Vec::with_capacity(raw.len());
    for definition in definitions {
        let name = definition.name.as_str();
        let value = match raw.iter().position(|(given, _)| given == name) {
            Some(index) => definition.read(raw.swap_remove(index).1).map_err(|error| {
                RecordError::in_field(RecordErrorCode::BadFieldValue, name, error.to_string())
            })?,
            None => None,
        };
        match value {
            Some(value) => values.push((name, value)),
            None if definition.required => {
                let message = "a value is required";
                return Err(RecordError::in_field(RecordErrorCode::MissingField, name, message));
            }
            None => {}
        }
    }
    if let Some((name, _)) = raw.first() {
        let known = definitions.iter().any(|definition| definition.name.as_str() == name);
        let message = if known {
            "the field is given twice"
        } else {
            "the campaign has no such field: define it first"
        };
        let name: String = name.chars().take(crate::field::NAME_MAX).collect();
        return Err(RecordError::in_field(RecordErrorCode::UnknownField, name, message));
    }
    let too_large = || {
        RecordError::new(
            RecordErrorCode::TooLarge,
            "the field values together are larger than 64 KiB of JSON",
        )
    };
    // Writing strings, integers and finite floats into memory cannot fail.
    let json = serde_json::to_string(&Fields(values)).map_err(|_| too_large())?;
    if json.len() > FIELDS_JSON_BYTES_MAX { Err(too_large()) } else { Ok(json) }
}

#[cfg(test)]
#[path = "normalise_tests.rs"]
mod tests;
