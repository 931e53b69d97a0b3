//! Third parties: consulted, or left a call.

use std::time::Duration;

use engine::{AgentId, AttemptId, PartyEnd, Time};

use super::{Exchange, Step, failure_of};
use crate::driver::{AgentPhone, CallStage, Control};
use crate::event::{AgentFailure, EndCause, EventKind};

/// How long a third party's telephone rings; as with Asterisk.
const THIRD_RINGS_FOR: Duration = Duration::from_secs(30);

/// A third party: consulted under a number, or rung for a called party whose agent has left.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Third {
    consultation: Option<u32>,
    is_up: bool,
    is_transferred_to: bool,
}

impl Exchange {
    /// Nobody hears who waits and who talks here: what matters is whether somebody is there, and an agent who leaves.
    pub(super) fn control(&mut self, attempt: AttemptId, control: Control, now: Time) {
        let Some(agent) = self.ledger.book().live.get(&attempt).and_then(|call| call.agent) else { return };
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        match control {
            Control::Consult { phone, consultation } => {
                self.ring_third(attempt, Some(consultation), &phone, now);
            }
            Control::EndConsult => call.third = None,
            Control::Transfer(None) => {
                let Some(third) = &mut call.third else { return };
                third.is_transferred_to = true;
                let is_up = third.is_up;
                self.agent_leaves(attempt, agent, now);
                if is_up {
                    self.tell(attempt, now, EventKind::Transferred);
                }
            }
            Control::Transfer(Some(phone)) => {
                self.ring_third(attempt, None, &phone, now);
                self.agent_leaves(attempt, agent, now);
            }
            _ => {}
        }
    }

    fn ring_third(&mut self, attempt: AttemptId, consultation: Option<u32>, phone: &AgentPhone, now: Time) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        call.third = Some(Third { consultation, is_up: false, is_transferred_to: consultation.is_none() });
        let (takes, failure) = failure_of(Some(phone));
        let failure = failure.map(|failure| match failure {
            AgentFailure::Busy => PartyEnd::Busy,
            AgentFailure::NoAnswer => PartyEnd::NoAnswer,
            AgentFailure::Unreachable | AgentFailure::CallNotWaiting => PartyEnd::Unreachable,
        });
        let at = now + self.settings.agent_delay + takes.min(THIRD_RINGS_FOR);
        self.schedule(at, attempt, Step::ThirdActs(consultation, failure));
    }

    pub(super) fn third_acts(
        &mut self,
        at: Time,
        attempt: AttemptId,
        consultation: Option<u32>,
        failure: Option<PartyEnd>,
    ) {
        let third = self.calls.get_mut(&attempt).map(|call| &mut call.third);
        let Some(slot) = third else { return };
        let Some(third) = slot.as_mut().filter(|third| third.consultation == consultation) else { return };
        let is_transferred_to = third.is_transferred_to;
        third.is_up = true;
        if failure.is_some() {
            *slot = None;
        }
        match (failure, consultation) {
            (Some(why), _) if is_transferred_to => {
                self.tell(attempt, at, EventKind::TransferFailed { why });
                self.end(attempt, at, EndCause::ByUs);
            }
            (None, _) if is_transferred_to => self.tell(attempt, at, EventKind::Transferred),
            (Some(why), Some(consultation)) => {
                self.tell(attempt, at, EventKind::ThirdGone { consultation, why });
            }
            (None, Some(consultation)) => self.tell(attempt, at, EventKind::ThirdAnswered { consultation }),
            (_, None) => {}
        }
    }

    fn agent_leaves(&mut self, attempt: AttemptId, agent: AgentId, at: Time) {
        self.ledger.book().note(attempt, CallStage::Connected, None);
        self.tell(attempt, at, EventKind::AgentLeft { agent });
    }
}
