//! A server script decides about calls that were picked up, by what detection found out.

use std::net::TcpListener;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Demo, answer};

/// What the script does, by the contact's id at its source.
const DECIDES: &str = "
    export async function onDetected(contact, call, context) {
        log(call.detected, context.phase);
        switch (contact.externalId) {
            case 'leave': return { action: 'leave_message', message: 'be back' };
            case 'hang up': return { action: 'hang_up' };
            case 'like a person': return { action: 'connect' };
            case 'no such message': return { action: 'leave_message', message: 'Nobody' };
            case 'slow': await fetch('SLOW'); return { action: 'hang_up' };
            case 'fax': return call.detected === 'fax' ? { action: 'leave_message', message: 'Be back' } : {};
        }
    }
    export function executePreCallScript() {}";

async fn refused(demo: &Demo, body: Value) -> (String, String) {
    let refused = demo.post("/v1/detection-profiles", body, 422).await;
    let text = |name: &str| refused[name].as_str().unwrap_or_default().to_owned();
    (text("code"), text("field"))
}

#[tokio::test]
async fn a_script_decides_about_machines_and_faxes_and_the_attempts_tell_what_it_said() {
    // It takes connections and never answers.
    let slow = TcpListener::bind("127.0.0.1:0").unwrap();
    let configuration = "[scripts]\nallow_private_addresses = true\nhosts = { \"*\" = [\"127.0.0.1\"] }\n";
    let arguments = ["--contacts", "1", "--seconds", "0", "--speed", "1"];
    let demo = Demo::start(&arguments, configuration);
    let source = DECIDES.replace("SLOW", &format!("http://{}/", slow.local_addr().unwrap()));
    demo.post("/v1/scripts", json!({"name": "Decides", "source": source}), 201).await;
    let message = |name: &str| json!({"name": name, "text": "Hello"});
    let be_back = demo.post("/v1/messages", message("Be back"), 201).await["id"].clone();
    let own = demo.post("/v1/messages", message("What it is about"), 201).await["id"].clone();
    let profile = json!({"name": "Asks", "script": "decides", "machine": "script", "fax": "script",
                         "script_within_ms": 2000});
    let profile = demo.post("/v1/detection-profiles", profile, 201).await["id"].clone();
    let campaign = demo.get(&format!("/v1/campaigns/{}", demo.id("campaign"))).await;
    let campaign =
        json!({"name": "Decided", "calling_hours": campaign["calling_hours"], "detection_profile": profile});
    let campaign = demo.post("/v1/campaigns", campaign, 201).await["id"].clone();
    let settings = json!({"dial_mode": "agentless",
                          "agentless": {"ports": 9, "message": own, "leave_on_machine": true}});
    let group =
        json!({"name": "Machines", "campaign": campaign, "skill": demo.id("skill"), "settings": settings});
    let group = demo.post("/v1/campaign-groups", group, 201).await["id"].clone();
    let source = demo.post("/v1/sources", json!({"name": "Machines", "campaign": campaign}), 201).await;
    let cases = [
        ("leave", 3, "leave_message", json!("campaign"), be_back.clone(), "answering_machine"),
        ("hang up", 3, "hang_up", Value::Null, Value::Null, "answering_machine"),
        ("like a person", 3, "connect", json!("campaign"), Value::Null, "answering_machine"),
        ("no such message", 3, "failed", json!("campaign"), Value::Null, "answering_machine"),
        ("slow", 3, "late", json!("campaign"), Value::Null, "answering_machine"),
        ("nothing", 3, "nothing", json!("campaign"), Value::Null, "answering_machine"),
        ("fax", 4, "leave_message", json!("campaign"), be_back, "fax_detected"),
    ];
    let record = |(index, case): (usize, &(&str, u8, &str, Value, Value, &str))| {
        let number = format!("+1{}555010{}", 212 + index, case.1);
        json!({"external_id": case.0, "phones": [{"number": number}]})
    };
    let records: Vec<Value> = cases.iter().enumerate().map(record).collect();
    let path = format!("/v1/sources/{}/contacts", source["id"].as_str().unwrap());
    let added = demo.post(&path, json!({"contacts": records}), 200).await;

    // A try starts the process that runs scripts, and has no effect on calls.
    let contact = added["results"][0]["contact"].clone();
    let tried = json!({"contact": contact, "detected": "machine"});
    let tried = demo.post("/v1/scripts/Decides/try", tried, 200).await;
    assert_eq!(tried["returned"], json!({"action": "leave_message", "message": "be back"}), "{tried}");
    assert_eq!(tried["logs"], json!(["machine detected"]));
    let both = json!({"contact": contact, "detected": "machine", "result": "busy"});
    assert_eq!(demo.post("/v1/scripts/Decides/try", both, 422).await["code"], "result_and_detected");

    let actions = format!("/v1/campaign-groups/{}/actions", group.as_str().unwrap());
    for action in ["load", "start"] {
        demo.post(&actions, json!({"action": action}), 200).await;
    }
    let all_have_ended = |attempts: &Value| {
        let items = attempts["items"].as_array().unwrap();
        items.len() == cases.len() && items.iter().all(|attempt| attempt["ended_at"].is_string())
    };
    let path = format!("/v1/attempts?campaign={}", campaign.as_str().unwrap());
    let attempts = demo.until(&path, all_have_ended).await;
    for (index, (name, _, said, heard, message, result)) in cases.iter().enumerate() {
        let contact = &added["results"][index]["contact"];
        let found =
            attempts["items"].as_array().unwrap().iter().find(|it| it["contact"] == *contact).unwrap();
        let evidence = &found["evidence"];
        let told = (&evidence["script"], &evidence["message"], &evidence["script_message"], &found["result"]);
        assert_eq!(told, (&json!(said), heard, message, &json!(result)), "{name}: {found}");
        assert!(evidence["script_at"].is_string(), "{name}: {found}");
    }
    // What went wrong is kept.
    let id = demo.get("/v1/scripts").await["items"][0]["id"].clone();
    let errors = demo.get(&format!("/v1/scripts/{}/errors", id.as_str().unwrap())).await;
    let mut kinds: Vec<_> = errors["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["phase"].as_str().unwrap(), error["kind"].as_str().unwrap()))
        .collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [("detected", "bad_verdict"), ("detected", "timed_out")]);
}

