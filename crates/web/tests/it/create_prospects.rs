//! Create Prospects v2, as its documentation has it: each test cites what it holds.

use reqwest::Method;
use serde_json::{Value, json};
use store::testing::databases;

use crate::agent_session::{open, say};
use crate::dialling::{Centre, centre_with};
use crate::support::{Answer, Caller, Server, until};

/// Test numbers that end like this are answered by a person.
const ANSWERS: &str = "+14155550130";

struct Scene<'a> {
    admin: Caller<'a>,
    centre: Centre,
    source: String,
}

impl<'a> Scene<'a> {
    async fn on(server: &'a Server) -> Self {
        let admin = server.tenant("A").await;
        let centre = centre_with(&admin, 0).await;
        let leads = json!({"name": "Leads", "campaign": centre.campaign, "default_country": "US"});
        let source = admin.create("/v1/sources", leads).await;
        Self { admin, centre, source }
    }

    /// "Créez une carte de la source du lead avec l'action CREATESOURCEMAP."
    async fn with_map(self) -> Self {
        let mapping = json!({"mapping": {"ExternalID": "Id", "FirstName": "First", "LastName": "Last",
            "TimeZone": "Zone", "ExpirationDate": "Until",
            "PhoneNumber": [{"column": "Mobile", "type": "mobile", "callerId": "Show", "attempts": "Tries",
                             "startTime": "From", "endTime": "To"}, "Home"]}});
        self.set_map("Leads", mapping).await.expect(201);
        self
    }

    async fn set_map(&self, source: &str, body: Value) -> Answer {
        let path = format!("/v1/sources/{source}/map");
        Answer::to(self.admin.request(Method::PUT, &path).json(&body)).await
    }

    async fn create(&self, body: Value) -> Answer {
        self.create_for(&self.centre.skill, body).await
    }

    async fn create_for(&self, skill: &str, body: Value) -> Answer {
        let mut whole = json!({"sourceName": "Leads", "noTimeZoneReject": "No"});
        whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        self.admin.post(&format!("/v1/skills/{skill}/prospects"), whole).await
    }

    async fn contacts(&self) -> Vec<Value> {
        let listed = self.admin.get(&format!("/v1/contacts?source={}", self.source)).await.expect(200);
        listed.body["items"].as_array().unwrap().clone()
    }
}

fn codes(answer: &Answer, group: &str) -> Vec<String> {
    let records = answer.body[group].as_array().unwrap();
    records.iter().map(|record| record["Code"].as_str().unwrap().to_owned()).collect()
}

/// "Les résultats sont des enregistrements qui ont réussi et échoué … SuccessfulRecords ou FailedRecords. Chaque dossier
/// se voit ajouter une nouvelle colonne, ResultCode, qui contient le message de réussite ou d'échec."
#[tokio::test]
async fn each_record_comes_back_in_one_of_two_groups_with_a_result_code() {
    for server in Server::on_both().await {
        let scene = Scene::on(&server).await.with_map().await;
        let good = json!({"Id": 1, "First": "Ada", "Mobile": ANSWERS, "Own": "kept"});
        let bad = json!({"Id": "2", "Mobile": "12"});
        let nameless = json!({"Mobile": ANSWERS});
        let data = json!({"data": [good, bad, nameless, {"Id": "3", "Mobile": {"a": 1}}]});
        let answer = scene.create(data.clone()).await.expect(200);
        let mut wanted = good.clone();
        wanted
            .as_object_mut()
            .unwrap()
            .extend([("ResultCode".to_owned(), json!("Created")), ("Code".to_owned(), json!("created"))]);
        assert_eq!(answer.body["successfulRecords"], json!([wanted]));
        assert_eq!(codes(&answer, "failedRecords"), ["bad_phone", "missing_external_id", "bad_field_value"]);
        let said = answer.body["failedRecords"][1]["ResultCode"].as_str().unwrap();
        assert!(said.starts_with("Missing External ID"), "{said}");
        assert_eq!(scene.contacts().await.len(), 1);
        // "L'objet de données dynamique qui contient les contacts potentiels à créer/mettre à jour."
        let again = scene.create(data).await.expect(200);
        assert_eq!(codes(&again, "successfulRecords"), ["unchanged"]);
        let changed = scene.create(json!({"data": [{"Id": 1, "First": "Eve", "Mobile": ANSWERS}]})).await;
        assert_eq!(codes(&changed.expect(200), "successfulRecords"), ["updated"]);
        assert_eq!(scene.contacts().await[0]["fields"]["first_name"], "Eve");
        server.stop().await;
    }
}

