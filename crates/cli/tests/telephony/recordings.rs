//! Conversations that are recorded, and what is on their recordings.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use store::testing::TestDatabase;

use crate::centre::{Centre, PERSON, Screen};
use crate::lab::Lab;
use crate::sound::{length_of, seconds_of, seconds_with};

/// What called parties hum, some four seconds after the answer, and agents' phones all the time; what the announcement is.
const CALLED: u32 = 440;
const AGENT: u32 = 880;
const ANNOUNCEMENT: u32 = 660;
const SECOND: Duration = Duration::from_secs(1);

/// What is said of recordings, where Asterisk finds it.
async fn announcement(lab: &Lab, centre: &Centre) -> String {
    message(lab, centre, "Recorded").await
}

/// A message of a second of sound, where Asterisk finds it.
pub async fn message(lab: &Lab, centre: &Centre, name: &str) -> String {
    let file = lab.files.path().join("announcement.wav");
    let mut sox = Command::new("sox");
    sox.args(["-q", "-n", "-r", "8000", "-c", "1", "-b", "16"]).arg(&file);
    sox.args(["synth", "1", "sine", &ANNOUNCEMENT.to_string(), "vol", "0.4"]);
    assert!(sox.status().unwrap().success());
    let body = json!({"name": name, "text": "This call is recorded."});
    let message = centre.post("/v1/messages", body).await["id"].as_str().unwrap().to_owned();
    let path = format!("{}/v1/messages/{message}/sound", centre.id("base_url"));
    let upload = centre.client.put(path).bearer_auth(centre.id("api_key")).header("If-Match", "\"1\"");
    let upload = upload.body(std::fs::read(&file).unwrap());
    let uploaded: Value = upload.send().await.unwrap().json().await.unwrap();
    let name = format!("{}.wav", uploaded["sound"]["sha256"].as_str().unwrap());
    std::fs::copy(&file, lab.folder().join("sounds").join(name)).unwrap();
    message
}

/// An agent's screen, connected with the person of a campaign that records like this.
async fn conversation(centre: &Centre, recording: Value) -> (Screen, String) {
    let agents = centre.agents().await;
    let mut screen = Screen::open(centre, &agents[0]).await;
    screen.say(json!({"type": "ready"})).await;
    screen.until_state("ready").await;
    let (campaign, _) = centre
        .campaign_with(&[PERSON], json!({"dial_mode": "progressive"}), json!({"recording": recording}))
        .await;
    screen.until(|message| message["type"] == "connected").await;
    (screen, campaign)
}

async fn is_recorded(screen: &mut Screen, on: bool) {
    screen.until(|message| message["type"] == "recording" && message["on"] == on).await;
}

async fn end(screen: &mut Screen) {
    screen.say(json!({"type": "hang_up"})).await;
    screen.until(|message| message["type"] == "call_ended").await;
    screen.say(json!({"type": "dispose", "disposition": "sale"})).await;
}

/// The only recording of a campaign, once it is stored.
async fn stored(centre: &Centre, campaign: &str) -> Value {
    let is_stored = |found: &Value| found["items"][0]["state"] == "stored";
    let found = centre.until(&format!("/v1/recordings?campaign={campaign}"), is_stored).await;
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found}");
    found["items"][0].clone()
}

/// Its sound, as the API gives it, in a file.
async fn heard(lab: &Lab, centre: &Centre, recording: &Value) -> PathBuf {
    let path = format!("{}/v1/recordings/{}/audio", centre.id("base_url"), recording["id"].as_str().unwrap());
    let answer = centre.client.get(path).bearer_auth(centre.id("api_key")).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "audio/wav");
    let bytes = answer.bytes().await.unwrap();
    assert_eq!(recording["bytes"], bytes.len());
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(recording["sha256"], digest.as_str());
    let file = lab.files.path().join("heard.wav");
    std::fs::write(&file, &bytes).unwrap();
    let (told, is) = (recording["length_seconds"].as_f64().unwrap(), length_of(&file));
    assert!((told - is).abs() < 0.002, "it is {is} s long, not {told} s");
    file
}

fn files_in(directory: &Path) -> usize {
    std::fs::read_dir(directory).map_or(0, Iterator::count)
}

