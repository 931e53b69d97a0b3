//! Third parties and supervisors, as an agent's screen and other systems see them.

use serde_json::{Value, json};

use crate::agent_session::{Socket, hear, is_state, open, say};
use crate::dialling::{Centre, centre_with};
use crate::recordings::talk;
use crate::support::{Caller, Server, until};

/// Test numbers: busy after a second, and a person who picks up after one.
const BUSY: &str = "+447700900001";
const PERSON: &str = "+447700900000";

async fn is_refused(socket: &mut Socket, message: Value, code: &str) {
    let said = message.to_string();
    say(socket, message).await;
    let refused = hear(socket, |message| message["type"] == "refused").await;
    assert_eq!(refused["code"], code, "{said}: {refused}");
}

async fn consultation(socket: &mut Socket, state: &'static str) -> Value {
    hear(socket, |message| message["type"] == "consultation" && message["state"] == state).await
}

/// The first event of this kind, once there is one.
async fn event(admin: &Caller<'_>, kind: &str) -> Value {
    let is_it = |event: &&Value| event["kind"] == kind;
    let ask = || admin.get("/v1/events?after=0&limit=1000");
    let told =
        until(ask, |told| told.body["items"].as_array().unwrap().iter().any(|event| is_it(&event))).await;
    let event = told.body["items"].as_array().unwrap().iter().find(is_it).unwrap().clone();
    event["body"].clone()
}

async fn with_bob(admin: &Caller<'_>) -> (Centre, String) {
    let centre = centre_with(admin, 1).await;
    let bob = json!({"name": "Bob", "skills": [{"skill": centre.skill}],
        "telephone": {"number": PERSON, "standing": false}});
    let bob = admin.create("/v1/agents", bob).await;
    (centre, bob)
}

#[tokio::test]
async fn what_cannot_be_done_with_third_parties_is_refused_by_name() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let (centre, _) = with_bob(&admin).await;
        let nobody = admin.create("/v1/agents", json!({"name": "Cid"})).await;
        let mut ann = talk(&server, &admin, &centre).await;
        for message in ["join", "end_consult", "transfer"] {
            is_refused(&mut ann, json!({"type": message}), "no_consultation").await;
        }
        is_refused(&mut ann, json!({"type": "consult", "agent": centre.agent}), "agent_busy").await;
        is_refused(&mut ann, json!({"type": "consult", "agent": nobody}), "no_telephone").await;
        consultation(&mut ann, "ended").await;
        say(&mut ann, json!({"type": "consult", "number": PERSON})).await;
        consultation(&mut ann, "answered").await;
        is_refused(&mut ann, json!({"type": "consult", "number": BUSY}), "consultation_stands").await;
        is_refused(&mut ann, json!({"type": "transfer", "number": BUSY}), "consultation_stands").await;
    }
}

#[tokio::test]
async fn an_agent_is_told_when_whom_they_consult_is_busy_and_whom_they_consult_is_reserved() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let (centre, bob_id) = with_bob(&admin).await;
        let mut ann = talk(&server, &admin, &centre).await;
        let mut bob = open(&server, &format!("agent={bob_id}"), Some(admin.key())).await.unwrap();
        for message in ["log_in", "ready"] {
            say(&mut bob, json!({"type": message})).await;
        }
        hear(&mut bob, is_state("ready")).await;
        say(&mut ann, json!({"type": "consult", "number": BUSY})).await;
        consultation(&mut ann, "ringing").await;
        assert_eq!(consultation(&mut ann, "ended").await["reason"], "busy");
        say(&mut ann, json!({"type": "consult", "agent": bob_id})).await;
        assert_eq!(hear(&mut bob, is_state("reserved")).await["reason"], "consulted");
        consultation(&mut ann, "answered").await;
        say(&mut ann, json!({"type": "end_consult"})).await;
        hear(&mut bob, is_state("ready")).await;
        // Left to Bob, who is the one of his skill, the call keeps him until its end.
        say(&mut ann, json!({"type": "consult", "skill": centre.skill})).await;
        assert_eq!(consultation(&mut ann, "answered").await["agent"], bob_id);
        say(&mut ann, json!({"type": "transfer"})).await;
        let ended = hear(&mut ann, |message| message["type"] == "transfer_ended").await;
        assert_eq!(ended["outcome"], "answered");
        say(&mut bob, json!({"type": "hang_up"})).await;
        hear(&mut bob, is_state("ready")).await;
    }
}

#[tokio::test]
async fn a_transfer_to_a_number_that_is_busy_is_told_as_it_was() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let centre = centre_with(&admin, 1).await;
        let mut ann = talk(&server, &admin, &centre).await;
        say(&mut ann, json!({"type": "transfer", "number": BUSY})).await;
        let left = hear(&mut ann, |message| message["type"] == "call_ended").await;
        assert_eq!(left["result"], "transferred");
        let ended = hear(&mut ann, |message| message["type"] == "transfer_ended").await;
        assert_eq!((&ended["outcome"], &ended["attempt"]), (&json!("busy"), &left["attempt"]));
        let told = event(&admin, "transfer.ended").await;
        assert_eq!((&told["outcome"], &told["agent"]), (&json!("busy"), &json!(centre.agent)));
        let path = format!("/v1/attempts/{}", left["attempt"].as_str().unwrap());
        let attempt = admin.get(&path).await.expect(200);
        assert_eq!(attempt.body["result"], "transferred");
        assert_eq!(attempt.body["transfer"], json!({"outcome": "busy", "at": told["at"]}));
    }
}

#[tokio::test]
async fn what_became_of_a_supervision_is_an_event() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let centre = centre_with(&admin, 1).await;
        let mut ann = talk(&server, &admin, &centre).await;
        let supervisor = admin.with_role("supervisor").await;
        let wish = json!({"part": "whisper", "endpoint": "PJSIP/boss"});
        let path = format!("/v1/agents/{}/supervision", centre.agent);
        let asked = supervisor.post(&path, wish).await.expect(202);
        // Nobody is rung on the simulated carrier.
        let failed = event(&admin, "supervision.failed").await;
        assert_eq!(failed["reason"], "nobody_rung");
        assert_eq!(failed["supervision"], asked.body["id"]);
        assert_eq!(failed["attempt"], asked.body["attempt"]);
        assert_eq!(failed["agent"], json!(centre.agent));
        assert_eq!((&failed["supervisor"], &failed["part"]), (&json!("key:supervisor"), &json!("whisper")));
        say(&mut ann, json!({"type": "hang_up"})).await;
    }
}
