//! A demonstration that dials and serves, in a process of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub struct Demo {
    process: Child,
    /// What it printed first.
    pub ids: Value,
    client: Client,
    _files: tempfile::TempDir,
}

impl Demo {
    /// Starts one in which four agents work and calls take a thirtieth of their time, unless the arguments say otherwise;
    /// `configuration` is its file.
    pub fn start(arguments: &[&str], configuration: &str) -> Self {
        let defaults = [("--speed", "30"), ("--agents", "4")];
        app::install_tls();
        let files = tempfile::tempdir().unwrap();
        let file = files.path().join("outdial.toml");
        std::fs::write(&file, configuration).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_outdial"))
            .args([
                "--config",
                file.to_str().unwrap(),
                "demo",
                "--serve",
                "--json",
                "--listen",
                "127.0.0.1:0",
            ])
            .args(
                defaults
                    .into_iter()
                    .filter(|(option, _)| !arguments.contains(option))
                    .flat_map(|it| [it.0, it.1]),
            )
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
        let ids = serde_json::from_str(&first).expect("the first line is one JSON object");
        Self { process, ids, client: Client::new(), _files: files }
    }

    #[track_caller]
    pub fn id(&self, name: &str) -> &str {
        self.ids[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.ids))
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.id("base_url"));
        self.client.request(method, url).bearer_auth(self.id("api_key"))
    }

    pub async fn get(&self, path: &str) -> Value {
        answer(self.request(Method::GET, path), 200).await
    }

    pub async fn post(&self, path: &str, body: Value, status: u16) -> Value {
        answer(self.request(Method::POST, path).json(&body), status).await
    }

    /// Changes members of a definition.
    pub async fn change(&self, path: &str, changes: Value) {
        let response = self.request(Method::GET, path).send().await.unwrap();
        let tag = response.headers()["etag"].to_str().unwrap().to_owned();
        let mut body: Value = response.json().await.unwrap();
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        answer(self.request(Method::PUT, path).header("if-match", tag).json(&body), 200).await;
    }

    /// Asks until the answer is as wanted.
    pub async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..600 {
            let found = self.get(path).await;
            if wanted(&found) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("it did not come to be: {path}: {}", self.get(path).await);
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub async fn answer(request: RequestBuilder, status: u16) -> Value {
    let response = request.send().await.unwrap();
    let (got, text) = (response.status().as_u16(), response.text().await.unwrap());
    assert_eq!(got, status, "{text}");
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

/// Another system: it notes what it is told, and answers with what it is asked for.
#[derive(Clone)]
pub struct Other {
    pub url: String,
    told: Arc<Mutex<Vec<Value>>>,
}

impl Other {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let told: Arc<Mutex<Vec<Value>>> = Arc::default();
        let router = Router::new().fallback(take).with_state(Arc::clone(&told));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, told }
    }

    /// The bodies that came.
    pub fn told(&self) -> Vec<Value> {
        self.told.lock().unwrap().clone()
    }

    /// Waits for something.
    pub async fn hear(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..600 {
            if let Some(told) = self.told().into_iter().find(&wanted) {
                return told;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("it was not told of {what}; it was told {} things", self.told().len());
    }
}

async fn take(State(told): State<Arc<Mutex<Vec<Value>>>>, body: String) -> (StatusCode, String) {
    let body: Value = serde_json::from_str(&body).unwrap_or_default();
    told.lock().unwrap().push(body.clone());
    (StatusCode::OK, json!({"vip": true, "was": body}).to_string())
}
