//! Events as they happen.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::{Method, Response};
use serde_json::json;
use store::testing::{TestDatabase, databases};
use web::WebSettings;

use crate::support::{Answer, Server};

/// Reads a stream until it holds a text.
async fn read_until(response: Response, wanted: &str) -> String {
    let mut pieces = response.bytes_stream();
    let mut text = String::new();
    while !text.contains(wanted) {
        let piece = pieces.next().await.expect("the stream goes on").unwrap();
        text.push_str(&String::from_utf8_lossy(&piece));
    }
    text
}

#[tokio::test]
async fn a_stream_of_events_goes_on_where_the_reader_was() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let (_, source) = admin.campaign_and_source().await;
        for number in 0..2 {
            let contact =
                json!({"external_id": number, "phones": [{"number": format!("+1415555010{number}")}]});
            let added = admin.post(&format!("/v1/sources/{source}/contacts"), contact).await.expect(201);
            let id = added.body["results"][0]["contact"].as_str().unwrap();
            admin.post(&format!("/v1/contacts/{id}/close"), json!({})).await.expect(200);
        }
        let events = admin.get("/v1/events?after=0").await.expect(200);
        let items = events.body["items"].as_array().unwrap();
        let (first, last) =
            (items[0]["seq"].as_i64().unwrap(), items.last().unwrap()["seq"].as_i64().unwrap());
        let seqs: Vec<i64> = items.iter().map(|event| event["seq"].as_i64().unwrap()).collect();
        assert_eq!(seqs, (first..=last).collect::<Vec<_>>(), "no gaps");
        assert_eq!(events.body["next"], last);
        let stream =
            admin.request(Method::GET, "/v1/events/stream").header("Last-Event-ID", (last - 1).to_string());
        let text = read_until(stream.send().await.unwrap(), "\n\n").await;
        assert!(text.contains(&format!("id: {last}")) && text.contains("event: contact.closed"), "{text}");
        assert!(!text.contains(&format!("id: {}\n", last - 1)), "{text}");
        let theirs = server.tenant("B").await;
        assert_eq!(theirs.get("/v1/events?after=0").await.items("kind").len(), 0);
        server.stop().await;
    }
}

#[tokio::test]
async fn the_live_view_is_streamed() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        admin.create("/v1/agents", json!({"name": "Ann"})).await;
        let now = admin.get("/v1/live").await.expect(200);
        assert_eq!(now.body["agents"][0]["name"], "Ann");
        let stream = admin.request(Method::GET, "/v1/live/stream").send().await.unwrap();
        let text = read_until(stream, "\n\n").await;
        assert!(text.contains("event: live") && text.contains("Ann"), "{text}");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_revoked_key_ends_the_streams_that_were_opened_with_it() {
    for database in databases() {
        let settings =
            WebSettings { streams_checked_every: Duration::from_millis(100), ..WebSettings::default() };
        let server = Server::start(database, settings).await;
        let admin = server.tenant("A").await;
        let made =
            admin.post("/v1/api-keys", json!({"name": "wall", "role": "supervisor"})).await.expect(201);
        let wall = server.with_key(made.text("api_key"));
        let (mut events, mut live) = (
            wall.request(Method::GET, "/v1/events/stream").send().await.unwrap(),
            wall.request(Method::GET, "/v1/live/stream").send().await.unwrap(),
        );
        assert!(live.chunk().await.unwrap().is_some());
        admin.delete(&format!("/v1/api-keys/{}", made.text("id")), "").await.expect(204);
        let both_end = async {
            while events.chunk().await.unwrap().is_some() {}
            while live.chunk().await.unwrap().is_some() {}
        };
        tokio::time::timeout(Duration::from_secs(20), both_end).await.expect("the streams end");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_place_in_the_events_that_cannot_be_read_is_refused() {
    let server = Server::start(TestDatabase::sqlite(), WebSettings::default()).await;
    let admin = server.tenant("A").await;
    let stream = admin.request(Method::GET, "/v1/events/stream").header("Last-Event-ID", "the last");
    let refused = Answer::to(stream).await.expect_problem(400, "bad_last_event_id");
    assert_eq!(refused.text("field"), "Last-Event-ID");
    for limit in [0, 1001] {
        let refused = admin.get(&format!("/v1/events?limit={limit}")).await.expect_problem(422, "bad_limit");
        assert_eq!(refused.text("field"), "limit");
    }
    server.stop().await;
}
