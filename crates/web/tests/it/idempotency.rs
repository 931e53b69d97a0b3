//! Requests that are sent again.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Caller, Server};

async fn post_once(caller: &Caller<'_>, key: &str, path: &str, body: Value) -> Answer {
    Answer::to(caller.request(Method::POST, path).header("Idempotency-Key", key).json(&body)).await
}

#[tokio::test]
async fn a_request_that_is_sent_again_is_answered_again_and_carried_out_once() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let first = post_once(&admin, "k1", "/v1/skills", json!({"name": "Sales"})).await.expect(201);
        let again = post_once(&admin, "k1", "/v1/skills", json!({"name": "Sales"})).await.expect(201);
        assert_eq!(again.body, first.body);
        assert_eq!(again.header("idempotency-replayed"), "true");
        for header in ["location", "etag", "content-type"] {
            assert_eq!(again.header(header), first.header(header), "{header}");
            assert!(!again.header(header).is_empty(), "{header}");
        }
        assert_eq!(first.header("idempotency-replayed"), "");
        assert_eq!(admin.get("/v1/skills").await.items("name"), ["Sales"]);
    }
}

#[tokio::test]
async fn a_refusal_is_repeated_too() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        post_once(&admin, "k1", "/v1/skills", json!({"name": ""})).await.expect(422);
        let again = post_once(&admin, "k1", "/v1/skills", json!({"name": ""})).await.expect(422);
        assert_eq!(again.text("code"), "bad_name");
        assert_eq!(again.header("content-type"), "application/problem+json");
    }
}

#[tokio::test]
async fn a_key_stands_for_one_request_only() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        post_once(&admin, "k1", "/v1/skills", json!({"name": "Sales"})).await.expect(201);
        let other = post_once(&admin, "k1", "/v1/skills", json!({"name": "Support"})).await;
        other.expect_problem(422, "idempotency_key_reused");
        let other = post_once(&admin, "k1", "/v1/campaigns", json!({"name": "Sales"})).await;
        other.expect_problem(422, "idempotency_key_reused");
        let theirs = server.tenant("B").await;
        post_once(&theirs, "k1", "/v1/skills", json!({"name": "Theirs"})).await.expect(201);
    }
}

#[tokio::test]
async fn what_was_in_the_way_may_be_gone_when_a_request_is_repeated() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let path = admin.post("/v1/skills", json!({"name": "Sales"})).await.expect(201);
        let taken = post_once(&admin, "k1", "/v1/skills", json!({"name": "Sales"})).await;
        taken.expect_problem(409, "name_taken");
        admin.delete(path.header("location"), "\"1\"").await.expect(204);
        let again = post_once(&admin, "k1", "/v1/skills", json!({"name": "Sales"})).await.expect(201);
        assert_eq!(again.header("idempotency-replayed"), "");
    }
}

#[tokio::test]
async fn another_file_under_the_same_key_is_refused_and_the_same_one_answered_again() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let (_, source) = admin.campaign_and_source().await;
        let path = format!("/v1/sources/{source}/imports?map=external_id=id,phone1=tel");
        let send = |file: &'static str, digest: Option<&'static str>| {
            let request = admin.request(Method::POST, &path).header("Idempotency-Key", "f1");
            let request = request.header("Content-Type", "text/csv").body(file);
            Answer::to(match digest {
                Some(digest) => request.header("Content-Digest", digest),
                None => request,
            })
        };
        let first = send("id,tel\n1,+14155550100\n", None).await.expect(202);
        let again = send("id,tel\n1,+14155550100\n", None).await.expect(202);
        assert_eq!(again.text("id"), first.text("id"));
        let longer = send("id,tel\n1,+14155550100\n2,+14155550101\n", None).await;
        longer.expect_problem(422, "idempotency_key_reused");
        let told = send("id,tel\n1,+14155550109\n", Some("sha-256=:AAAA:")).await;
        told.expect_problem(422, "idempotency_key_reused");
        server.stop().await;
    }
}

#[tokio::test]
async fn of_many_at_once_one_is_carried_out() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let sent = (0..8).map(|_| post_once(&admin, "k1", "/v1/skills", json!({"name": "Sales"})));
        for answer in futures_util::future::join_all(sent).await {
            assert!(matches!(answer.status, 201 | 409), "{} {}", answer.status, answer.body);
        }
        assert_eq!(admin.get("/v1/skills").await.items("name"), ["Sales"]);
    }
}

#[tokio::test]
async fn answers_with_secrets_are_not_kept() {
    for server in Server::on_both().await {
        let made = post_once(&server.root(), "k0", "/v1/tenants", json!({"name": "A"})).await.expect(201);
        let admin = server.with_key(made.text("api_key"));
        let key = json!({"name": "crm", "role": "integration"});
        let first = post_once(&admin, "k1", "/v1/api-keys", key.clone()).await.expect(201);
        let second = post_once(&admin, "k1", "/v1/api-keys", key).await.expect(201);
        assert_ne!(first.text("api_key"), second.text("api_key"));
        assert_eq!(second.header("idempotency-replayed"), "");
    }
}
