//! Countries, by their two-letter code.

use std::fmt;
use std::str::FromStr;

use rlibphonenumber::{PHONE_NUMBER_UTIL, Region};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A country or territory with a numbering plan of its own, by its ISO 3166-1 alpha-2 code (`FR`, `GB`).
///
/// It says how a number in national form is to be read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country(Region);

/// The text is not the code of a country that has a numbering plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a country with a numbering plan: give its two-letter ISO 3166 code, such as FR, GB or US")]
pub struct UnknownCountry;

impl Country {
    pub(crate) fn from_region(region: Region) -> Option<Self> {
        (region != Region::World && PHONE_NUMBER_UTIL.get_country_code_for_region(region).is_some())
            .then_some(Self(region))
    }

    pub(crate) fn region(self) -> Region {
        self.0
    }
}

impl FromStr for Country {
    type Err = UnknownCountry;

    /// Reads the code in any case.
    fn from_str(text: &str) -> Result<Self, UnknownCountry> {
        let region = Region::from_code(text.trim()).map_err(|_| UnknownCountry)?;
        Self::from_region(region).ok_or(UnknownCountry)
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Country {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Country {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Country {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Country".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^[A-Za-z]{2}$",
            "description": "Country, ISO 3166-1 alpha-2",
            "examples": ["FR", "GB"]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_in_any_case_and_written_in_capitals() {
        let country: Country = " gb ".parse().unwrap();
        assert_eq!(country.to_string(), "GB");
        assert_eq!(serde_json::to_string(&country).unwrap(), r#""GB""#);
        assert_eq!(serde_json::from_str::<Country>(r#""Gb""#).unwrap(), country);
    }

    #[test]
    fn what_has_no_numbering_plan_is_refused() {
        for text in ["", "F", "UK", "ZZ", "001", "Fr.", "France", "é"] {
            assert_eq!(text.parse::<Country>(), Err(UnknownCountry), "{text}");
        }
    }
}
