//! Messages to called parties, and what they sound like.

use std::os::unix::fs::PermissionsExt;

use reqwest::Method;
use serde_json::{Value, json};
use store::testing::TestDatabase;
use web::WebSettings;

use crate::dialling::{Centre, centre_with};
use crate::support::{Answer, Caller, Server, until};

/// A WAV file with this many samples of silence.
fn wav(channels: u16, rate: u32, bits: u16, samples: u32) -> Vec<u8> {
    let frame = channels * bits / 8;
    let bytes = samples * u32::from(frame);
    let mut file = b"RIFF".to_vec();
    file.extend_from_slice(&(36 + bytes).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0");
    file.extend_from_slice(&channels.to_le_bytes());
    file.extend_from_slice(&rate.to_le_bytes());
    file.extend_from_slice(&(rate * u32::from(frame)).to_le_bytes());
    file.extend_from_slice(&frame.to_le_bytes());
    file.extend_from_slice(&bits.to_le_bytes());
    file.extend_from_slice(b"data");
    file.extend_from_slice(&bytes.to_le_bytes());
    file.resize(44 + bytes as usize, 0);
    file
}

/// Uploads a sound to the message as it is now, if the caller can see it.
async fn upload(caller: &Caller<'_>, message: &str, bytes: Vec<u8>) -> Answer {
    let place = format!("/v1/messages/{message}");
    let seen = caller.get(&place).await;
    let request = caller.request(Method::PUT, &format!("{place}/sound")).header("content-type", "audio/wav");
    let tag = if seen.status == 200 { seen.header("etag") } else { "\"1\"" };
    Answer::to(request.header("if-match", tag).body(bytes)).await
}

fn hello() -> Value {
    json!({"name": "Hello", "text": "This is a message. To be called no more, press 1."})
}

#[tokio::test]
async fn a_message_is_created_read_listed_changed_and_deleted_as_everything_else() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let made = admin.post("/v1/messages", hello()).await.expect(201);
        assert_eq!((made.header("etag"), made.text("language")), ("\"1\"", "en"));
        assert_eq!(made.body["sound"], Value::Null);
        assert!(made.text("warning").contains("no sound"), "{}", made.body);
        let place = made.header("location").to_owned();
        let read = admin.get(&place).await.expect(200);
        assert_eq!(read.text("text"), hello()["text"]);
        assert_eq!(admin.get("/v1/messages").await.expect(200).items("name"), ["Hello"]);
        admin.post("/v1/messages", hello()).await.expect_problem(409, "name_taken");
        for (field, value) in
            [("text", json!(" ")), ("text", json!("x".repeat(2001))), ("text", json!("a\u{7}"))]
        {
            let mut body = hello();
            body[field] = value;
            body["name"] = json!("Other");
            admin.post("/v1/messages", body).await.expect_problem(422, "bad_text");
        }
        let odd = json!({"name": "Odd", "text": "x", "language": "-v"});
        admin.post("/v1/messages", odd).await.expect_problem(422, "bad_language");
        let changed = json!({"name": "Hello", "text": "Another.", "language": "fr"});
        let updated = admin.put(&place, "\"1\"", changed.clone()).await.expect(200);
        assert_eq!((updated.header("etag"), updated.text("language")), ("\"2\"", "fr"));
        admin.put(&place, "\"1\"", changed.clone()).await.expect_problem(412, "stale_version");
        let other = server.tenant("B").await;
        other.get(&place).await.expect_problem(404, "not_found");
        other.put(&place, "\"2\"", changed).await.expect_problem(404, "not_found");
        let integration = admin.with_role("integration").await;
        integration.post("/v1/messages", hello()).await.expect_problem(403, "forbidden");
        admin.delete(&place, "\"1\"").await.expect_problem(412, "stale_version");
        admin.delete(&place, "\"2\"").await.expect(204);
        admin.get(&place).await.expect_problem(404, "not_found");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_sound_is_uploaded_read_back_and_taken_away_again() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let message = admin.create("/v1/messages", hello()).await;
        let sound = format!("/v1/messages/{message}/sound");
        admin.get(&sound).await.expect_problem(404, "not_found");
        let uploaded = upload(&admin, &message, wav(1, 16_000, 16, 24_000)).await.expect(200);
        assert_eq!(uploaded.body["warning"], Value::Null);
        assert_eq!(uploaded.body["sound"]["origin"], "uploaded");
        assert_eq!(uploaded.body["sound"]["length_seconds"], 1.5);
        assert_eq!(uploaded.body["sound"]["rate"], 16_000);
        let sha256 = uploaded.body["sound"]["sha256"].as_str().unwrap().to_owned();
        assert_eq!(sha256.len(), 64);
        let back = admin.get(&sound).await.expect(200);
        assert_eq!(back.header("content-type"), "audio/wav");
        assert_eq!(back.bytes, wav(1, 16_000, 16, 24_000));
        let again = upload(&admin, &message, wav(1, 8000, 16, 8000)).await.expect(200);
        assert_ne!(again.body["sound"]["sha256"], sha256.as_str(), "another sound takes its place");
        let listed = admin.get("/v1/messages").await.expect(200);
        assert_eq!(listed.body["items"][0]["sound"]["length_seconds"], 1.0);

        let other = server.tenant("B").await;
        other.get(&sound).await.expect_problem(404, "not_found");
        upload(&other, &message, wav(1, 8000, 16, 10)).await.expect_problem(404, "not_found");
        let integration = admin.with_role("integration").await;
        upload(&integration, &message, wav(1, 8000, 16, 10)).await.expect_problem(403, "forbidden");

        let without = admin.delete(&sound, again.header("etag")).await.expect(200);
        assert_eq!(without.body["sound"], Value::Null);
        admin.delete(&sound, without.header("etag")).await.expect_problem(404, "not_found");
        let log = admin.get("/v1/audit?limit=100").await.expect(200);
        assert!(log.body.to_string().matches("sound_sha256").count() >= 3, "{}", log.body);
        server.stop().await;
    }
}

