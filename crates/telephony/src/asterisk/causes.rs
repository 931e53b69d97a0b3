//! How a call that nobody answered ended, from what the network said.

use engine::PartyEnd;

use crate::event::{AgentFailure, EndCause, Failure};

/// From SIP's status code (RFC 3261 §21) if there is one, else from the cause (ITU-T Q.850 §2.2.7, as Asterisk numbers
/// them in `causes.h`). SIP's is the finer one where both are known: Asterisk makes 486 and 600 the same cause, and
/// gives one cause for several 4xx.
///
/// | SIP | Q.850 | end |
/// |---|---|---|
/// | 486, 600 | 17 user busy | busy |
/// | 408, 480, 487 | 18 no user responding, 19 no answer, 20 subscriber absent | no answer |
/// | 403, 603, 607, 608 | 21 call rejected | rejected |
/// | 404, 410, 484, 485, 604 | 1 unallocated, 2 and 3 no route, 22 number changed, 28 invalid format | invalid number |
/// | 503 | 34 no circuit, 41 temporary failure, 42 switch congestion, 44 channel not available, 47 resource unavailable | congestion |
/// | 401, 407, 415, 420, 488, 500–502, 504–606 others | 29, 50, 57, 58, 65, 66, 69, 79, 88, 95–102, 111, 127 | not placed |
/// | none | 0, 16, 26, 31 normal clearing before an answer | no answer |
pub(super) fn unanswered(cause: i64, sip: Option<i64>) -> EndCause {
    match sip {
        Some(486 | 600) => return EndCause::Busy,
        Some(408 | 480 | 487) => return EndCause::NoAnswer,
        Some(403 | 603 | 607 | 608) => return EndCause::Rejected,
        Some(404 | 410 | 484 | 485 | 604) => return EndCause::InvalidNumber,
        Some(503) => return EndCause::Congestion,
        Some(400..=699) => return EndCause::Failed(Failure::NotPlaced),
        _ => {}
    }
    match cause {
        17 => EndCause::Busy,
        0 | 16 | 18 | 19 | 20 | 26 | 31 => EndCause::NoAnswer,
        21 => EndCause::Rejected,
        1..=3 | 22 | 28 => EndCause::InvalidNumber,
        34 | 41 | 42 | 44 | 47 => EndCause::Congestion,
        _ => EndCause::Failed(Failure::NotPlaced),
    }
}

/// Whether another way out may be tried: the network did not get as far as the called party.
pub(super) fn may_try_another_trunk(end: EndCause) -> bool {
    matches!(end, EndCause::Congestion | EndCause::Failed(Failure::NotPlaced))
}

/// Why an agent's telephone could not be had.
pub(super) fn agent_failure(cause: i64, sip: Option<i64>) -> AgentFailure {
    match unanswered(cause, sip) {
        EndCause::Busy | EndCause::Rejected => AgentFailure::Busy,
        EndCause::NoAnswer => AgentFailure::NoAnswer,
        _ => AgentFailure::Unreachable,
    }
}

/// The same of somebody else who was rung.
pub(super) fn party_end(cause: i64, sip: Option<i64>) -> PartyEnd {
    match agent_failure(cause, sip) {
        AgentFailure::Busy => PartyEnd::Busy,
        AgentFailure::NoAnswer => PartyEnd::NoAnswer,
        AgentFailure::Unreachable | AgentFailure::CallNotWaiting => PartyEnd::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sip_says_goes_before_the_cause() {
        assert_eq!(unanswered(19, Some(480)), EndCause::NoAnswer);
        assert_eq!(unanswered(21, Some(603)), EndCause::Rejected);
        assert_eq!(unanswered(1, Some(484)), EndCause::InvalidNumber);
        assert_eq!(unanswered(34, Some(503)), EndCause::Congestion);
        assert_eq!(unanswered(58, Some(488)), EndCause::Failed(Failure::NotPlaced));
    }

    #[test]
    fn without_sip_the_cause_decides() {
        let ends = [
            (1, EndCause::InvalidNumber),
            (16, EndCause::NoAnswer),
            (17, EndCause::Busy),
            (19, EndCause::NoAnswer),
            (21, EndCause::Rejected),
            (34, EndCause::Congestion),
            (127, EndCause::Failed(Failure::NotPlaced)),
        ];
        for (cause, end) in ends {
            assert_eq!(unanswered(cause, None), end, "cause {cause}");
        }
    }

    #[test]
    fn a_call_that_reached_the_called_party_is_not_tried_on_another_trunk() {
        for end in [EndCause::Busy, EndCause::NoAnswer, EndCause::Rejected, EndCause::InvalidNumber] {
            assert!(!may_try_another_trunk(end));
        }
        assert!(may_try_another_trunk(EndCause::Congestion));
    }
}
