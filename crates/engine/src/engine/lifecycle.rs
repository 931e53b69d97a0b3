//! Commands, and the life cycle of campaign groups.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::agent::AgentState;
use crate::change::{Change, ContactReturned, GroupChanged};
use crate::contact::HopperContact;
use crate::group::{Actor, GroupAction, GroupState, transition};
use crate::hopper::Hopper;
use crate::ids::{AgentId, GroupId, SkillId, SourceId};
use crate::pacing::{Answers, Budget, Forecast, Lines, Segment};
use crate::settings::{CampaignRules, DialMode};
use crate::time::Time;

use super::Engine;
use super::io::{AgentDefinition, Command, GroupDefinition, Output};
use super::state::{AfterStored, Afterwards, Agent, Few, Group, Stage, Team};
use super::turns::Used;

impl Engine {
    pub(super) fn command(&mut self, command: Command) {
        match command {
            Command::PutGroup(definition) => self.put_group(*definition),
            Command::PutAgent(definition) => self.put_agent(definition),
            Command::PutCallerIds(state) => self.caller_ids.put(self.now, state),
            Command::CallerIdsShown { read_at, shown } => self.caller_ids.count_in(read_at, shown),
            Command::RemoveAgent(agent) => self.remove_agent(agent),
            Command::Act { group, action, dial_mode, actor, reply } => {
                let outcome = self.act(group, action, dial_mode, actor);
                self.outputs.push_back(Output::Answer { reply, outcome });
            }
        }
    }

    fn put_group(&mut self, definition: GroupDefinition) {
        let id = definition.group;
        self.note_answered(&definition);
        if let Some(group) = self.groups.get_mut(&id) {
            if !group.pacing.adopt(&definition.settings) {
                group.pacing = (self.policies)(&definition.settings);
            }
            let turns_to_callbacks =
                definition.settings.callbacks_only && !group.definition.settings.callbacks_only;
            let is_claimed_otherwise = claims_otherwise(&group.definition.rules, &definition.rules);
            group.definition = definition;
            group.held = None;
            if turns_to_callbacks || is_claimed_otherwise {
                self.empty_hopper(id);
            }
            if is_claimed_otherwise {
                self.withdraw_previews(id, |_| true);
                self.more_contacts(id);
            }
            return;
        }
        let pacing = (self.policies)(&definition.settings);
        let group = Group {
            state: definition.state,
            definition,
            pacing,
            lines: Lines::default(),
            forecast: Forecast::default(),
            to_come: Answers::default(),
            used: Used::default(),
            segment: Segment::new(SourceId(uuid::Uuid::nil()), 12, 1),
            next_look: Time::EPOCH,
            hopper: Hopper::default(),
            screening: BTreeMap::new(),
            promised: Vec::new(),
            fence: 0,
            fetching: false,
            suppressed_meanwhile: BTreeSet::new(),
            open_fetches: 0,
            fetch_not_before: Time::EPOCH,
            ran_dry: false,
            next_call_at: Time::EPOCH,
            next_call_timer: Time::EPOCH,
            held: None,
            is_limited: false,
            calls_up: 0,
            on_lines: 0,
            ringing: 0,
            kept: 0,
            waiting: VecDeque::new(),
            unload_actor: Actor::Unknown,
            unload_is_forced: false,
        };
        self.groups.insert_sorted(id, group);
    }

    /// Takes up the count of a campaign's answered calls, unless it is kept already.
    fn note_answered(&mut self, definition: &GroupDefinition) {
        let (zone, now) = (definition.rules.zone.clone(), self.now);
        match self.budgets.get_mut(&definition.campaign) {
            Some(budget) => budget.set_zone(zone, now),
            None => {
                let counted = definition.answered.clone();
                let budget = Budget::new(zone, counted.since, counted.slots, now);
                self.budgets.insert(definition.campaign, budget);
            }
        }
    }

    fn put_agent(&mut self, definition: AgentDefinition) {
        let id = definition.agent;
        if self.agents.contains_key(&id) {
            self.leave_ready_lists(id);
            self.count_working(id, -1);
        }
        let agent = self.agents.entry(id).or_insert_with(|| Agent {
            id,
            skills: Vec::new(),
            state: AgentState::LoggedOut,
            reason: None,
            since: self.now,
            attempt: None,
            preview: None,
            asked: false,
            finishes_for: None,
            afterwards: Afterwards::NotReady(None),
            deadline: None,
            is_saving: false,
            screen_is_gone: false,
            is_removed: false,
            needs_line: false,
            line_is_up: false,
            is_ready_with_line: false,
            consulted_on: None,
            is_held: false,
        });
        let loses_none = agent.skills.iter().all(|had| definition.skills.iter().any(|has| has.0 == had.0));
        agent.skills = definition.skills;
        agent.needs_line = definition.needs_line;
        agent.is_removed = false;
        if loses_none {
            share_skills(&mut self.teams, agent);
        } else {
            self.note_shared_skills();
        }
        self.count_working(id, 1);
        self.join_ready_lists(id);
        self.line_is_needed(id);
    }

