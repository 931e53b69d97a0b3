//! A campaign group's life cycle.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a campaign group is in its life.
///
/// `NotLoaded` –load→ `Active` –start→ `Running` –stop→ `Active` –unload→ `WaitingUnload` while calls are up →
/// `UnloadInProgress` while the hopper is given back → `NotLoaded`. Force unload ends the calls instead of waiting.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupState {
    /// At rest.
    #[default]
    NotLoaded,
    /// To be unloaded as soon as its calls have ended.
    WaitingUnload,
    /// Giving its contacts back.
    UnloadInProgress,
    /// Loaded, not dialling.
    Active,
    /// Dialling.
    Running,
}

impl GroupState {
    /// The number stored for it and told to other systems: Genesys' `CM_GrpCampState`.
    pub fn code(self) -> i64 {
        match self {
            Self::NotLoaded => 0,
            Self::WaitingUnload => 1,
            Self::UnloadInProgress => 2,
            Self::Active => 4,
            Self::Running => 5,
        }
    }

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::NotLoaded => "not loaded",
            Self::WaitingUnload => "waiting to be unloaded",
            Self::UnloadInProgress => "being unloaded",
            Self::Active => "loaded",
            Self::Running => "running",
        }
    }

    /// From the stored number.
    pub fn from_code(code: i64) -> Option<Self> {
        Some(match code {
            0 => Self::NotLoaded,
            1 => Self::WaitingUnload,
            2 => Self::UnloadInProgress,
            4 => Self::Active,
            5 => Self::Running,
            _ => return None,
        })
    }
}

/// What was asked of a campaign group.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupAction {
    /// Get ready to dial.
    Load,
    /// Dial.
    Start,
    /// Place no more calls.
    Stop,
    /// Dial in another way.
    SetDialMode,
    /// Come to rest when the calls that are up have ended.
    Unload,
    /// Come to rest now: end the calls.
    ForceUnload,
}

impl GroupAction {
    /// Whether a dial mode may be given with it.
    pub fn takes_dial_mode(self) -> bool {
        matches!(self, Self::Start | Self::SetDialMode)
    }

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::SetDialMode => "change its dial mode",
            Self::Unload => "unload",
            Self::ForceUnload => "unload at once",
        }
    }

    /// The number told to other systems: Genesys' `CMMessageType`.
    pub fn code(self) -> i64 {
        match self {
            Self::Load => 7,
            Self::Unload => 8,
            Self::Start => 9,
            Self::Stop => 10,
            Self::SetDialMode => 11,
            Self::ForceUnload => 29,
        }
    }
}

/// Who caused a change of a campaign group.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// Not known.
    #[default]
    Unknown,
    /// A user.
    Client,
    /// Another system, or an agent's screen.
    ThirdParty,
    /// The group itself, such as when it ran out of contacts.
    Itself,
    /// A schedule.
    Schedule,
    /// A sequence of campaign groups.
    Sequence,
}

impl Actor {
    /// The number told to other systems: Genesys' `GSW_CAMPAIGN_GROUP_ACTOR`.
    pub fn code(self) -> i64 {
        match self {
            Self::Unknown => 0,
            Self::Client => 1,
            Self::ThirdParty => 2,
            Self::Itself => 3,
            Self::Schedule => 4,
            Self::Sequence => 5,
        }
    }
}

/// An action that the group's state does not allow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a campaign group that is {} cannot be asked to {}: {remedy}", .state.words(), .action.words())]
pub struct ActionRefused {
    /// Its state.
    pub state: GroupState,
    /// What was asked.
    pub action: GroupAction,
    /// What to do instead.
    pub remedy: &'static str,
}

/// The state that an action leads to. `calls_are_up` says whether attempts are under way.
///
/// Asking for what is already so is no error: the state stays as it is.
///
/// # Errors
/// The state does not allow the action.
pub fn transition(
    state: GroupState,
    action: GroupAction,
    calls_are_up: bool,
) -> Result<GroupState, ActionRefused> {
    use GroupAction as A;
    use GroupState as S;
    let refused = |remedy| Err(ActionRefused { state, action, remedy });
    let coming_to_rest = if calls_are_up { S::WaitingUnload } else { S::UnloadInProgress };
    match (action, state) {
        (A::Load, S::NotLoaded) => Ok(S::Active),
        (A::Load, S::Active | S::Running) => Ok(state),
        (A::Load, S::WaitingUnload | S::UnloadInProgress) => {
            refused("wait until it is unloaded, then load it")
        }
        (A::Start, S::Active | S::Running) => Ok(S::Running),
        (A::Start, S::NotLoaded) => refused("load it first"),
        (A::Start, S::WaitingUnload | S::UnloadInProgress) => {
            refused("wait until it is unloaded, then load it")
        }
        (A::Stop, S::Running | S::Active) => Ok(S::Active),
        (A::Stop, _) => refused("only a running group can be stopped"),
        (A::SetDialMode, S::Active | S::Running) => Ok(state),
        (A::SetDialMode, _) => refused("load it first, or change its settings"),
        (A::Unload | A::ForceUnload, S::NotLoaded) => Ok(S::NotLoaded),
        (A::Unload | A::ForceUnload, S::UnloadInProgress) => Ok(S::UnloadInProgress),
        (A::Unload, _) => Ok(coming_to_rest),
        (A::ForceUnload, _) => Ok(coming_to_rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_goes_from_rest_to_running_and_back() {
        use GroupAction as A;
        use GroupState as S;
        assert_eq!(transition(S::NotLoaded, A::Load, false), Ok(S::Active));
        assert_eq!(transition(S::Active, A::Start, false), Ok(S::Running));
        assert_eq!(transition(S::Running, A::Stop, true), Ok(S::Active));
        assert_eq!(transition(S::Active, A::Unload, true), Ok(S::WaitingUnload));
        assert_eq!(transition(S::Active, A::Unload, false), Ok(S::UnloadInProgress));
        assert_eq!(transition(S::Running, A::Unload, true), Ok(S::WaitingUnload));
    }

    #[test]
    fn what_a_state_does_not_allow_is_refused_with_what_to_do() {
        let refused = transition(GroupState::NotLoaded, GroupAction::Start, false).unwrap_err();
        assert_eq!(refused.remedy, "load it first");
    }

    #[test]
    fn asking_for_what_is_already_so_changes_nothing() {
        assert_eq!(transition(GroupState::Running, GroupAction::Start, true), Ok(GroupState::Running));
        assert_eq!(transition(GroupState::NotLoaded, GroupAction::Unload, false), Ok(GroupState::NotLoaded));
    }

    #[test]
    fn states_lead_back_from_their_numbers() {
        use GroupState as S;
        for state in [S::NotLoaded, S::WaitingUnload, S::UnloadInProgress, S::Active, S::Running] {
            assert_eq!(GroupState::from_code(state.code()), Some(state));
        }
    }
}
