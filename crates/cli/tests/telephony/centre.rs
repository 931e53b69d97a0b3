//! The whole of Outdial on a real Asterisk: the program as users start it, its API, an agent's session, on both databases.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use store::testing::TestDatabase;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::lab::{Lab, USER};

const PATIENCE: Duration = Duration::from_secs(40);
/// Says hello, and talks for a minute.
pub const PERSON: &str = "+447700900600";

/// A running Outdial with a demonstration's tenant, and nothing dialled by itself.
pub struct Centre {
    process: Child,
    ids: Value,
    pub client: Client,
    database: String,
    configuration: std::path::PathBuf,
}

impl Centre {
    pub fn start(lab: &Lab, database: &str) -> Self {
        let configuration = lab.files.path().join("outdial.toml");
        let text = format!(
            "[node]\ndata_dir = \"{data}\"\n[telephony]\ndriver = \"asterisk\"\nsounds = \"{inside}/sounds\"\n\
             [[telephony.asterisk]]\nname = \"lab\"\n\
             url = \"http://127.0.0.1:{port}\"\nuser = \"{USER}\"\npassword = \"{USER}\"\n\
             [[telephony.trunks]]\nname = \"carrier\"\ndial = \"PJSIP/{{number}}@carrier\"\n",
            data = lab.files.path().join("data").display(),
            inside = lab.inside(),
            port = lab.http_port,
        );
        std::fs::write(&configuration, text).unwrap();
        let (process, ids) = Self::run(&configuration, database);
        Self { process, ids, client: Client::new(), database: database.to_owned(), configuration }
    }

    fn run(configuration: &std::path::Path, database: &str) -> (Child, Value) {
        let mut process = Command::new(env!("CARGO_BIN_EXE_outdial"))
            .args([
                "--config",
                configuration.to_str().unwrap(),
                "demo",
                "--serve",
                "--json",
                "--seconds",
                "0",
            ])
            .args(["--telephony", "asterisk", "--agents", "2", "--contacts", "1"])
            .args(["--listen", "127.0.0.1:0", "--db", database])
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
        (process, serde_json::from_str(&first).expect("the first line is one JSON object"))
    }

    /// Kills it as a power cut would, and starts it again.
    fn kill_and_start_again(&mut self) {
        self.kill();
        self.start_again();
    }

