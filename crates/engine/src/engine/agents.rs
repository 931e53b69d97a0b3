//! What agents do, and who gets which call.

use std::time::Duration;

use crate::agent::AgentState;
use crate::call_result::CallResult;
use crate::change::{AgentChanged, Change};
use crate::ids::{AgentId, AttemptId, SkillId};
use crate::pacing::{Busy, Occupation};
use crate::time::Time;
use crate::treatment::takes_a_time;

use super::Engine;
use super::io::{AgentEvent, AgentNotice, Output, WakeReason};
use super::state::{Afterwards, Agent, Disposal};

/// Wrap-up of an agent whose screen is gone, where the group sets no limit.
const ABSENT_WRAP_UP: Duration = Duration::from_secs(60);

/// How far in the past a callback may be promised for: clocks of screens differ.
const CALLBACK_LATE: Duration = Duration::from_secs(300);

impl Engine {
    pub(super) fn agent_event(&mut self, id: AgentId, event: AgentEvent) {
        let Some(agent) = self.agents.get_mut(&id) else { return self.ignore() };
        use AgentState as S;
        let state = agent.state;
        agent.screen_is_gone = event == AgentEvent::ConnectionLost;
        match event {
            AgentEvent::LogIn => match state {
                S::LoggedOut => {
                    self.change_agent_state(id, S::NotReady, Some("logged_in".into()));
                    self.want_line(id);
                }
                // The screen came back: it asks to be told where it is.
                _ => {
                    self.tell_state(id);
                    self.tell_call(id);
                }
            },
            _ if state == S::LoggedOut => self.refuse(id, "log in first"),
            AgentEvent::Ready => match state {
                S::NotReady if !agent.can_be_reached() => {
                    agent.is_ready_with_line = true;
                    self.want_line(id);
                }
                S::NotReady => self.becomes_ready(id),
                S::Ready => self.tell_state(id),
                _ => self.set_afterwards(id, Afterwards::Ready),
            },
            AgentEvent::NotReady { reason } => self.leaves(id, Afterwards::NotReady(reason)),
            AgentEvent::LogOut => self.leaves(id, Afterwards::LogOut),
            AgentEvent::ConnectionLost => {
                self.leaves(id, Afterwards::NotReady(Some("connection_lost".into())));
                self.limit_wrap_up(id);
            }
            AgentEvent::AcceptPreview if state == S::Preview => self.accept_preview(id),
            AgentEvent::RejectPreview { reason } if state == S::Preview => self.reject_preview(id, reason),
            AgentEvent::AcceptPreview | AgentEvent::RejectPreview { .. } => {
                self.refuse(id, "there is no contact to preview")
            }
            AgentEvent::Next => self.wants_next(id, state),
            AgentEvent::HangUp => match (state, agent.attempt) {
                (S::OnCall | S::Reserved, Some(attempt)) => self.end_call(attempt),
                _ if agent.consulted_on.is_some() => self.consulted_hangs_up(id),
                _ => self.refuse(id, "there is no call to hang up"),
            },
            AgentEvent::Control(control) => self.control_call(id, control),
            AgentEvent::Dispose { disposition, notes, callback_at, callback_is_mine } => {
                self.dispose(id, Disposal { disposition, notes, callback_at, callback_is_mine });
            }
        }
    }

    pub(super) fn dispose(&mut self, id: AgentId, disposal: Disposal) {
        let Some(agent) = self.agents.get(&id) else { return };
        let (state, saving) = (agent.state, agent.is_saving);
        let Some(attempt) = agent.attempt else { return self.refuse(id, "there is no call to dispose of") };
        let Some(call) = self.calls.get_mut(&attempt) else {
            return self.refuse(id, "that call is done with");
        };
        let Some(group) = self.groups.get(&call.group) else { return };
        let disposal = match &call.disposal {
            Some(before) => disposal.added_to(before),
            None => disposal,
        };
        let rules = &group.definition.rules;
        let said = disposal.disposition.as_deref().map(|code| rules.disposition(code));
        if said == Some(None) {
            return self.refuse(id, "the campaign has no such disposition");
        }
        // Scripts are told of the time, and may do with it what they like.
        let is_scripted = rules.scripts.before_reschedule || rules.scripts.after_reschedule;
        if disposal.callback_at.is_some() && !is_scripted && !takes_a_time(&rules.treatments, said.flatten())
        {
            return self.refuse(id, "callback_at needs a disposition whose callback is true");
        }
        if disposal.callback_at.is_some_and(|at| at + CALLBACK_LATE < self.now) {
            return self.refuse(id, "callback_at lies in the past");
        }
        match state {
            AgentState::OnCall => call.disposal = Some(disposal),
            AgentState::WrapUp if !saving => {
                call.disposal = Some(disposal);
                self.settle(attempt);
            }
            _ => self.refuse(id, "there is no call to dispose of"),
        }
    }

