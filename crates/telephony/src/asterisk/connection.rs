//! The connection to one Asterisk: events come over a WebSocket, requests go over the same or over HTTP. It is made
//! again whenever it is lost, and nothing that came over it is dropped: the reader waits for room.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::AUTHORIZATION;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use super::protocol::{Ask, Incoming, Response, quoted};
use super::settings::{HostSettings, RequestPath, SILENCE_MAX};
use super::tls::{self, TlsError};

/// How long the first try after a loss waits, and how long one waits at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// How long a connection may take to be made, and an answer to come.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a sign of life is asked for.
const PING_EVERY: Duration = Duration::from_secs(5);
/// How long the first request over the WebSocket may go unanswered before HTTP is taken for requests.
const TRIAL: Duration = Duration::from_secs(3);
/// The number of that request.
const TRIAL_ID: u64 = 0;
/// The number of the question whether Asterisk still has our application.
const WATCH_ID: u64 = u64::MAX;
const FORGOTTEN: &str = "it has forgotten the application";

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What a connection tells.
pub(super) enum FromHost {
    Up,
    Lost,
    Said(Incoming),
}

/// A question to the switch.
pub(super) struct Question {
    pub id: u64,
    pub ask: Ask,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("it cannot be reached or refuses: {0}")]
    WebSocket(#[from] Box<tokio_tungstenite::tungstenite::Error>),
    #[error("{0}")]
    Tls(String),
    #[error("it did not answer within {} s", PATIENCE.as_secs())]
    TimedOut,
    #[error("its user or password cannot be sent")]
    Credentials,
}

/// The way to a host.
pub(super) struct Way {
    pub host: HostSettings,
    pub client: reqwest::Client,
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl Way {
    /// # Errors
    /// TLS or HTTP cannot be spoken here.
    pub fn to(host: &HostSettings) -> Result<Self, TlsError> {
        let client = tls::client(host, |builder| builder)?;
        Ok(Self { host: host.clone(), client, tls: tls::configuration(host)? })
    }
}

/// Keeps the connection until nobody listens any more.
pub(super) async fn keep(
    index: usize,
    way: Way,
    application: String,
    mut questions: mpsc::Receiver<Question>,
    said: mpsc::Sender<(usize, FromHost)>,
) {
    let host = &way.host;
    let mut wait = BACK_OFF.0;
    let mut complained = false;
    loop {
        match open(&way, &application).await {
            Ok(socket) => {
                tracing::info!(host = host.name, "connected to Asterisk");
                (wait, complained) = (BACK_OFF.0, false);
                // What was asked on an earlier connection has no answer any more.
                while questions.try_recv().is_ok() {}
                let reason = match serve(index, &way, &application, socket, &mut questions, &said).await {
                    Ok(reason) => reason,
                    Err(Closed) => return,
                };
                tracing::warn!(host = host.name, reason, "the connection to Asterisk is lost");
                if said.send((index, FromHost::Lost)).await.is_err() {
                    return;
                }
            }
            Err(error) if !complained => {
                tracing::warn!(host = host.name, %error, "no connection to Asterisk; trying again");
                complained = true;
            }
            Err(_) => {}
        }
        if said.is_closed() {
            return;
        }
        // Not all nodes at the same instant.
        tokio::time::sleep(wait.mul_f64(0.5 + chance())).await;
        wait = (wait * 2).min(BACK_OFF.1);
    }
}

/// 0 to 1, another each time.
fn chance() -> f64 {
    f64::from(RandomState::new().build_hasher().finish() as u32) / f64::from(u32::MAX)
}

/// Opens the events' WebSocket.
pub(super) async fn open(way: &Way, application: &str) -> Result<Socket, ConnectError> {
    let host = &way.host;
    let mut url = host.url.clone();
    // An address without a host was refused with the settings.
    let _ = url.set_scheme(if host.is_encrypted() { "wss" } else { "ws" });
    url.set_path("/ari/events");
    url.query_pairs_mut().append_pair("app", application).append_pair("subscribeAll", "true");
    let mut request = url.as_str().into_client_request().map_err(Box::new)?;
    let credentials = STANDARD.encode(format!("{}:{}", host.user, host.password));
    let value =
        HeaderValue::try_from(format!("Basic {credentials}")).map_err(|_| ConnectError::Credentials)?;
    request.headers_mut().insert(AUTHORIZATION, value);
    let connector = way.tls.clone().map_or(Connector::Plain, Connector::Rustls);
    let connecting = connect_async_tls_with_config(request, None, false, Some(connector));
    let connected = timeout(PATIENCE, connecting).await.map_err(|_| ConnectError::TimedOut)?;
    match connected {
        Ok((socket, _)) => Ok(socket),
        Err(error) => Err(tls::trouble(&error).map_or_else(|| Box::new(error).into(), ConnectError::Tls)),
    }
}

/// Nobody listens any more.
struct Closed;

async fn serve(
    index: usize,
    way: &Way,
    application: &str,
    mut socket: Socket,
    questions: &mut mpsc::Receiver<Question>,
    said: &mpsc::Sender<(usize, FromHost)>,
) -> Result<&'static str, Closed> {
    let host = &way.host;
    let (over_http, early) = match host.requests {
        RequestPath::Http => (true, Vec::new()),
        RequestPath::WebSocket => (false, Vec::new()),
        RequestPath::Auto => match takes_requests(&mut socket).await {
            Some((takes, early)) => (!takes, early),
            None => return Ok("it closed the connection at once"),
        },
    };
    let mut http = over_http.then(|| Http::start(way, index, said.clone()));
    said.send((index, FromHost::Up)).await.map_err(|_| Closed)?;
    for incoming in early {
        said.send((index, FromHost::Said(incoming))).await.map_err(|_| Closed)?;
    }
    let (mut write, mut read) = socket.split();
    let (watched, mut answers) = mpsc::channel::<Response>(1);
    let mut heard = Instant::now();
    let mut ping = tokio::time::interval(PING_EVERY);
    loop {
        tokio::select! {
            message = read.next() => {
                heard = Instant::now();
                let text = match message {
                    Some(Ok(Message::Text(text))) => text,
                    Some(Ok(Message::Close(_))) | None => return Ok("it closed the connection"),
                    Some(Ok(_)) => continue,
                    Some(Err(_)) => return Ok("the connection broke"),
                };
                match serde_json::from_str(&text) {
                    Ok(Incoming::Other) => {}
                    Ok(Incoming::Response(response)) if response.request_id == WATCH_ID.to_string() => {
                        if response.status_code == 404 {
                            return Ok(FORGOTTEN);
                        }
                    }
                    Ok(incoming) => said.send((index, FromHost::Said(incoming))).await.map_err(|_| Closed)?,
                    Err(error) => tracing::error!(host = host.name, %error, "Asterisk said what cannot be read"),
                }
            }
            question = questions.recv() => {
                let Some(Question { id, ask }) = question else { return Err(Closed) };
                if let Some(http) = &mut http {
                    if http.ask(id, ask).await.is_err() {
                        return Ok("its HTTP server does not answer");
                    }
                } else if write.send(Message::text(ask.over_web_socket(id))).await.is_err() {
                    return Ok("the connection broke");
                }
            }
            Some(response) = answers.recv() => {
                if response.status_code == 404 {
                    return Ok(FORGOTTEN);
                }
            }
            _ = ping.tick() => {
                if heard.elapsed() > SILENCE_MAX {
                    return Ok("it was silent for too long");
                }
                // When an earlier connection of ours ends late, Asterisk takes the application from this one, too: it
                // would answer, and never tell anything again.
                let watch = Ask::get(format!("applications/{}", quoted(application)));
                let life = if http.is_none() {
                    Message::text(watch.over_web_socket(WATCH_ID))
                } else {
                    tokio::spawn(ask_aside(way.client.clone(), host.clone(), watch, watched.clone()));
                    Message::Ping(Vec::new().into())
                };
                if write.send(life).await.is_err() {
                    return Ok("the connection broke");
                }
            }
        }
    }
}

