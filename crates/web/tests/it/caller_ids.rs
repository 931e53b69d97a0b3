//! The numbers that calls show: pools over the API, and what a group does with them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use store::testing::{TestDatabase, databases};

use crate::dialling::{Centre, centre_with};
use crate::support::{Answer, Caller, Server, until};

/// Makes it noon for the tenant, so that no day ends during a test.
async fn at_noon(admin: &Caller<'_>) {
    let events = admin.get("/v1/live").await.expect(200);
    let hour: i32 = events.text("at")[11..13].parse().unwrap();
    // The signs of these zones are the other way round: Etc/GMT-2 is two hours ahead of UTC.
    let zone = format!("Etc/GMT{:+}", hour - 12).replace("GMT+0", "GMT");
    admin.put("/v1/tenant", "*", json!({ "zone": zone })).await.expect(200);
}

async fn add(admin: &Caller<'_>, source: &str, numbers: &[&str]) {
    for number in numbers {
        let contact = json!({"external_id": number, "phones": [{"number": number}]});
        admin.post(&format!("/v1/sources/{source}/contacts"), contact).await.expect(201);
    }
}

/// Dials without agents, everybody at once, with these further settings.
async fn run(admin: &Caller<'_>, centre: &Centre, further: Value) {
    let message = json!({"name": "Order", "text": "Your order is here. To be called no more, press 1."});
    let message = admin.create("/v1/messages", message).await;
    let mut settings = json!({"dial_mode": "agentless", "agentless": {"ports": 9, "message": message}});
    settings.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    let Centre { campaign, group, skill, .. } = centre;
    let body = json!({"name": "Team", "campaign": campaign, "skill": skill, "settings": settings});
    admin.put(&format!("/v1/campaign-groups/{group}"), "\"1\"", body).await.expect(200);
    for action in ["load", "start"] {
        admin
            .post(&format!("/v1/campaign-groups/{group}/actions"), json!({ "action": action }))
            .await
            .expect(200);
    }
}

async fn source(admin: &Caller<'_>) -> String {
    admin.get("/v1/sources").await.expect(200).items("id")[0].to_owned()
}

/// What each called number was shown, once there are so many attempts.
async fn shown(admin: &Caller<'_>, count: usize) -> BTreeMap<String, String> {
    let attempts = until(|| admin.get("/v1/attempts"), |found| found.items("id").len() >= count).await;
    let text = |value: &Value| value.as_str().unwrap_or("nothing").to_owned();
    let items = attempts.body["items"].as_array().unwrap().iter();
    items.map(|attempt| (text(&attempt["number"]), text(&attempt["caller_id"]))).collect()
}

async fn until_used_up(admin: &Caller<'_>, group: &str) -> Answer {
    let status = format!("/v1/campaign-groups/{group}/status");
    until(|| admin.get(&status), |status| status.body["live"]["idle_reason"] == "caller_ids_used_up").await
}

#[tokio::test]
async fn a_call_shows_the_number_of_the_called_area_until_the_pool_is_used_up_and_then_waits() {
    for database in databases() {
        let server = Server::start_sixty_times_as_fast(database).await;
        let admin = server.tenant("A").await;
        let centre = centre_with(&admin, 0).await;
        at_noon(&admin).await;
        // New York, Los Angeles, London; all of these people are busy.
        let numbers: Vec<Value> = ["+12125550190", "+13105550190", "+442079460001"]
            .map(|number| json!({ "number": number }))
            .into();
        let pool =
            json!({"name": "Areas", "numbers": numbers, "choose": "same_area", "calls_per_day_max": 2});
        let pool_id = admin.create("/v1/caller-id-pools", pool.clone()).await;
        let people = ["+12125550101", "+13105550111", "+447700900001"];
        let list = source(&admin).await;
        add(&admin, &list, &people).await;
        run(&admin, &centre, json!({ "caller_id_pool": pool_id })).await;
        let first = shown(&admin, 3).await;
        let wanted = [
            ("+12125550101", "+12125550190"),
            ("+13105550111", "+13105550190"),
            ("+447700900001", "+442079460001"),
        ];
        assert_eq!(first, wanted.map(|(to, from)| (to.to_owned(), from.to_owned())).into());

        // Three calls are left to the pool, for seven people.
        let more: Vec<String> = (2..9).map(|t| format!("+121255501{t}1")).collect();
        add(&admin, &list, &more.iter().map(String::as_str).collect::<Vec<_>>()).await;
        until_used_up(&admin, &centre.group).await;
        let attempts = admin.get("/v1/attempts").await.expect(200);
        assert_eq!(attempts.items("id").len(), 6, "two calls for each of three numbers: {}", attempts.body);
        let mut pool = pool;
        pool["calls_per_day_max"] = json!(3);
        admin.put(&format!("/v1/caller-id-pools/{pool_id}"), "\"1\"", pool).await.expect(200);
        shown(&admin, 9).await;
        until_used_up(&admin, &centre.group).await;
        assert_eq!(admin.get("/v1/attempts").await.expect(200).items("id").len(), 9);
        server.stop().await;
    }
}

