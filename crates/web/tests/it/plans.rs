//! Schedules and sequences, with real groups and the simulated carrier.

use reqwest::Method;
use serde_json::{Value, json};
use store::testing::databases;

use crate::agent_session::{open, say};
use crate::dialling::{Centre, centre_with};
use crate::support::{Answer, Caller, Server, until};

/// The server's own time, moved on by so many minutes.
async fn time_in(admin: &Caller<'_>, minutes: i64) -> jiff::civil::DateTime {
    let at = admin.get("/v1/live").await.expect(200).text("at").parse::<jiff::Timestamp>().unwrap();
    (at + jiff::SignedDuration::from_mins(minutes)).to_zoned(jiff::tz::TimeZone::UTC).datetime()
}

/// Every day, from yesterday on.
async fn daily(admin: &Caller<'_>) -> Value {
    json!({"every": "day", "from": time_in(admin, -24 * 60).await.date().to_string()})
}

fn actors(events: &Answer, group: &str) -> Vec<(String, String)> {
    let items = events.body["items"].as_array().unwrap();
    let of_group =
        items.iter().filter(|event| event["kind"] == "group.state" && event["body"]["group"] == group);
    of_group
        .map(|event| {
            let text = |name: &str| event["body"][name].as_str().unwrap_or_default().to_owned();
            (text("action"), text("actor"))
        })
        .collect()
}

#[tokio::test]
async fn a_schedule_loads_starts_changes_the_mode_stops_and_unloads() {
    for database in databases() {
        let server = Server::start_sixty_times_as_fast(database).await;
        let admin = server.tenant("A").await;
        let Centre { group, .. } = centre_with(&admin, 20).await;
        let mut steps = Vec::new();
        let actions = ["load", "start", "set_dial_mode", "stop", "unload"];
        for (minute, action) in (2..).zip(actions) {
            let mode = if action == "set_dial_mode" { json!("power") } else { Value::Null };
            let time = time_in(&admin, minute).await.time().strftime("%H:%M:%S").to_string();
            steps.push(json!({"time": time, "action": action, "groups": [group], "dial_mode": mode}));
        }
        let schedule = json!({"name": "Days", "on": daily(&admin).await, "zone": "UTC", "steps": steps});
        let schedule = admin.create("/v1/schedules", schedule).await;
        let next = admin.get(&format!("/v1/schedules/{schedule}/preview?count=3")).await.expect(200);
        assert_eq!(next.items("action"), ["load", "start", "set_dial_mode"]);
        assert!(next.items("local").iter().all(|local| local.ends_with("UTC")), "{}", next.body);
        let path = format!("/v1/schedules/{schedule}/runs");
        let runs = until(
            || admin.get(&path),
            |runs| {
                let outcomes = runs.items("outcome");
                outcomes.len() == 5 && !outcomes.contains(&"started")
            },
        )
        .await;
        assert_eq!(runs.items("outcome"), ["done"; 5], "{}", runs.body);
        assert_eq!(runs.items("action"), ["unload", "stop", "set_dial_mode", "start", "load"]);
        let is_told = |events: &Answer| {
            let told = actors(events, &group);
            actions.iter().all(|action| told.contains(&((*action).to_owned(), "schedule".to_owned())))
        };
        until(|| admin.get("/v1/events?limit=1000"), is_told).await;
        server.stop().await;
    }
}

