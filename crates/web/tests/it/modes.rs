//! Dialling without agents, previews that are asked for or pushed, and callbacks alone, over the API.

use serde_json::{Value, json};
use store::testing::databases;

use crate::agent_session::{Socket, hear, is_state, open, say};
use crate::dialling::{Centre, centre_with};
use crate::support::{Answer, Caller, Server, until};

/// Gives the group other settings and starts it.
async fn run(admin: &Caller<'_>, centre: &Centre, settings: Value) {
    let Centre { campaign, group, skill, .. } = centre;
    let body = json!({"name": "Team", "campaign": campaign, "skill": skill, "settings": settings});
    admin.put(&format!("/v1/campaign-groups/{group}"), "\"1\"", body).await.expect(200);
    act(admin, centre, json!({"action": "load"})).await.expect(200);
    act(admin, centre, json!({"action": "start"})).await.expect(200);
}

async fn act(admin: &Caller<'_>, centre: &Centre, action: Value) -> Answer {
    admin.post(&format!("/v1/campaign-groups/{}/actions", centre.group), action).await
}

async fn add(admin: &Caller<'_>, numbers: &[&str]) {
    let source = admin.get("/v1/sources").await.expect(200).items("id")[0].to_owned();
    for number in numbers {
        let contact = json!({"external_id": number, "phones": [{"number": number}]});
        admin.post(&format!("/v1/sources/{source}/contacts"), contact).await.expect(201);
    }
}

async fn message(admin: &Caller<'_>) -> String {
    let message = json!({"name": "Order", "text": "Your order is here. To be called no more, press 1."});
    admin.create("/v1/messages", message).await
}

async fn settled(admin: &Caller<'_>, count: usize) -> Vec<Value> {
    let is_settled = |attempt: &Value| !attempt["settled_at"].is_null();
    let wanted = |answer: &Answer| {
        answer.body["items"]
            .as_array()
            .is_some_and(|items| items.iter().filter(|it| is_settled(it)).count() >= count)
    };
    let attempts = until(|| admin.get("/v1/attempts"), wanted).await;
    attempts.body["items"].as_array().unwrap().iter().filter(|it| is_settled(it)).cloned().collect()
}

async fn at_work(server: &Server, admin: &Caller<'_>, agent: &str) -> Socket {
    let mut socket = open(server, &format!("agent={agent}"), Some(admin.key())).await.unwrap();
    say(&mut socket, json!({"type": "log_in"})).await;
    say(&mut socket, json!({"type": "ready"})).await;
    hear(&mut socket, is_state("ready")).await;
    socket
}

#[tokio::test]
async fn without_any_agent_people_hear_the_message_and_whoever_presses_1_is_suppressed_at_once() {
    for database in databases() {
        let server = Server::start_sixty_times_as_fast(database).await;
        let admin = server.tenant("A").await;
        let centre = centre_with(&admin, 0).await;
        // Presses 1; presses 5, which means nothing; a machine.
        add(&admin, &["+443069990001", "+443069990005", "+447700900003"]).await;
        let message = message(&admin).await;
        let agentless = json!({"ports": 2, "message": message, "leave_on_machine": true});
        run(&admin, &centre, json!({"dial_mode": "agentless", "agentless": agentless})).await;
        let attempts = settled(&admin, 3).await;
        let result = |number: &str| {
            let of = attempts.iter().find(|attempt| attempt["number"] == number).expect(number);
            assert_eq!((&of["dial_mode"], &of["agent"]), (&json!("agentless"), &Value::Null));
            of["result"].as_str().unwrap().to_owned()
        };
        assert_eq!(result("+443069990001"), "do_not_call");
        assert_eq!(result("+443069990005"), "answer");
        assert_eq!(result("+447700900003"), "answering_machine");
        let own = format!("/v1/suppression-lists/{}/entries?number=%2B443069990001", centre.campaign);
        assert_eq!(admin.get(&own).await.expect(200).body["items"].as_array().unwrap().len(), 1);
        let events = admin.get("/v1/events?limit=1000").await.expect(200);
        let opted_out: Vec<&Value> = events.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|event| event["body"].get("opted_out"))
            .collect();
        // Whether the message began in time depends on how busy the machine is that runs the test.
        assert_eq!(opted_out.len(), 1, "{}", events.body);
        server.stop().await;
    }
}

