//! What users configure.

use serde_json::{Value, json};
use store::testing::TestDatabase;
use web::WebSettings;

use crate::support::{Caller, Server};

/// A path and a body for each kind, in an order in which each finds what it names.
async fn one_of_each(admin: &Caller<'_>) -> Vec<(&'static str, String, Value)> {
    let mut made: Vec<(&'static str, String, Value)> = Vec::new();
    let map = json!({"columns": [
        {"column": "Id", "target": "external_id"}, {"column": "Tel", "target": {"phone": {"order": 1}}},
    ]});
    let day = json!([{"from": "09:00", "until": "20:00"}]);
    for path in [
        "/v1/skills",
        "/v1/calling-hours",
        "/v1/treatment-sets",
        "/v1/suppression-lists",
        "/v1/caller-id-pools",
        "/v1/agents",
        "/v1/campaigns",
        "/v1/campaign-groups",
        "/v1/sources",
        "/v1/source-maps",
    ] {
        let id = |path: &str| made.iter().find(|(other, ..)| *other == path).map(|(_, id, _)| id.clone());
        let body = match path {
            "/v1/calling-hours" => json!({"name": "Days", "hours": {"weekly": {"monday": day}}}),
            "/v1/treatment-sets" => {
                json!({"name": "Busy", "treatments": [{"when": {"results": ["busy"]}, "then": {"action": "retry_in", "minutes": 5}}]})
            }
            "/v1/caller-id-pools" => json!({
                "name": "London", "numbers": [{"number": "+442079460001", "calls_per_day_max": 50}],
                "choose": "same_area", "sticky": true, "calls_per_hour_max": 9, "when_used_up": "campaign",
            }),
            "/v1/agents" => {
                json!({"name": "Ann", "skills": [{"skill": id("/v1/skills"), "proficiency": 80}]})
            }
            "/v1/campaigns" => json!({
                "name": "Winter", "calling_hours": id("/v1/calling-hours"), "treatments": id("/v1/treatment-sets"),
                "suppression_lists": [id("/v1/suppression-lists")], "attempts_max": 4,
                "caller_id": "+442079460002", "caller_id_pool": id("/v1/caller-id-pools"),
            }),
            "/v1/campaign-groups" => {
                json!({"name": "Team", "campaign": id("/v1/campaigns"), "skill": id("/v1/skills")})
            }
            "/v1/sources" => {
                json!({"name": "List", "campaign": id("/v1/campaigns"), "default_country": "FR"})
            }
            "/v1/source-maps" => json!({"name": "Map", "source": id("/v1/sources"), "map": map}),
            _ => json!({"name": "First"}),
        };
        let id = admin.create(path, body.clone()).await;
        made.push((path, id, body));
    }
    made
}

/// Whether an answer holds what was sent; defaults may have been added.
fn holds(answer: &Value, sent: &Value) -> bool {
    match (answer, sent) {
        (Value::Object(answer), Value::Object(sent)) => {
            sent.iter().all(|(name, value)| answer.get(name).is_some_and(|answer| holds(answer, value)))
        }
        (Value::Array(answer), Value::Array(sent)) => {
            answer.len() == sent.len() && answer.iter().zip(sent).all(|(answer, sent)| holds(answer, sent))
        }
        _ => answer == sent,
    }
}

#[tokio::test]
async fn every_kind_can_be_created_read_changed_and_deleted() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let made = one_of_each(&admin).await;
        for (path, id, body) in made.iter().rev() {
            let place = format!("{path}/{id}");
            let read = admin.get(&place).await.expect(200);
            assert_eq!(read.header("etag"), "\"1\"", "{path}");
            assert!(holds(&read.body, body), "{path}: {} does not hold {body}", read.body);
            let mut changed = body.clone();
            changed["name"] = json!("Renamed");
            let updated = admin.put(&place, "\"1\"", changed.clone()).await.expect(200);
            assert_eq!((updated.text("name"), updated.header("etag")), ("Renamed", "\"2\""), "{path}");
            admin.put(&place, "\"1\"", changed).await.expect_problem(412, "stale_version");
            admin.delete(&place, "\"1\"").await.expect_problem(412, "stale_version");
            admin.delete(&place, "\"2\"").await.expect(204);
            admin.get(&place).await.expect_problem(404, "not_found");
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn a_created_thing_says_where_it_is_and_in_which_version() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let made = admin.post("/v1/skills", json!({"name": "Sales"})).await.expect(201);
        assert_eq!(made.header("location"), format!("/v1/skills/{}", made.text("id")));
        assert_eq!(made.header("etag"), "\"1\"");
        admin.get(made.header("location")).await.expect(200);
    }
}

#[tokio::test]
async fn what_was_read_can_be_sent_back_with_a_change() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let place =
            format!("/v1/campaigns/{}", admin.create("/v1/campaigns", json!({"name": "Winter"})).await);
        let read = admin.get(&place).await.expect(200);
        let mut body = read.body.clone();
        body["attempts_max"] = json!(3);
        let changed = admin.put(&place, read.header("etag"), body).await.expect(200);
        assert_eq!((&changed.body["attempts_max"], &changed.body["version"]), (&json!(3), &json!(2)));
        assert_eq!(changed.body["id"], read.body["id"]);
        let misspelt = json!({"name": "Winter", "attempt_max": 3});
        admin.put(&place, "\"2\"", misspelt).await.expect_problem(422, "bad_body");
    }
}

#[tokio::test]
async fn a_change_without_the_version_it_is_based_on_is_refused() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let place = format!("/v1/skills/{}", admin.create("/v1/skills", json!({"name": "Sales"})).await);
        let put = admin.request(reqwest::Method::PUT, &place).json(&json!({"name": "Other"}));
        crate::support::Answer::to(put).await.expect_problem(428, "if_match_required");
        let delete = admin.request(reqwest::Method::DELETE, &place);
        crate::support::Answer::to(delete).await.expect_problem(428, "if_match_required");
        assert_eq!(admin.get(&place).await.text("name"), "Sales");
    }
}

