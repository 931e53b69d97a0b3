//! "un script cérébral qui sera signalé pour obtenir de nouveaux contacts à composer lorsque la file d'attente est inférieure
//! aux seuils": a script fetches records from a CRM when few are left, and another checks those in that are done with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::extract::{Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::Demo;

/// Records that the CRM has.
const RECORDS: usize = 10_000;
/// A number that is busy.
const BUSY: &str = "+14155550101";

/// A small CRM: it hands each record out once, and notes what is checked in.
#[derive(Default)]
struct Crm {
    handed_out: usize,
    at_once: usize,
    checked_in: BTreeMap<String, usize>,
    keys: BTreeSet<String>,
}

type Shared = Arc<Mutex<Crm>>;

async fn next(State(crm): State<Shared>, Query(query): Query<BTreeMap<String, usize>>) -> Json<Value> {
    let (from, to) = {
        let mut crm = crm.lock().unwrap();
        crm.at_once += 1;
        assert_eq!(crm.at_once, 1, "never two at once for one group");
        let from = crm.handed_out;
        crm.handed_out = (from + query["count"]).min(RECORDS);
        (from, crm.handed_out)
    };
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    crm.lock().unwrap().at_once -= 1;
    let record = |n: usize| json!({"ExternalID": format!("crm-{n}"), "PhoneNumber": BUSY, "Priority": 100});
    Json((from..to).map(record).collect())
}

async fn check_in(State(crm): State<Shared>, Json(body): Json<Value>) {
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    let mut crm = crm.lock().unwrap();
    *crm.checked_in.entry(text("id")).or_default() += 1;
    crm.keys.insert(text("key"));
}

/// The contact of each call on one of the CRM's records.
async fn dialled(demo: &Demo) -> Vec<String> {
    let mut contacts = Vec::new();
    let mut after = String::new();
    loop {
        let page = demo.get(&format!("/v1/attempts?limit=1000&result=busy{after}")).await;
        let of_crm = page["items"].as_array().unwrap().iter().filter(|attempt| attempt["number"] == BUSY);
        contacts.extend(of_crm.map(|attempt| attempt["contact"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return contacts,
        }
    }
}

#[tokio::test]
async fn a_crm_is_pulled_from_dialled_and_checked_in_each_record_once() {
    let crm = Shared::default();
    let router =
        Router::new().route("/next", get(next)).route("/done", post(check_in)).with_state(Arc::clone(&crm));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let configuration = "[scripts]\nallow_private_addresses = true\nhosts = { Demo = [\"127.0.0.1\"] }\n";
    let demo = Demo::start(&["--contacts", "3000", "--seconds", "600", "--agents", "40"], configuration);
    let source = format!(
        "export async function main(context) {{
            const records = await (await fetch('{url}/next?count=' + context.retrieve)).json();
            if (records.length === 0) return;
            const made = await createProspects({{ skill: context.skill, sourceName: '{}', data: records }});
            if (made.failed.length > 0) throw new Error(JSON.stringify(made.failed[0]));
        }}
        export async function checkIn(contact, context) {{
            await fetch('{url}/done', {{ method: 'POST', headers: {{ 'content-type': 'application/json' }}, body: {{ id: contact.externalId, key: context.id }} }});
        }}",
        demo.id("source_name")
    );
    demo.post("/v1/scripts", json!({"name": "Brain", "source": source, "timeout_ms": 10_000}), 201).await;
    let campaign = format!("/v1/campaigns/{}", demo.id("campaign"));
    demo.change(&campaign, json!({"attempts_max": 1, "scripts": {"check_in": "Brain"}})).await;
    let feed = json!({"feed": {"script": "brain", "fresh_below": 100_000, "retrieve": 500}});
    demo.change(&format!("/v1/campaign-groups/{}", demo.id("campaign_group")), feed).await;
    for _ in 0..2400 {
        let is_done = {
            let crm = crm.lock().unwrap();
            crm.checked_in.keys().filter(|id| id.starts_with("crm-")).count() == RECORDS
        };
        if is_done {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    // Whatever is still on its way would be a second time.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let dialled = dialled(&demo).await;
    assert_eq!((dialled.len(), dialled.iter().collect::<BTreeSet<_>>().len()), (RECORDS, RECORDS));
    let crm = crm.lock().unwrap();
    assert_eq!(crm.keys.len(), crm.checked_in.len());
    let of_crm: Vec<_> = crm.checked_in.iter().filter(|(id, _)| id.starts_with("crm-")).collect();
    assert_eq!((crm.handed_out, of_crm.len()), (RECORDS, RECORDS));
    assert!(of_crm.iter().all(|(_, times)| **times == 1), "each is checked in once: {of_crm:?}");
}
