//! Contacts over the API.

use serde_json::{Value, json};

use crate::support::{Caller, Server};

fn contact(external_id: &str, number: &str) -> Value {
    json!({"external_id": external_id, "phones": [{"number": number}], "fields": {"first_name": "Zoé"}})
}

async fn add(caller: &Caller<'_>, source: &str, contact: Value) -> String {
    let added = caller.post(&format!("/v1/sources/{source}/contacts"), contact).await.expect(201);
    added.body["results"][0]["contact"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_contact_is_added_changed_and_found_in_every_way() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let (campaign, source) = admin.campaign_and_source().await;
        let path = format!("/v1/sources/{source}/contacts");
        let first = admin.post(&path, contact("c-1", "+14155550100")).await.expect(201);
        let id = first.body["results"][0]["contact"].as_str().unwrap().to_owned();
        assert_eq!(first.header("location"), format!("/v1/contacts/{id}"));
        let same = admin.post(&path, contact("c-1", "+14155550100")).await.expect(200);
        assert_eq!(same.body["unchanged"], 1);
        let changed = admin.post(&path, contact("c-1", "+14155550101")).await.expect(200);
        assert_eq!(changed.body["updated"], 1);
        let read = admin.get(&format!("/v1/contacts/{id}")).await.expect(200);
        assert_eq!(read.text("external_id"), "c-1");
        assert_eq!(read.body["fields"]["first_name"], "Zoé");
        assert_eq!(read.body["phones"][0]["number"], "+14155550101");
        for query in [
            format!("campaign={campaign}"),
            format!("source={source}"),
            format!("source={source}&external_id=c-1"),
            "number=%2B14155550101".to_owned(),
            "number=+14155550101".to_owned(),
            format!("number=%2B14155550101&campaign={campaign}"),
        ] {
            let found = admin.get(&format!("/v1/contacts?{query}")).await.expect(200);
            assert_eq!(found.items("id"), [id.as_str()], "{query}");
        }
        for query in [
            format!("campaign={campaign}&state=final"),
            format!("source={source}&external_id=c-2"),
            "number=%2B14155550100".to_owned(),
        ] {
            let found = admin.get(&format!("/v1/contacts?{query}")).await.expect(200);
            assert_eq!(found.items("id").len(), 0, "{query}");
        }
        admin.get("/v1/contacts").await.expect_problem(422, "missing");
        admin.get("/v1/contacts?number=12").await.expect_problem(400, "bad_query");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_bad_contact_is_refused_alone_and_told_among_many() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let (_, source) = admin.campaign_and_source().await;
        let path = format!("/v1/sources/{source}/contacts");
        admin.post(&path, contact("c-1", "+1415555")).await.expect_problem(422, "bad_phone");
        let many = json!({"contacts": [contact("c-1", "+14155550100"), contact("c-2", "+1415555")]});
        let answer = admin.post(&path, many).await.expect(200);
        assert_eq!((&answer.body["created"], &answer.body["rejected"]), (&json!(1), &json!(1)));
        assert_eq!(answer.body["results"][1]["code"], "bad_phone");
        let misspelt = json!({"external_id": "c-3", "phone": []});
        let many = json!({"contacts": [misspelt, contact("c-4", "+14155550104"), "no contact"]});
        let answer = admin.post(&path, many).await.expect(200);
        assert_eq!((&answer.body["created"], &answer.body["rejected"]), (&json!(1), &json!(2)));
        let results = answer.body["results"].as_array().unwrap();
        let told = |name: &str| results.iter().map(|it| it[name].clone()).collect::<Vec<_>>();
        assert_eq!(told("row"), [1, 2, 3]);
        assert_eq!(told("outcome"), ["rejected", "created", "rejected"]);
        assert_eq!((&results[0]["code"], &results[0]["field"]), (&json!("broken_row"), &json!("phone")));
        let alone = admin
            .post(&path, json!({"external_id": "c-3", "phone": []}))
            .await
            .expect_problem(422, "bad_body");
        assert_eq!(alone.text("field"), "phone");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_closed_contact_is_final_and_can_be_reopened() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let (_, source) = admin.campaign_and_source().await;
        let id = add(&admin, &source, contact("c-1", "+14155550100")).await;
        let place = format!("/v1/contacts/{id}");
        admin.post(&format!("{place}/reopen"), json!({})).await.expect_problem(409, "contact_not_closed");
        let closed = admin.post(&format!("{place}/close"), json!({})).await.expect(200);
        assert_eq!((closed.text("state"), closed.text("final_reason")), ("final", "closed"));
        let why = admin.get(&format!("{place}/why-not")).await.expect(200);
        assert_eq!(why.body["callable"], false);
        assert_eq!(why.body["reasons"][0]["rule"], "final");
        admin.post(&format!("{place}/close"), json!({})).await.expect(200);
        let reopened = admin.post(&format!("{place}/reopen"), json!({})).await.expect(200);
        assert_eq!(reopened.body["final_reason"], Value::Null);
        let events = admin.get("/v1/events").await.expect(200);
        let kinds: Vec<&str> =
            events.items("kind").into_iter().filter(|kind| kind.starts_with("contact.")).collect();
        let told =
            kinds.iter().filter(|kind| matches!(**kind, "contact.closed" | "contact.reopened")).count();
        assert_eq!(told, 2, "closing twice is told once: {kinds:?}");
        server.stop().await;
    }
}

#[tokio::test]
async fn why_not_names_the_rules_that_stand_in_the_way() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let (campaign, source) = admin.campaign_and_source().await;
        let mut later = contact("c-1", "+14155550100");
        later["not_before"] = json!("2099-01-01T00:00:00Z");
        let id = add(&admin, &source, later).await;
        let entries = json!({"entries": [{"number": "+14155550100"}]});
        admin.post(&format!("/v1/suppression-lists/{campaign}/entries"), entries).await.expect(200);
        let why = admin.get(&format!("/v1/contacts/{id}/why-not")).await.expect(200);
        let rules: Vec<&str> = why.body["reasons"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|reason| reason["rule"].as_str())
            .collect();
        for rule in ["number_suppressed", "not_yet", "no_group_running"] {
            assert!(rules.contains(&rule), "{rule} is not among {rules:?}");
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn an_agent_sees_no_contact_that_is_not_being_called() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let (_, source) = admin.campaign_and_source().await;
        let id = add(&admin, &source, contact("c-1", "+14155550100")).await;
        let agent = admin.with_role("agent").await;
        agent.get(&format!("/v1/contacts/{id}")).await.expect_problem(403, "forbidden");
        agent.get("/v1/contacts?number=%2B14155550100").await.expect_problem(403, "forbidden");
        server.stop().await;
    }
}
