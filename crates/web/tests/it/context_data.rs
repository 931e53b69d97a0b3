//! The ContextData web callback, as its documentation has it: each test cites what it holds.

use reqwest::Method;
use serde_json::{Value, json};
use store::testing::databases;
use web::WebSettings;

use crate::agent_session::{hear, open, say};
use crate::dialling::{Centre, centre_with};
use crate::support::{Answer, Caller, Server, until};

/// The sample of a campaign record, with its dates filled in and the bracket that its page lost before the first element.
const CAMPAIGN_RECORD: &str = r#"<contextdata>
            <campaigndata>
                        <Name>My Customer Name</Name>
                        <PhoneNumber>0123456789</PhoneNumber>
            </campaigndata>
            <systemdata xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
    <CurrentActivity xsi:nil="true" />
                         <State>15</State>
                         <SortInfo>-2</SortInfo>
                         <DialStartDate>2031-05-02 10:00:00.000</DialStartDate>
                         <DialEndDate>2031-05-03 10:00:00.000</DialEndDate>
                         <CreationTime>2026-05-01 08:00:00.000</CreationTime>
                         <ImportTag>ImportTag</ImportTag>
            </systemdata>
</contextdata>"#;

/// The sample of a record that is bound to an activity, with its dates filled in.
const ACTIVITY_RECORD: &str = r#"<contextdata>
            <campaigndata>
                        <Name>My Customer Name</Name>
                        <PhoneNumber>0123456789</PhoneNumber>
            </campaigndata>
            <systemdata>
                        <CurrentActivity>47b8f8ead10d45c7ac2331c5b47a48b8</CurrentActivity>
                         <State>15</State>
                         <SortInfo>-2</SortInfo>
                         <DialStartDate>2031-05-02 10:00:00.000</DialStartDate>
                         <DialEndDate>2031-05-03 10:00:00.000</DialEndDate>
                         <CreationTime>2026-05-01 08:00:00.000</CreationTime>
                         <ImportTag>ImportTag</ImportTag>
            </systemdata>
</contextdata>"#;

struct Scene<'a> {
    admin: Caller<'a>,
    centre: Centre,
}

impl<'a> Scene<'a> {
    async fn on(server: &'a Server) -> Self {
        let admin = server.tenant("A").await;
        let centre = centre_with(&admin, 0).await;
        // The samples write a French number as it is written in France.
        let sources = admin.get("/v1/sources").await.expect(200);
        let source = &sources.body["items"][0];
        let path = format!("/v1/sources/{}", source["id"].as_str().unwrap());
        let french = json!({"name": "List", "campaign": centre.campaign, "default_country": "FR"});
        admin.put(&path, "\"1\"", french).await.expect(200);
        Self { admin, centre }
    }

    fn campaign(&self) -> String {
        self.centre.campaign.replace('-', "")
    }

    fn group(&self) -> String {
        self.centre.group.replace('-', "")
    }

    async fn post(&self, query: &str, body: &str) -> Answer {
        post(&self.admin, query, body).await
    }

    async fn create(&self, body: &str) -> Answer {
        self.post(&format!("action=CreateContextData&context={}", self.campaign()), body).await
    }

    async fn refused(&self, body: &str) -> (u16, String, String) {
        let answer = self.create(body).await;
        (answer.status, element(&answer, "code"), element(&answer, "path"))
    }

    async fn count(&self) -> usize {
        let path = format!("/v1/contacts?campaign={}", self.centre.campaign);
        self.admin.get(&path).await.expect(200).items("id").len()
    }
}

async fn post(caller: &Caller<'_>, query: &str, body: &str) -> Answer {
    Answer::to(
        caller
            .request(Method::POST, &format!("/data?{query}"))
            .header("content-type", "text/xml")
            .body(body.to_owned()),
    )
    .await
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.bytes.clone()).unwrap()
}

