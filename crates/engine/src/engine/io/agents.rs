//! What agents do and are told, and whom they have rung.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::agent::AgentState;
use crate::call_result::CallResult;
use crate::change::TransferOutcome;
use crate::ids::{AgentId, AttemptId, CallbackId, ContactId, GroupId, SkillId};
use crate::phone::PhoneNumber;
use crate::time::Time;

/// Why somebody who was rung beside the two parties of a call takes no part in it, or none any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PartyEnd {
    /// Their line was busy, or they declined.
    Busy,
    /// They did not pick up in time.
    NoAnswer,
    /// Their telephone could not be reached.
    Unreachable,
    /// They picked up, and hung up.
    HungUp,
    /// The call was over, or with somebody else, before they were in it.
    CallOver,
    /// What places the calls rings nobody: it is the simulated carrier.
    NobodyRung,
}

/// What an agent can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentEvent {
    /// Comes to work; is then not ready.
    LogIn,
    /// Leaves, after the call if there is one.
    LogOut,
    /// Is ready for calls, after the wrap-up if there is one.
    Ready,
    /// Takes a break, after the call if there is one.
    NotReady {
        /// Why.
        reason: Option<String>,
    },
    /// Dials the previewed contact.
    AcceptPreview,
    /// Does not.
    RejectPreview {
        /// Why.
        reason: Option<String>,
    },
    /// Asks for a contact to preview; ends the wrap-up without a disposition if there is one.
    Next,
    /// Ends the call.
    HangUp,
    /// Does something on the call that goes on.
    Control(CallControl),
    /// Says how the call went; ends the wrap-up.
    Dispose {
        /// The disposition's code; none says nothing about the call.
        disposition: Option<String>,
        /// Notes.
        notes: Option<String>,
        /// When to call again.
        callback_at: Option<Time>,
        /// Whether that call is to be theirs.
        callback_is_mine: bool,
    },
    /// The agent's screen is gone.
    ConnectionLost,
}

/// What an agent can do on a call that they are on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallControl {
    /// The called party waits and hears nobody.
    Hold,
    /// Ends `Hold`.
    Resume,
    /// Nobody hears the agent.
    Mute,
    /// Ends `Mute`.
    Unmute,
    /// Sends keys: 1 to 32 of digits, `*` and `#`.
    Keys(String),
    /// Rings a third party to talk to while the called party waits.
    Consult(ThirdParty),
    /// All three talk.
    Join,
    /// Ends the consultation.
    EndConsult,
    /// Leaves the called party to the third party that was consulted, or to one that is rung now. To an agent who is
    /// logged in, and to a skill, the call is handed over: it stays the campaign's.
    Transfer(Option<ThirdParty>),
    /// Records the call from now on, where the campaign leaves that to agents.
    Record,
    /// Ends `Record`; another `Record` goes on in the same recording.
    StopRecording,
}

impl CallControl {
    /// Whether these are keys of a telephone, and not too many.
    pub fn are_keys(keys: &str) -> bool {
        (1..=32).contains(&keys.len()) && keys.chars().all(|key| key.is_ascii_digit() || "*#".contains(key))
    }
}

/// Who is rung beside the called party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThirdParty {
    /// A telephone number.
    Number(PhoneNumber),
    /// Another agent, on their telephone.
    Agent(AgentId),
    /// Whoever would get a call for this skill now.
    Skill(SkillId),
}

/// What an agent's screen is told.
#[derive(Clone, Debug, PartialEq)]
pub enum AgentNotice {
    /// Their state.
    State {
        /// The state.
        state: AgentState,
        /// The reason given with it.
        reason: Option<String>,
    },
    /// A contact to look at before it is dialled.
    Preview {
        /// For which group.
        group: GroupId,
        /// Who.
        contact: ContactId,
        /// The number that would be dialled.
        number: PhoneNumber,
        /// When the time to look is over.
        until: Time,
        /// The callback that it is about, if it was promised.
        callback: Option<CallbackId>,
    },
    /// A call is on its way to them.
    Call {
        /// The call.
        attempt: AttemptId,
        /// For which group.
        group: GroupId,
        /// Who.
        contact: ContactId,
        /// The number that was dialled.
        number: PhoneNumber,
        /// Which attempt on the contact it is, from 1.
        attempt_number: u16,
    },
    /// They are talking.
    Connected {
        /// The call.
        attempt: AttemptId,
    },
    /// Their call is recorded from now on, or not any more.
    Recording {
        /// The call.
        attempt: AttemptId,
        /// Whether it is recorded.
        is_on: bool,
    },
    /// The call is over.
    CallEnded {
        /// The call.
        attempt: AttemptId,
        /// How.
        result: CallResult,
        /// When wrap-up ends by itself.
        wrap_up_until: Option<Time>,
    },
    /// How it stands with the third party whom they consult.
    Consultation {
        /// The call.
        attempt: AttemptId,
        /// Which agent it is, if it is one.
        agent: Option<AgentId>,
        /// How.
        state: ConsultationState,
    },
    /// What became of the transfer of a call that they have left.
    TransferEnded {
        /// The call.
        attempt: AttemptId,
        /// What.
        outcome: TransferOutcome,
    },
    /// What they asked for cannot be done.
    Refused {
        /// The refusal's name, which never changes its meaning, where it has one.
        code: Option<&'static str>,
        /// Why, and what to do.
        why: &'static str,
    },
}

/// How it stands with a third party who is consulted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsultationState {
    /// They are being rung.
    Ringing,
    /// They are with the agent.
    Answered,
    /// They are not there, and the called party is with the agent as before.
    Ended(PartyEnd),
}
