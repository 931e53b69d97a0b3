//! Agents who are consulted, transfers and supervisors, with the whole of Outdial on a real Asterisk.

use serde_json::{Value, json};

use crate::centre::{Centre, PERSON, Screen};
use crate::lab::Lab;

/// Says hello, and talks for fifty seconds.
const OTHER: &str = "+447700900500";
const BUSY: &str = "+447700900001";

async fn ready(centre: &Centre, agent: &str) -> Screen {
    let mut screen = Screen::open(centre, agent).await;
    screen.say(json!({"type": "ready"})).await;
    screen.until_state("ready").await;
    screen
}

/// Adds a person to the list of a campaign.
async fn add(centre: &Centre, campaign: &str, number: &str) {
    let sources = centre.get("/v1/sources").await;
    let of_campaign = |source: &&Value| source["campaign"] == *campaign;
    let source = sources["items"].as_array().unwrap().iter().find(of_campaign).unwrap();
    let people = json!({"contacts": [{"external_id": number, "phones": [{"number": number}]}]});
    centre.post(&format!("/v1/sources/{}/contacts", source["id"].as_str().unwrap()), people).await;
}

/// The bodies of the events of this kind so far.
fn of_kind(told: &Value, kind: &str) -> Vec<Value> {
    let items = told["items"].as_array().unwrap().iter();
    items.filter(|event| event["kind"] == kind).map(|event| event["body"].clone()).collect()
}

const EVENTS: &str = "/v1/events?after=0&limit=1000";

#[tokio::test]
async fn an_agent_who_is_consulted_gets_the_next_call_when_the_consultation_is_over() {
    let lab = Lab::start();
    let files = tempfile::tempdir().unwrap();
    let centre = Centre::start(&lab, files.path().join("a.db").to_str().unwrap());
    let agents = centre.agents().await;
    let mut first = ready(&centre, &agents[0]).await;
    let settings = json!({"dial_mode": "progressive", "auto_complete": false});
    let (campaign, group) = centre.campaign(&[PERSON], settings).await;
    first.until(|message| message["type"] == "connected").await;
    let mut second = ready(&centre, &agents[1]).await;
    first.say(json!({"type": "consult", "skill": centre.id("skill")})).await;
    assert_eq!(second.until_state("reserved").await["reason"], "consulted");
    let is = |state: &'static str| {
        move |message: &Value| message["type"] == "consultation" && message["state"] == state
    };
    first.until(is("answered")).await;
    // Somebody else is to be called, and nobody is free for them.
    add(&centre, &campaign, OTHER).await;
    let status = format!("/v1/campaign-groups/{group}/status");
    centre.until(&status, |status| status["live"]["idle_reason"] == "agents_busy").await;
    assert_eq!(lab.invites(0, OTHER), 0, "the other person is not called");
    first.say(json!({"type": "end_consult"})).await;
    second.until(|message| message["type"] == "connected").await;
    first.say(json!({"type": "join"})).await;
    let refused = first.until(|message| message["type"] == "refused").await;
    assert_eq!(refused["code"], "no_consultation");
    // Whom they transfer to is busy: the attempt says so.
    second.say(json!({"type": "transfer", "number": BUSY})).await;
    let ended = second.until(|message| message["type"] == "transfer_ended").await;
    assert_eq!(ended["outcome"], "busy");
    let attempt = format!("/v1/attempts/{}", ended["attempt"].as_str().unwrap());
    let found = centre.until(&attempt, |attempt| !attempt["transfer"].is_null()).await;
    assert_eq!((&found["result"], &found["transfer"]["outcome"]), (&json!("transferred"), &json!("busy")));
    first.say(json!({"type": "hang_up"})).await;
    println!("1 agent consulted and reserved, then called for; 1 transfer to a busy number told as such");
}

#[tokio::test]
async fn a_supervisor_hears_nothing_more_once_the_program_is_back_after_kill_nine_and_events_say_so() {
    let lab = Lab::start();
    let files = tempfile::tempdir().unwrap();
    let mut centre = Centre::start(&lab, files.path().join("a.db").to_str().unwrap());
    let agents = centre.agents().await;
    let mut screen = ready(&centre, &agents[0]).await;
    centre.campaign(&[PERSON], json!({"dial_mode": "progressive"})).await;
    screen.until(|message| message["type"] == "connected").await;
    let wish = json!({"part": "monitor", "endpoint": "PJSIP/agent-1002"});
    let asked = centre.post(&format!("/v1/agents/{}/supervision", agents[0]), wish).await;
    centre.until(EVENTS, |told| !of_kind(told, "supervision.started").is_empty()).await;
    centre.kill();
    assert_eq!(lab.channels("snoop.").len(), 1, "while nobody is there it goes on listening");
    centre.start_again();
    lab.phone_does(1, "BYE", 1).await;
    let told = centre.until(EVENTS, |told| !of_kind(told, "supervision.ended").is_empty()).await;
    let mut screen = Screen::open(&centre, &agents[0]).await;
    screen.until(|message| message["type"] == "connected").await;
    assert_eq!(lab.channels("snoop."), Vec::<String>::new());
    for kind in ["supervision.started", "supervision.ended"] {
        let told = of_kind(&told, kind);
        assert_eq!(told.len(), 1, "{kind}: {told:?}");
        assert_eq!(told[0]["supervision"], asked["id"]);
        assert_eq!((&told[0]["agent"], &told[0]["attempt"]), (&json!(agents[0]), &asked["attempt"]));
    }
    screen.say(json!({"type": "hang_up"})).await;
    screen.until(|message| message["type"] == "call_ended").await;
    println!("1 conversation adopted after kill -9, and nobody listens to it any more");
}
