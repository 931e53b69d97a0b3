use proptest::prelude::*;

use super::*;
use crate::field::FieldKind;
use crate::raw::TextFormat;

/// 2026-11-20T12:00:00Z.
const NOW: Time = Time::from_micros(1_795_176_000_000_000);

fn rules() -> Rules {
    let field = |name: &str, kind| FieldDefinition::new(name.parse().unwrap(), kind);
    Rules {
        default_country: "FR".parse().ok(),
        fields: vec![field("last_name", FieldKind::Text), field("age", FieldKind::Integer)],
        zone_policy: ZonePolicy::Reject,
        default_expiry: None,
        default_expires_at: None,
    }
}

/// A good contact with the given keys added or replaced.
fn contact(changes: serde_json::Value) -> RawContact<'static> {
    let mut body = serde_json::json!({ "external_id": "c-1", "phones": [{ "number": "01 23 45 67 89" }] });
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    serde_json::from_value(body).unwrap()
}

fn accept(changes: serde_json::Value) -> NewContact {
    normalise(contact(changes), &rules(), NOW).unwrap()
}

fn refuse(changes: serde_json::Value) -> (RecordErrorCode, String) {
    let error = normalise(contact(changes), &rules(), NOW).unwrap_err();
    (error.code, error.field.unwrap_or_default())
}

fn phones(numbers: &[&str]) -> serde_json::Value {
    let phones: Vec<_> = numbers.iter().map(|number| serde_json::json!({ "number": number })).collect();
    serde_json::json!({ "phones": phones })
}

macro_rules! json {
    ($($body:tt)*) => { serde_json::json!({ $($body)* }) };
}

#[test]
fn a_plain_contact_gets_the_defaults() {
    let contact = accept(json!());
    assert_eq!(contact.external_id, "c-1");
    assert_eq!(contact.priority, 50);
    assert_eq!(contact.fields_json, "{}");
    assert_eq!((contact.not_before, contact.expires_at, contact.warnings.len()), (None, None, 0));
    let phone = &contact.phones[0];
    assert_eq!(phone.number.to_string(), "+33123456789");
    assert_eq!(phone.zones.to_string(), "Europe/Paris");
    assert_eq!((phone.kind, phone.position, phone.window), (PhoneKind::Unknown, 0, None));
}

#[test]
fn the_external_id_is_needed_and_has_limits() {
    use RecordErrorCode::*;
    for (id, code) in
        [("  ", MissingExternalId), (&*"é".repeat(256), ExternalIdTooLong), ("a\0b", BadExternalId)]
    {
        assert_eq!(refuse(json!("external_id": id)), (code, "external_id".into()), "{code}");
    }
    assert_eq!(accept(json!("external_id": "é".repeat(255))).external_id.chars().count(), 255);
}

#[test]
fn a_bad_number_among_good_ones_is_left_out_with_a_warning() {
    let contact = accept(phones(&["12", "0123456789", "", "06 12 34 56 78"]));
    let numbers: Vec<_> =
        contact.phones.iter().map(|phone| (phone.position, phone.number.to_string())).collect();
    assert_eq!(numbers, [(0, "+33123456789".into()), (1, "+33612345678".into())]);
    assert_eq!(contact.warnings.len(), 1);
    assert_eq!(contact.warnings[0].code, RecordErrorCode::BadPhone);
    assert_eq!(contact.warnings[0].field.as_deref(), Some("phone1"));
}

#[test]
fn without_a_good_number_the_contact_is_refused_for_the_first_bad_one() {
    assert_eq!(refuse(phones(&[])), (RecordErrorCode::NoPhone, String::new()));
    assert_eq!(refuse(phones(&[" "])), (RecordErrorCode::NoPhone, String::new()));
    assert_eq!(refuse(phones(&["", "12", "13"])), (RecordErrorCode::BadPhone, "phone2".into()));
    let error = normalise(contact(json!()), &Rules { default_country: None, ..rules() }, NOW).unwrap_err();
    assert_eq!(error.code, RecordErrorCode::NoCountry);
}

#[test]
fn equal_numbers_become_one_phone_that_knows_what_both_said() {
    let contact = accept(json!("phones": [
        { "number": "0612345678", "attempts_max": 2 },
        { "number": "+33 6 12 34 56 78", "kind": "GSM", "attempts_max": "9",
          "window": { "from": "09:00" }, "caller_id": "0123456789" },
    ]));
    assert_eq!(contact.phones.len(), 1);
    let phone = &contact.phones[0];
    assert_eq!((phone.kind, phone.attempts_max), (PhoneKind::Mobile, Some(2)));
    assert_eq!(phone.window, DayWindow::new(540, 1440).ok());
    assert_eq!(phone.caller_id.map(|number| number.to_string()).as_deref(), Some("+33123456789"));
}

