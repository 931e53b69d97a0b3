//! A campaign from its first definition to its attempts, over the API alone.

use futures_util::SinkExt;
use serde_json::{Value, json};
use store::testing::{TestDatabase, databases};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::agent_session::{hear, open, say};
use crate::support::{Answer, Caller, Server, until};

/// What a campaign needs to be run.
pub struct Centre {
    pub campaign: String,
    pub group: String,
    pub skill: String,
    pub agent: String,
}

/// A campaign that may be called at any hour, with one agent and twenty contacts.
pub async fn centre(admin: &Caller<'_>) -> Centre {
    centre_with(admin, 20).await
}

/// The same with so many contacts, on test numbers.
pub async fn centre_with(admin: &Caller<'_>, contacts: usize) -> Centre {
    let all_day = json!([{"from": "00:00", "until": "24:00"}]);
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let weekly: serde_json::Map<String, Value> =
        days.iter().map(|day| ((*day).to_owned(), all_day.clone())).collect();
    let hours =
        admin.create("/v1/calling-hours", json!({"name": "Always", "hours": {"weekly": weekly}})).await;
    let fields = json!([
        {"name": "first_name", "kind": "text", "meaning": "first_name"},
        {"name": "last_name", "kind": "text", "meaning": "last_name"},
        {"name": "Name", "kind": "text", "meaning": "full_name"},
        {"name": "PhoneNumber", "kind": "text", "meaning": "home_phone"},
    ]);
    let campaign = json!({"name": "Winter", "calling_hours": hours, "fields": fields});
    let campaign = admin.create("/v1/campaigns", campaign).await;
    let source = admin.create("/v1/sources", json!({"name": "List", "campaign": campaign})).await;
    let skill = admin.create("/v1/skills", json!({"name": "Sales"})).await;
    let agent = admin.create("/v1/agents", json!({"name": "Ann", "skills": [{"skill": skill}]})).await;
    let group = json!({"name": "Team", "campaign": campaign, "skill": skill});
    let group = admin.create("/v1/campaign-groups", group).await;
    let count = contacts;
    let contacts: Vec<Value> = (0..count)
        .map(|n| json!({"external_id": n, "phones": [{"number": format!("+141555501{n:02}")}]}))
        .collect();
    if count > 0 {
        let path = format!("/v1/sources/{source}/contacts");
        let added = admin.post(&path, json!({"contacts": contacts})).await.expect(200);
        assert_eq!(added.body["created"], count);
    }
    Centre { campaign, group, skill, agent }
}

