//! Campaign Group Status Reporting, as the documentation of the feature has it. Each test begins with the sentences that
//! it holds Outdial to; a real group runs in each, with the simulated carrier, and a small web server is the external
//! system.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use store::testing::databases;

use crate::agent_session::{Socket, open, say};
use crate::dialling::{Centre, centre};
use crate::receiver::{Receiver, Told};
use crate::support::{Caller, Server, until};

/// A server on which a group and a sink are ready.
struct Scene<'a> {
    admin: Caller<'a>,
    receiver: Receiver,
    centre: Centre,
}

/// Everything that the sink is to be told, besides what each test says.
async fn scene<'a>(server: &'a Server, further: Value) -> Scene<'a> {
    let admin = server.tenant("A").await;
    let receiver = Receiver::start().await;
    let centre = centre(&admin).await;
    let mut sink = json!({
        "name": "Campaign Manager", "format": "ocs", "target": {"kind": "http", "url": receiver.url},
        "kinds": ["group.*"],
    });
    let (into, from) = (sink.as_object_mut().unwrap(), further.as_object().unwrap());
    into.extend(from.clone());
    admin.create("/v1/sinks", sink).await;
    Scene { admin, receiver, centre }
}

impl Scene<'_> {
    async fn act(&self, action: &str) {
        let path = format!("/v1/campaign-groups/{}/actions", self.centre.group);
        self.admin.post(&path, json!({ "action": action })).await.expect(200);
    }

    async fn log_an_agent_in(&self, server: &Server) -> Socket {
        let query = format!("agent={}", self.centre.agent);
        let mut socket = open(server, &query, Some(self.admin.key())).await.unwrap();
        say(&mut socket, json!({"type": "log_in"})).await;
        say(&mut socket, json!({"type": "ready"})).await;
        socket
    }

    /// The message that a state was reached by an action.
    async fn told_of(&self, state: i64, action: i64) -> Told {
        let is_it = move |told: &Told| {
            told.body["GSW_CAMPAIGN_GROUP_STATE"] == state && told.body["GSW_CAMPAIGN_GROUP_ACTION"] == action
        };
        self.receiver.hear(&format!("state {state} by action {action}"), is_it).await
    }
}

/// > The following states and information can be reported:
/// > • Campaign Group loaded • Campaign Group started • Campaign Group stopped • Campaign Group unloaded
///
/// > GSW_CAMPAIGN_GROUP_ACTION: Identifies client request which has caused message generation. Use
/// > CM_ReqSetDialingMode when dial mode is changed.
#[tokio::test]
async fn a_group_that_is_loaded_started_stopped_and_unloaded_is_reported_each_time() {
    for database in databases() {
        let server = Server::start_sixty_times_as_fast(database).await;
        let scene = scene(&server, json!({"kinds": ["group.state"]})).await;
        scene.act("load").await;
        assert_eq!(scene.told_of(4, 7).await.body["GSW_CAMPAIGN_GROUP_ACTOR"], 1, "actor: a client");
        scene.act("start").await;
        scene.told_of(5, 9).await;
        let path = format!("/v1/campaign-groups/{}/actions", scene.centre.group);
        let change = json!({"action": "set_dial_mode", "dial_mode": "power"});
        scene.admin.post(&path, change).await.expect(200);
        assert_eq!(scene.told_of(5, 11).await.body["GSW_DIAL_MODE"], 6);
        scene.act("stop").await;
        scene.told_of(4, 10).await;
        scene.act("unload").await;
        scene.told_of(0, 8).await;
        let states: Vec<Value> =
            scene.receiver.taken().iter().map(|body| body["GSW_CAMPAIGN_GROUP_STATE"].clone()).collect();
        assert_eq!(states.first(), Some(&json!(4)), "{states:?}");
        assert_eq!(states.last(), Some(&json!(0)), "{states:?}");
        server.stop().await;
    }
}

