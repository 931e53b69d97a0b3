//! Third parties: whom agents consult, and calls that were left to them.

use crate::agent::AgentState;
use crate::call_result::CallResult;
use crate::change::{Change, TransferEnded, TransferOutcome};
use crate::ids::{AgentId, AttemptId, SkillId};

use super::Engine;
use super::io::{AgentNotice, CallControl, CallEvent, ConsultationState, Output, PartyEnd, ThirdParty};
use super::state::{Afterwards, Agent, Consultation, Left, Stage};

/// A refusal: its name, and what it says.
pub(super) type Refusal = (&'static str, &'static str);

pub(super) const NO_CONSULTATION: Refusal =
    ("no_consultation", "nobody is consulted: consult somebody first, or say whom to transfer to");
pub(super) const CONSULTATION_STANDS: Refusal = (
    "consultation_stands",
    "somebody is consulted already: end_consult first, or transfer without naming anybody",
);
const AGENT_BUSY: Refusal = (
    "agent_busy",
    "that agent has a call, a preview or a wrap-up, or is consulted already: wait, or consult somebody else",
);

impl Agent {
    /// Whether they, who are consulted about this call, would be ready were it not for that.
    pub(super) fn could_take_over(&self, attempt: AttemptId) -> bool {
        let is_held = self.is_held && self.consulted_on == Some(attempt);
        is_held && self.afterwards == Afterwards::Ready && self.can_be_reached()
    }
}

impl Engine {
    pub(super) fn refuse_as(&mut self, agent: AgentId, (code, why): Refusal) {
        self.tell(agent, AgentNotice::Refused { code: Some(code), why });
    }

    /// Whom the agent of a call consults.
    pub(super) fn consulted_by(&self, attempt: AttemptId) -> Option<ThirdParty> {
        self.calls.get(&attempt)?.third.as_ref().map(|third| third.whom)
    }

    /// Has a third party rung. An agent gets no call from now on until the consultation is over.
    pub(super) fn consult(&mut self, id: AgentId, attempt: AttemptId, whom: ThirdParty) {
        if self.calls.get(&attempt).is_none_or(|call| call.stage != Stage::Talking) {
            return self.refuse(id, "there is no call that is connected");
        }
        if let ThirdParty::Agent(other) = whom
            && let Some(agent) = self.agents.get_mut(&other)
        {
            let is_idle =
                matches!(agent.state, AgentState::LoggedOut | AgentState::NotReady | AgentState::Ready);
            if !is_idle || agent.consulted_on.is_some() {
                return self.refuse_as(id, AGENT_BUSY);
            }
            agent.consulted_on = Some(attempt);
            if agent.state == AgentState::Ready {
                self.hold_agent(other);
            }
        }
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        call.consultations += 1;
        let number = call.consultations;
        let third = Consultation { number, whom, is_answered: false };
        let agent = third.agent();
        call.third = Some(third);
        self.outputs.push_back(Output::Consult { attempt, number, whom });
        self.tell(id, AgentNotice::Consultation { attempt, agent, state: ConsultationState::Ringing });
    }

    /// Who of a skill gets a call that goes to it: the agent who is consulted on this call, if they have the skill and would
    /// be ready but for that, else whoever would get one now.
    pub(super) fn taker_of_skill(&self, attempt: AttemptId, skill: SkillId) -> Option<AgentId> {
        let consulted = self.calls.get(&attempt)?.third.as_ref().and_then(Consultation::agent);
        consulted
            .filter(|id| {
                self.agents
                    .get(id)
                    .is_some_and(|agent| agent.has_skill(skill) && agent.could_take_over(attempt))
            })
            .or_else(|| self.choose_agent(skill, None))
    }

    /// Keeps an agent who would be ready from calls, as long as they are consulted.
    pub(super) fn hold_agent(&mut self, id: AgentId) {
        self.set_agent_state(id, AgentState::Reserved, None);
    }