#[tokio::test]
async fn the_phone_goes_before_the_list_before_the_group_before_the_campaign() {
    for database in databases() {
        let server = Server::start_sixty_times_as_fast(database).await;
        let admin = server.tenant("A").await;
        let centre = centre_with(&admin, 0).await;
        at_noon(&admin).await;
        let pool = json!({"name": "One", "numbers": [{"number": "+442079460003"}], "calls_per_day_max": 1, "when_used_up": "campaign"});
        let pool = admin.create("/v1/caller-id-pools", pool).await;
        let campaign = &centre.campaign;
        let own = json!({"name": "With its own", "campaign": campaign, "caller_id": "+442079460002"});
        let own = admin.create("/v1/sources", own).await;
        let phone = json!({"number": "+447700900021", "caller_id": "+442079460001"});
        let contact = json!({"external_id": "first", "phones": [phone], "priority": 90});
        admin.post(&format!("/v1/sources/{own}/contacts"), contact).await.expect(201);
        add(&admin, &own, &["+447700900031"]).await;
        add(&admin, &source(&admin).await, &["+447700900041", "+447700900051"]).await;
        // Whoever comes second of the two without any number of their own sees the campaign's: the pool has one call.
        let mut body = admin.get(&format!("/v1/campaigns/{campaign}")).await.expect(200).body;
        body["caller_id"] = json!("+442079460004");
        admin.put(&format!("/v1/campaigns/{campaign}"), "\"1\"", body).await.expect(200);
        run(&admin, &centre, json!({ "caller_id_pool": pool })).await;
        let shown = shown(&admin, 4).await;
        assert_eq!(shown["+447700900021"], "+442079460001", "{shown:?}");
        assert_eq!(shown["+447700900031"], "+442079460002", "{shown:?}");
        let mut rest = [shown["+447700900041"].as_str(), shown["+447700900051"].as_str()];
        rest.sort_unstable();
        assert_eq!(rest, ["+442079460003", "+442079460004"], "{shown:?}");
        server.stop().await;
    }
}

#[tokio::test]
async fn who_is_called_again_sees_the_same_number_of_a_sticky_pool() {
    for database in databases() {
        let server = Server::start_sixty_times_as_fast(database).await;
        let admin = server.tenant("A").await;
        let centre = centre_with(&admin, 0).await;
        at_noon(&admin).await;
        let numbers = ["+442079460001", "+442079460002"].map(|number| json!({ "number": number }));
        let pool = json!({"name": "Two", "numbers": numbers, "sticky": true});
        let pool = admin.create("/v1/caller-id-pools", pool).await;
        let again = json!({"name": "Soon", "treatments": [{"then": {"action": "retry_in", "minutes": 1}}]});
        let again = admin.create("/v1/treatment-sets", again).await;
        let place = format!("/v1/campaigns/{}", centre.campaign);
        let mut body = admin.get(&place).await.expect(200).body;
        body["treatments"] = json!(again);
        admin.put(&place, "\"1\"", body).await.expect(200);
        add(&admin, &source(&admin).await, &["+447700900001"]).await;
        run(&admin, &centre, json!({ "caller_id_pool": pool })).await;
        let attempts = until(|| admin.get("/v1/attempts"), |found| found.items("id").len() >= 3).await;
        let mut shown = attempts.items("caller_id");
        shown.dedup();
        assert_eq!(shown.len(), 1, "{}", attempts.body);
        server.stop().await;
    }
}

