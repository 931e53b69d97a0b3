//! Events: a page of the outbox, and the stream.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use app::{App, EVENTS_MAX, EventView, Principal};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::auth::Caller;
use crate::endpoint::{Api, get};
use crate::extract::Ask;
use crate::{Context, Problem};

const TAG: &str = "Events";
/// How often the stream looks for new events.
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(super) fn routes(mut api: Api) -> Api {
    let page =
        get("/v1/events", "list_events", TAG, "Events after one, in the order in which they became durable");
    let page =
        page.query("after", "The seq of the last event seen; 0 for all").query("limit", "At most 1000");
    let page = page.gives::<EventPage>(&mut api);
    api.route(page, list)
}

pub(super) fn streams(api: Api) -> Api {
    let stream = get("/v1/events/stream", "stream_events", TAG, "Events as they happen (server-sent events)");
    let stream = stream.query(
        "after",
        "The seq to go on after; the header Last-Event-ID goes before; without either, only what is new",
    );
    api.route(stream.gives_raw("text/event-stream"), follow)
}

#[derive(Deserialize)]
struct After {
    after: Option<i64>,
    limit: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
struct EventPage {
    /// The events, in order.
    items: Vec<EventView>,
    /// To be given as `after` for what comes next.
    next: i64,
}

async fn list(
    State(context): State<Context>,
    Caller(who): Caller,
    Ask(ask): Ask<After>,
) -> Result<Json<EventPage>, Problem> {
    let after = ask.after.unwrap_or(0);
    let items = context.app.events_after(&who, after, ask.limit.unwrap_or(100)).await?;
    let next = items.last().map_or(after, |event| event.seq);
    Ok(Json(EventPage { items, next }))
}

async fn follow(
    State(context): State<Context>,
    Caller(who): Caller,
    headers: HeaderMap,
    Ask(ask): Ask<After>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    let after = match last.or(ask.after) {
        Some(after) => after,
        None => context.app.last_event(&who).await?,
    };
    let tail = Tail { app: context.app, who, after, ready: VecDeque::new() };
    let stream = stream::unfold(tail, |mut tail| async move {
        let event = tail.next().await;
        Some((Ok(event), tail))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

/// The end of the outbox, followed.
struct Tail {
    app: Arc<App>,
    who: Principal,
    after: i64,
    ready: VecDeque<EventView>,
}

impl Tail {
    async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.after = event.seq;
                let named = Event::default().id(event.seq.to_string()).event(event.kind.clone());
                if let Ok(event) = named.json_data(&event) {
                    return event;
                }
                continue;
            }
            match self.app.events_after(&self.who, self.after, EVENTS_MAX).await {
                Ok(events) => self.ready.extend(events),
                Err(error) => tracing::warn!(code = error.code(), "could not read events for a stream"),
            }
            if self.ready.is_empty() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }
}
