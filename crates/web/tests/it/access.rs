//! Who may do what.

use serde_json::json;

use crate::dialling::{Centre, centre_with};
use crate::support::{Server, until};

#[tokio::test]
async fn tenants_cannot_see_or_change_each_others_things() {
    for server in Server::on_both().await {
        let (ours, theirs) = (server.tenant("A").await, server.tenant("B").await);
        let (campaign, source) = ours.campaign_and_source().await;
        let skill = ours.create("/v1/skills", json!({"name": "Sales"})).await;
        let group = json!({"name": "G", "campaign": campaign, "skill": skill});
        let group = ours.create("/v1/campaign-groups", group).await;
        let contact = json!({"external_id": "1", "phones": [{"number": "+14155550100"}]});
        let contact = ours.post(&format!("/v1/sources/{source}/contacts"), contact).await.expect(201);
        let contact = contact.body["results"][0]["contact"].as_str().unwrap().to_owned();
        for path in [
            format!("/v1/campaigns/{campaign}"),
            format!("/v1/sources/{source}"),
            format!("/v1/campaign-groups/{group}/status"),
            format!("/v1/contacts/{contact}"),
            format!("/v1/contacts/{contact}/why-not"),
            format!("/v1/contacts?campaign={campaign}"),
            format!("/v1/suppression-lists/{campaign}/entries"),
        ] {
            theirs.get(&path).await.expect_problem(404, "not_found");
            ours.get(&path).await.expect(200);
        }
        let found = theirs.get("/v1/contacts?number=%2B14155550100").await.expect(200);
        assert_eq!(found.items("id").len(), 0);
        for (path, body) in [
            (
                format!("/v1/sources/{source}/contacts"),
                json!({"external_id": "2", "phones": [{"number": "+14155550101"}]}),
            ),
            (format!("/v1/campaign-groups/{group}/actions"), json!({"action": "load"})),
            (format!("/v1/contacts/{contact}/close"), json!({})),
            (
                format!("/v1/suppression-lists/{campaign}/entries"),
                json!({"entries": [{"number": "+14155550100"}]}),
            ),
        ] {
            theirs.post(&path, body).await.expect_problem(404, "not_found");
        }
        let change = json!({"name": "Stolen"});
        theirs
            .put(&format!("/v1/campaigns/{campaign}"), "\"1\"", change)
            .await
            .expect_problem(404, "not_found");
        theirs.delete(&format!("/v1/skills/{skill}"), "\"1\"").await.expect_problem(404, "not_found");
        let source = json!({"name": "Theirs", "campaign": campaign});
        theirs.post("/v1/sources", source).await.expect_problem(422, "unknown_reference");
        assert_eq!(theirs.get("/v1/campaigns").await.items("id").len(), 0);
        server.stop().await;
    }
}

#[tokio::test]
async fn each_role_may_do_what_its_row_of_the_table_says() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let (_, source) = admin.campaign_and_source().await;
        let contacts = format!("/v1/sources/{source}/contacts");
        // Make a key, configure, add contacts, read.
        let table = [
            ("admin", [201, 201, 200, 200]),
            ("supervisor", [403, 201, 200, 200]),
            ("integration", [403, 403, 200, 200]),
            ("agent", [403, 403, 403, 403]),
        ];
        for (role, expected) in table {
            let caller = admin.with_role(role).await;
            let key = json!({"name": "another", "role": "agent"});
            let statuses = [
                caller.post("/v1/api-keys", key).await.status,
                caller.post("/v1/skills", json!({"name": format!("made by {role}")})).await.status,
                caller.post(&contacts, json!({"contacts": []})).await.status,
                caller.get("/v1/campaigns").await.status,
            ];
            assert_eq!(statuses, expected, "{role}");
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn an_agent_reads_what_a_call_shows_and_no_scripts_sinks_or_others_callbacks() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let Centre { campaign, group, skill, agent } = centre_with(&admin, 0).await;
        let script = json!({"name": "Rules", "source": "function onPreCall() { return {}; }"});
        let script = admin.post("/v1/scripts", script).await.expect(201);
        let hours = admin.get("/v1/calling-hours").await.expect(200).items("id")[0].to_owned();
        let user =
            json!({"login": "ann", "password": "correct horse battery", "role": "agent", "agent": agent});
        admin.post("/v1/users", user).await.expect(201);
        let log_in = json!({"tenant": "A", "login": "ann", "password": "correct horse battery"});
        let session = server.nobody().post("/v1/sessions", log_in).await.expect(201);
        let ann = server.with_key(session.text("token"));
        for path in [
            format!("/v1/campaigns/{campaign}"),
            format!("/v1/campaign-groups/{group}"),
            format!("/v1/skills/{skill}"),
            format!("/v1/agents/{agent}"),
        ] {
            ann.get(&path).await.expect(200);
        }
        ann.get(script.header("location")).await.expect_problem(403, "forbidden");
        ann.get(&format!("/v1/calling-hours/{hours}")).await.expect_problem(403, "forbidden");
        let due = json!({"number": "+14155550130", "skill": skill, "due": "2031-01-31T09:30:00Z"});
        let mut own = due.clone();
        own["agent"] = json!(agent);
        let others = admin.create("/v1/callbacks", due).await;
        let own = admin.create("/v1/callbacks", own).await;
        ann.get(&format!("/v1/callbacks/{own}")).await.expect(200);
        ann.get(&format!("/v1/callbacks/{others}")).await.expect_problem(403, "forbidden");
        server.stop().await;
    }
}

