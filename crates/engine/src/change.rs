//! What the engine asks to have stored. Each change is also the event that other systems are told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Detected;
use crate::agent::AgentState;
use crate::call_result::CallResult;
use crate::callback::CallbackState;
use crate::contact::{BucketId, PhoneStatus, Rank};
use crate::detection::ScriptSaid;
use crate::group::{Actor, GroupAction, GroupState};
use crate::ids::{AgentId, AttemptId, CallbackId, ContactId, GroupId, MessageId};
use crate::phone::PhoneNumber;
use crate::settings::{CONNECT_WITHIN, DialMode};
use crate::time::{Time, rfc3339, rfc3339_option};
use crate::treatment::FinalReason;

/// Changes that are stored together or not at all. After they are durable the runner answers with
/// [`crate::Input::Stored`] and the same ticket.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeSet {
    /// Names the set in the answer.
    pub ticket: u64,
    /// When it was decided.
    pub at: Time,
    /// The changes, in order.
    pub changes: Vec<Change>,
}

/// One change of stored state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind")]
pub enum Change {
    /// An attempt was decided on; its call is placed only after this is durable.
    #[serde(rename = "attempt.started")]
    AttemptStarted(AttemptStarted),
    /// An attempt is over on the network's side.
    #[serde(rename = "attempt.ended")]
    AttemptEnded(AttemptEnded),
    /// An attempt is done with: wrap-up is over and the contact has its plan.
    #[serde(rename = "contact.planned")]
    ContactPlanned(ContactPlanned),
    /// A contact left the hopper without an attempt and may be called as before.
    #[serde(rename = "contact.returned")]
    ContactReturned(ContactReturned),
    /// A callback was agreed on.
    #[serde(rename = "callback.made")]
    CallbackMade(CallbackMade),
    /// A callback moved on in its life.
    #[serde(rename = "callback.state")]
    CallbackMoved(CallbackMoved),
    /// A campaign group changed its state or dial mode.
    #[serde(rename = "group.state")]
    GroupChanged(GroupChanged),
    /// A call is recorded from now on; the recording begins only after this is durable.
    #[serde(rename = "recording.started")]
    RecordingStarted(RecordingStarted),
    /// It is known what became of a call that its agent left to somebody else.
    #[serde(rename = "transfer.ended")]
    TransferEnded(TransferEnded),
    /// An agent changed state.
    #[serde(rename = "agent.state")]
    AgentChanged(AgentChanged),
}

/// See [`Change::AttemptStarted`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptStarted {
    /// The attempt.
    pub attempt: AttemptId,
    /// For which group.
    pub group: GroupId,
    /// Who is called.
    pub contact: ContactId,
    /// On which of their numbers.
    pub phone: u8,
    /// The number itself.
    pub number: PhoneNumber,
    /// Which attempt on the contact it is, from 1.
    pub attempt_number: u16,
    /// How the group dials.
    pub dial_mode: DialMode,
    /// The number shown.
    pub caller_id: Option<PhoneNumber>,
    /// The agent it is for, if that is known before it is answered.
    pub agent: Option<AgentId>,
    /// When it was decided.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub at: Time,
}

/// See [`Change::AttemptEnded`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptEnded {
    /// The attempt.
    pub attempt: AttemptId,
    /// For which group.
    pub group: GroupId,
    /// Who was called.
    pub contact: ContactId,
    /// How it ended.
    pub result: CallResult,
    /// The agent who was connected.
    pub agent: Option<AgentId>,
    /// Whether the called party pressed the key to be called no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opted_out: Option<OptOut>,
    /// When it began to ring.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub ringing_at: Option<Time>,
    /// When it was picked up.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub answered_at: Option<Time>,
    /// When the agent was connected.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub connected_at: Option<Time>,
    /// Who picked up and what they heard.
    #[serde(default)]
    pub evidence: Evidence,
    /// When it was over.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub at: Time,
}

/// Who picked a call up and what they heard of us without an agent: with the times of the call it shows that an answered
/// person was connected, or heard who calls, within two seconds of the answer or of the end of their greeting
/// (16 CFR 310.4(b)(1)(iv) and (b)(4)).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// Who picked up, as far as was found out; null if nothing was detected.
    pub detected: Option<Detected>,
    /// When that was known: the greeting is over then.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub detected_at: Option<Time>,
    /// What the server script that was asked about it said; null if none was asked, or the call was over before.
    #[serde(default)]
    pub script: Option<ScriptSaid>,
    /// When, or when it was waited for no longer.
    #[serde(default, with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub script_at: Option<Time>,
    /// The message that the script named.
    #[serde(default)]
    pub script_message: Option<MessageId>,
    /// What was played last.
    pub message: Option<Heard>,
    /// When it began.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub message_at: Option<Time>,
    /// When it had been played to its end.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub message_ended_at: Option<Time>,
}

