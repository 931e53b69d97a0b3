//! Errors as `application/problem+json` (RFC 9457), with a stable `code`.

use std::any::Any;
use std::time::Duration;

use app::{AppError, Fault};
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use serde_json::json;

/// Seconds after which a client that met an overload may come again.
const RETRY_AFTER_SECONDS: u64 = 1;

/// An answer that says what went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: String,
    detail: String,
    field: Option<String>,
    /// Whether nothing was done, for a reason that passes.
    is_passing: bool,
    /// What few problems have; boxed, as a problem is what most functions may return.
    more: Option<Box<More>>,
}

/// What few problems have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct More {
    faults: Vec<Fault>,
    extensions: Vec<(&'static str, serde_json::Value)>,
    retry_after_seconds: Option<u64>,
}

impl Problem {
    /// A problem with a stable code and what to do about it.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        let is_passing = matches!(code, "overloaded" | "rate_limited");
        Self { status, code: code.to_owned(), detail: detail.into(), field: None, is_passing, more: None }
    }

    /// About one part of the request.
    pub fn in_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// With a member of a dialect's own (RFC 9457 §3.2).
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<serde_json::Value>) -> Self {
        self.more.get_or_insert_default().extensions.push((name, value.into()));
        self
    }

    /// To be asked again after so long, and not after a second.
    pub(crate) fn come_again_after(mut self, wait: Duration) -> Self {
        self.more.get_or_insert_default().retry_after_seconds = Some(wait.as_secs().max(RETRY_AFTER_SECONDS));
        self
    }

    /// The stable code.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// What went wrong and what to do.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The status.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The part of the request that is wrong.
    pub(crate) fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// Everything that is wrong, where several parts are.
    pub(crate) fn faults(&self) -> &[Fault] {
        self.more.as_ref().map_or(&[], |more| more.faults.as_slice())
    }
}

impl From<AppError> for Problem {
    fn from(error: AppError) -> Self {
        let (code, is_passing) = (error.code(), error.is_passing());
        let status = match (&error, code) {
            (AppError::Unauthenticated(_), _) => StatusCode::UNAUTHORIZED,
            (AppError::Forbidden(_), _) => StatusCode::FORBIDDEN,
            (AppError::NotFound { .. }, _) => StatusCode::NOT_FOUND,
            (AppError::Invalid { .. } | AppError::InvalidParts(_), _) => StatusCode::UNPROCESSABLE_ENTITY,
            (AppError::Conflict { .. }, _) => StatusCode::CONFLICT,
            (_, "stale_version") => StatusCode::PRECONDITION_FAILED,
            (_, "overloaded" | "unavailable") => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if code == "internal" {
            tracing::error!(error = ?error, "a request met a fault");
        }
        let detail = match status {
            StatusCode::INTERNAL_SERVER_ERROR => "something went wrong here; the log says what".to_owned(),
            StatusCode::PRECONDITION_FAILED => AppError::StaleVersion.to_string(),
            _ => error.to_string(),
        };
        let (field, faults) = match error {
            AppError::Invalid { field, .. } => (field, Vec::new()),
            AppError::InvalidParts(faults) => (faults.first().map(|fault| fault.field.to_owned()), faults),
            _ => (None, Vec::new()),
        };
        let more = (!faults.is_empty()).then(|| Box::new(More { faults, ..More::default() }));
        Self { status, code: code.to_owned(), detail, field, is_passing, more }
    }
}

/// Marks answers that [`name_request`] completes.
#[derive(Clone)]
struct Marked(Problem);

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let mut response = (self.status, body(&self, None)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            let wait = self.more.as_ref().and_then(|more| more.retry_after_seconds);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.unwrap_or(RETRY_AFTER_SECONDS)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(Marked(self));
        response
    }
}

fn body(problem: &Problem, request: Option<&str>) -> String {
    let mut body = json!({
        "type": "about:blank",
        "title": problem.status.canonical_reason().unwrap_or("Error"),
        "status": problem.status.as_u16(),
        "code": problem.code,
        "detail": problem.detail,
    });
    if let Some(field) = &problem.field {
        body["field"] = json!(field);
    }
    if !problem.faults().is_empty() {
        body["errors"] = json!(problem.faults());
    }
    for (name, value) in problem.more.iter().flat_map(|more| &more.extensions) {
        body[*name] = value.clone();
    }
    if let Some(request) = request {
        body["request_id"] = json!(request);
    }
    body.to_string()
}

/// Whether an answer says that nothing was done and the client is to come again.
pub(crate) fn asks_to_come_again(response: &Response<Body>) -> bool {
    response.extensions().get::<Marked>().is_some_and(|Marked(problem)| problem.is_passing)
}

/// Puts the request's id into a problem, so that the log's lines about it can be found.
pub(crate) async fn name_request(response: Response<Body>) -> Response<Body> {
    let request = response.headers().get("x-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let (Some(Marked(problem)), Some(request)) = (response.extensions().get::<Marked>().cloned(), request)
    else {
        return response;
    };
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(body(&problem, Some(&request))))
}

/// The answer to a request that took too long; whether it was carried out is not known.
pub(crate) fn after_timeout() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "timeout",
        "it took too long and was given up: look whether it was carried out before sending it again",
    )
}

/// The answer to a request whose handler panicked.
pub(crate) fn after_panic(_: Box<dyn Any + Send + 'static>) -> Response<Body> {
    tracing::error!("a request handler panicked");
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "something went wrong here; the log says what",
    )
    .into_response()
}

#[cfg(test)]
mod tests {
    use store::StoreError;

    use super::*;

    #[test]
    fn only_what_was_surely_not_done_asks_to_come_again() {
        let asks = |problem: Problem| asks_to_come_again(&problem.into_response());
        let unreachable = StoreError::Unavailable { reason: "gone".to_owned() };
        assert!(asks(AppError::from(unreachable).into()));
        assert!(asks(Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "slow down")));
        assert!(!asks(AppError::from(StoreError::CommitUnknown).into()));
        assert!(!asks(after_timeout()));
    }

    #[test]
    fn whoever_has_to_wait_is_told_how_long() {
        let told = |problem: Problem| problem.into_response().headers()[header::RETRY_AFTER].clone();
        assert_eq!(told(AppError::Overloaded.into()), "1");
        assert_eq!(told(Problem::from(AppError::Overloaded).come_again_after(Duration::from_secs(40))), "40");
    }
}