/// > The following attributes are passed by OCS in the body of the HTTP notification to the external Web/Application
/// > Server when there is a state change of a Campaign Group
#[tokio::test]
async fn the_attributes_are_those_of_the_table() {
    for database in databases() {
        let server = Server::start_sixty_times_as_fast(database).await;
        let scene = scene(&server, json!({"kinds": ["group.state"]})).await;
        scene.act("load").await;
        let loaded = scene.told_of(4, 7).await;
        assert_eq!(loaded.header("content-type"), "application/json");
        let guid = scene.centre.group.replace('-', "");
        let body = &loaded.body;
        // "Defaults to undefined if not set."
        assert_eq!(body["GSW_TENANT_NAME"], "undefined");
        assert!(body["GSW_TENANT_CCID"].as_str().is_some_and(|id| !id.is_empty()), "{body}");
        assert_eq!(body["GSW_CAMPAIGN_GROUP_NAME"], "Team");
        assert_eq!(body["GSW_CAMPAIGN_GROUP_GUID"], guid.as_str());
        assert_eq!(body["GSW_GROUP_NAME"], "Sales");
        assert_eq!(body["GSW_CAMPAIGN_NAME"], "Winter");
        assert_eq!(body["GSW_CAMPAIGN_GROUP_STATE"], 4);
        assert_eq!(body["GSW_CAMPAIGN_GROUP_ACTION"], 7);
        assert_eq!(body["GSW_CAMPAIGN_GROUP_ACTOR"], 1);
        // "Timestamp when action occurred; UTC time as seconds, with msec precision."
        let (seconds, millis) = body["GSW_DATE_TIME"].as_str().unwrap().split_once('.').unwrap();
        assert!(
            seconds.parse::<i64>().is_ok() && millis.len() == 3 && millis.parse::<u16>().is_ok(),
            "{body}"
        );
        // "No - Defined only for running Campaign Groups", "No - Available for Predictive modes only", "(if present in
        // configuration)"
        for absent in [
            "GSW_DIAL_MODE",
            "GSW_OPTIMIZE_BY",
            "GSW_OPTIMIZE_GOAL",
            "GSW_CAMPAIGN_TEMPLATE_NAME",
            "GSW_QUEUE_NAME",
        ] {
            assert!(body.get(absent).is_none(), "{absent} in {body}");
        }
        scene.act("start").await;
        let started = scene.told_of(5, 9).await.body;
        assert_eq!(started["GSW_DIAL_MODE"], 2);
        assert!(started.get("GSW_OPTIMIZE_BY").is_none(), "{started}");
        server.stop().await;
    }
}

/// The curl command of `docs/interfaces/campaign-group-status.md`, with the test's own receiver.
#[tokio::test]
async fn the_command_of_the_documentation_works() {
    let page = include_str!("../../../../docs/interfaces/campaign-group-status.md");
    let (_, body) = page.split_once("-d '").unwrap();
    let (body, _) = body.split_once("'\n```").unwrap();
    let mut sink: Value = serde_json::from_str(body).unwrap();
    for database in databases() {
        let server = Server::start_sixty_times_as_fast(database).await;
        let admin = server.tenant("A").await;
        let receiver = Receiver::start().await;
        sink["target"]["url"] = json!(receiver.url);
        admin.create("/v1/sinks", sink.clone()).await;
        let Centre { group, .. } = centre(&admin).await;
        let actions = format!("/v1/campaign-groups/{group}/actions");
        admin.post(&actions, json!({"action": "load"})).await.expect(200);
        let loaded = receiver.hear("the load", |told| told.body["GSW_CAMPAIGN_GROUP_ACTION"] == 7).await;
        assert_eq!(loaded.body["GSW_TENANT_NAME"], "Acme");
        server.stop().await;
    }
}

/// > GSW_TENANT_NAME … GSW_CAMPAIGN_TEMPLATE_NAME (if present in configuration) … GSW_QUEUE_NAME: Name of the Voice
/// > Transfer Destination DN
#[tokio::test]
async fn what_is_configured_is_told() {
    for database in databases() {
        let server = Server::start_sixty_times_as_fast(database).await;
        let names = json!({"kinds": ["group.state"], "tenant_name": "Acme", "tenant_id": "ccid-1"});
        let scene = scene(&server, names).await;
        let path = format!("/v1/campaigns/{}", scene.centre.campaign);
        let mut campaign = scene.admin.get(&path).await.expect(200).body;
        campaign["template_name"] = json!("Seasons");
        scene.admin.put(&path, "\"1\"", campaign).await.expect(200);
        let path = format!("/v1/campaign-groups/{}", scene.centre.group);
        let mut group = scene.admin.get(&path).await.expect(200).body;
        group["queue_name"] = json!("8001@switch");
        scene.admin.put(&path, "\"1\"", group).await.expect(200);
        scene.act("load").await;
        let body = scene.told_of(4, 7).await.body;
        assert_eq!(body["GSW_TENANT_NAME"], "Acme");
        assert_eq!(body["GSW_TENANT_CCID"], "ccid-1");
        assert_eq!(body["GSW_CAMPAIGN_TEMPLATE_NAME"], "Seasons");
        assert_eq!(body["GSW_QUEUE_NAME"], "8001@switch");
        server.stop().await;
    }
}

