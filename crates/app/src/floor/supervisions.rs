//! Supervisors' parts in calls: what the switch says of them becomes events.

use std::sync::Arc;
use std::time::Duration;

use engine::{PartyEnd, SupervisionId, Time};
use serde_json::json;
use store::events::{self, NewEvent};
use store::records::supervisions::{self as rows, Supervision};
use store::{StoreError, Tx};
use telephony::SupervisionState;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Shared;

/// What the switch said of supervisions and is not noted yet; more than that and its events wait.
pub(super) const UNNOTED_MAX: usize = 256;
/// How long a write that failed for a passing reason waits before it is tried again.
const STORE_AGAIN: Duration = Duration::from_millis(200);

/// Something that the switch said of a supervision, and when.
pub(super) type Heard = (SupervisionId, SupervisionState, Time);

/// Notes what is heard, one after the other, so that events come in its order.
pub(super) async fn note_all(shared: Arc<Shared>, mut heard: mpsc::Receiver<Heard>) {
    while let Some((supervision, state, at)) = heard.recv().await {
        loop {
            match shared.store.write(move |tx| note(tx, supervision, state, at)).await {
                Ok(()) => break,
                Err(error) if error.is_passing_or_unknown() => {
                    tracing::warn!(%error, "could not note what became of a supervision; trying again");
                    tokio::time::sleep(STORE_AGAIN).await;
                }
                Err(error) => {
                    tracing::error!(%error, "what became of a supervision is lost");
                    break;
                }
            }
        }
    }
}

/// Tells other systems how it stands with a supervision. What is told already is not told again.
pub(crate) fn note(
    tx: &mut Tx<'_>,
    supervision: SupervisionId,
    state: SupervisionState,
    at: Time,
) -> Result<(), StoreError> {
    let found = match state {
        SupervisionState::Started => rows::start(tx, supervision)?,
        SupervisionState::Failed(_) | SupervisionState::Ended => rows::end(tx, supervision)?,
    };
    let Some(found) = found else { return Ok(()) };
    let event = match state {
        SupervisionState::Started => event("supervision.started", &found, None, at),
        SupervisionState::Failed(why) => event("supervision.failed", &found, Some(json!(why)), at),
        SupervisionState::Ended => event("supervision.ended", &found, None, at),
    };
    events::append(tx, found.tenant, &[event?])
}

/// What an earlier process of this node let supervisors hear is over: the switch is told so as soon as it is there.
pub(super) fn end_those_of_before(tx: &mut Tx<'_>, node: Uuid, now: Time) -> Result<(), StoreError> {
    for found in rows::end_all(tx, node)? {
        let event = match found.is_started {
            true => event("supervision.ended", &found, None, now),
            // Whether they heard anything is not known.
            false => event("supervision.failed", &found, Some(json!("restarted")), now),
        };
        events::append(tx, found.tenant, &[event?])?;
    }
    Ok(())
}

fn event(
    kind: &'static str,
    supervision: &Supervision,
    reason: Option<serde_json::Value>,
    at: Time,
) -> Result<NewEvent, StoreError> {
    let Supervision { id, agent, attempt, supervisor, part, .. } = supervision;
    let mut body = json!({
        "kind": kind, "supervision": id, "agent": agent, "attempt": attempt, "supervisor": supervisor,
        "part": part, "at": at.to_rfc3339(),
    });
    if let Some(reason) = reason {
        body["reason"] = reason;
    }
    NewEvent::new(at, kind, &body)
}

/// That a supervisor's telephone cannot be rung, since the switch took no request.
pub(crate) const NOT_ASKED: SupervisionState = SupervisionState::Failed(PartyEnd::Unreachable);
