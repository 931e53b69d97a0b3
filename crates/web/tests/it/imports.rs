//! Importing files.

use reqwest::Method;
use serde_json::json;
use store::testing::TestDatabase;
use web::WebSettings;

use crate::support::{Answer, Server, until};

const FILE: &str = "No,Tel,Name\n1,+14155550100,Ann\n2,+1415555,Bob\n3,+14155550101,Cid\n";
const MAP: &str = "external_id=No,phone1=Tel,field.first_name=Name";

#[tokio::test]
async fn a_file_is_imported_and_what_was_rejected_comes_back() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let (campaign, source) = admin.campaign_and_source().await;
        let upload = admin.request(Method::POST, &format!("/v1/sources/{source}/imports"));
        let upload = upload.query(&[("map", MAP), ("file_name", "list.csv")]).body(FILE);
        let made = Answer::to(upload).await.expect(202);
        let place = made.header("location").to_owned();
        assert_eq!(place, format!("/v1/imports/{}", made.text("id")));
        let done = until(|| admin.get(&place), |import| !import.body["finished_at"].is_null()).await;
        assert_eq!(done.text("state"), "completed");
        assert_eq!((&done.body["created"], &done.body["rejected"]), (&json!(2), &json!(1)));
        let contacts = admin.get(&format!("/v1/contacts?campaign={campaign}")).await.expect(200);
        assert_eq!(contacts.items("external_id").len(), 2);
        let rejects = admin.get(&format!("{place}/rejects")).await.expect(200);
        assert_eq!(rejects.items("code"), ["bad_phone"]);
        assert_eq!(rejects.body["items"][0]["row"], 3);
        let file = admin.get(&format!("{place}/rejects.csv")).await.expect(200);
        assert!(file.header("content-disposition").starts_with("attachment"));
        let text = String::from_utf8(file.bytes).unwrap();
        assert!(
            text.contains("2,+1415555,Bob") && text.contains("bad_phone") && !text.contains("Ann"),
            "{text}"
        );
        admin.post(&format!("{place}/cancel"), json!({})).await.expect_problem(409, "import_is_over");
        assert_eq!(admin.get("/v1/imports").await.items("state"), ["completed"]);
        let theirs = server.tenant("B").await;
        for path in [place.clone(), format!("{place}/rejects"), format!("{place}/rejects.csv")] {
            theirs.get(&path).await.expect_problem(404, "not_found");
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn a_file_that_does_not_fit_its_map_is_refused_with_the_columns() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let (_, source) = admin.campaign_and_source().await;
        let upload = admin.request(Method::POST, &format!("/v1/sources/{source}/imports"));
        let upload = upload.query(&[("map", "external_id=Nummer,phone1=Tel")]).body(FILE);
        let problem = Answer::to(upload).await.expect(422);
        assert!(problem.text("detail").contains("Nummer"), "{}", problem.body);
        let nonsense = admin.request(Method::POST, &format!("/v1/sources/{source}/imports"));
        let nonsense = nonsense.query(&[("map", "nonsense")]).body(FILE);
        Answer::to(nonsense).await.expect_problem(422, "bad_source_map");
        assert_eq!(admin.get("/v1/imports").await.items("id").len(), 0);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused_and_one_beyond_the_body_limit_is_not() {
    let settings = WebSettings { body_bytes_max: 1000, upload_bytes_max: 5000, ..WebSettings::default() };
    let server = Server::start(TestDatabase::sqlite(), settings).await;
    let admin = server.tenant("A").await;
    let (_, source) = admin.campaign_and_source().await;
    let send = |rows: usize| {
        let body = format!("{FILE}{}", "4,+14155550102,Dan\n".repeat(rows));
        let upload = admin.request(Method::POST, &format!("/v1/sources/{source}/imports"));
        Answer::to(upload.query(&[("map", MAP)]).body(body))
    };
    send(100).await.expect(202);
    send(1000).await.expect_problem(413, "too_large");
    server.stop().await;
}