/// "Cette version de CREATEPROSPECTS prend en charge les contacts multi-numéro."
#[tokio::test]
async fn a_prospect_has_several_numbers_each_with_its_companions() {
    for server in Server::on_both().await {
        let scene = Scene::on(&server).await.with_map().await;
        let row = json!({"Id": "m", "Mobile": "415-555-0130", "Home": "+14155550150", "Show": "+14155550100",
                         "Tries": 3, "From": "09:00", "To": "18:00"});
        scene.create(json!({"data": [row]})).await.expect(200);
        let contact = &scene.contacts().await[0];
        let phones = contact["phones"].as_array().unwrap();
        assert_eq!((&phones[0]["number"], &phones[0]["kind"]), (&json!(ANSWERS), &json!("mobile")));
        assert_eq!(
            (&phones[0]["caller_id"], &phones[0]["attempts_max"]),
            (&json!("+14155550100"), &json!(3))
        );
        assert_eq!(
            (&phones[1]["number"], &phones[1]["attempts_max"]),
            (&json!("+14155550150"), &Value::Null)
        );
        assert_eq!(contact["group"], scene.centre.group, "the skill's campaign group calls it");
        server.stop().await;
    }
}

/// "Si votre carte source est non valide ou manquante, vous pouvez recevoir un message d'erreur indiquant que l'ID
/// externe est manquant."
#[tokio::test]
async fn without_a_source_map_every_record_misses_its_external_id_and_is_told_what_to_do() {
    for server in Server::on_both().await {
        let scene = Scene::on(&server).await;
        let answer = scene.create(json!({"data": [{"Id": "1", "Mobile": ANSWERS}]})).await.expect(200);
        assert_eq!(answer.body["successfulRecords"], json!([]));
        let said = answer.body["failedRecords"][0]["ResultCode"].as_str().unwrap();
        assert!(
            said.starts_with("Missing External ID") && said.contains("PUT /v1/sources/Leads/map"),
            "{said}"
        );
        assert!(scene.contacts().await.is_empty());
        server.stop().await;
    }
}

/// "Enter Yes to use the specified time zone or No to reject the contact."
#[tokio::test]
async fn without_a_time_zone_yes_uses_the_given_one_and_no_rejects() {
    for server in Server::on_both().await {
        let scene = Scene::on(&server).await.with_map().await;
        // A number that belongs to no place.
        let row = json!([{"Id": "1", "Mobile": "+80012345678"}]);
        let no = scene.create(json!({"data": row, "timeZone": "Europe/Paris"})).await.expect(200);
        assert_eq!(codes(&no, "failedRecords"), ["no_zone"]);
        let yes = json!({"data": row, "noTimeZoneReject": "Yes", "timeZone": "Europe/Paris"});
        assert_eq!(codes(&scene.create(yes).await.expect(200), "successfulRecords"), ["created"]);
        let plain = json!({"data": [{"Id": "2", "Mobile": "+80012345679"}], "noTimeZoneReject": "No",
                           "unknownTimeZone": "reject"});
        assert_eq!(codes(&scene.create(plain).await.expect(200), "failedRecords"), ["no_zone"]);
        server.stop().await;
    }
}

/// "Date d'expiration par défaut à utiliser si une date d'expiration au niveau de la ligne n'est pas fournie."
#[tokio::test]
async fn the_default_expiration_counts_where_the_row_has_none() {
    for server in Server::on_both().await {
        let scene = Scene::on(&server).await.with_map().await;
        let data = json!([{"Id": "1", "Mobile": ANSWERS},
                          {"Id": "2", "Mobile": "+14155550131", "Until": "2031-05-01T10:00:00Z"}]);
        scene.create(json!({"data": data, "defaultExpirationDate": "2030-12-31"})).await.expect(200);
        let mut ends: Vec<_> =
            scene.contacts().await.iter().map(|it| it["expires_at"].as_str().unwrap().to_owned()).collect();
        ends.sort();
        assert_eq!(ends, ["2031-01-01T00:00:00Z", "2031-05-01T10:00:00Z"]);
        server.stop().await;
    }
}

