//! A telephone number that is valid as far as form goes.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An international number (E.164): 7 to 15 digits, the first not zero.
///
/// It is kept as one integer, because 15 digits fit 64 bits and both databases compare integers faster than text.
/// `Display` gives the whole number (`+14155550100`); `Debug`, which is what ends up in logs, hides all but the
/// country's first digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhoneNumber(u64);

/// Why a text or integer is not an E.164 number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an international telephone number: give '+', the country code and 7 to 15 digits in all")]
pub struct NotAPhoneNumber;

impl PhoneNumber {
    /// From the digits as one integer (`14155550100`).
    ///
    /// # Errors
    /// Fewer than 7 or more than 15 digits (ITU-T E.164 §6.2.1; no assigned plan has fewer than 7).
    pub fn from_digits(digits: u64) -> Result<Self, NotAPhoneNumber> {
        if (1_000_000..=999_999_999_999_999).contains(&digits) {
            Ok(Self(digits))
        } else {
            Err(NotAPhoneNumber)
        }
    }

    /// The digits as one integer.
    pub fn digits(self) -> u64 {
        self.0
    }

    /// The digits as the databases hold them.
    pub fn as_i64(self) -> i64 {
        // 15 decimal digits are below 2^50.
        self.0 as i64
    }
}

impl FromStr for PhoneNumber {
    type Err = NotAPhoneNumber;

    /// Reads `+` followed by digits only; national forms are read by the `contacts` crate.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('+').ok_or(NotAPhoneNumber)?;
        if digits.is_empty() || digits.len() > 15 || digits.starts_with('0') {
            return Err(NotAPhoneNumber);
        }
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotAPhoneNumber);
        }
        digits.parse().map_err(|_| NotAPhoneNumber).and_then(Self::from_digits)
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        write!(f, "+{}…", &text[..2])
    }
}

impl Serialize for PhoneNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PhoneNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for PhoneNumber {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PhoneNumber".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": r"^\+[1-9][0-9]{6,14}$",
            "description": "International number, E.164",
            "examples": ["+14155550100"]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_reads_back_from_its_own_text() {
        let number: PhoneNumber = "+33123456789".parse().unwrap();
        assert_eq!(number.to_string(), "+33123456789");
        assert_eq!(PhoneNumber::from_digits(33_123_456_789), Ok(number));
    }

    #[test]
    fn what_is_not_international_is_refused() {
        for text in ["", "+", "0123456789", "33123456789", "+0123456789", "+1", "+1234567890123456", "+33 1"]
        {
            assert_eq!(text.parse::<PhoneNumber>(), Err(NotAPhoneNumber), "{text}");
        }
    }

    #[test]
    fn debug_output_does_not_show_the_number() {
        let number: PhoneNumber = "+33123456789".parse().unwrap();
        assert_eq!(format!("{number:?}"), "+33…");
    }
}
