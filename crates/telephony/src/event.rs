//! What a switch tells.

use engine::{AgentId, AttemptId, PartyEnd, SupervisionId, Time};
use serde::{Deserialize, Serialize};

/// Something that happened on the switch or to the connection with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Something happened to a call.
    Call(CallEvent),
    /// An agent's telephone was picked up: the line stands.
    LineUp {
        /// The agent.
        agent: AgentId,
        /// When.
        at: Time,
    },
    /// An agent's line could not be had, or is gone.
    LineDown {
        /// The agent.
        agent: AgentId,
        /// Why; none if it was closed as asked.
        reason: Option<AgentFailure>,
        /// When.
        at: Time,
    },
    /// The recording of a call is finished: its file can be fetched. It may be missed, as with a lost connection.
    RecordingFinished {
        /// Which call's.
        attempt: AttemptId,
        /// When.
        at: Time,
    },
    /// How it stands with a supervisor's part in a call.
    Supervision {
        /// Which.
        supervision: SupervisionId,
        /// When.
        at: Time,
        /// How.
        state: SupervisionState,
    },
    /// The connection is lost; events are missing from here on. Calls that are up stay up.
    DriverLost {
        /// When it was noticed.
        at: Time,
    },
    /// No switch is to be given calls any more; those that are up go on, and nothing of them is missed.
    Drained {
        /// When.
        at: Time,
    },
    /// Ends `Drained`.
    Used {
        /// When.
        at: Time,
    },
    /// The connection is there again. Compare with `live_calls`: what is not up any more has ended unheard.
    DriverBack {
        /// When.
        at: Time,
    },
}

impl Event {
    /// When it happened.
    pub fn at(&self) -> Time {
        match self {
            Self::Call(event) => event.at,
            Self::LineUp { at, .. }
            | Self::LineDown { at, .. }
            | Self::RecordingFinished { at, .. }
            | Self::Supervision { at, .. }
            | Self::DriverLost { at }
            | Self::Drained { at }
            | Self::Used { at }
            | Self::DriverBack { at } => *at,
        }
    }
}

/// How it stands with a supervisor's part in a call: it begins and then ends, or fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SupervisionState {
    /// The supervisor hears the call.
    Started,
    /// They never did.
    Failed(PartyEnd),
    /// They do not any more: they hung up, the call is over, or its agent has left it.
    Ended,
}

/// Something that happened to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallEvent {
    /// Which call.
    pub attempt: AttemptId,
    /// When it happened.
    pub at: Time,
    /// What happened.
    pub kind: EventKind,
}

/// What can happen to a call. The crate's documentation has the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The network took the call.
    Placed,
    /// It rings at the called party.
    Ringing,
    /// The line was picked up, by whomever.
    Answered,
    /// It is known who or what picked up.
    Detected(Detected),
    /// The agent and the called party hear each other.
    Connected {
        /// The agent.
        agent: AgentId,
    },
    /// The agent could not be connected; the called party is still there.
    AgentFailed {
        /// The agent.
        agent: AgentId,
        /// Why.
        reason: AgentFailure,
    },
    /// A message is heard from now on.
    PlayStarted,
    /// A message was played to its end.
    PlayFinished,
    /// A message could not be played; nothing of it was heard.
    PlayFailed,
    /// The called party pressed a key (DTMF): `0` to `9`, `*`, `#`, `A` to `D`.
    Digit(char),
    /// The agent is out of the call, which goes on with a third party.
    AgentLeft {
        /// The agent.
        agent: AgentId,
    },
    /// Who is consulted is with the agent.
    ThirdAnswered {
        /// Under which number they were asked for.
        consultation: u32,
    },
    /// Who is consulted is not to be had, or has gone; the called party is with the agent as before. Not told of one
    /// that was ended as asked.
    ThirdGone {
        /// Under which number they were asked for.
        consultation: u32,
        /// Why.
        why: PartyEnd,
    },
    /// After `AgentLeft`: the third party is with the called party.
    Transferred,
    /// After `AgentLeft`: the third party is not to be had; the call ends.
    TransferFailed {
        /// Why.
        why: PartyEnd,
    },
    /// The call is over; nothing more comes for it.
    Ended(EndCause),
}

/// Who or what picked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detected {
    /// A person.
    Person,
    /// An answering machine or mailbox.
    Machine,
    /// A fax or modem.
    Fax,
    /// Detection came to no conclusion. To be treated as a person.
    Unsure,
    /// Nothing was heard.
    Silence,
}

/// Why an agent could not be connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentFailure {
    /// The agent's line was busy, or the agent declined.
    Busy,
    /// The agent did not pick up.
    NoAnswer,
    /// The agent's phone could not be reached.
    Unreachable,
    /// The call was not one that can be connected: not answered yet, or with an agent already.
    CallNotWaiting,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
    /// The called party hung up.
    ByCalledParty,
    /// We (or the agent) hung up.
    ByUs,
    /// The called party's line was busy.
    Busy,
    /// Nobody picked up in time.
    NoAnswer,
    /// The called party declined.
    Rejected,
    /// The network says that there is no such number.
    InvalidNumber,
    /// The network is congested.
    Congestion,
    /// No line was free on our side; the call was never placed.
    NoLine,
    /// Withdrawn before it was answered.
    Cancelled,
    /// A technical failure.
    Failed(Failure),
}

/// What failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The switch or the carrier refused the request to dial.
    NotPlaced,
    /// The switch failed or the connection between the parties broke.
    Switch,
    /// How the call ended was not heard: it was gone after a restart or a lost connection.
    Unheard,
}
