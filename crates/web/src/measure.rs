//! What is measured. Every metric is described here, once.

use std::sync::OnceLock;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Seconds at which request durations are counted.
const BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The recorder of this process; made at the first call.
pub(crate) fn recorder() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(install).clone()
}

fn install() -> PrometheusHandle {
    let builder = PrometheusBuilder::new();
    let builder = match builder.set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), BUCKETS) {
        Ok(builder) => builder,
        // The buckets are constant and not empty, which is all that can be wrong with them.
        Err(_) => PrometheusBuilder::new(),
    };
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("another part of this process records metrics already");
    }
    describe_counter!(
        "outdial_http_requests_total",
        Unit::Count,
        "Requests answered, by route, method and status"
    );
    describe_histogram!(
        "outdial_http_request_duration_seconds",
        Unit::Seconds,
        "Time to the head of the answer"
    );
    describe_counter!("outdial_attempts_total", Unit::Count, "Attempts started");
    describe_counter!("outdial_attempts_ended_total", Unit::Count, "Attempts ended, by call result");
    describe_counter!("outdial_change_sets_stored_total", Unit::Count, "Change sets made durable");
    describe_counter!("outdial_commits_total", Unit::Count, "Transactions that made change sets durable");
    describe_counter!("outdial_import_rows_total", Unit::Count, "Rows imported, by outcome");
    describe_counter!(
        "outdial_recordings_total",
        Unit::Count,
        "Recordings of conversations that this process stored or found missing, and tries that failed, by outcome: stored, missing, failed"
    );
    describe_gauge!(
        "outdial_recordings_pending",
        Unit::Count,
        "Recordings that are being made or still to be fetched from the switch, in the whole database"
    );
    describe_counter!(
        "outdial_sink_messages_total",
        Unit::Count,
        "Messages to sinks, by outcome: delivered, retried, given up, lost"
    );
    describe_gauge!(
        "outdial_sink_lag_events",
        Unit::Count,
        "Events that a sink has not been told of, by sink"
    );
    handle
}

/// Counts a request and how long it took, and logs it for those who trace one case.
pub(crate) async fn count(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().as_str().to_owned();
    // The route and not the path: paths name people's records.
    let route =
        request.extensions().get::<MatchedPath>().map_or("unmatched", |path| path.as_str()).to_owned();
    let request_id =
        request.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let response = next.run(request).await;
    let (status, duration) = (response.status().as_u16().to_string(), started.elapsed());
    let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    tracing::debug!(request_id, method, route, status, duration_ms, "answered a request");
    histogram!("outdial_http_request_duration_seconds", "route" => route.clone())
        .record(duration.as_secs_f64());
    counter!("outdial_http_requests_total", "route" => route, "method" => method, "status" => status)
        .increment(1);
    response
}
