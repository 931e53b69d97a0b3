//! A contact as a file or an API caller gives it: nothing is checked yet.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::field::FieldName;
use crate::record_error::{RecordError, RecordErrorCode};

/// How the texts of a source are to be read where people write them differently.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TextFormat<'a> {
    /// Pattern of dates and times (`strftime`, such as `%d/%m/%Y`); ISO 8601 without it.
    pub date_format: Option<&'a str>,
    /// Whether decimal numbers are written with a comma.
    pub decimal_comma: bool,
}

/// A single value given as text; in JSON a number or truth value does as well.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct RawText<'a> {
    /// The text as it was given.
    pub text: Cow<'a, str>,
    /// How to read it.
    pub format: TextFormat<'a>,
}

impl<'a> RawText<'a> {
    /// A text in the default format.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Self {
        Self { text: text.into(), format: TextFormat::default() }
    }

    pub(crate) fn trimmed(&self) -> &str {
        self.text.trim()
    }

    /// The text without white space around it.
    pub(crate) fn into_trimmed(self) -> Cow<'a, str> {
        match self.text {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) if text.trim().len() == text.len() => Cow::Owned(text),
            Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
        }
    }
}

impl fmt::Debug for RawText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.text.len())
    }
}

impl<'de> Deserialize<'de> for RawText<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalar;
        impl Visitor<'_> for Scalar {
            type Value = String;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number or a truth value")
            }
            fn visit_bool<E>(self, value: bool) -> Result<String, E> {
                Ok(value.to_string())
            }
            fn visit_i64<E>(self, value: i64) -> Result<String, E> {
                Ok(value.to_string())
            }
            fn visit_u64<E>(self, value: u64) -> Result<String, E> {
                Ok(value.to_string())
            }
            fn visit_f64<E>(self, value: f64) -> Result<String, E> {
                Ok(value.to_string())
            }
            fn visit_str<E>(self, value: &str) -> Result<String, E> {
                Ok(value.to_owned())
            }
            fn visit_string<E>(self, value: String) -> Result<String, E> {
                Ok(value)
            }
        }
        deserializer.deserialize_any(Scalar).map(RawText::new)
    }
}

impl JsonSchema for RawText<'_> {
    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

/// A contact that is to be added: the body of the API, a line of an NDJSON file, a row of a CSV file under a source
/// map.
#[derive(Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawContact<'a> {
    /// What the source calls this contact; at most 255 characters, unique within the source.
    pub external_id: Option<RawText<'a>>,
    /// Its phones in the order in which they are to be tried, at most ten.
    pub phones: Vec<RawPhone<'a>>,
    /// Its time zone (IANA name), if known; it ranks above what the numbers say.
    pub zone: Option<RawText<'a>>,
    /// 0 (called last) to 100 (called first); 50 without it.
    pub priority: Option<RawText<'a>>,
    /// Not called before this instant: RFC 3339, or a local date and time in the contact's own zone.
    pub not_before: Option<RawText<'a>>,
    /// Not called from this instant on: as `not_before`; a date alone counts to its end.
    pub expires_at: Option<RawText<'a>>,
    /// The agent who should get the call.
    pub preferred_agent: Option<RawText<'a>>,
    /// The batch that the source says it came with, at most 250 characters.
    pub tag: Option<RawText<'a>>,
    /// The campaign's contact fields.
    #[serde(deserialize_with = "fields")]
    #[schemars(with = "std::collections::BTreeMap<FieldName, Option<RawText<'static>>>")]
    pub fields: Vec<(Cow<'a, str>, RawText<'a>)>,
}

/// Shows how much there is and nothing of what it is.
impl fmt::Debug for RawContact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawContact")
            .field("phones", &self.phones.len())
            .field("fields", &self.fields.len())
            .finish_non_exhaustive()
    }
}

/// A phone of a [`RawContact`].
#[derive(Clone, PartialEq, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawPhone<'a> {
    /// The number, international or in the national form of the source's default country.
    pub number: RawText<'a>,
    /// `home`, `work`, `mobile` or another word.
    #[serde(default)]
    pub kind: Option<RawText<'a>>,
    /// Attempts at most, 1 to 255.
    #[serde(default)]
    pub attempts_max: Option<RawText<'a>>,
    /// The number to show when this phone is called.
    #[serde(default)]
    pub caller_id: Option<RawText<'a>>,
    /// The only part of the day in which this phone may be called.
    #[serde(default)]
    pub window: Option<RawWindow<'a>>,
    /// Which phone of the source this is, from 1; 0 stands for its place in the list. For messages only.
    #[serde(skip)]
    pub order: u8,
}

/// A part of the local day; a side that is left out is open until midnight.
#[derive(Clone, PartialEq, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawWindow<'a> {
    /// First open minute, `HH:MM`.
    #[serde(default)]
    pub from: Option<RawText<'a>>,
    /// First closed minute, `HH:MM`; `24:00` is midnight at the end of the day.
    #[serde(default)]
    pub until: Option<RawText<'a>>,
}