#[tokio::test]
async fn what_was_missed_by_too_long_is_told_and_not_done() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let Centre { group, .. } = centre_with(&admin, 1).await;
        let time = time_in(&admin, 0).await.time().strftime("%H:%M:%S").to_string();
        let next_second = time_in(&admin, 0).await.checked_add(jiff::Span::new().seconds(2)).unwrap();
        let next_second = next_second.time().strftime("%H:%M:%S").to_string();
        let steps = json!([{"time": next_second, "action": "load", "groups": [group]},
                           {"time": time, "action": "start", "groups": [group]}]);
        let off = json!({"name": "Off", "enabled": false, "on": daily(&admin).await, "zone": "UTC", "steps": steps});
        let off = admin.create("/v1/schedules", off).await;
        // What was due before it was made is not done, and what is due while it is off is not either.
        tokio::time::sleep(std::time::Duration::from_secs(4)).await;
        assert!(admin.get(&format!("/v1/schedules/{off}/runs")).await.expect(200).items("action").is_empty());
        let status = admin.get(&format!("/v1/campaign-groups/{group}/status")).await.expect(200);
        assert_eq!(status.text("state"), "not_loaded");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_sequence_runs_its_groups_one_after_another_until_they_have_no_contacts_left() {
    for database in databases() {
        let server = Server::start_sixty_times_as_fast(database).await;
        let admin = server.tenant("A").await;
        let Centre { campaign, group, skill, agent } = centre_with(&admin, 2).await;
        let first = admin.get(&format!("/v1/campaigns/{campaign}")).await.expect(200);
        let once =
            |name: &str, hours: &Value| json!({"name": name, "attempts_max": 1, "calling_hours": hours});
        let change = once("Winter", &first.body["calling_hours"]);
        admin.put(&format!("/v1/campaigns/{campaign}"), "\"1\"", change).await.expect(200);
        let spring = admin.create("/v1/campaigns", once("Spring", &first.body["calling_hours"])).await;
        let source = admin.create("/v1/sources", json!({"name": "S", "campaign": spring})).await;
        let contact = json!({"external_id": 1, "phones": [{"number": "+14155550130"}]});
        admin.post(&format!("/v1/sources/{source}/contacts"), contact).await.expect(201);
        let second = json!({"name": "Second", "campaign": spring, "skill": skill});
        let second = admin.create("/v1/campaign-groups", second).await;
        let mut socket = open(&server, &format!("agent={agent}"), Some(admin.key())).await.unwrap();
        say(&mut socket, json!({"type": "log_in"})).await;
        say(&mut socket, json!({"type": "ready"})).await;
        // Whoever is called hangs up in the end, and the agent gets ready again.
        let settings = json!({"name": "Team", "campaign": campaign, "skill": skill, "settings": {"wrap_up_seconds_max": 5}});
        admin.put(&format!("/v1/campaign-groups/{group}"), "\"1\"", settings).await.expect(200);
        let steps = json!([{"group": group}, {"group": second, "minutes": 600}]);
        let sequence = admin.create("/v1/sequences", json!({"name": "Both", "steps": steps})).await;
        let path = format!("/v1/sequences/{sequence}");
        assert_eq!(admin.post(&format!("{path}/start"), json!({})).await.expect(200).body["running"], true);
        admin.post(&format!("{path}/start"), json!({})).await.expect_problem(409, "sequence_runs");
        let runs = format!("{path}/runs");
        let is_at_second = |runs: &Answer| runs.items("action").len() >= 3;
        let told = until(|| admin.get(&runs), is_at_second).await;
        let first_end =
            told.body["items"].as_array().unwrap().iter().find(|run| run["action"] == "complete").unwrap();
        assert_eq!(first_end["detail"], "no contacts left", "{}", told.body);
        assert_eq!(admin.get(&format!("{path}/status")).await.expect(200).body["step"], 1);
        let stopped = admin.post(&format!("{path}/stop"), json!({})).await.expect(200);
        assert_eq!(stopped.body["running"], false);
        let is_told = |events: &Answer| {
            [&group, &second].iter().all(|group| {
                let told = actors(events, group);
                ["load", "start", "stop"]
                    .iter()
                    .all(|it| told.contains(&((*it).to_owned(), "sequence".to_owned())))
            })
        };
        until(|| admin.get("/v1/events?limit=1000"), is_told).await;
        server.stop().await;
    }
}

#[tokio::test]
async fn plans_that_cannot_be_are_refused_and_actors_are_told_apart() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let Centre { group, .. } = centre_with(&admin, 1).await;
        let nobody = "00000000-0000-0000-0000-000000000001";
        let step = |change: Value| {
            let mut step = json!({"time": "09:00", "action": "load", "groups": [group]});
            step.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            step
        };
        let plan = |on: Value, steps: Value| json!({"name": "S", "on": on, "steps": steps});
        let day = json!({"every": "day", "from": "2026-01-01"});
        for (body, code) in [
            (
                plan(json!({"every": "day", "from": "2026-01-01", "step": 0}), json!([step(json!({}))])),
                "out_of_range",
            ),
            (
                plan(json!({"every": "week", "from": "2026-01-01", "days": []}), json!([step(json!({}))])),
                "out_of_range",
            ),
            (plan(day.clone(), json!([])), "out_of_range"),
            (plan(day.clone(), json!([step(json!({"groups": []}))])), "out_of_range"),
            (plan(day.clone(), json!([step(json!({"groups": [nobody]}))])), "unknown_reference"),
            (plan(day.clone(), json!([step(json!({"action": "set_dial_mode"}))])), "missing"),
            (plan(day.clone(), json!([step(json!({"time": "25:00"}))])), "bad_body"),
            (plan(json!({"every": "fortnight"}), json!([step(json!({}))])), "bad_body"),
        ] {
            admin.post("/v1/schedules", body).await.expect_problem(422, code);
        }
        admin
            .post("/v1/sequences", json!({"name": "Q", "steps": []}))
            .await
            .expect_problem(422, "out_of_range");
        let path = format!("/v1/campaign-groups/{group}/actions");
        let other_system = admin.with_role("integration").await;
        other_system.post(&path, json!({"action": "load"})).await.expect(200);
        admin.post(&path, json!({"action": "unload"})).await.expect(200);
        let is_told = |events: &Answer| {
            let told = actors(events, &group);
            [("load", "third_party"), ("unload", "client")]
                .iter()
                .all(|(action, actor)| told.contains(&((*action).to_owned(), (*actor).to_owned())))
        };
        until(|| admin.get("/v1/events?limit=1000"), is_told).await;
        let idle = Answer::to(admin.request(Method::GET, &format!("/v1/sequences/{nobody}/status")));
        idle.await.expect_problem(404, "not_found");
        server.stop().await;
    }
}