/// "OnError: Chemin emprunté lorsque l'action ne s'exécute pas correctement … La variable _ERR, avec un caractère de
/// soulignement simple, doit contenir une explication condensée du problème."
#[tokio::test]
async fn a_call_that_fails_as_a_whole_takes_the_branch_on_error_and_makes_nothing() {
    for server in Server::on_both().await {
        let scene = Scene::on(&server).await.with_map().await;
        let row = json!([{"Id": "1", "Mobile": ANSWERS}]);
        let idle = scene.admin.create("/v1/skills", json!({"name": "Idle"})).await;
        let many: Vec<Value> = (0..10_001).map(|n| json!({"Id": n})).collect();
        let cases = [
            (scene.create(json!({"data": row, "sourceName": "Nobody"})).await, 422, "unknown_source"),
            (scene.create(json!({"data": row, "timeZone": "Mars/Base"})).await, 422, "unknown_zone"),
            (scene.create(json!({"data": row, "defaultExpirationDate": "soon"})).await, 422, "bad_date"),
            (
                scene.create(json!({"data": row, "defaultExpirationDate": "2001-01-01"})).await,
                422,
                "bad_date",
            ),
            (scene.create(json!({"data": "x"})).await, 422, "bad_body"),
            (scene.create(json!({ "data": many })).await, 422, "too_many"),
            (scene.create_for(&idle, json!({"data": row})).await, 422, "not_outbound_skill"),
            (scene.create_for("999", json!({"data": row})).await, 404, "not_found"),
        ];
        for (answer, status, code) in cases {
            let answer = answer.expect_problem(status, code);
            assert_eq!(answer.text("branch"), "OnError");
            assert_eq!(answer.text("_ERR"), answer.text("detail"));
        }
        assert!(scene.contacts().await.is_empty());
        server.stop().await;
    }
}

#[tokio::test]
async fn ten_thousand_prospects_go_in_one_call() {
    for server in Server::on_both().await {
        let scene = Scene::on(&server).await.with_map().await;
        let rows: Vec<Value> = (0..10_000)
            .map(|n| json!({"Id": n, "First": "A name of some length", "Mobile": format!("+1212555{n:04}")}))
            .collect();
        let answer = scene.create(json!({ "data": rows })).await.expect(200);
        assert_eq!(answer.body["successfulRecords"].as_array().unwrap().len(), 10_000);
        server.stop().await;
    }
}

/// "un script cérébral qui sera signalé pour obtenir de nouveaux contacts à composer": what comes in is dialled.
#[tokio::test]
async fn prospects_are_dialled_by_the_skills_agents() {
    for database in databases() {
        let server = Server::start_sixty_times_as_fast(database).await;
        let scene = Scene::on(&server).await.with_map().await;
        let Centre { group, agent, .. } = &scene.centre;
        // By the skill's number, as the vendor has it.
        let skills = scene.admin.get("/incontactapi/services/v33.0/skills").await.expect(200);
        let number = skills.body["skills"][0]["skillId"].to_string();
        let answer =
            scene.create_for(&number, json!({"data": [{"Id": "1", "Mobile": ANSWERS}]})).await.expect(200);
        assert_eq!(codes(&answer, "successfulRecords"), ["created"]);
        let mut socket = open(&server, &format!("agent={agent}"), Some(scene.admin.key())).await.unwrap();
        say(&mut socket, json!({"type": "log_in"})).await;
        say(&mut socket, json!({"type": "ready"})).await;
        let actions = format!("/v1/campaign-groups/{group}/actions");
        scene.admin.post(&actions, json!({"action": "load"})).await.expect(200);
        scene.admin.post(&actions, json!({"action": "start"})).await.expect(200);
        let attempts = until(
            || scene.admin.get("/v1/attempts"),
            |attempts| attempts.body["items"][0]["answered_at"].is_string(),
        )
        .await;
        assert_eq!(attempts.body["items"][0]["number"], ANSWERS);
        server.stop().await;
    }
}

#[tokio::test]
async fn prospects_are_found_and_removed_in_the_same_two_groups() {
    for server in Server::on_both().await {
        let scene = Scene::on(&server).await.with_map().await;
        let rows = json!([{"Id": "1", "First": "Ada", "Last": "L", "Mobile": ANSWERS}, {"Id": "2", "Mobile": "+14155550131"}]);
        scene.create(json!({ "data": rows })).await.expect(200);
        let path = format!("/v1/skills/{}/prospects", scene.centre.skill);
        for (query, count) in [
            ("", 2),
            ("&externalId=2", 1),
            ("&phoneNumber=%2B14155550130", 1),
            ("&firstName=Ada&lastName=L", 1),
            ("&firstName=Ada&lastName=X", 0),
        ] {
            let found = scene.admin.get(&format!("{path}?sourceName=Leads{query}")).await.expect(200);
            assert_eq!(found.items("id").len(), count, "{query}");
        }
        scene
            .admin
            .get(&format!("{path}?sourceName=Leads&firstName=Ada"))
            .await
            .expect_problem(422, "missing");
        let remove = json!({"sourceName": "Leads", "prospectsToRemove": [{"externalId": "1"}, {"externalId": "9"}, {}]});
        let answer = scene.admin.post(&format!("{path}/remove"), remove).await.expect(200);
        assert_eq!(codes(&answer, "successfulRecords"), ["removed"]);
        assert_eq!(codes(&answer, "failedRecords"), ["not_found", "missing_external_id"]);
        let closed = scene.admin.get(&format!("{path}?sourceName=Leads&externalId=1")).await.expect(200);
        assert_eq!(closed.body["items"][0]["final_reason"], "closed");
        let vendor = Answer::to(
            scene
                .admin
                .request(
                    Method::DELETE,
                    "/incontactapi/services/v33.0/lists/call-lists/Leads/removeProspects",
                )
                .json(&json!({"prospectsToRemove": [{"externalId": "2"}]})),
        );
        assert_eq!(codes(&vendor.await.expect(200), "successfulRecords"), ["removed"]);
        server.stop().await;
    }
}

