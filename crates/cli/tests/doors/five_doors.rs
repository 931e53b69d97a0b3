//! One running server, all five doors: what enters is dialled, rescheduled and reported.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Demo, Other, answer};

/// Numbers whose owners answer, by their last digits.
const ANSWERS: [&str; 4] = ["+14155550130", "+12125550130", "+13125550130", "+16175550130"];

/// Closes one contact before it is dialled and has another called again after its first call.
const SCRIPT: &str = "
export function executePreCallScript(contact) {
    if (contact.externalId === 'closed') return { action: 'close', reason: 'has bought already' };
}
export async function executePostCallScript(contact, call, context) {
    if (contact.externalId !== 'again' || context.phase !== 'afterReschedule') return;
    if (await kv.get('again')) return;
    await kv.set('again', call.result);
    return { next: { action: 'dial', minutes: 2 }, fields: { last_name: 'Rescheduled' } };
}";

#[tokio::test]
async fn what_enters_through_any_of_the_five_doors_is_dialled_rescheduled_and_reported() {
    let demo = Demo::start(&["--contacts", "2000", "--seconds", "300"], "");
    let (campaign, skill) = (demo.id("campaign").to_owned(), demo.id("skill").to_owned());
    // Server scripts.
    demo.post("/v1/scripts", json!({"name": "Gate", "source": SCRIPT}), 201).await;
    let scripts = json!({"scripts": {"pre_call": "Gate", "post_call": "Gate", "post_call_phase": "both"}});
    demo.change(&format!("/v1/campaigns/{campaign}"), scripts).await;
    // Campaign group status, and everything in Outdial's own words.
    let (manager, all) = (Other::start().await, Other::start().await);
    let ocs = json!({"name": "Manager", "format": "ocs", "target": {"kind": "http", "url": manager.url}, "kinds": ["group.*"]});
    demo.post("/v1/sinks", ocs, 201).await;
    let own = json!({"name": "All", "target": {"kind": "http", "url": all.url}, "kinds": ["attempt.*", "contact.*"]});
    demo.post("/v1/sinks", own, 201).await;
    // Create Prospects.
    let rows = json!([{"ExternalID": "again", "PhoneNumber": ANSWERS[0], "Priority": 100},
                      {"ExternalID": "closed", "PhoneNumber": ANSWERS[1], "Priority": 100}]);
    let prospects = json!({"sourceName": demo.id("source_name"), "noTimeZoneReject": "No", "data": rows});
    let path = format!("/v1/skills/{}/prospects", demo.ids["skill_number"]);
    let made = demo.post(&path, prospects, 200).await;
    assert_eq!(made["successfulRecords"].as_array().map(Vec::len), Some(2), "{made}");
    // ContextData.
    let xml = format!(
        "<contextdata><campaigndata><Name>Ada</Name><PhoneNumber>{}</PhoneNumber></campaigndata>\
         <systemdata><State>15</State><SortInfo>-2</SortInfo></systemdata></contextdata>",
        ANSWERS[2]
    );
    let path = format!("/data?action=CreateContextData&context={}", demo.id("campaign_guid"));
    let reply = answer(demo.request(Method::POST, &path).body(xml), 200).await;
    let (_, record) = reply.as_str().unwrap().split_once("<Internal__Id__>").unwrap();
    let record = record.split_once('<').unwrap().0.to_owned();
    // Schedule Callback, due in five minutes of the demonstration's time.
    let now = demo.get("/v1/live").await["at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let due = (now + jiff::SignedDuration::from_mins(5)).to_string();
    let callback = json!({"firstName": "Eve", "lastName": "M", "phoneNumber": ANSWERS[3], "skillId": demo.ids["skill_number"],
                          "targetAgentId": "", "scheduleDate": due, "notes": ""});
    let promised = demo.post("/incontactapi/services/v33.0/scheduled-callbacks", callback, 200).await;
    assert!(promised["callbackId"].is_i64());

    // Dialled …
    let is_dialled = |attempts: &Value| attempts["items"].as_array().is_some_and(|items| !items.is_empty());
    demo.until(&format!("/v1/attempts?contact={record}"), is_dialled).await;
    let path = format!("/v1/callbacks?skill={skill}&number=%2B16175550130");
    let is_dialled = |found: &Value| found["items"][0]["dials"].as_u64().is_some_and(|dials| dials > 0);
    let promised = demo.until(&path, is_dialled).await["items"][0]["contact"].as_str().unwrap().to_owned();
    // … or closed before it was …
    let by_key = |key: &str| format!("/v1/contacts?source={}&external_id={key}", demo.id("source"));
    let closed = demo.until(&by_key("closed"), |found| found["items"][0]["state"] == "final").await;
    assert_eq!(closed["items"][0]["final_reason"], "closed_by_script");
    assert_eq!(closed["items"][0]["attempts"], 0);
    // … rescheduled …
    let again = demo.until(&by_key("again"), |found| found["items"][0]["attempts"].as_u64() >= Some(2)).await;
    let again = again["items"][0].clone();
    assert_eq!(again["fields"]["last_name"], "Rescheduled");
    // … and reported.
    for contact in [again["id"].as_str().unwrap(), promised.as_str()] {
        let is_it = |told: &Value| told["body"]["contact"] == contact || told["contact"] == contact;
        all.hear("the contact's calls", is_it).await;
    }
    manager.hear("the group", |told| told["GSW_CAMPAIGN_GROUP_STATE"].is_i64()).await;
}
