//! Imports: uploading a file, watching its job, fetching what was rejected.

use std::io;
use std::path::Path;
use std::time::Duration;

use app::AppError;
use app::imports::{Import, NewImport, RejectedRow};
use app::model::DuplicateScope;
use app::paging::Listing;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use contacts::{Encoding, FileFormat, SourceMap, ZonePolicy};
use engine::time::rfc3339_option;
use engine::{GroupId, ImportId, SourceId, Time};
use futures_util::{StreamExt, stream};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::fs::File;
use tokio::io::{AsyncWriteExt, BufWriter};
use tokio::time::timeout;
use uuid::Uuid;

use crate::auth::Caller;
use crate::endpoint::{Api, get, post};
use crate::extract::{Ask, Id, Items, Page};
use crate::{Context, Problem};

const TAG: &str = "Imports";
/// An upload from which nothing comes for so long is given up.
const UPLOAD_SILENT_MAX: Duration = Duration::from_secs(60);

pub(super) fn routes(mut api: Api) -> Api {
    let list = get("/v1/imports", "list_imports", TAG, "Imports, the newest first").paged();
    let list = list.gives::<Listing<Import>>(&mut api);
    let read = get("/v1/imports/{id}", "get_import", TAG, "Read an import and how far it is")
        .gives::<Import>(&mut api);
    let cancel =
        post("/v1/imports/{id}/cancel", "cancel_import", TAG, "Stop an import; what was stored stays");
    let cancel = cancel.with_status(200).gives::<Import>(&mut api);
    let rejects =
        get("/v1/imports/{id}/rejects", "list_import_rejects", TAG, "The records that were not taken")
            .paged();
    let rejects = rejects.gives::<Listing<RejectedRow>>(&mut api);
    api.route(list, list_imports)
        .route(read, get_import)
        .route(cancel, cancel_import)
        .route(rejects, list_rejects)
}

/// What lasts as long as the file is large.
pub(super) fn transfers(mut api: Api) -> Api {
    let create = post("/v1/sources/{id}/imports", "create_import", TAG, "Import a file, sent as the body")
        .with_status(202)
        .takes_raw("application/octet-stream", "CSV with a row of headings, or one JSON contact per line")
        .query_of::<Uuid>(&mut api, "source_map", "A stored source map of the source")
        .query("map", "Or a map of its own: JSON, or external_id=CustomerNo,phone1=Mobile,…")
        .query_of::<Format>(&mut api, "format", "csv or ndjson; guessed if not given")
        .query("delimiter", "What stands between two cells; guessed if not given")
        .query_of::<Encoding>(
            &mut api,
            "encoding",
            "utf-8, utf-16le, utf-16be or windows-1252; guessed if not given",
        )
        .query_of::<DuplicateScope>(
            &mut api,
            "duplicates",
            "Where a number counts as a duplicate: none, source, campaign or tenant",
        )
        .query(
            "no_zone",
            "What becomes of a number whose time zone nobody knows: reject, or a zone such as Europe/Paris",
        )
        .query("file_name", "What the file is called")
        .query_instant("expires_at", "From when on contacts are not called that name no expiry (RFC 3339)")
        .query_of::<GroupId>(&mut api, "group", "The only campaign group that may call them")
        .gives::<Import>(&mut api);
    let rejects = get(
        "/v1/imports/{id}/rejects.csv",
        "download_import_rejects",
        TAG,
        "The same as a file, to be corrected",
    );
    api.route(create, create_import).route(rejects.gives_raw("text/csv"), download_rejects)
}

#[derive(Deserialize)]
struct How {
    source_map: Option<Uuid>,
    map: Option<String>,
    format: Option<Format>,
    delimiter: Option<char>,
    encoding: Option<Encoding>,
    duplicates: Option<DuplicateScope>,
    no_zone: Option<String>,
    file_name: Option<String>,
    #[serde(default, with = "rfc3339_option")]
    expires_at: Option<Time>,
    group: Option<GroupId>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ImportFormat")]
enum Format {
    Csv,
    Ndjson,
}

impl How {
    fn read(self) -> Result<NewImport, Problem> {
        let map = self.map.as_deref().map(read_map).transpose()?;
        let format = match (self.format, self.delimiter) {
            (Some(Format::Ndjson), _) => Some(FileFormat::Ndjson),
            (_, Some(delimiter)) => Some(FileFormat::Csv { delimiter }),
            // A table with a delimiter that is still to be guessed.
            (Some(Format::Csv) | None, None) => None,
        };
        let zone_policy = self.no_zone.as_deref().map(read_zone_policy).transpose()?;
        let Self { source_map, encoding, duplicates, file_name, expires_at, group, .. } = self;
        Ok(NewImport {
            map,
            source_map,
            format,
            encoding,
            duplicates,
            zone_policy,
            file_name,
            expires_at,
            group,
        })
    }
}

fn read_zone_policy(text: &str) -> Result<ZonePolicy, Problem> {
    if text == "reject" {
        return Ok(ZonePolicy::Reject);
    }
    let bad = |error: engine::zones::UnknownZone| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_zone", format!("{error}, nor 'reject'"))
            .in_field("no_zone")
    };
    text.parse().map(ZonePolicy::Default).map_err(bad)
}