/// The branches of Create Source Map.
#[tokio::test]
async fn a_source_map_is_refused_in_the_vendors_branches_and_changes_nothing() {
    for server in Server::on_both().await {
        let scene = Scene::on(&server).await;
        let map = |extra: Value| {
            let mut mapping = json!({"ExternalID": "Id", "PhoneNumber": "Mobile"});
            mapping.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            json!({ "mapping": mapping })
        };
        let eleven: Vec<_> = (0..11).map(|n| format!("Tel{n}")).collect();
        for (source, body, status, branch) in [
            ("Nobody", map(json!({})), 404, "InvalidSource"),
            ("Leads", json!({"columns": {}}), 422, "InvalidRootNode"),
            ("Leads", map(json!({"Shoe": "S"})), 422, "InvalidFieldName"),
            ("Leads", json!({"mapping": {"ExternalID": "Id"}}), 422, "MissingRequiredField"),
            ("Leads", map(json!({ "PhoneNumber": eleven })), 422, "ExceededMaxDestinations"),
            ("Leads", map(json!({"FirstName": 1})), 422, "Error"),
        ] {
            let refused = scene.set_map(source, body).await.expect(status);
            assert_eq!(refused.text("branch"), branch, "{}", refused.body);
        }
        scene.admin.get("/v1/sources/Leads/map").await.expect_problem(404, "not_found");
        assert_eq!(scene.set_map("Leads", map(json!({}))).await.expect(201).text("result"), "Success");
        assert_eq!(
            scene.set_map(&scene.source, map(json!({}))).await.expect(200).text("result"),
            "NoChangesMade"
        );
        let other = map(json!({"FirstName": "First"}));
        assert_eq!(scene.set_map("Leads", other).await.expect(200).text("result"), "Success");
        assert_eq!(scene.admin.get("/v1/sources/Leads/map").await.expect(200).text("name"), "Rows");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_calling_list_is_created_filled_and_looked_at_in_the_vendors_words() {
    for server in Server::on_both().await {
        let scene = Scene::on(&server).await;
        let base = "/incontactapi/services/v33.0/lists/call-lists";
        let new = json!({"listName": "Spring", "externalIdColumn": "id", "firstNameColumn": "vn",
                         "destinationMappings": [{"fieldName": "PhoneNumber", "fieldValue": "tel"}]});
        let list = scene.admin.post(base, new.clone()).await.expect(200).body["listId"].as_i64().unwrap();
        scene.admin.post(base, new).await.expect_problem(409, "name_taken");
        // id,vn,tel: one good row and one without a number that can be dialled.
        let upload = json!({"listFile": "aWQsdm4sdGVsCjEsQWRhLCsxNDE1NTU1MDEzMAoyLEV2ZSwxMgo=", "fileName": "spring.csv",
            "skillId": scene.centre.skill, "forceOverwrite": true, "expirationDate": "2031-01-01",
            "startSkill": false, "sendEmail": false});
        let job = scene.admin.post(&format!("{base}/{list}/upload"), upload.clone()).await.expect(200);
        let job = job.body["jobId"].as_i64().unwrap();
        let path = format!("{base}/jobs/{job}");
        let done = until(|| scene.admin.get(&path), |job| job.body["isComplete"] == true).await;
        assert_eq!((&done.body["validRecords"], &done.body["invalidRecords"]), (&json!(1), &json!(1)));
        assert_eq!(done.text("listName"), "Spring");
        let errors = scene.admin.get(&format!("{path}/errors")).await.expect(200);
        assert_eq!(errors.items("code"), ["no_country"]);
        let lists = scene.admin.get(base).await.expect(200);
        let spring =
            lists.body["callLists"].as_array().unwrap().iter().find(|it| it["listId"] == list).unwrap();
        assert_eq!((&spring["totalRecords"], &spring["status"]), (&json!(1), &json!("Active")));
        let broken = |field: &str, value: Value| {
            let mut body = upload.clone();
            body[field] = value;
            body
        };
        for (field, value, code) in [
            ("listFile", json!("%%%"), "bad_base64"),
            ("defaultTimeZone", json!("Mars/Base"), "unknown_zone"),
            ("expirationDate", json!("x"), "bad_date"),
        ] {
            scene
                .admin
                .post(&format!("{base}/{list}/upload"), broken(field, value))
                .await
                .expect_problem(422, code);
        }
        server.stop().await;
    }
}