#[tokio::test]
async fn without_a_good_key_nothing_is_given() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let answer = server.nobody().get("/v1/skills").await.expect_problem(401, "unauthenticated");
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
        server.with_key("od_wrong").get("/v1/skills").await.expect_problem(401, "unauthenticated");
        let header =
            server.nobody().request(reqwest::Method::GET, "/v1/skills").header("X-Api-Key", admin.key());
        crate::support::Answer::to(header).await.expect(200);
    }
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let made =
            admin.post("/v1/api-keys", json!({"name": "crm", "role": "integration"})).await.expect(201);
        let crm = server.with_key(made.text("api_key"));
        crm.get("/v1/skills").await.expect(200);
        admin.delete(&format!("/v1/api-keys/{}", made.text("id")), "").await.expect(204);
        crm.get("/v1/skills").await.expect_problem(401, "unauthenticated");
        let listed = admin.get("/v1/api-keys").await.expect(200);
        assert!(!String::from_utf8_lossy(&listed.bytes).contains(crm.key()), "a listing shows a key");
    }
}

#[tokio::test]
async fn only_the_root_key_makes_tenants() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        admin.post("/v1/tenants", json!({"name": "B"})).await.expect_problem(401, "unauthenticated");
        admin.get("/v1/tenants").await.expect_problem(401, "unauthenticated");
        server.root().get("/v1/skills").await.expect_problem(401, "unauthenticated");
        assert_eq!(server.root().get("/v1/tenants").await.expect(200).items("name"), ["A"]);
        server.root().post("/v1/tenants", json!({"name": "A"})).await.expect_problem(409, "name_taken");
    }
}

#[tokio::test]
async fn users_log_in_and_out_and_can_be_shut_out() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let user = json!({"login": "ann", "password": "correct horse battery", "role": "supervisor"});
        let made = admin.post("/v1/users", user).await.expect(201);
        let log_in = json!({"tenant": "A", "login": "ANN", "password": "correct horse battery"});
        let session = server.nobody().post("/v1/sessions", log_in.clone()).await.expect(201);
        let ann = server.with_key(session.text("token"));
        ann.get("/v1/skills").await.expect(200);
        ann.delete("/v1/sessions/current", "").await.expect(204);
        ann.get("/v1/skills").await.expect_problem(401, "unauthenticated");
        for wrong in [
            json!({"tenant": "A", "login": "ann", "password": "wrong horse battery"}),
            json!({"tenant": "A", "login": "bob", "password": "correct horse battery"}),
            json!({"tenant": "B", "login": "ann", "password": "correct horse battery"}),
        ] {
            server.nobody().post("/v1/sessions", wrong).await.expect_problem(401, "unauthenticated");
        }
        let session = server.nobody().post("/v1/sessions", log_in.clone()).await.expect(201);
        let place = format!("/v1/users/{}", made.text("id"));
        let shut_out = json!({"role": "supervisor", "disabled": true});
        admin.put(&place, "\"1\"", shut_out).await.expect(200);
        let ann = server.with_key(session.text("token"));
        ann.get("/v1/skills").await.expect_problem(401, "unauthenticated");
        server.nobody().post("/v1/sessions", log_in).await.expect_problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn every_change_is_in_the_audit_log_with_who_made_it() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let skill = admin.create("/v1/skills", json!({"name": "Sales"})).await;
        let place = format!("/v1/skills/{skill}");
        admin.put(&place, "\"1\"", json!({"name": "Support"})).await.expect(200);
        admin.delete(&place, "\"2\"").await.expect(204);
        let log = admin.get(&format!("/v1/audit?target={skill}")).await.expect(200);
        assert_eq!(log.items("action"), ["delete", "update", "create"]);
        assert_eq!(log.items("actor"), ["key:first"; 3]);
        assert_eq!(log.body["items"][1]["before"]["name"], "Sales");
        assert_eq!(log.body["items"][1]["after"]["name"], "Support");
        let supervisor = admin.with_role("supervisor").await;
        supervisor.get("/v1/audit").await.expect_problem(403, "forbidden");
    }
}

#[tokio::test]
async fn whoever_guesses_passwords_has_to_wait_and_the_audit_log_tells_of_it() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        for login in ["ann", "bob"] {
            let user = json!({"login": login, "password": "correct horse battery", "role": "supervisor"});
            admin.post("/v1/users", user).await.expect(201);
        }
        let log_in = |login: &'static str, password: &'static str| {
            let asked = json!({"tenant": "A", "login": login, "password": password});
            async { server.nobody().post("/v1/sessions", asked).await }
        };
        for _ in 0..10 {
            log_in("ann", "a wrong password").await.expect_problem(401, "unauthenticated");
        }
        let refused = log_in("Ann", "correct horse battery").await.expect_problem(429, "rate_limited");
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
        log_in("bob", "correct horse battery").await.expect(201);
        let noted = until(
            || admin.get("/v1/audit"),
            |log| log.items("action").iter().filter(|action| **action == "log_in_failed").count() == 10,
        );
        assert!(noted.await.items("actor").contains(&"user:ann"));
        server.stop().await;
    }
}
