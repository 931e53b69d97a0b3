//! Schedule Callback, as its documentation has it, in the vendor's REST form: each test cites what it holds.

use reqwest::Method;
use serde_json::{Value, json};
use store::testing::databases;

use crate::agent_session::{hear, open, say};
use crate::dialling::{Centre, centre_with};
use crate::support::{Answer, Caller, Server, until};

const ANSWERS: &str = "+14155550130";
const BASE: &str = "/incontactapi/services/v33.0";

/// Numbers of the only skill and the only agent.
async fn numbers(admin: &Caller<'_>) -> (i64, i64) {
    let skills = admin.get(&format!("{BASE}/skills")).await.expect(200);
    let agents = admin.get(&format!("{BASE}/agents")).await.expect(200);
    (
        skills.body["skills"][0]["skillId"].as_i64().unwrap(),
        agents.body["agents"][0]["agentId"].as_i64().unwrap(),
    )
}

fn asked(skill: i64, agent: Value, date: &str) -> Value {
    json!({"firstName": "Zoé", "lastName": "Martin", "phoneNumber": ANSWERS, "skillId": skill,
           "targetAgentId": agent, "scheduleDate": date, "notes": "about the offer"})
}

async fn schedule(admin: &Caller<'_>, body: Value) -> Answer {
    admin.post(&format!("{BASE}/scheduled-callbacks"), body).await
}

/// "Renvoie le numéro d'identification du rappel." "TargetAgentId et SkillId doivent tous les deux être inclus, mais
/// TargetAgentId est prioritaire. Si vous souhaitez mettre le rappel en file d'attente vers une compétence, la valeur
/// TargetAgentId doit être une chaîne vide."
#[tokio::test]
async fn a_callback_goes_to_the_agent_or_with_an_empty_text_to_the_skill() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        centre_with(&admin, 0).await;
        let (skill, agent) = numbers(&admin).await;
        let to_agent =
            schedule(&admin, asked(skill, json!(agent), "2030-01-31T09:30:00+01:00")).await.expect(200);
        let to_skill = schedule(&admin, asked(skill, json!(""), "2030-02-01T09:30:00Z")).await.expect(200);
        assert_eq!((&to_agent.body["callbackId"], &to_skill.body["callbackId"]), (&json!(1), &json!(2)));
        let of_agent = admin.get(&format!("{BASE}/agents/{agent}/scheduled-callbacks")).await.expect(200);
        let listed = of_agent.body["callbacks"].as_array().unwrap();
        assert_eq!(listed.len(), 1);
        let callback = &listed[0];
        assert_eq!((&callback["target"], &callback["agentId"]), (&json!("Ann"), &json!(agent)));
        assert_eq!(
            (&callback["dialNumber"], &callback["callbackTime"]),
            (&json!(ANSWERS), &json!("2030-01-31T08:30:00Z"))
        );
        assert_eq!((&callback["firstName"], &callback["notes"]), (&json!("Zoé"), &json!("about the offer")));
        let of_skill = admin.get(&format!("{BASE}/skills/{skill}/scheduled-callbacks")).await.expect(200);
        let targets: Vec<_> =
            of_skill.body["callbacks"].as_array().unwrap().iter().map(|it| &it["target"]).collect();
        assert_eq!(targets, ["Ann", "Sales"]);
        server.stop().await;
    }
}

/// The branches of the result: "InvalidSecurityUser … InvalidSkillId … InvalidTargetAgentId … InvalidScheduleDate …
/// InvalidPhoneNumber"; all that apply are told at once.
#[tokio::test]
async fn each_wrong_input_has_its_branch_all_are_told_at_once_and_nothing_is_made() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        centre_with(&admin, 0).await;
        let (skill, agent) = numbers(&admin).await;
        let wrong =
            json!({"phoneNumber": "12", "skillId": 99, "targetAgentId": "Ann", "scheduleDate": "tomorrow"});
        let refused = schedule(&admin, wrong).await.expect(422);
        let errors = refused.body["errors"].as_array().unwrap();
        let mut branches: Vec<_> = errors.iter().map(|error| error["branch"].as_str().unwrap()).collect();
        branches.sort_unstable();
        // Whether 12 is a number depends on the country, which the skill would have told.
        assert_eq!(branches, ["InvalidScheduleDate", "InvalidSkillId", "InvalidTargetAgentId"]);
        let idle = admin.create("/v1/skills", json!({"name": "Inbound"})).await;
        let date = "2030-01-31T09:30:00Z";
        let with = |field: &str, value: Value| {
            let mut body = asked(skill, json!(agent), date);
            body[field] = value;
            body
        };
        for (body, branch) in [
            (with("phoneNumber", json!("12")), "InvalidPhoneNumber"),
            (with("phoneNumber", Value::Null), "InvalidPhoneNumber"),
            (with("skillId", json!(99)), "InvalidSkillId"),
            (with("skillId", Value::Null), "InvalidSkillId"),
            // "Vous devez saisir une compétence sortante valide."
            (with("skillId", json!(idle)), "InvalidSkillId"),
            (with("targetAgentId", json!(99)), "InvalidTargetAgentId"),
            (with("targetAgentId", Value::Null), "InvalidTargetAgentId"),
            // "… et non le nom d'utilisateur de l'agent."
            (with("targetAgentId", json!("ann")), "InvalidTargetAgentId"),
            (with("scheduleDate", json!("31/01/2030 10:00")), "InvalidScheduleDate"),
            (with("scheduleDate", json!("2001-01-01T00:00:00Z")), "InvalidScheduleDate"),
            (with("scheduleDate", Value::Null), "InvalidScheduleDate"),
        ] {
            let refused = schedule(&admin, body.clone()).await.expect(422);
            assert_eq!(refused.text("branch"), branch, "{body}: {}", refused.body);
        }
        let good = asked(skill, json!(agent), date);
        let nobody = schedule(&server.nobody(), good.clone()).await.expect(401);
        assert_eq!(nobody.text("branch"), "InvalidSecurityUser");
        let powerless = schedule(&admin.with_role("agent").await, good).await.expect(403);
        assert_eq!(powerless.text("branch"), "InvalidSecurityUser");
        assert_eq!(admin.get("/v1/callbacks").await.expect(200).items("id").len(), 0);
        server.stop().await;
    }
}

