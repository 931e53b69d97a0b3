use proptest::prelude::*;

use super::*;
use crate::field::{FieldDefinition, FieldKind, FieldMeaning};

fn headings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn parse(text: &str) -> SourceMap {
    SourceMap::parse_compact(text).unwrap()
}

fn field(name: &str, meaning: FieldMeaning) -> FieldDefinition {
    FieldDefinition { meaning, ..FieldDefinition::new(name.parse().unwrap(), FieldKind::Text) }
}

#[test]
fn a_row_becomes_a_contact_by_its_map() {
    let map = parse(
        "external_id=CustomerNo,phone2:work=Office,phone1=Mobile,phone1.window_from=From,phone1.attempts_max=Tries,\
         zone=TZ,field.born|%d.%m.%Y=Birthday,field.number=CustomerNo,option.decimal_comma=true",
    );
    let columns = headings(&["customerno", " TZ ", "Mobile", "Office", "From", "Tries", "Birthday", "Other"]);
    let bound = map.bind(&columns).unwrap();
    let row =
        StringRecord::from(vec!["7", " ", "+33123456789", "+33123456780", "09:00", "3", "31.1.2026", "x"]);
    let contact = bound.raw_contact(&row);
    let plain = |text: &'static str| RawText {
        text: text.into(),
        format: TextFormat { date_format: None, decimal_comma: true },
    };
    assert_eq!(contact.external_id, Some(plain("7")));
    assert_eq!(contact.zone, None);
    assert_eq!(contact.phones.iter().map(|phone| phone.order).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(contact.phones[0].number, plain("+33123456789"));
    assert_eq!(contact.phones[0].window, Some(RawWindow { from: Some(plain("09:00")), until: None }));
    assert_eq!(contact.phones[0].attempts_max, Some(plain("3")));
    assert_eq!(contact.phones[1].kind, Some(RawText::new("work")));
    let names: Vec<_> =
        contact.fields.iter().map(|(name, value)| (&**name, value.format.date_format)).collect();
    assert_eq!(names, [("born", Some("%d.%m.%Y")), ("number", None)]);
}

#[test]
fn a_phone_without_a_number_in_the_row_is_left_out() {
    let bound =
        parse("external_id=id,phone1=a,phone2=b,phone1.caller_id=c").bind(&headings(&["id", "a", "b", "c"]));
    let row = StringRecord::from(vec!["1", "", "+33123456789", "+33123456780"]);
    let bound = bound.unwrap();
    let contact = bound.raw_contact(&row);
    assert_eq!(contact.phones.len(), 1);
    assert_eq!((contact.phones[0].order, &contact.phones[0].caller_id), (2, &None));
}

#[test]
fn a_map_that_does_not_fit_the_file_says_what_is_missing_and_what_is_there() {
    let error = parse("external_id=id,phone1=Tel,zone=TZ").bind(&headings(&["Id", "Phone"])).unwrap_err();
    assert_eq!(error.to_string(), "the file has no column 'Tel', 'TZ'; its columns are 'Id', 'Phone'");
}

#[test]
fn a_map_that_is_not_whole_is_refused() {
    let columns = headings(&["id", "a", "b", "b"]);
    for (map, error) in [
        ("phone1=a", MapError::NoExternalId),
        ("external_id=id", MapError::NoPhone),
        ("external_id=id,phone1=a,phone2.kind=a", MapError::PhoneWithoutNumber(2)),
        ("external_id=id,phone1=a,phone1:mobile=a", MapError::TargetTwice("phone1:mobile".into())),
        ("external_id=id,phone1=B", MapError::AmbiguousColumn("B".into())),
        ("external_id=id,phone1=a,not_before|%H=a", MapError::BadDateFormat("%H".into())),
    ] {
        assert_eq!(parse(map).bind(&columns).unwrap_err(), error, "{map}");
    }
    assert!(parse("external_id=id,phone1=a,ignore=b,ignore=gone").bind(&columns).is_ok());
}

#[test]
fn the_compact_form_names_the_entry_that_is_wrong() {
    for (text, error) in [
        ("external_id=a,phone0=b", CompactError::UnknownTarget(2)),
        ("phone1:fax=b", CompactError::UnknownTarget(1)),
        ("field.1a=b", CompactError::UnknownTarget(1)),
        ("external_id", CompactError::NotAnEntry(1)),
        ("zone=a=b", CompactError::NotAnEntry(1)),
        ("zone=\"a", CompactError::BadQuote(1)),
        ("zone=\"a\"b", CompactError::BadQuote(1)),
        ("option.delimiter=;;", CompactError::BadOption(1)),
    ] {
        assert_eq!(SourceMap::parse_compact(text), Err(error), "{text}");
    }
    let quoted = parse(" phone2 = \"Tel \"\"privé\"\", alt\" ,zone=TZ");
    assert_eq!(quoted.columns[0].column, "Tel \"privé\", alt");
    assert_eq!(quoted.columns[1].target, Target::Zone);
}

