//! Server scripts over the API.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Server};

fn script(name: &str, source: &str) -> Value {
    json!({"name": name, "source": source})
}

#[tokio::test]
async fn every_version_of_a_script_is_kept_and_can_be_made_the_present_one_again() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let first = "export function main() { return 1; }";
        let id = admin.create("/v1/scripts", script("Gate", first)).await;
        let place = format!("/v1/scripts/{id}");
        let second = script("Door", "export function main() { return 2; }");
        admin.put(&place, "\"1\"", second).await.expect(200);

        // By name and by id, page by page.
        let page = admin.get("/v1/scripts/door/versions?limit=1").await.expect(200);
        let next = page.text("next").to_owned();
        let item = &page.body["items"][0];
        assert_eq!((&item["version"], &item["name"]), (&json!(2), &json!("Door")));
        assert!(item["made_by"].is_string() && item["made_at"].is_string(), "{item}");
        let page = admin.get(&format!("{place}/versions?limit=1&after={next}")).await.expect(200);
        assert_eq!((&page.body["items"][0]["version"], &page.body["next"]), (&json!(1), &Value::Null));

        let earlier = admin.get(&format!("{place}/versions/1")).await.expect(200);
        assert_eq!((&earlier.body["version"], &earlier.body["script"]["name"]), (&json!(1), &json!("Gate")));
        assert_eq!(earlier.body["script"]["source"], first);

        let restore = format!("{place}/versions/1/restore");
        let restored = |tag: &'static str| {
            let request = admin.request(Method::POST, &restore);
            Answer::to(if tag.is_empty() { request } else { request.header("if-match", tag) })
        };
        restored("").await.expect_problem(428, "if_match_required");
        restored("\"1\"").await.expect_problem(412, "stale_version");
        let now = restored("\"2\"").await.expect(200);
        assert_eq!((now.header("etag"), now.text("source"), now.text("name")), ("\"3\"", first, "Door"));
        assert_eq!(admin.get(&place).await.expect(200).text("source"), first);
        assert_eq!(
            admin.get(&format!("{place}/versions/3")).await.expect(200).body["script"]["source"],
            first
        );

        for missing in ["4", "first"] {
            admin.get(&format!("{place}/versions/{missing}")).await.expect_problem(404, "not_found");
        }
        admin.get("/v1/scripts/gate/versions").await.expect_problem(404, "not_found");
        let other = server.tenant("B").await;
        other.get(&format!("{place}/versions")).await.expect_problem(404, "not_found");
        let reader = admin.with_role("integration").await;
        reader.get(&format!("{place}/versions/1")).await.expect(200);
        let refused = reader.request(Method::POST, &restore).header("if-match", "\"3\"");
        Answer::to(refused).await.expect_problem(403, "forbidden");

        admin.delete(&place, "\"3\"").await.expect(204);
        admin.get(&format!("{place}/versions/1")).await.expect_problem(404, "not_found");
        server.stop().await;
    }
}