fn read_map(text: &str) -> Result<SourceMap, Problem> {
    let bad = |detail: String| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_source_map", detail).in_field("map")
    };
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|error| bad(error.to_string()));
    }
    SourceMap::parse_compact(text).map_err(|error| bad(error.to_string()))
}

async fn create_import(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
    Ask(how): Ask<How>,
    body: Body,
) -> Result<Response, Problem> {
    let new = how.read()?;
    // Before the file is sent, so that nobody uploads what they may not.
    who.may(app::Permission::Feed)?;
    let path = context.app.import_upload_path();
    let received = receive(body, &path, context.settings.upload_bytes_max).await;
    if let Err(problem) = received {
        // What was written so far is of no use; it may not even be there.
        let _ = tokio::fs::remove_file(&path).await;
        return Err(problem);
    }
    let import = context.app.create_import(&who, SourceId(id), new, path).await?;
    let location = [(header::LOCATION, format!("/v1/imports/{}", import.id))];
    Ok((StatusCode::ACCEPTED, location, Json(import)).into_response())
}

/// Writes a body to a file, piece by piece.
async fn receive(body: Body, path: &Path, bytes_max: u64) -> Result<(), Problem> {
    let disk = |error: io::Error| {
        tracing::error!(kind = ?error.kind(), "an uploaded file could not be written");
        Problem::from(AppError::Unavailable("the disk for uploads"))
    };
    let broken =
        || Problem::new(StatusCode::BAD_REQUEST, "upload_broken", "the upload broke off: send it again");
    let mut file = BufWriter::with_capacity(1024 * 1024, File::create(path).await.map_err(disk)?);
    let mut pieces = body.into_data_stream();
    let mut received = 0_u64;
    while let Some(piece) = timeout(UPLOAD_SILENT_MAX, pieces.next()).await.map_err(|_| broken())? {
        let piece = piece.map_err(|_| broken())?;
        received += piece.len() as u64;
        if received > bytes_max {
            let detail = format!("a file has at most {bytes_max} bytes: send it in parts");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail));
        }
        file.write_all(&piece).await.map_err(disk)?;
    }
    file.flush().await.map_err(disk)?;
    // The import is promised with the answer, so its file must be on the disk by then.
    file.get_ref().sync_all().await.map_err(disk)
}

async fn list_imports(
    State(context): State<Context>,
    Caller(who): Caller,
    Page(page): Page,
) -> Result<Items<Import>, Problem> {
    Ok(Items(context.app.imports(&who, &page).await?))
}

async fn get_import(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
) -> Result<Json<Import>, Problem> {
    Ok(Json(context.app.import(&who, ImportId(id)).await?))
}

async fn cancel_import(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
) -> Result<Json<Import>, Problem> {
    Ok(Json(context.app.cancel_import(&who, ImportId(id)).await?))
}

async fn list_rejects(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
    Page(page): Page,
) -> Result<Items<RejectedRow>, Problem> {
    Ok(Items(context.app.import_rejects(&who, ImportId(id), &page).await?))
}

async fn download_rejects(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
) -> Result<Response, Problem> {
    let file = context.app.import_rejects_file(&who, ImportId(id)).await?;
    let disposition = format!("attachment; filename=\"{}\"", file.file_name);
    let disposition =
        HeaderValue::from_str(&disposition).map_err(|error| AppError::Internal(error.to_string()))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(file.media_type)),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    // After an error the connection is cut, so that a part is never taken for the whole.
    let pieces = stream::unfold(file.pieces, |mut pieces| async move {
        let piece = pieces.recv().await?.map_err(|error| io::Error::other(error.to_string()));
        Some((piece, pieces))
    });
    Ok((headers, Body::from_stream(pieces)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_json_or_compact() {
        let compact = read_map("external_id=No,phone1=Tel").unwrap();
        let json = read_map(&serde_json::to_string(&compact).unwrap()).unwrap();
        assert_eq!(json, compact);
        assert!(read_map("nonsense").is_err());
        assert!(read_map("{").is_err());
    }
}
