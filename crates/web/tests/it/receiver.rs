//! A small HTTP server that other systems are: it notes what it is told and answers as it is bidden.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde_json::Value;
use tokio::net::TcpListener;

/// A request that came.
#[derive(Clone, Debug)]
pub struct Told {
    pub headers: HeaderMap,
    pub text: String,
    pub body: Value,
    /// What it was answered with.
    pub status: u16,
}

impl Told {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// How the receiver answers a request.
type Mood = Box<dyn FnMut(&Value) -> u16 + Send>;

struct Inside {
    told: VecDeque<Told>,
    mood: Mood,
}

/// Another system.
#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    inside: Arc<Mutex<Inside>>,
}

impl Receiver {
    /// One that takes everything.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/campaign-manager", listener.local_addr().unwrap());
        let inside = Inside { told: VecDeque::new(), mood: Box::new(|_| 200) };
        let inside = Arc::new(Mutex::new(inside));
        let router = Router::new().fallback(take).with_state(Arc::clone(&inside));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, inside }
    }

    /// From now on it answers with the statuses that this function gives.
    pub fn answer_with(&self, mood: impl FnMut(&Value) -> u16 + Send + 'static) {
        self.inside.lock().unwrap().mood = Box::new(mood);
    }

    /// All that it was told until now.
    pub fn told(&self) -> Vec<Told> {
        self.inside.lock().unwrap().told.iter().cloned().collect()
    }

    /// The bodies that it took, in the order in which they came.
    pub fn taken(&self) -> Vec<Value> {
        self.told().into_iter().filter(|told| told.status == 200).map(|told| told.body).collect()
    }

    /// Waits until it was told something like this, and gives the first of it.
    pub async fn hear(&self, what: &str, wanted: impl Fn(&Told) -> bool) -> Told {
        for _ in 0..600 {
            if let Some(told) = self.told().into_iter().find(&wanted) {
                return told;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let bodies: Vec<String> =
            self.told().iter().map(|told| format!("{} {}", told.status, told.text)).collect();
        panic!("it was not told of {what}, but of {bodies:#?}");
    }
}

async fn take(
    State(inside): State<Arc<Mutex<Inside>>>,
    headers: HeaderMap,
    bytes: Bytes,
) -> impl IntoResponse {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    let mut inside = inside.lock().unwrap();
    let status = (inside.mood)(&body);
    inside.told.push_back(Told { headers, text, body, status });
    StatusCode::from_u16(status).unwrap()
}
