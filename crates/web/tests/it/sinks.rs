//! Sinks: what is told, in which order, and what becomes of what does not arrive.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use store::testing::databases;

use crate::dialling::{Centre, centre_with};
use crate::receiver::Receiver;
use crate::support::{Answer, Caller, Server, until};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Makes a sink of this receiver and gives its id.
async fn sink(admin: &Caller<'_>, receiver: &Receiver, further: Value) -> String {
    let mut sink = json!({"name": "Other system", "target": {"kind": "http", "url": receiver.url}});
    sink.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    admin.create("/v1/sinks", sink).await
}

/// Loads and unloads a group, which makes three events at least, and waits until they are stored.
async fn load_and_unload(admin: &Caller<'_>, group: &str) {
    let ends = |events: &Answer| {
        let of_group = |it: &&Value| it["body"]["group"] == group && it["body"]["state"] == "not_loaded";
        events.body["items"].as_array().unwrap().iter().filter(of_group).count()
    };
    let events = || admin.get("/v1/events?limit=1000");
    let before = ends(&events().await);
    let actions = format!("/v1/campaign-groups/{group}/actions");
    admin.post(&actions, json!({"action": "load"})).await.expect(200);
    admin.post(&actions, json!({"action": "unload"})).await.expect(200);
    until(events, |events| ends(events) > before).await;
}

/// The tenant's events of groups, by their numbers.
async fn seqs_of_groups(admin: &Caller<'_>) -> Vec<i64> {
    let events = admin.get("/v1/events?limit=1000").await.expect(200);
    let items = events.body["items"].as_array().unwrap();
    items.iter().filter(|it| it["kind"] == "group.state").map(|it| it["seq"].as_i64().unwrap()).collect()
}

