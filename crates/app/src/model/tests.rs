//! What bodies may hold.

use serde_json::json;

use super::*;

/// The code and field of what is wrong with a body.
fn fault<T: Definition>(body: serde_json::Value) -> (String, String) {
    let body: T = serde_json::from_value(body).unwrap();
    match body.check().unwrap_err() {
        AppError::Invalid { code, field, .. } => (code.to_owned(), field.unwrap_or_default()),
        other => panic!("{other:?}"),
    }
}

fn pair(code: &str, field: &str) -> (String, String) {
    (code.to_owned(), field.to_owned())
}

const ID: &str = "0190a1b2-0000-7000-8000-000000000001";

#[test]
fn a_misspelt_setting_is_refused() {
    assert!(serde_json::from_value::<SkillBody>(json!({"name": "x", "nmae": 1})).is_err());
    assert!(serde_json::from_value::<CampaignBody>(json!({"name": "x", "attempts": 1})).is_err());
}

#[test]
fn what_is_left_out_has_its_default() {
    let campaign: CampaignBody = serde_json::from_value(json!({"name": "Winter"})).unwrap();
    assert_eq!(campaign.attempts_max, 10);
    let agent: AgentBody = serde_json::from_value(json!({"name": "A", "skills": [{"skill": ID}]})).unwrap();
    assert_eq!(agent.skills[0].proficiency, 50);
    agent.check().unwrap();
}

#[test]
fn ranges_are_checked_and_the_field_is_named() {
    let agent = json!({"name": "A", "skills": [{"skill": ID, "proficiency": 101}]});
    assert_eq!(fault::<AgentBody>(agent), pair("out_of_range", "skills[0].proficiency"));
    let twice = json!({"name": "A", "skills": [{"skill": ID}, {"skill": ID}]});
    assert_eq!(fault::<AgentBody>(twice), pair("named_twice", "skills[1].skill"));
    assert_eq!(
        fault::<CampaignBody>(json!({"name": "W", "attempts_max": 0})),
        pair("out_of_range", "attempts_max")
    );
    let group = json!({"name": "G", "campaign": ID, "skill": ID, "settings": {"ring_timeout_seconds": 5}});
    assert_eq!(fault::<CampaignGroupBody>(group), pair("out_of_range", "settings.ring_timeout_seconds"));
    let source = json!({"name": "S", "campaign": ID, "expires_after_days": 0});
    assert_eq!(fault::<SourceBody>(source), pair("out_of_range", "expires_after_days"));
}

#[test]
fn names_and_codes_within_a_campaign_are_unique() {
    let field = json!({"name": "first_name", "kind": "text"});
    let campaign = json!({"name": "W", "fields": [field, field]});
    assert_eq!(fault::<CampaignBody>(campaign), pair("named_twice", "fields[1].name"));
    let disposition = json!({"code": "sold", "name": "Sold"});
    let campaign = json!({"name": "W", "dispositions": [disposition, disposition]});
    assert_eq!(fault::<CampaignBody>(campaign), pair("named_twice", "dispositions[1].code"));
}

#[test]
fn a_name_is_neither_empty_nor_padded_nor_endless() {
    for name in ["", " a", "a ", "a\nb"] {
        assert!(check_name(name).is_err(), "{name:?}");
    }
    assert!(check_name(&"ä".repeat(NAME_LENGTH_MAX)).is_ok());
    assert!(check_name(&"ä".repeat(NAME_LENGTH_MAX + 1)).is_err());
}

#[test]
fn a_map_names_an_external_id_and_a_number() {
    let map = |columns: serde_json::Value| json!({"name": "M", "source": ID, "map": {"columns": columns}});
    let number = json!({"column": "Tel", "target": {"phone": {"order": 1}}});
    assert_eq!(fault::<SourceMapBody>(map(json!([number]))), pair("bad_source_map", "map"));
    let key = json!({"column": "tel ", "target": "external_id"});
    let whole: SourceMapBody = serde_json::from_value(map(json!([number, key]))).unwrap();
    whole.check().unwrap();
}

#[test]
fn a_date_has_one_exception() {
    let exception = json!({"date": "2026-12-25"});
    let hours = json!({"weekly": {}, "exceptions": [exception, exception]});
    let fault = fault::<CallingHoursBody>(json!({"name": "H", "hours": hours}));
    assert_eq!(fault, pair("named_twice", "hours.exceptions[1].date"));
}

#[test]
fn treatments_wait_no_longer_than_a_year_and_cycle_at_least_once() {
    let set = |action: serde_json::Value| json!({"name": "T", "treatments": [{"then": action}]});
    let never = set(json!({"action": "cycle", "minutes": 5, "times": 0}));
    assert_eq!(fault::<TreatmentSetBody>(never), pair("out_of_range", "treatments[0].then.times"));
    let ages = set(json!({"action": "retry_in", "minutes": 525_601}));
    assert_eq!(fault::<TreatmentSetBody>(ages), pair("out_of_range", "treatments[0].then.minutes"));
}

#[test]
fn only_texts_have_a_length() {
    let campaign = json!({"name": "W", "fields": [{"name": "age", "kind": "integer", "max_length": 3}]});
    assert_eq!(fault::<CampaignBody>(campaign), pair("out_of_range", "fields[0].max_length"));
}
