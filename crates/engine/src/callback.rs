//! Callbacks: promises to call a person at a time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::time::Duration;

use crate::ids::{AgentId, CallbackId};
use crate::time::Time;

/// Where a callback is in its life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallbackState {
    /// It waits for its time, or is due and waits for its agent.
    Scheduled,
    /// An agent looks at it.
    Offered,
    /// It is being dialled, or its call is up.
    Dialled,
    /// The person was spoken to.
    Done,
    /// The person was spoken to and another time was agreed: another callback follows it.
    Rescheduled,
    /// It was taken back, with a reason.
    Cancelled,
    /// Its time passed without a try.
    Missed,
    /// It was tried, and its time passed before the person was spoken to.
    Expired,
}

impl CallbackState {
    /// Every state, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Scheduled,
        Self::Offered,
        Self::Dialled,
        Self::Done,
        Self::Rescheduled,
        Self::Cancelled,
        Self::Missed,
        Self::Expired,
    ];

    /// The number stored for it.
    pub fn code(self) -> i64 {
        self as i64
    }

    /// From the stored number.
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.get(usize::try_from(code).ok()?).copied()
    }

    /// The name used in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Offered => "offered",
            Self::Dialled => "dialled",
            Self::Done => "done",
            Self::Rescheduled => "rescheduled",
            Self::Cancelled => "cancelled",
            Self::Missed => "missed",
            Self::Expired => "expired",
        }
    }

    /// Whether nothing more will happen to it.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Scheduled | Self::Offered | Self::Dialled)
    }
}

/// The promise that a contact's next call keeps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Promise {
    /// Which callback.
    pub callback: CallbackId,
    /// The agent whom it was promised with; none leaves it to any agent of the group.
    pub agent: Option<AgentId>,
    /// When it is due.
    pub due: Time,
    /// From when on it is of no use.
    pub valid_until: Time,
    /// Agents who looked at it and did not take it, since it was claimed.
    pub refused_by: SmallVec<[AgentId; 2]>,
}

/// How a due callback reaches an agent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallbackDelivery {
    /// The agent sees the contact first and accepts.
    #[default]
    Preview,
    /// It is dialled; the agent is reserved for a personal one.
    Dial,
}

/// What becomes of a personal callback whose agent cannot take it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WithoutAgent {
    /// Any agent of the group may take it.
    #[default]
    Release,
    /// It ends, as expired.
    Expire,
}

/// What a campaign group does with callbacks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CallbackSettings {
    /// How a due callback reaches an agent.
    pub delivery: CallbackDelivery,
    /// Minutes that a personal callback waits for its agent, 0 to 10080.
    pub agent_wait_minutes: u32,
    /// What becomes of it after that.
    pub agent_absent: WithoutAgent,
    /// What becomes of a personal callback whose agent has lost the skill.
    pub agent_unskilled: WithoutAgent,
    /// Minutes that a callback stays valid after it was due, unless it says so itself, 1 to 43200. The default is a
    /// day's work and the night after it (Nixxis' wizard gives 22 hours).
    pub validity_minutes: u32,
}

impl Default for CallbackSettings {
    fn default() -> Self {
        Self {
            delivery: CallbackDelivery::Preview,
            agent_wait_minutes: 15,
            agent_absent: WithoutAgent::Release,
            agent_unskilled: WithoutAgent::Release,
            validity_minutes: 1320,
        }
    }
}

impl CallbackSettings {
    /// When the wait for a personal callback's agent is over.
    pub fn patience_ends(&self, promise: &Promise) -> Time {
        promise.due + Duration::from_secs(u64::from(self.agent_wait_minutes) * 60)
    }

    /// Until when a callback that is due then is valid, unless it says so itself.
    pub fn valid_until(&self, due: Time) -> Time {
        due + Duration::from_secs(u64::from(self.validity_minutes) * 60)
    }
}