/// Whether the Asterisk takes requests over the WebSocket, and what else came meanwhile; none if it closed it.
async fn takes_requests(socket: &mut Socket) -> Option<(bool, Vec<Incoming>)> {
    let trial = Ask::get("asterisk/ping").over_web_socket(TRIAL_ID);
    socket.send(Message::text(trial)).await.ok()?;
    let deadline = Instant::now() + TRIAL;
    let mut early = Vec::new();
    loop {
        let message = match tokio::time::timeout_at(deadline, socket.next()).await {
            Err(_) => return Some((false, early)),
            Ok(message) => message?.ok()?,
        };
        let Message::Text(text) = message else { continue };
        match serde_json::from_str(&text) {
            Ok(Incoming::Response(_)) => return Some((true, early)),
            Ok(Incoming::Other) | Err(_) => {}
            Ok(incoming) => early.push(incoming),
        }
    }
}

/// Requests over HTTP, one after the other, in the order in which they were made.
struct Http {
    questions: mpsc::Sender<Question>,
}

impl Http {
    fn start(way: &Way, index: usize, said: mpsc::Sender<(usize, FromHost)>) -> Self {
        let (questions, mut asked) = mpsc::channel::<Question>(1024);
        let (host, client) = (way.host.clone(), way.client.clone());
        tokio::spawn(async move {
            while let Some(question) = asked.recv().await {
                let response = over_http(&client, &host, question).await;
                if said.send((index, FromHost::Said(Incoming::Response(response)))).await.is_err() {
                    return;
                }
            }
        });
        Self { questions }
    }

    async fn ask(&mut self, id: u64, ask: Ask) -> Result<(), ()> {
        self.questions.send(Question { id, ask }).await.map_err(drop)
    }
}

/// Asks over HTTP beside all other questions.
async fn ask_aside(client: reqwest::Client, host: HostSettings, ask: Ask, answer: mpsc::Sender<Response>) {
    let response = over_http(&client, &host, Question { id: WATCH_ID, ask }).await;
    // Nobody waits for it if the connection is gone already.
    let _ = answer.send(response).await;
}

/// Asks once, over HTTP. A switch that does not answer is told as status 599, with what is wrong with TLS as the body if
/// that is why.
pub(super) async fn over_http(client: &reqwest::Client, host: &HostSettings, question: Question) -> Response {
    let Question { id, ask } = question;
    let none = |why| Response { request_id: id.to_string(), status_code: 599, message_body: why };
    let Ok(url) = host.url.join(&format!("/ari/{}", ask.uri)) else { return none(None) };
    let Ok(method) = reqwest::Method::from_bytes(ask.method.as_bytes()) else { return none(None) };
    let mut request =
        client.request(method, url).basic_auth(&host.user, Some(&host.password)).timeout(PATIENCE);
    if let Some(body) = &ask.body {
        request = request.json(body);
    }
    match request.send().await {
        Ok(answer) => {
            let status_code = answer.status().as_u16();
            let message_body = answer.text().await.ok();
            Response { request_id: id.to_string(), status_code, message_body }
        }
        Err(error) => {
            let trouble = tls::trouble(&error);
            let why = trouble.clone().unwrap_or_else(|| error.without_url().to_string());
            tracing::warn!(host = host.name, error = why, "Asterisk does not answer over HTTP");
            none(trouble)
        }
    }
}
