//! The caller id on the wire: what the carrier reads in the INVITE.

use serde_json::{Value, json};
use store::testing::TestDatabase;

use crate::centre::{Centre, Screen};
use crate::lab::Lab;

/// London, Manchester, Reading, and a mobile; all of them are busy.
const PEOPLE: [&str; 4] = ["+442079460001", "+441614960001", "+441184960001", "+447700900001"];
const LONDON: &str = "+442079460980";
const MANCHESTER: &str = "+441614960980";
const READING: &str = "+441184960980";

/// The number between `<sip:` and `@` of the From header.
fn on_the_wire(lab: &Lab, called: &str) -> String {
    let log = lab.carrier_log(0);
    let invite = log.iter().find(|line| line.word == "INVITE" && line.called == called).expect(called);
    let number = invite.rest.split("<sip:").nth(1).and_then(|rest| rest.split('@').next());
    number.unwrap_or_else(|| panic!("no number in {}", invite.rest)).to_owned()
}

async fn the_number_of_the_same_area_is_on_the_wire(database: &str) {
    let lab = Lab::start();
    let centre = Centre::start(&lab, database);
    let agents = centre.agents().await;
    let mut screen = Screen::open(&centre, &agents[0]).await;
    screen.say(json!({"type": "ready"})).await;
    screen.until_state("ready").await;
    let numbers = [LONDON, MANCHESTER, READING].map(|number| json!({ "number": number }));
    let pool = json!({"name": "Offices", "numbers": numbers, "choose": "same_area", "calls_per_day_max": 50});
    let pool = centre.post("/v1/caller-id-pools", pool).await["id"].clone();
    let settings = json!({"dial_mode": "power", "lines_per_agent": 2.0, "calls_per_second_max": 5, "caller_id_pool": pool});
    let (campaign, _) = centre.campaign(&PEOPLE, settings).await;
    centre.results(&campaign, PEOPLE.len()).await;
    let [london, manchester, reading, mobile] = PEOPLE.map(|called| on_the_wire(&lab, called));
    assert_eq!([london.as_str(), &manchester, &reading], [LONDON, MANCHESTER, READING]);
    assert!(
        [LONDON, MANCHESTER, READING].contains(&mobile.as_str()),
        "a mobile has no area: any of them, {mobile}"
    );
    // The history says the same as the wire.
    let attempts = centre.get(&format!("/v1/attempts?campaign={campaign}")).await;
    for attempt in attempts["items"].as_array().unwrap() {
        let text =
            |name: &str| attempt[name].as_str().map(str::to_owned).unwrap_or_else(|| panic!("{attempt}"));
        assert_eq!(text("caller_id"), on_the_wire(&lab, &text("number")));
    }
    println!("{} calls on a real Asterisk, each with the caller id of its area in the INVITE", PEOPLE.len());
}

#[tokio::test]
async fn a_call_shows_the_number_of_the_called_area_on_sqlite() {
    let files = tempfile::tempdir().unwrap();
    the_number_of_the_same_area_is_on_the_wire(files.path().join("a.db").to_str().unwrap()).await;
}

#[tokio::test]
async fn a_call_shows_the_number_of_the_called_area_on_postgresql() {
    let database = TestDatabase::postgres();
    the_number_of_the_same_area_is_on_the_wire(&database.address()).await;
}

#[tokio::test]
async fn a_number_of_the_contacts_own_and_one_of_the_list_are_on_the_wire() {
    let lab = Lab::start();
    let files = tempfile::tempdir().unwrap();
    let centre = Centre::start(&lab, files.path().join("a.db").to_str().unwrap());
    let agents = centre.agents().await;
    let mut screen = Screen::open(&centre, &agents[0]).await;
    screen.say(json!({"type": "ready"})).await;
    screen.until_state("ready").await;
    let settings = json!({"dial_mode": "power", "lines_per_agent": 2.0, "caller_id": LONDON});
    let (campaign, _) = centre.campaign(&PEOPLE[..1], settings).await;
    let list = json!({"name": "With its own", "campaign": campaign, "caller_id": MANCHESTER});
    let list = centre.post("/v1/sources", list).await["id"].as_str().unwrap().to_owned();
    let contacts: Value = json!([
        {"external_id": "list", "phones": [{"number": PEOPLE[1]}]},
        {"external_id": "own", "phones": [{"number": PEOPLE[2], "caller_id": READING}]},
    ]);
    centre.post(&format!("/v1/sources/{list}/contacts"), json!({ "contacts": contacts })).await;
    centre.results(&campaign, 3).await;
    let wire = [PEOPLE[0], PEOPLE[1], PEOPLE[2]].map(|called| on_the_wire(&lab, called));
    assert_eq!(wire, [LONDON, MANCHESTER, READING], "of the group, of the list, of the contact");
}