#[test]
fn ten_different_phones_are_the_most() {
    let numbers: Vec<String> = (0..11).map(|index| format!("06123456{index:02}")).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    assert_eq!(accept(phones(&numbers[..10])).phones.len(), 10);
    assert_eq!(refuse(phones(&numbers)), (RecordErrorCode::TooManyPhones, String::new()));
    let repeated: Vec<&str> = numbers[..10].iter().chain(&numbers[..10]).copied().collect();
    assert_eq!(accept(phones(&repeated)).phones.len(), 10);
}

#[test]
fn anything_wrong_with_a_phone_names_the_part() {
    use RecordErrorCode::*;
    for (part, code, field) in [
        (json!("attempts_max": 0), BadFieldValue, "phone1.attempts_max"),
        (json!("attempts_max": 256), BadFieldValue, "phone1.attempts_max"),
        (json!("caller_id": "12"), BadPhone, "phone1.caller_id"),
        (json!("window": { "from": "18:00", "until": "09:00" }), BadWindow, "phone1.window"),
        (json!("window": { "until": "25:00" }), BadWindow, "phone1.window"),
    ] {
        let mut phone = json!("number": "0123456789");
        phone.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        assert_eq!(refuse(json!("phones": [phone])), (code, field.into()));
    }
}

#[test]
fn the_contacts_own_zone_ranks_above_its_number() {
    assert_eq!(accept(json!("zone": "europe/london ")).phones[0].zones.to_string(), "Europe/London");
    assert_eq!(accept(json!("zone": "")).phones[0].zones.to_string(), "Europe/Paris");
    for zone in ["Mars/Olympus", "Etc/Unknown", "CET+1h"] {
        assert_eq!(refuse(json!("zone": zone)), (RecordErrorCode::UnknownZone, "zone".into()), "{zone}");
    }
}

#[test]
fn a_number_without_a_zone_is_refused_unless_the_policy_names_one() {
    let international = phones(&["+800 12345678"]);
    assert_eq!(refuse(international.clone()), (RecordErrorCode::NoZone, "phone1".into()));
    let rules = Rules { zone_policy: ZonePolicy::Default("Asia/Tokyo".parse().unwrap()), ..rules() };
    let contact = normalise(contact(international), &rules, NOW).unwrap();
    assert_eq!(contact.phones[0].zones.to_string(), "Asia/Tokyo");
}

#[test]
fn priority_is_a_whole_number_up_to_a_hundred() {
    assert_eq!(accept(json!("priority": 100)).priority, 100);
    assert_eq!(accept(json!("priority": " ")).priority, 50);
    for priority in ["101", "-1", "high", "5.5"] {
        assert_eq!(refuse(json!("priority": priority)).0, RecordErrorCode::BadPriority, "{priority}");
    }
}

#[test]
fn a_local_date_is_read_in_the_contacts_zone() {
    let contact = accept(json!("not_before": "2026-12-01 09:00", "expires_at": "2026-12-01"));
    assert_eq!(contact.not_before.unwrap().to_rfc3339(), "2026-12-01T08:00:00Z");
    assert_eq!(contact.expires_at.unwrap().to_rfc3339(), "2026-12-01T23:00:00Z");
}

#[test]
fn with_several_zones_the_shorter_span_counts() {
    let mut body = phones(&["+1 208 555 1234"]);
    body["not_before"] = "2026-12-01".into();
    body["expires_at"] = "2026-12-01".into();
    let contact = accept(body);
    assert_eq!(contact.not_before.unwrap().to_rfc3339(), "2026-12-01T08:00:00Z");
    assert_eq!(contact.expires_at.unwrap().to_rfc3339(), "2026-12-02T07:00:00Z");
}

#[test]
fn a_contact_that_could_never_be_called_is_refused() {
    use RecordErrorCode::*;
    assert_eq!(refuse(json!("expires_at": "2026-11-20T12:00:00Z")).0, AlreadyExpired);
    let empty = json!("not_before": "2026-12-02T00:00:00Z", "expires_at": "2026-12-01T00:00:00Z");
    assert_eq!(refuse(empty), (BadDate, "expires_at".into()));
    assert_eq!(refuse(json!("not_before": "tomorrow")), (BadDate, "not_before".into()));
}