#[test]
fn a_map_is_read_from_json_and_misspelt_keys_are_refused() {
    let json = r#"{ "columns": [
        { "column": "No", "target": "external_id" },
        { "column": "Tel", "target": { "phone": { "order": 1, "kind": "mobile" } } },
        { "column": "Name", "target": { "field": { "name": "last_name" } }, "date_format": "%d/%m/%Y" }
      ], "delimiter": ";", "encoding": "windows-1252" }"#;
    let map: SourceMap = serde_json::from_str(json).unwrap();
    assert_eq!(
        map.to_compact(),
        "external_id=No,phone1:mobile=Tel,field.last_name|%d/%m/%Y=Name,option.delimiter=;,\
         option.encoding=windows-1252"
    );
    assert!(serde_json::from_str::<SourceMap>(r#"{"columns":[],"delimeter":";"}"#).is_err());
    assert!(serde_json::from_str::<Target>(r#"{"phone":{"order":1,"type":"x"}}"#).is_err());
}

#[test]
fn common_headings_are_recognised_in_four_languages() {
    let fields = [
        field("first", FieldMeaning::FirstName),
        field("surname_1", FieldMeaning::LastName),
        field("shoe_size", FieldMeaning::None),
    ];
    for (names, compact) in [
        (
            &[
                "Customer ID",
                "First Name",
                "Last Name",
                "Phone",
                "Mobile",
                "Time Zone",
                "Shoe size",
                "Whatever",
            ][..],
            "external_id=Customer ID,field.first=First Name,field.surname_1=Last Name,phone1=Phone,\
             phone2:mobile=Mobile,zone=Time Zone,field.shoe_size=Shoe size",
        ),
        (
            &["N° client", "Prénom", "Nom", "Tél. privé", "Portable"],
            "external_id=N° client,field.first=Prénom,field.surname_1=Nom,phone1:home=Tél. privé,\
             phone2:mobile=Portable",
        ),
        (
            &["Kundennr.", "Vorname", "Nachname", "Telefon 1", "Telefon 2", "Priorität"],
            "external_id=Kundennr.,field.first=Vorname,field.surname_1=Nachname,phone1=Telefon 1,phone2=Telefon 2,\
             priority=Priorität",
        ),
        (
            &["ID", "Nombre", "Apellidos", "Teléfono móvil", "outdial_row", "ID cliente"],
            "external_id=ID,field.first=Nombre,field.surname_1=Apellidos,phone1:mobile=Teléfono móvil",
        ),
    ] {
        let map = SourceMap::guess(&headings(names), &fields);
        assert_eq!(map.to_compact(), compact);
        assert!(map.bind(&headings(names)).is_ok());
    }
}

fn target() -> impl Strategy<Value = Target> {
    let kinds = [PhoneKind::Unknown, PhoneKind::Home, PhoneKind::Work, PhoneKind::Mobile, PhoneKind::Other];
    prop_oneof![
        Just(Target::ExternalId),
        Just(Target::Zone),
        Just(Target::Ignore),
        (1..=255u8, proptest::option::of(proptest::sample::select(kinds.to_vec())))
            .prop_map(|(order, kind)| Target::Phone { order, kind }),
        (1..=255u8).prop_map(|order| Target::PhoneWindowUntil { order }),
        "[a-z_][a-z0-9_]{0,10}".prop_map(|name| Target::Field { name: name.parse().unwrap() }),
    ]
}

proptest! {
    #[test]
    fn the_compact_form_reads_back_as_the_same_map(
        columns in proptest::collection::vec(("\\PC{0,10}", target(), proptest::option::of("\\PC{0,10}")), 0..6),
        decimal_comma in any::<bool>(),
        date_format in proptest::option::of("[%a-z,=\" ]{0,6}"),
        delimiter in proptest::option::of(any::<char>()),
    ) {
        let columns = columns
            .into_iter()
            .map(|(column, target, date_format)| ColumnMapping { column, target, date_format })
            .collect();
        let encoding = delimiter.map(|_| Encoding::Utf16Le);
        let map = SourceMap { columns, decimal_comma, date_format, delimiter, encoding };
        prop_assert_eq!(SourceMap::parse_compact(&map.to_compact()), Ok(map));
    }

    #[test]
    fn arbitrary_text_is_read_or_refused(text in "[a-z0-9.,=\" |:é]{0,40}") {
        if let Ok(map) = SourceMap::parse_compact(&text) {
            prop_assert_eq!(SourceMap::parse_compact(&map.to_compact()), Ok(map));
        }
    }
}
