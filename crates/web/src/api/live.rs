//! What groups and agents do now.

use std::convert::Infallible;
use std::time::Duration;

use app::floor::LiveView;
use axum::Json;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream};

use crate::auth::{Caller, Follower};
use crate::endpoint::{Api, get};
use crate::{Context, Problem};

const TAG: &str = "Live";
/// How often the stream tells.
const TELL_EVERY: Duration = Duration::from_secs(1);

pub(super) fn routes(mut api: Api) -> Api {
    let now = get("/v1/live", "get_live", TAG, "What groups and agents do now").gives::<LiveView>(&mut api);
    api.route(now, live)
}

pub(super) fn streams(api: Api) -> Api {
    let stream = get("/v1/live/stream", "stream_live", TAG, "The same, each second (server-sent events)");
    api.route(stream.gives_raw("text/event-stream"), follow)
}

async fn live(State(context): State<Context>, Caller(who): Caller) -> Result<Json<LiveView>, Problem> {
    Ok(Json(context.app.live(&who).await?))
}

async fn follow(
    State(context): State<Context>,
    follower: Follower,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    context.app.live(&follower.who).await?;
    let stream = stream::unfold((context, follower, true), |(context, mut follower, is_first)| async move {
        if !is_first {
            tokio::time::sleep(TELL_EVERY).await;
        }
        if !follower.still_may(&context).await {
            return None;
        }
        let event = match context.app.live(&follower.who).await {
            Ok(view) => Event::default().event("live").json_data(&view).unwrap_or_default(),
            Err(error) => Event::default().event("problem").data(error.code()),
        };
        Some((Ok(event), (context, follower, false)))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}