#[tokio::test]
async fn nobody_replaces_or_takes_away_a_sound_that_they_have_not_seen() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let message = admin.create("/v1/messages", hello()).await;
        let sound = format!("/v1/messages/{message}/sound");
        let put = |tag: Option<&'static str>| {
            let request = admin.request(Method::PUT, &sound).body(wav(1, 8000, 16, 8000));
            Answer::to(if let Some(tag) = tag { request.header("if-match", tag) } else { request })
        };
        put(None).await.expect_problem(428, "if_match_required");
        assert_eq!(put(Some("\"1\"")).await.expect(200).header("etag"), "\"2\"");
        put(Some("\"1\"")).await.expect_problem(412, "stale_version");
        assert_eq!(admin.get(&sound).await.expect(200).header("etag"), "\"2\"");
        assert_eq!(admin.get(&format!("/v1/messages/{message}")).await.expect(200).header("etag"), "\"2\"");
        admin.delete(&sound, "\"1\"").await.expect_problem(412, "stale_version");
        Answer::to(admin.request(Method::DELETE, &sound)).await.expect_problem(428, "if_match_required");
        assert_eq!(admin.delete(&sound, "\"2\"").await.expect(200).header("etag"), "\"3\"");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_player_gets_the_part_of_a_messages_sound_that_it_asks_for() {
    let server = Server::start(TestDatabase::sqlite(), WebSettings::default()).await;
    let admin = server.tenant("A").await;
    let message = admin.create("/v1/messages", hello()).await;
    upload(&admin, &message, wav(1, 8000, 16, 100)).await.expect(200);
    let path = format!("/v1/messages/{message}/sound");
    let part = admin.request(Method::GET, &path).header("range", "bytes=0-3").header("if-range", "\"2\"");
    let part = Answer::to(part).await.expect(206);
    assert_eq!((part.bytes.as_slice(), part.header("content-range")), (&b"RIFF"[..], "bytes 0-3/244"));
    let other_version =
        admin.request(Method::GET, &path).header("range", "bytes=0-3").header("if-range", "\"1\"");
    assert_eq!(Answer::to(other_version).await.expect(200).bytes.len(), 244);
    let outside = Answer::to(admin.request(Method::GET, &path).header("range", "bytes=244-")).await;
    assert_eq!(outside.header("content-range"), "bytes */244");
    outside.expect_problem(416, "range_not_satisfiable");
}

