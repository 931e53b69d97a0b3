//! `outdial check-config`, as whoever installs Outdial runs it.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// What it prints, and what it says if it fails.
fn check(text: &str, directory: &Path) -> (Value, Option<String>) {
    let file = directory.join("outdial.toml");
    std::fs::write(&file, text).unwrap();
    let mut outdial = Command::new(env!("CARGO_BIN_EXE_outdial"));
    let output = outdial.args(["--config", file.to_str().unwrap(), "check-config"]).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!format!("{printed}{said}").contains("hidden"), "a secret is shown: {printed}{said}");
    (serde_json::from_str(&printed).unwrap_or_default(), (!output.status.success()).then_some(said))
}

#[test]
fn it_tells_where_messages_and_recordings_go_and_what_scripts_reach_without_secrets() {
    let files = tempfile::tempdir().unwrap();
    let data = files.path().join("data");
    let text = format!(
        "[node]\ndata_dir = \"{}\"\n[recordings.s3]\nendpoint = \"https://s3.example.com\"\nbucket = \"calls\"\n\
         access_key = \"k\"\nsecret_key = \"hidden\"\n[scripts]\nhosts = {{ Acme = [\"crm.example.com\"] }}\n\
         [[scripts.connections]]\nname = \"crm\"\ntenant = \"Acme\"\nurl = \"mysql://outdial:hidden@db.example.com/crm\"\n",
        data.display()
    );
    let (printed, failure) = check(&text, files.path());
    assert_eq!(failure, None, "{printed}");
    let messages = json!({"directory": data.join("messages"), "writable": true, "speech": "espeak-ng"});
    assert_eq!(printed["messages"], messages);
    assert_eq!(printed["recordings"]["directory"], json!(data.join("recordings")));
    assert_eq!(printed["recordings"]["s3"]["bucket"], "calls");
    assert_eq!(printed["scripts"]["hosts"], json!({"Acme": ["crm.example.com"]}));
    let connection = json!({"name": "crm", "tenant": "Acme", "url": "…@db.example.com/crm"});
    assert_eq!(printed["scripts"]["connections"], json!([connection]));
    assert!(!data.exists(), "checking makes nothing");
}

#[test]
fn a_directory_that_cannot_be_written_fails_it_and_is_named_with_its_setting() {
    let files = tempfile::tempdir().unwrap();
    let taken = files.path().join("taken");
    std::fs::write(&taken, "a file").unwrap();
    let text = format!("[node]\ndata_dir = \"{}\"\n", files.path().join("data").display());
    let of_recordings = format!("{text}[recordings]\ndirectory = \"{}\"\n", taken.display());
    let (printed, failure) = check(&of_recordings, files.path());
    let failure = failure.expect("it fails");
    assert!(failure.contains("recordings.directory: ") && failure.contains("name a directory"), "{failure}");
    assert_eq!(
        (&printed["recordings"]["writable"], &printed["messages"]["writable"]),
        (&json!(false), &json!(true))
    );
    let of_node = format!("[node]\ndata_dir = \"{}\"\n", taken.display());
    let (printed, failure) = check(&of_node, files.path());
    assert!(failure.expect("it fails").contains("node.data_dir: "));
    assert_eq!(
        (&printed["node"]["writable"], &printed["messages"]["writable"]),
        (&json!(false), &json!(false))
    );
}
