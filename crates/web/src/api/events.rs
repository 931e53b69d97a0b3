//! Events: a page of the outbox, and the stream.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use app::{AppError, EVENTS_MAX, EventView};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::auth::{Caller, Follower};
use crate::endpoint::{Api, get};
use crate::extract::Ask;
use crate::{Context, Problem};

const TAG: &str = "Events";
/// How often the stream looks for new events.
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(super) fn routes(mut api: Api) -> Api {
    let page =
        get("/v1/events", "list_events", TAG, "Events after one, in the order in which they became durable");
    let page = page
        .query_of::<i64>(&mut api, "after", "The seq of the last event seen; 0 for all")
        .query_count("limit", "Events in the page, 1 to 1000; 100 if not given", EVENTS_MAX);
    let page = page.gives::<EventPage>(&mut api);
    api.route(page, list)
}

pub(super) fn streams(mut api: Api) -> Api {
    let stream = get("/v1/events/stream", "stream_events", TAG, "Events as they happen (server-sent events)");
    let stream = stream.query_of::<i64>(
        &mut api,
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
    let limit = ask.limit.unwrap_or(100);
    if !(1..=EVENTS_MAX).contains(&limit) {
        let message = format!("a page has 1 to {EVENTS_MAX} items");
        return Err(AppError::invalid("bad_limit", "limit", message).into());
    }
    let items = context.app.events_after(&who, after, limit).await?;
    let next = items.last().map_or(after, |event| event.seq);
    Ok(Json(EventPage { items, next }))
}

async fn follow(
    State(context): State<Context>,
    follower: Follower,
    headers: HeaderMap,
    Ask(ask): Ask<After>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let after = match last_seen(&headers)?.or(ask.after) {
        Some(after) => after,
        None => context.app.last_event(&follower.who).await?,
    };
    let tail = Tail { context, follower, after, ready: VecDeque::new() };
    let stream = stream::unfold(tail, |mut tail| async move {
        let event = tail.next().await?;
        Some((Ok(event), tail))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

/// The event that a reader has seen last, as browsers tell it when they connect again.
fn last_seen(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(id) = headers.get("last-event-id") else { return Ok(None) };
    let seq = id.to_str().ok().and_then(|id| id.trim().parse().ok());
    seq.map(Some).ok_or_else(|| {
        let detail =
            "Last-Event-ID is not the number of an event: give the id of the last one, or leave it out";
        Problem::new(StatusCode::BAD_REQUEST, "bad_last_event_id", detail).in_field("Last-Event-ID")
    })
}

/// The end of the outbox, followed.
struct Tail {
    context: Context,
    follower: Follower,
    after: i64,
    ready: VecDeque<EventView>,
}

impl Tail {
    /// The next event; none when the reader may not follow any more.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if !self.follower.still_may(&self.context).await {
                return None;
            }
            if let Some(event) = self.ready.pop_front() {
                self.after = event.seq;
                let named = Event::default().id(event.seq.to_string()).event(event.kind.clone());
                if let Ok(event) = named.json_data(&event) {
                    return Some(event);
                }
                continue;
            }
            match self.context.app.events_after(&self.follower.who, self.after, EVENTS_MAX).await {
                Ok(events) => self.ready.extend(events),
                Err(error) => tracing::warn!(code = error.code(), "could not read events for a stream"),
            }
            if self.ready.is_empty() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }
}