#[test]
fn the_default_expiry_runs_from_when_the_contact_may_first_be_called() {
    let rules = Rules { default_expiry: Some(Duration::from_secs(3600)), ..rules() };
    let expiry = |changes| normalise(contact(changes), &rules, NOW).unwrap().expires_at.unwrap().to_rfc3339();
    assert_eq!(expiry(json!()), "2026-11-20T13:00:00Z");
    assert_eq!(expiry(json!("not_before": "2026-12-01T00:00:00Z")), "2026-12-01T01:00:00Z");
    assert_eq!(expiry(json!("expires_at": "2026-12-01T00:00:00Z")), "2026-12-01T00:00:00Z");
}

#[test]
fn fields_are_typed_and_in_the_order_of_their_definitions() {
    let contact = accept(json!("fields": { "age": " 41 ", "last_name": "O\"Neil" }));
    assert_eq!(contact.fields_json, r#"{"last_name":"O\"Neil","age":41}"#);
    assert_eq!(accept(json!("fields": { "age": "", "last_name": null })).fields_json, "{}");
}

#[test]
fn fields_that_do_not_fit_are_named() {
    use RecordErrorCode::*;
    assert_eq!(refuse(json!("fields": { "age": "old" })), (BadFieldValue, "age".into()));
    assert_eq!(refuse(json!("fields": { "shoe_size": 42 })), (UnknownField, "shoe_size".into()));
    let twice = r#"{"external_id":"1","phones":[{"number":"0123456789"}],"fields":{"age":1,"age":2}}"#;
    let error = normalise(RawContact::from_json(twice).unwrap(), &rules(), NOW).unwrap_err();
    assert_eq!((error.code, error.message.as_ref()), (UnknownField, "the field is given twice"));
    let mut rules = rules();
    rules.fields[0].required = true;
    let error = normalise(contact(json!("fields": { "last_name": " " })), &rules, NOW).unwrap_err();
    assert_eq!((error.code, error.field.as_deref()), (MissingField, Some("last_name")));
    rules.fields[0].max_length = Some(100_000);
    let error =
        normalise(contact(json!("fields": { "last_name": "x".repeat(70_000) })), &rules, NOW).unwrap_err();
    assert_eq!(error.code, TooLarge);
}

#[test]
fn no_error_repeats_what_the_record_says() {
    for changes in [
        phones(&["0123456789012345"]),
        json!("fields": { "age": "x0123456789012345" }),
        json!("zone": "0123456789012345"),
        json!("priority": "0123456789012345"),
        json!("not_before": "0123456789012345"),
    ] {
        let error = normalise(contact(changes), &rules(), NOW).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("0123456789012345"));
    }
}

fn text() -> impl Strategy<Value = Option<String>> {
    let texts =
        prop_oneof!["\\PC*", ".{0,40}", "[0-9+ ().-]{0,20}", "[0-9]{4}-[0-9]{2}-[0-9]{2}[ T0-9:Z]{0,9}"];
    proptest::option::of(texts)
}

proptest! {
    #[test]
    fn arbitrary_texts_never_break_normalising(
        texts in proptest::collection::vec(text(), 12),
        pattern in proptest::option::of("[%a-zA-Z/ ]{0,8}"),
    ) {
        let format = TextFormat { date_format: pattern.as_deref(), decimal_comma: true };
        let mut texts = texts.into_iter();
        let mut next = || texts.next().flatten().map(|text| RawText { text: text.into(), format });
        let window = RawWindow { from: next(), until: next() };
        let phone = RawPhone {
            number: next().unwrap_or_default(),
            kind: next(),
            attempts_max: next(),
            caller_id: next(),
            window: Some(window),
            order: 0,
        };
        let raw = RawContact {
            external_id: next(),
            phones: vec![RawPhone { number: RawText::new("+33123456789"), ..RawPhone::default() }, phone],
            zone: next(),
            priority: next(),
            not_before: next(),
            expires_at: next(),
            preferred_agent: None,
            tag: next(),
            fields: next().map(|text| ("last_name".into(), text)).into_iter().collect(),
        };
        if let Ok(contact) = normalise(raw, &rules(), NOW) {
            prop_assert!(!contact.external_id.is_empty());
            prop_assert!((1..=2).contains(&contact.phones.len()));
            prop_assert!(serde_json::from_str::<serde_json::Value>(&contact.fields_json).is_ok());
        }
    }
}
