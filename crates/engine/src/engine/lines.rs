//! Agents' telephone lines, and what agents do on a call that goes on.

use crate::agent::AgentState;
use crate::call_result::CallResult;
use crate::ids::{AgentId, AttemptId};

use super::Engine;
use super::consultations::{CONSULTATION_STANDS, NO_CONSULTATION};
use super::io::{AgentNotice, CallControl, ConsultationState, Output, ThirdParty};
use super::state::{Afterwards, Agent, Stage};

impl Agent {
    /// Whether calls could reach them now.
    pub(super) fn can_be_reached(&self) -> bool {
        !self.needs_line || self.line_is_up
    }
}

const NOBODY_IS_READY: &str = "nobody of that skill is ready";

impl Engine {
    /// Has an agent's telephone rung, if they need a line and have none.
    pub(super) fn want_line(&mut self, id: AgentId) {
        if self.agents.get(&id).is_some_and(|agent| !agent.can_be_reached()) {
            self.outputs.push_back(Output::OpenLine(id));
        }
    }

    /// An agent whose telephone is to be held from now on takes no calls until it is.
    pub(super) fn line_is_needed(&mut self, id: AgentId) {
        let Some(agent) = self.agents.get_mut(&id).filter(|agent| !agent.can_be_reached()) else { return };
        if matches!(agent.state, AgentState::Ready | AgentState::Preview) {
            self.leaves(id, Afterwards::NotReady(Some("phone_failed".to_owned())));
            if let Some(agent) = self.agents.get_mut(&id) {
                agent.is_ready_with_line = true;
            }
            self.want_line(id);
        }
    }

    pub(super) fn give_line_up(&mut self, id: AgentId) {
        if self.agents.get(&id).is_some_and(|agent| agent.needs_line) {
            self.outputs.push_back(Output::CloseLine(id));
        }
    }

    /// An agent's line stands or is gone. Without one they take no calls; with one they go on where they wanted to.
    pub(super) fn line_changed(&mut self, id: AgentId, is_up: bool) {
        let Some(agent) = self.agents.get_mut(&id) else { return self.ignore() };
        agent.line_is_up = is_up;
        if !agent.needs_line {
            return;
        }
        if is_up {
            let wants = std::mem::take(&mut agent.is_ready_with_line);
            return match agent.state {
                AgentState::NotReady if wants => self.becomes_ready(id),
                _ => self.tell_state(id),
            };
        }
        agent.is_ready_with_line = false;
        match agent.state {
            AgentState::LoggedOut => {}
            AgentState::NotReady => self.no_longer_ready(id, "phone_failed"),
            AgentState::Ready | AgentState::Preview => {
                self.leaves(id, Afterwards::NotReady(Some("phone_failed".to_owned())));
            }
            AgentState::Reserved | AgentState::OnCall | AgentState::WrapUp => {
                self.afterwards_not_ready(id, "phone_failed");
            }
        }
    }

