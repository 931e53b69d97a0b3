//! What goes wrong is always told in the same form.

use reqwest::Method;
use serde_json::json;
use store::testing::TestDatabase;
use web::WebSettings;

use crate::support::{Answer, Server};

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    for server in Server::on_both().await {
        server.nobody().get("/v1/nothing").await.expect_problem(404, "no_such_path");
        server.nobody().get("/nothing/at/all").await.expect_problem(404, "no_such_path");
        let patch = server.nobody().request(Method::PATCH, "/v1/skills");
        Answer::to(patch).await.expect_problem(405, "method_not_allowed");
        let admin = server.tenant("A").await;
        admin.get("/v1/skills/not-an-id").await.expect_problem(404, "not_found");
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused_with_what_is_wrong() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let send = |body: &'static str| {
            Answer::to(
                admin
                    .request(Method::POST, "/v1/skills")
                    .header("Content-Type", "application/json")
                    .body(body),
            )
        };
        send("{\"name\": ").await.expect_problem(400, "bad_json");
        let problem = send("{\"name\": \"x\", \"nmae\": 1}").await.expect_problem(422, "bad_body");
        assert!(problem.text("detail").contains("nmae"), "{}", problem.body);
        send("{}").await.expect_problem(422, "bad_body");
        let text = admin.request(Method::POST, "/v1/skills").header("Content-Type", "text/plain").body("{}");
        Answer::to(text).await.expect_problem(415, "not_json");
        admin.post("/v1/skills", json!({"name": ""})).await.expect_problem(422, "bad_name");
    }
}

#[tokio::test]
async fn a_parameter_that_a_path_does_not_know_is_refused_by_name_on_every_path() {
    let server = Server::start(TestDatabase::sqlite(), WebSettings::default()).await;
    let admin = server.tenant("A").await;
    let problem = admin.get("/v1/contacts?campain=1").await.expect_problem(400, "unknown_parameter");
    assert_eq!(problem.text("field"), "campain");
    assert!(problem.text("detail").contains("after, limit, campaign, source"), "{}", problem.body);
    let document = server.nobody().get("/openapi.json").await.expect(200).body;
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path.replace("{id}", "0190a1b2-0000-7000-8000-000000000001");
        for method in item.as_object().unwrap().keys() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let answer = Answer::to(admin.request(method.clone(), &format!("{path}?no_such_thing=1"))).await;
            let is_refused = answer.body["code"] == "unknown_parameter";
            assert_eq!(is_refused, path.starts_with("/v1/"), "{method} {path}: {}", answer.body);
            asked += 1;
        }
    }
    assert!(asked > 100, "{asked}");
}

#[tokio::test]
async fn a_list_is_not_taken_for_an_object() {
    let server = Server::start(TestDatabase::sqlite(), WebSettings::default()).await;
    let admin = server.tenant("A").await;
    let problem = admin.post("/v1/campaigns", json!({"name": "W", "recording": []})).await;
    let problem = problem.expect_problem(422, "bad_body");
    assert_eq!(problem.text("field"), "recording");
    assert!(problem.text("detail").contains("expected an object"), "{}", problem.body);
    let made = admin.post("/v1/campaigns", json!({"name": "W"})).await.expect(201);
    let changed = json!({"name": "W", "recording": []});
    let problem = admin.put(made.header("location"), "\"1\"", changed).await.expect_problem(422, "bad_body");
    assert_eq!(problem.text("field"), "recording");
    admin
        .post("/v1/detection-profiles", json!({"name": "D", "parameters": []}))
        .await
        .expect_problem(422, "bad_body");
    admin.post("/v1/agent-session/tickets", json!([])).await.expect_problem(422, "bad_body");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let settings = WebSettings { body_bytes_max: 1000, ..WebSettings::default() };
    let server = Server::start(TestDatabase::sqlite(), settings).await;
    let admin = server.tenant("A").await;
    let large = json!({"name": "x".repeat(2000)});
    admin.post("/v1/skills", large.clone()).await.expect_problem(413, "too_large");
    let once = admin.request(Method::POST, "/v1/skills").header("Idempotency-Key", "k").json(&large);
    Answer::to(once).await.expect_problem(413, "too_large");
}

#[tokio::test]
async fn a_key_that_sends_too_much_is_asked_to_wait() {
    let settings = WebSettings { requests_per_second_max: 1, ..WebSettings::default() };
    let server = Server::start(TestDatabase::sqlite(), settings).await;
    let admin = server.tenant("A").await;
    let mut refused = None;
    // Ten requests at once are more than the burst of two, however slow the machine is.
    let answers = futures_util::future::join_all((0..10).map(|_| admin.get("/v1/skills"))).await;
    for answer in answers.into_iter().filter(|answer| answer.status != 200) {
        refused = Some(answer.expect_problem(429, "rate_limited"));
    }
    assert!(!refused.expect("one of them is refused").header("retry-after").is_empty());
}

#[tokio::test]
async fn the_callers_own_request_id_is_kept() {
    let server = Server::start(TestDatabase::sqlite(), WebSettings::default()).await;
    let request = server.nobody().request(Method::GET, "/v1/nothing").header("X-Request-Id", "mine-7");
    let answer = Answer::to(request).await.expect_problem(404, "no_such_path");
    assert_eq!(answer.text("request_id"), "mine-7");
}

#[tokio::test]
async fn health_readiness_and_metrics_are_open() {
    for server in Server::on_both().await {
        server.nobody().get("/healthz").await.expect(200);
        server.nobody().get("/readyz").await.expect(200);
        let metrics = server.nobody().get("/metrics").await.expect(200);
        let text = String::from_utf8(metrics.bytes).unwrap();
        assert!(text.contains("outdial_http_requests_total"), "{text}");
    }
}
