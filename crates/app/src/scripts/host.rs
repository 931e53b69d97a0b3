//! What a script reaches: the web, databases, its memory, and the use cases that it may start.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use engine::{AgentId, CampaignId, SkillId, TenantId, Time};
use futures_util::future::BoxFuture;
use scripting::Host;
use scripting::fetch::{FetchPolicy, Fetcher};
use scripting::sql::Connections;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use store::records::scripts as rows;

use super::ScriptService;
use super::ask::{Asking, script_principal};
use crate::App;
use crate::callbacks::{Due, NewCallback};
use crate::intake::{NewRows, RecordOutcome};

/// Longest key and value that a script may remember, in characters and bytes.
const KEY_LENGTH_MAX: usize = 200;
const VALUE_BYTES_MAX: usize = 64 * 1024;

/// The host of one run.
pub(crate) struct RunHost {
    app: Weak<App>,
    tenant: TenantId,
    campaign: CampaignId,
    name: String,
    fetcher: Fetcher,
    policy: FetchPolicy,
    connections: Connections,
    now: Time,
    /// What it would have done, if it only tries; what changes something is then not done.
    would_do: Option<Mutex<Vec<Value>>>,
}

/// What a script says of a callback.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Callback {
    phone_number: String,
    #[serde(default)]
    skill: Option<SkillId>,
    #[serde(default)]
    agent: Option<AgentId>,
    #[serde(default)]
    due: Option<String>,
    #[serde(default)]
    first_name: Option<String>,
    #[serde(default)]
    last_name: Option<String>,
    #[serde(default)]
    notes: Option<String>,
}

/// What a script says of prospects.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Prospects {
    skill: SkillId,
    source_name: String,
    data: Vec<Map<String, Value>>,
}

impl RunHost {
    pub(super) fn of(service: &ScriptService, asking: &Asking, only_tries: bool) -> Self {
        Self {
            app: service.app.clone(),
            tenant: asking.tenant,
            campaign: asking.campaign,
            name: asking.campaign_name.clone(),
            fetcher: service.fetcher.clone(),
            policy: service.policy(&asking.tenant_name),
            connections: service.connections(&asking.tenant_name),
            now: asking.now,
            would_do: only_tries.then(Mutex::default),
        }
    }

    /// What it would have done.
    pub(super) fn would_do(&self) -> Vec<Value> {
        let list =
            self.would_do.as_ref().map(|list| list.lock().unwrap_or_else(PoisonError::into_inner).clone());
        list.unwrap_or_default()
    }

    fn app(&self) -> Result<Arc<App>, String> {
        self.app.upgrade().ok_or_else(|| "the program is stopping".to_owned())
    }

    /// Whether this is only noted, as it would change something.
    fn only_noted(&self, function: &str, arguments: &Value) -> bool {
        let Some(list) = &self.would_do else { return false };
        let note = json!({"function": function, "arguments": arguments});
        list.lock().unwrap_or_else(PoisonError::into_inner).push(note);
        true
    }

    async fn do_it(&self, function: &str, arguments: Value) -> Result<Value, String> {
        match function {
            "uuid" => Ok(json!(self.app()?.ids.next(self.now))),
            "fetch" => {
                let method = arguments[1]["method"].as_str().unwrap_or("GET").to_ascii_uppercase();
                let reads = matches!(method.as_str(), "GET" | "HEAD");
                if !reads && self.only_noted(function, &arguments) {
                    return Ok(json!({"status": 200, "url": arguments[0], "headers": {}, "body": "{}"}));
                }
                self.fetcher.fetch(&self.policy, &arguments).await
            }
            "sql.query" => self.connections.query(&arguments, self.would_do.is_some()).await,
            "kv.get" | "kv.set" | "kv.delete" => self.remember(function, &arguments).await,
            "createProspects" => self.create_prospects(function, arguments).await,
            "scheduleCallback" | "queueCallback" => self.make_callback(function, arguments).await,
            other => Err(format!("there is no {other}")),
        }
    }

