//! What these tests share.

use std::net::SocketAddr;

use axum::Router;
use engine::Time;
use sinks::{Message, Outcome};
use tokio::net::TcpListener;
use uuid::Uuid;

/// The instant of all deliveries: 2026-01-01T00:00:00Z.
pub const NOW: Time = Time::from_micros(1_767_225_600_000_000);

/// A message by its number, in a lane.
pub fn message(number: u128, lane: u128) -> Message {
    Message {
        id: Uuid::from_u128(number),
        lane: Some(Uuid::from_u128(lane)),
        kind: "group.state".to_owned(),
        at: NOW,
        body: format!("{{\"number\":{number}}}"),
    }
}

/// So many messages of one lane.
pub fn messages(count: u128) -> Vec<Message> {
    (1..=count).map(|number| message(number, 1)).collect()
}

/// Whether it may be tried again.
pub fn is_retry(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Retry { .. })
}

/// Serves a router until the test ends.
pub async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}
