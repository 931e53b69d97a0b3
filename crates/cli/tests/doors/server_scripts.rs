//! Server scripts, as their documentation has them: each test cites what it holds.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Demo, Other, answer};

/// A demonstration that does not dial by itself.
fn quiet(configuration: &str) -> Demo {
    Demo::start(&["--contacts", "5", "--seconds", "0"], configuration)
}

async fn any_contact(demo: &Demo) -> Value {
    demo.get(&format!("/v1/contacts?source={}&limit=1", demo.id("source"))).await["items"][0].clone()
}

async fn try_out(demo: &Demo, source: &str, with: Value) -> Value {
    let name = format!(
        "Try {}",
        uuid::Uuid::from_u128(source.len() as u128 * 7919 + with.to_string().len() as u128)
    );
    let made = demo.post("/v1/scripts", json!({"name": name, "source": source}), 201).await;
    let tried = demo.post(&format!("/v1/scripts/{}/try", made["id"].as_str().unwrap()), with, 200).await;
    let path = format!("/v1/scripts/{}", made["id"].as_str().unwrap());
    answer(demo.request(Method::DELETE, &path).header("if-match", "\"1\""), 204).await;
    tried
}

/// "They can connect to external applications or databases to decide if a contact should be dialed."
#[tokio::test]
async fn a_pre_call_script_asks_other_systems_and_databases() {
    let crm = Other::start().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("crm.db");
    std::fs::File::create(&file).unwrap();
    let address = ("crm".to_owned(), format!("sqlite://{}", file.display()));
    let database = scripting::sql::Connections::new([address]).unwrap();
    for statement in ["CREATE TABLE bought (customer TEXT)", "INSERT INTO bought VALUES ('1')"] {
        database.query(&json!(["crm", statement]), false).await.unwrap();
    }
    let configuration = format!(
        "[scripts]\nallow_private_addresses = true\nhosts = {{ \"*\" = [\"127.0.0.1\"] }}\n\
         [[scripts.connections]]\nname = \"crm\"\nurl = \"sqlite://{}\"\n\
         [[scripts.connections]]\nname = \"erp\"\ntenant = \"Demo\"\nurl = \"{}\"\n",
        file.display(),
        std::env::var("TEST_MYSQL_URL").expect("TEST_MYSQL_URL is the address of a MariaDB or MySQL server"),
    );
    let demo = quiet(&configuration);
    let source = format!(
        "export async function executePreCallScript(contact) {{
            const answer = await fetch('{}/customers', {{ method: 'GET' }});
            const {{ vip }} = await answer.json();
            const rows = await sql.query('crm', 'SELECT customer FROM bought WHERE customer = ?', ['1']);
            const [{{ sum }}] = await sql.query('erp', 'SELECT ? + 1 AS sum', [1]);
            log('asked', answer.status, sum);
            return vip && rows.length === 1 ? {{ action: 'close', reason: 'has bought' }} : null;
        }}",
        crm.url
    );
    let contact = any_contact(&demo).await;
    let tried = try_out(&demo, &source, json!({"contact": contact["id"]})).await;
    assert_eq!(tried["returned"], json!({"action": "close", "reason": "has bought"}), "{tried}");
    assert_eq!(tried["logs"], json!(["asked 200 2"]));
    // What would change something is told and not done.
    let changes = "export async function executePreCallScript() {
        await kv.set('seen', 1);
        let refused; try { await sql.query('crm', \"DELETE FROM bought\"); } catch (error) { refused = error.message; }
        let also; try { await sql.query('erp', \"CREATE TABLE made (x INT)\"); } catch (error) { also = error.message; }
        return { fields: { last_name: refused, first_name: also } };
    }";
    let tried = try_out(&demo, changes, json!({"contact": contact["id"]})).await;
    assert_eq!(tried["would_do"], json!([{"function": "kv.set", "arguments": ["seen", 1]}]));
    assert!(tried["returned"]["fields"]["last_name"].as_str().unwrap().contains("readonly"), "{tried}");
    assert!(tried["returned"]["fields"]["first_name"].as_str().unwrap().contains("READ ONLY"), "{tried}");
    let left = database.query(&json!(["crm", "SELECT COUNT(*) AS n FROM bought"]), false).await.unwrap();
    assert_eq!(left, json!([{"n": 1}]));
    assert_eq!(any_contact(&demo).await["fields"], contact["fields"]);
}

#[tokio::test]
async fn what_one_tenant_may_reach_no_other_does_and_the_error_says_what_to_do() {
    let crm = Other::start().await;
    let demo = quiet(
        "[scripts]\nallow_private_addresses = true\nhosts = { Globex = [\"127.0.0.1\"] }\n\
         [[scripts.connections]]\nname = \"crm\"\ntenant = \"Globex\"\nurl = \"sqlite:///crm.db\"\n",
    );
    let source = format!(
        "async function refusal(what) {{ try {{ await what(); }} catch (error) {{ return error.message; }} }}
        export async function executePreCallScript() {{
            log(await refusal(() => fetch('{}')));
            log(await refusal(() => sql.query('crm', 'SELECT 1')));
        }}",
        crm.url
    );
    let tried = try_out(&demo, &source, json!({"contact": any_contact(&demo).await["id"]})).await;
    let said = |line: usize, what: &str| tried["logs"][line].as_str().is_some_and(|text| text.contains(what));
    assert!(said(0, "127.0.0.1 is not among the hosts") && said(0, "[scripts.hosts]"), "{tried}");
    assert!(said(1, "no connection 'crm'") && said(1, "[[scripts.connections]]"), "{tried}");
    assert_eq!(crm.told(), Vec::<Value>::new());
}

/// "The sample board must have the same script name that the developer uses."
#[tokio::test]
async fn a_campaign_refers_to_a_script_by_its_name() {
    let demo = quiet("");
    let path = format!("/v1/campaigns/{}", demo.id("campaign"));
    let campaign = demo.get(&path).await;
    let mut wrong = campaign.clone();
    wrong["scripts"] = json!({"pre_call": "Nobody"});
    let refused =
        answer(demo.request(Method::PUT, &path).header("if-match", "\"1\"").json(&wrong), 422).await;
    assert_eq!(
        (&refused["code"], &refused["field"]),
        (&json!("unknown_reference"), &json!("scripts.pre_call"))
    );
    let source = "export function executePreCallScript() {}";
    let script = demo.post("/v1/scripts", json!({"name": "Gate", "source": source}), 201).await;
    demo.change(&path, json!({"scripts": {"pre_call": "gate"}})).await;
    let script = format!("/v1/scripts/{}", script["id"].as_str().unwrap());
    let gone = answer(demo.request(Method::DELETE, &script).header("if-match", "\"1\""), 409).await;
    assert_eq!(gone["code"], "in_use");
    let renamed = json!({"name": "Other", "source": source});
    let renamed =
        answer(demo.request(Method::PUT, &script).header("if-match", "\"1\"").json(&renamed), 409).await;
    assert_eq!(renamed["code"], "in_use");
    // What cannot be loaded is not stored, and its place is told.
    for (source, wanted) in [
        ("export function executePreCallScript( {", "Broken:1"),
        ("export function other() {}", "executePreCallScript"),
        ("import 'fs'; export function executePreCallScript() {}", "fs"),
    ] {
        let refused = demo.post("/v1/scripts", json!({"name": "Broken", "source": source}), 422).await;
        assert_eq!(refused["code"], "bad_script");
        assert!(refused["detail"].as_str().unwrap().contains(wanted), "{refused}");
    }
}

/// "checking the Call Result, adjusting Rescheduling plans": the phase and the call are there.
#[tokio::test]
async fn a_post_call_script_sees_the_call_and_its_phase() {
    let demo = quiet("");
    let contact = any_contact(&demo).await;
    let source = "export function executePostCallScript(contact, call, context) {
        return { result: call.result === 'busy' ? 'no_answer' : undefined, fields: { last_name: context.phase } };
    }";
    let tried = try_out(&demo, source, json!({"contact": contact["id"], "result": "busy"})).await;
    assert_eq!(
        tried["returned"],
        json!({"result": "no_answer", "fields": {"last_name": "beforeReschedule"}}),
        "{tried}"
    );
    let types = answer(demo.request(Method::GET, "/v1/scripts/outdial.d.ts"), 200).await;
    assert!(types.as_str().unwrap().contains("type PreCallVerdict"));
}

/// An error does what the campaign's policy says, and is shown with its stack.
#[tokio::test]
async fn an_error_is_kept_with_its_stack_and_the_policy_decides() {
    let demo = Demo::start(&["--contacts", "500", "--seconds", "120"], "");
    let source = "export function executePreCallScript(contact) { throw new Error('the CRM is down'); }";
    let script = demo.post("/v1/scripts", json!({"name": "Broken", "source": source}), 201).await;
    let scripts = json!({"scripts": {"pre_call": "Broken", "on_error": {"action": "close"}}});
    demo.change(&format!("/v1/campaigns/{}", demo.id("campaign")), scripts).await;
    let path = format!("/v1/scripts/{}/errors", script["id"].as_str().unwrap());
    let has_any = |errors: &Value| errors["items"].as_array().is_some_and(|items| !items.is_empty());
    let errors = demo.until(&path, has_any).await;
    let error = &errors["items"][0];
    assert_eq!((&error["kind"], &error["phase"]), (&json!("threw"), &json!("pre_call")));
    assert_eq!((&error["message"], &error["version"]), (&json!("Error: the CRM is down"), &json!(1)));
    assert!(error["stack"].as_str().unwrap().contains("Broken:1"), "{error}");
    let contact = format!("/v1/contacts/{}", error["contact"].as_str().unwrap());
    let closed = demo.until(&contact, |contact| contact["state"] == "final").await;
    assert_eq!(closed["final_reason"], "closed_by_script");
}