#[tokio::test]
async fn a_running_group_calls_its_contacts_for_an_agent_who_is_ready() {
    for database in databases() {
        let server = Server::start_sixty_times_as_fast(database).await;
        let admin = server.tenant("A").await;
        let Centre { campaign, group, agent, .. } = centre(&admin).await;
        let address = format!("ws://{}/v1/agent-session?agent={agent}", server.address);
        let mut request = address.into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {}", admin.key()).parse().unwrap());
        let (mut socket, _) = connect_async(request).await.unwrap();
        for message in [json!({"type": "log_in"}), json!({"type": "ready"})] {
            socket.send(Message::text(message.to_string())).await.unwrap();
        }
        let actions = format!("/v1/campaign-groups/{group}/actions");
        let early = admin.post(&actions, json!({"action": "start"})).await.expect(409);
        assert!(early.text("detail").contains("load it first"), "{}", early.body);
        assert_eq!(admin.post(&actions, json!({"action": "load"})).await.expect(200).text("state"), "active");
        assert_eq!(
            admin.post(&actions, json!({"action": "start"})).await.expect(200).text("state"),
            "running"
        );
        let status = admin.get(&format!("/v1/campaign-groups/{group}/status")).await.expect(200);
        assert_eq!(status.text("state"), "running");
        admin.delete(&format!("/v1/campaign-groups/{group}"), "\"1\"").await.expect_problem(409, "in_use");

        let path = format!("/v1/attempts?campaign={campaign}");
        let is_settled = |attempt: &Value| !attempt["settled_at"].is_null();
        let attempts = until(
            || admin.get(&path),
            |attempts| attempts.body["items"].as_array().is_some_and(|items| items.iter().any(is_settled)),
        )
        .await;
        let attempt =
            attempts.body["items"].as_array().unwrap().iter().find(|attempt| is_settled(attempt)).unwrap();
        assert_eq!(attempt["group"], group.as_str());
        assert!(attempt["result"].is_string(), "{attempt}");
        let id = attempt["id"].as_str().unwrap();
        let one = admin.get(&format!("/v1/attempts/{id}")).await.expect(200);
        assert_eq!(&one.body, attempt);
        let contact = attempt["contact"].as_str().unwrap();
        let found = admin.get(&format!("/v1/attempts?contact={contact}")).await.expect(200);
        assert!(found.items("id").contains(&id));
        server.tenant("B").await.get(&format!("/v1/attempts/{id}")).await.expect_problem(404, "not_found");

        admin.post(&actions, json!({"action": "stop"})).await.expect(200);
        admin.post(&actions, json!({"action": "force_unload"})).await.expect(200);
        let status = format!("/v1/campaign-groups/{group}/status");
        until(|| admin.get(&status), |status| status.body["state"] == "not_loaded").await;
        let events = admin.get("/v1/events?limit=1000").await.expect(200);
        for kind in ["group.state", "agent.state", "attempt.started", "attempt.ended", "contact.planned"] {
            assert!(events.items("kind").contains(&kind), "no event {kind}");
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn a_call_counts_as_answered_while_it_is_with_its_agent() {
    let server = Server::start_sixty_times_as_fast(TestDatabase::sqlite()).await;
    let admin = server.tenant("A").await;
    let Centre { group, agent, .. } = centre(&admin).await;
    let mut socket = open(&server, &format!("agent={agent}"), Some(admin.key())).await.unwrap();
    for message in ["log_in", "ready"] {
        say(&mut socket, json!({"type": message})).await;
    }
    let actions = format!("/v1/campaign-groups/{group}/actions");
    for action in ["load", "start"] {
        admin.post(&actions, json!({"action": action})).await.expect(200);
    }
    hear(&mut socket, |message| message["type"] == "connected").await;
    // The simulated person may end the conversation at any moment.
    let with_agents = |status: &Answer| {
        let live = &status.body["live"];
        let ended = live["figures"]["results"]["answer"].as_u64().unwrap_or(0);
        live["connected"].as_u64().unwrap() + ended
    };
    let path = format!("/v1/campaign-groups/{group}/status");
    let status = until(|| admin.get(&path), |status| with_agents(status) > 0).await;
    let live = &status.body["live"];
    assert!(live["figures"]["answered"].as_u64().unwrap() >= with_agents(&status), "{live}");
    assert!(live["figures"]["abandon_rate"].is_number(), "{live}");
    server.stop().await;
}

#[tokio::test]
async fn an_action_without_what_it_needs_or_with_what_it_does_not_is_refused() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let Centre { group, .. } = centre(&admin).await;
        let actions = format!("/v1/campaign-groups/{group}/actions");
        admin.post(&actions, json!({"action": "set_dial_mode"})).await.expect_problem(422, "missing");
        admin.post(&actions, json!({"action": "dance"})).await.expect_problem(422, "bad_body");
        for action in ["load", "stop", "unload", "force_unload"] {
            let odd = json!({"action": action, "dial_mode": "power"});
            let refused = admin.post(&actions, odd).await.expect_problem(422, "unexpected_field");
            assert_eq!(refused.text("field"), "dial_mode");
        }
        let step = json!({"time": "09:00", "action": "load", "groups": [group], "dial_mode": "power"});
        let schedule = json!({"name": "Days", "on": {"every": "day", "from": "2026-01-01"}, "steps": [step]});
        let refused = admin.post("/v1/schedules", schedule).await.expect_problem(422, "unexpected_field");
        assert_eq!(refused.text("field"), "steps[0].dial_mode");
        // Another system may run a group, an agent may not.
        let agent = admin.with_role("agent").await;
        agent.post(&actions, json!({"action": "load"})).await.expect_problem(403, "forbidden");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_group_set_to_predictive_dials_by_it_and_obeys_a_change_back() {
    for database in databases() {
        let server = Server::start_sixty_times_as_fast(database).await;
        let admin = server.tenant("A").await;
        let Centre { campaign, group, skill, agent } = centre(&admin).await;
        let settings = json!({"dial_mode": "predictive", "predictive": {"abandon_cap_percent": 3.0}});
        let body = json!({"name": "Team", "campaign": campaign, "skill": skill, "settings": settings});
        admin.put(&format!("/v1/campaign-groups/{group}"), "\"1\"", body).await.expect(200);
        let mut socket =
            crate::agent_session::open(&server, &format!("agent={agent}"), Some(admin.key())).await.unwrap();
        for message in [json!({"type": "log_in"}), json!({"type": "ready"})] {
            socket.send(Message::text(message.to_string())).await.unwrap();
        }
        let actions = format!("/v1/campaign-groups/{group}/actions");
        admin.post(&actions, json!({"action": "load"})).await.expect(200);
        admin.post(&actions, json!({"action": "start"})).await.expect(200);
        let attempts = until(|| admin.get("/v1/attempts"), |attempts| !attempts.items("id").is_empty()).await;
        assert_eq!(attempts.items("dial_mode").last(), Some(&"predictive"));
        let status = format!("/v1/campaign-groups/{group}/status");
        admin
            .post(&actions, json!({"action": "set_dial_mode", "dial_mode": "progressive"}))
            .await
            .expect(200);
        until(|| admin.get(&status), |status| status.body["live"]["dial_mode"] == "progressive").await;
        let wrong = json!({"name": "Team", "campaign": campaign, "skill": skill,
                           "settings": {"predictive": {"abandon_cap_percent": 300.0}}});
        admin
            .put(&format!("/v1/campaign-groups/{group}"), "\"2\"", wrong)
            .await
            .expect_problem(422, "out_of_range");
        server.stop().await;
    }
}
