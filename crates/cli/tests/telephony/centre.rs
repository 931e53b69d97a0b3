//! The whole of Outdial on a real Asterisk: the program as users start it, its API, an agent's session, on both databases.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
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
const ROOT_KEY: &str = "the root key of the lab 0123456789";
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
            "[server]\nroot_key = \"{ROOT_KEY}\"\n[recordings]\ndirectory = \"{data}/kept\"\n\
             [node]\ndata_dir = \"{data}\"\n[telephony]\ndriver = \"asterisk\"\nsounds = \"{inside}/sounds\"\n\
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
        let (is_good, answer) = self.send(self.id("api_key"), method, path, body).await;
        assert!(is_good, "{path}: {answer}");
        answer
    }

    async fn send(&self, key: &str, method: Method, path: &str, body: Option<Value>) -> (bool, Value) {
        let request = self.client.request(method, format!("{}{path}", self.id("base_url"))).bearer_auth(key);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let response = request.send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        let value = serde_json::from_str(&text).unwrap_or(Value::String(format!("{status} {text}")));
        (status.is_success(), value)
    }

    /// With the root key.
    async fn root(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let (is_good, answer) = self.send(ROOT_KEY, method, path, body).await;
        assert!(is_good, "{path}: {answer}");
        answer
    }

    /// What the command line says.
    fn admin(&self, arguments: &[&str]) -> String {
        let mut outdial = Command::new(env!("CARGO_BIN_EXE_outdial"));
        outdial.arg("--config").arg(&self.configuration).arg("admin").args(arguments);
        let Output { stdout, stderr, .. } = outdial.args(["--url", self.id("base_url")]).output().unwrap();
        format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr))
    }

    /// What is answered to a request that is refused.
    async fn refused(&self, path: &str, body: Value) -> Value {
        let (is_good, answer) = self.send(self.id("api_key"), Method::POST, path, Some(body)).await;
        assert!(!is_good, "{path}: {answer}");
        answer
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
    pub async fn results(&self, campaign: &str, count: usize) -> BTreeMap<String, String> {
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
    pub async fn take_a_call(&mut self) -> Value {
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
    lab.phone_does(0, "ANSWER", 1).await;
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
    // The switch's own message: that of the demonstration is not where the lab's Asterisk looks.
    let own = json!({"safe_harbour_message": null});
    let (campaign, _) = centre.campaign_with(&[PERSON, PRESSES_1], settings, own).await;
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
    let evidence = &of(waits)["evidence"];
    assert_eq!(evidence["message"], "safe_harbour", "{found}");
    let instant = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let waited = instant(&evidence["message_at"]).duration_since(instant(&of(waits)["answered_at"]));
    println!("the message was heard {} ms after the answer", waited.as_millis());
    assert!(of(talks)["connected_at"].is_string() || of(talks)["result"].is_null());
    if waits == PRESSES_1 {
        let contact = of(waits)["contact"].as_str().unwrap().to_owned();
        let why = centre.get(&format!("/v1/contacts/{contact}/why-not")).await;
        assert!(why.to_string().contains("suppress"), "{why}");
    }
    println!("1 person connected, 1 heard the message in time: {expected}");
}

#[tokio::test]
async fn a_call_goes_from_one_agent_to_another_who_wraps_it_up_and_both_were_with_the_person() {
    let lab = Lab::start();
    let files = tempfile::tempdir().unwrap();
    let centre = Centre::start(&lab, files.path().join("a.db").to_str().unwrap());
    let agents = centre.agents().await;
    let mut first = Screen::open(&centre, &agents[0]).await;
    first.say(json!({"type": "ready"})).await;
    first.until_state("ready").await;
    let (campaign, _) = centre.campaign(&[PERSON], json!({"dial_mode": "progressive"})).await;
    first.until(|message| message["type"] == "connected").await;
    first.say(json!({"type": "mute"})).await;
    first.say(json!({"type": "transfer", "skill": centre.id("skill")})).await;
    first
        .until(|message| message["type"] == "refused" && message["why"] == "nobody of that skill is ready")
        .await;
    let mut second = Screen::open(&centre, &agents[1]).await;
    second.say(json!({"type": "ready"})).await;
    second.until_state("ready").await;
    first.say(json!({"type": "transfer", "agent": agents[1]})).await;
    let ended = first.until(|message| message["type"] == "call_ended").await;
    assert_eq!(ended["result"], "transferred");
    first.until_state("ready").await;
    let call = second.until(|message| message["type"] == "call").await;
    second.until(|message| message["type"] == "connected").await;
    // And back, to an agent who is heard again.
    second.say(json!({"type": "transfer", "skill": centre.id("skill")})).await;
    first.until(|message| message["type"] == "connected").await;
    second.until_state("ready").await;
    first.say(json!({"type": "hang_up"})).await;
    first.until(|message| message["type"] == "call_ended").await;
    first.say(json!({"type": "dispose", "disposition": "sale"})).await;
    assert_eq!(centre.results(&campaign, 1).await[PERSON], "answer");
    let attempt = centre.get(&format!("/v1/attempts/{}", call["attempt"].as_str().unwrap())).await;
    assert_eq!(
        (&attempt["agent"], &attempt["disposition"]),
        (&json!(agents[0]), &json!("sale")),
        "{attempt}"
    );
    assert_eq!(lab.invites(0, PERSON), 1);
    println!("1 person with 2 agents in turn, 2 hand-overs, rung once");
}

#[tokio::test]
async fn without_an_asterisk_nobody_is_dialled_and_with_it_the_group_goes_on_by_itself() {
    let mut lab = Lab::start();
    lab.kill_asterisk();
    let files = tempfile::tempdir().unwrap();
    let centre = Centre::start(&lab, files.path().join("a.db").to_str().unwrap());
    let messages = centre.get("/v1/messages").await;
    let message = messages["items"][0]["id"].as_str().unwrap();
    let settings = json!({"dial_mode": "agentless", "agentless": {"ports": 2, "message": message}});
    let (campaign, group) = centre.campaign(&["+447700900001"], settings).await;
    let status = format!("/v1/campaign-groups/{group}/status");
    let stands_still = |status: &Value| status["live"]["idle_reason"] == "no_lines";
    centre.until(&status, stands_still).await;
    let attempts = centre.get(&format!("/v1/attempts?campaign={campaign}")).await;
    assert_eq!(attempts["items"], json!([]), "no attempt is spent on a switch that is away");
    let contacts = centre.get(&format!("/v1/contacts?campaign={campaign}")).await;
    let contact = contacts["items"][0]["id"].as_str().unwrap();
    let why = centre.get(&format!("/v1/contacts/{contact}/why-not")).await;
    assert_eq!(why["reasons"][0]["rule"], "no_switch", "{why}");
    lab.start_asterisk();
    assert_eq!(centre.results(&campaign, 1).await["+447700900001"], "busy");
    // Lost again while no call is up.
    lab.kill_asterisk();
    centre.until(&status, stands_still).await;
    let sources = centre.get("/v1/sources").await;
    let of_campaign = |source: &&Value| source["campaign"] == *campaign;
    let source = sources["items"].as_array().unwrap().iter().find(of_campaign).unwrap();
    let people = json!({"contacts": [{"external_id": "b", "phones": [{"number": "+447700900011"}]}]});
    centre.post(&format!("/v1/sources/{}/contacts", source["id"].as_str().unwrap()), people).await;
    lab.start_asterisk();
    assert_eq!(centre.results(&campaign, 2).await["+447700900011"], "busy");
    println!("2 calls, none before Asterisk was there, each rung once");
    assert_eq!((lab.invites(0, "+447700900001"), lab.invites(0, "+447700900011")), (1, 1));
}

#[tokio::test]
async fn a_supervisor_listens_over_the_api_and_a_drained_switch_gets_no_more_calls() {
    let lab = Lab::start();
    let files = tempfile::tempdir().unwrap();
    let centre = Centre::start(&lab, files.path().join("a.db").to_str().unwrap());
    let agents = centre.agents().await;
    let mut screen = Screen::open(&centre, &agents[0]).await;
    screen.say(json!({"type": "ready"})).await;
    screen.until_state("ready").await;
    let supervision = format!("/v1/agents/{}/supervision", agents[0]);
    let wish = json!({"part": "monitor", "endpoint": "PJSIP/agent-1002"});
    let refused = centre.refused(&supervision, wish.clone()).await;
    assert_eq!(refused["code"], "not_on_a_call", "{refused}");
    let settings = json!({"dial_mode": "progressive"});
    let (campaign, group) = centre.campaign(&[PERSON], settings).await;
    screen.until(|message| message["type"] == "connected").await;
    let listens = centre.post(&supervision, wish).await;
    assert_eq!(listens["part"], "monitor");
    lab.phone_does(1, "ANSWER", 1).await;
    let audit = centre.get("/v1/audit?limit=5").await;
    assert!(audit.to_string().contains("supervise"), "{audit}");
    let switches = centre.root(Method::GET, "/v1/switches", None).await;
    assert_eq!(
        switches["items"],
        json!([{"name": "lab", "is_connected": true, "is_drained": false, "calls": 1, "agent_lines": 1}])
    );
    assert!(centre.admin(&["switch", "drain", "lab"]).contains("\"is_drained\":true"));
    assert!(centre.admin(&["switch", "drain", "nowhere"]).contains("nowhere"));
    // The call goes on, and no other begins.
    screen.say(json!({"type": "hang_up"})).await;
    screen.until(|message| message["type"] == "call_ended").await;
    lab.phone_does(1, "BYE", 1).await;
    screen.say(json!({"type": "dispose", "disposition": "sale"})).await;
    let sources = centre.get("/v1/sources").await;
    let source =
        sources["items"].as_array().unwrap().iter().find(|one| one["campaign"] == *campaign).unwrap();
    let people = json!({"contacts": [{"external_id": "b", "phones": [{"number": "+447700900001"}]}]});
    centre.post(&format!("/v1/sources/{}/contacts", source["id"].as_str().unwrap()), people).await;
    let status = format!("/v1/campaign-groups/{group}/status");
    centre.until(&status, |status| status["live"]["idle_reason"] == "no_lines").await;
    let attempts = centre.get(&format!("/v1/attempts?campaign={campaign}")).await;
    assert_eq!(attempts["items"].as_array().unwrap().len(), 1, "no attempt is spent on a drained switch");
    centre.root(Method::POST, "/v1/switches/lab/actions", Some(json!({"action": "use"}))).await;
    assert_eq!(centre.results(&campaign, 2).await["+447700900001"], "busy");
    println!("1 call listened to, 0 calls on a drained switch, 1 once it is used again");
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