/// A message that a called party heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Heard {
    /// That no agent is free.
    SafeHarbour,
    /// What the call was for.
    Campaign,
}

impl Heard {
    const ALL: [Self; 2] = [Self::SafeHarbour, Self::Campaign];

    /// The number stored for it.
    pub fn code(self) -> i64 {
        self as i64
    }

    /// From the stored number.
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.get(usize::try_from(code).ok()?).copied()
    }
}

/// What a called party heard who pressed the key to be called no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OptOut {
    /// The message that the call was for, begun within two seconds.
    Message,
    /// That no agent is free, or a message that began too late.
    SafeHarbour,
}

impl OptOut {
    /// The number stored for it.
    pub fn code(self) -> i64 {
        self as i64
    }
}

impl AttemptEnded {
    /// Whether a person answered: the denominator of the abandonment rate.
    pub fn answered_by_person(&self) -> bool {
        self.result.answered_by_person() || self.opted_out.is_some()
    }

    /// Whether a person answered and found, in time, neither an agent nor what the call was for: the numerator.
    pub fn is_abandonment(&self) -> bool {
        self.found_nobody() || self.connected_late()
    }

    /// Whether a person answered and no agent was connected at all, nor did they hear what the call was for.
    pub fn found_nobody(&self) -> bool {
        self.result.is_abandonment() || self.opted_out == Some(OptOut::SafeHarbour)
    }

    /// Whether a person was connected to an agent, and more than [`CONNECT_WITHIN`] after they answered, or after their greeting
    /// where it was listened to: the law counts them as abandoned (16 CFR 310.4(b)(1)(iv)), whatever they talked about. Whoever
    /// heard what the call was for before is not among them.
    pub fn connected_late(&self) -> bool {
        let waited_since = self.evidence.detected_at.or(self.answered_at);
        let waited = waited_since.zip(self.connected_at).map(|(since, at)| at.since(since));
        waited.is_some_and(|waited| waited > CONNECT_WITHIN)
            && self.result.answered_by_person()
            && self.evidence.message != Some(Heard::Campaign)
    }
}

/// See [`Change::ContactPlanned`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContactPlanned {
    /// The attempt that led to the plan; none if the contact was closed without one.
    pub attempt: Option<AttemptId>,
    /// For which group.
    pub group: GroupId,
    /// The contact.
    pub contact: ContactId,
    /// The number that was dialled, by its position.
    pub phone: u8,
    /// What is known of that number now.
    pub phone_status: PhoneStatus,
    /// The call result that was treated.
    pub result: Option<CallResult>,
    /// How often in a row.
    pub result_in_a_row: u16,
    /// What the agent said.
    pub disposition: Option<String>,
    /// The agent's notes.
    pub notes: Option<String>,
    /// When wrap-up was over.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub at: Time,
    /// The number goes on the campaign's suppression list.
    pub suppress: Option<PhoneNumber>,
    /// What is next.
    pub next: PlannedNext,
}

/// What is next for a contact, as stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlannedNext {
    /// Another attempt.
    Dial {
        /// On which number, by its position.
        phone: u8,
        /// That number's hours.
        #[serde(skip)]
        #[schemars(skip)]
        bucket: Option<BucketId>,
        /// Not before this instant.
        #[serde(with = "rfc3339")]
        #[schemars(with = "String")]
        at: Time,
        /// Its place in the order.
        #[serde(skip)]
        #[schemars(skip)]
        rank: Option<Rank>,
        /// Whether it was promised.
        callback: bool,
    },
    /// None.
    Final {
        /// Why.
        reason: FinalReason,
    },
}

/// See [`Change::ContactReturned`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContactReturned {
    /// From which group's hopper.
    pub group: GroupId,
    /// The contact.
    pub contact: ContactId,
    /// Not to be taken again before this instant; at once if none.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub not_before: Option<Time>,
    /// The agent who looked at it and did not want to dial it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<PreviewRejected>,
}

/// That an agent did not want to dial a contact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PreviewRejected {
    /// Who.
    pub agent: AgentId,
    /// Why, in their words; none if they were not asked.
    pub reason: Option<String>,
}

