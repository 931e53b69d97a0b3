//! How an attempt ended, as the network and detection saw it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! call_results {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal),+ $(,)?) => {
        /// How an attempt ended, by the numbers of Genesys' `GctiCallState`, which the field knows
        /// (source: Genesys Outbound Contact, call result enumeration).
        ///
        /// Only results that an outbound call can end with are here; the numbers between are in-call states or
        /// reserved by the vendor.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        #[repr(u8)]
        pub enum CallResult { $($(#[$doc])* $name = $code),+ }

        impl CallResult {
            /// Every result, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// From the vendor-neutral number.
            pub fn from_code(code: i64) -> Option<Self> {
                match code { $($code => Some(Self::$name),)+ _ => None }
            }

            /// The name used in the API.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

call_results! {
    /// A person talked with an agent, who then left them to somebody else.
    Transferred = 1, "transferred",
    /// Something failed that has no number of its own.
    GeneralError = 3, "general_error",
    /// Outdial or the switch failed; also what an attempt gets that a crash cut short.
    SystemError = 4, "system_error",
    /// The called party's line was busy.
    Busy = 6, "busy",
    /// It rang and nobody answered in time.
    NoAnswer = 7, "no_answer",
    /// A special information tone of no known kind.
    SitDetected = 8, "sit_detected",
    /// A machine answered.
    AnsweringMachine = 9, "answering_machine",
    /// No line was free to dial on.
    AllTrunksBusy = 10, "all_trunks_busy",
    /// The network says: no such number.
    SitInvalidNumber = 11, "sit_invalid_number",
    /// The network says: number not in service.
    SitVacant = 12, "sit_vacant",
    /// The network intercepted the call with an announcement.
    SitOperatorIntercept = 13, "sit_operator_intercept",
    /// The network has no circuit.
    SitNoCircuit = 15, "sit_no_circuit",
    /// The network is congested.
    SitReorder = 16, "sit_reorder",
    /// A fax answered.
    FaxDetected = 17, "fax_detected",
    /// A person answered and hung up before an agent was connected.
    Abandoned = 21, "abandoned",
    /// A person answered and we ended the call for want of an agent.
    Dropped = 26, "dropped",
    /// Not known (the default of a fresh record).
    Unknown = 28, "unknown",
    /// Answered, and nothing was heard.
    Silence = 32, "silence",
    /// A person answered and was connected, or the message was played to the end.
    Answer = 33, "answer",
    /// The person reached was not the one wanted.
    WrongParty = 40, "wrong_party",
    /// The call could not be placed.
    DialError = 41, "dial_error",
    /// The switch failed during the call.
    SwitchError = 43, "switch_error",
    /// The record was too old to be dialled.
    Stale = 46, "stale",
    /// The agent could not be reached for the call.
    AgentCallbackError = 47, "agent_callback_error",
    /// The number is on a suppression list.
    DoNotCall = 51, "do_not_call",
    /// The call was withdrawn before it was answered.
    Cancelled = 52, "cancelled",
    /// The number belongs to somebody else.
    WrongNumber = 53, "wrong_number",
}

impl CallResult {
    /// The number as stored and as told to other systems.
    pub fn code(self) -> i64 {
        i64::from(self as u8)
    }

    /// From the API's name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|result| result.name() == name)
    }

    /// Whether a person answered: the denominator of the abandonment rate
    /// (16 CFR 310.4(b)(4)(i): calls answered by a person).
    pub fn answered_by_person(self) -> bool {
        matches!(
            self,
            Self::Answer
                | Self::Transferred
                | Self::Abandoned
                | Self::Dropped
                | Self::WrongParty
                | Self::WrongNumber
                | Self::AgentCallbackError
        )
    }

    /// Whether a person answered and no agent was connected: the numerator of the abandonment rate.
    pub fn is_abandonment(self) -> bool {
        matches!(self, Self::Abandoned | Self::Dropped)
    }

    /// Whether the network says that the number is not one that can be reached; dialling it again is of no use.
    pub fn number_is_bad(self) -> bool {
        matches!(self, Self::SitInvalidNumber | Self::SitVacant | Self::WrongNumber | Self::FaxDetected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_lead_back_to_the_same_result() {
        for result in CallResult::ALL.iter().copied() {
            assert_eq!(CallResult::from_code(result.code()), Some(result));
            assert_eq!(CallResult::from_name(result.name()), Some(result));
        }
        assert_eq!(CallResult::from_code(54), None);
    }

    #[test]
    fn the_numbers_are_the_ones_the_field_knows() {
        assert_eq!(CallResult::Busy.code(), 6);
        assert_eq!(CallResult::NoAnswer.code(), 7);
        assert_eq!(CallResult::AnsweringMachine.code(), 9);
        assert_eq!(CallResult::Answer.code(), 33);
    }
}