    /// Kills it as a power cut would.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub fn start_again(&mut self) {
        (self.process, self.ids) = Self::run(&self.configuration, &self.database);
    }

    pub fn id(&self, name: &str) -> &str {
        self.ids[name].as_str().unwrap()
    }

    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let mut request = self.client.request(method, format!("{}{path}", self.id("base_url")));
        request = request.bearer_auth(self.id("api_key"));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    pub async fn get(&self, path: &str) -> Value {
        self.ask(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.ask(Method::POST, path, Some(body)).await
    }

    pub async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.get(path).await;
            if wanted(&found) {
                return found;
            }
            assert!(Instant::now() < deadline, "it did not come to be: {path}: {found}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// A campaign like the demonstration's, with people on these numbers and a running group.
    pub async fn campaign(&self, numbers: &[&str], settings: Value) -> (String, String) {
        self.campaign_with(numbers, settings, json!({})).await
    }

    /// The same with further settings of the campaign.
    pub async fn campaign_with(&self, numbers: &[&str], settings: Value, further: Value) -> (String, String) {
        let mut campaign = self.get(&format!("/v1/campaigns/{}", self.id("campaign"))).await;
        let body = campaign.as_object_mut().unwrap();
        body.retain(|name, _| !["id", "version", "created_at", "updated_at"].contains(&name.as_str()));
        body["name"] = json!("Real");
        body.extend(further.as_object().unwrap().clone());
        let campaign = self.post("/v1/campaigns", campaign).await["id"].as_str().unwrap().to_owned();
        let source = json!({"name": "Real", "campaign": campaign, "default_country": "GB"});
        let source = self.post("/v1/sources", source).await["id"].as_str().unwrap().to_owned();
        let contacts: Vec<Value> = numbers
            .iter()
            .map(|number| json!({"external_id": number, "phones": [{"number": number}]}))
            .collect();
        let added = self.post(&format!("/v1/sources/{source}/contacts"), json!({"contacts": contacts})).await;
        assert_eq!(added["created"], numbers.len(), "{added}");
        let group =
            json!({"name": "Real", "campaign": campaign, "skill": self.id("skill"), "settings": settings});
        let group = self.post("/v1/campaign-groups", group).await["id"].as_str().unwrap().to_owned();
        let actions = format!("/v1/campaign-groups/{group}/actions");
        for action in ["load", "start"] {
            self.post(&actions, json!({ "action": action })).await;
        }
        (campaign, group)
    }

    pub async fn agents(&self) -> Vec<String> {
        let listed = self.get("/v1/agents").await;
        let items = listed["items"].as_array().unwrap().iter();
        items.map(|agent| agent["id"].as_str().unwrap().to_owned()).collect()
    }

    /// The results of a campaign's attempts, by number, once there are so many.
    async fn results(&self, campaign: &str, count: usize) -> BTreeMap<String, String> {
        let path = format!("/v1/attempts?campaign={campaign}");
        let has_them = |found: &Value| {
            let items = found["items"].as_array().unwrap();
            items.iter().filter(|attempt| attempt["result"].is_string()).count() >= count
        };
        let found = self.until(&path, has_them).await;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let items = found["items"].as_array().unwrap().iter();
        items.map(|attempt| (text(&attempt["number"]), text(&attempt["result"]))).collect()
    }
}

impl Drop for Centre {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An agent's screen.
pub struct Screen(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Screen {
    pub async fn open(centre: &Centre, agent: &str) -> Self {
        let address = centre.id("base_url").replace("http", "ws");
        let mut request = format!("{address}/v1/agent-session?agent={agent}").into_client_request().unwrap();
        let key = format!("Bearer {}", centre.id("api_key"));
        request.headers_mut().insert("authorization", key.parse().unwrap());
        let (socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        let mut screen = Self(socket);
        screen.say(json!({"type": "log_in"})).await;
        screen
    }

    pub async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next message like this.
    pub async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut told = Vec::new();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let next = tokio::time::timeout_at(deadline, self.0.next()).await;
            let next = next.unwrap_or_else(|_| panic!("not told; told {told:?}"));
            let text = match next {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(_)) => continue,
                other => panic!("the session ended ({other:?}); told {told:?}"),
            };
            let message: Value = serde_json::from_str(&text).unwrap();
            if wanted(&message) {
                return message;
            }
            told.push(message);
        }
    }

    pub async fn until_state(&mut self, state: &str) -> Value {
        self.until(|message| message["type"] == "state" && message["state"] == state).await
    }

    /// Takes one call, talks, ends it and says what it was.
    async fn take_a_call(&mut self) -> Value {
        let call = self.until(|message| message["type"] == "call").await;
        self.until(|message| message["type"] == "connected").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.say(json!({"type": "hang_up"})).await;
        self.until(|message| message["type"] == "call_ended").await;
        self.say(json!({"type": "dispose", "disposition": "sale"})).await;
        call
    }
}

async fn dials_people_machines_and_dead_numbers(database: &str) {
    let lab = Lab::start();
    let centre = Centre::start(&lab, database);
    let agents = centre.agents().await;
    let mut screen = Screen::open(&centre, &agents[0]).await;
    screen.say(json!({"type": "ready"})).await;
    screen.until_state("ready").await;
    assert_eq!(
        lab.phone_log(0).iter().filter(|line| line.word == "ANSWER").count(),
        1,
        "the agent's line stands"
    );
    let numbers = [
        "+447700900000",
        "+447700900001",
        "+447700900003",
        "+447700900004",
        "+447700900005",
        "+447700900009",
        PERSON,
    ];
    let settings = json!({"dial_mode": "power", "lines_per_agent": 2.0, "calls_per_second_max": 5});
    let (campaign, group) = centre.campaign(&numbers, settings).await;
    for _ in 0..2 {
        screen.take_a_call().await;
    }
    let results = centre.results(&campaign, numbers.len()).await;
    let expected = [
        ("+447700900000", "answer"),
        ("+447700900001", "busy"),
        ("+447700900003", "answering_machine"),
        ("+447700900004", "fax_detected"),
        ("+447700900005", "sit_invalid_number"),
        ("+447700900009", "busy"),
        (PERSON, "answer"),
    ];
    for (number, result) in expected {
        assert_eq!(results.get(number).map(String::as_str), Some(result), "{number}: {results:?}");
    }
    for number in numbers {
        assert_eq!(lab.invites(0, number), 1, "{number}");
    }
    println!("{} calls on a real Asterisk, each with the result of its kind, each rung once", numbers.len());
    screen.say(json!({"type": "log_out"})).await;
    lab.phone_does(0, "BYE", 1).await;
    centre.post(&format!("/v1/campaign-groups/{group}/actions"), json!({"action": "force_unload"})).await;
}

#[tokio::test]
async fn people_are_connected_and_everything_else_gets_its_result_on_sqlite() {
    let files = tempfile::tempdir().unwrap();
    dials_people_machines_and_dead_numbers(files.path().join("a.db").to_str().unwrap()).await;
}

#[tokio::test]
async fn people_are_connected_and_everything_else_gets_its_result_on_postgresql() {
    let database = TestDatabase::postgres();
    dials_people_machines_and_dead_numbers(&database.address()).await;
}

/// Says hello, and presses 1 three seconds after the answer.
const PRESSES_1: &str = "+442079460200";

#[tokio::test]
async fn whom_no_agent_is_free_for_hears_the_message_and_is_called_no_more_if_they_press_one() {
    let lab = Lab::start();
    lab.make_safe_harbour(6);
    let files = tempfile::tempdir().unwrap();
    let centre = Centre::start(&lab, files.path().join("a.db").to_str().unwrap());
    let agents = centre.agents().await;
    let mut screen = Screen::open(&centre, &agents[0]).await;
    screen.say(json!({"type": "ready"})).await;
    screen.until_state("ready").await;
    let settings = json!({"dial_mode": "power", "lines_per_agent": 2.0, "calls_per_second_max": 5});
    let (campaign, _) = centre.campaign(&[PERSON, PRESSES_1], settings).await;
    let call = screen.until(|message| message["type"] == "call").await;
    let (talks, waits) = if call["number"] == PERSON { (PERSON, PRESSES_1) } else { (PRESSES_1, PERSON) };
    let opts_out = |found: &Value| {
        let items = found["items"].as_array().unwrap();
        items.iter().any(|attempt| attempt["number"] == waits && attempt["result"].is_string())
    };
    let found = centre.until(&format!("/v1/attempts?campaign={campaign}"), opts_out).await;
    let of = |number: &str| {
        let items = found["items"].as_array().unwrap();
        items.iter().find(|attempt| attempt["number"] == number).unwrap().clone()
    };
    // Whoever of the two came second heard the message; only one of them presses the key.
    let expected = if waits == PRESSES_1 { "do_not_call" } else { "dropped" };
    assert_eq!(of(waits)["result"], expected, "{found}");
    assert!(of(talks)["connected_at"].is_string() || of(talks)["result"].is_null());
    if waits == PRESSES_1 {
        let contact = of(waits)["contact"].as_str().unwrap().to_owned();
        let why = centre.get(&format!("/v1/contacts/{contact}/why-not")).await;
        assert!(why.to_string().contains("suppress"), "{why}");
    }
    println!("1 person connected, 1 heard the message in time: {expected}");
}

async fn a_conversation_outlives_the_program(database: &str) {
    let lab = Lab::start();
    let mut centre = Centre::start(&lab, database);
    let agents = centre.agents().await;
    let mut screen = Screen::open(&centre, &agents[0]).await;
    screen.say(json!({"type": "ready"})).await;
    screen.until_state("ready").await;
    // One talks with an agent while the other rings, when the program is killed.
    let rings = "+447700900052";
    let settings = json!({"dial_mode": "power", "lines_per_agent": 2.0, "calls_per_second_max": 1});
    let (campaign, _) = centre.campaign(&[PERSON, rings], settings).await;
    screen.until(|message| message["type"] == "connected").await;
    centre.kill_and_start_again();
    let mut screen = Screen::open(&centre, &agents[0]).await;
    screen.until(|message| message["type"] == "connected").await;
    assert_eq!(
        lab.phone_log(0).iter().filter(|line| line.word == "BYE").count(),
        0,
        "the agent's line still stands"
    );
    let log = lab.carrier_log(0);
    assert!(!log.iter().any(|line| line.word == "BYE" && line.called == PERSON), "the conversation goes on");
    screen.say(json!({"type": "hang_up"})).await;
    screen.until(|message| message["type"] == "call_ended").await;
    screen.say(json!({"type": "dispose", "disposition": "sale"})).await;
    let is_over = |found: &Value| {
        let items = found["items"].as_array().unwrap();
        items.iter().any(|attempt| attempt["number"] == PERSON && !attempt["settled_at"].is_null())
    };
    let found = centre.until(&format!("/v1/attempts?campaign={campaign}"), is_over).await;
    let of_person: Vec<&Value> =
        found["items"].as_array().unwrap().iter().filter(|attempt| attempt["number"] == PERSON).collect();
    assert_eq!(of_person.len(), 1, "one attempt: {of_person:?}");
    assert_eq!(of_person[0]["result"], "answer");
    assert_eq!(of_person[0]["disposition"], "sale");
    assert_eq!(lab.invites(0, PERSON), 1, "nobody was rung a second time");
    assert!(lab.invites(0, rings) <= 1);
    println!("1 conversation adopted after kill -9, 0 rung a second time");
}

#[tokio::test]
async fn a_conversation_outlives_kill_nine_on_sqlite() {
    let files = tempfile::tempdir().unwrap();
    a_conversation_outlives_the_program(files.path().join("a.db").to_str().unwrap()).await;
}

#[tokio::test]
async fn a_conversation_outlives_kill_nine_on_postgresql() {
    let database = TestDatabase::postgres();
    a_conversation_outlives_the_program(&database.address()).await;
}