/// See [`Change::CallbackMade`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CallbackMade {
    /// The callback.
    pub callback: CallbackId,
    /// For which group.
    pub group: GroupId,
    /// Whom to call.
    pub contact: ContactId,
    /// On which of their numbers.
    pub phone: u8,
    /// The agent whom it was agreed with, if it is to be theirs.
    pub agent: Option<AgentId>,
    /// When to call.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub due: Time,
    /// From when on it is of no use.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub valid_until: Time,
    /// Notes for whoever calls.
    pub notes: Option<String>,
    /// The callback that it takes the place of.
    pub follows: Option<CallbackId>,
    /// When it was agreed on.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub at: Time,
}

/// See [`Change::CallbackMoved`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CallbackMoved {
    /// The callback.
    pub callback: CallbackId,
    /// Of which group.
    pub group: GroupId,
    /// Whom to call.
    pub contact: ContactId,
    /// Where it is now.
    pub state: CallbackState,
    /// The agent whom it is promised with or offered to.
    pub agent: Option<AgentId>,
    /// When it is due, if that changed.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub due: Option<Time>,
    /// Why it moved, where that is not plain.
    pub reason: Option<String>,
    /// When.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub at: Time,
}

/// See [`Change::GroupChanged`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GroupChanged {
    /// The group.
    pub group: GroupId,
    /// Its state now.
    pub state: GroupState,
    /// How it dials.
    pub dial_mode: DialMode,
    /// What led to it.
    pub action: GroupAction,
    /// Who asked.
    pub actor: Actor,
    /// When.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub at: Time,
}

/// See [`Change::RecordingStarted`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RecordingStarted {
    /// The attempt whose call it is.
    pub attempt: AttemptId,
    /// For which group.
    pub group: GroupId,
    /// Who was called.
    pub contact: ContactId,
    /// The agent they talk with.
    pub agent: AgentId,
    /// Its name.
    pub name: String,
    /// When.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub at: Time,
    /// When it is deleted.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub expires_at: Time,
}

/// See [`Change::TransferEnded`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TransferEnded {
    /// The attempt whose call it was.
    pub attempt: AttemptId,
    /// For which group.
    pub group: GroupId,
    /// Who was called.
    pub contact: ContactId,
    /// The agent who left it.
    pub agent: Option<AgentId>,
    /// What became of it.
    pub outcome: TransferOutcome,
    /// When that was known.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub at: Time,
}

/// What became of a call that its agent left to somebody who is not the campaign's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransferOutcome {
    /// The third party was there, and the called party with them.
    Answered,
    /// The third party's line was busy, or they declined; the call ended.
    Busy,
    /// The third party did not pick up; the call ended.
    NoAnswer,
    /// The third party could not be reached; the call ended.
    Unreachable,
    /// The called party did not wait for the third party, or the call broke meanwhile.
    CalledPartyLeft,
}

impl TransferOutcome {
    const ALL: [Self; 5] =
        [Self::Answered, Self::Busy, Self::NoAnswer, Self::Unreachable, Self::CalledPartyLeft];

    /// The number stored for it.
    pub fn code(self) -> i64 {
        self as i64
    }

    /// From the stored number.
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.get(usize::try_from(code).ok()?).copied()
    }
}

/// See [`Change::AgentChanged`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentChanged {
    /// The agent.
    pub agent: AgentId,
    /// Their state now.
    pub state: AgentState,
    /// The reason they gave, if any.
    pub reason: Option<String>,
    /// The attempt they are on.
    pub attempt: Option<AttemptId>,
    /// When.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub at: Time,
}

impl Change {
    /// The name of the event.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::AttemptStarted(_) => "attempt.started",
            Self::AttemptEnded(_) => "attempt.ended",
            Self::ContactPlanned(_) => "contact.planned",
            Self::ContactReturned(_) => "contact.returned",
            Self::CallbackMade(_) => "callback.made",
            Self::CallbackMoved(_) => "callback.state",
            Self::GroupChanged(_) => "group.state",
            Self::RecordingStarted(_) => "recording.started",
            Self::TransferEnded(_) => "transfer.ended",
            Self::AgentChanged(_) => "agent.state",
        }
    }

    /// The group whose lease must be held for it to be stored.
    pub fn group(&self) -> Option<GroupId> {
        match self {
            Self::AttemptStarted(change) => Some(change.group),
            Self::AttemptEnded(change) => Some(change.group),
            Self::ContactPlanned(change) => Some(change.group),
            Self::ContactReturned(change) => Some(change.group),
            Self::CallbackMade(change) => Some(change.group),
            Self::CallbackMoved(change) => Some(change.group),
            Self::GroupChanged(change) => Some(change.group),
            Self::RecordingStarted(change) => Some(change.group),
            // What is noted of an attempt that was another's business already changes nothing that is decided.
            Self::TransferEnded(_) | Self::AgentChanged(_) => None,
        }
    }
}
