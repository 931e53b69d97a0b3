//! Entries of suppression lists.

use app::paging::Listing;
use app::suppression::{NewSuppression, Suppressed, SuppressionKind, SuppressionOutcome, SuppressionView};
use axum::Json;
use axum::body::{Body as RawBody, to_bytes};
use axum::extract::State;
use axum::http::StatusCode;
use engine::SuppressionListId;
use schemars::JsonSchema;
use serde::Deserialize;

use super::contacts::number_in_query;
use crate::auth::Caller;
use crate::endpoint::{Api, delete, get, post};
use crate::extract::{Ask, Body, Id, Items, Page};
use crate::{Context, Problem};

const TAG: &str = "Suppression";
/// Largest table of entries, in bytes: a hundred thousand rows of 160 characters.
const TABLE_BYTES_MAX: usize = 16 * 1024 * 1024;

pub(super) fn routes(mut api: Api) -> Api {
    let path = "/v1/suppression-lists/{id}/entries";
    let add = post(
        path,
        "add_suppressions",
        TAG,
        "Put numbers and customers on a list; a campaign's id is its own list",
    );
    let add = add.with_status(200).takes::<Entries>(&mut api).gives::<SuppressionOutcome>(&mut api);
    let table = post(format!("{path}/table"), "add_suppressions_table", TAG, "The same, from a table");
    let table = table
        .with_status(200)
        .takes_raw("text/csv", "Columns number or external_id, and until; at most 100000 rows")
        .gives::<SuppressionOutcome>(&mut api);
    let list = get(path, "list_suppressions", TAG, "The entries of a list")
        .paged()
        .query("kind", "number (if not given) or customer")
        .query("number", "Only the entry of this number (E.164)")
        .gives::<Listing<SuppressionView>>(&mut api);
    let remove = delete(path, "remove_suppression", TAG, "Take a number or customer off a list")
        .query("number", "The number (E.164)")
        .query("external_id", "The customer's key, instead of a number");
    api.route(add, add_entries).route(table, add_table).route(list, list_entries).route(remove, remove_entry)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewSuppressions")]
struct Entries {
    /// Who is not to be called.
    entries: Vec<NewSuppression>,
}

async fn add_entries(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
    Body(Entries { entries }): Body<Entries>,
) -> Result<Json<SuppressionOutcome>, Problem> {
    Ok(Json(context.app.suppress(&who, SuppressionListId(id), entries).await?))
}

async fn add_table(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
    body: RawBody,
) -> Result<Json<SuppressionOutcome>, Problem> {
    let table = to_bytes(body, TABLE_BYTES_MAX).await.map_err(|_| {
        let detail = "the table could not be received, or is larger than 16 MiB: send it in parts";
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    })?;
    Ok(Json(context.app.suppress_table(&who, SuppressionListId(id), table.to_vec()).await?))
}

#[derive(Deserialize)]
struct Which {
    kind: Option<SuppressionKind>,
    number: Option<String>,
}

async fn list_entries(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
    Page(page): Page,
    Ask(which): Ask<Which>,
) -> Result<Items<SuppressionView>, Problem> {
    let list = SuppressionListId(id);
    if let Some(number) = which.number.as_deref().map(number_in_query).transpose()? {
        let entry = context.app.suppression_of_number(&who, list, number).await?;
        return Ok(Items(Listing { items: entry.into_iter().collect(), next: None }));
    }
    Ok(Items(context.app.suppressions(&who, list, which.kind.unwrap_or_default(), &page).await?))
}

#[derive(Deserialize)]
struct Off {
    number: Option<String>,
    external_id: Option<String>,
}

async fn remove_entry(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
    Ask(off): Ask<Off>,
) -> Result<StatusCode, Problem> {
    let entry = match (off.number, off.external_id) {
        (Some(number), None) => Suppressed::Number(number_in_query(&number)?),
        (None, Some(key)) => Suppressed::Customer(key),
        _ => {
            let detail = "name either a number or an external_id";
            return Err(Problem::new(StatusCode::BAD_REQUEST, "bad_query", detail));
        }
    };
    context.app.unsuppress(&who, SuppressionListId(id), entry).await?;
    Ok(StatusCode::NO_CONTENT)
}
