//! What supervisors see.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::engine::{AgentSnapshot, GroupSnapshot};
use engine::time::rfc3339;
use engine::{AgentState, CallResult, Change, Time};
use schemars::JsonSchema;
use serde::Serialize;

/// A tenant's groups and agents at one instant.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LiveView {
    /// When.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub at: Time,
    /// The groups that are loaded on this node.
    pub groups: Vec<GroupLive>,
    /// The agents.
    pub agents: Vec<AgentLive>,
    /// Share of the agents' time at work that they talked, since this node runs the tenant; null before anybody worked.
    pub talk_share: Option<f64>,
    /// Share of it that they talked or wrapped up: what pacing can bring about.
    pub busy_share: Option<f64>,
}

/// A campaign group at one instant.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct GroupLive {
    /// Its name.
    pub name: String,
    /// What the engine sees.
    #[serde(flatten)]
    pub now: GroupSnapshot,
    /// What came of its calls since it was loaded on this node.
    pub figures: GroupFigures,
}

/// An agent at one instant.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AgentLive {
    /// Their name.
    pub name: String,
    /// What the engine sees.
    #[serde(flatten)]
    pub now: AgentSnapshot,
}

/// What came of a group's calls. `results` counts a call when it has ended; calls that are with an agent now are among
/// those that a person answered already.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct GroupFigures {
    /// Attempts started.
    pub dialled: u64,
    /// Attempts ended, by call result.
    pub results: BTreeMap<CallResult, u64>,
    /// Calls that a person answered, those that are with an agent now included.
    pub answered: u64,
    /// Of those, without an agent within two seconds.
    pub abandoned: u64,
    /// Of those, connected to an agent all the same, but later.
    pub connected_late: u64,
    /// Abandoned among answered; null before anybody answered.
    pub abandon_rate: Option<f64>,
}

impl GroupFigures {
    pub(crate) fn count(&mut self, change: &Change) {
        match change {
            Change::AttemptStarted(_) => self.dialled += 1,
            Change::AttemptEnded(ended) => {
                *self.results.entry(ended.result).or_default() += 1;
                self.answered += u64::from(ended.answered_by_person());
                self.abandoned += u64::from(ended.is_abandonment());
                self.connected_late += u64::from(ended.connected_late());
                self.rate();
            }
            _ => {}
        }
    }

    /// With the calls that are with an agent now, which count when they end too, but were answered already.
    pub(crate) fn with_connected(mut self, connected: u32) -> Self {
        self.answered += u64::from(connected);
        self.rate();
        self
    }

    fn rate(&mut self) {
        self.abandon_rate = (self.answered > 0).then(|| self.abandoned as f64 / self.answered as f64);
    }
}

/// How long agents have been doing what.
#[derive(Clone, Debug, Default)]
pub(crate) struct AgentTimes {
    talking: Duration,
    wrapping_up: Duration,
    at_work: Duration,
}

impl AgentTimes {
    /// Counts a stay in a state. Breaks are not counted: a break is not the dialler's to fill.
    pub fn count(&mut self, state: AgentState, stay: Duration) {
        if state.is_at_work() {
            self.at_work += stay;
        }
        if state == AgentState::OnCall {
            self.talking += stay;
        }
        if state == AgentState::WrapUp {
            self.wrapping_up += stay;
        }
    }

    pub fn talk_share(&self) -> Option<f64> {
        self.share(self.talking)
    }

    pub fn busy_share(&self) -> Option<f64> {
        self.share(self.talking + self.wrapping_up)
    }

    fn share(&self, part: Duration) -> Option<f64> {
        (!self.at_work.is_zero()).then(|| part.as_secs_f64() / self.at_work.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_are_with_an_agent_count_as_answered_before_they_end() {
        let ended = GroupFigures { answered: 3, abandoned: 1, ..GroupFigures::default() };
        let now = ended.clone().with_connected(1);
        assert_eq!((now.answered, now.abandoned, now.abandon_rate), (4, 1, Some(0.25)));
        assert!(ended.results.is_empty() && now.results.is_empty(), "none of them has a result yet");
        assert_eq!(GroupFigures::default().with_connected(0).abandon_rate, None);
    }
}
