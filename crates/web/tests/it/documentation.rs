//! The OpenAPI document and the pages that show it.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;
use store::testing::TestDatabase;
use web::WebSettings;

use crate::support::{Answer, Server};

/// Path, method and operation of everything in the document.
fn operations(document: &Value) -> Vec<(&String, &String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().iter().map(move |(m, o)| (path, m, o)))
        .collect()
}

async fn document(server: &Server) -> Value {
    server.nobody().get("/openapi.json").await.expect(200).body
}

#[tokio::test]
async fn the_document_is_of_version_3_1_and_its_references_lead_somewhere() {
    let server = Server::start(TestDatabase::sqlite(), WebSettings::default()).await;
    let document = document(&server).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leads outside"));
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn collect_references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
            object.values().for_each(|value| collect_references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| collect_references(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn every_operation_tells_what_a_client_needs() {
    let server = Server::start(TestDatabase::sqlite(), WebSettings::default()).await;
    let document = document(&server).await;
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let place = format!("{method} {path}");
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{place} has no id"));
        assert!(ids.insert(id), "{id} stands twice");
        assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{place}");
        assert!(operation["responses"]["default"].is_object(), "{place} does not say what goes wrong");
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let mut names = BTreeSet::new();
        for parameter in &parameters {
            assert!(names.insert((parameter["in"].to_string(), parameter["name"].to_string())), "{place}");
        }
        for part in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            assert!(names.contains(&("\"path\"".to_owned(), format!("\"{part}\""))), "{place}: {part}");
        }
    }
}

#[tokio::test]
async fn every_schema_has_a_name_that_tells_it_from_the_others() {
    let server = Server::start(TestDatabase::sqlite(), WebSettings::default()).await;
    let document = document(&server).await;
    let schemas = document["components"]["schemas"].as_object().unwrap();
    // Where two types have one name, a number is put after the second.
    let numbered = schemas.keys().filter(|name| {
        let plain = name.trim_end_matches(|last: char| last.is_ascii_digit());
        plain.len() < name.len() && schemas.contains_key(plain)
    });
    assert_eq!(numbered.collect::<Vec<_>>(), Vec::<&String>::new());
}

#[tokio::test]
async fn everything_in_the_document_is_served() {
    let server = Server::start(TestDatabase::sqlite(), WebSettings::default()).await;
    let document = document(&server).await;
    for (path, method, _) in operations(&document) {
        let real = path.replace("{id}", "0190a1b2-0000-7000-8000-000000000001");
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        let answer = Answer::to(server.nobody().request(method.clone(), &real)).await;
        assert!(
            !matches!(answer.body["code"].as_str(), Some("no_such_path" | "method_not_allowed")),
            "{method} {path}"
        );
        assert_ne!(answer.status, 500, "{method} {path}: {}", answer.body);
    }
}

#[tokio::test]
async fn operation_ids_stay_as_clients_know_them() {
    let server = Server::start(TestDatabase::sqlite(), WebSettings::default()).await;
    let document = document(&server).await;
    let mut ids: Vec<String> = operations(&document)
        .into_iter()
        .map(|(path, method, operation)| {
            format!("{} {method} {path}", operation["operationId"].as_str().unwrap())
        })
        .collect();
    ids.sort();
    let pinned: Vec<&str> = include_str!("operations.txt").lines().collect();
    assert_eq!(
        ids, pinned,
        "an operation was renamed, added or removed: change operations.txt if that is meant"
    );
}

#[tokio::test]
async fn the_pages_for_people_are_served() {
    let server = Server::start(TestDatabase::sqlite(), WebSettings::default()).await;
    let home = server.nobody().get("/").await.expect(200);
    let home = String::from_utf8(home.bytes).unwrap();
    assert!(home.contains("Outdial") && home.contains("/docs"), "{home}");
    let docs = server.nobody().get("/docs/").await.expect(200);
    assert!(docs.header("content-type").starts_with("text/html"));
}

#[tokio::test]
async fn browsers_are_told_to_run_nothing_foreign_and_to_keep_no_answers() {
    let server = Server::start(TestDatabase::sqlite(), WebSettings::default()).await;
    let admin = server.tenant("A").await;
    for path in
        ["/", "/live.js", "/live.css", "/docs/", "/openapi.json", "/v1/skills", "/v1/nothing", "/healthz"]
    {
        let answer = admin.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("script-src 'unsafe"), "{path}");
    }
    assert_eq!(admin.get("/v1/skills").await.expect(200).header("cache-control"), "no-store");
    assert_eq!(server.nobody().get("/v1/skills").await.expect(401).header("cache-control"), "no-store");
}

