//! What is done with an answer, by what detection found out about it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Detected;
use crate::ids::MessageId;

/// What is done with an answering machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MachineAction {
    /// Hang up.
    #[default]
    HangUp,
    /// Treat it like a person.
    Connect,
    /// Leave the message of the campaign's detection profile, once its greeting is over.
    LeaveMessage,
}

/// What is done with an answer of which not much is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DoubtAction {
    /// Treat it like a person.
    Connect,
    /// Hang up.
    HangUp,
}

/// What is done with what detection found out, by a campaign's detection profile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DetectionRules {
    /// What is done with an answering machine; none leaves it to the group.
    pub machine: Option<MachineAction>,
    /// The message that is left on machines.
    pub message: Option<MessageId>,
    /// What is done where detection came to no conclusion. Hung up on, it counts as abandoned: it may have been a person.
    pub unsure: DoubtAction,
    /// What is done where nothing is heard.
    pub silence: DoubtAction,
    /// From which attempt on a contact on nothing is detected and every answer counts as a person's; 1 is always.
    pub off_from_attempt: Option<u16>,
    /// The script that is asked first; the rest holds where it is not, and where it says nothing in time.
    pub script: Option<AskScript>,
}

impl Default for DetectionRules {
    /// Doubt counts as a person; silence is hung up on.
    fn default() -> Self {
        Self {
            machine: None,
            message: None,
            unsure: DoubtAction::Connect,
            silence: DoubtAction::HangUp,
            off_from_attempt: None,
            script: None,
        }
    }
}

/// What a script is asked about, and for how long its answer is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AskScript {
    /// About answering machines.
    pub machine: bool,
    /// Where detection came to no conclusion.
    pub unsure: bool,
    /// Where nothing is heard.
    pub silence: bool,
    /// About faxes.
    pub fax: bool,
    /// How long an answer is waited for.
    pub within: Duration,
}

impl AskScript {
    /// How long an answer is waited for where a profile says nothing else. Somebody may be waiting, and is to hear an
    /// agent or who calls within two seconds of the answer ([`crate::settings::CONNECT_WITHIN`]): a "hello?" of 0.4 s and
    /// the 0.8 s of silence that end a greeting leave 0.8 s, of which an agent's telephone and the message
    /// ([`crate::settings::MESSAGE_TAKES`]) get the rest.
    pub const WITHIN: Duration = Duration::from_millis(500);
    /// The shortest time that can be set: about that of one request to another machine and back.
    pub const WITHIN_MIN: Duration = Duration::from_millis(100);
    /// The longest: the whole two seconds. More would break them in any case.
    pub const WITHIN_MAX: Duration = crate::settings::CONNECT_WITHIN;

    /// Whether it is asked about such an answer; about persons it never is.
    pub fn is_about(&self, found: Detected) -> bool {
        match found {
            Detected::Person => false,
            Detected::Unsure => self.unsure,
            Detected::Machine => self.machine,
            Detected::Fax => self.fax,
            Detected::Silence => self.silence,
        }
    }
}

/// What is done with an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AnswerAction {
    /// Hang up.
    HangUp,
    /// Treat it like a person.
    Connect,
    /// Play a message and hang up; none is that of a group without agents, or the detection profile's.
    LeaveMessage(Option<MessageId>),
}

/// What came of asking a script about an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScriptSaid {
    /// It left it to the profile.
    Nothing,
    /// To hang up.
    HangUp,
    /// To treat it like a person.
    Connect,
    /// To play a message.
    LeaveMessage,
    /// It failed, or could not be asked.
    Failed,
    /// It did not answer in time.
    Late,
}

impl ScriptSaid {
    const ALL: [Self; 6] =
        [Self::Nothing, Self::HangUp, Self::Connect, Self::LeaveMessage, Self::Failed, Self::Late];

    /// The number stored for it.
    pub fn code(self) -> i64 {
        self as i64
    }

    /// From the stored number.
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.get(usize::try_from(code).ok()?).copied()
    }
}
