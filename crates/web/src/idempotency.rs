//! `Idempotency-Key` on every POST.

use app::{AppError, Principal, Repetition};
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::auth::Caller;
use crate::endpoint::LARGE_BODY_BYTES_MAX;
use crate::problem::asks_to_come_again;
use crate::{Context, Problem};

/// Bytes of an answer that is kept for a repetition; larger ones are not among those that POST gives.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What is answered here is shown once and stored as a hash, if at all, so the answers cannot be kept; the first two
/// come from callers without a tenant, too. The header is passed over.
const NOT_KEPT: [&str; 4] = ["/v1/tenants", "/v1/sessions", "/v1/api-keys", "/v1/agent-session/tickets"];

/// Whether a POST to this path takes an `Idempotency-Key`.
pub(crate) fn keeps_answers_of(path: &str) -> bool {
    !NOT_KEPT.contains(&path)
}

/// An answer as it is kept: the body and what a client needs of the headers.
#[derive(Serialize, Deserialize)]
struct Kept {
    content_type: Option<String>,
    location: Option<String>,
    etag: Option<String>,
    body: String,
}

/// Carries a POST that names a key out once, and answers its repetitions with the first answer.
pub(crate) async fn answer_once(State(context): State<Context>, request: Request, next: Next) -> Response {
    let names_a_key = request.method() == Method::POST && request.headers().contains_key("idempotency-key");
    if !names_a_key || !keeps_answers_of(request.uri().path()) {
        return next.run(request).await;
    }
    match once(&context, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn once(context: &Context, request: Request, next: Next) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let key =
        parts.headers.get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or_default().to_owned();
    let Caller(who) = Caller::from_request_parts(&mut parts, context).await?;
    let is_upload = parts.uri.path().ends_with("/imports");
    let (body, fingerprint) = if is_upload {
        // A file is not held in memory: what the headers say of it stands for it.
        (body, upload_fingerprint(&parts))
    } else {
        let bytes = to_bytes(body, body_bytes_max(context, parts.uri.path())).await.map_err(|_| {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is larger than is allowed")
        })?;
        let fingerprint = [parts.uri.to_string().as_bytes(), b"\n", &bytes].concat();
        (Body::from(bytes), fingerprint)
    };
    if let Repetition::Answered { status, body } = context.app.begin_once(&who, &key, &fingerprint).await? {
        return Ok(replayed(status, &body)?);
    }
    let response = next.run(Request::from_parts(parts, body)).await;
    keep(context, &who, &key, response).await
}

/// What tells an upload from another: where it goes, and what its headers say of the file.
fn upload_fingerprint(parts: &Parts) -> Vec<u8> {
    let mut told = parts.uri.to_string().into_bytes();
    for name in ["content-length", "content-type", "content-digest"] {
        told.push(b'\n');
        told.extend(parts.headers.get(name).map_or(&[][..], HeaderValue::as_bytes));
    }
    told
}

/// Bytes of a body at most, where the route allows more than is usual too.
fn body_bytes_max(context: &Context, path: &str) -> usize {
    let usual = context.settings.body_bytes_max;
    let is_large = path.ends_with("/prospects") || path.ends_with("/upload");
    if is_large { usual.max(LARGE_BODY_BYTES_MAX) } else { usual }
}

fn replayed(status: u16, kept: &str) -> Result<Response, AppError> {
    let kept: Kept = serde_json::from_str(kept).map_err(|error| AppError::Internal(error.to_string()))?;
    let status = StatusCode::from_u16(status).map_err(|error| AppError::Internal(error.to_string()))?;
    let mut response = (status, kept.body).into_response();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    let named = [
        (header::CONTENT_TYPE, kept.content_type),
        (header::LOCATION, kept.location),
        (header::ETAG, kept.etag),
    ];
    for (name, value) in named {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            headers.insert(name, value);
        }
    }
    headers.insert("idempotency-replayed", HeaderValue::from_static("true"));
    Ok(response)
}

/// Keeps the answer, a refusal too, so that the repetition learns the same. What passes by itself is no answer to keep,
/// as nothing was done: an overload, or something that is in the way (409). Neither is a fault: a repetition is told
/// then that nothing is known of the first request.
async fn keep(
    context: &Context,
    who: &Principal,
    key: &str,
    response: Response,
) -> Result<Response, Problem> {
    if asks_to_come_again(&response) || response.status() == StatusCode::CONFLICT {
        context.app.forget_request(who, key).await?;
        return Ok(response);
    }
    if response.status().is_server_error() {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let bytes =
        to_bytes(body, ANSWER_BYTES_MAX).await.map_err(|error| AppError::Internal(error.to_string()))?;
    let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let kept = Kept {
        content_type: text(header::CONTENT_TYPE),
        location: text(header::LOCATION),
        etag: text(header::ETAG),
        body: String::from_utf8_lossy(&bytes).into_owned(),
    };
    let kept = serde_json::to_string(&kept).map_err(|error| AppError::Internal(error.to_string()))?;
    context.app.keep_answer(who, key, parts.status.as_u16(), &kept).await?;
    Ok(Response::from_parts(parts, Body::from(bytes)))
}
