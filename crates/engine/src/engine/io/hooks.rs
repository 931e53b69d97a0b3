//! What server scripts are asked, and what they may answer.

use crate::call_result::CallResult;
use crate::change::ContactPlanned;
use crate::contact::{HopperContact, PhoneStatus};
use crate::detection::AnswerAction;
use crate::ids::{AgentId, AttemptId, GroupId};
use crate::phone::PhoneNumber;
use crate::time::Time;

use super::Detected;

/// A question to a server script.
#[derive(Clone, Debug)]
pub struct HookRequest {
    /// Which group asks.
    pub group: GroupId,
    /// To be named in the answer.
    pub question: u64,
    /// Whom it is about; as before the attempt, if there was one.
    pub contact: Box<HopperContact>,
    /// At which point.
    pub hook: Hook,
}

/// At which point a server script is asked.
#[derive(Clone, Debug)]
pub enum Hook {
    /// Before the contact reaches the hopper.
    PreCall,
    /// After the call; no treatment has been looked for yet.
    BeforeReschedule(Box<CallOver>),
    /// After the call, with what the treatments decided.
    AfterReschedule(Box<CallOver>, Box<ContactPlanned>),
    /// While the call is up: detection found out who picked up, and whoever did waits. An answer counts only until
    /// [`PickedUp::until`].
    Detected(PickedUp),
}

/// A call that was picked up, as a server script sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PickedUp {
    /// The attempt.
    pub attempt: AttemptId,
    /// Which attempt on the contact it is, from 1.
    pub attempt_number: u16,
    /// Who picked up, as far as was found out.
    pub detected: Detected,
    /// When it began to ring.
    pub ringing_at: Option<Time>,
    /// When it was picked up.
    pub answered_at: Option<Time>,
    /// Until when an answer is waited for.
    pub until: Time,
}

/// A call that is over, as a server script sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct CallOver {
    /// The attempt.
    pub attempt: AttemptId,
    /// How it ended.
    pub result: CallResult,
    /// The agent who talked.
    pub agent: Option<AgentId>,
    /// What the agent said.
    pub disposition: Option<String>,
    /// The agent's notes.
    pub notes: Option<String>,
    /// The time agreed for another call.
    pub callback_at: Option<Time>,
    /// When it began to ring.
    pub ringing_at: Option<Time>,
    /// When it was picked up.
    pub answered_at: Option<Time>,
    /// When the agent was connected.
    pub connected_at: Option<Time>,
    /// When it was over.
    pub ended_at: Option<Time>,
}

/// What a server script said.
#[derive(Clone, Debug, PartialEq)]
pub enum HookVerdict {
    /// It failed, or nobody could ask it.
    Failed,
    /// It took longer than it may, which is a failure as well.
    TimedOut,
    /// What to do with a contact that is about to be called.
    PreCall(PreCallVerdict),
    /// What to change before the treatments decide.
    BeforeReschedule(EndingChanges),
    /// What to change of the plan; none leaves it.
    AfterReschedule(Option<NextStep>),
    /// What to do with the answer; none leaves it to the detection profile.
    Detected(Option<AnswerAction>),
}

/// What a pre-call script wants done with a contact.
#[derive(Clone, Debug, PartialEq)]
pub enum PreCallVerdict {
    /// Call it.
    Dial {
        /// On this number, by its position, instead of the one that is next.
        phone: Option<u8>,
        /// Showing this number.
        caller_id: Option<PhoneNumber>,
    },
    /// Not before this instant.
    Skip {
        /// When it may be taken again.
        until: Time,
    },
    /// Never.
    Close,
    /// Do not call, and let the treatments decide as if a call had ended like this.
    Treat(CallResult),
}

/// What a post-call script changes before the treatments decide; what is none stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndingChanges {
    /// The call result that the treatments look at.
    pub result: Option<CallResult>,
    /// The disposition that counts.
    pub disposition: Option<String>,
    /// When to call again, as if the person had agreed to it.
    pub callback_at: Option<Time>,
    /// Call the same number again at this instant, whatever treatments say.
    pub retry_at: Option<Time>,
    /// The status that the dialled number gets.
    pub phone_status: Option<PhoneStatus>,
    /// The contact's priority from now on, 0 to 100.
    pub priority: Option<u8>,
}

/// What is next for a contact by the word of a post-call script.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NextStep {
    /// Another attempt.
    Dial {
        /// Not before this instant.
        at: Time,
        /// On this number, by its position; else the planned one.
        phone: Option<u8>,
    },
    /// A callback.
    Callback {
        /// When.
        at: Time,
        /// With whom.
        agent: Option<AgentId>,
    },
    /// None.
    Final,
}