/// > Campaign activity--generated periodically at a user-defined interval
#[tokio::test]
async fn activity_of_an_active_group_is_reported_at_an_interval_with_figures() {
    for database in databases() {
        let server = Server::start_sixty_times_as_fast(database).await;
        // A message a second of real time, and a span as long as the group lives.
        let activity = json!({"kinds": ["group.activity"], "activity_seconds": 60, "window_seconds": 86400});
        let scene = scene(&server, activity).await;
        scene.act("load").await;
        let idle = scene.told_of(4, 7).await.body;
        assert_eq!(idle["GSW_STAT_HIT_RATIO"], Value::Null, "nobody was called yet: {idle}");
        assert_eq!(idle["GSW_STAT_OVERDIAL_RATE"], Value::Null);
        assert_eq!(idle["GSW_STAT_BUSY_FACTOR"], Value::Null, "nobody is at work");
        assert_eq!(idle["GSW_STAT_TIME_TO_COMPLETE"], Value::Null, "twenty are left and nobody calls them");
        let _socket = scene.log_an_agent_in(&server).await;
        scene.act("start").await;
        let with_figures = |told: &Told| {
            let of_list = &told.body["GSW_CALLING_LISTS"][0];
            told.body["GSW_DIAL_MODE"] == 2
                && told.body["GSW_STAT_HIT_RATIO"].is_number()
                && of_list["GSW_STAT_HIT_RATIO"].is_number()
                && told.body["GSW_STAT_BUSY_FACTOR"].as_f64().is_some_and(|share| share > 0.0)
        };
        let running = scene.receiver.hear("activity with figures", with_figures).await.body;
        for share in ["GSW_STAT_HIT_RATIO", "GSW_STAT_BUSY_FACTOR"] {
            let share = running[share].as_f64().unwrap();
            assert!((0.0..=1.0).contains(&share), "{running}");
        }
        assert_eq!(running["GSW_CALLING_LISTS"][0]["GSW_CALLING_LIST"], "List");
        let instants: BTreeSet<String> =
            scene.receiver.taken().iter().map(|body| body["GSW_DATE_TIME"].to_string()).collect();
        assert!(instants.len() > 1, "one message is no period: {instants:?}");

        // The figures are those of the attempts as they are stored.
        scene.act("stop").await;
        let path = format!("/v1/attempts?campaign={}&limit=1000", scene.centre.campaign);
        let all_settled = |answer: &crate::support::Answer| {
            answer.body["items"].as_array().unwrap().iter().all(|attempt| !attempt["settled_at"].is_null())
        };
        // A call in wrap-up ends with the agent's session.
        let attempts = until(|| scene.admin.get(&path), all_settled).await;
        let attempts = attempts.body["items"].as_array().unwrap().clone();
        let of_people =
            ["answer", "abandoned", "dropped", "wrong_party", "wrong_number", "agent_callback_error"];
        let by_people = |attempt: &&Value| of_people.contains(&attempt["result"].as_str().unwrap());
        let hits = attempts.iter().filter(by_people).count() as f64;
        let ratio = hits / attempts.len() as f64;
        let as_stored = |told: &Told| {
            told.body["GSW_CAMPAIGN_GROUP_ACTION"] == 10
                && told.body["GSW_STAT_HIT_RATIO"].as_f64().is_some_and(|told| (told - ratio).abs() < 1e-9)
        };
        scene.receiver.hear(&format!("a hit ratio of {ratio}"), as_stored).await;
        server.stop().await;
    }
}

/// > 3 -- Actor Type Self (actions invoked by Campaign Group internal logic)
#[tokio::test]
async fn what_a_group_does_by_itself_is_told_as_its_own() {
    for database in databases() {
        let server = Server::start_sixty_times_as_fast(database).await;
        let scene = scene(&server, json!({"kinds": ["group.state"]})).await;
        let admin = &scene.admin;
        let empty = admin.create("/v1/campaigns", json!({"name": "Empty"})).await;
        let skill = &scene.centre.skill;
        let settings = json!({"auto_complete": true});
        let group = json!({"name": "Done soon", "campaign": empty, "skill": skill, "settings": settings});
        let group = admin.create("/v1/campaign-groups", group).await;
        let _socket = scene.log_an_agent_in(&server).await;
        let actions = format!("/v1/campaign-groups/{group}/actions");
        admin.post(&actions, json!({"action": "load"})).await.expect(200);
        admin.post(&actions, json!({"action": "start"})).await.expect(200);
        let unloaded = |told: &Told| told.body["GSW_CAMPAIGN_GROUP_STATE"] == 0;
        let unloaded = scene.receiver.hear("the unloading", unloaded).await.body;
        assert_eq!(unloaded["GSW_CAMPAIGN_GROUP_ACTOR"], 3, "{unloaded}");
        assert_eq!(unloaded["GSW_CAMPAIGN_GROUP_NAME"], "Done soon");
        server.stop().await;
    }
}

