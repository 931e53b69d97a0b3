//! Reading telephone numbers as people write them.

use engine::PhoneNumber;
use rlibphonenumber::{
    PHONE_NUMBER_UTIL, ParseError, PhoneNumber as ParsedNumber, PhoneNumberType, ValidationError,
};

use crate::country::Country;

/// Longest text that is looked at as a number. 15 digits with a separator after each, a trunk prefix in brackets
/// and an extension fit well.
const TEXT_MAX: usize = 64;

/// Why a text is not a telephone number that can be dialled. No message repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Nothing but white space.
    #[error("the number is empty: give one, or leave the phone out")]
    Empty,
    /// Something other than digits and the usual separators.
    #[error(
        "not a telephone number: give digits, such as +33 1 23 45 67 89, without letters or a second number"
    )]
    NotANumber,
    /// It asks for an extension, which an automatic call cannot dial.
    #[error("the number has an extension: give the direct number without it")]
    Extension,
    /// A national form without a country to read it in.
    #[error(
        "the number is in national form: write it with '+' and the country code, or set a default country"
    )]
    NoCountry,
    /// Fewer digits than any number of its country.
    #[error("too few digits for a number of its country: check whether digits are missing")]
    TooShort,
    /// More digits than any number of its country.
    #[error("too many digits for a number of its country: check for a second number or a doubled prefix")]
    TooLong,
    /// The length may be right, but no such number is assigned in its country.
    #[error("no such number exists in its country: check the country code and the area code")]
    NotValid,
}

/// Reads a number in international form (`+33 1 …`, or the international prefix of the `default` country) or in the
/// national form of the `default` country.
///
/// It must be a number that the numbering plan of its country assigns, or one of those set aside for fiction, so that
/// people can try things without calling anybody.
///
/// # Errors
/// The text is not such a number.
pub fn read_number(text: &str, default: Option<Country>) -> Result<PhoneNumber, NumberError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(NumberError::Empty);
    }
    if text.len() > TEXT_MAX {
        return Err(NumberError::NotANumber);
    }
    let text = text.strip_prefix("tel:").unwrap_or(text);
    let international = text.starts_with(['+', '＋']);
    let parsed = PHONE_NUMBER_UTIL
        .parse(text, default.map(Country::region))
        .map_err(|error| parse_error(&error, international, default))?;
    if parsed.extension.as_deref().is_some_and(|extension| !extension.is_empty()) {
        return Err(NumberError::Extension);
    }
    // The library reads letters as on a keypad and skips words before the number. What a spreadsheet made of a number
    // (4.47701E+11) would become another number that way.
    if text.chars().any(char::is_alphabetic) {
        return Err(NumberError::NotANumber);
    }
    if !PHONE_NUMBER_UTIL.is_valid_number(&parsed) && !is_fictional(&parsed) {
        return Err(length_error(&parsed));
    }
    e164(&parsed).ok_or(NumberError::NotValid)
}

/// The country whose numbering plan a number is part of; `None` for networks without a country (`+800`, satellites).
pub fn country_of(number: PhoneNumber) -> Option<Country> {
    let parsed = PHONE_NUMBER_UTIL.parse(number.to_string(), None).ok()?;
    PHONE_NUMBER_UTIL
        .get_region_for_number(&parsed)
        .or_else(|| PHONE_NUMBER_UTIL.get_region_for_country_code(parsed.country_code))
        .and_then(Country::from_region)
}

/// How many leading digits the country code and the area code of a number have together; where its country has no area
/// codes, or it is of no country, the country code's alone. The code of a mobile network counts as an area.
pub fn area_digits(number: PhoneNumber) -> u8 {
    let Ok(parsed) = PHONE_NUMBER_UTIL.parse(number.to_string(), None) else { return 0 };
    let util = &PHONE_NUMBER_UTIL;
    let area = match util.get_number_type(&parsed) {
        PhoneNumberType::FixedLine | PhoneNumberType::FixedLineOrMobile => {
            util.get_length_of_geographical_area_code(&parsed)
        }
        _ => util.get_length_of_national_destination_code(&parsed),
    };
    u8::try_from(usize::from(country_digits(number)) + area).unwrap_or(0)
}

/// How many digits the country code of a number has; 0 if no country has it.
pub fn country_digits(number: PhoneNumber) -> u8 {
    let Ok(parsed) = PHONE_NUMBER_UTIL.parse(number.to_string(), None) else { return 0 };
    parsed.country_code.checked_ilog10().map_or(0, |digits| digits as u8 + 1)
}

fn parse_error(error: &ParseError, international: bool, default: Option<Country>) -> NumberError {
    match error {
        ParseError::InvalidCountryCode if !international && default.is_none() => NumberError::NoCountry,
        ParseError::InvalidCountryCode => NumberError::NotValid,
        ParseError::NotANumber(_) => NumberError::NotANumber,
        ParseError::TooShortAfterIdd | ParseError::TooShortNsn => NumberError::TooShort,
        ParseError::TooLongNsn => NumberError::TooLong,
    }
}

fn length_error(parsed: &ParsedNumber) -> NumberError {
    match PHONE_NUMBER_UTIL.is_possible_number_with_reason(parsed) {
        Err(ValidationError::TooShort) => NumberError::TooShort,
        Err(ValidationError::TooLong) => NumberError::TooLong,
        _ => NumberError::NotValid,
    }
}