#[tokio::test]
async fn the_transfer_key_brings_a_person_to_an_agent_who_is_ready() {
    for database in databases() {
        let server = Server::start_sixty_times_as_fast(database).await;
        let admin = server.tenant("A").await;
        let centre = centre_with(&admin, 0).await;
        add(&admin, &["+443069990009"]).await;
        let message = message(&admin).await;
        let mut ann = at_work(&server, &admin, &centre.agent).await;
        let agentless = json!({"ports": 1, "message": message, "transfer_digit": "9"});
        run(&admin, &centre, json!({"dial_mode": "agentless", "agentless": agentless})).await;
        hear(&mut ann, |message| message["type"] == "call" && message["number"] == "+443069990009").await;
        hear(&mut ann, |message| message["type"] == "connected").await;
        hear(&mut ann, |message| message["type"] == "call_ended" && message["result"] == "answer").await;
        server.stop().await;
    }
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused_by_name() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let centre = centre_with(&admin, 0).await;
        let Centre { campaign, group, skill, .. } = &centre;
        let message = message(&admin).await;
        let place = format!("/v1/campaign-groups/{group}");
        let put = async |settings: Value| {
            let body = json!({"name": "Team", "campaign": campaign, "skill": skill, "settings": settings});
            admin.put(&place, "\"1\"", body).await
        };
        let bare = put(json!({"dial_mode": "agentless"})).await.expect_problem(422, "out_of_range");
        assert_eq!(bare.text("field"), "settings.agentless");
        let with = |ports: u32, key: &str| json!({"agentless": {"ports": ports, "message": message, "transfer_digit": key}});
        for (settings, code, field) in [
            (with(0, "9"), "out_of_range", "settings.agentless.ports"),
            (with(1, "x"), "out_of_range", "settings.agentless.transfer_digit"),
            (with(1, "1"), "same_key", "settings.agentless.transfer_digit"),
        ] {
            assert_eq!(put(settings).await.expect_problem(422, code).text("field"), field);
        }
        let nobody = json!({"agentless": {"ports": 1, "message": "00000000-0000-0000-0000-000000000001"}});
        put(nobody).await.expect_problem(422, "unknown_reference");

        act(&admin, &centre, json!({"action": "load"})).await.expect(200);
        let early = act(&admin, &centre, json!({"action": "start", "dial_mode": "agentless"})).await;
        assert!(early.expect_problem(409, "action_refused").text("detail").contains("agentless"));
        put(with(1, "9")).await.expect(200);
        let place = format!("/v1/campaigns/{campaign}");
        let mut body = admin.get(&place).await.expect(200).body;
        body["opt_out_digit"] = json!("9");
        let taken = admin.put(&place, "\"1\"", body.clone()).await.expect_problem(422, "same_key");
        assert!(taken.text("detail").contains("Team"), "{}", taken.body);
        body["opt_out_digit"] = json!("e");
        admin.put(&place, "\"1\"", body).await.expect_problem(422, "out_of_range");
        server.stop().await;
    }
}

#[tokio::test]
async fn an_agent_asks_for_each_contact_to_preview() {
    for database in databases() {
        let server = Server::start_sixty_times_as_fast(database).await;
        let admin = server.tenant("A").await;
        let centre = centre_with(&admin, 20).await;
        let mut ann = at_work(&server, &admin, &centre.agent).await;
        let settings = json!({"dial_mode": "preview", "preview_seconds_max": 900});
        run(&admin, &centre, settings).await;
        let status = format!("/v1/campaign-groups/{}/status", centre.group);
        until(|| admin.get(&status), |status| status.body["live"]["idle_reason"] == "nobody_asked").await;
        say(&mut ann, json!({"type": "next"})).await;
        hear(&mut ann, |message| message["type"] == "preview").await;
        say(&mut ann, json!({"type": "reject_preview"})).await;
        hear(&mut ann, is_state("ready")).await;
        say(&mut ann, json!({"type": "next"})).await;
        hear(&mut ann, |message| message["type"] == "preview").await;
        say(&mut ann, json!({"type": "accept_preview"})).await;
        hear(&mut ann, is_state("reserved")).await;
        server.stop().await;
    }
}

#[tokio::test]
async fn a_pushed_preview_comes_unasked_and_its_rejection_is_on_record_with_its_reason() {
    for database in databases() {
        let server = Server::start_sixty_times_as_fast(database).await;
        let admin = server.tenant("A").await;
        let centre = centre_with(&admin, 20).await;
        let mut ann = at_work(&server, &admin, &centre.agent).await;
        run(&admin, &centre, json!({"dial_mode": "push_preview", "preview_seconds_max": 900})).await;
        hear(&mut ann, |message| message["type"] == "preview").await;
        let refused = |message: &Value| message["type"] == "refused";
        say(&mut ann, json!({"type": "reject_preview"})).await;
        assert!(hear(&mut ann, refused).await["why"].as_str().unwrap().contains("reason"));
        say(&mut ann, json!({"type": "reject_preview", "reason": "x".repeat(201)})).await;
        assert!(hear(&mut ann, refused).await["why"].as_str().unwrap().contains("200"));
        say(&mut ann, json!({"type": "reject_preview", "reason": "my own customer"})).await;
        hear(&mut ann, |message| message["type"] == "preview").await;
        let events = until(
            || admin.get("/v1/events?limit=1000"),
            |events| events.body.to_string().contains("my own customer"),
        )
        .await;
        let returned = events.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["kind"] == "contact.returned" && it.to_string().contains("my own customer"));
        assert!(returned.unwrap().to_string().contains(&centre.agent));
        server.stop().await;
    }
}

#[tokio::test]
async fn a_group_for_callbacks_alone_calls_those_and_leaves_the_list_to_others() {
    for database in databases() {
        let server = Server::start_sixty_times_as_fast(database).await;
        let admin = server.tenant("A").await;
        let centre = centre_with(&admin, 20).await;
        let promised = "+447700900100";
        let mut ann = at_work(&server, &admin, &centre.agent).await;
        let callbacks = json!({"delivery": "dial"});
        run(&admin, &centre, json!({"callbacks_only": true, "callbacks": callbacks, "auto_complete": true}))
            .await;
        let callback = json!({"number": promised, "skill": centre.skill});
        admin.post("/v1/callbacks", callback).await.expect(201);
        hear(&mut ann, |message| message["type"] == "call" && message["number"] == promised).await;
        let attempts = admin.get("/v1/attempts").await.expect(200);
        assert_eq!(attempts.items("number"), [promised], "nobody of the list was called");
        let status = admin.get(&format!("/v1/campaign-groups/{}/status", centre.group)).await.expect(200);
        assert_eq!(status.text("state"), "running", "the list may still lead to callbacks");
        let path = format!("/v1/contacts?campaign={}&limit=1", centre.campaign);
        let contacts = admin.get(&path).await.expect(200);
        let why = admin.get(&format!("/v1/contacts/{}/why-not", contacts.items("id")[0])).await.expect(200);
        assert!(why.body.to_string().contains("only_callbacks"), "{}", why.body);
        server.stop().await;
    }
}
