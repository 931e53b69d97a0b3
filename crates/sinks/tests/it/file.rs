//! Delivery into files.

use std::io::Write;
use std::path::Path;

use serde_json::Value;
use sinks::file::{FileSettings, FileSink};
use sinks::{Deliver, Outcome};

use crate::support::{NOW, is_retry, messages};

fn numbers(path: &Path) -> Vec<i64> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'), "the last line is whole");
    let line = |line: &str| serde_json::from_str::<Value>(line).unwrap()["body"]["number"].as_i64().unwrap();
    text.lines().map(line).collect()
}

#[tokio::test]
async fn each_message_is_a_line_with_its_id() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new/events.ndjson");
    let sink = FileSink::open(FileSettings { path: path.clone(), bytes_max: 1 << 20, keep: 1 });
    assert_eq!(sink.deliver(NOW, &messages(2)).await, vec![Outcome::Delivered; 2]);
    let text = std::fs::read_to_string(&path).unwrap();
    let line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(line["id"], "00000000-0000-0000-0000-000000000001");
    assert_eq!((&line["kind"], &line["at"]), (&"group.state".into(), &"2026-01-01T00:00:00Z".into()));
    assert_eq!(numbers(&path), [1, 2]);
}

#[tokio::test]
async fn what_a_crash_left_of_a_line_is_taken_away() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.ndjson");
    let sink = FileSink::open(FileSettings { path: path.clone(), bytes_max: 1 << 30, keep: 1 });
    sink.deliver(NOW, &messages(1)).await;
    let torn = format!("{{\"id\":\"{}", "0".repeat(200_000));
    std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(torn.as_bytes()).unwrap();
    sink.deliver(NOW, &messages(3)[1..]).await;
    assert_eq!(numbers(&path), [1, 2, 3]);
}

#[tokio::test]
async fn a_full_file_is_put_aside_and_so_many_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.ndjson");
    // Room for three lines.
    let sink = FileSink::open(FileSettings { path: path.clone(), bytes_max: 400, keep: 2 });
    for message in messages(10) {
        assert_eq!(sink.deliver(NOW, &[message]).await, [Outcome::Delivered]);
    }
    let aside = |number: u32| directory.path().join(format!("events.ndjson.{number}"));
    assert_eq!(numbers(&path), [10]);
    assert_eq!(numbers(&aside(1)), [7, 8, 9]);
    assert_eq!(numbers(&aside(2)), [4, 5, 6]);
    assert!(!aside(3).exists());
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let sink = FileSink::open(FileSettings { path: directory.path().to_owned(), bytes_max: 400, keep: 2 });
    assert!(is_retry(&sink.deliver(NOW, &messages(1)).await[0]));
}
