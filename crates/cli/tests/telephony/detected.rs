//! A server script decides about calls that were picked up, on a real Asterisk.

use serde_json::{Value, json};

use crate::centre::{Centre, Screen};
use crate::lab::Lab;
use crate::recordings::message;

const MAILBOX: &str = "+447700900003";
/// Counts as a machine: it hums without a word.
const HUMS: &str = "+442079460700";
const FAX: &str = "+447700900004";
const SILENT: &str = "+442079460500";

const DECIDES: &str = "
    export function onDetected(contact, call) {
        if (contact.externalId === 'HUMS') throw new Error('I cannot tell');
        switch (call.detected) {
            case 'machine': return { action: 'leave_message', message: 'Later' };
            case 'silence': return { action: 'connect' };
            case 'fax': return { action: 'hang_up' };
        }
    }";

#[tokio::test]
async fn a_script_has_a_message_left_connects_silence_and_where_it_fails_the_profile_decides() {
    let lab = Lab::start();
    let files = tempfile::tempdir().unwrap();
    let centre = Centre::start(&lab, files.path().join("a.db").to_str().unwrap());
    let later = message(&lab, &centre, "Later").await;
    let source = DECIDES.replace("HUMS", HUMS);
    let script = centre.post("/v1/scripts", json!({"name": "Decides", "source": source})).await;
    let profile = json!({"name": "Asks", "script": "Decides", "machine": "script", "silence": "script", "fax": "script",
                         "script_within_ms": 2000, "without_script": {"machine": "connect"}});
    let profile = centre.post("/v1/detection-profiles", profile).await["id"].clone();
    let agents = centre.agents().await;
    let mut screen = Screen::open(&centre, &agents[0]).await;
    screen.say(json!({"type": "ready"})).await;
    screen.until_state("ready").await;
    let numbers = [MAILBOX, HUMS, FAX, SILENT];
    let (campaign, _) = centre
        .campaign_with(&numbers, json!({"dial_mode": "progressive"}), json!({"detection_profile": profile}))
        .await;
    for _ in 0..2 {
        screen.take_a_call().await;
    }
    centre.results(&campaign, numbers.len()).await;
    let attempts = centre.get(&format!("/v1/attempts?campaign={campaign}")).await;
    let of = |number: &str| {
        let items = attempts["items"].as_array().unwrap();
        items.iter().find(|attempt| attempt["number"] == number).unwrap().clone()
    };
    let told = |number: &str| {
        let attempt = of(number);
        let evidence = &attempt["evidence"];
        (evidence["detected"].clone(), evidence["script"].clone(), attempt["result"].clone())
    };
    let triple = |detected: &str, said: &str, result: &str| (json!(detected), json!(said), json!(result));
    assert_eq!(told(MAILBOX), triple("machine", "leave_message", "answering_machine"), "{attempts}");
    assert_eq!(told(HUMS), triple("machine", "failed", "answering_machine"), "{attempts}");
    assert_eq!(told(FAX), triple("fax", "hang_up", "fax_detected"), "{attempts}");
    assert_eq!(told(SILENT), triple("silence", "connect", "answer"), "{attempts}");
    let mailbox = of(MAILBOX);
    assert_eq!(mailbox["evidence"]["script_message"], json!(later));
    assert_eq!(mailbox["evidence"]["message"], "campaign");
    assert!(mailbox["evidence"]["message_ended_at"].is_string(), "{mailbox}");
    for (number, is_connected) in [(MAILBOX, false), (HUMS, true), (FAX, false), (SILENT, true)] {
        assert_eq!(of(number)["connected_at"].is_string(), is_connected, "{number}");
        assert_eq!(lab.invites(0, number), 1, "{number}");
    }
    let errors = centre.get(&format!("/v1/scripts/{}/errors", script["id"].as_str().unwrap())).await;
    let phases: Vec<&Value> =
        errors["items"].as_array().unwrap().iter().map(|error| &error["phase"]).collect();
    assert_eq!(phases, ["detected"]);
    println!("4 calls decided: 1 message left by name, 1 connected, 1 hung up, 1 by the profile");
}