/// The text of the first element of this name.
fn element(answer: &Answer, name: &str) -> String {
    let text = text(answer);
    let (_, rest) = text.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no <{name}> in {text}"));
    rest.split_once("</").unwrap().0.to_owned()
}

/// "The first way is to create a record that can be handled by any activity of the campaign." "CurrentActivity = Empty",
/// "State = 15 (state description: Callback)", "DialStartDate = Callback date", "DialEndDate = Callback end validity date".
#[tokio::test]
async fn the_sample_of_a_campaign_record_becomes_a_callback_for_any_activity() {
    for server in Server::on_both().await {
        let scene = Scene::on(&server).await;
        let made = scene.create(CAMPAIGN_RECORD).await.expect(200);
        assert_eq!(made.header("content-type"), "application/xml; charset=utf-8");
        let id = element(&made, "Internal__Id__");
        assert_eq!(id.len(), 32);
        let contact = scene.admin.get(&format!("/v1/contacts/{id}")).await.expect(200);
        assert_eq!(contact.body["group"], Value::Null, "any campaign group may take it");
        assert_eq!(contact.body["phones"][0]["number"], "+33123456789");
        assert_eq!(contact.body["fields"]["Name"], "My Customer Name");
        assert_eq!(contact.body["fields"]["PhoneNumber"], "0123456789");
        assert_eq!(contact.body["tag"], "ImportTag");
        assert_eq!(contact.text("created_at"), "2026-05-01T08:00:00Z");
        let callbacks = scene.admin.get("/v1/callbacks").await.expect(200);
        let callback = &callbacks.body["items"][0];
        assert_eq!(callback["state"], "scheduled");
        assert_eq!(callback["due"], "2031-05-02T10:00:00Z");
        assert_eq!(callback["valid_until"], "2031-05-03T10:00:00Z");
        assert!(text(&made).contains("<CurrentActivity xsi:nil=\"true\" />"), "{}", text(&made));
        for (name, wanted) in
            [("State", "15"), ("SortInfo", "-2"), ("DialStartDate", "2031-05-02 10:00:00.000")]
        {
            assert_eq!(element(&made, name), wanted);
        }
        server.stop().await;
    }
}

/// "The seconded way is a record that is associated with an activity." "to be replaced with destination activity".
#[tokio::test]
async fn the_sample_of_a_record_associated_to_an_activity_is_bound_to_it() {
    for server in Server::on_both().await {
        let scene = Scene::on(&server).await;
        assert_eq!(
            scene.refused(ACTIVITY_RECORD).await,
            (422, "unknown_activity".to_owned(), "/contextdata/systemdata/CurrentActivity".to_owned())
        );
        let own = ACTIVITY_RECORD.replace("47b8f8ead10d45c7ac2331c5b47a48b8", &scene.group());
        let made = scene.create(&own).await.expect(200);
        assert_eq!(element(&made, "CurrentActivity"), scene.group());
        let contact = scene.admin.get(&format!("/v1/contacts/{}", element(&made, "Internal__Id__"))).await;
        assert_eq!(contact.expect(200).body["group"], scene.centre.group);
        // The most specific of contact, activity and context counts.
        let query = format!("action=CreateContextData&context={}&activity={}", "0".repeat(32), scene.group());
        let by_query = scene.post(&query, CAMPAIGN_RECORD).await.expect(200);
        assert_eq!(element(&by_query, "CurrentActivity"), scene.group());
        server.stop().await;
    }
}