#[tokio::test]
async fn listings_come_page_by_page_and_hold_everything_once() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        for number in 0..7 {
            admin.create("/v1/skills", json!({"name": format!("skill {number}")})).await;
        }
        let (mut names, mut path) = (Vec::new(), "/v1/skills?limit=3".to_owned());
        loop {
            let page = admin.get(&path).await.expect(200);
            assert!(page.items("name").len() <= 3);
            names.extend(page.items("name").into_iter().map(str::to_owned));
            match page.body["next"].as_str() {
                Some(next) => path = format!("/v1/skills?limit=3&after={next}"),
                None => {
                    assert_eq!(page.header("link"), "", "the last page leads nowhere");
                    break;
                }
            }
            assert_eq!(page.header("link"), format!("<{path}>; rel=\"next\""));
        }
        let expected: Vec<String> = (0..7).map(|number| format!("skill {number}")).collect();
        names.sort();
        assert_eq!(names, expected);
        admin.get("/v1/skills?limit=0").await.expect_problem(422, "bad_limit");
        admin.get("/v1/skills?after=nonsense").await.expect_problem(422, "bad_cursor");
        admin.get("/v1/skills?limit=many").await.expect_problem(400, "bad_query");
    }
}

#[tokio::test]
async fn what_is_named_must_exist_and_what_is_needed_stays() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let nobody = "0190a1b2-0000-7000-8000-000000000001";
        let agent = json!({"name": "Ann", "skills": [{"skill": nobody}]});
        let problem = admin.post("/v1/agents", agent).await.expect_problem(422, "unknown_reference");
        assert!(problem.text("field").starts_with("skills"), "{}", problem.body);
        let skill = admin.create("/v1/skills", json!({"name": "Sales"})).await;
        admin.create("/v1/agents", json!({"name": "Ann", "skills": [{"skill": skill}]})).await;
        let problem =
            admin.delete(&format!("/v1/skills/{skill}"), "\"1\"").await.expect_problem(409, "in_use");
        assert!(problem.text("detail").contains("Ann"), "{}", problem.body);
    }
}

#[tokio::test]
async fn a_name_is_unique_whatever_its_case() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        admin.create("/v1/skills", json!({"name": "Sales"})).await;
        admin.post("/v1/skills", json!({"name": "SALES"})).await.expect_problem(409, "name_taken");
        server.tenant("B").await.create("/v1/skills", json!({"name": "Sales"})).await;
    }
}

#[tokio::test]
async fn errors_call_things_as_people_do() {
    let server = Server::start(TestDatabase::sqlite(), WebSettings::default()).await;
    let admin = server.tenant("A").await;
    let numbers = json!([{"number": "+442079460000"}]);
    for (path, body, words) in [
        ("calling-hours", json!({"name": "A", "hours": {"weekly": {}}}), "set of calling hours"),
        ("caller-id-pools", json!({"name": "A", "numbers": numbers}), "caller id pool"),
        ("detection-profiles", json!({"name": "A"}), "detection profile"),
        ("suppression-lists", json!({"name": "A"}), "suppression list"),
        ("treatment-sets", json!({"name": "A", "treatments": []}), "treatment set"),
    ] {
        let path = format!("/v1/{path}");
        let id = admin.create(&path, body.clone()).await;
        let taken = admin.post(&path, body).await.expect_problem(409, "name_taken");
        assert_eq!(taken.text("detail"), format!("another {words} has this name: choose another"));
        admin.delete(&format!("{path}/{id}"), "\"1\"").await.expect(204);
        let gone = admin.get(&format!("{path}/{id}")).await.expect_problem(404, "not_found");
        assert_eq!(gone.text("detail"), format!("there is no {words} {id}"));
    }
}

#[tokio::test]
async fn the_order_of_a_campaign_with_contacts_is_fixed() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let (campaign, source) = admin.campaign_and_source().await;
        let contact = json!({"external_id": "1", "phones": [{"number": "+14155550100"}]});
        admin.post(&format!("/v1/sources/{source}/contacts"), contact).await.expect(201);
        let place = format!("/v1/campaigns/{campaign}");
        let changed = json!({"name": "Winter", "feed_order": "newest_first"});
        admin.put(&place, "\"1\"", changed).await.expect_problem(409, "feed_order_is_fixed");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_listing_is_narrowed_by_name_and_by_what_things_belong_to() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let winter = admin.create("/v1/campaigns", json!({"name": "Winter"})).await;
        let summer = admin.create("/v1/campaigns", json!({"name": "Summer"})).await;
        for campaign in [&winter, &summer] {
            admin.create("/v1/sources", json!({"name": "List", "campaign": campaign})).await;
        }
        let ids = async |query: &str| {
            let found = admin.get(&format!("/v1/sources?{query}")).await.expect(200);
            found.items("id").into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(ids("name=LIST").await.len(), 2);
        assert_eq!(ids("name=Other").await.len(), 0);
        let of_winter = ids(&format!("campaign={winter}")).await;
        assert_eq!(of_winter.len(), 1);
        assert_eq!(ids(&format!("parent={winter}")).await, of_winter);
        assert_eq!(ids(&format!("name=list&campaign={winter}")).await, of_winter);
        let two = admin.get(&format!("/v1/sources?parent={winter}&campaign={summer}")).await;
        two.expect_problem(400, "bad_query");
        let found = admin.get("/v1/campaigns?name=winter").await.expect(200);
        assert_eq!(found.items("id"), [winter.as_str()]);
    }
}
