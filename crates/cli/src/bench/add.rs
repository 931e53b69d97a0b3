//! Contacts that come one a request over HTTP, as from a web shop's form or a CRM's hook.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use app::access::NewKey;
use app::model::{CampaignBody, SourceBody};
use app::{App, AppSettings, Principal, Role};
use engine::CampaignId;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use simulator::World;
use store::reference::Scratch;
use store::{Store, StoreOptions};
use telephony::{CarrierSettings, SimulatedCarrier, SystemClock};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use web::WebSettings;

/// Clients that send at the same time, each over one connection that it keeps.
const CLIENTS: u64 = 8;
/// How long they send before the measuring begins: connections are made, statements prepared.
const WARM_UP: Duration = Duration::from_secs(2);
/// How long they are measured.
const MEASURED: Duration = Duration::from_secs(10);

/// Starts carrier, engine and API on a fresh database beside `db` and adds contacts to it, one a request.
///
/// # Errors
/// The database cannot be made, or a request is not answered with a contact that was created.
pub async fn run(db: &str) -> anyhow::Result<Vec<Value>> {
    let scratch = Scratch::create(db).await?;
    let data_dir = std::env::temp_dir().join(format!("outdial_bench_add_{}", std::process::id()));
    let measured = measure(&scratch, &data_dir).await;
    // What cannot be removed is no reason to lose the figures.
    if let Err(error) = scratch.remove().await {
        tracing::warn!(%error, "the database of the bench could not be removed");
    }
    if let Err(error) = std::fs::remove_dir_all(&data_dir) {
        tracing::warn!(%error, "the files of the bench could not be removed");
    }
    measured
}

async fn measure(scratch: &Scratch, data_dir: &Path) -> anyhow::Result<Vec<Value>> {
    let store = Store::open(&scratch.target, StoreOptions::default()).await?;
    let kind = format!("{:?}", store.dialect()).to_lowercase();
    let clock = Arc::new(SystemClock);
    let (carrier, events) =
        SimulatedCarrier::start(World::with_default_population(1), clock.clone(), CarrierSettings::default());
    let settings = AppSettings { node: "bench".into(), data_dir: data_dir.to_owned() };
    let app = App::start(store, clock, carrier, events, settings).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let base_url = format!("http://{}", listener.local_addr()?);
    let router = web::router(Arc::clone(&app), WebSettings::default());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(web::serve(listener, router, async move {
        // A sender that is gone stops the server as well.
        let _ = stopped.await;
    }));
    let sent = send(&app, &base_url).await;
    // The server may have stopped by itself; then it says so below.
    let _ = stop.send(());
    app.shut_down(Duration::from_secs(5)).await;
    server.await.context("the server panicked")??;
    Ok(report(&kind, sent?))
}

/// Has all clients send, and gives the time that each measured request took.
async fn send(app: &Arc<App>, base_url: &str) -> anyhow::Result<Vec<Duration>> {
    let who = Principal::operator(app.create_tenant("Bench").await?.id);
    let campaign: CampaignBody = serde_json::from_value(json!({
        "name": "Bench", "fields": [{"name": "first_name", "kind": "text"}, {"name": "city", "kind": "text"}],
    }))?;
    let campaign = CampaignId(app.create(&who, campaign).await?.id);
    let source: SourceBody =
        serde_json::from_value(json!({"name": "Bench", "campaign": campaign, "default_country": "FR"}))?;
    let source = app.create(&who, source).await?.id;
    let url = format!("{base_url}/v1/sources/{source}/contacts");
    let (begin, mut clients) = (Instant::now() + WARM_UP, JoinSet::new());
    for client in 0..CLIENTS {
        // Each has a key of its own, as clients do: requests are limited by key.
        let key = NewKey { name: format!("client {client}"), role: Role::Integration, expires_at: None };
        let (_, secret) = app.create_key(&who, key).await?;
        clients.spawn(send_as_client(client, url.clone(), secret.expose().to_owned(), begin));
    }
    let mut times = Vec::new();
    while let Some(own) = clients.join_next().await {
        times.extend(own.context("a client panicked")??);
    }
    ensure!(!times.is_empty(), "no request was answered in {} s", MEASURED.as_secs());
    Ok(times)
}

/// Sends one contact after the other, each as soon as the one before is answered.
async fn send_as_client(
    client: u64,
    url: String,
    key: String,
    begin: Instant,
) -> anyhow::Result<Vec<Duration>> {
    let http = Client::new();
    let mut times = Vec::new();
    for number in 0.. {
        let contact = contact(client + CLIENTS * number);
        let started = Instant::now();
        if started >= begin + MEASURED {
            break;
        }
        let answer = http.post(&url).bearer_auth(&key).json(&contact).send().await?;
        let (status, body) = (answer.status(), answer.bytes().await?);
        if status != StatusCode::CREATED {
            bail!("a contact was answered with {status}: {}", String::from_utf8_lossy(&body));
        }
        if started >= begin {
            times.push(started.elapsed());
        }
    }
    Ok(times)
}

/// The numbers are in a range of real mobile lines, so that zone and validity are looked up as in production; nothing
/// ever dials them.
fn contact(number: u64) -> Value {
    json!({
        "external_id": format!("C{number:09}"),
        "phones": [{"number": format!("+336{:08}", 12_000_000 + number % 80_000_000)}],
        "fields": {"first_name": format!("Ada {}", number % 977), "city": format!("City {}", number % 331)},
    })
}

fn report(kind: &str, mut times: Vec<Duration>) -> Vec<Value> {
    times.sort();
    let millis = |share: usize| {
        let time = times[(times.len() - 1) * share / 100];
        (1e5 * time.as_secs_f64()).round() / 100.0
    };
    let per_second = times.len() as f64 / MEASURED.as_secs_f64();
    let what = format!("one contact a request, {CLIENTS} clients");
    vec![
        json!({"bench": "add", "what": what, "db": kind, "value": per_second.round(), "unit": "requests/s"}),
        json!({"bench": "add", "what": format!("{what}, median"), "db": kind, "value": millis(50), "unit": "ms"}),
        json!({"bench": "add", "what": format!("{what}, p99"), "db": kind, "value": millis(99), "unit": "ms"}),
    ]
}