#[tokio::test]
async fn a_profile_that_asks_a_script_names_one_that_can_be_asked() {
    let demo = Demo::start(&["--contacts", "1", "--seconds", "0"], "");
    let ask = |changes: Value| {
        let mut body = json!({"name": "Asks", "machine": "script", "script": "Decides"});
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        body
    };
    let pair = |code: &str, field: &str| (code.to_owned(), field.to_owned());
    assert_eq!(refused(&demo, ask(json!({}))).await, pair("unknown_reference", "script"));
    let gate = json!({"name": "Gate", "http": {"url": "http://127.0.0.1:9/"}});
    demo.post("/v1/scripts", gate, 201).await;
    assert_eq!(refused(&demo, ask(json!({"script": "Gate"}))).await, pair("bad_script", "script"));
    let script = demo.post("/v1/scripts", json!({"name": "Decides", "source": DECIDES}), 201).await;
    for (changes, code, field) in [
        (json!({"script": null}), "missing", "script"),
        (json!({"machine": "hang_up"}), "not_asked", "script"),
        (json!({"script_within_ms": 99}), "out_of_range", "script_within_ms"),
        (json!({"script_within_ms": 2001}), "out_of_range", "script_within_ms"),
        (json!({"without_script": {"unsure": "connect"}}), "not_asked", "without_script.unsure"),
        (json!({"without_script": {"machine": "leave_message"}}), "missing", "message"),
    ] {
        assert_eq!(refused(&demo, ask(changes.clone())).await, pair(code, field), "{changes}");
    }
    let profile = demo.post("/v1/detection-profiles", ask(json!({})), 201).await;
    assert_eq!((&profile["machine"], &profile["fax"]), (&json!("script"), &json!("hang_up")));
    // Neither deleted nor renamed while a profile names it.
    let path = format!("/v1/scripts/{}", script["id"].as_str().unwrap());
    let gone = answer(demo.request(Method::DELETE, &path).header("if-match", "\"1\""), 409).await;
    assert_eq!(gone["code"], "in_use");
    assert!(gone["detail"].as_str().unwrap().contains("detection profile 'Asks'"), "{gone}");
}
