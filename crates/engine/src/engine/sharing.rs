//! Groups that share agents: what each leaves to the others, and who is kept for whom.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{AgentId, GroupId, SkillId};
use crate::pacing::Answers;
use crate::settings::DialMode;

use super::Engine;
use super::state::{Agent, Call, Group};

/// The agents that a group's calls count on.
pub(super) struct Wanted {
    /// For answered calls, and for lines each of which has an agent.
    pub surely: u32,
    /// For answers that lines beyond those may bring.
    pub likely: Answers,
}

impl Wanted {
    pub fn by(group: &Group) -> Self {
        let kept = group.lines.with_agent();
        let surely = group.waiting.len() as u32 + kept;
        let bets = (group.lines.len() as u32).saturating_sub(kept);
        match group.dial_mode() {
            DialMode::Power => {
                let agents = f64::from(bets) / group.definition.settings.lines_per_agent;
                Self { surely: surely + agents.ceil() as u32, likely: Answers::default() }
            }
            DialMode::Progressive | DialMode::Predictive => {
                // Of a group that was stopped, nobody has looked at the lines since.
                let most =
                    Answers { expected: group.lines.expected_answers(), variance: group.lines.variance() };
                let likely = if group.to_come.expected < most.expected { group.to_come } else { most };
                let part = f64::from(bets) / group.lines.len().max(1) as f64;
                Self { surely, likely: likely.of_part_of_lines(part) }
            }
            // The agent of a preview is reserved and so is not counted as ready, and a message needs none.
            DialMode::Preview | DialMode::PushPreview | DialMode::Agentless => {
                Self { surely, likely: Answers::default() }
            }
        }
    }
}

impl Engine {
    /// What other groups' calls want of the agents that the group shares with them: those who are ready and sure to be wanted, as
    /// far as the others' own do not suffice, and answers that may come.
    pub(super) fn wanted_by_others(&self, id: GroupId, group: &Group) -> Wanted {
        let mut wanted = Wanted { surely: 0, likely: Answers::default() };
        let skill = group.definition.skill;
        for other in self.sharing_agents_with(id, skill) {
            let theirs = other.definition.skill;
            let by_other = Wanted::by(other);
            if by_other.surely > 0 {
                let common = self.ready_with_both(skill, theirs);
                let own = self.ready.get(&theirs).map_or(0, BTreeSet::len) as u32 - common;
                wanted.surely += by_other.surely.saturating_sub(own).min(common);
            }
            wanted.likely = wanted.likely.and(by_other.likely.part(self.share_of_agents(theirs, skill)));
        }
        wanted
    }

    /// For how many lines of other groups agents are kept from a call, by the skill that these have.
    fn kept_from(&self, call: &Call) -> BTreeMap<SkillId, u32> {
        let mut kept = BTreeMap::new();
        let Some(group) = self.groups.get(&call.group).filter(|_| !call.has_agent) else { return kept };
        for other in self.sharing_agents_with(call.group, group.definition.skill) {
            let lines = other.lines.with_agent();
            if lines > 0 {
                *kept.entry(other.definition.skill).or_default() += lines;
            }
        }
        kept
    }

    /// The other groups for which some of a group's agents work.
    fn sharing_agents_with(&self, id: GroupId, skill: SkillId) -> impl Iterator<Item = &Group> {
        let shared = self.shared_skills.get(&skill).filter(|_| self.groups.len() > 1);
        shared.into_iter().flat_map(move |shared| {
            let others = self.groups.iter().filter(move |(other, _)| **other != id);
            others.map(|(_, other)| other).filter(|other| shared.contains(&other.definition.skill))
        })
    }

    /// The part of a skill's agents at work who have the other one, too.
    fn share_of_agents(&self, of: SkillId, with: SkillId) -> f64 {
        if of == with {
            return 1.0;
        }
        let both = self.working_with_both.get(&(of, with)).copied().unwrap_or(0);
        f64::from(both) / f64::from(self.working.get(&of).copied().unwrap_or(0).max(1))
    }

    /// How many ready agents have both skills.
    fn ready_with_both(&self, one: SkillId, other: SkillId) -> u32 {
        let ready = |skill| self.ready.get(&skill).map_or(0, BTreeSet::len);
        if one == other {
            return ready(one) as u32;
        }
        let (fewer, wanted) = if ready(one) <= ready(other) { (one, other) } else { (other, one) };
        let agents = self.ready.get(&fewer).into_iter().flatten();
        let has_both = |id: &AgentId| self.agents.get(id).is_some_and(|agent| agent.has_skill(wanted));
        agents.filter(|(_, _, id)| has_both(id)).count() as u32
    }

    /// The agent for a call that is answered: none who is needed for the lines for which other groups were promised one.
    pub(super) fn agent_for(&self, call: &Call) -> Option<AgentId> {
        let skill = self.groups.get(&call.group)?.definition.skill;
        let kept = self.kept_from(call);
        let is_spare = |agent: &Agent| {
            let ready = |skill| self.ready.get(skill).map_or(0, BTreeSet::len);
            kept.iter().all(|(skill, lines)| !agent.has_skill(*skill) || ready(skill) > *lines as usize)
        };
        self.choose_agent_among(skill, call.contact.preferred_agent, is_spare)
    }

    /// Connects calls that wait, those that were answered first before the others, as far as agents are there for them.
    pub(super) fn serve_waiting(&mut self) {
        let is_ready = |skill| self.ready.get(&skill).is_some_and(|ready| !ready.is_empty());
        let served = self.groups.values().filter(|group| !group.waiting.is_empty());
        let served = served.filter(|group| is_ready(group.definition.skill));
        let mut waiting: Vec<_> = served.flat_map(|group| group.waiting.iter().copied()).collect();
        waiting.sort_unstable_by_key(|attempt| {
            (self.calls.get(attempt).and_then(|call| call.answered_at), *attempt)
        });
        for attempt in waiting {
            let Some(call) = self.calls.get(&attempt) else { continue };
            if let Some(agent) = self.agent_for(call) {
                self.connect(attempt, agent);
            }
        }
    }
}
