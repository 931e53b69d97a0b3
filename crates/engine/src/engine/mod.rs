//! The state machine of the campaign groups that share agents.
//!
//! Feed it with [`Engine::handle`], then drain [`Engine::poll`] until it gives nothing more, then sleep until
//! [`Engine::next_wake`] or the next input. `handle` never blocks and never fails: what is wrong becomes an output.
//! Inputs that speak of calls or agents that are not (or no longer) known are counted and ignored.

mod agents;
mod announcements;
mod answers;
mod caller_ids;
mod calls;
mod consultations;
mod dialling;
mod hooks;
mod io;
mod lifecycle;
mod lines;
mod previews;
mod promises;
mod recordings;
mod recovery;
mod rounds;
mod sharing;
mod snapshot;
mod state;
mod turns;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

pub use io::{
    AgentDefinition, AgentEvent, AgentNotice, AnsweredCalls, CallControl, CallEnd, CallEvent, CallOver,
    Command, ConsultationState, Detected, DialRequest, EndingChanges, GroupDefinition, Hook, HookRequest,
    HookVerdict, Input, LiveCall, NextStep, Output, PartyEnd, PickedUp, Playing, PreCallVerdict, Supply,
    ThirdParty, Unfinished, WakeReason,
};
use rounds::Round;
pub use snapshot::{AgentSnapshot, GroupSnapshot, IdleReason, Snapshot};
use state::{AfterStored, Agent, Call, Few, Group, Left, Table, Team};

use crate::caller_id::CallerIds;
use crate::ids::{AgentId, AttemptId, CampaignId, GroupId, IdSource, SkillId};
use crate::pacing::{self, Budget, PolicyMaker};
use crate::settings::DialMode;
use crate::time::Time;

/// All decisions about the campaign groups that share agents. See the module's documentation.
pub struct Engine {
    ids: IdSource,
    /// By their ids.
    groups: Few<GroupId, Group>,
    agents: Table<AgentId, Agent>,
    /// Boxed, as a call is large and the table moves what it holds.
    calls: Table<AttemptId, Box<Call>>,
    /// Calls that their agents left to third parties and that may still be up: they are the campaign's no more.
    left: BTreeMap<AttemptId, Left>,
    teams: Few<SkillId, Team>,
    /// What may be abandoned in each campaign.
    budgets: Few<CampaignId, Budget>,
    caller_ids: CallerIds,
    policies: PolicyMaker,
    timers: BTreeSet<(Time, WakeReason)>,
    outputs: VecDeque<Output>,
    /// Changes since the last poll.
    rounds: Vec<Round>,
    /// What waits for changes that were handed out, by their ticket.
    after_stored: Table<u64, (Option<GroupId>, Vec<AfterStored>)>,
    next_ticket: u64,
    /// Names the next question to a server script.
    next_question: u64,
    /// Calls that wait for a script, by the question.
    asked: BTreeMap<u64, AttemptId>,
    now: Time,
    lines_are_up: bool,
    ignored_inputs: u64,
    /// Which group is looked at first when agents are shared out; moves on at every look.
    first_group: usize,
    /// The running groups while they are looked at: their modes, and whether they have callbacks to offer.
    running: Vec<(GroupId, DialMode, bool)>,
}

impl Engine {
    /// An engine without groups. `seed` drives identifiers; equal seeds and inputs give equal outputs.
    pub fn new(seed: u64) -> Self {
        Self::with_policies(seed, Arc::new(pacing::policy))
    }

    /// As [`Self::new`], with other pacing than that of the dial modes: for simulations that compare policies.
    pub fn with_policies(seed: u64, policies: PolicyMaker) -> Self {
        Self {
            ids: IdSource::new(seed),
            groups: Few::default(),
            agents: Table::default(),
            calls: Table::default(),
            left: BTreeMap::new(),
            teams: Few::default(),
            budgets: Few::default(),
            caller_ids: CallerIds::default(),
            policies,
            timers: BTreeSet::new(),
            outputs: VecDeque::new(),
            rounds: Vec::new(),
            after_stored: Table::default(),
            next_ticket: 1,
            next_question: 1,
            asked: BTreeMap::new(),
            now: Time::EPOCH,
            lines_are_up: true,
            ignored_inputs: 0,
            first_group: 0,
            running: Vec::new(),
        }
    }

