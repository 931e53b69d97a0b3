//! HTTP: the API under `/v1`, its documentation, live streams and agents' sessions. Every handler is thin: it reads
//! the request, calls one use case of `app` and writes the answer.

mod api;
mod auth;
mod dialects;
mod endpoint;
mod extract;
pub mod fuzzing;
mod idempotency;
mod limits;
mod measure;
mod objects;
mod page;
mod problem;
mod sound;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use app::App;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use ipnet::IpNet;
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};

pub use dialects::sink_formats;
use endpoint::Api;
use limits::Limits;
pub use problem::Problem;

/// How the API is served.
#[derive(Clone, Debug)]
pub struct WebSettings {
    /// The key that creates tenants and their first keys; none forbids both.
    pub root_key: Option<String>,
    /// Bytes of a request's body at most, uploads left out.
    pub body_bytes_max: usize,
    /// Bytes of an uploaded file at most.
    pub upload_bytes_max: u64,
    /// Requests carried out at once; more are answered with 503.
    pub requests_at_once_max: usize,
    /// Requests a second of one key, on average; a burst may be twice that.
    pub requests_per_second_max: u32,
    /// How often it is looked whether whoever follows a stream still may: a revoked key ends it then.
    pub streams_checked_every: Duration,
    /// Addresses from which web callbacks (`/data`) are taken without a key, as networks such as `192.0.2.0/24`. None,
    /// unless the operator names them.
    pub callbacks_without_key_from: Vec<IpNet>,
}

impl Default for WebSettings {
    fn default() -> Self {
        Self {
            root_key: None,
            body_bytes_max: 1024 * 1024,
            upload_bytes_max: 4 * 1024 * 1024 * 1024,
            requests_at_once_max: 512,
            requests_per_second_max: 1000,
            streams_checked_every: Duration::from_secs(30),
            callbacks_without_key_from: Vec::new(),
        }
    }
}

/// What every handler sees.
#[derive(Clone)]
pub(crate) struct Context {
    pub app: Arc<App>,
    pub settings: Arc<WebSettings>,
    pub limits: Arc<Limits>,
    pub tickets: Arc<auth::Tickets>,
    pub guesses: Arc<limits::Guesses>,
}

/// How long an ordinary request may take; uploads and streams are not ordinary.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// The whole of it as a router.
pub fn router(app: Arc<App>, settings: WebSettings) -> Router {
    let metrics = measure::recorder();
    let limits = Arc::new(Limits::new(&settings));
    let body_bytes_max = settings.body_bytes_max;
    let settings = Arc::new(settings);
    let context = Context { app, settings, limits, tickets: Arc::default(), guesses: Arc::default() };
    let (ordinary, document) = dialects::routes(api::ordinary(Api::new())).finish();
    let (lasting, document) = api::lasting(Api::continued(document)).finish();
    let document = Arc::new(document.into_json());
    let ordinary = ordinary.layer(middleware::from_fn(|request: Request, next: Next| async move {
        in_time(REQUEST_TIMEOUT, next.run(request)).await
    }));
    let api = ordinary
        .merge(lasting)
        .layer(middleware::from_fn(extract::link_next))
        .layer(middleware::from_fn_with_state(context.clone(), idempotency::answer_once))
        .layer(middleware::from_fn_with_state(context.clone(), limits::keep))
        .layer(middleware::map_response(page::never_store))
        .layer(DefaultBodyLimit::max(body_bytes_max));
    // Sounds hardly get smaller, and whoever fetches one wants to know how long it takes.
    let compressible = DefaultPredicate::new().and(NotForContentType::const_new("audio/"));
    let swagger = utoipa_swagger_ui::Config::from("/openapi.json").persist_authorization(false);
    Router::new()
        .merge(api)
        .merge(utoipa_swagger_ui::SwaggerUi::new("/docs").config(swagger))
        .route("/openapi.json", get(move || async move { Json((*document).clone()) }))
        .merge(page::routes())
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(move || async move { metrics.render() }))
        .fallback(|| async {
            Problem::new(StatusCode::NOT_FOUND, "no_such_path", "there is nothing at this path: see /docs")
        })
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this path does not take this method: see /docs",
            )
        })
        .layer(CatchPanicLayer::custom(problem::after_panic))
        .layer(middleware::from_fn(measure::count))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(middleware::map_response(problem::name_request))
        .layer(middleware::from_fn(page::protect))
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(CompressionLayer::new().compress_when(compressible))
        .with_state(context)
}

/// An answer, or a problem if there is none in time.
async fn in_time(limit: Duration, answer: impl Future<Output = Response>) -> Response {
    tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| problem::after_timeout().into_response())
}

async fn ready(
    axum::extract::State(context): axum::extract::State<Context>,
) -> Result<&'static str, Problem> {
    context.app.check_ready().await?;
    Ok("ready")
}

/// Serves until `stop` completes; requests under way are answered first.
///
/// # Errors
/// The listener failed.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_that_takes_too_long_is_answered_with_a_problem() {
        let answer = in_time(Duration::from_millis(1), std::future::pending()).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(answer.headers()["retry-after"], "1");
    }
}