    /// Logs an agent out, after the call if there is one, and then forgets them.
    fn remove_agent(&mut self, id: AgentId) {
        let Some(agent) = self.agents.get_mut(&id) else { return };
        agent.is_removed = true;
        if agent.state != AgentState::LoggedOut {
            self.leaves(id, Afterwards::LogOut);
        }
        self.forget_if_removed(id);
    }

    /// Forgets an agent who was removed, unless something is still at hand for them.
    pub(super) fn forget_if_removed(&mut self, id: AgentId) {
        let is_done = |agent: &Agent| {
            agent.is_removed && agent.state == AgentState::LoggedOut && agent.consulted_on.is_none()
        };
        if self.agents.get(&id).is_some_and(is_done) {
            self.agents.remove(&id);
            self.note_shared_skills();
        }
    }

    fn note_shared_skills(&mut self) {
        for team in self.teams.values_mut() {
            team.skills.clear();
        }
        for agent in self.agents.values() {
            share_skills(&mut self.teams, agent);
        }
    }

    fn act(
        &mut self,
        id: GroupId,
        action: GroupAction,
        dial_mode: Option<DialMode>,
        actor: Actor,
    ) -> Result<GroupState, crate::group::ActionRefused> {
        let Some(group) = self.groups.get_mut(&id) else {
            let state = GroupState::NotLoaded;
            return Err(crate::group::ActionRefused { state, action, remedy: "load it first" });
        };
        let next = transition(group.state, action, group.calls_up > 0)?;
        let mode =
            if matches!(action, GroupAction::SetDialMode | GroupAction::Start) { dial_mode } else { None };
        if mode == Some(DialMode::Agentless) && group.definition.settings.agentless.is_none() {
            let (state, remedy) =
                (group.state, "give its settings ports and a message under agentless first");
            return Err(crate::group::ActionRefused { state, action, remedy });
        }
        let mode_changes = mode.is_some_and(|mode| mode != group.dial_mode());
        if let Some(mode) = mode {
            group.definition.settings.dial_mode = mode;
            if mode_changes {
                group.pacing = (self.policies)(&group.definition.settings);
            }
        }
        let was = group.state;
        if next == was && !mode_changes {
            if action == GroupAction::ForceUnload && was == GroupState::WaitingUnload {
                self.end_all_calls(id);
            }
            return Ok(self.groups.get(&id).map_or(GroupState::NotLoaded, |group| group.state));
        }
        group.state = next;
        group.ran_dry = false;
        if matches!(action, GroupAction::Unload | GroupAction::ForceUnload) {
            group.unload_actor = actor;
            group.unload_is_forced = action == GroupAction::ForceUnload;
        }
        self.group_changed(id, action, actor);
        if next != GroupState::Running {
            self.empty_hopper(id);
            self.withdraw_previews(id, |_| true);
        }
        if action == GroupAction::ForceUnload {
            self.end_all_calls(id);
        }
        self.continue_unload(id);
        Ok(self.groups.get(&id).map_or(GroupState::NotLoaded, |group| group.state))
    }

    fn group_changed(&mut self, id: GroupId, action: GroupAction, actor: Actor) {
        let Some(group) = self.groups.get(&id) else { return };
        let (state, dial_mode, at) = (group.state, group.dial_mode(), self.now);
        self.change(Change::GroupChanged(GroupChanged { group: id, state, dial_mode, action, actor, at }));
    }

