//! Which attributes are there, and what they say.

use app::sinks::format::{GroupFacts, GroupNotice, GroupStatistics, Notice, SourceStatistics};
use engine::{Actor, DialMode, GroupAction, GroupId, GroupState};
use uuid::Uuid;

use super::*;

fn notice(state: GroupState) -> GroupNotice {
    GroupNotice {
        facts: GroupFacts {
            tenant_name: None,
            tenant_id: "7".to_owned(),
            group: GroupId(Uuid::from_u128(0xabc)),
            name: "Winter team".to_owned(),
            skill: "Sales".to_owned(),
            campaign: Some("Winter".to_owned()),
            template: None,
            queue: None,
            settings: json!({"predictive": {"optimize_by": "agent_busy_factor", "goal": 80.0}}),
        },
        state,
        dial_mode: Some(DialMode::Progressive),
        action: Some(GroupAction::Start.code()),
        actor: Actor::Client.code(),
        statistics: GroupStatistics::default(),
        at: Time::from_micros(1_524_768_780_123_999),
    }
}

fn told(notice: GroupNotice) -> Value {
    Ocs.body(&Notice::Group(Box::new(notice)))
}

#[test]
fn a_tenant_without_a_name_is_undefined() {
    assert_eq!(told(notice(GroupState::Active))["GSW_TENANT_NAME"], "undefined");
    let mut named = notice(GroupState::Active);
    named.facts.tenant_name = Some("Acme".to_owned());
    assert_eq!(told(named)["GSW_TENANT_NAME"], "Acme");
}

#[test]
fn the_dial_mode_is_told_of_running_groups_only() {
    assert_eq!(told(notice(GroupState::Running))["GSW_DIAL_MODE"], 2);
    for state in [GroupState::NotLoaded, GroupState::Active, GroupState::WaitingUnload] {
        assert!(told(notice(state)).get("GSW_DIAL_MODE").is_none(), "{state:?}");
    }
}

#[test]
fn each_dial_mode_has_the_number_that_the_field_knows() {
    let modes = [
        (DialMode::Predictive, 1),
        (DialMode::Progressive, 2),
        (DialMode::Preview, 3),
        (DialMode::Power, 6),
        (DialMode::PushPreview, 8),
        (DialMode::Agentless, 9),
    ];
    for (mode, number) in modes {
        let body = told(GroupNotice { dial_mode: Some(mode), ..notice(GroupState::Running) });
        assert_eq!(body["GSW_DIAL_MODE"], number, "{mode:?}");
        assert_eq!(DialMode::from_code(number), Some(mode));
    }
}

#[test]
fn what_is_not_configured_is_left_out() {
    let body = told(notice(GroupState::Running));
    assert_eq!(body["GSW_CAMPAIGN_NAME"], "Winter");
    assert!(body.get("GSW_CAMPAIGN_TEMPLATE_NAME").is_none() && body.get("GSW_QUEUE_NAME").is_none());
    let mut full = notice(GroupState::Running);
    full.facts.template = Some("Seasons".to_owned());
    full.facts.queue = Some("8001".to_owned());
    let body = told(full);
    assert_eq!(
        (&body["GSW_CAMPAIGN_TEMPLATE_NAME"], &body["GSW_QUEUE_NAME"]),
        (&json!("Seasons"), &json!("8001"))
    );
}

#[test]
fn what_is_optimised_is_told_in_predictive_modes_only() {
    for mode in [
        DialMode::Progressive,
        DialMode::Preview,
        DialMode::Power,
        DialMode::PushPreview,
        DialMode::Agentless,
    ] {
        let body = told(GroupNotice { dial_mode: Some(mode), ..notice(GroupState::Running) });
        assert!(body.get("GSW_OPTIMIZE_BY").is_none() && body.get("GSW_OPTIMIZE_GOAL").is_none(), "{mode:?}");
    }
    let predictive = GroupNotice { dial_mode: Some(DialMode::Predictive), ..notice(GroupState::Running) };
    let body = told(predictive.clone());
    assert_eq!(body["GSW_DIAL_MODE"], 1);
    assert_eq!((&body["GSW_OPTIMIZE_BY"], &body["GSW_OPTIMIZE_GOAL"]), (&json!(1), &json!(80)));
    let at_rest = told(GroupNotice { state: GroupState::Active, ..predictive });
    assert!(at_rest.get("GSW_OPTIMIZE_BY").is_none(), "{at_rest}");
}