    /// Takes one input in. Time never runs backwards: an earlier `now` counts as the latest one seen.
    pub fn handle(&mut self, now: Time, input: Input) {
        self.now = self.now.max(now);
        self.caller_ids.turn_to(self.now);
        match input {
            Input::Command(command) => self.command(command),
            Input::Contacts { group, fence, contacts, supply } => {
                self.contacts_came(group, fence, contacts, supply)
            }
            Input::FetchFailed { group, fence } => self.fetch_failed(group, fence),
            Input::MoreContacts { group } => self.more_contacts(group),
            Input::Recovered { group, attempts } => self.recovered(group, attempts),
            Input::Call { attempt, event } => self.call_event(attempt, event),
            Input::Agent { agent, event } => self.agent_event(agent, event),
            Input::Line { agent, is_up } => self.line_changed(agent, is_up),
            Input::Hook { group, question, verdict } => self.hook_answered(group, question, verdict),
            Input::Stored { ticket } => self.stored(ticket),
            Input::NotStored { ticket } => self.not_stored(ticket),
            Input::LeaseLost { group } => self.forget_group(group),
            Input::LinesLost => self.lines_are_up = false,
            Input::LinesBack => self.lines_are_up = true,
            Input::Suppressed { group, numbers } => self.suppressed(group, &numbers),
            Input::Woken => {}
        }
        // Whoever waits for an agent who has come with this input has them before their patience ends in the same instant.
        self.serve_waiting();
        if self.fire_timers() {
            self.serve_waiting();
        }
        self.dial();
    }

    /// The next thing to do, in order; `None` when all has been handed out.
    pub fn poll(&mut self) -> Option<Output> {
        if self.outputs.is_empty() && !self.rounds.is_empty() {
            self.hand_out_changes();
        }
        self.outputs.pop_front()
    }

    /// When the engine wants to be woken, and why; `None` if only an input can move it.
    pub fn next_wake(&self) -> Option<(Time, WakeReason)> {
        self.timers.first().copied()
    }

    /// Inputs that spoke of something not (or no longer) known, since the start.
    pub fn ignored_inputs(&self) -> u64 {
        self.ignored_inputs
    }

    /// Whether nothing is under way: no call, and nothing that waits to be stored.
    pub fn is_quiet(&self) -> bool {
        self.calls.is_empty() && self.rounds.is_empty() && self.after_stored.is_empty()
    }

    /// The calls of which something holds, those that were decided on first at the front.
    fn calls_where(&self, holds: impl Fn(&Call) -> bool) -> Vec<AttemptId> {
        let mut calls: Vec<_> =
            self.calls.iter().filter(|(_, call)| holds(call)).map(|(attempt, _)| *attempt).collect();
        calls.sort_unstable();
        calls
    }

    /// The agents of a skill.
    fn team(&self, skill: SkillId) -> &Team {
        self.teams.get(&skill).unwrap_or(Team::nobody())
    }

    fn ignore(&mut self) {
        self.ignored_inputs += 1;
    }

    fn set_timer(&mut self, at: Time, reason: WakeReason) {
        if at < Time::NEVER {
            self.timers.insert((at, reason));
        }
    }

    /// Takes back the timer of a deadline that was, so that calls which are long answered do not crowd those that ring,
    /// and sets that of the one that is.
    fn move_timer(&mut self, was: Option<Time>, is: Option<Time>, reason: WakeReason) {
        if let Some(at) = was {
            self.timers.remove(&(at, reason));
        }
        if let Some(at) = is {
            self.set_timer(at, reason);
        }
    }

    /// Acts on every timer that is due, and says whether any was. A timer whose owner is gone does nothing.
    fn fire_timers(&mut self) -> bool {
        let mut fired = false;
        while let Some(&(at, reason)) = self.timers.first() {
            if at > self.now {
                break;
            }
            self.timers.pop_first();
            fired = true;
            match reason {
                WakeReason::CallDeadline(attempt) => self.call_deadline(attempt, at),
                WakeReason::AgentDeadline(agent) => self.agent_deadline(agent, at),
                WakeReason::Feed(_)
                | WakeReason::CallRate(_)
                | WakeReason::Promises(_)
                | WakeReason::Pacing(_)
                | WakeReason::CallerIds(_) => {}
            }
        }
        fired
    }
}

#[cfg(test)]
mod tests;