#[tokio::test]
async fn the_live_page_runs_only_what_its_policy_allows_and_writes_no_markup() {
    let server = Server::start(TestDatabase::sqlite(), WebSettings::default()).await;
    let text = async |path: &str| {
        let answer = server.nobody().get(path).await.expect(200);
        (answer.header("content-type").to_owned(), String::from_utf8(answer.bytes).unwrap())
    };
    let (_, page) = text("/").await;
    assert!(page.contains("<script src=\"/live.js\"></script>") && !page.contains("<style"), "{page}");
    assert!(!page.contains(" style=") && !page.contains(" onclick="), "{page}");
    let (kind, script) = text("/live.js").await;
    assert!(kind.starts_with("text/javascript"), "{kind}");
    for markup in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write"] {
        assert!(!script.contains(markup), "{markup}");
    }
    let (kind, _) = text("/live.css").await;
    assert!(kind.starts_with("text/css"), "{kind}");
}

#[tokio::test]
async fn the_live_page_has_words_for_every_state_and_reason() {
    let server = Server::start(TestDatabase::sqlite(), WebSettings::default()).await;
    let document = document(&server).await;
    let script = include_str!("../../assets/live.js");
    for (schema, plain) in [("GroupState", &[][..]), ("AgentState", &["ready"]), ("IdleReason", &[])] {
        let schema = &document["components"]["schemas"][schema];
        let listed = schema["oneOf"].as_array().unwrap_or_else(|| panic!("{schema}"));
        for value in listed.iter().filter_map(|one| one["const"].as_str()) {
            assert!(plain.contains(&value) || script.contains(&format!("{value}: \"")), "{value}");
        }
    }
}

#[tokio::test]
async fn the_document_tells_types_and_statuses_as_they_are() {
    let server = Server::start(TestDatabase::sqlite(), WebSettings::default()).await;
    let document = document(&server).await;
    let parameter = |path: &str, name: &str| {
        let all = document["paths"][path]["get"]["parameters"].as_array().unwrap();
        let schema = &all.iter().find(|it| it["name"] == name).unwrap_or_else(|| panic!("{name}"))["schema"];
        match schema["$ref"].as_str() {
            Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap().clone(),
            None => schema.clone(),
        }
    };
    assert_eq!(parameter("/v1/contacts", "limit")["type"], "integer");
    assert_eq!(parameter("/v1/contacts", "campaign")["format"], "uuid");
    assert!(parameter("/v1/contacts", "state").to_string().contains("claimed"));
    assert_eq!(parameter("/v1/attempts", "since")["format"], "date-time");
    assert_eq!(parameter("/v1/events", "after")["type"], "integer");
    assert_eq!(parameter("/v1/sources", "campaign")["format"], "uuid");
    assert_eq!(parameter("/v1/contacts/{id}", "id")["format"], "uuid");
    let statuses = |path: &str| {
        let responses = document["paths"][path]["post"]["responses"].as_object().unwrap();
        responses.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(statuses("/v1/switches/{name}/actions"), ["200", "default"]);
    assert_eq!(statuses("/v1/sources/{id}/contacts"), ["200", "201", "default"]);
    let components = &document["components"];
    assert_eq!(components["schemas"]["Problem"]["properties"]["errors"]["type"], "array");
    assert_eq!(components["securitySchemes"]["header"]["name"], "X-Api-Key");
}
