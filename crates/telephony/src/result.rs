//! From what the switch saw to the call result.

use engine::CallResult;

use crate::driver::CallStage;
use crate::event::{Detected, EndCause, Failure};

/// The result of an attempt that ended: how far it had come, how it ended, and what detection said if it was asked.
///
/// The first row that fits decides:
///
/// | stage | detected | cause | result |
/// |---|---|---|---|
/// | answered or later | machine | any | `AnsweringMachine` |
/// | answered or later | fax | any | `FaxDetected` |
/// | connected, message played | | any | `Answer` |
/// | answered | silence | any | `Silence` |
/// | answered | | by called party | `Abandoned` |
/// | answered | | any other | `Dropped` |
/// | before | | busy, rejected | `Busy` |
/// | before | | no answer, by called party | `NoAnswer` |
/// | before | | invalid number | `SitInvalidNumber` |
/// | before | | congestion | `SitReorder` |
/// | before | | no line | `AllTrunksBusy` |
/// | before | | cancelled, by us | `Cancelled` |
/// | before | | not placed | `DialError` |
/// | before | | switch failed | `SwitchError` |
/// | before | | unheard | `SystemError` |
///
/// - Who answered counts as a person unless detection said otherwise, and a person who was answered by no agent counts
///   as dropped even if a failure was the cause: what the law counts is never less than what may have happened.
/// - A declined call is `Busy`, because many handsets signal both alike.
pub fn call_result(stage: CallStage, cause: EndCause, detected: Option<Detected>) -> CallResult {
    match (stage, detected) {
        (CallStage::Placed | CallStage::Ringing, _) => unanswered(cause),
        (_, Some(Detected::Machine)) => CallResult::AnsweringMachine,
        (_, Some(Detected::Fax)) => CallResult::FaxDetected,
        (CallStage::Connected | CallStage::MessagePlayed, _) => CallResult::Answer,
        (CallStage::Answered, Some(Detected::Silence)) => CallResult::Silence,
        (CallStage::Answered, Some(Detected::Person | Detected::Unsure) | None) => match cause {
            EndCause::ByCalledParty => CallResult::Abandoned,
            _ => CallResult::Dropped,
        },
    }
}

fn unanswered(cause: EndCause) -> CallResult {
    match cause {
        EndCause::Busy | EndCause::Rejected => CallResult::Busy,
        EndCause::NoAnswer | EndCause::ByCalledParty => CallResult::NoAnswer,
        EndCause::InvalidNumber => CallResult::SitInvalidNumber,
        EndCause::Congestion => CallResult::SitReorder,
        EndCause::NoLine => CallResult::AllTrunksBusy,
        EndCause::Cancelled | EndCause::ByUs => CallResult::Cancelled,
        EndCause::Failed(Failure::NotPlaced) => CallResult::DialError,
        EndCause::Failed(Failure::Switch) => CallResult::SwitchError,
        EndCause::Failed(Failure::Unheard) => CallResult::SystemError,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAUSES: [EndCause; 12] = [
        EndCause::ByCalledParty,
        EndCause::ByUs,
        EndCause::Busy,
        EndCause::NoAnswer,
        EndCause::Rejected,
        EndCause::InvalidNumber,
        EndCause::Congestion,
        EndCause::NoLine,
        EndCause::Cancelled,
        EndCause::Failed(Failure::NotPlaced),
        EndCause::Failed(Failure::Switch),
        EndCause::Failed(Failure::Unheard),
    ];

    #[test]
    fn a_call_that_nobody_answered_has_the_networks_result() {
        let expected = [
            CallResult::NoAnswer,
            CallResult::Cancelled,
            CallResult::Busy,
            CallResult::NoAnswer,
            CallResult::Busy,
            CallResult::SitInvalidNumber,
            CallResult::SitReorder,
            CallResult::AllTrunksBusy,
            CallResult::Cancelled,
            CallResult::DialError,
            CallResult::SwitchError,
            CallResult::SystemError,
        ];
        for stage in [CallStage::Placed, CallStage::Ringing] {
            assert_eq!(CAUSES.map(|cause| call_result(stage, cause, None)), expected);
        }
    }

    #[test]
    fn a_person_without_an_agent_always_counts_against_the_abandonment_rate() {
        for detected in [None, Some(Detected::Person), Some(Detected::Unsure)] {
            for cause in CAUSES {
                let result = call_result(CallStage::Answered, cause, detected);
                assert!(result.is_abandonment(), "{cause:?}");
                assert_eq!(result == CallResult::Abandoned, cause == EndCause::ByCalledParty);
            }
        }
    }

    #[test]
    fn a_machine_a_fax_and_silence_are_nobodys_abandonment() {
        let ended = |detected| call_result(CallStage::Answered, EndCause::ByUs, Some(detected));
        assert_eq!(ended(Detected::Machine), CallResult::AnsweringMachine);
        assert_eq!(ended(Detected::Fax), CallResult::FaxDetected);
        assert_eq!(ended(Detected::Silence), CallResult::Silence);
    }

    #[test]
    fn a_call_that_reached_its_purpose_is_an_answer_however_it_ended() {
        for cause in CAUSES {
            for detected in [None, Some(Detected::Person), Some(Detected::Unsure), Some(Detected::Silence)] {
                assert_eq!(call_result(CallStage::Connected, cause, detected), CallResult::Answer);
                assert_eq!(call_result(CallStage::MessagePlayed, cause, detected), CallResult::Answer);
            }
            let machine = call_result(CallStage::MessagePlayed, cause, Some(Detected::Machine));
            assert_eq!(machine, CallResult::AnsweringMachine);
        }
    }
}
