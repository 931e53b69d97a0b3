//! Suppression lists over the API.

use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, Server};

#[tokio::test]
async fn numbers_and_customers_are_put_on_a_list_and_taken_off() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let list = admin.create("/v1/suppression-lists", json!({"name": "Do not call"})).await;
        let path = format!("/v1/suppression-lists/{list}/entries");
        let entries = json!({"entries": [
            {"number": "+14155550100"}, {"number": "+1 415 555 0101", "until": "2099-01-01T00:00:00Z"},
            {"external_id": "c-7"}, {"number": "12"},
        ]});
        let added = admin.post(&path, entries.clone()).await.expect(200);
        assert_eq!((&added.body["added"], &added.body["rejected"]), (&json!(3), &json!(1)));
        assert_eq!(added.body["rejections"][0]["row"], 4);
        let again = admin.post(&path, entries).await.expect(200);
        assert_eq!((&again.body["added"], &again.body["unchanged"]), (&json!(0), &json!(3)));
        let numbers = admin.get(&path).await.expect(200);
        assert_eq!(numbers.items("number"), ["+14155550100", "+14155550101"]);
        let customers = admin.get(&format!("{path}?kind=customer")).await.expect(200);
        assert_eq!(customers.items("external_id"), ["c-7"]);
        assert_eq!(admin.get(&format!("{path}?number=%2B14155550100")).await.items("number").len(), 1);
        admin.delete(&format!("{path}?number=%2B14155550100"), "").await.expect(204);
        admin.delete(&format!("{path}?number=%2B14155550100"), "").await.expect_problem(404, "not_found");
        admin.delete(&format!("{path}?external_id=c-7"), "").await.expect(204);
        admin.delete(&path, "").await.expect_problem(400, "bad_query");
        assert_eq!(admin.get(&path).await.items("number"), ["+14155550101"]);
    }
}

#[tokio::test]
async fn a_table_of_entries_is_taken_and_its_bad_rows_are_told() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let list = admin.create("/v1/suppression-lists", json!({"name": "Do not call"})).await;
        let path = format!("/v1/suppression-lists/{list}/entries");
        let table = "number;until\n+14155550100;\n12;\n+14155550101;2099-01-01T00:00:00Z\n";
        let send = |table: &'static str| {
            let request = admin.request(Method::POST, &format!("{path}/table"));
            Answer::to(request.header("Content-Type", "text/csv").body(table))
        };
        let added = send(table).await.expect(200);
        assert_eq!((&added.body["added"], &added.body["rejections"][0]["row"]), (&json!(2), &json!(3)));
        assert_eq!(admin.get(&path).await.items("number").len(), 2);
        send("telephone\n+14155550100\n").await.expect_problem(422, "bad_table");
        send("").await.expect_problem(422, "bad_table");
    }
}

#[tokio::test]
async fn listing_entries_goes_page_by_page() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let list = admin.create("/v1/suppression-lists", json!({"name": "Do not call"})).await;
        let path = format!("/v1/suppression-lists/{list}/entries");
        let entries: Vec<_> = (0..5).map(|n| json!({"external_id": format!("c {n}/&")})).collect();
        admin.post(&path, json!({"entries": entries})).await.expect(200);
        let first = admin.get(&format!("{path}?kind=customer&limit=3")).await.expect(200);
        assert_eq!(first.items("external_id").len(), 3);
        let next = admin.request(Method::GET, &path);
        let next = next.query(&[("kind", "customer"), ("limit", "3"), ("after", first.text("next"))]);
        let second = Answer::to(next).await.expect(200);
        assert_eq!(second.items("external_id"), ["c 3/&", "c 4/&"]);
        assert!(second.body["next"].is_null());
    }
}
