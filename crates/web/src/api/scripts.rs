//! Server scripts: what went wrong with them, trying them, and their versions.

use app::model::{ScriptBody, Stored};
use app::paging::Listing;
use app::scripts::{ScriptErrorView, ScriptVersion, ScriptVersionView, Tried, TryOut};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::auth::Caller;
use crate::endpoint::{Api, get, post};
use crate::extract::{Body, Id, IfMatch, Items, Page, versioned};
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
    let versions = get(
        "/v1/scripts/{id}/versions",
        "list_script_versions",
        TAG,
        "The versions of a script, the newest first; the id may be its name",
    );
    let versions = versions.paged().gives::<Listing<ScriptVersion>>(&mut api);
    let version =
        get("/v1/scripts/{id}/versions/{version}", "get_script_version", TAG, "Read a version of a script");
    let version = version.gives::<ScriptVersionView>(&mut api);
    let restore = post(
        "/v1/scripts/{id}/versions/{version}/restore",
        "restore_script_version",
        TAG,
        "Make a new version of a script that does what an earlier one did",
    );
    let restore = restore.if_match().with_status(200).gives::<Stored<ScriptBody>>(&mut api);
    api.route(errors, list_errors)
        .route(versions, list_versions)
        .route(version, read_version)
        .route(restore, restore_version)
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

async fn list_versions(
    State(context): State<Context>,
    Caller(who): Caller,
    Path(script): Path<String>,
    Page(page): Page,
) -> Result<Items<ScriptVersion>, Problem> {
    Ok(Items(context.app.script_versions(&who, &script, &page).await?))
}

async fn read_version(
    State(context): State<Context>,
    Caller(who): Caller,
    Path((script, version)): Path<(String, String)>,
) -> Result<Json<ScriptVersionView>, Problem> {
    Ok(Json(context.app.script_version(&who, &script, number(&version)?).await?))
}

async fn restore_version(
    State(context): State<Context>,
    Caller(who): Caller,
    Path((script, version)): Path<(String, String)>,
    IfMatch(seen): IfMatch,
) -> Result<Response, Problem> {
    let stored = context.app.restore_script(&who, &script, number(&version)?, seen).await?;
    Ok(versioned(StatusCode::OK, stored.version, None, &stored))
}

fn number(version: &str) -> Result<i64, Problem> {
    version.parse().map_err(|_| {
        Problem::new(StatusCode::NOT_FOUND, "not_found", "the version in the path is not a number, such as 3")
    })
}

async fn type_definitions(Caller(_): Caller) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], app::scripts::TYPE_DEFINITIONS)
}