async fn a_kill_forgets_no_call(database: TestDatabase) {
    let life = tokio::runtime::Runtime::new().unwrap();
    let server = life.spawn(Server::start(database, web::WebSettings::default())).await.unwrap();
    let admin = server.tenant("A").await;
    let centre = centre_with(&admin, 0).await;
    at_noon(&admin).await;
    let pool = json!({"name": "One", "numbers": [{"number": "+442079460003", "calls_per_day_max": 2}]});
    let pool = admin.create("/v1/caller-id-pools", pool).await;
    add(&admin, &source(&admin).await, &["+447700900001", "+447700900011", "+447700900021"]).await;
    run(&admin, &centre, json!({ "caller_id_pool": pool })).await;
    shown(&admin, 2).await;
    let key = admin.key().to_owned();
    let server = server.killed_and_restarted(life).await;
    let admin = server.with_key(&key);
    until_used_up(&admin, &centre.group).await;
    let called = shown(&admin, 2).await;
    assert_eq!(called.len(), 2, "the third is not called");
    let contacts = admin.get(&format!("/v1/contacts?campaign={}", centre.campaign)).await.expect(200);
    let waits = contacts.body["items"].as_array().unwrap().iter().find(|contact| {
        let number = contact["phones"][0]["number"].as_str().unwrap();
        !called.contains_key(number)
    });
    let why = format!("/v1/contacts/{}/why-not", waits.unwrap()["id"].as_str().unwrap());
    let rules = admin.get(&why).await.expect(200);
    let rules: Vec<&str> =
        rules.body["reasons"].as_array().unwrap().iter().map(|it| it["rule"].as_str().unwrap()).collect();
    assert_eq!(rules, ["caller_ids_used_up", "in_hopper"]);
    server.stop().await;
}

#[tokio::test]
async fn what_a_pool_has_shown_today_survives_a_kill() {
    for database in databases() {
        a_kill_forgets_no_call(database).await;
    }
}

