//! Sinks, beyond what every definition has: credentials, state, what did not arrive.

use app::paging::Listing;
use app::sinks::{DeadLetter, DeadLetters, LetterCount, SinkCredentials, SinkStatus, SinkTrial};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use crate::auth::Caller;
use crate::endpoint::{Api, get, post, put};
use crate::extract::{Body, Id, Items, Page};
use crate::{Context, Problem};

const TAG: &str = "Sinks";

pub(super) fn routes(mut api: Api) -> Api {
    let credentials = put(
        "/v1/sinks/{id}/credentials",
        "set_sink_credentials",
        TAG,
        "Set what it takes to be let in; it is never shown again",
    );
    let credentials = credentials.with_status(204).takes::<SinkCredentials>(&mut api);
    let status = get("/v1/sinks/{id}/status", "get_sink_status", TAG, "How far a sink has been told");
    let status = status.gives::<SinkStatus>(&mut api);
    let trial = post("/v1/sinks/{id}/test", "test_sink", TAG, "Send a message of the kind sink.test");
    let trial = trial.with_status(200).gives::<SinkTrial>(&mut api);
    let path = "/v1/sinks/{id}/dead-letters";
    let list = get(path, "list_dead_letters", TAG, "The messages that were given up, in order").paged();
    let list = list.gives::<Listing<DeadLetter>>(&mut api);
    let again = post(
        format!("{path}/send-again"),
        "send_dead_letters_again",
        TAG,
        "Send messages again that were given up: those named, or all of them",
    );
    let again = again.with_status(200).takes::<DeadLetters>(&mut api).gives::<LetterCount>(&mut api);
    let discard = post(
        format!("{path}/discard"),
        "discard_dead_letters",
        TAG,
        "Throw messages away that were given up: those named, or all of them",
    );
    let discard = discard.with_status(200).takes::<DeadLetters>(&mut api).gives::<LetterCount>(&mut api);
    api.route(credentials, set_credentials)
        .route(status, read_status)
        .route(trial, try_out)
        .route(list, list_letters)
        .route(again, send_again)
        .route(discard, throw_away)
}

async fn set_credentials(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
    Body(credentials): Body<SinkCredentials>,
) -> Result<StatusCode, Problem> {
    context.app.set_sink_credentials(&who, id, credentials).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn read_status(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
) -> Result<Json<SinkStatus>, Problem> {
    Ok(Json(context.app.sink_status(&who, id).await?))
}

async fn try_out(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
) -> Result<Json<SinkTrial>, Problem> {
    Ok(Json(context.app.try_sink(&who, id).await?))
}

async fn list_letters(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
    Page(page): Page,
) -> Result<Items<DeadLetter>, Problem> {
    Ok(Items(context.app.dead_letters(&who, id, &page).await?))
}

async fn send_again(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
    Body(letters): Body<DeadLetters>,
) -> Result<Json<LetterCount>, Problem> {
    Ok(Json(context.app.send_dead_letters_again(&who, id, letters).await?))
}

async fn throw_away(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
    Body(letters): Body<DeadLetters>,
) -> Result<Json<LetterCount>, Problem> {
    Ok(Json(context.app.discard_dead_letters(&who, id, letters).await?))
}
