//! A look at the engine from outside, for live views.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::agent::AgentState;
use crate::group::GroupState;
use crate::ids::{AgentId, AttemptId, GroupId};
use crate::settings::DialMode;
use crate::time::{Time, rfc3339};

use super::Engine;
use super::state::Stage;

/// What the engine sees at one instant.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Snapshot {
    /// The groups that are loaded.
    pub groups: Vec<GroupSnapshot>,
    /// The agents that are known.
    pub agents: Vec<AgentSnapshot>,
}

/// A campaign group at one instant.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct GroupSnapshot {
    /// Which.
    pub group: GroupId,
    /// Where it is in its life.
    pub state: GroupState,
    /// How it dials.
    pub dial_mode: DialMode,
    /// Contacts in the hopper.
    pub hopper: u32,
    /// Lines that are dialling or ringing.
    pub ringing: u32,
    /// Answered calls that wait for an agent.
    pub waiting: u32,
    /// Calls with an agent.
    pub connected: u32,
    /// Calls that hear the message of a group without agents.
    pub announcing: u32,
    /// Agents at work with the group's skill.
    pub agents_working: u32,
    /// Of those, ready.
    pub agents_ready: u32,
    /// Why it places no calls, if it places none.
    pub idle_reason: Option<IdleReason>,
}

/// Why a running group places no calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdleReason {
    /// It is not running.
    NotRunning,
    /// No agent with its skill is at work.
    NoAgents,
    /// No agent is ready.
    AgentsBusy,
    /// Agents are ready, and none of them has asked for a contact to preview.
    NobodyAsked,
    /// The switch cannot be reached.
    NoLines,
    /// No contact is callable at this hour; some will be later.
    NothingCallableNow,
    /// No contact is left.
    NothingLeft,
    /// Every number that its contacts may see was shown as often as it may be: it goes on by itself, or when a pool of
    /// caller ids is given numbers or higher limits.
    CallerIdsUsedUp,
}

/// An agent at one instant.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct AgentSnapshot {
    /// Who.
    pub agent: AgentId,
    /// Their state.
    pub state: AgentState,
    /// The reason given with it.
    pub reason: Option<String>,
    /// Since when.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub since: Time,
    /// The call they are on or finishing.
    pub attempt: Option<AttemptId>,
}

/// How many calls of a group somebody listens to.
#[derive(Clone, Copy, Default)]
struct Heard {
    talking: u32,
    announcing: u32,
}

impl Engine {
    /// What the engine sees now.
    pub fn snapshot(&self) -> Snapshot {
        let mut agents: Vec<_> = self
            .agents
            .values()
            .map(|agent| AgentSnapshot {
                agent: agent.id,
                state: agent.state,
                reason: agent.reason.clone(),
                since: agent.since,
                attempt: agent.attempt,
            })
            .collect();
        agents.sort_unstable_by_key(|agent| agent.agent);
        let mut heard: BTreeMap<GroupId, Heard> = BTreeMap::new();
        for call in self.calls.values() {
            match call.stage {
                Stage::Talking => heard.entry(call.group).or_default().talking += 1,
                Stage::Announcement => heard.entry(call.group).or_default().announcing += 1,
                _ => {}
            }
        }
        let heard_of = |id| heard.get(id).copied().unwrap_or_default();
        let groups = self.groups.keys().map(|id| self.group_snapshot(*id, heard_of(id)));
        Snapshot { groups: groups.collect(), agents }
    }

    fn group_snapshot(&self, id: GroupId, heard: Heard) -> GroupSnapshot {
        let group = &self.groups[&id];
        let skill = group.definition.skill;
        let agentless = group.dial_mode() == DialMode::Agentless;
        let nobody_asked = || !self.agents.values().any(|agent| agent.asked && agent.has_skill(skill));
        let team = self.team(skill);
        let (working, ready) = (team.at_work, team.ready.len() as u32);
        let idle_reason = if group.ringing > 0 {
            None
        } else if !group.is_running() {
            Some(IdleReason::NotRunning)
        } else if !self.lines_are_up {
            Some(IdleReason::NoLines)
        } else if working == 0 && !agentless {
            Some(IdleReason::NoAgents)
        } else if self.waits_for_caller_ids(id) {
            Some(IdleReason::CallerIdsUsedUp)
        } else if group.hopper.is_empty() && group.ran_dry {
            Some(IdleReason::NothingLeft)
        } else if group.hopper.is_empty() && group.fetch_not_before > self.now {
            Some(IdleReason::NothingCallableNow)
        } else if ready == 0 && !agentless {
            Some(IdleReason::AgentsBusy)
        } else if group.dial_mode() == DialMode::Preview && nobody_asked() {
            Some(IdleReason::NobodyAsked)
        } else {
            None
        };
        GroupSnapshot {
            group: id,
            state: group.state,
            dial_mode: group.dial_mode(),
            hopper: group.hopper.len() as u32,
            ringing: group.ringing,
            waiting: group.waiting.len() as u32,
            connected: heard.talking,
            announcing: heard.announcing,
            agents_working: working,
            agents_ready: ready,
            idle_reason,
        }
    }
}