#[tokio::test]
async fn a_sound_that_cannot_be_played_is_refused_with_what_is_wrong() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let message = admin.create("/v1/messages", hello()).await;
        let cut = wav(1, 8000, 16, 1000)[..1000].to_vec();
        for (bytes, code) in [
            (b"ID3".to_vec(), "sound_not_wav"),
            (wav(2, 8000, 16, 10), "sound_not_mono"),
            (wav(1, 44_100, 16, 10), "sound_rate"),
            (wav(1, 8000, 8, 10), "sound_not_16_bit"),
            (wav(1, 8000, 16, 0), "sound_empty"),
            (cut, "sound_cut_short"),
        ] {
            upload(&admin, &message, bytes).await.expect_problem(422, code);
        }
        let large = wav(1, 8000, 16, 5 * 1024 * 1024);
        upload(&admin, &message, large).await.expect_problem(413, "too_large");
        let read = admin.get(&format!("/v1/messages/{message}")).await.expect(200);
        assert_eq!(read.body["sound"], Value::Null);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_message_without_a_sound_is_spoken_from_its_text_and_again_when_that_changes() {
    for server in Server::on_both().await {
        // It answers as espeak-ng does: with a sound of 22050 samples a second, as long as its text.
        let canned = server.files().join("canned.wav");
        std::fs::write(&canned, wav(1, 22_050, 16, 22_050)).unwrap();
        let program = server.files().join("speak");
        let script = format!(
            "#!/bin/sh\n[ \"$2\" = xx ] && exit 1\n[ \"$1\" = --version ] && exit 0\ntext=$(cat)\nhead -c $((44 + 2000 * ${{#text}})) {}\n",
            canned.display()
        );
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        server.speak_with(&program).await;

        let admin = server.tenant("A").await;
        let made = admin.post("/v1/messages", json!({"name": "Short", "text": "Hello"})).await.expect(201);
        assert_eq!(made.body["sound"]["origin"], "spoken", "{}", made.body);
        assert_eq!((&made.body["warning"], &made.body["sound"]["rate"]), (&Value::Null, &json!(8000)));
        let first = made.body["sound"]["length_seconds"].as_f64().unwrap();
        let place = made.header("location").to_owned();
        let renamed = json!({"name": "Longer", "text": "Hello, everybody"});
        let changed = admin.put(&place, "\"1\"", renamed).await.expect(200);
        assert!(changed.body["sound"]["length_seconds"].as_f64().unwrap() > first, "{}", changed.body);

        let id = made.text("id");
        upload(&admin, id, wav(1, 8000, 16, 800)).await.expect(200);
        let other = json!({"name": "Longer", "text": "Something else"});
        let kept = admin.put(&place, "\"3\"", other).await.expect(200);
        assert_eq!(kept.body["sound"]["origin"], "uploaded", "an uploaded sound stays");
        let path = format!("{place}/sound");
        let spoken = admin.delete(&path, "\"4\"").await.expect(200);
        assert_eq!(spoken.body["sound"]["origin"], "spoken");

        let voiceless = json!({"name": "Longer", "text": "Something else", "language": "xx"});
        let warned = admin.put(&place, "\"5\"", voiceless).await.expect(200);
        assert_eq!(warned.body["sound"], Value::Null, "no sound is better than that of another text");
        assert!(warned.text("warning").contains("'xx'"), "{}", warned.body);
        server.stop().await;
    }
}

#[tokio::test]
async fn what_is_played_must_exist_and_stays_while_it_is_needed() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let nobody = "00000000-0000-0000-0000-000000000001";
        let campaign = json!({"name": "Winter", "safe_harbour_message": nobody});
        let refused = admin.post("/v1/campaigns", campaign).await.expect_problem(422, "unknown_reference");
        assert_eq!(refused.text("field"), "safe_harbour_message");
        let message = admin.create("/v1/messages", hello()).await;
        let campaign = json!({"name": "Winter", "safe_harbour_message": message});
        let campaign = admin.create("/v1/campaigns", campaign).await;
        let place = format!("/v1/messages/{message}");
        admin.delete(&place, "\"1\"").await.expect_problem(409, "in_use");
        let without = json!({"name": "Winter"});
        admin.put(&format!("/v1/campaigns/{campaign}"), "\"1\"", without).await.expect(200);
        admin.delete(&place, "\"1\"").await.expect(204);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_node_has_the_sounds_of_the_groups_that_it_runs_as_files_at_the_switchs_rate() {
    for server in Server::on_both().await {
        let admin = server.tenant("A").await;
        let Centre { campaign, group, skill, .. } = centre_with(&admin, 0).await;
        let message = admin.create("/v1/messages", hello()).await;
        let uploaded = upload(&admin, &message, wav(1, 16_000, 16, 16_000)).await.expect(200);
        let sha256 = uploaded.body["sound"]["sha256"].as_str().unwrap();
        let file = server.files().join("messages").join(format!("{sha256}.wav"));
        assert!(!file.exists(), "nobody needs it yet");
        let settings = json!({"dial_mode": "agentless", "agentless": {"ports": 1, "message": message}});
        let body = json!({"name": "Team", "campaign": campaign, "skill": skill, "settings": settings});
        admin.put(&format!("/v1/campaign-groups/{group}"), "\"1\"", body).await.expect(200);
        let actions = format!("/v1/campaign-groups/{group}/actions");
        admin.post(&actions, json!({"action": "load"})).await.expect(200);
        until(|| admin.get("/v1/live"), |_| file.exists()).await;
        let bytes = std::fs::read(&file).unwrap();
        assert_eq!((bytes.len(), &bytes[24..28]), (44 + 16_000, &8000_u32.to_le_bytes()[..]));
        server.stop().await;
    }
}
