//! One message after the other in a lane, lanes beside each other.

use std::collections::BTreeMap;

use engine::Time;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream;
use uuid::Uuid;

use crate::{Message, Outcome};

/// Delivers one message at a time.
pub(crate) trait DeliverOne: Sync {
    /// Delivers it.
    fn deliver_one<'a>(&'a self, now: Time, message: &'a Message) -> BoxFuture<'a, Outcome>;
}

/// Delivers a batch: each lane in order and up to its first message that did not arrive, at most `at_once` lanes
/// beside each other. A message that is refused for good does not hold its lane up.
pub(crate) async fn deliver(
    one: &impl DeliverOne,
    at_once: usize,
    now: Time,
    batch: &[Message],
) -> Vec<Outcome> {
    let mut lanes: BTreeMap<Option<Uuid>, Vec<usize>> = BTreeMap::new();
    for (index, message) in batch.iter().enumerate() {
        lanes.entry(message.lane).or_default().push(index);
    }
    let lanes = lanes.into_values().map(|lane| -> BoxFuture<'_, Vec<(usize, Outcome)>> {
        Box::pin(async move {
            let mut done = Vec::with_capacity(lane.len());
            for index in lane {
                let outcome = one.deliver_one(now, &batch[index]).await;
                let goes_on = !matches!(outcome, Outcome::Retry { .. });
                done.push((index, outcome));
                if !goes_on {
                    break;
                }
            }
            done
        })
    });
    let done: Vec<Vec<(usize, Outcome)>> = stream::iter(lanes).buffer_unordered(at_once).collect().await;
    let mut outcomes = vec![Outcome::Held; batch.len()];
    for (index, outcome) in done.into_iter().flatten() {
        outcomes[index] = outcome;
    }
    outcomes
}