/// "The first is the 'Call me back now' and the second is the 'Call me back at'. The main difference between the 2 is that
/// the second have a callback date/time." It is due at once, offered to the agent and dialled.
#[tokio::test]
async fn call_me_back_now_is_dialled_at_once() {
    for database in databases() {
        let server = Server::start_sixty_times_as_fast(database).await;
        let scene = Scene::on(&server).await;
        let now = "<contextdata><campaigndata><Name>Ada</Name><PhoneNumber>+14155550130</PhoneNumber></campaigndata>\
                   <systemdata><State>15</State><SortInfo>-2</SortInfo></systemdata></contextdata>";
        let made = scene.create(now).await.expect(200);
        let mut socket =
            open(&server, &format!("agent={}", scene.centre.agent), Some(scene.admin.key())).await.unwrap();
        say(&mut socket, json!({"type": "log_in"})).await;
        say(&mut socket, json!({"type": "ready"})).await;
        let actions = format!("/v1/campaign-groups/{}/actions", scene.centre.group);
        scene.admin.post(&actions, json!({"action": "load"})).await.expect(200);
        scene.admin.post(&actions, json!({"action": "start"})).await.expect(200);
        let preview = hear(&mut socket, |message| message["type"] == "preview").await;
        assert_eq!(preview["number"], "+14155550130");
        say(&mut socket, json!({"type": "accept_preview"})).await;
        let path = format!("/v1/attempts?contact={}", element(&made, "Internal__Id__"));
        until(|| scene.admin.get(&path), |attempts| attempts.body["items"][0]["answered_at"].is_string())
            .await;
        server.stop().await;
    }
}

/// "SortInfo -2": a negative one jumps the queue, also where there is no State.
#[tokio::test]
async fn a_negative_sort_info_is_called_before_all_others() {
    for database in databases() {
        let server = Server::start_sixty_times_as_fast(database).await;
        let scene = Scene::on(&server).await;
        let record = |name: &str, number: &str, sort: &str| {
            format!(
                "<contextdata><campaigndata><Name>{name}</Name><PhoneNumber>{number}</PhoneNumber></campaigndata>\
                 <systemdata><SortInfo>{sort}</SortInfo></systemdata></contextdata>"
            )
        };
        scene.create(&record("Waits", "+14155550150", "0")).await.expect(200);
        scene.create(&record("Hot", "+14155550130", "-1000")).await.expect(200);
        let mut socket =
            open(&server, &format!("agent={}", scene.centre.agent), Some(scene.admin.key())).await.unwrap();
        say(&mut socket, json!({"type": "log_in"})).await;
        say(&mut socket, json!({"type": "ready"})).await;
        let actions = format!("/v1/campaign-groups/{}/actions", scene.centre.group);
        scene.admin.post(&actions, json!({"action": "load"})).await.expect(200);
        scene.admin.post(&actions, json!({"action": "start"})).await.expect(200);
        let attempts = until(|| scene.admin.get("/v1/attempts"), |it| !it.items("id").is_empty()).await;
        let numbers = attempts.items("number");
        assert_eq!(numbers.last(), Some(&"+14155550130"), "the newest come first in {numbers:?}");
        server.stop().await;
    }
}