    pub(super) fn third_answered(&mut self, attempt: AttemptId, number: u32) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        let agent = call.agent;
        let Some(third) = call.third.as_mut().filter(|third| third.number == number && !third.is_answered)
        else {
            return self.ignore();
        };
        third.is_answered = true;
        let consulted = third.agent();
        if let Some(agent) = agent {
            let state = ConsultationState::Answered;
            self.tell(agent, AgentNotice::Consultation { attempt, agent: consulted, state });
        }
    }

    /// A third party is not there, or not any more. The call is as it was before the consultation.
    pub(super) fn third_gone(&mut self, attempt: AttemptId, number: u32, why: PartyEnd) {
        let Some(call) = self.calls.get(&attempt) else { return };
        let Some(third) = call.third.as_ref().filter(|third| third.number == number) else {
            return self.ignore();
        };
        if let Some(agent) = call.agent {
            let (consulted, state) = (third.agent(), ConsultationState::Ended(why));
            self.tell(agent, AgentNotice::Consultation { attempt, agent: consulted, state });
        }
        self.end_consultation(attempt);
    }

    /// Forgets the consultation of a call, if there is one, and lets go of the agent who was consulted.
    pub(super) fn end_consultation(&mut self, attempt: AttemptId) {
        let consulted = self.take_consulted(attempt);
        self.release_consulted(consulted, attempt);
    }

    /// Forgets the consultation of a call; gives the agent who was consulted, to be let go of.
    pub(super) fn take_consulted(&mut self, attempt: AttemptId) -> Option<AgentId> {
        self.calls.get_mut(&attempt)?.third.take()?.agent()
    }

    /// An agent is consulted no more: they go back to what they did before, or to what they chose meanwhile.
    pub(super) fn release_consulted(&mut self, consulted: Option<AgentId>, attempt: AttemptId) {
        let Some(id) = consulted else { return };
        let Some(agent) = self.agents.get_mut(&id).filter(|agent| agent.consulted_on == Some(attempt)) else {
            return;
        };
        agent.consulted_on = None;
        if agent.is_held {
            self.move_on(id);
        }
        self.forget_if_removed(id);
    }

    /// Whoever is consulted, or was left a call, leaves it from their screen.
    pub(super) fn consulted_hangs_up(&mut self, id: AgentId) {
        let Some(attempt) = self.agents.get(&id).and_then(|agent| agent.consulted_on) else { return };
        if self.left.contains_key(&attempt) {
            // The end of the call lets go of them.
            return self.outputs.push_back(Output::HangUp(attempt));
        }
        let number = self.calls.get(&attempt).and_then(|call| call.third.as_ref()).map(|third| third.number);
        let Some(number) = number else { return };
        self.outputs.push_back(Output::Control { attempt, control: CallControl::EndConsult });
        self.third_gone(attempt, number, PartyEnd::HungUp);
    }

    /// The agent left the call to somebody else: for the campaign it is over. If that is one of our agents they talk on,
    /// and get no other call until its end.
    pub(super) fn agent_left(&mut self, attempt: AttemptId) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        let third = call.third.take();
        let (group, contact, by) = (call.group, call.contact.contact, call.agent);
        let to = third.as_ref().and_then(Consultation::agent);
        self.left.insert(attempt, Left { group, contact, by, to, is_told: false });
        self.finish(attempt, CallResult::Transferred);
        if third.is_some_and(|third| third.is_answered) {
            self.transfer_ended(attempt, TransferOutcome::Answered);
        }
    }

    /// What happens to a call that was left to somebody else.
    pub(super) fn left_call_event(&mut self, attempt: AttemptId, event: CallEvent) {
        match event {
            CallEvent::Transferred => self.transfer_ended(attempt, TransferOutcome::Answered),
            CallEvent::TransferFailed(why) => {
                let outcome = match why {
                    PartyEnd::Busy => TransferOutcome::Busy,
                    PartyEnd::NoAnswer => TransferOutcome::NoAnswer,
                    _ => TransferOutcome::Unreachable,
                };
                self.transfer_ended(attempt, outcome);
            }
            CallEvent::Ended(_) => {
                self.transfer_ended(attempt, TransferOutcome::CalledPartyLeft);
                let to = self.left.remove(&attempt).and_then(|left| left.to);
                self.release_consulted(to, attempt);
            }
            _ => self.ignore(),
        }
    }

    /// Has it stored what became of a transfer, and tells who made it; only what was heard first counts.
    fn transfer_ended(&mut self, attempt: AttemptId, outcome: TransferOutcome) {
        let at = self.now;
        let Some(left) = self.left.get_mut(&attempt).filter(|left| !left.is_told) else { return };
        left.is_told = true;
        let (group, contact, agent) = (left.group, left.contact, left.by);
        self.change(Change::TransferEnded(TransferEnded { attempt, group, contact, agent, outcome, at }));
        if let Some(agent) = agent {
            self.tell(agent, AgentNotice::TransferEnded { attempt, outcome });
        }
    }
}
