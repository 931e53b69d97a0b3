//! The states of an agent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an agent is doing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// Not at work.
    #[default]
    LoggedOut,
    /// At work, taking no calls.
    NotReady,
    /// Waiting for a call.
    Ready,
    /// Looking at a contact before it is dialled.
    Preview,
    /// Held for a call that is being dialled or connected.
    Reserved,
    /// Talking.
    OnCall,
    /// Finishing after a call.
    WrapUp,
}

impl AgentState {
    /// Whether the agent is there for calls: on one, after one, or waiting. A break is not the dialler's to fill.
    pub fn is_at_work(self) -> bool {
        !matches!(self, Self::LoggedOut | Self::NotReady)
    }

    /// The number stored for it.
    pub fn code(self) -> i64 {
        match self {
            Self::LoggedOut => 0,
            Self::NotReady => 1,
            Self::Ready => 2,
            Self::Preview => 3,
            Self::Reserved => 4,
            Self::OnCall => 5,
            Self::WrapUp => 6,
        }
    }
}