    /// What an agent does on the call they are on.
    pub(super) fn control_call(&mut self, id: AgentId, control: CallControl) {
        let on_call = self.agents.get(&id).filter(|agent| agent.state == AgentState::OnCall);
        let talks =
            |attempt: &AttemptId| self.calls.get(attempt).is_some_and(|call| call.stage == Stage::Talking);
        let Some(attempt) = on_call.and_then(|agent| agent.attempt).filter(talks) else {
            return self.refuse(id, "there is no call that is connected");
        };
        if let CallControl::Keys(keys) = &control
            && !CallControl::are_keys(keys)
        {
            return self.refuse(id, "keys are 1 to 32 of 0 to 9, * and #");
        }
        let consulted = self.consulted_by(attempt);
        let to = match control {
            CallControl::Join | CallControl::EndConsult | CallControl::Transfer(None)
                if consulted.is_none() =>
            {
                return self.refuse_as(id, NO_CONSULTATION);
            }
            CallControl::Consult(_) if consulted.is_some() => {
                return self.refuse_as(id, CONSULTATION_STANDS);
            }
            CallControl::Consult(ThirdParty::Skill(skill)) => {
                return match self.choose_agent(skill, None) {
                    Some(agent) => self.consult(id, attempt, ThirdParty::Agent(agent)),
                    None => self.refuse(id, NOBODY_IS_READY),
                };
            }
            CallControl::Transfer(Some(ThirdParty::Skill(skill))) => {
                match self.taker_of_skill(attempt, skill) {
                    Some(to) => Some(to),
                    None => return self.refuse(id, NOBODY_IS_READY),
                }
            }
            CallControl::Transfer(Some(ThirdParty::Agent(to))) => match self.agents.get(&to) {
                Some(agent) if agent.state == AgentState::Ready || agent.could_take_over(attempt) => Some(to),
                Some(agent) if agent.state != AgentState::LoggedOut => {
                    return self.refuse(id, "that agent is not ready");
                }
                // Somebody who is not at work here is rung like anybody.
                _ => None,
            },
            _ => None,
        };
        match (to, control) {
            (Some(to), _) => self.hand_over(attempt, id, to),
            (None, CallControl::Record) => self.record_on_demand(id, attempt),
            (None, CallControl::StopRecording) => self.pause_recording(id, attempt),
            (None, CallControl::Consult(whom)) => self.consult(id, attempt, whom),
            (None, CallControl::Transfer(Some(whom))) if consulted == Some(whom) => {
                self.outputs.push_back(Output::Control { attempt, control: CallControl::Transfer(None) });
            }
            (None, CallControl::Transfer(Some(_))) if consulted.is_some() => {
                self.refuse_as(id, CONSULTATION_STANDS);
            }
            (None, control) => {
                let ends = control == CallControl::EndConsult;
                self.outputs.push_back(Output::Control { attempt, control });
                if ends {
                    self.end_consultation(attempt);
                }
            }
        }
    }

    /// Another agent goes on with a call. What the first one said of it is forgotten: the other wraps it up.
    fn hand_over(&mut self, attempt: AttemptId, from: AgentId, to: AgentId) {
        if let Some(call) = self.calls.get_mut(&attempt) {
            call.disposal = None;
        }
        let consulted = self.take_consulted(attempt);
        if let Some(agent) = self.agents.get_mut(&to).filter(|agent| agent.consulted_on == Some(attempt)) {
            agent.consulted_on = None;
        }
        self.connect(attempt, to);
        let result = CallResult::Transferred;
        self.tell(from, AgentNotice::CallEnded { attempt, result, wrap_up_until: None });
        self.release_agent(from, None);
        self.release_consulted(consulted, attempt);
    }

    /// Tells a screen that came back which call its agent is on.
    pub(super) fn tell_call(&mut self, id: AgentId) {
        let Some(agent) = self.agents.get(&id) else { return };
        let wrap_up_until = agent.deadline;
        let Some(attempt) = agent.attempt else { return };
        let Some(call) = self.calls.get(&attempt).filter(|call| call.agent == Some(id)) else { return };
        let Some(number) = call.contact.current_phone().map(|phone| phone.number) else { return };
        let (group, contact) = (call.group, call.contact.contact);
        let attempt_number = call.contact.attempts.saturating_add(1);
        let is_recording = call.is_recording;
        let is_connected = call.connected_at.is_some() && call.ended_at.is_none();
        let ended = call.result.filter(|_| agent.state == AgentState::WrapUp);
        let consultation = call.third.as_ref().map(|third| (third.agent(), third.is_answered));
        self.tell(id, AgentNotice::Call { attempt, group, contact, number, attempt_number });
        if let Some(result) = ended {
            self.tell(id, AgentNotice::CallEnded { attempt, result, wrap_up_until });
        }
        if is_connected {
            self.tell(id, AgentNotice::Connected { attempt });
            if is_recording {
                self.tell(id, AgentNotice::Recording { attempt, is_on: true });
            }
            if let Some((agent, is_answered)) = consultation {
                let state =
                    if is_answered { ConsultationState::Answered } else { ConsultationState::Ringing };
                self.tell(id, AgentNotice::Consultation { attempt, agent, state });
            }
        }
    }
}
