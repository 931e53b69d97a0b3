//! The commands of the interfaces' pages, carried out as they stand there.

use reqwest::Method;
use serde_json::{Value, json};

use crate::dialling::{Centre, centre_with};
use crate::support::{Answer, Caller, Server};

/// What the page's first command sends.
fn body(page: &str) -> &str {
    page.split_once("-d '").unwrap().1.split_once("'\n```").unwrap().0
}

async fn send(admin: &Caller<'_>, path: &str, body: &str) -> Answer {
    Answer::to(
        admin.request(Method::POST, path).header("content-type", "application/json").body(body.to_owned()),
    )
    .await
}

#[tokio::test]
async fn the_page_about_create_prospects_tells_the_truth() {
    let page = include_str!("../../../../docs/interfaces/create-prospects.md");
    let map = page.split_once("```json\n").unwrap().1.split_once("```").unwrap().0;
    let map: Value = serde_json::from_str(map).unwrap();
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let Centre { campaign, skill, .. } = centre_with(&admin, 0).await;
        admin.create("/v1/sources", json!({"name": "Leads", "campaign": campaign})).await;
        Answer::to(admin.request(Method::PUT, "/v1/sources/Leads/map").json(&map)).await.expect(201);
        let answer = send(&admin, &format!("/v1/skills/{skill}/prospects"), body(page)).await.expect(200);
        assert_eq!(answer.body["successfulRecords"][0]["Id"], "4711");
        assert_eq!(answer.body["failedRecords"][0]["Id"], "4712");
        server.stop().await;
    }
}

#[tokio::test]
async fn the_page_about_schedule_callback_tells_the_truth() {
    let page = include_str!("../../../../docs/interfaces/schedule-callback.md");
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        centre_with(&admin, 0).await;
        admin.get("/incontactapi/services/v33.0/skills").await.expect(200);
        let path = "/incontactapi/services/v33.0/scheduled-callbacks";
        let answer = send(&admin, path, body(page)).await.expect(200);
        assert_eq!(answer.body, json!({"callbackId": 1}));
        server.stop().await;
    }
}

#[tokio::test]
async fn the_page_about_context_data_tells_the_truth() {
    let page = include_str!("../../../../docs/interfaces/context-data.md");
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let Centre { campaign, .. } = centre_with(&admin, 0).await;
        let sources = admin.get("/v1/sources").await.expect(200);
        let path = format!("/v1/sources/{}", sources.items("id")[0]);
        let french = json!({"name": "List", "campaign": campaign, "default_country": "FR"});
        admin.put(&path, "\"1\"", french).await.expect(200);
        let path = format!("/data?action=CreateContextData&context={}", campaign.replace('-', ""));
        let answer = send(&admin, &path, body(page)).await.expect(200);
        assert!(String::from_utf8(answer.bytes).unwrap().contains("<Internal__Id__>"));
        server.stop().await;
    }
}

#[tokio::test]
async fn the_pages_about_scripts_and_schedules_tell_the_truth() {
    let scripts = include_str!("../../../../docs/scripts.md");
    let server_scripts = include_str!("../../../../docs/interfaces/server-scripts.md");
    let schedules = include_str!("../../../../docs/schedules.md");
    let (_, sequences) = schedules.split_once("## Sequences").unwrap();
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let Centre { group, .. } = centre_with(&admin, 0).await;
        send(&admin, "/v1/scripts", body(scripts)).await.expect(201);
        send(&admin, "/v1/scripts", body(server_scripts)).await.expect(201);
        let campaign = json!({"name": "Ruled", "scripts": {
            "pre_call": "Rules", "post_call": "Rules", "post_call_phase": "both"
        }});
        admin.create("/v1/campaigns", campaign.clone()).await;
        let mut unknown = campaign;
        unknown["scripts"]["pre_call"] = json!("No such script");
        admin.post("/v1/campaigns", unknown).await.expect_problem(422, "unknown_reference");
        let schedule = body(schedules).replace("GROUP", &group);
        send(&admin, "/v1/schedules", &schedule).await.expect(201);
        let sequence = body(sequences).replace("FIRST", &group).replace("SECOND", &group);
        send(&admin, "/v1/sequences", &sequence).await.expect(201);
        server.stop().await;
    }
}
