//! `Idempotency-Key` on every POST.

use app::{AppError, Principal, Repetition};
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::auth::Caller;
use crate::{Context, Problem};

/// Bytes of an answer that is kept for a repetition; larger ones are not among those that POST gives.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Carries a POST that names a key out once, and answers its repetitions with the first answer.
pub(crate) async fn answer_once(State(context): State<Context>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key("idempotency-key") {
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
        // A file is not held in memory: the key stands for it.
        (body, parts.uri.to_string().into_bytes())
    } else {
        let bytes = to_bytes(body, context.settings.body_bytes_max).await.map_err(|_| {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the body is larger than is allowed")
        })?;
        let fingerprint = [parts.uri.to_string().as_bytes(), b"\n", &bytes].concat();
        (Body::from(bytes), fingerprint)
    };
    if let Repetition::Answered { status, body } = context.app.begin_once(&who, &key, &fingerprint).await? {
        return Ok(replayed(status, body));
    }
    let response = next.run(Request::from_parts(parts, body)).await;
    keep(context, &who, &key, response).await
}

fn replayed(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let media_type = if status.is_success() { "application/json" } else { "application/problem+json" };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::HeaderName::from_static("idempotency-replayed"), HeaderValue::from_static("true")),
    ];
    (status, headers, body).into_response()
}

/// Keeps the answer, whatever it was, so that the repetition learns the same. An overload is not kept: nothing was
/// done, and the client was asked to come again.
async fn keep(
    context: &Context,
    who: &Principal,
    key: &str,
    response: Response,
) -> Result<Response, Problem> {
    let (parts, body) = response.into_parts();
    let bytes =
        to_bytes(body, ANSWER_BYTES_MAX).await.map_err(|error| AppError::Internal(error.to_string()))?;
    let text = String::from_utf8_lossy(&bytes);
    context.app.keep_answer(who, key, parts.status.as_u16(), &text).await?;
    Ok(Response::from_parts(parts, Body::from(bytes)))
}