#[tokio::test]
async fn a_pool_that_cannot_be_is_refused_and_the_number_is_named() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let refused = async |numbers: Value, further: Value, code: &str| {
            let mut pool = json!({"name": "Pool", "numbers": numbers});
            pool.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
            admin.post("/v1/caller-id-pools", pool).await.expect_problem(422, code)
        };
        let (one, none) = (json!({"number": "+442079460001"}), json!({}));
        let empty = refused(json!([]), none.clone(), "missing").await;
        assert_eq!(empty.text("field"), "numbers");
        let twice =
            refused(json!([one, {"number": "+442079460002"}, one]), none.clone(), "named_twice").await;
        assert_eq!(twice.text("field"), "numbers[2].number");
        assert!(twice.text("detail").contains("numbers[0]"), "{}", twice.body);
        let nowhere = refused(json!([one, {"number": "+99912345678"}]), none.clone(), "bad_number").await;
        assert_eq!(nowhere.text("field"), "numbers[1].number");
        let limit = json!([one, {"number": "+442079460002", "calls_per_day_max": 0}]);
        let limit = refused(limit, none.clone(), "out_of_range").await;
        assert_eq!(limit.text("field"), "numbers[1].calls_per_day_max");
        let hourly = refused(json!([one]), json!({"calls_per_hour_max": 1_000_001}), "out_of_range").await;
        assert_eq!(hourly.text("field"), "calls_per_hour_max");
        let numbers: Vec<Value> = (0..1001).map(|n| json!({"number": format!("+44207946{n:04}")})).collect();
        refused(json!(numbers), none.clone(), "too_many").await;
        let national = refused(json!([one, {"number": "020 7946 0002"}]), none.clone(), "bad_body").await;
        let detail = national.text("detail");
        assert!(detail.contains("numbers[1].number") && detail.contains("give '+'"), "{detail}");

        let pool = admin.create("/v1/caller-id-pools", json!({"name": "Pool", "numbers": [one]})).await;
        let place = format!("/v1/caller-id-pools/{pool}");
        let changed = json!({"name": "Pool", "numbers": [one, {"number": "1"}]});
        let changed = admin.put(&place, "\"1\"", changed).await.expect_problem(422, "bad_body");
        assert!(changed.text("detail").contains("numbers[1].number"), "{}", changed.body);
        // Whoever names a pool needs it, and another tenant's is none.
        let campaign = json!({"name": "Winter", "caller_id_pool": pool});
        let campaign_id = admin.create("/v1/campaigns", campaign.clone()).await;
        let needed = admin.delete(&place, "\"1\"").await.expect_problem(409, "in_use");
        assert!(needed.text("detail").contains("Winter"), "{}", needed.body);
        let stranger = server.tenant("B").await;
        stranger.get(&place).await.expect_problem(404, "not_found");
        let unknown = stranger.post("/v1/campaigns", campaign).await.expect_problem(422, "unknown_reference");
        assert_eq!(unknown.text("field"), "caller_id_pool");
        let list = json!({"name": "List", "campaign": campaign_id, "caller_id_pool": campaign_id});
        admin.post("/v1/sources", list).await.expect_problem(422, "unknown_reference");
        let agent = admin.with_role("agent").await;
        agent
            .post("/v1/caller-id-pools", json!({"name": "Mine", "numbers": [one]}))
            .await
            .expect_problem(403, "forbidden");
        admin.delete(&format!("/v1/campaigns/{campaign_id}"), "\"1\"").await.expect(204);
        admin.delete(&place, "\"1\"").await.expect(204);
    }
}

/// A node by itself, as on SQLite, has nobody to ask.
#[tokio::test]
async fn what_another_node_shows_counts_within_seconds() {
    let database = TestDatabase::postgres();
    let store = database.store.clone();
    let server = Server::start(database, web::WebSettings::default()).await;
    let admin = server.tenant("A").await;
    let centre = centre_with(&admin, 0).await;
    at_noon(&admin).await;
    let pool = json!({"name": "One", "numbers": [{"number": "+442079460003", "calls_per_day_max": 500}]});
    let pool = admin.create("/v1/caller-id-pools", pool).await;
    run(&admin, &centre, json!({ "caller_id_pool": pool })).await;
    let list = source(&admin).await;
    add(&admin, &list, &["+447700900001"]).await;
    shown(&admin, 1).await;
    let ids = [admin.get("/v1/tenant").await.text("id"), &centre.campaign]
        .map(|id| id.parse::<uuid::Uuid>().unwrap());
    let [tenant, campaign] = ids;
    let insert = "INSERT INTO attempt (id, tenant_id, campaign_id, group_id, contact_id, phone, number, attempt_number,
                      dial_mode, caller_id, epoch, state, started_at)
                  SELECT gen_random_uuid(), $1, $2, gen_random_uuid(), gen_random_uuid(), 0, 447700900011, 1, 0,
                         442079460003, 1, 2, started_at FROM attempt, generate_series(1, 500)";
    store.write(move |tx| tx.execute(insert, &store::values![tenant, campaign])).await.unwrap();
    let path = format!("/v1/campaign-groups/{}/status", centre.group);
    let mut called = 0;
    for area in 212..272 {
        add(&admin, &list, &[format!("+1{area}5550101").as_str()]).await;
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        called += 1;
        if admin.get(&path).await.body["live"]["idle_reason"] == "caller_ids_used_up" {
            break;
        }
    }
    assert!(called < 60, "the calls of the other node are never counted");
    until_used_up(&admin, &centre.group).await;
    server.stop().await;
}
