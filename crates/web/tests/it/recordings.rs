//! Recordings of conversations over the API: what is recorded, who hears it, and how long it is kept.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use store::testing::{TestDatabase, databases};
use tokio::net::TcpListener;
use web::WebSettings;

use crate::agent_session::{Socket, hear, open, say};
use crate::dialling::{Centre, centre};
use crate::recorder::{Mood, SOUND_BYTES, recording};
use crate::support::{Answer, Caller, Server, until};

const HOUR: Duration = Duration::from_secs(3600);

/// Has the centre's campaign record like this.
async fn set(admin: &Caller<'_>, centre: &Centre, recording: Value) {
    let path = format!("/v1/campaigns/{}", centre.campaign);
    let found = admin.get(&path).await.expect(200);
    let mut body = found.body.clone();
    body.as_object_mut()
        .unwrap()
        .retain(|name, _| !["id", "version", "created_at", "updated_at"].contains(&name.as_str()));
    body["recording"] = recording;
    let changed = admin.put(&path, found.header("etag"), body).await.expect(200);
    assert!(changed.body["recording"]["retention_days"].is_number(), "{}", changed.body);
}

/// The agent talks with somebody of the running group.
pub async fn talk(server: &Server, admin: &Caller<'_>, centre: &Centre) -> Socket {
    let query = format!("agent={}", centre.agent);
    let mut socket = open(server, &query, Some(admin.key())).await.unwrap();
    for message in ["log_in", "ready"] {
        say(&mut socket, json!({"type": message})).await;
    }
    let actions = format!("/v1/campaign-groups/{}/actions", centre.group);
    for action in ["load", "start"] {
        admin.post(&actions, json!({"action": action})).await.expect(200);
    }
    hear(&mut socket, |message| message["type"] == "connected").await;
    socket
}

async fn is_recorded(socket: &mut Socket, on: bool) {
    hear(socket, |message| message["type"] == "recording" && message["on"] == on).await;
}

async fn hang_up(socket: &mut Socket) {
    // Nobody else is called after this conversation.
    say(socket, json!({"type": "not_ready"})).await;
    say(socket, json!({"type": "hang_up"})).await;
    hear(socket, |message| message["type"] == "call_ended").await;
}

/// The state of the only recording, once it is like this; until then what is due is done again and again.
async fn comes_to(server: &Server, admin: &Caller<'_>, state: &str) -> Value {
    let ask = || async {
        server.collect().await;
        admin.get("/v1/recordings").await
    };
    let found = until(ask, |found| found.body["items"][0]["state"] == state).await;
    found.body["items"][0].clone()
}

/// Files of recordings in the storage.
fn files(server: &Server) -> usize {
    fn count(directory: &Path) -> usize {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        entries.map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
    }
    count(&server.files().join("recordings"))
}

