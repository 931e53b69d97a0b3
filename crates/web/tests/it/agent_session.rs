//! Agents' sessions over WebSockets.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use store::testing::TestDatabase;
use web::WebSettings;

use crate::support::Server;

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub async fn open(server: &Server, query: &str, key: Option<&str>) -> Result<Socket, Error> {
    let address = format!("ws://{}/v1/agent-session?{query}", server.address);
    let mut request = address.into_client_request().unwrap();
    if let Some(key) = key {
        request.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    }
    connect_async(request).await.map(|(socket, _)| socket)
}

pub async fn say(socket: &mut Socket, message: Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

/// The next message that is wanted; others are passed over.
pub async fn hear(socket: &mut Socket, wanted: impl Fn(&Value) -> bool) -> Value {
    loop {
        match socket.next().await.expect("the session goes on").unwrap() {
            Message::Text(text) => {
                let message = serde_json::from_str(&text).unwrap();
                if wanted(&message) {
                    return message;
                }
            }
            Message::Close(frame) => panic!("the session was closed: {frame:?}"),
            _ => {}
        }
    }
}

pub fn is_state(state: &'static str) -> impl Fn(&Value) -> bool {
    move |message| message["type"] == "state" && message["state"] == state
}

fn refused_with(error: Option<Error>) -> u16 {
    match error {
        Some(Error::Http(response)) => response.status().as_u16(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_agent_logs_in_gets_ready_takes_a_break_and_leaves() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let agent = admin.create("/v1/agents", json!({"name": "Ann"})).await;
        let mut socket = open(&server, &format!("agent={agent}"), Some(admin.key())).await.unwrap();
        say(&mut socket, json!({"type": "log_in"})).await;
        hear(&mut socket, is_state("not_ready")).await;
        say(&mut socket, json!({"type": "ready"})).await;
        hear(&mut socket, is_state("ready")).await;
        say(&mut socket, json!({"type": "not_ready", "reason": "lunch"})).await;
        let state = hear(&mut socket, is_state("not_ready")).await;
        assert_eq!(state["reason"], "lunch");
        say(&mut socket, json!({"type": "dance"})).await;
        hear(&mut socket, |message| message["type"] == "refused").await;
        say(&mut socket, json!({"type": "log_out"})).await;
        hear(&mut socket, is_state("logged_out")).await;
        server.stop().await;
    }
}

#[tokio::test]
async fn a_message_that_is_too_long_ends_the_session_with_a_code_and_a_reason() {
    let server = Server::start(TestDatabase::sqlite(), WebSettings::default()).await;
    let admin = server.tenant("A").await;
    let agent = admin.create("/v1/agents", json!({"name": "Ann"})).await;
    for bytes in [65_537, 20_000_000] {
        let mut socket = open(&server, &format!("agent={agent}"), Some(admin.key())).await.unwrap();
        say(&mut socket, json!({"type": "log_in"})).await;
        hear(&mut socket, is_state("not_ready")).await;
        // What is far too long is not taken whole: the answer comes while it is being sent.
        let (mut sender, mut receiver) = socket.split();
        tokio::spawn(async move { sender.send(Message::text("x".repeat(bytes))).await });
        let frame = loop {
            match receiver.next().await.expect("the session is closed with a frame").unwrap() {
                Message::Close(frame) => break frame.unwrap(),
                _ => continue,
            }
        };
        assert_eq!(
            (u16::from(frame.code), frame.reason.as_str()),
            (1009, "a message has at most 65536 bytes")
        );
    }
}

#[tokio::test]
async fn a_reason_for_a_break_is_not_longer_than_it_may_be() {
    let server = Server::start(TestDatabase::sqlite(), WebSettings::default()).await;
    let admin = server.tenant("A").await;
    let agent = admin.create("/v1/agents", json!({"name": "Ann"})).await;
    let mut socket = open(&server, &format!("agent={agent}"), Some(admin.key())).await.unwrap();
    say(&mut socket, json!({"type": "log_in"})).await;
    say(&mut socket, json!({"type": "not_ready", "reason": "é".repeat(201)})).await;
    let refused = hear(&mut socket, |message| message["type"] == "refused").await;
    assert_eq!(refused["why"], "a reason has at most 200 characters");
    say(&mut socket, json!({"type": "not_ready", "reason": "é".repeat(200)})).await;
    hear(&mut socket, |message| message["reason"] == "é".repeat(200)).await;
}

#[tokio::test]
async fn a_second_session_of_an_agent_takes_the_place_of_the_first() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let agent = admin.create("/v1/agents", json!({"name": "Ann"})).await;
        let query = format!("agent={agent}");
        let mut first = open(&server, &query, Some(admin.key())).await.unwrap();
        let _second = open(&server, &query, Some(admin.key())).await.unwrap();
        hear(&mut first, |message| message["type"] == "taken_over").await;
        server.stop().await;
    }
}

#[tokio::test]
async fn a_ticket_opens_a_session_once() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let agent = admin.create("/v1/agents", json!({"name": "Ann"})).await;
        let made = admin.post("/v1/agent-session/tickets", json!({"agent": agent})).await.expect(201);
        let query = format!("ticket={}", made.text("ticket"));
        let mut socket = open(&server, &query, None).await.unwrap();
        say(&mut socket, json!({"type": "log_in"})).await;
        hear(&mut socket, is_state("not_ready")).await;
        assert_eq!(refused_with(open(&server, &query, None).await.err()), 401);
        server.stop().await;
    }
}

#[tokio::test]
async fn an_agent_opens_their_own_session_and_no_other() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let ann = admin.create("/v1/agents", json!({"name": "Ann"})).await;
        let bob = admin.create("/v1/agents", json!({"name": "Bob"})).await;
        let user =
            json!({"login": "ann", "password": "correct horse battery", "role": "agent", "agent": ann});
        admin.post("/v1/users", user).await.expect(201);
        let log_in = json!({"tenant": "A", "login": "ann", "password": "correct horse battery"});
        let session = server.nobody().post("/v1/sessions", log_in).await.expect(201);
        let token = session.text("token");
        open(&server, "", Some(token)).await.unwrap();
        assert_eq!(refused_with(open(&server, &format!("agent={bob}"), Some(token)).await.err()), 403);
        assert_eq!(refused_with(open(&server, "", None).await.err()), 401);
        let theirs = server.tenant("B").await;
        assert_eq!(refused_with(open(&server, &format!("agent={ann}"), Some(theirs.key())).await.err()), 404);
        server.stop().await;
    }
}