/// "Respect the casing of the fields." "The phone number is always required and need to be put in 1 of the fields where the
/// field meaning is set to a phone number."
#[tokio::test]
async fn what_is_wrong_is_told_with_status_code_and_path_and_changes_nothing() {
    for server in Server::on_both().await {
        let scene = Scene::on(&server).await;
        let with = |from: &str, to: &str| CAMPAIGN_RECORD.replace(from, to);
        let campaign = "/contextdata/campaigndata";
        let system = "/contextdata/systemdata";
        let long = "x".repeat(251);
        for (body, status, code, path) in [
            (with("Name>", "name>"), 422, "unknown_field", format!("{campaign}/name")),
            (with("<PhoneNumber>0123456789</PhoneNumber>", ""), 422, "no_phone", campaign.to_owned()),
            (with("0123456789", "12"), 422, "bad_phone", campaign.to_owned()),
            (with(">15<", ">16<"), 422, "bad_state", format!("{system}/State")),
            (with(">-2<", ">high<"), 422, "bad_number", format!("{system}/SortInfo")),
            (
                with("2031-05-02 10:00:00.000", "yyyy-MM-dd hh:mm:ss.000"),
                422,
                "bad_date",
                format!("{system}/DialStartDate"),
            ),
            (with("2031-05-03", "2031-05-01"), 422, "bad_date", format!("{system}/DialEndDate")),
            (with("2026-05-01 08:00:00.000", "soon"), 422, "bad_date", format!("{system}/CreationTime")),
            (
                with(">ImportTag<", &format!(">{long}<")),
                422,
                "bad_field_value",
                format!("{system}/ImportTag"),
            ),
            (with("State>", "Shoe>"), 422, "unknown_field", format!("{system}/Shoe")),
            (with("<contextdata>", "contextdata>"), 422, "unexpected_text", "/".to_owned()),
            (with("<contextdata>", "<!DOCTYPE a><contextdata>"), 400, "doctype_forbidden", "/".to_owned()),
        ] {
            let refused = scene.refused(&body).await;
            assert_eq!(refused, (status, code.to_owned(), path), "{body}");
        }
        for (query, status, code) in [
            (format!("action=DeleteContextData&context={}", scene.campaign()), 405, "method_not_allowed"),
            (format!("action=CreateContextData&context={}", "0".repeat(32)), 404, "not_found"),
            ("action=CreateContextData&context=38e8f8dfgg4fd5g1dfg8df4g618g".to_owned(), 422, "bad_id"),
            ("action=CreateContextData".to_owned(), 422, "missing"),
        ] {
            let refused = scene.post(&query, CAMPAIGN_RECORD).await.expect(status);
            assert_eq!(element(&refused, "code"), code, "{query}");
        }
        assert_eq!(scene.count().await, 0);
        server.stop().await;
    }
}

#[tokio::test]
async fn nobody_gets_in_without_a_key_unless_the_operator_names_their_network() {
    for database in databases() {
        let server = Server::start(database, WebSettings::default()).await;
        let scene = Scene::on(&server).await;
        let query = format!("action=CreateContextData&context={}", scene.campaign());
        let refused = post(&server.nobody(), &query, CAMPAIGN_RECORD).await.expect(401);
        assert_eq!(element(&refused, "code"), "unauthenticated");
        assert!(refused.header("www-authenticate").starts_with("Basic"));
        let basic = server.nobody().request(Method::POST, &format!("/data?{query}"));
        let basic = basic.basic_auth("web site", Some(scene.admin.key())).body(CAMPAIGN_RECORD);
        Answer::to(basic).await.expect(200);
        server.stop().await;
    }
    for database in databases() {
        let callbacks_without_key_from = vec!["127.0.0.0/8".parse().unwrap()];
        let server =
            Server::start(database, WebSettings { callbacks_without_key_from, ..WebSettings::default() })
                .await;
        let scene = Scene::on(&server).await;
        let query = format!("action=CreateContextData&context={}", scene.campaign());
        post(&server.nobody(), &query, CAMPAIGN_RECORD).await.expect(200);
        let read = format!("/data?action=ListContextFields&context={}", scene.campaign());
        server.nobody().get(&read).await.expect(401);
        server.stop().await;
    }
}