fn seqs(bodies: &[Value]) -> Vec<i64> {
    bodies.iter().map(|body| body["seq"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn a_sink_is_told_of_events_as_they_are_stored_signed_and_with_an_id() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let Centre { group, .. } = centre_with(&admin, 0).await;
        let receiver = Receiver::start().await;
        let sink = sink(&admin, &receiver, json!({"kinds": ["group.state"]})).await;
        let credentials = json!({"signing_secret": SECRET, "authorization": "Bearer token"});
        let path = format!("/v1/sinks/{sink}/credentials");
        admin.put(&path, "\"1\"", credentials).await.expect(204);
        load_and_unload(&admin, &group).await;
        let last = receiver.hear("the end", |told| told.body["body"]["state"] == "not_loaded").await;
        assert_eq!(seqs(&receiver.taken()), seqs_of_groups(&admin).await);
        assert_eq!(last.header("webhook-id"), last.body["id"].as_str().unwrap());
        assert_eq!(last.header("authorization"), "Bearer token");
        assert!(last.header("webhook-timestamp").parse::<i64>().is_ok());
        assert!(last.header("webhook-signature").starts_with("v1,"));
        let shown = admin.get(&format!("/v1/sinks/{sink}")).await.expect(200);
        let shown = String::from_utf8(shown.bytes).unwrap();
        assert!(!shown.contains("MfKQ9r8") && !shown.contains("token"), "{shown}");
        let audit = admin.get("/v1/audit").await.expect(200);
        assert!(!String::from_utf8(audit.bytes).unwrap().contains("MfKQ9r8"));
        server.stop().await;
    }
}

#[tokio::test]
async fn what_does_not_arrive_is_tried_again_and_arrives_in_order() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let Centre { group, .. } = centre_with(&admin, 0).await;
        let receiver = Receiver::start().await;
        let is_down = Arc::new(AtomicBool::new(true));
        let down = Arc::clone(&is_down);
        receiver.answer_with(move |_| if down.load(Ordering::SeqCst) { 503 } else { 200 });
        let sink = sink(&admin, &receiver, json!({"kinds": ["group.state"]})).await;
        load_and_unload(&admin, &group).await;
        receiver.hear("anything", |told| told.status == 503).await;
        let path = format!("/v1/sinks/{sink}/status");
        let status = until(|| admin.get(&path), |status| status.body["lag"] == 0).await;
        assert!(status.text("last_error").contains("503"), "{}", status.body);
        load_and_unload(&admin, &group).await;
        is_down.store(false, Ordering::SeqCst);
        let wanted = seqs_of_groups(&admin).await;
        until(|| admin.get(&path), |status| status.body["delivered"] == wanted.len()).await;
        assert_eq!(seqs(&receiver.taken()), wanted);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_group_whose_messages_do_not_arrive_does_not_hold_up_the_others() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let Centre { group, campaign, skill, .. } = centre_with(&admin, 0).await;
        let other = json!({"name": "Others", "campaign": campaign, "skill": skill});
        let other = admin.create("/v1/campaign-groups", other).await;
        let receiver = Receiver::start().await;
        let refused = group.clone();
        receiver.answer_with(move |told| if told["body"]["group"] == refused.as_str() { 500 } else { 200 });
        sink(&admin, &receiver, json!({"kinds": ["group.state"]})).await;
        load_and_unload(&admin, &group).await;
        load_and_unload(&admin, &other).await;
        let end = |told: &crate::receiver::Told| told.body["body"]["state"] == "not_loaded";
        let end = receiver.hear("the other group's end", end).await;
        assert_eq!(end.body["body"]["group"], other.as_str());
        let tried: Vec<Value> =
            receiver.told().iter().filter(|it| it.status == 500).map(|it| it.body["seq"].clone()).collect();
        assert!(tried.iter().all(|seq| *seq == tried[0]), "a later message overtook the first: {tried:?}");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_receiver_that_never_answers_holds_up_no_other_sink_and_not_the_dialler() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let Centre { group, .. } = centre_with(&admin, 0).await;
        // It takes connections and says nothing.
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", silent.local_addr().unwrap());
        let target = json!({"kind": "http", "url": url, "timeout_seconds": 60});
        let silent_sink = admin.create("/v1/sinks", json!({"name": "Silent", "target": target})).await;
        let receiver = Receiver::start().await;
        sink(&admin, &receiver, json!({"kinds": ["group.state"]})).await;
        load_and_unload(&admin, &group).await;
        receiver.hear("the end", |told| told.body["body"]["state"] == "not_loaded").await;
        let status = admin.get(&format!("/v1/sinks/{silent_sink}/status")).await.expect(200);
        assert_eq!(status.body["delivered"], 0);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_file_on_the_node_is_told_what_happens() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let Centre { group, .. } = centre_with(&admin, 0).await;
        let file = json!({"kind": "file", "file": "groups.ndjson"});
        let body = json!({"name": "Log", "kinds": ["group.state"], "target": file});
        let sink = admin.create("/v1/sinks", body).await;
        load_and_unload(&admin, &group).await;
        let wanted = seqs_of_groups(&admin).await;
        let status = format!("/v1/sinks/{sink}/status");
        until(|| admin.get(&status), |status| status.body["delivered"] == wanted.len()).await;
        let text =
            std::fs::read_to_string(server.files().join("sinks").join(&sink).join("groups.ndjson")).unwrap();
        let line = |line: &str| serde_json::from_str::<Value>(line).unwrap()["body"].clone();
        assert_eq!(seqs(&text.lines().map(line).collect::<Vec<_>>()), wanted);
        server.stop().await;
    }
}