    /// Goes on a break or home: at once if nothing is at hand, else afterwards.
    pub(super) fn leaves(&mut self, id: AgentId, afterwards: Afterwards) {
        self.set_afterwards(id, afterwards);
        let Some(agent) = self.agents.get_mut(&id) else { return };
        agent.is_ready_with_line = false;
        match agent.state {
            AgentState::Ready | AgentState::NotReady => self.move_on(id),
            AgentState::Preview => {
                self.return_preview(id, None, None);
                self.move_on(id);
            }
            AgentState::WrapUp if agent.afterwards == Afterwards::LogOut && !agent.is_saving => {
                if let Some(attempt) = agent.attempt {
                    self.settle(attempt);
                }
            }
            _ => {}
        }
    }

    /// Goes to what was chosen for after the call.
    pub(super) fn move_on(&mut self, id: AgentId) {
        let Some(agent) = self.agents.get(&id) else { return };
        let afterwards = if agent.is_removed { Afterwards::LogOut } else { agent.afterwards.clone() };
        self.set_afterwards(id, Afterwards::Ready);
        match afterwards {
            Afterwards::Ready if self.agents.get(&id).is_some_and(|agent| !agent.can_be_reached()) => {
                self.no_longer_ready(id, "phone_failed");
            }
            Afterwards::Ready => self.becomes_ready(id),
            Afterwards::NotReady(reason) => self.change_agent_state(id, AgentState::NotReady, reason),
            Afterwards::LogOut => {
                self.change_agent_state(id, AgentState::LoggedOut, None);
                self.give_line_up(id);
                self.forget_if_removed(id);
            }
        }
    }

