//! Who gets a call, and what groups that share agents leave to each other.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{AgentId, AttemptId, GroupId, SkillId};
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
        let surely = group.waiting.len() as u32 + group.kept;
        let bets = (group.lines.len() as u32).saturating_sub(group.kept);
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

/// Agents who are kept for other campaigns' lines.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// The skills of those lines' groups.
    skills: Vec<SkillId>,
    /// All that have one of them are needed.
    all: bool,
}

impl Kept {
    fn counts_on(&self, agent: &Agent) -> bool {
        self.skills.iter().any(|skill| agent.has_skill(*skill))
    }

    /// Whether an agent may be taken.
    pub fn leaves(&self, agent: &Agent) -> bool {
        !self.all || !self.counts_on(agent)
    }
}

impl Engine {
    /// What other groups' calls want of the agents that the group shares with them: those who are ready and sure to be wanted, as
    /// far as the others' own do not suffice, and answers that may come.
    pub(super) fn wanted_by_others(&self, id: GroupId) -> Wanted {
        let mut wanted = Wanted { surely: 0, likely: Answers::default() };
        if self.groups.len() < 2 {
            return wanted;
        }
        let Some(group) = self.groups.get(&id) else { return wanted };
        let skill = group.definition.skill;
        for other in self.sharing_agents_with(id, skill) {
            let theirs = other.definition.skill;
            let by_other = Wanted::by(other);
            wanted.surely += self.needed_in_common(by_other.surely, theirs, skill);
            wanted.likely = wanted.likely.and(by_other.likely.part(self.share_of_agents(theirs, skill)));
        }
        wanted
    }

    /// The agents whom a group's bets have to leave to other campaigns' lines.
    pub(super) fn kept_from(&self, id: GroupId) -> Kept {
        let Some(group) = self.groups.get(&id) else { return Kept::default() };
        let lines = self.lines_of_other_campaigns(id, group);
        let skill = group.definition.skill;
        let needed = self.needed_for(&lines, skill);
        let mut kept = Kept { skills: lines.into_keys().collect(), all: false };
        if needed > 0 {
            let ready = self.team(skill).ready.iter();
            let counted_on =
                ready.filter(|(_, _, id)| self.agents.get(id).is_some_and(|agent| kept.counts_on(agent)));
            kept.all = counted_on.count() as u32 <= needed;
        }
        kept
    }

    /// For how many lines agents are kept who may be a group's as well, by the skill of those lines' groups. Of groups of one
    /// campaign, which have one budget, whoever has answered comes before those who may.
    fn lines_of_other_campaigns(&self, id: GroupId, group: &Group) -> BTreeMap<SkillId, u32> {
        let mut lines = BTreeMap::new();
        for other in self.sharing_agents_with(id, group.definition.skill) {
            if other.kept > 0 && other.definition.campaign != group.definition.campaign {
                *lines.entry(other.definition.skill).or_default() += other.kept;
            }
        }
        lines
    }

    /// How many of a skill's ready agents are needed for lines of other skills.
    fn needed_for(&self, lines: &BTreeMap<SkillId, u32>, skill: SkillId) -> u32 {
        lines.iter().map(|(theirs, lines)| self.needed_in_common(*lines, *theirs, skill)).sum()
    }

    /// How many of the ready agents that two skills have in common one of them needs, for so many: as far as its own do not suffice.
    fn needed_in_common(&self, needed: u32, theirs: SkillId, skill: SkillId) -> u32 {
        if needed == 0 {
            return 0;
        }
        let common = self.ready_with_both(skill, theirs);
        let own = self.team(theirs).ready.len() as u32 - common;
        needed.saturating_sub(own).min(common)
    }

    /// The other groups for which some of a group's agents work.
    pub(super) fn sharing_agents_with(&self, id: GroupId, skill: SkillId) -> impl Iterator<Item = &Group> {
        let shared = &self.team(skill).skills;
        let others = self.groups.iter().filter(move |(other, _)| **other != id);
        others.map(|(_, other)| other).filter(|other| shared.contains(&other.definition.skill))
    }

