//! What never reaches a log.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use reqwest::Method;
use serde_json::json;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};

use crate::support::{Answer, Server, until};

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_number_name_key_or_password_reaches_the_log() {
    let log = Log::default();
    // The client of this test runs in the same process; what it logs is not the server's.
    let ours = Targets::new()
        .with_default(LevelFilter::TRACE)
        .with_target("reqwest", LevelFilter::OFF)
        .with_target("hyper_util::client", LevelFilter::OFF);
    let layer = tracing_subscriber::fmt::layer().with_writer(log.clone()).with_ansi(false).with_filter(ours);
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).unwrap();
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let (campaign, source) = admin.campaign_and_source().await;
        let path = format!("/v1/sources/{source}/contacts");
        let contact = json!({
            "external_id": "Xylander-77", "phones": [{"number": "+14155550177"}], "fields": {"first_name": "Quirinus"},
        });
        let added = admin.post(&path, contact.clone()).await.expect(201);
        let id = added.body["results"][0]["contact"].as_str().unwrap();
        admin.get(&format!("/v1/contacts?source={source}&external_id=Xylander-77")).await.expect(200);
        admin.get("/v1/contacts?number=%2B14155550177").await.expect(200);
        admin.post(&format!("/v1/contacts/{id}/close"), json!({})).await.expect(200);
        admin.get("/v1/Quirinus?number=14155550177").await.expect(404);
        let mut wrong = contact;
        wrong["fields"] = json!({"Quirinus": "14155550177"});
        admin.post(&path, wrong).await.expect(422);
        let entries = json!({"entries": [{"number": "+14155550177"}, {"external_id": "Xylander-77"}]});
        admin.post(&format!("/v1/suppression-lists/{campaign}/entries"), entries).await.expect(200);
        let file = "No,Tel,Name\nXylander-77,+14155550177,Quirinus\nXylander-77,14155550177x,Quirinus\n";
        let upload = admin.request(Method::POST, &format!("/v1/sources/{source}/imports"));
        let upload = upload.query(&[("map", "external_id=No,phone1=Tel,field.first_name=Name")]).body(file);
        let made = Answer::to(upload).await.expect(202);
        until(|| admin.get(made.header("location")), |import| !import.body["finished_at"].is_null()).await;
        let user = json!({"login": "ann", "password": "Quirinus secret", "role": "admin"});
        admin.post("/v1/users", user).await.expect(201);
        let log_in = json!({"tenant": "A", "login": "ann", "password": "Quirinus wrong"});
        server.nobody().post("/v1/sessions", log_in).await.expect(401);
        let key = admin.key().to_owned();
        server.stop().await;
        let text = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
        assert!(text.contains("answered a request"), "nothing was logged at all");
        for secret in ["4155550177", "Quirinus", "Xylander", key.as_str()] {
            let line = text.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "the log shows {secret}");
        }
    }
}
