//! Server scripts: what went wrong with them, and trying them.

use app::paging::Listing;
use app::scripts::{ScriptErrorView, Tried, TryOut};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;

use crate::auth::Caller;
use crate::endpoint::{Api, get, post};
use crate::extract::{Body, Id, Items, Page};
use crate::{Context, Problem};

const TAG: &str = "Scripts";

pub(super) fn routes(mut api: Api) -> Api {
    let errors =
        get("/v1/scripts/{id}/errors", "list_script_errors", TAG, "What went wrong, the newest first")
            .paged();
    let errors = errors.gives::<Listing<ScriptErrorView>>(&mut api);
    let attempt = post(
        "/v1/scripts/{id}/try",
        "try_script",
        TAG,
        "Run a script on a contact without doing what it wants done; the id may be its name",
    );
    let attempt = attempt.with_status(200).takes::<TryOut>(&mut api).gives::<Tried>(&mut api);
    let types =
        get("/v1/scripts/outdial.d.ts", "script_types", TAG, "Type definitions for those who write scripts");
    api.route(errors, list_errors)
        .route(attempt, try_script)
        .route(types.gives_raw("text/plain"), type_definitions)
}

async fn list_errors(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
    Page(page): Page,
) -> Result<Items<ScriptErrorView>, Problem> {
    Ok(Items(context.app.script_errors(&who, id, &page).await?))
}

async fn try_script(
    State(context): State<Context>,
    Caller(who): Caller,
    Path(script): Path<String>,
    Body(with): Body<TryOut>,
) -> Result<Json<Tried>, Problem> {
    Ok(Json(context.app.try_script(&who, &script, with).await?))
}

async fn type_definitions(Caller(_): Caller) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], app::scripts::TYPE_DEFINITIONS)
}
