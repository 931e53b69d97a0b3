//! Reading requests.

use app::paging::PageRequest;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Context, Problem};

/// A JSON body; what is wrong with it becomes a problem with line, column and reason.
pub(crate) struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Context> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, context: &Context) -> Result<Self, Problem> {
        match Json::<T>::from_request(request, context).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(JsonRejection::MissingJsonContentType(_)) => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_json",
                "send JSON, with the header Content-Type: application/json",
            )),
            Err(rejection) => {
                let code = match rejection.status() {
                    StatusCode::PAYLOAD_TOO_LARGE => "too_large",
                    StatusCode::UNPROCESSABLE_ENTITY => "bad_body",
                    _ => "bad_json",
                };
                Err(Problem::new(rejection.status(), code, rejection.body_text()))
            }
        }
    }
}

/// `after` and `limit` of a listing.
#[derive(Deserialize)]
struct PageQuery {
    after: Option<String>,
    limit: Option<u32>,
}

/// Which page is wanted.
pub(crate) struct Page(pub PageRequest);

impl FromRequestParts<Context> for Page {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Context) -> Result<Self, Problem> {
        let Query(query) = Query::<PageQuery>::try_from_uri(&parts.uri)
            .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_query", error.body_text()))?;
        Ok(Self(PageRequest { after: query.after, limit: query.limit }))
    }
}

/// A query of one's own form.
pub(crate) struct Ask<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Context> for Ask<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Context) -> Result<Self, Problem> {
        let Query(query) = Query::<T>::try_from_uri(&parts.uri)
            .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_query", error.body_text()))?;
        Ok(Self(query))
    }
}

/// The id at the end of the path, or the one before the last fixed part.
pub(crate) struct Id(pub Uuid);

impl FromRequestParts<Context> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self, Problem> {
        let path = axum::extract::RawPathParams::from_request_parts(parts, context)
            .await
            .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_path", error.body_text()))?;
        let id = path.iter().find(|(name, _)| *name == "id").map(|(_, id)| Uuid::parse_str(id));
        match id {
            Some(Ok(id)) => Ok(Self(id)),
            _ => Err(Problem::new(StatusCode::NOT_FOUND, "not_found", "the id in the path is not a UUID")),
        }
    }
}

/// The version that a change is based on.
pub(crate) struct IfMatch(pub i64);

impl FromRequestParts<Context> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Context) -> Result<Self, Problem> {
        let Some(tag) = parts.headers.get(header::IF_MATCH) else {
            return Err(Problem::new(
                StatusCode::PRECONDITION_REQUIRED,
                "if_match_missing",
                "send the ETag of the version that you have seen as If-Match, so that no other change is lost",
            ));
        };
        let version = tag.to_str().ok().and_then(|tag| tag.trim().trim_matches('"').parse().ok());
        version.map(Self).ok_or_else(|| {
            Problem::new(
                StatusCode::PRECONDITION_FAILED,
                "stale_version",
                "If-Match is not an ETag of this API",
            )
        })
    }
}

/// A JSON answer with its version as ETag; created things also say where they are.
pub(crate) fn versioned<T: Serialize>(
    status: StatusCode,
    version: i64,
    location: Option<String>,
    body: &T,
) -> Response {
    let mut headers = HeaderMap::new();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        headers.insert(header::ETAG, tag);
    }
    if let Some(location) = location.and_then(|location| HeaderValue::from_str(&location).ok()) {
        headers.insert(header::LOCATION, location);
    }
    (status, headers, Json(body)).into_response()
}