#[test]
fn what_is_optimised_has_the_vendors_number_and_a_whole_goal() {
    let optimisation = |by: &str| {
        optimisation(&json!({"predictive": {"optimize_by": by, "goal": 19.6, "abandon_cap_percent": 3.0}}))
    };
    assert_eq!(optimisation("agent_busy_factor"), (1, 20));
    assert_eq!(optimisation("abandonment_rate"), (2, 3), "the goal is the cap");
    assert_eq!(optimisation("average_wait"), (3, 20));
    assert_eq!(optimisation("average_distribution_time"), (4, 20));
}

#[test]
fn the_time_is_utc_seconds_with_milliseconds_as_a_text() {
    assert_eq!(told(notice(GroupState::Active))["GSW_DATE_TIME"], "1524768780.123");
    assert_eq!(date_time(Time::from_micros(5_000)), "0.005");
}

#[test]
fn an_unload_at_once_is_told_as_an_unload() {
    let mut unloaded = notice(GroupState::NotLoaded);
    unloaded.action = Some(GroupAction::ForceUnload.code());
    assert_eq!(told(unloaded)["GSW_CAMPAIGN_GROUP_ACTION"], 8);
}

/// The index template that is shipped.
fn mapped() -> Map<String, Value> {
    let template = include_str!("../../../../../contrib/elasticsearch/outdial-ocs.template.json");
    let template: Value = serde_json::from_str(template).unwrap();
    template["template"]["mappings"]["properties"].as_object().unwrap().clone()
}

#[test]
fn the_index_template_knows_every_attribute_of_a_status_message() {
    let mut full = notice(GroupState::Running);
    full.facts.template = Some("Seasons".to_owned());
    full.facts.queue = Some("8001".to_owned());
    let mapped = mapped();
    for name in told(full).as_object().unwrap().keys() {
        assert!(mapped.contains_key(name), "{name} is not in the index template");
    }
}

#[test]
fn the_dashboard_leads_to_what_is_in_its_file() {
    let file = include_str!("../../../../../contrib/elasticsearch/campaign-groups.dashboard.ndjson");
    let objects: Vec<Value> = file.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<(&Value, &Value)> = objects.iter().map(|it| (&it["type"], &it["id"])).collect();
    for object in &objects {
        for reference in object["references"].as_array().unwrap() {
            assert!(names.contains(&(&reference["type"], &reference["id"])), "{reference} leads nowhere");
        }
        for text in ["visState", "panelsJSON"].iter().filter_map(|name| object["attributes"][name].as_str()) {
            serde_json::from_str::<Value>(text).unwrap();
        }
    }
    let fields: Vec<&str> =
        file.match_indices("GSW_STAT_").map(|(at, _)| file[at..].split('\\').next().unwrap()).collect();
    assert!(fields.len() >= 4);
    let mapped = mapped();
    assert!(fields.iter().all(|field| mapped.contains_key(*field)), "{fields:?}");
}

#[test]
fn figures_are_numbers_or_null_for_the_group_and_each_list() {
    let mut running = notice(GroupState::Running);
    running.statistics = GroupStatistics {
        busy_factor: Some(0.85),
        overdial_rate: Some(0.02),
        hit_ratio: Some(0.3),
        time_to_complete_seconds: Some(600),
        sources: vec![SourceStatistics { source: "List".to_owned(), ..SourceStatistics::default() }],
    };
    let body = told(running);
    assert_eq!(body["GSW_STAT_BUSY_FACTOR"], 0.85);
    assert_eq!(body["GSW_STAT_OVERDIAL_RATE"], 0.02);
    assert_eq!(body["GSW_STAT_HIT_RATIO"], 0.3);
    assert_eq!(body["GSW_STAT_TIME_TO_COMPLETE"], 600);
    assert_eq!(body["GSW_CALLING_LISTS"][0]["GSW_CALLING_LIST"], "List");
    assert_eq!(body["GSW_CALLING_LISTS"][0]["GSW_STAT_HIT_RATIO"], Value::Null);
}
