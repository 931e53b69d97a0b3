//! Callbacks over the API: made, listed, changed, taken back, kept and missed.

use reqwest::Method;
use serde_json::{Value, json};
use store::testing::databases;

use crate::agent_session::{hear, open, say};
use crate::dialling::{Centre, centre_with};
use crate::support::{Answer, Caller, Server, until};

/// Every hundredth test number from 00 on answers.
const ANSWERS: &str = "+14155550130";

async fn change(admin: &Caller<'_>, id: &str, body: Value) -> Answer {
    Answer::to(admin.request(Method::PUT, &format!("/v1/callbacks/{id}")).json(&body)).await
}

#[tokio::test]
async fn a_callback_is_made_with_its_contact_and_can_be_read_and_listed() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let Centre { campaign, group, skill, agent } = centre_with(&admin, 0).await;
        let asked = json!({"number": ANSWERS, "skill": skill, "agent": agent, "due": "2030-01-31T09:30:00+01:00",
                           "first_name": "Zoé", "notes": "about the offer"});
        let made = admin.post("/v1/callbacks", asked.clone()).await.expect(201);
        assert_eq!(made.text("state"), "scheduled");
        assert_eq!(made.text("due"), "2030-01-31T08:30:00Z");
        assert_eq!(made.text("valid_until"), "2030-02-01T06:30:00Z", "the group's own validity is 22 hours");
        assert_eq!((made.text("group"), made.text("campaign")), (group.as_str(), campaign.as_str()));
        assert_eq!(made.body["duplicates"], json!([]));
        let id = made.text("id");
        assert_eq!(admin.get(made.header("location")).await.expect(200).text("id"), id);
        let contact = admin.get(&format!("/v1/contacts/{}", made.text("contact"))).await.expect(200);
        assert_eq!(contact.text("state"), "waiting");

        let again = admin.post("/v1/callbacks", asked).await.expect(201);
        assert_eq!(again.body["duplicates"], json!([id]), "another open callback to the number is told");
        let others = json!({"number": "+14155550150", "skill": skill});
        admin.post("/v1/callbacks", others).await.expect(201);
        for (query, count) in [
            (format!("skill={skill}"), 3),
            (format!("agent={agent}"), 2),
            (format!("agent={agent}&limit=1"), 1),
            (format!("group={group}&state=scheduled"), 3),
            ("state=done".to_owned(), 0),
            ("since=2029-01-01T00:00:00Z".to_owned(), 2),
            (format!("number={}", ANSWERS.replace('+', "%2B")), 2),
        ] {
            let listed = admin.get(&format!("/v1/callbacks?{query}")).await.expect(200);
            assert_eq!(listed.items("id").len(), count, "{query}");
        }
        let other = server.tenant("B").await;
        other.get(&format!("/v1/callbacks/{id}")).await.expect_problem(404, "not_found");
        server.stop().await;
    }
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_callback_is_told_at_once_and_nothing_is_made() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let Centre { skill, .. } = centre_with(&admin, 0).await;
        let nobody = "00000000-0000-0000-0000-000000000001";
        let asked = json!({"number": "12", "skill": nobody, "agent": nobody, "due": "2001-01-01T00:00:00Z"});
        let refused = admin.post("/v1/callbacks", asked).await.expect(422);
        let errors = refused.body["errors"].as_array().unwrap();
        let mut codes: Vec<_> = errors.iter().map(|error| error["code"].as_str().unwrap()).collect();
        codes.sort_unstable();
        assert_eq!(codes, ["past_date", "unknown_agent", "unknown_skill"]);
        let bad = json!({"number": "12", "skill": skill});
        admin.post("/v1/callbacks", bad).await.expect_problem(422, "bad_number");
        let idle = admin.create("/v1/skills", json!({"name": "Idle"})).await;
        let unserved = json!({"number": ANSWERS, "skill": idle});
        admin.post("/v1/callbacks", unserved).await.expect_problem(422, "not_outbound_skill");
        let both =
            json!({"number": ANSWERS, "skill": skill, "due": "2030-01-01T00:00:00Z", "date": "2030-01-01"});
        admin.post("/v1/callbacks", both).await.expect_problem(422, "bad_date");
        let agent = admin.with_role("agent").await;
        let good = json!({"number": ANSWERS, "skill": skill});
        agent.post("/v1/callbacks", good).await.expect_problem(403, "forbidden");
        assert_eq!(admin.get("/v1/callbacks").await.expect(200).items("id").len(), 0);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_date_without_an_offset_is_read_in_the_tenants_zone() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let Centre { skill, .. } = centre_with(&admin, 0).await;
        let set =
            |zone: Value| Answer::to(admin.request(Method::PUT, "/v1/tenant").json(&json!({"zone": zone})));
        set(json!("Europe/Nowhere")).await.expect_problem(422, "unknown_zone");
        assert_eq!(set(json!("America/New_York")).await.expect(200).text("zone"), "America/New_York");
        let local = json!({"number": ANSWERS, "skill": skill, "due": "2030-01-31T09:30"});
        assert_eq!(admin.post("/v1/callbacks", local).await.expect(201).text("due"), "2030-01-31T14:30:00Z");
        let apart = json!({"number": ANSWERS, "skill": skill, "date": "2030-07-01", "time": "10:00",
                           "zone": "Europe/Paris"});
        assert_eq!(admin.post("/v1/callbacks", apart).await.expect(201).text("due"), "2030-07-01T08:00:00Z");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_callback_that_waits_can_be_changed_and_taken_back_and_its_contact_follows() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let Centre { skill, agent, .. } = centre_with(&admin, 0).await;
        let asked = json!({"number": ANSWERS, "skill": skill, "agent": agent, "due": "2030-01-31T09:30:00Z"});
        let made = admin.post("/v1/callbacks", asked).await.expect(201);
        let id = made.text("id");
        let later = json!({"due": "2030-03-01T10:00:00Z", "agent": null});
        let changed = change(&admin, id, later).await.expect(200);
        assert_eq!((changed.text("due"), &changed.body["agent"]), ("2030-03-01T10:00:00Z", &Value::Null));
        assert_eq!(changed.text("valid_until"), "2030-03-02T08:00:00Z", "the length of the validity stays");
        let over = json!({"valid_until": "2030-02-01T00:00:00Z"});
        change(&admin, id, over).await.expect_problem(422, "out_of_range");
        let path = format!("/v1/callbacks/{id}/cancel");
        let cancelled = admin.post(&path, json!({"reason": "customer wrote"})).await.expect(200);
        assert_eq!((cancelled.text("state"), cancelled.text("reason")), ("cancelled", "customer wrote"));
        let contact = admin.get(&format!("/v1/contacts/{}", made.text("contact"))).await.expect(200);
        assert_eq!(contact.text("state"), "final");
        admin.post(&path, json!({})).await.expect_problem(409, "callback_not_waiting");
        let events = admin.get("/v1/events?limit=1000").await.expect(200);
        for kind in ["callback.made", "callback.changed", "callback.state"] {
            assert!(events.items("kind").contains(&kind), "no event {kind}");
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn a_due_callback_is_offered_to_its_agent_dialled_and_done() {
    for database in databases() {
        let server = Server::start_sixty_times_as_fast(database).await;
        let admin = server.tenant("A").await;
        let Centre { group, skill, agent, .. } = centre_with(&admin, 0).await;
        let mut socket = open(&server, &format!("agent={agent}"), Some(admin.key())).await.unwrap();
        say(&mut socket, json!({"type": "log_in"})).await;
        say(&mut socket, json!({"type": "ready"})).await;
        let actions = format!("/v1/campaign-groups/{group}/actions");
        for action in ["load", "start"] {
            admin.post(&actions, json!({"action": action})).await.expect(200);
        }
        let asked = json!({"number": ANSWERS, "skill": skill, "agent": agent});
        let made = admin.post("/v1/callbacks", asked).await.expect(201);
        let id = made.text("id").to_owned();
        let preview = hear(&mut socket, |message| message["type"] == "preview").await;
        assert_eq!(preview["callback"], id.as_str());
        say(&mut socket, json!({"type": "accept_preview"})).await;
        hear(&mut socket, |message| message["type"] == "connected").await;
        let path = format!("/v1/callbacks/{id}");
        until(|| admin.get(&path), |callback| callback.body["state"] == "dialled").await;
        say(&mut socket, json!({"type": "hang_up"})).await;
        hear(&mut socket, |message| message["type"] == "call_ended").await;
        say(&mut socket, json!({"type": "next"})).await;
        let done = until(|| admin.get(&path), |callback| callback.body["state"] == "done").await;
        assert_eq!((done.body["offers"].as_u64(), done.body["dials"].as_u64()), (Some(1), Some(1)));
        let attempts = format!("/v1/attempts?contact={}", made.text("contact"));
        assert_eq!(admin.get(&attempts).await.expect(200).items("agent"), [agent.as_str()]);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_callback_of_a_group_that_nobody_starts_is_missed_and_says_so() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let Centre { skill, .. } = centre_with(&admin, 0).await;
        let soon = engine::Time::from_micros(now_micros() + 300_000).to_rfc3339();
        let asked = json!({"number": ANSWERS, "skill": skill, "valid_until": soon});
        let made = admin.post("/v1/callbacks", asked).await.expect(201);
        let path = format!("/v1/callbacks/{}", made.text("id"));
        let missed = until(
            async || {
                server.tidy().await;
                admin.get(&path).await
            },
            |callback| callback.body["state"] == "missed",
        )
        .await;
        assert_eq!(missed.text("reason"), "group_not_loaded");
        server.stop().await;
    }
}

fn now_micros() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_micros()).unwrap()
}