/// Numbers that are kept free for films and tests; the metadata does not count all of them as valid.
fn is_fictional(parsed: &ParsedNumber) -> bool {
    match parsed.country_code {
        // Ofcom, "Telephone numbers for drama use": mobile, 07700 900000 to 900999.
        44 => (7_700_900_000..=7_700_900_999).contains(&parsed.national_number),
        // NANPA, 555 Line Number Resources: 555-0100 to 555-0199 are for fictional use, in every area code.
        1 => {
            let (area, line) = (parsed.national_number / 10_000_000, parsed.national_number % 10_000_000);
            (200..=999).contains(&area) && (5_550_100..=5_550_199).contains(&line)
        }
        _ => false,
    }
}

/// Country code, leading zeros that belong to the number (Italy), national number.
fn e164(parsed: &ParsedNumber) -> Option<PhoneNumber> {
    let zeros = match (parsed.italian_leading_zero, parsed.number_of_leading_zeros) {
        (Some(true), zeros) => u32::try_from(zeros.unwrap_or(1)).ok()?,
        _ => 0,
    };
    let places = zeros + parsed.national_number.checked_ilog10()? + 1;
    let digits = u64::try_from(parsed.country_code)
        .ok()?
        .checked_mul(10_u64.checked_pow(places)?)?
        .checked_add(parsed.national_number)?;
    PhoneNumber::from_digits(digits).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, country: &str) -> Result<String, NumberError> {
        read_number(text, country.parse().ok()).map(|number| number.to_string())
    }

    #[test]
    fn international_and_national_forms_give_the_same_number() {
        for text in
            ["+33 1 23 45 67 89", "0033123456789", "01.23.45.67.89", " (01) 23-45-67-89 ", "tel:+33123456789"]
        {
            assert_eq!(read(text, "FR"), Ok("+33123456789".into()), "{text}");
        }
        assert_eq!(read("011 44 20 7946 0018", "US"), Ok("+442079460018".into()));
        assert_eq!(read("＋49 30 901820", ""), Ok("+4930901820".into()));
    }

    #[test]
    fn leading_zeros_that_belong_to_a_number_are_kept() {
        assert_eq!(read("06 698 12345", "IT"), Ok("+390669812345".into()));
    }

    #[test]
    fn a_national_form_needs_a_country() {
        assert_eq!(read("01 23 45 67 89", ""), Err(NumberError::NoCountry));
        assert_eq!(read("0033123456789", ""), Err(NumberError::NoCountry));
    }

    #[test]
    fn the_reason_for_a_refusal_is_named() {
        assert_eq!(read("  ", "FR"), Err(NumberError::Empty));
        assert_eq!(read("unknown", "FR"), Err(NumberError::NotANumber));
        assert_eq!(read("+33 12", ""), Err(NumberError::TooShort));
        assert_eq!(read("+33 1 23 45 67 89 01 23", ""), Err(NumberError::TooLong));
        assert_eq!(read("+33 0 00 00 00 00", ""), Err(NumberError::NotValid));
        assert_eq!(read("+999 123 456 789", ""), Err(NumberError::NotValid));
        assert_eq!(read("+33 1 23 45 67 89 ext. 12", ""), Err(NumberError::Extension));
        assert_eq!(read(&"1".repeat(1000), "FR"), Err(NumberError::NotANumber));
    }

    #[test]
    fn letters_are_never_turned_into_digits() {
        for text in ["4.47701E+11", "1-800-FLOWERS", "call 0123456789", "0123456789 home"] {
            assert_eq!(read(text, "FR"), Err(NumberError::NotANumber), "{text}");
        }
    }

    #[test]
    fn numbers_for_fiction_are_accepted_and_the_next_is_not() {
        for text in ["+447700900000", "+447700900999", "+14155550100", "+12125550199"] {
            assert_eq!(read(text, ""), Ok(text.into()));
        }
        assert_eq!(read("07700 900123", "GB"), Ok("+447700900123".into()));
        assert_eq!(read("+447700901000", ""), Err(NumberError::NotValid));
    }

    #[test]
    fn a_number_knows_how_long_its_area_is() {
        let digits = |text: &str| {
            let number = text.parse().unwrap();
            (country_digits(number), area_digits(number))
        };
        assert_eq!(digits("+442079460000"), (2, 4), "London");
        assert_eq!(digits("+441632960000"), (2, 6));
        assert_eq!(digits("+12125550123"), (1, 4));
        assert_eq!(digits("+33142685300"), (2, 3));
        assert_eq!(digits("+447700900001"), (2, 6), "a mobile's network");
        assert_eq!(digits("+4532123456"), (2, 2), "Denmark has no areas");
        assert_eq!(digits("+390669812345").1, 4, "the zero belongs to the area code of Rome");
        assert_eq!(digits("+99912345678"), (0, 0), "no country");
    }

    #[test]
    fn a_number_knows_its_country() {
        let country = |text: &str| country_of(text.parse().unwrap()).map(|country| country.to_string());
        assert_eq!(country("+447700900123").as_deref(), Some("GB"));
        assert_eq!(country("+18765550100").as_deref(), Some("JM"));
        assert_eq!(country("+80012345678"), None);
    }
}
