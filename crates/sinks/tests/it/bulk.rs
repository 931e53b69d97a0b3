//! Delivery in bulk.

use std::time::Duration;

use sinks::bulk::{BulkSettings, BulkSink};
use sinks::{Deliver, Message, Outcome};

use crate::cluster::Cluster;
use crate::support::{NOW, is_retry, message, messages};

fn sink(cluster: &Cluster) -> BulkSink {
    let (url, index) = (cluster.url.clone(), "outdial-events".to_owned());
    let timeout = Duration::from_secs(30);
    BulkSink::open(BulkSettings { url, index, timeout, authorization: None }).unwrap()
}

#[tokio::test]
async fn a_batch_is_one_request_and_a_message_that_comes_again_is_no_second_document() {
    let cluster = Cluster::start().await;
    let sink = sink(&cluster);
    assert_eq!(sink.deliver(NOW, &messages(3)).await, vec![Outcome::Delivered; 3]);
    assert_eq!(sink.deliver(NOW, &messages(4)).await, vec![Outcome::Delivered; 4]);
    assert_eq!(cluster.numbers(), [1, 2, 3, 4]);
    let inside = cluster.inside.lock().unwrap();
    assert_eq!(inside.requests, 2);
    let ((index, id), document) = inside.documents.first_key_value().unwrap();
    assert_eq!((index.as_str(), id.as_str()), ("outdial-events", "00000000-0000-0000-0000-000000000001"));
    assert_eq!(document["@timestamp"], "2026-01-01T00:00:00Z");
    assert_eq!(document["outdial"]["kind"], "group.state");
}

#[tokio::test]
async fn items_are_judged_each_by_its_own_status() {
    let cluster = Cluster::start().await;
    cluster.inside.lock().unwrap().items.extend([
        (2, (429, "es_rejected_execution_exception", "queue full")),
        (3, (400, "document_parsing_exception", "failed to parse")),
        (4, (503, "unavailable_shards_exception", "primary shard is not active")),
        (5, (409, "version_conflict_engine_exception", "document already exists")),
    ]);
    let outcomes = sink(&cluster).deliver(NOW, &messages(6)).await;
    assert_eq!(outcomes[0], Outcome::Delivered);
    assert!(is_retry(&outcomes[1]) && is_retry(&outcomes[3]), "{outcomes:?}");
    let refused = Outcome::Refused { reason: "400 document_parsing_exception: failed to parse".to_owned() };
    assert_eq!(outcomes[2], refused);
    assert_eq!(outcomes[4..], [Outcome::Delivered, Outcome::Delivered]);
    assert_eq!(cluster.numbers(), [1, 6]);
}

#[tokio::test]
async fn a_cluster_that_is_busy_or_ill_is_asked_again_when_it_says() {
    let cluster = Cluster::start().await;
    for status in [429, 500, 502, 503, 401, 403] {
        cluster.inside.lock().unwrap().whole.push(status);
        let outcomes = sink(&cluster).deliver(NOW, &messages(2)).await;
        for outcome in &outcomes {
            let Outcome::Retry { after, .. } = outcome else { panic!("{status}: {outcomes:?}") };
            assert_eq!(*after, Some(Duration::from_secs(7)));
        }
    }
    assert_eq!(cluster.numbers(), Vec::<i64>::new());
}

#[tokio::test]
async fn one_message_that_spoils_the_request_does_not_spoil_the_others() {
    let cluster = Cluster::start().await;
    cluster.inside.lock().unwrap().poison = Some(5);
    let outcomes = sink(&cluster).deliver(NOW, &messages(8)).await;
    let refused = |outcome: &Outcome| matches!(outcome, Outcome::Refused { .. });
    let places: Vec<usize> =
        outcomes.iter().enumerate().filter(|(_, it)| refused(it)).map(|(place, _)| place).collect();
    assert_eq!(places, [4]);
    assert_eq!(cluster.numbers(), [1, 2, 3, 4, 6, 7, 8]);
}

#[tokio::test]
async fn what_is_too_much_for_one_request_is_sent_in_several() {
    let cluster = Cluster::start().await;
    let large = |number: u128| Message {
        body: format!("{{\"number\":{number},\"text\":\"{}\"}}", "x".repeat(2 * 1024 * 1024)),
        ..message(number, 1)
    };
    let batch: Vec<Message> = (1..=5).map(large).collect();
    assert_eq!(sink(&cluster).deliver(NOW, &batch).await, vec![Outcome::Delivered; 5]);
    assert_eq!(cluster.numbers(), [1, 2, 3, 4, 5]);
    assert_eq!(cluster.inside.lock().unwrap().requests, 3, "two of them fit into one request");
}

#[tokio::test]
async fn what_is_no_json_is_refused_and_the_others_go() {
    let cluster = Cluster::start().await;
    let broken = Message { body: "no JSON".to_owned(), ..message(3, 1) };
    let outcomes = sink(&cluster).deliver(NOW, &[broken, message(4, 1)]).await;
    assert!(matches!(outcomes[0], Outcome::Refused { .. }) && outcomes[1] == Outcome::Delivered);
}