impl RawContact<'static> {
    /// Reads one contact from JSON. The four keys that a rejects file adds are skipped, so that it can be imported
    /// again.
    ///
    /// # Errors
    /// The text is not JSON, or not of the form of a contact; the error does not repeat what it says.
    pub fn from_json(text: &str) -> Result<Self, RecordError> {
        if !text.contains(crate::rejects::COLUMN_PREFIX) {
            return serde_json::from_str(text).map_err(|error| form_error(&error));
        }
        serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text)
            .and_then(|mut object| {
                object.retain(|key, _| !crate::rejects::COLUMNS.contains(&key.as_str()));
                serde_json::from_value(object.into())
            })
            .map_err(|error| form_error(&error))
    }
}

/// What is wrong with a text that is no contact. The library's own words are used where they name a key only: its other
/// messages quote the value.
fn form_error(error: &serde_json::Error) -> RecordError {
    let detail = error.to_string();
    let names_a_key =
        ["unknown field", "missing field", "duplicate field"].iter().any(|start| detail.starts_with(start));
    let message = match error.classify() {
        _ if names_a_key => format!("not a contact: {detail}"),
        serde_json::error::Category::Data => {
            format!(
                "not a contact: a value of the wrong type at line {} column {}",
                error.line(),
                error.column()
            )
        }
        _ => format!("not JSON at line {} column {}", error.line(), error.column()),
    };
    RecordError::new(RecordErrorCode::BrokenRow, message)
}

/// A map in the order of the text; null is the same as absent.
fn fields<'a, 'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<(Cow<'a, str>, RawText<'a>)>, D::Error> {
    struct Fields<'a>(std::marker::PhantomData<&'a ()>);
    impl<'a, 'de> Visitor<'de> for Fields<'a> {
        type Value = Vec<(Cow<'a, str>, RawText<'a>)>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of contact fields")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut fields = Vec::new();
            while let Some((name, value)) = map.next_entry::<String, Option<RawText<'a>>>()? {
                if let Some(value) = value {
                    fields.push((Cow::Owned(name), value));
                }
            }
            Ok(fields)
        }
    }
    deserializer.deserialize_map(Fields(std::marker::PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_of_the_api_is_read_with_numbers_or_texts() {
        let contact = RawContact::from_json(
            r#"{ "external_id": 4711, "zone": "Europe/Paris", "priority": 5,
                 "phones": [{"number": "+33123456789", "kind": "mobile", "attempts_max": 3,
                             "window": {"from": "09:00", "until": "12:00"}}],
                 "fields": {"first_name": "Zoé", "age": 41, "vip": true, "notes": null} }"#,
        )
        .unwrap();
        assert_eq!(contact.external_id, Some(RawText::new("4711")));
        assert_eq!(contact.phones[0].attempts_max, Some(RawText::new("3")));
        let fields: Vec<_> = contact.fields.iter().map(|(name, value)| (&**name, value.trimmed())).collect();
        assert_eq!(fields, [("first_name", "Zoé"), ("age", "41"), ("vip", "true")]);
    }

    #[test]
    fn a_misspelt_key_is_refused() {
        assert!(RawContact::from_json(r#"{"external_id": "1", "phone": []}"#).is_err());
        assert!(RawContact::from_json(r#"{"phones": [{"number": "1", "extension": "2"}]}"#).is_err());
        assert!(RawContact::from_json(r#"{"fields": {"a": [1]}}"#).is_err());
    }

    #[test]
    fn an_error_of_form_names_keys_and_places_but_no_values() {
        let message = |text: &str| RawContact::from_json(text).unwrap_err().message.into_owned();
        assert!(message(r#"{"phone": []}"#).starts_with("not a contact: unknown field `phone`"));
        assert_eq!(
            message(r#"{"phones": "+33123456789"}"#),
            "not a contact: a value of the wrong type at line 1 column 25"
        );
        assert_eq!(message(r#"{"external_id": Zoé}"#), "not JSON at line 1 column 17");
    }

    #[test]
    fn the_schema_names_every_key() {
        let schema = serde_json::to_value(schemars::schema_for!(RawContact<'static>)).unwrap();
        let keys: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            [
                "expires_at",
                "external_id",
                "fields",
                "not_before",
                "phones",
                "preferred_agent",
                "priority",
                "tag",
                "zone"
            ]
        );
    }

    #[test]
    fn the_keys_of_a_rejects_file_are_skipped() {
        let contact =
            RawContact::from_json(r#"{"external_id": "1", "outdial_row": 7, "outdial_code": "no_phone"}"#);
        assert_eq!(contact.unwrap().external_id, Some(RawText::new("1")));
    }

    #[test]
    fn debug_output_shows_no_personal_data() {
        let contact = RawContact::from_json(
            r#"{"external_id": "Zoé", "phones": [{"number": "+33123456789"}], "fields": {"name": "Zoé"}}"#,
        )
        .unwrap();
        let text = format!("{contact:?} {:?}", contact.phones);
        assert!(!text.contains("Zoé") && !text.contains("3312"), "{text}");
    }
}