/// "Doit être un identifiant valide d'un agent actif."
#[tokio::test]
async fn an_agent_whose_user_is_disabled_is_no_target() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let Centre { agent: agent_id, .. } = centre_with(&admin, 0).await;
        let (skill, agent) = numbers(&admin).await;
        let user =
            json!({"login": "ann", "password": "correct horse battery", "role": "agent", "agent": agent_id});
        let made = admin.post("/v1/users", user).await.expect(201);
        let body = asked(skill, json!(agent), "2030-01-31T09:30:00Z");
        schedule(&admin, body.clone()).await.expect(200);
        let disabled = json!({"role": "agent", "agent": agent_id, "disabled": true});
        admin.put(&format!("/v1/users/{}", made.text("id")), made.header("etag"), disabled).await.expect(200);
        assert_eq!(schedule(&admin, body).await.expect(422).text("branch"), "InvalidTargetAgentId");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_callback_is_moved_and_taken_back_by_its_number() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        centre_with(&admin, 0).await;
        let (skill, agent) = numbers(&admin).await;
        let made = schedule(&admin, asked(skill, json!(agent), "2030-01-31T09:30:00Z")).await.expect(200);
        let path = format!("{BASE}/scheduled-callbacks/{}", made.body["callbackId"]);
        let put = |body: Value| Answer::to(admin.request(Method::PUT, &path).json(&body));
        put(asked(skill, json!(""), "2030-03-01T10:00:00Z")).await.expect(200);
        let of_skill = format!("{BASE}/skills/{skill}/scheduled-callbacks");
        let listed = admin.get(&of_skill).await.expect(200);
        assert_eq!(listed.body["callbacks"][0]["callbackTime"], "2030-03-01T10:00:00Z");
        assert_eq!(listed.body["callbacks"][0]["agentId"], Value::Null);
        let mut other = asked(skill, json!(""), "2030-03-01T10:00:00Z");
        other["phoneNumber"] = json!("+14155550150");
        assert_eq!(put(other).await.expect(422).text("branch"), "InvalidPhoneNumber");
        let cancel = || Answer::to(admin.request(Method::DELETE, &format!("{path}?description=asked%20to")));
        cancel().await.expect(204);
        assert_eq!(admin.get(&of_skill).await.expect(200).body["callbacks"], json!([]));
        let all = admin.get("/v1/callbacks").await.expect(200);
        assert_eq!((all.items("state"), all.items("reason")), (vec!["cancelled"], vec!["asked to"]));
        cancel().await.expect(409);
        let unknown = admin.request(Method::DELETE, &format!("{BASE}/scheduled-callbacks/77"));
        Answer::to(unknown).await.expect_problem(404, "not_found");
        server.stop().await;
    }
}

/// "Queuecallback : Démarre un contact actif et le place dans la file d'attente sélectionnée" and "Commitment … lorsque la
/// date et l'heure arrivent … mis en file d'attente": both are offered to the agent and dialled.
#[tokio::test]
async fn what_is_due_is_offered_and_dialled() {
    for database in databases() {
        let server = Server::start_sixty_times_as_fast(database).await;
        let admin = server.tenant("A").await;
        let Centre { group, agent, .. } = centre_with(&admin, 0).await;
        let (skill, _) = numbers(&admin).await;
        let apart = json!({"firstName": "Zoé", "lastName": "M", "phoneNumber": "+14155550150", "skill": skill,
                           "targetAgent": "", "promiseDate": "2031-01-31", "promiseTime": "09:30", "timeZone": "Europe/Paris"});
        admin.post(&format!("{BASE}/promise"), apart).await.expect(200);
        let now = json!({"phoneNumber": ANSWERS, "skill": skill, "targetAgent": ""});
        let queued = admin.post(&format!("{BASE}/queuecallback"), now).await.expect(200);
        assert_eq!(queued.body["callbackId"], 2);
        let listed = admin.get(&format!("{BASE}/skills/{skill}/scheduled-callbacks")).await.expect(200);
        assert_eq!(listed.body["callbacks"][1]["callbackTime"], "2031-01-31T08:30:00Z");
        let mut socket = open(&server, &format!("agent={agent}"), Some(admin.key())).await.unwrap();
        say(&mut socket, json!({"type": "log_in"})).await;
        say(&mut socket, json!({"type": "ready"})).await;
        let actions = format!("/v1/campaign-groups/{group}/actions");
        admin.post(&actions, json!({"action": "load"})).await.expect(200);
        admin.post(&actions, json!({"action": "start"})).await.expect(200);
        let preview = hear(&mut socket, |message| message["type"] == "preview").await;
        assert_eq!(preview["number"], ANSWERS);
        say(&mut socket, json!({"type": "accept_preview"})).await;
        until(|| admin.get("/v1/callbacks?state=dialled"), |dialled| !dialled.items("id").is_empty()).await;
        server.stop().await;
    }
}