#[tokio::test]
async fn what_is_given_up_can_be_looked_at_sent_again_and_thrown_away() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let Centre { group, .. } = centre_with(&admin, 0).await;
        let receiver = Receiver::start().await;
        receiver.answer_with(|_| 422);
        let sink = sink(&admin, &receiver, json!({"kinds": ["group.state"]})).await;
        load_and_unload(&admin, &group).await;
        let wanted = seqs_of_groups(&admin).await;
        let path = format!("/v1/sinks/{sink}");
        let status = format!("{path}/status");
        until(|| admin.get(&status), |status| status.body["dead"] == wanted.len()).await;
        let letters = admin.get(&format!("{path}/dead-letters?limit=1")).await.expect(200);
        assert_eq!(letters.body["items"][0]["body"]["seq"], wanted[0]);
        assert_eq!(letters.body["items"][0]["error"], "the receiver answered 422");
        let next = letters.text("next");
        let second = admin.get(&format!("{path}/dead-letters?limit=1&after={next}")).await.expect(200);
        assert_eq!(second.body["items"][0]["body"]["seq"], wanted[1]);

        receiver.answer_with(|_| 200);
        let first = letters.body["items"][0]["id"].clone();
        let again = admin.post(&format!("{path}/dead-letters/send-again"), json!({"ids": [first]})).await;
        assert_eq!(again.expect(200).body["letters"], 1);
        let told = receiver.hear("the letter", |told| told.status == 200).await;
        assert_eq!(told.header("webhook-id"), first.as_str().unwrap(), "it keeps its id");
        let discarded = admin.post(&format!("{path}/dead-letters/discard"), json!({})).await.expect(200);
        assert_eq!(discarded.body["letters"], wanted.len() - 1);
        until(|| admin.get(&status), |it| it.body["dead"] == 0 && it.body["waiting"] == 0).await;
        assert_eq!(receiver.taken().len(), 1);

        let reader = admin.with_role("integration").await;
        reader.get(&status).await.expect(200);
        let discard = format!("{path}/dead-letters/discard");
        reader.post(&discard, json!({})).await.expect_problem(403, "forbidden");
        let stranger = server.tenant("B").await;
        stranger.get(&status).await.expect_problem(404, "not_found");
        stranger.post(&discard, json!({})).await.expect_problem(404, "not_found");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_kill_loses_nothing_and_keeps_the_order() {
    for database in databases() {
        let life = tokio::runtime::Runtime::new().unwrap();
        let server = life.spawn(Server::start(database, web::WebSettings::default())).await.unwrap();
        let admin = server.tenant("A").await;
        let Centre { group, .. } = centre_with(&admin, 0).await;
        let receiver = Receiver::start().await;
        receiver.answer_with(|_| 503);
        let sink = sink(&admin, &receiver, json!({"kinds": ["group.state"]})).await;
        let key = admin.key().to_owned();
        for _ in 0..3 {
            load_and_unload(&admin, &group).await;
        }
        receiver.hear("anything", |told| told.status == 503).await;
        let server = server.killed_and_restarted(life).await;
        let admin = server.with_key(&key);
        load_and_unload(&admin, &group).await;
        receiver.answer_with(|_| 200);
        let wanted = seqs_of_groups(&admin).await;
        let status = format!("/v1/sinks/{sink}/status");
        until(|| admin.get(&status), |it| it.body["delivered"].as_i64() >= Some(wanted.len() as i64)).await;
        // A message may come twice, with the same id; none is missing and none overtook another.
        let mut taken = seqs(&receiver.taken());
        taken.dedup();
        assert_eq!(taken, wanted);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_sink_can_be_tried_and_says_what_is_wrong() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let receiver = Receiver::start().await;
        let sink = sink(&admin, &receiver, json!({"kinds": ["none.such"]})).await;
        let path = format!("/v1/sinks/{sink}/test");
        assert_eq!(admin.post(&path, json!({})).await.expect(200).body["delivered"], true);
        assert_eq!(receiver.taken()[0]["kind"], "sink.test");
        receiver.answer_with(|_| 401);
        let refused = admin.post(&path, json!({})).await.expect(200);
        assert_eq!(
            (&refused.body["delivered"], refused.text("error")),
            (&json!(false), "the receiver answered 401")
        );
        server.stop().await;
    }
}

#[tokio::test]
async fn a_sink_that_cannot_be_is_refused_with_what_to_do() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let http = |url: &str| json!({"name": "S", "target": {"kind": "http", "url": url}});
        for (sink, code) in [
            (http("ftp://example.com"), "bad_url"),
            (http("https://user:password@example.com/"), "bad_url"),
            (http("https://"), "bad_url"),
            (json!({"name": "S", "target": {"kind": "file", "file": "../passwd"}}), "bad_file"),
            (json!({"name": "S", "target": {"kind": "file", "file": ".hidden"}}), "bad_file"),
            (
                json!({"name": "S", "target": {"kind": "elasticsearch", "url": "http://e", "index": "Upper"}}),
                "bad_index",
            ),
            (
                json!({"name": "S", "target": {"kind": "nats", "servers": "nats://n", "subject": "a.>"}}),
                "bad_subject",
            ),
            (json!({"name": "S", "tries_max": 0, "target": {"kind": "file", "file": "f"}}), "out_of_range"),
            (
                json!({"name": "S", "target": {"kind": "http", "url": "http://e", "headers": {"Authorization": "x"}}}),
                "bad_header",
            ),
        ] {
            admin.post("/v1/sinks", sink).await.expect_problem(422, code);
        }
        let file = json!({"name": "S", "target": {"kind": "file", "file": "events.ndjson"}});
        let sink = admin.create("/v1/sinks", file).await;
        let path = format!("/v1/sinks/{sink}/credentials");
        let bad = json!({"signing_secret": "short"});
        admin.put(&path, "\"1\"", bad).await.expect_problem(422, "bad_credentials");
        admin.delete(&format!("/v1/sinks/{sink}"), "\"1\"").await.expect(204);
        admin.get(&format!("/v1/sinks/{sink}/status")).await.expect_problem(404, "not_found");
        server.stop().await;
    }
}