    /// The part of a skill's agents at work who have the other one, too.
    pub(super) fn share_of_agents(&self, of: SkillId, with: SkillId) -> f64 {
        if of == with {
            return 1.0;
        }
        let team = self.team(of);
        let both = team.at_work_with.get(&with).copied().unwrap_or(0);
        f64::from(both) / f64::from(team.at_work.max(1))
    }

    /// How many ready agents have both skills.
    fn ready_with_both(&self, one: SkillId, other: SkillId) -> u32 {
        let ready = |skill| &self.team(skill).ready;
        if one == other {
            return ready(one).len() as u32;
        }
        let (fewer, wanted) =
            if ready(one).len() <= ready(other).len() { (one, other) } else { (other, one) };
        let agents = ready(fewer).iter();
        let has_both = |id: &AgentId| self.agents.get(id).is_some_and(|agent| agent.has_skill(wanted));
        agents.filter(|(_, _, id)| has_both(id)).count() as u32
    }

    /// The agent for a call that is answered. One that was a bet leaves those to other campaigns who are kept for their lines.
    fn agent_for(&self, call: &Call) -> Option<AgentId> {
        let skill = self.groups.get(&call.group)?.definition.skill;
        let kept = if call.has_agent { Kept::default() } else { self.kept_from(call.group) };
        self.choose_agent_among(skill, call.contact.preferred_agent, |agent| kept.leaves(agent))
    }

    /// Connects calls that wait, those that were answered first before the others, as far as agents are there for them.
    pub(super) fn serve_waiting(&mut self) {
        // Whoever is served may leave an agent to others whom they were kept from.
        while self.serve_those_who_wait() {}
    }

    /// Goes through them once; says whether any was connected.
    fn serve_those_who_wait(&mut self) -> bool {
        let mut waiting = Vec::new();
        for group in self.groups.values() {
            if !group.waiting.is_empty() && !self.team(group.definition.skill).ready.is_empty() {
                waiting.extend(&group.waiting);
            }
        }
        // This is asked at every input, and mostly nobody waits whom somebody could take.
        if waiting.is_empty() {
            return false;
        }
        waiting.sort_unstable_by_key(|attempt| {
            (self.calls.get(attempt).and_then(|call| call.answered_at), *attempt)
        });
        // Whose bets have found nobody; the next of them does not either.
        let mut in_vain = BTreeSet::new();
        let mut any_served = false;
        for attempt in waiting {
            let Some(call) = self.calls.get(&attempt) else { continue };
            let (group, is_bet) = (call.group, !call.has_agent);
            if is_bet && in_vain.contains(&group) {
                continue;
            }
            if self.serve(attempt) {
                any_served = true;
            } else {
                in_vain.insert(group);
            }
        }
        any_served
    }

    /// Connects a call to whoever is there for it; says whether somebody is.
    pub(super) fn serve(&mut self, attempt: AttemptId) -> bool {
        let Some(call) = self.calls.get(&attempt) else { return false };
        let (group, is_bet) = (call.group, !call.has_agent);
        let Some(agent) = self.agent_for(call) else { return false };
        self.connect(attempt, agent);
        if is_bet {
            self.pay_for_bet(group);
        }
        true
    }

    /// After a bet of a group has got an agent: where that was one whom a line of its own counted on, that line is a bet from now
    /// on, so that it takes nobody who is kept for another campaign's.
    fn pay_for_bet(&mut self, id: GroupId) {
        while let Some(group) = self.groups.get(&id).filter(|group| group.kept > 0) {
            let skill = group.definition.skill;
            let needed = self.needed_for(&self.lines_of_other_campaigns(id, group), skill);
            let ready = self.team(skill).ready.len() as u32;
            if group.kept + needed <= ready {
                return;
            }
            let has_agent = |attempt: &&AttemptId| {
                self.calls.get(*attempt).is_some_and(|call| call.has_agent && call.stage.may_want_agent())
            };
            let latest = group.lines.iter().rev().map(|(attempt, _)| attempt).find(has_agent).copied();
            let Some(latest) = latest else { return };
            if let Some(call) = self.calls.get_mut(&latest) {
                call.has_agent = false;
            }
            if let Some(group) = self.groups.get_mut(&id) {
                group.kept -= 1;
            }
        }
    }
}
