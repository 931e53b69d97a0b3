//! Delivery by HTTP.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use sinks::http::{HttpSettings, HttpSink};
use sinks::signature::SigningSecret;
use sinks::{Deliver, Outcome};

use crate::support::{NOW, is_retry, message, messages, serve};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn settings(url: String) -> HttpSettings {
    HttpSettings { url, headers: vec![], timeout: Duration::from_secs(30), authorization: None, secret: None }
}

/// A receiver that answers with a status and a header for Retry-After, and notes what came.
async fn receiver(status: u16, retry_after: &'static str) -> (String, Arc<Mutex<Vec<(HeaderMap, String)>>>) {
    let came = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&came);
    let answer = move |headers: HeaderMap, body: String| async move {
        noted.lock().unwrap().push((headers, body));
        (StatusCode::from_u16(status).unwrap(), [("retry-after", retry_after)])
    };
    (format!("http://{}/hook", serve(Router::new().fallback(answer)).await), came)
}

#[tokio::test]
async fn a_message_is_posted_with_its_id_its_time_and_its_signature() {
    let (url, came) = receiver(204, "").await;
    let secret = SigningSecret::parse(SECRET).unwrap();
    let further = vec![("x-team".to_owned(), "sales".to_owned())];
    let wanted = HttpSettings { secret: Some(secret.clone()), headers: further, ..settings(url) };
    let outcomes = HttpSink::open(wanted).unwrap().deliver(NOW, &messages(1)).await;
    assert_eq!(outcomes, [Outcome::Delivered]);
    let (headers, body) = came.lock().unwrap()[0].clone();
    let id = "00000000-0000-0000-0000-000000000001";
    assert_eq!((headers["webhook-id"].to_str().unwrap(), body.as_str()), (id, r#"{"number":1}"#));
    assert_eq!(headers["webhook-timestamp"], "1767225600");
    assert_eq!(headers["webhook-signature"], secret.sign(id, 1_767_225_600, &body).as_str());
    assert_eq!(
        (&headers["content-type"], &headers["x-team"]),
        (&"application/json".parse().unwrap(), &"sales".parse().unwrap())
    );
}

#[tokio::test]
async fn a_status_says_whether_to_try_again() {
    for status in [400, 410, 413, 422] {
        let (url, _) = receiver(status, "").await;
        let outcomes = HttpSink::open(settings(url)).unwrap().deliver(NOW, &messages(1)).await;
        assert!(matches!(outcomes[0], Outcome::Refused { .. }), "{status}: {outcomes:?}");
    }
    // A redirect is not followed: the message goes where it was configured to go.
    for status in [302, 401, 403, 404, 408, 429, 500, 503] {
        let (url, _) = receiver(status, "").await;
        let outcomes = HttpSink::open(settings(url)).unwrap().deliver(NOW, &messages(1)).await;
        assert!(is_retry(&outcomes[0]), "{status}: {outcomes:?}");
    }
}

#[tokio::test]
async fn a_receiver_says_when_it_wants_to_be_asked_again() {
    for (said, meant) in [
        ("120", Some(120)),
        ("Thu, 01 Jan 2026 00:02:00 GMT", Some(120)),
        ("Wed, 31 Dec 2025 00:00:00 GMT", Some(0)),
        ("999999", Some(3600)),
        ("soon", None),
    ] {
        let (url, _) = receiver(503, said).await;
        let outcomes = HttpSink::open(settings(url)).unwrap().deliver(NOW, &messages(1)).await;
        let Outcome::Retry { after, .. } = &outcomes[0] else { panic!("{outcomes:?}") };
        assert_eq!(*after, meant.map(Duration::from_secs), "{said}");
    }
}

#[tokio::test]
async fn after_a_failure_the_rest_of_its_lane_waits_and_other_lanes_go_on() {
    let answer = |body: String| async move {
        if body.contains("\"number\":2}") { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
    };
    let url = format!("http://{}/", serve(Router::new().fallback(answer)).await);
    let batch = [message(1, 7), message(2, 7), message(3, 8), message(4, 7)];
    let outcomes = HttpSink::open(settings(url)).unwrap().deliver(NOW, &batch).await;
    assert_eq!(outcomes[0], Outcome::Delivered);
    assert!(is_retry(&outcomes[1]));
    assert_eq!(outcomes[2..], [Outcome::Delivered, Outcome::Held]);
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_tried_again_and_named_without_its_address() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/?key=secret", listener.local_addr().unwrap());
    drop(listener);
    let outcomes = HttpSink::open(settings(url)).unwrap().deliver(NOW, &messages(1)).await;
    let Outcome::Retry { reason, .. } = &outcomes[0] else { panic!("{outcomes:?}") };
    assert!(!reason.contains("secret"), "{reason}");
}
