//! Delivery to a real NATS server, whose address is in `TEST_NATS_URL`.

use std::time::Duration;

use async_nats::jetstream::{self, stream};
use futures_util::StreamExt;
use sinks::jetstream::{JetStreamSettings, JetStreamSink};
use sinks::{Deliver, Outcome};

use crate::support::{NOW, is_retry, message, messages};

fn sink(servers: &str, subject: &str) -> JetStreamSink {
    let timeout = Duration::from_secs(10);
    let (servers, subject) = (servers.to_owned(), subject.to_owned());
    JetStreamSink::open(JetStreamSettings { servers, subject, timeout, login: None, token: None })
}

fn server() -> String {
    std::env::var("TEST_NATS_URL")
        .expect("TEST_NATS_URL is the address of a NATS server with JetStream to test on")
}

/// A stream that listens to a subject of this test's own.
async fn stream(name: &str) -> (String, stream::Stream) {
    let context = jetstream::new(async_nats::connect(server()).await.unwrap());
    let subject = format!("{name}-{}", std::process::id());
    let config = stream::Config {
        name: subject.clone(),
        subjects: vec![format!("{subject}.>")],
        ..stream::Config::default()
    };
    (subject, context.create_stream(config).await.unwrap())
}

#[tokio::test]
async fn messages_are_stored_by_the_stream_in_order_and_once() {
    let (subject, mut stream) = stream("once").await;
    let sink = sink(&server(), &subject);
    assert_eq!(sink.deliver(NOW, &messages(5)).await, vec![Outcome::Delivered; 5]);
    // The server knows the ids: what is sent again is not stored again.
    assert_eq!(sink.deliver(NOW, &messages(6)).await, vec![Outcome::Delivered; 6]);
    assert_eq!(stream.info().await.unwrap().state.messages, 6);
    let consumer = stream.create_consumer(jetstream::consumer::pull::Config::default()).await.unwrap();
    let mut stored = consumer.fetch().max_messages(6).messages().await.unwrap();
    for number in 1..=6_u128 {
        let stored = stored.next().await.unwrap().unwrap();
        assert_eq!(stored.payload, message(number, 1).body.as_bytes());
        assert_eq!(stored.subject.as_str(), format!("{subject}.group.state"));
        let id = stored.headers.as_ref().unwrap().get("Nats-Msg-Id").unwrap();
        assert_eq!(id.as_str(), message(number, 1).id.to_string());
    }
}

#[tokio::test]
async fn without_a_stream_nothing_counts_as_delivered() {
    let sink = sink(&server(), &format!("nobody-{}", std::process::id()));
    let outcomes = sink.deliver(NOW, &messages(2)).await;
    assert!(is_retry(&outcomes[0]), "{outcomes:?}");
    assert_eq!(outcomes[1], Outcome::Held);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_again() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("nats://{}", listener.local_addr().unwrap());
    drop(listener);
    let outcomes = sink(&address, "any").deliver(NOW, &messages(1)).await;
    assert!(is_retry(&outcomes[0]), "{outcomes:?}");
}
