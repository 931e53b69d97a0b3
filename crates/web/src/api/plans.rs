//! Schedules and sequences: what they will do, what they did, and starting and stopping sequences.

use app::paging::Listing;
use app::plans::{NextRun, PlannedRunView, SequenceView};
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::auth::Caller;
use crate::endpoint::{Api, get, post};
use crate::extract::{Ask, Id, Items, Page};
use crate::{Context, Problem};

const TAG: &str = "Schedules and sequences";

pub(super) fn routes(mut api: Api) -> Api {
    let next =
        get("/v1/schedules/{id}/preview", "preview_schedule", TAG, "When a schedule's steps happen next")
            .query_count("count", "How many, 1 to 100; 10 if not given", 100)
            .gives::<NextRuns>(&mut api);
    let schedule_runs =
        get("/v1/schedules/{id}/runs", "list_schedule_runs", TAG, "What a schedule did, the newest first")
            .paged()
            .gives::<Listing<PlannedRunView>>(&mut api);
    let sequence_runs =
        get("/v1/sequences/{id}/runs", "list_sequence_runs", TAG, "What a sequence did, the newest first")
            .paged()
            .gives::<Listing<PlannedRunView>>(&mut api);
    let state = get("/v1/sequences/{id}/status", "get_sequence_status", TAG, "Where a sequence is");
    let state = state.gives::<SequenceView>(&mut api);
    let start =
        post("/v1/sequences/{id}/start", "start_sequence", TAG, "Run a sequence from its first group on");
    let start = start.with_status(200).gives::<SequenceView>(&mut api);
    let stop = post("/v1/sequences/{id}/stop", "stop_sequence", TAG, "End a sequence and stop its group");
    let stop = stop.with_status(200).gives::<SequenceView>(&mut api);
    api.route(next, preview)
        .route(schedule_runs, list_runs)
        .route(sequence_runs, list_runs)
        .route(state, status)
        .route(start, start_sequence)
        .route(stop, stop_sequence)
}

#[derive(Deserialize)]
struct HowMany {
    count: Option<usize>,
}

/// What a schedule will do.
#[derive(Serialize, JsonSchema)]
struct NextRuns {
    items: Vec<NextRun>,
}

async fn preview(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
    Ask(how_many): Ask<HowMany>,
) -> Result<Json<NextRuns>, Problem> {
    let items = context.app.next_runs(&who, id, how_many.count.unwrap_or(10)).await?;
    Ok(Json(NextRuns { items }))
}

async fn list_runs(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
    Page(page): Page,
) -> Result<Items<PlannedRunView>, Problem> {
    Ok(Items(context.app.planned_runs(&who, id, &page).await?))
}

async fn status(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
) -> Result<Json<SequenceView>, Problem> {
    Ok(Json(context.app.sequence_view(&who, id).await?))
}

async fn start_sequence(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
) -> Result<Json<SequenceView>, Problem> {
    Ok(Json(context.app.start_sequence(&who, id).await?))
}

async fn stop_sequence(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
) -> Result<Json<SequenceView>, Problem> {
    Ok(Json(context.app.stop_sequence(&who, id).await?))
}