/// The vendor makes two records of a double click; here a repeated request makes one.
#[tokio::test]
async fn a_repeated_request_makes_one_record() {
    for server in Server::on_both().await {
        let scene = Scene::on(&server).await;
        let query = format!("/data?action=CreateContextData&context={}", scene.campaign());
        let send = || {
            let request = scene.admin.request(Method::POST, &query).header("idempotency-key", "click");
            Answer::to(request.body(CAMPAIGN_RECORD))
        };
        let (first, second) = (send().await.expect(200), send().await.expect(200));
        assert_eq!(first.bytes, second.bytes);
        assert_eq!(scene.count().await, 1);
        scene.create(CAMPAIGN_RECORD).await.expect(200);
        assert_eq!(scene.count().await, 2, "without the key each is a request of its own");

        let path = format!("/v1/campaigns/{}", scene.centre.campaign);
        let mut campaign = scene.admin.get(&path).await.expect(200);
        campaign.body["repeat_minutes"] = json!(10);
        let tag = campaign.header("etag").to_owned();
        scene.admin.put(&path, &tag, campaign.body).await.expect(200);
        let (third, other) = tokio::join!(scene.create(CAMPAIGN_RECORD), scene.create(CAMPAIGN_RECORD));
        let ids = [third, other].map(|answer| element(&answer.expect(200), "Internal__Id__"));
        assert_eq!(ids[0], ids[1]);
        assert_eq!(
            scene.count().await,
            2,
            "the campaign takes requests for a number within ten minutes as one"
        );
        scene.create(&CAMPAIGN_RECORD.replace("0123456789", "0123456780")).await.expect(200);
        assert_eq!(scene.count().await, 3);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_record_is_found_read_and_changed() {
    for server in Server::on_both().await {
        let scene = Scene::on(&server).await;
        let id = element(&scene.create(CAMPAIGN_RECORD).await.expect(200), "Internal__Id__");
        let read = |query: String| {
            let admin = &scene.admin;
            async move { admin.get(&format!("/data?{query}")).await }
        };
        let got = read(format!("action=GetContextData&contact={id}")).await.expect(200);
        assert_eq!(element(&got, "Name"), "My Customer Name");
        let found =
            read(format!("action=ListMatchingData&Context={}&__PhoneNumber=0123456789", scene.campaign()));
        assert_eq!(element(&found.await.expect(200), "Internal__Id__"), id);
        let none = read(format!("action=ListMatchingData&context={}&__Name=Nobody", scene.campaign()))
            .await
            .expect(200);
        assert!(text(&none).contains("<contextdatalist></contextdatalist>"), "{}", text(&none));
        let bad =
            read(format!("action=ListMatchingData&context={}&__TEL=1", scene.campaign())).await.expect(422);
        assert_eq!(
            (element(&bad, "code"), element(&bad, "path")),
            ("unknown_field".to_owned(), "__TEL".to_owned())
        );
        let contexts = read("action=ListContexts".to_owned()).await.expect(200);
        assert!(text(&contexts).contains(&format!("<context id=\"{}\" name=\"Winter\">", scene.campaign())));
        assert!(text(&contexts).contains(&format!("<activity id=\"{}\" name=\"Team\" />", scene.group())));
        let fields = read(format!("action=ListContextFields&context={}", scene.campaign())).await.expect(200);
        assert!(text(&fields).contains("<field name=\"PhoneNumber\" type=\"text\" meaning=\"home_phone\""));

        let change = "<contextdata><campaigndata><Name>Other &amp; Sons</Name></campaigndata></contextdata>";
        let query = format!("action=UpdateContextData&contact={id}");
        let changed = scene.post(&query, change).await.expect(200);
        assert_eq!(
            element(&changed, "Name"),
            "Other &amp; Sons",
            "the reply is the whole document as it is now"
        );
        assert_eq!(
            (element(&changed, "PhoneNumber"), element(&changed, "State")),
            ("0123456789".to_owned(), "15".to_owned())
        );
        assert_eq!(element(&changed, "DialStartDate"), "2031-05-02 10:00:00.000");
        let number = change.replace("<Name>Other &amp; Sons</Name>", "<PhoneNumber>0123456700</PhoneNumber>");
        scene.post(&query, &number).await.expect(200);
        let contact = scene.admin.get(&format!("/v1/contacts/{id}")).await.expect(200);
        assert_eq!(contact.body["phones"][0]["number"], "+33123456700");
        let refused = scene.post(&query, CAMPAIGN_RECORD).await.expect(422);
        assert_eq!(element(&refused, "code"), "cannot_be_changed");
        let wrong = scene.post(&query, &number.replace("0123456700", "1")).await.expect(422);
        assert_eq!(element(&wrong, "code"), "bad_phone");
        server.stop().await;
    }
}