    async fn remember(&self, function: &str, arguments: &Value) -> Result<Value, String> {
        let key = arguments[0].as_str().unwrap_or_default().to_owned();
        if key.is_empty() || key.chars().count() > KEY_LENGTH_MAX {
            return Err(format!("{function}: a key has 1 to {KEY_LENGTH_MAX} characters"));
        }
        let (app, tenant, campaign) = (self.app()?, self.tenant, self.campaign);
        let failed = |error: store::StoreError| format!("{function}: {error}");
        if function == "kv.get" {
            let found =
                app.store.read(move |tx| rows::value(tx, tenant, campaign, &key)).await.map_err(failed)?;
            return Ok(found.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(Value::Null));
        }
        if self.only_noted(function, arguments) {
            return Ok(Value::Null);
        }
        if function == "kv.delete" {
            let forget = app.store.write(move |tx| rows::forget_value(tx, tenant, campaign, &key));
            return forget.await.map(|()| Value::Null).map_err(failed);
        }
        let text = arguments[1].to_string();
        if text.len() > VALUE_BYTES_MAX {
            return Err(format!("kv.set: a value has at most {VALUE_BYTES_MAX} bytes"));
        }
        let set = app.store.write(move |tx| rows::set_value(tx, tenant, campaign, &key, &text));
        match set.await.map_err(failed)? {
            true => Ok(Value::Null),
            false => Err(format!("kv.set: a campaign has at most {} keys", rows::KEYS_MAX)),
        }
    }

    async fn create_prospects(&self, function: &str, arguments: Value) -> Result<Value, String> {
        let asked: Prospects = read(function, &arguments)?;
        if self.only_noted(function, &arguments) {
            return Ok(json!({"successful": 0, "failed": []}));
        }
        let (app, who) = (self.app()?, script_principal(self.tenant, &self.name));
        let told = |error: crate::AppError| format!("{function}: {error}");
        let place = app.place_for_rows(&who, asked.skill, &asked.source_name).await.map_err(told)?;
        let map = place.map.ok_or_else(|| {
            format!("{function}: Missing External ID: the source '{}' has no source map", asked.source_name)
        })?;
        let new = NewRows {
            source: place.source,
            map,
            rows: asked.data,
            group: Some(place.group),
            zone_policy: None,
            expires_at: None,
        };
        let results = app.add_rows(&who, new).await.map_err(told)?;
        let (failed, good): (Vec<_>, Vec<_>) =
            results.into_iter().partition(|result| result.outcome == RecordOutcome::Rejected);
        Ok(json!({"successful": good.len(), "failed": failed}))
    }

    async fn make_callback(&self, function: &str, arguments: Value) -> Result<Value, String> {
        let asked: Callback = read(function, &arguments)?;
        if self.only_noted(function, &arguments) {
            return Ok(Value::Null);
        }
        let due = match (function, asked.due) {
            ("queueCallback", _) => Due::Now,
            (_, Some(due)) => Due::Text(due),
            (_, None) => return Err(format!("{function}: say when: due")),
        };
        let (app, who) = (self.app()?, script_principal(self.tenant, &self.name));
        let new = NewCallback {
            first_name: asked.first_name,
            last_name: asked.last_name,
            number: asked.phone_number,
            skill: asked.skill,
            agent: asked.agent,
            due,
            notes: asked.notes,
            ..NewCallback::default()
        };
        let made = app.make_callback(&who, new).await.map_err(|error| format!("{function}: {error}"))?;
        Ok(json!({"id": made.callback.id, "due": made.callback.due.to_rfc3339()}))
    }
}

fn read<T: serde::de::DeserializeOwned>(function: &str, arguments: &Value) -> Result<T, String> {
    serde_json::from_value(arguments[0].clone()).map_err(|error| format!("{function}: {error}"))
}

impl Host for RunHost {
    fn call<'a>(&'a self, function: &'a str, arguments: Value) -> BoxFuture<'a, Result<Value, String>> {
        Box::pin(self.do_it(function, arguments))
    }
}