    /// Notes what an agent does after the call. Pacing counts on those alone who will be ready then.
    pub(super) fn set_afterwards(&mut self, id: AgentId, afterwards: Afterwards) {
        self.leave_ready_lists(id);
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.afterwards = afterwards;
        }
        self.join_ready_lists(id);
    }

    pub(super) fn no_longer_ready(&mut self, id: AgentId, reason: &str) {
        self.change_agent_state(id, AgentState::NotReady, Some(reason.to_owned()));
    }

    /// Waits for a call; one that waits for them already comes to them at once ([`Self::serve_waiting`]).
    pub(super) fn becomes_ready(&mut self, id: AgentId) {
        self.set_afterwards(id, Afterwards::Ready);
        if self.agents.get(&id).is_some_and(|agent| agent.consulted_on.is_some()) {
            return self.hold_agent(id);
        }
        self.change_agent_state(id, AgentState::Ready, None);
    }

    /// The agent who comes first: the preferred one if ready, else the most proficient, else who has waited longest.
    pub(super) fn choose_agent(&self, skill: SkillId, preferred: Option<AgentId>) -> Option<AgentId> {
        self.choose_agent_among(skill, preferred, |_| true)
    }

    pub(super) fn choose_agent_among(
        &self,
        skill: SkillId,
        preferred: Option<AgentId>,
        may_be: impl Fn(&Agent) -> bool,
    ) -> Option<AgentId> {
        let ready = &self.team(skill).ready;
        let is_ready = |agent: &&Agent| agent.state == AgentState::Ready && agent.has_skill(skill);
        let agent = |id: &AgentId| self.agents.get(id).filter(|agent| may_be(agent));
        preferred
            .filter(|id| agent(id).filter(is_ready).is_some())
            .or_else(|| ready.iter().map(|(_, _, id)| *id).find(|id| agent(id).is_some()))
    }

    pub(super) fn begin_wrap_up(&mut self, id: AgentId, attempt: AttemptId, result: CallResult) {
        let Some(call) = self.calls.get(&attempt) else { return };
        let Some(group) = self.groups.get(&call.group) else { return };
        let seconds = group.definition.settings.wrap_up_seconds_max;
        let is_absent = self.agents.get(&id).is_some_and(|agent| agent.screen_is_gone);
        let limit = (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)));
        let until = limit.or(is_absent.then_some(ABSENT_WRAP_UP)).map(|span| self.now + span);
        self.finishes_for(id, attempt);
        self.set_agent_state(id, AgentState::WrapUp, Some(attempt));
        self.set_agent_deadline(id, until);
        self.tell(id, AgentNotice::CallEnded { attempt, result, wrap_up_until: until });
        if self.agents.get(&id).is_some_and(|agent| agent.afterwards == Afterwards::LogOut) {
            self.settle(attempt);
        }
    }

    /// Notes whose call an agent wraps up, by which wrap-up times are learned.
    pub(super) fn finishes_for(&mut self, id: AgentId, attempt: AttemptId) {
        let group = self.calls.get(&attempt).map(|call| call.group);
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.finishes_for = group;
        }
    }

    fn limit_wrap_up(&mut self, id: AgentId) {
        let until = self.now + ABSENT_WRAP_UP;
        let waits = |agent: &Agent| agent.state == AgentState::WrapUp && agent.deadline.is_none();
        if self.agents.get(&id).is_some_and(waits) {
            self.set_agent_deadline(id, Some(until));
        }
    }

    /// Wrap-up is over; the agent moves on once that is durable.
    pub(super) fn wrap_up_is_over(&mut self, id: AgentId) {
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.is_saving = true;
        }
        self.set_agent_deadline(id, None);
    }

    pub(super) fn agent_moves_on(&mut self, id: AgentId) {
        let Some(agent) = self.agents.get_mut(&id) else { return };
        if agent.is_saving {
            agent.is_saving = false;
            agent.attempt = None;
            self.move_on(id);
        }
    }

    /// Lets go of an agent whose call came to nothing before they talked.
    pub(super) fn release_agent(&mut self, id: AgentId, failed: Option<&str>) {
        let Some(agent) = self.agents.get_mut(&id) else { return };
        agent.attempt = None;
        if let Some(reason) = failed {
            self.afterwards_not_ready(id, reason);
        }
        self.move_on(id);
    }

    pub(super) fn afterwards_not_ready(&mut self, id: AgentId, reason: &str) {
        if self.agents.get(&id).is_some_and(|agent| agent.afterwards != Afterwards::LogOut) {
            self.set_afterwards(id, Afterwards::NotReady(Some(reason.to_owned())));
        }
    }

    /// Frees an agent whose call is another node's business now.
    pub(super) fn free_agent(&mut self, id: AgentId) {
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.attempt = None;
            agent.is_saving = false;
            self.move_on(id);
        }
    }

    pub(super) fn agent_deadline(&mut self, id: AgentId, at: Time) {
        let Some(agent) = self.agents.get(&id) else { return };
        if agent.deadline != Some(at) {
            return;
        }
        match (agent.state, agent.attempt) {
            (AgentState::WrapUp, Some(attempt)) if !agent.is_saving => self.settle(attempt),
            (AgentState::Preview, _) => self.preview_ran_out(id),
            _ => {}
        }
    }

    // States and lists.

    /// Changes the state of an agent who has no call (any more).
    pub(super) fn change_agent_state(&mut self, id: AgentId, state: AgentState, reason: Option<String>) {
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.reason = reason;
        }
        self.set_agent_state(id, state, None);
    }

    /// Changes an agent's state, keeps the lists right, has it stored and tells their screen.
    pub(super) fn set_agent_state(&mut self, id: AgentId, state: AgentState, attempt: Option<AttemptId>) {
        self.leave_ready_lists(id);
        let now = self.now;
        let Some(agent) = self.agents.get_mut(&id) else { return };
        let comes_or_goes = agent.state.is_at_work() != state.is_at_work();
        if comes_or_goes {
            self.count_working(id, -1);
        }
        let Some(agent) = self.agents.get_mut(&id) else { return };
        if state != AgentState::NotReady {
            agent.reason = None;
        }
        let (was, is) = (agent.state == AgentState::WrapUp, state == AgentState::WrapUp);
        if was != is
            && let Some(group) = agent.finishes_for.and_then(|group| self.groups.get_mut(&group))
        {
            let wrap = &mut group.forecast.wrap;
            if is { wrap.began(now) } else { wrap.ended(agent.since, now) }
        }
        agent.is_held = state == AgentState::Reserved && attempt.is_none() && agent.consulted_on.is_some();
        if agent.is_held {
            agent.reason = Some("consulted".to_owned());
        } else if !matches!(state, AgentState::Ready | AgentState::WrapUp) {
            agent.asked = false;
        }
        agent.state = state;
        agent.since = now;
        let no_more = agent.deadline.take();
        if attempt.is_some() {
            agent.attempt = attempt;
        } else if matches!(
            state,
            AgentState::Ready | AgentState::NotReady | AgentState::LoggedOut | AgentState::Preview
        ) {
            agent.attempt = None;
        }
        let (reason, attempt) = (agent.reason.clone(), agent.attempt);
        self.move_timer(no_more, None, WakeReason::AgentDeadline(id));
        if comes_or_goes {
            self.count_working(id, 1);
        }
        self.join_ready_lists(id);
        self.change(Change::AgentChanged(AgentChanged { agent: id, state, reason, attempt, at: now }));
        self.tell_state(id);
    }

    pub(super) fn set_agent_deadline(&mut self, id: AgentId, until: Option<Time>) {
        let Some(agent) = self.agents.get_mut(&id) else { return };
        let no_more = std::mem::replace(&mut agent.deadline, until);
        self.move_timer(no_more, until, WakeReason::AgentDeadline(id));
    }

    pub(super) fn join_ready_lists(&mut self, id: AgentId) {
        let Some(agent) = self.agents.get(&id) else { return };
        if agent.state == AgentState::Ready {
            for (skill, proficiency) in &agent.skills {
                let team = self.teams.entry(*skill).or_default();
                team.ready.insert((u8::MAX - proficiency, agent.since, id));
            }
        }
        let Some(busy) = busy(agent) else { return };
        for (skill, _) in &agent.skills {
            self.teams.entry(*skill).or_default().busy.add(busy);
        }
    }

    pub(super) fn leave_ready_lists(&mut self, id: AgentId) {
        let Some(agent) = self.agents.get(&id) else { return };
        if agent.state == AgentState::Ready {
            for (skill, proficiency) in &agent.skills {
                if let Some(team) = self.teams.get_mut(skill) {
                    team.ready.remove(&(u8::MAX - proficiency, agent.since, id));
                }
            }
            return;
        }
        let Some(busy) = busy(agent) else { return };
        for (skill, _) in &agent.skills {
            if let Some(team) = self.teams.get_mut(skill) {
                team.busy.remove(busy);
            }
        }
    }

    pub(super) fn count_working(&mut self, id: AgentId, change: i32) {
        let Some(agent) = self.agents.get(&id) else { return };
        if agent.state.is_at_work() {
            for (skill, _) in &agent.skills {
                let team = self.teams.entry(*skill).or_default();
                team.at_work = team.at_work.saturating_add_signed(change);
                for (other, _) in agent.skills.iter().filter(|(other, _)| other != skill) {
                    let count = team.at_work_with.entry(*other).or_default();
                    *count = count.saturating_add_signed(change);
                }
            }
        }
    }

    pub(super) fn tell(&mut self, agent: AgentId, notice: AgentNotice) {
        self.outputs.push_back(Output::Tell { agent, notice });
    }

    pub(super) fn tell_state(&mut self, id: AgentId) {
        let Some(agent) = self.agents.get(&id) else { return };
        let notice = AgentNotice::State { state: agent.state, reason: agent.reason.clone() };
        self.tell(id, notice);
    }

    pub(super) fn refuse(&mut self, agent: AgentId, why: &'static str) {
        self.tell(agent, AgentNotice::Refused { code: None, why });
    }
}

/// What an agent is busy with; none if they are free or not at work.
///
/// How long a consultation takes nobody learns: who is held for one is not expected to be free soon. Whoever takes a
/// break or goes home after the call is not free then either.
fn busy(agent: &Agent) -> Option<Busy> {
    let occupation = match agent.state {
        _ if agent.afterwards != Afterwards::Ready => return None,
        AgentState::Reserved if agent.is_held => return None,
        AgentState::Reserved | AgentState::Preview => Occupation::Reserved,
        AgentState::OnCall => Occupation::Talk,
        AgentState::WrapUp => Occupation::Wrap,
        AgentState::LoggedOut | AgentState::NotReady | AgentState::Ready => return None,
    };
    Some(Busy { occupation, since: agent.since })
}