/// Who did this to the recording, by the audit log.
async fn who_did(admin: &Caller<'_>, id: &str, action: &str) -> Vec<String> {
    let log = admin.get(&format!("/v1/audit?target={id}&limit=100")).await.expect(200);
    let entries = log.body["items"].as_array().unwrap().iter();
    let of_action = entries.filter(|entry| entry["action"] == action && entry["target_kind"] == "recording");
    of_action.map(|entry| entry["actor"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_recording_is_heard_by_those_who_may_and_the_audit_log_says_by_whom() {
    for database in databases() {
        let (server, recorder, _) = Server::start_that_records(database).await;
        let admin = server.tenant("A").await;
        let centre = centre(&admin).await;
        set(&admin, &centre, json!({"mode": "all", "name": "{campaign}-{attempt}"})).await;
        let mut socket = talk(&server, &admin, &centre).await;
        is_recorded(&mut socket, true).await;
        let listed = admin.get("/v1/recordings").await.expect(200);
        let id = listed.items("id")[0].to_owned();
        let (path, audio) = (format!("/v1/recordings/{id}"), format!("/v1/recordings/{id}/audio"));
        assert_eq!(listed.items("state"), ["pending"]);
        admin.get(&audio).await.expect_problem(409, "recording_pending");
        hang_up(&mut socket).await;

        let stored = comes_to(&server, &admin, "stored").await;
        assert_eq!(stored["name"], format!("Winter-{id}"));
        assert_eq!((&stored["length_seconds"], &stored["bytes"]), (&json!(1.5), &json!(44 + SOUND_BYTES)));
        assert_eq!((&stored["attempt"], &stored["agent"]), (&json!(id), &json!(centre.agent)));
        assert!(recorder.files().is_empty(), "the switch need not keep it");
        let one = admin.get(&path).await.expect(200);
        assert_eq!(one.body, stored);

        let supervisor = admin.with_role("supervisor").await;
        let integration = admin.with_role("integration").await;
        for caller in [&admin, &supervisor, &integration] {
            let request = caller.request(Method::GET, &audio).header("accept-encoding", "gzip");
            let heard = Answer::to(request).await.expect(200);
            assert_eq!(heard.header("content-length"), (44 + SOUND_BYTES).to_string());
            assert_eq!(heard.bytes, recording(SOUND_BYTES));
            assert_eq!(heard.header("content-type"), "audio/wav");
            assert_eq!(heard.header("cache-control"), "no-store");
            assert!(heard.header("content-disposition").contains(&format!("Winter-{id}.wav")));
        }
        let head = Answer::to(admin.request(Method::HEAD, &audio)).await.expect(200);
        assert_eq!(head.header("content-length"), (44 + SOUND_BYTES).to_string());
        assert_eq!((head.header("accept-ranges"), head.bytes.len()), ("bytes", 0));
        let outside = Answer::to(admin.request(Method::GET, &audio).header("range", "bytes=9000000-")).await;
        assert_eq!(outside.header("content-range"), format!("bytes */{}", 44 + SOUND_BYTES));
        outside.expect_problem(416, "range_not_satisfiable");
        let digest = Sha256::digest(recording(SOUND_BYTES));
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(stored["sha256"], digest.as_str());
        let agent = admin.with_role("agent").await;
        for refused in ["/v1/recordings", &path, &audio] {
            agent.get(refused).await.expect_problem(403, "forbidden");
        }
        agent.delete(&path, "").await.expect_problem(403, "forbidden");
        let other = server.tenant("B").await;
        for hidden in [&path, &audio] {
            other.get(hidden).await.expect_problem(404, "not_found");
        }
        other.delete(&path, "").await.expect_problem(404, "not_found");
        assert!(other.get("/v1/recordings").await.expect(200).items("id").is_empty());
        let heard_by = who_did(&admin, &id, "play").await;
        assert_eq!(heard_by.len(), 3, "neither who asks how long it is nor who hears nothing: {heard_by:?}");
        for role in ["key:integration", "key:supervisor"] {
            assert!(heard_by.iter().any(|actor| actor == role), "{role}: {heard_by:?}");
        }

        let part = supervisor.request(Method::GET, &audio).header("range", "bytes=100-299");
        let part = Answer::to(part).await.expect(206);
        assert_eq!(part.bytes, recording(SOUND_BYTES)[100..300]);
        assert_eq!(part.header("content-range"), format!("bytes 100-299/{}", 44 + SOUND_BYTES));
        assert_eq!((part.header("content-length"), part.header("cache-control")), ("200", "no-store"));
        assert_eq!(part.header("etag"), format!("\"{digest}\""));
        let log = admin.get(&format!("/v1/audit?target={id}&limit=1")).await.expect(200);
        assert_eq!(log.body["items"][0]["after"], json!({"sha256": digest, "bytes": "100-299"}));

        assert_eq!(files(&server), 1);
        supervisor.delete(&path, "").await.expect(204);
        admin.get(&audio).await.expect_problem(404, "not_found");
        admin.delete(&path, "").await.expect(204);
        assert_eq!(who_did(&admin, &id, "delete").await, ["key:supervisor"], "once");
        let gone = comes_to(&server, &admin, "deleted").await;
        assert!(gone["removed_at"].is_string() && gone["sha256"] == stored["sha256"], "{gone}");
        assert_eq!(files(&server), 0);
        server.stop().await;
    }
}

#[tokio::test]
async fn recordings_are_found_by_what_they_are_of() {
    let (server, _, _) = Server::start_that_records(TestDatabase::sqlite()).await;
    let admin = server.tenant("A").await;
    let centre = centre(&admin).await;
    set(&admin, &centre, json!({"mode": "all"})).await;
    let mut socket = talk(&server, &admin, &centre).await;
    is_recorded(&mut socket, true).await;
    let one = admin.get("/v1/recordings").await.expect(200).body["items"][0].clone();
    let text = |name: &str| one[name].as_str().unwrap().to_owned();
    let nobody = "00000000-0000-0000-0000-000000000000";
    for name in ["attempt", "campaign", "contact", "agent"] {
        let found = admin.get(&format!("/v1/recordings?{name}={}", text(name))).await.expect(200);
        assert_eq!(found.items("id"), [text("id")], "{name}");
        let none = admin.get(&format!("/v1/recordings?{name}={nobody}")).await.expect(200);
        assert!(none.items("id").is_empty(), "{name}");
    }
    let at = text("started_at");
    assert_eq!(admin.get(&format!("/v1/recordings?since={at}")).await.expect(200).items("id").len(), 1);
    assert!(admin.get(&format!("/v1/recordings?until={at}")).await.expect(200).items("id").is_empty());
    admin.get("/v1/recordings?since=yesterday").await.expect_problem(400, "bad_query");
    hang_up(&mut socket).await;
    server.stop().await;
}

#[tokio::test]
async fn a_recording_expires_when_its_days_are_over_and_stays_known() {
    for database in databases() {
        let (server, _, clock) = Server::start_that_records(database).await;
        let admin = server.tenant("A").await;
        let centre = centre(&admin).await;
        set(&admin, &centre, json!({"mode": "all", "retention_days": 2})).await;
        let mut socket = talk(&server, &admin, &centre).await;
        is_recorded(&mut socket, true).await;
        hang_up(&mut socket).await;
        let stored = comes_to(&server, &admin, "stored").await;
        // What the campaign says later is for later recordings.
        set(&admin, &centre, json!({"mode": "all", "retention_days": 90})).await;
        clock.jump(40 * HOUR);
        server.tidy().await;
        server.collect().await;
        let path = format!("/v1/recordings/{}", stored["id"].as_str().unwrap());
        assert_eq!(admin.get(&path).await.expect(200).text("state"), "stored");
        clock.jump(8 * HOUR);
        server.tidy().await;
        server.collect().await;
        let expired = admin.get(&path).await.expect(200);
        assert_eq!((expired.text("state"), files(&server)), ("expired", 0));
        assert_eq!(expired.body["sha256"], stored["sha256"]);
        admin.get(&format!("{path}/audio")).await.expect_problem(404, "not_found");
        server.stop().await;
    }
}

/// What the process tells of recordings: those that are pending, and how often each outcome came about.
async fn figures(server: &Server) -> (u64, BTreeMap<String, u64>) {
    let metrics = server.nobody().get("/metrics").await.expect(200);
    let text = String::from_utf8(metrics.bytes).unwrap();
    let values = text.lines().filter_map(|line| line.rsplit_once(' '));
    let of = |name: &'static str| {
        let own = values.clone().filter_map(move |(key, value)| Some((key.strip_prefix(name)?, value)));
        own.map(|(rest, value)| (rest.to_owned(), value.parse::<f64>().unwrap() as u64))
    };
    let pending = of("outdial_recordings_pending").find(|(rest, _)| rest.is_empty());
    let outcome = |(rest, count): (String, u64)| {
        let name = rest.strip_prefix("{outcome=\"")?.strip_suffix("\"}")?.to_owned();
        Some((name, count))
    };
    (pending.map_or(0, |(_, count)| count), of("outdial_recordings_total").filter_map(outcome).collect())
}

#[tokio::test]
async fn the_metrics_tell_of_recordings_that_are_pending_were_stored_are_missing_and_of_tries_that_failed() {
    let (server, recorder, clock) = Server::start_that_records(TestDatabase::sqlite()).await;
    let admin = server.tenant("A").await;
    let centre = centre(&admin).await;
    set(&admin, &centre, json!({"mode": "all"})).await;
    let mut socket = talk(&server, &admin, &centre).await;
    is_recorded(&mut socket, true).await;
    server.collect().await;
    assert_eq!(figures(&server).await, (1, BTreeMap::new()));
    recorder.set_mood(Mood::Away);
    hang_up(&mut socket).await;
    let is_over =
        |found: &Answer| found.items("state").iter().any(|state| ["ended", "settled"].contains(state));
    until(|| admin.get("/v1/attempts"), is_over).await;
    clock.jump(HOUR);
    server.collect().await;
    let (pending, outcomes) = figures(&server).await;
    assert!(pending == 1 && outcomes.keys().eq(["failed"]), "{outcomes:?}");
    let failed = outcomes["failed"];
    recorder.set_mood(Mood::Good);
    clock.jump(HOUR);
    comes_to(&server, &admin, "stored").await;
    let (pending, outcomes) = figures(&server).await;
    assert_eq!((pending, outcomes["stored"]), (0, 1));
    assert!(outcomes["failed"] >= failed && !outcomes.contains_key("missing"), "{outcomes:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_recording_is_looked_for_until_the_switch_gives_it() {
    let (server, recorder, clock) = Server::start_that_records(TestDatabase::sqlite()).await;
    let admin = server.tenant("A").await;
    let centre = centre(&admin).await;
    set(&admin, &centre, json!({"mode": "all"})).await;
    let mut socket = talk(&server, &admin, &centre).await;
    is_recorded(&mut socket, true).await;
    recorder.set_mood(Mood::Away);
    hang_up(&mut socket).await;
    for _ in 0..20 {
        clock.jump(HOUR);
        server.collect().await;
    }
    let found = admin.get("/v1/recordings").await.expect(200);
    assert_eq!(
        found.items("state"),
        ["pending"],
        "as long as it cannot be asked for nothing is known to be lost"
    );
    recorder.set_mood(Mood::Good);
    clock.jump(HOUR);
    assert_eq!(comes_to(&server, &admin, "stored").await["bytes"], 44 + SOUND_BYTES);
    server.stop().await;
}

#[tokio::test]
async fn a_file_that_the_switch_could_not_end_is_mended_and_one_that_it_lost_is_missing() {
    for (mood, state) in [(Mood::Cut, "stored"), (Mood::Empty, "missing")] {
        let (server, recorder, clock) = Server::start_that_records(TestDatabase::sqlite()).await;
        let admin = server.tenant("A").await;
        let centre = centre(&admin).await;
        set(&admin, &centre, json!({"mode": "all"})).await;
        let mut socket = talk(&server, &admin, &centre).await;
        is_recorded(&mut socket, true).await;
        recorder.set_mood(mood);
        hang_up(&mut socket).await;
        let is_over =
            |found: &Answer| found.items("state").iter().any(|state| ["ended", "settled"].contains(state));
        until(|| admin.get("/v1/attempts"), is_over).await;
        server.collect().await;
        let found = admin.get("/v1/recordings").await.expect(200);
        assert_eq!(found.items("state"), ["pending"], "not at the first try");
        for _ in 0..10 {
            clock.jump(HOUR);
            server.collect().await;
        }
        let found = admin.get("/v1/recordings").await.expect(200).body["items"][0].clone();
        assert_eq!(found["state"], state, "{mood:?}");
        let (pending, outcomes) = figures(&server).await;
        assert_eq!((pending, outcomes.get(state)), (0, Some(&1)), "{outcomes:?}");
        if mood == Mood::Cut {
            assert_eq!(found["length_seconds"], 1.5);
            let audio = format!("/v1/recordings/{}/audio", found["id"].as_str().unwrap());
            assert_eq!(admin.get(&audio).await.expect(200).bytes, recording(SOUND_BYTES));
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn an_agent_begins_and_stops_a_recording_where_the_campaign_leaves_it_to_them() {
    let (server, recorder, _) = Server::start_that_records(TestDatabase::sqlite()).await;
    let admin = server.tenant("A").await;
    let centre = centre(&admin).await;
    set(&admin, &centre, json!({"mode": "on_demand"})).await;
    let mut socket = talk(&server, &admin, &centre).await;
    assert!(admin.get("/v1/recordings").await.expect(200).items("id").is_empty());
    for (word, on) in [("record", true), ("stop_recording", false), ("record", true)] {
        say(&mut socket, json!({"type": word})).await;
        is_recorded(&mut socket, on).await;
    }
    assert_eq!(recorder.files().into_values().collect::<Vec<_>>(), [[true, false, true]]);
    hang_up(&mut socket).await;
    comes_to(&server, &admin, "stored").await;
    server.stop().await;
}

/// A storage that keeps what is put, by path, and has nothing else to it.
async fn bucket() -> (String, Arc<Mutex<BTreeMap<String, Bytes>>>) {
    type Kept = Arc<Mutex<BTreeMap<String, Bytes>>>;
    async fn answer(
        State(kept): State<Kept>,
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Response {
        let (mut kept, path) = (kept.lock().unwrap(), uri.path().to_owned());
        match method {
            Method::PUT => drop(kept.insert(path, body)),
            Method::DELETE => drop(kept.remove(&path)),
            _ => match (kept.get(&path), headers.get("range")) {
                (None, _) => return StatusCode::NOT_FOUND.into_response(),
                (Some(it), None) => return it.clone().into_response(),
                (Some(it), Some(part)) => {
                    assert_eq!(part, "bytes=44-143");
                    return (StatusCode::PARTIAL_CONTENT, it.slice(44..144)).into_response();
                }
            },
        }
        StatusCode::OK.into_response()
    }
    let kept = Kept::default();
    let router = Router::new().fallback(answer).with_state(Arc::clone(&kept));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, kept)
}

#[tokio::test]
async fn a_recording_may_be_kept_in_a_bucket() {
    let (server, recorder, _) = Server::start_that_records(TestDatabase::sqlite()).await;
    let (address, kept) = bucket().await;
    server.keep_recordings_at(address);
    let admin = server.tenant("A").await;
    let centre = centre(&admin).await;
    set(&admin, &centre, json!({"mode": "all", "name": "call"})).await;
    let mut socket = talk(&server, &admin, &centre).await;
    is_recorded(&mut socket, true).await;
    hang_up(&mut socket).await;
    let stored = comes_to(&server, &admin, "stored").await;
    let id = stored["id"].as_str().unwrap();
    let names: Vec<String> = kept.lock().unwrap().keys().cloned().collect();
    assert!(
        names.len() == 1 && names[0].starts_with("/calls/") && names[0].ends_with(&format!("/call-{id}.wav"))
    );
    assert!(files(&server) == 0 && recorder.files().is_empty(), "it is nowhere else");
    let heard = admin.get(&format!("/v1/recordings/{id}/audio")).await.expect(200);
    assert_eq!(heard.bytes, recording(SOUND_BYTES));
    let part =
        admin.request(Method::GET, &format!("/v1/recordings/{id}/audio")).header("range", "bytes=44-143");
    assert_eq!(Answer::to(part).await.expect(206).bytes, recording(SOUND_BYTES)[44..144]);
    admin.delete(&format!("/v1/recordings/{id}"), "").await.expect(204);
    server.collect().await;
    assert!(kept.lock().unwrap().is_empty());
    server.stop().await;
}

#[tokio::test]
async fn the_simulated_carrier_has_no_sound_so_nothing_is_recorded() {
    let server = Server::start_sixty_times_as_fast(TestDatabase::sqlite()).await;
    let admin = server.tenant("A").await;
    let centre = centre(&admin).await;
    set(&admin, &centre, json!({"mode": "all"})).await;
    let mut socket = talk(&server, &admin, &centre).await;
    say(&mut socket, json!({"type": "record"})).await;
    let refused = hear(&mut socket, |message| message["type"] == "refused").await;
    assert_eq!(refused["why"], "the switch in use cannot record: the simulated carrier has no sound");
    hang_up(&mut socket).await;
    assert!(admin.get("/v1/recordings").await.expect(200).items("id").is_empty());
    server.stop().await;
}

#[tokio::test]
async fn what_a_campaign_says_of_recordings_is_checked_by_name() {
    let server = Server::start(TestDatabase::sqlite(), WebSettings::default()).await;
    let admin = server.tenant("A").await;
    let nobody = "00000000-0000-0000-0000-000000000001";
    for (recording, code, field) in [
        (json!({"mode": "percentage"}), "out_of_range", "recording.percent"),
        (json!({"mode": "percentage", "percent": 101}), "out_of_range", "recording.percent"),
        (json!({"mode": "all", "percent": 10}), "out_of_range", "recording.percent"),
        (json!({"mode": "all", "retention_days": 0}), "out_of_range", "recording.retention_days"),
        (json!({"mode": "all", "name": "../{attempt}"}), "out_of_range", "recording.name"),
        (json!({"mode": "all", "consent_message": nobody}), "unknown_reference", "recording.consent_message"),
    ] {
        let body = json!({"name": "Winter", "recording": recording});
        let refused = admin.post("/v1/campaigns", body).await.expect_problem(422, code);
        assert_eq!(refused.text("field"), field, "{}", refused.body);
    }
    let odd = json!({"name": "Winter", "recording": {"mode": "sometimes"}});
    admin.post("/v1/campaigns", odd).await.expect_problem(422, "bad_body");
    let message =
        admin.create("/v1/messages", json!({"name": "Consent", "text": "This call is recorded."})).await;
    let recording = json!({"mode": "percentage", "percent": 10, "consent_message": message});
    admin.create("/v1/campaigns", json!({"name": "Winter", "recording": recording})).await;
    admin.delete(&format!("/v1/messages/{message}"), "\"1\"").await.expect_problem(409, "in_use");
    server.stop().await;
}
