//! A stand-in for Elasticsearch that is strict where the real one is: it reads the bulk request line by line and answers
//! item by item.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};

use crate::support::serve;

/// How an item is answered instead of being stored: status, type, reason.
pub type Trouble = (u16, &'static str, &'static str);

#[derive(Default)]
pub struct Inside {
    /// Documents by index and id.
    pub documents: BTreeMap<(String, String), Value>,
    /// Items with these numbers are answered like this.
    pub items: BTreeMap<i64, Trouble>,
    /// The next requests are answered with these statuses as a whole.
    pub whole: Vec<u16>,
    /// Requests with a document of this number are refused as a whole.
    pub poison: Option<i64>,
    /// What was wrong with requests.
    pub faults: Vec<String>,
    /// Requests that came.
    pub requests: usize,
}

#[derive(Clone, Default)]
pub struct Cluster {
    pub url: String,
    pub inside: Arc<Mutex<Inside>>,
}

impl Cluster {
    pub async fn start() -> Self {
        let mut cluster = Self::default();
        let router = Router::new().route("/es/_bulk", post(bulk)).with_state(cluster.clone());
        let router = router.layer(DefaultBodyLimit::disable());
        cluster.url = format!("http://{}/es/", serve(router).await);
        cluster
    }

    /// The numbers of the documents, in the order of their ids.
    pub fn numbers(&self) -> Vec<i64> {
        let inside = self.inside.lock().unwrap();
        assert_eq!(inside.faults, Vec::<String>::new());
        inside.documents.values().map(|it| it["number"].as_i64().unwrap()).collect()
    }
}

async fn bulk(State(cluster): State<Cluster>, headers: HeaderMap, body: String) -> Response {
    let mut inside = cluster.inside.lock().unwrap();
    inside.requests += 1;
    if let Some(status) = inside.whole.pop() {
        return (StatusCode::from_u16(status).unwrap(), [("retry-after", "7")]).into_response();
    }
    match read(&headers, &body) {
        Err(fault) => {
            inside.faults.push(fault.clone());
            (StatusCode::BAD_REQUEST, json!({"error": fault, "status": 400}).to_string()).into_response()
        }
        Ok(items) if items.iter().any(|(_, _, it)| it["number"].as_i64() == inside.poison) => {
            StatusCode::BAD_REQUEST.into_response()
        }
        Ok(items) => {
            let answers: Vec<Value> = items.into_iter().map(|item| answer(&mut inside, item)).collect();
            let errors = answers.iter().any(|answer| answer["create"]["status"] != 201);
            json!({"took": 1, "errors": errors, "items": answers}).to_string().into_response()
        }
    }
}

/// Reads pairs of lines as the API's documentation wants them: a newline after each, the last included.
fn read(headers: &HeaderMap, body: &str) -> Result<Vec<(String, String, Value)>, String> {
    if headers.get("content-type").is_none_or(|kind| kind != "application/x-ndjson") {
        return Err("Content-Type header is missing or not supported".into());
    }
    let body = body.strip_suffix('\n').ok_or("The bulk request must be terminated by a newline [\\n]")?;
    let lines: Vec<&str> = body.split('\n').collect();
    if lines.is_empty() || !lines.len().is_multiple_of(2) {
        return Err("an action without a document".into());
    }
    lines
        .chunks(2)
        .map(|pair| {
            let action: Value = serde_json::from_str(pair[0]).map_err(|error| error.to_string())?;
            let document: Value = serde_json::from_str(pair[1]).map_err(|error| error.to_string())?;
            let create = action.get("create").ok_or("data streams take create alone")?;
            let text = |name: &str| create[name].as_str().map(str::to_owned).ok_or(format!("no {name}"));
            if document["@timestamp"].as_str().is_none() {
                return Err("a document of a data stream needs @timestamp".into());
            }
            Ok((text("_index")?, text("_id")?, document))
        })
        .collect()
}

fn answer(inside: &mut Inside, (index, id, document): (String, String, Value)) -> Value {
    let trouble = document["number"].as_i64().and_then(|number| inside.items.get(&number)).copied();
    let trouble = trouble.or_else(|| {
        let is_there = inside.documents.contains_key(&(index.clone(), id.clone()));
        is_there.then_some((409, "version_conflict_engine_exception", "document already exists"))
    });
    if let Some((status, kind, reason)) = trouble {
        let error = json!({"type": kind, "reason": reason});
        return json!({"create": {"_index": index, "_id": id, "status": status, "error": error}});
    }
    inside.documents.insert((index.clone(), id.clone()), document);
    json!({"create": {"_index": index, "_id": id, "status": 201, "result": "created"}})
}