    /// Gives every contact in the hopper back, and refuses the answer to a question under way.
    pub(super) fn empty_hopper(&mut self, id: GroupId) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.fence += 1;
        group.fetching = false;
        let mut in_hand = group.hopper.take_all();
        in_hand.extend(std::mem::take(&mut group.screening).into_values());
        in_hand.append(&mut group.promised);
        for contact in in_hand {
            self.give_back(id, &contact, None);
        }
    }

    pub(super) fn give_back(&mut self, group: GroupId, contact: &HopperContact, not_before: Option<Time>) {
        let contact = contact.contact;
        self.return_contact(ContactReturned { group, contact, not_before, rejected: None });
    }

    /// A contact goes back to the list, which is not at its end then.
    pub(super) fn return_contact(&mut self, returned: ContactReturned) {
        if let Some(group) = self.groups.get_mut(&returned.group) {
            group.ran_dry = false;
        }
        self.change(Change::ContactReturned(returned));
    }

    /// Takes an unloading group as far as it can go: from waiting for calls to giving back to rest.
    pub(super) fn continue_unload(&mut self, id: GroupId) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        let action = if group.unload_is_forced { GroupAction::ForceUnload } else { GroupAction::Unload };
        let actor = group.unload_actor;
        if group.state == GroupState::WaitingUnload && group.calls_up == 0 {
            group.state = GroupState::UnloadInProgress;
            self.group_changed(id, action, actor);
        }
        let Some(group) = self.groups.get_mut(&id) else { return };
        if group.state == GroupState::UnloadInProgress && group.calls_up == 0 && group.open_fetches == 0 {
            self.empty_hopper(id);
            if let Some(group) = self.groups.get_mut(&id) {
                group.state = GroupState::NotLoaded;
            }
            self.group_changed(id, action, actor);
            self.once_stored(Some(id), AfterStored::GroupAtRest(id));
        }
    }

    /// The group's rest is durable: forget it, so that its lease can go. If it was loaded again meanwhile it stays.
    pub(super) fn group_at_rest(&mut self, id: GroupId) {
        let rests = |group: &Group| group.state == GroupState::NotLoaded && group.calls_up == 0;
        if self.groups.get(&id).is_some_and(rests) {
            self.groups.shift_remove(&id);
            self.forget_budgets();
            self.outputs.push_back(Output::AtRest(id));
        }
    }

    /// Stops and unloads a group that has nobody left to call, if it is to do that by itself; says whether.
    pub(super) fn complete_if_done(&mut self, id: GroupId) -> bool {
        let Some(group) = self.groups.get(&id) else { return false };
        let has_nobody = group.ran_dry && group.calls_up == 0 && group.in_hand() == 0;
        let is_previewed = || !self.agents_previewing(id, |_| true).is_empty();
        if !has_nobody || !group.definition.settings.auto_complete || is_previewed() {
            return false;
        }
        for action in [GroupAction::Stop, GroupAction::Unload] {
            // A running group allows both.
            let _ = self.act(id, action, None, Actor::Itself);
        }
        true
    }

    /// Counts of campaigns that have no group here any more come from the database when one is loaded again.
    fn forget_budgets(&mut self) {
        let groups = &self.groups;
        self.budgets
            .retain(|campaign, _| groups.values().any(|group| group.definition.campaign == *campaign));
    }

    /// Ends the calls of a group, and the wrap-ups of those that are over.
    fn end_all_calls(&mut self, id: GroupId) {
        for attempt in self.calls_where(|call| call.group == id) {
            if self.calls.get(&attempt).is_some_and(|call| call.stage == Stage::WrapUp) {
                self.settle(attempt);
            } else {
                self.end_call(attempt);
            }
        }
    }

    /// Drops everything about a group that another node holds now. Its calls are ended: that node settles them.
    pub(super) fn forget_group(&mut self, id: GroupId) {
        let calls = self.calls_where(|call| call.group == id);
        self.groups.shift_remove(&id);
        self.forget_budgets();
        for what in self.drop_changes(id) {
            if let AfterStored::AgentMovesOn(agent) = what {
                self.free_agent(agent);
            }
        }
        for attempt in calls {
            self.end_consultation(attempt);
            if let Some(call) = self.calls.remove(&attempt) {
                self.outputs.push_back(Output::HangUp(attempt));
                if let Some(agent) = call.agent {
                    self.free_agent(agent);
                }
            }
        }
        self.drop_previews(id);
        self.outputs.push_back(Output::AtRest(id));
    }
}

/// Whether contacts that were claimed under one set of rules may not be called, or not for as long, under the other.
fn claims_otherwise(was: &CampaignRules, is: &CampaignRules) -> bool {
    was.hours != is.hours || was.suppression_lists != is.suppression_lists
}

/// Notes which skills an agent has together.
fn share_skills(teams: &mut Few<SkillId, Team>, agent: &Agent) {
    for (skill, _) in &agent.skills {
        teams.entry(*skill).or_default().skills.extend(agent.skills.iter().map(|(other, _)| *other));
    }
}