async fn both_voices_are_on_the_recording(database: &str) {
    let lab = Lab::start();
    let centre = Centre::start(&lab, database);
    let consent = announcement(&lab, &centre).await;
    let recording = json!({"mode": "all", "consent_message": consent, "name": "{campaign}_{attempt}"});
    let (mut screen, campaign) = conversation(&centre, recording).await;
    is_recorded(&mut screen, true).await;
    tokio::time::sleep(7 * SECOND).await;
    screen.say(json!({"type": "record"})).await;
    screen.until(|message| message["type"] == "refused").await;
    let pending = centre.get(&format!("/v1/recordings?campaign={campaign}")).await;
    assert_eq!(pending["items"][0]["state"], "pending", "{pending}");
    end(&mut screen).await;
    let recording = stored(&centre, &campaign).await;
    let id = recording["id"].as_str().unwrap();
    assert_eq!(recording["name"], format!("Real_{id}"));
    let kept = lab.files.path().join("data/kept");
    assert!(files_in(&kept) > 0, "it is kept where the configuration says");
    let file = heard(&lab, &centre, &recording).await;
    let (called, agent) = (seconds_with(&file, CALLED), seconds_with(&file, AGENT));
    assert!(called > 2.0, "the called party is heard for {called} s");
    assert!(agent > 4.0, "the agent is heard for {agent} s");
    assert!(seconds_with(&file, ANNOUNCEMENT) > 0.5, "the announcement is heard");
    assert!(length_of(&file) > 6.0, "{} s", length_of(&file));
    let path = format!("/v1/recordings/{id}");
    let switch = lab.folder().join("spool/recording");
    let deadline = tokio::time::Instant::now() + 10 * SECOND;
    while files_in(&switch) > 0 {
        assert!(tokio::time::Instant::now() < deadline, "the switch still has the file");
        tokio::time::sleep(SECOND / 10).await;
    }
    centre.ask(Method::DELETE, &path, None).await;
    assert_eq!(centre.get(&path).await["state"], "deleted");
    println!(
        "1 conversation recorded: called party {called:.1} s, agent {agent:.1} s, bytes as their hash says"
    );
}

#[tokio::test]
async fn a_conversation_is_recorded_fetched_and_not_silent_on_sqlite() {
    let files = tempfile::tempdir().unwrap();
    both_voices_are_on_the_recording(files.path().join("a.db").to_str().unwrap()).await;
}

#[tokio::test]
async fn a_conversation_is_recorded_fetched_and_not_silent_on_postgresql() {
    let database = TestDatabase::postgres();
    both_voices_are_on_the_recording(&database.address()).await;
}

#[tokio::test]
async fn on_demand_only_what_the_agent_wants_is_recorded() {
    let lab = Lab::start();
    let files = tempfile::tempdir().unwrap();
    let centre = Centre::start(&lab, files.path().join("a.db").to_str().unwrap());
    let (mut screen, campaign) = conversation(&centre, json!({"mode": "on_demand"})).await;
    tokio::time::sleep(2 * SECOND).await;
    for (seconds, word, on) in [(2, "record", true), (3, "stop_recording", false), (2, "record", true)] {
        screen.say(json!({"type": word})).await;
        is_recorded(&mut screen, on).await;
        tokio::time::sleep(seconds * SECOND).await;
    }
    end(&mut screen).await;
    let recording = stored(&centre, &campaign).await;
    let file = heard(&lab, &centre, &recording).await;
    let length = length_of(&file);
    assert!((3.0..5.5).contains(&length), "of some 10 s, 4 were recorded, and not {length}");
    assert!(seconds_with(&file, AGENT) > 2.5);
    println!("1 conversation recorded on demand, {length:.1} s with a pause");
}

#[tokio::test]
async fn a_recording_goes_on_without_the_program_and_is_fetched_when_it_is_back() {
    let lab = Lab::start();
    let files = tempfile::tempdir().unwrap();
    let mut centre = Centre::start(&lab, files.path().join("a.db").to_str().unwrap());
    let (mut screen, campaign) = conversation(&centre, json!({"mode": "all"})).await;
    is_recorded(&mut screen, true).await;
    let found = centre.get(&format!("/v1/recordings?campaign={campaign}")).await;
    let attempt = found["items"][0]["attempt"].as_str().unwrap().to_owned();
    // The agent is heard once the tone that told them of the call is over.
    tokio::time::sleep(SECOND / 2).await;
    centre.kill();
    tokio::time::sleep(3 * SECOND).await;
    // The person hangs up while nobody is there to hear of it.
    lab.hang_phone_up(&attempt);
    tokio::time::sleep(SECOND).await;
    centre.start_again();
    let recording = stored(&centre, &campaign).await;
    let file = heard(&lab, &centre, &recording).await;
    let (length, agent) = (length_of(&file), seconds_of(&file, AGENT));
    assert!(length > 2.5 && agent > 1.0, "{length} s, the agent is heard for {agent} s");
    println!("1 recording of {length:.1} s fetched after kill -9");
}

#[tokio::test]
async fn what_was_recorded_until_asterisk_died_is_mended_and_kept() {
    let mut lab = Lab::start();
    let files = tempfile::tempdir().unwrap();
    let centre = Centre::start(&lab, files.path().join("a.db").to_str().unwrap());
    let (mut screen, campaign) = conversation(&centre, json!({"mode": "all"})).await;
    is_recorded(&mut screen, true).await;
    tokio::time::sleep(4 * SECOND).await;
    lab.kill_asterisk();
    lab.start_asterisk();
    screen.until(|message| message["type"] == "call_ended").await;
    let recording = stored(&centre, &campaign).await;
    let length = length_of(&heard(&lab, &centre, &recording).await);
    // Asterisk writes two seconds at a time.
    assert!(length > 1.5, "{length} s of 4 are kept");
    println!("1 recording of {length:.1} s mended after Asterisk was killed");
}