/// > There is no error-handling carried out by this feature. If the message to the external system (Campaign Manager)
/// > fails, no post-processing or retries are executed.
#[tokio::test]
async fn in_the_seeds_way_a_message_that_fails_is_not_sent_again() {
    for database in databases() {
        let server = Server::start_sixty_times_as_fast(database).await;
        let scene = scene(&server, json!({"kinds": ["group.state"], "delivery": "fire_and_forget"})).await;
        scene.receiver.answer_with(|body| if body["GSW_CAMPAIGN_GROUP_ACTION"] == 7 { 503 } else { 200 });
        scene.act("load").await;
        scene.told_of(4, 7).await;
        scene.act("start").await;
        scene.told_of(5, 9).await;
        scene.act("stop").await;
        scene.told_of(4, 10).await;
        let loads = scene.receiver.told().into_iter().filter(|told| told.status == 503).count();
        assert_eq!(loads, 1, "the message that failed was sent again");
        let sinks = scene.admin.get("/v1/sinks").await.expect(200);
        let path = format!("/v1/sinks/{}/status", sinks.items("id")[0]);
        let status = until(|| scene.admin.get(&path), |status| status.body["delivered"] == 2).await;
        assert_eq!((&status.body["lost"], &status.body["dead"]), (&json!(1), &json!(0)), "{}", status.body);
        server.stop().await;
    }
}

/// The vendor's other notifications: two call report records for each attempt, and one for each contact processed.
#[tokio::test]
async fn each_attempt_is_reported_at_its_start_and_its_end_and_each_contact_when_it_is_processed() {
    for database in databases() {
        let server = Server::start_sixty_times_as_fast(database).await;
        let kinds = json!(["attempt.started", "attempt.settled", "contact.planned"]);
        let scene = scene(&server, json!({ "kinds": kinds })).await;
        let _socket = scene.log_an_agent_in(&server).await;
        scene.act("load").await;
        scene.act("start").await;
        let last = scene.receiver.hear("an end", |told| told.body["GSW_HIST_SEQUENCE_NUM"] == 1).await.body;
        let attempt = last["GSW_CALL_ATTEMPT_GUID"].clone();
        assert!(last["GSW_CALL_RESULT"].is_i64(), "{last}");
        assert_eq!(last["GSW_CALLING_LIST"], "List");
        assert!(last["GSW_PHONE"].as_str().unwrap().starts_with("+1415555"), "{last}");
        let is_of = |told: &Told, sequence: Value| {
            told.body["GSW_CALL_ATTEMPT_GUID"] == attempt && told.body["GSW_HIST_SEQUENCE_NUM"] == sequence
        };
        let told = scene.receiver.told();
        let first = told.iter().position(|told| is_of(told, json!(0))).expect("the record of the start");
        let second = told.iter().position(|told| is_of(told, json!(1))).unwrap();
        assert!(first < second, "the end was told before the start");
        assert!(told[first].body.get("GSW_CALL_RESULT").is_none(), "{}", told[first].text);
        let is_processed = |told: &Told| is_of(told, Value::Null);
        let template = include_str!("../../../../contrib/elasticsearch/outdial-ocs.template.json");
        let template: Value = serde_json::from_str(template).unwrap();
        for record in scene.receiver.taken() {
            for name in record.as_object().unwrap().keys() {
                let mapped = &template["template"]["mappings"]["properties"][name];
                assert!(mapped.is_object(), "{name} is not in the index template");
            }
        }
        let processed = scene.receiver.hear("the contact", is_processed).await.body;
        assert_eq!(processed["GSW_CHAIN_ID"], last["GSW_CHAIN_ID"]);
        assert!(processed["GSW_RECORD_STATUS"].is_i64(), "{processed}");
        server.stop().await;
    }
}
