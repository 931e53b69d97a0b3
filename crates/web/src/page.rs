//! The live page, and what browsers are told of every answer.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Response, header};
use axum::middleware::Next;
use axum::response::Html;
use axum::routing::get;

/// The page loads its own script and style and speaks to this server; nothing else.
const OF_THE_PAGE: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
/// Swagger UI writes styles into its elements and brings its pictures along as data.
const OF_THE_DOCUMENTATION: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'";
/// What is no page has nothing to load.
const OF_OTHERS: &str = "default-src 'none'; frame-ancestors 'none'";

/// The live page with its script and style, which are files of their own so that nothing written into a page is run.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let script =
        ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("../assets/live.js"));
    let style = ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("../assets/live.css"));
    Router::new()
        .route("/", get(|| async { Html(include_str!("../assets/index.html")) }))
        .route("/live.js", get(move || async move { script }))
        .route("/live.css", get(move || async move { style }))
}

/// Tells browsers to take an answer for what it says it is, to show it in no frame and to load nothing foreign for it.
pub(crate) async fn protect(request: Request, next: Next) -> Response<axum::body::Body> {
    let policy = match request.uri().path() {
        "/" => OF_THE_PAGE,
        path if path.starts_with("/docs") => OF_THE_DOCUMENTATION,
        _ => OF_OTHERS,
    };
    let mut response = next.run(request).await;
    let told: [(HeaderName, &'static str); 4] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, policy),
    ];
    for (name, value) in told {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Answers of the API hold personal data: no browser and no proxy keeps them.
pub(crate) async fn never_store<B>(mut response: Response<B>) -> Response<B> {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
