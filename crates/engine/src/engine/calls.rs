//! What happens to calls.

use std::time::Duration;

use crate::agent::AgentState;
use crate::call_result::CallResult;
use crate::change::{AttemptEnded, Change, ContactPlanned, PlannedNext};
use crate::contact::{Band, PhoneStatus};
use crate::detection::ScriptSaid;
use crate::ids::{AgentId, AttemptId};
use crate::pacing::Observation;
use crate::settings::{CONNECT_WITHIN, MESSAGE_TAKES};
use crate::treatment::{Ending, FinalReason, Next, Plan, decide, once_more};

use super::Engine;
use super::hooks::{in_a_row, planned_next};
use super::io::{AgentNotice, CallEnd, CallEvent, Detected, DialRequest, EndingChanges, Output, WakeReason};
use super::state::{AfterStored, Stage};

/// How long after its ring time-out a call may stay silent before we ask for its end, and after that before we take
/// it as lost. The switch ends calls by itself; this only catches a switch that forgot one.
pub(super) const SWITCH_PATIENCE: Duration = Duration::from_secs(15);
/// How long the connection of an agent may take before the agent's phone counts as failed.
const CONNECT_PATIENCE: Duration = Duration::from_secs(30);

impl Engine {
    /// The attempt is durable: its call may be placed.
    pub(super) fn place_call(&mut self, attempt: AttemptId) {
        let Some(call) = self.calls.get(&attempt) else { return };
        if call.stage != Stage::Recording {
            return;
        }
        if call.verdict.is_some() {
            // Withdrawn before it was placed.
            return self.finish(attempt, call.verdict.unwrap_or(CallResult::Cancelled));
        }
        let Some(group) = self.groups.get(&call.group) else { return };
        let Some(phone) = call.contact.current_phone() else { return };
        let settings = &group.definition.settings;
        let ring_timeout = Duration::from_secs(u64::from(settings.ring_timeout_seconds));
        let request = DialRequest {
            attempt,
            group: call.group,
            number: phone.number,
            caller_id: call.caller_id,
            ring_timeout,
            attempt_number: call.contact.attempts.saturating_add(1),
            detects: call.detects,
        };
        self.outputs.push_back(Output::Dial(request));
        self.enter(attempt, Stage::Dialling, Some(ring_timeout + SWITCH_PATIENCE));
    }

    pub(super) fn call_event(&mut self, attempt: AttemptId, event: CallEvent) {
        let now = self.now;
        if self.left.contains_key(&attempt) {
            return self.left_call_event(attempt, event);
        }
        let Some(call) = self.calls.get_mut(&attempt) else { return self.ignore() };
        match (event, call.stage) {
            (CallEvent::Ended(end), stage) if !matches!(stage, Stage::WrapUp | Stage::Script) => {
                let result = Self::result_of(call, end);
                self.finish(attempt, result);
            }
            (CallEvent::Ringing, Stage::Dialling) => {
                call.ringing_at = Some(now);
                // The ring time-out runs on; the deadline of the stage before holds.
                call.stage = Stage::Ringing;
            }
            (CallEvent::Answered, Stage::Dialling | Stage::Ringing) => {
                call.answered_at = Some(now);
                let detects = call.detects;
                self.enter(attempt, Stage::Answered, Some(SWITCH_PATIENCE));
                if !detects {
                    self.call_event(attempt, CallEvent::Detected(Detected::Person));
                }
            }
            (CallEvent::Answered, Stage::Ending) if call.answered_at.is_none() => {
                // Picked up while we were hanging up: they heard nobody, whatever we had called the ending before.
                call.answered_at = Some(now);
                if !call.is_suppressed {
                    call.verdict = Some(CallResult::Dropped);
                }
            }
            (CallEvent::Detected(detected), Stage::Answered) => {
                self.detected(attempt, detected);
            }
            (CallEvent::Connected, Stage::Connecting) => {
                // One that is handed over was connected before.
                let is_first = call.connected_at.is_none();
                call.connected_at = call.connected_at.or(Some(now));
                let agent = call.agent;
                let waited = now.since(call.answered_at.unwrap_or(now));
                if let Some(group) = self.groups.get_mut(&call.group).filter(|_| is_first) {
                    group.pacing.observe(now, Observation::Connected { waited });
                    group.forecast.talk.began(now);
                }
                self.enter(attempt, Stage::Talking, None);
                if let Some(agent) = agent {
                    self.set_agent_state(agent, AgentState::OnCall, None);
                    self.tell(agent, AgentNotice::Connected { attempt });
                    self.record_if_due(attempt);
                }
            }
            (CallEvent::AgentFailed, Stage::Connecting | Stage::Talking) => self.agent_failed(attempt),
            (CallEvent::AgentLeft, Stage::Talking) => self.agent_left(attempt),
            (CallEvent::ThirdAnswered(number), _) => self.third_answered(attempt, number),
            (CallEvent::ThirdGone(number, why), _) => self.third_gone(attempt, number, why),
            (CallEvent::MessageBegan, Stage::Message | Stage::Announcement) => {
                call.evidence.message_at = Some(now);
            }
            (CallEvent::MessageFailed, Stage::Message | Stage::Announcement) => self.message_failed(attempt),
            (CallEvent::MessageEnded, Stage::Message | Stage::Announcement) => self.message_ended(attempt),
            (CallEvent::Digit(key), Stage::Message | Stage::Announcement | Stage::Connecting) => {
                self.key_pressed(attempt, key);
            }
            // Between the called party and whomever they talk with.
            (CallEvent::Digit(_), _) => {}
            _ => self.ignore(),
        }
    }

    /// Connects a person to an agent, or lets them wait for the rest of the two seconds.
    pub(super) fn wants_agent(&mut self, attempt: AttemptId) {
        let Some(call) = self.calls.get(&attempt) else { return };
        if call.agentless.is_some() {
            // Their agent's phone failed: another one, or none.
            return self.transfer(attempt);
        }
        let (group, answered_at) = (call.group, call.answered_at.unwrap_or(self.now));
        if let Some(own) = call.agent {
            return self.connect(attempt, own);
        }
        if self.serve(attempt) {
            return;
        }
        let patience = (CONNECT_WITHIN - MESSAGE_TAKES).saturating_sub(self.now.since(answered_at));
        self.enter(attempt, Stage::Waiting, Some(patience));
        if let Some(group) = self.groups.get_mut(&group) {
            group.waiting.push_back(attempt);
        }
    }

    pub(super) fn connect(&mut self, attempt: AttemptId, agent: AgentId) {
        self.enter(attempt, Stage::Connecting, Some(CONNECT_PATIENCE));
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        call.agent = Some(agent);
        let (group, contact) = (call.group, call.contact.contact);
        let attempt_number = call.contact.attempts.saturating_add(1);
        let Some(number) = call.contact.current_phone().map(|phone| phone.number) else { return };
        if let (Some(waited), Some(group)) = (self.agents.get(&agent), self.groups.get_mut(&group))
            && waited.state == AgentState::Ready
        {
            let idle = self.now.since(waited.since);
            group.pacing.observe(self.now, Observation::AgentWaited { idle });
        }
        if let Some(group) = self.groups.get_mut(&group) {
            group.uses_agent(self.now);
        }
        self.set_agent_state(agent, AgentState::Reserved, Some(attempt));
        // The screen comes before the voice.
        self.tell(agent, AgentNotice::Call { attempt, group, contact, number, attempt_number });
        self.outputs.push_back(Output::Connect { attempt, agent });
    }

    /// The agent's phone failed: they take no more calls until they say so, and the person gets another agent.
    fn agent_failed(&mut self, attempt: AttemptId) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        let was_talking = call.stage == Stage::Talking;
        let agent = call.agent.take();
        // They had an agent, and so do not have to leave the others' to them.
        call.has_agent |= agent.is_some();
        if let Some(agent) = agent {
            if was_talking {
                call.agent = Some(agent);
                self.afterwards_not_ready(agent, "phone_failed");
                return self.end_call(attempt);
            }
            self.release_agent(agent, Some("phone_failed"));
        }
        self.wants_agent(attempt);
    }

    /// Moves a call to a stage that may last so long, keeping the counts of its group right.
    pub(super) fn enter(&mut self, attempt: AttemptId, stage: Stage, at_most: Option<Duration>) {
        let now = self.now;
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        let was = std::mem::replace(&mut call.stage, stage);
        let deadline = at_most.map(|span| now + span);
        let no_more = std::mem::replace(&mut call.deadline, deadline);
        if let Some(group) = self.groups.get_mut(&call.group) {
            if was.rings() && !stage.rings() {
                group.ringing = group.ringing.saturating_sub(1);
            }
            if call.has_agent && was.may_want_agent() && !stage.may_want_agent() {
                group.kept = group.kept.saturating_sub(1);
            }
            if was.takes_a_line() && !stage.takes_a_line() {
                group.on_lines = group.on_lines.saturating_sub(1);
            }
            if was == Stage::Waiting {
                group.waiting.retain(|waiting| *waiting != attempt);
            }
        }
        if was == Stage::Deciding && stage != was {
            // Whatever the script says from now on comes too late.
            let question = call.deciding.take();
            question.map(|(question, _)| self.asked.remove(&question));
        }
        self.move_timer(no_more, deadline, WakeReason::CallDeadline(attempt));
    }

    pub(super) fn call_deadline(&mut self, attempt: AttemptId, at: crate::time::Time) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        if call.deadline != Some(at) {
            return;
        }
        match call.stage {
            Stage::Deciding => self.script_said(attempt, ScriptSaid::Late, None),
            Stage::Waiting => self.play_safe_harbour(attempt),
            Stage::Announcement => {
                if !call.message_ended {
                    // The switch forgot to say that the message is over.
                    call.verdict = Some(CallResult::SwitchError);
                }
                self.end_call(attempt);
            }
            Stage::Connecting => self.agent_failed(attempt),
            // Asked to end, and nothing came back: the switch has lost it.
            Stage::Ending => self.finish(attempt, CallResult::SwitchError),
            Stage::Recording | Stage::Talking | Stage::WrapUp | Stage::Script => {}
            Stage::Dialling | Stage::Ringing | Stage::Answered | Stage::Message => self.end_call(attempt),
        }
    }

    /// Asks for the end of a call.
    pub(super) fn end_call(&mut self, attempt: AttemptId) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        match call.stage {
            Stage::WrapUp | Stage::Script | Stage::Ending => {}
            Stage::Recording => call.verdict = call.verdict.or(Some(CallResult::Cancelled)),
            Stage::Dialling
            | Stage::Ringing
            | Stage::Answered
            | Stage::Deciding
            | Stage::Waiting
            | Stage::Connecting
            | Stage::Talking
            | Stage::Announcement
            | Stage::Message => {
                let result = Self::result_of(call, CallEnd::ByUs);
                call.verdict = call.verdict.or(Some(result));
                self.outputs.push_back(Output::HangUp(attempt));
                self.enter(attempt, Stage::Ending, Some(SWITCH_PATIENCE));
            }
        }
    }

    /// The result of a call that ends now.
    fn result_of(call: &super::state::Call, end: CallEnd) -> CallResult {
        if let CallEnd::NotAnswered(result) = end {
            return match call.answered_at {
                None => call.verdict.unwrap_or(result),
                Some(_) if call.message_ended => Self::result_of(call, CallEnd::ByUs),
                Some(_) => CallResult::SwitchError,
            };
        }
        if let Some(verdict) = call.verdict {
            return verdict;
        }
        let by_us = end == CallEnd::ByUs;
        if call.connected_at.is_some() {
            return match call.detected {
                Some(Detected::Machine) => CallResult::AnsweringMachine,
                _ => CallResult::Answer,
            };
        }
        match (call.answered_at, call.detected) {
            (None, _) if by_us => CallResult::Cancelled,
            (None, _) => CallResult::GeneralError,
            (Some(_), Some(Detected::Machine)) => CallResult::AnsweringMachine,
            (Some(_), Some(Detected::Fax)) => CallResult::FaxDetected,
            (Some(_), Some(Detected::Silence)) => CallResult::Silence,
            (Some(_), _) if call.asked_for_agent => CallResult::AgentCallbackError,
            (Some(_), _) if call.message_ended => CallResult::Answer,
            (Some(_), _) if call.message_was_in_time() && !by_us => CallResult::Answer,
            (Some(_), _) if call.message_was_in_time() => CallResult::GeneralError,
            (Some(_), Some(Detected::Person | Detected::Unsure) | None) if by_us => CallResult::Dropped,
            (Some(_), Some(Detected::Person | Detected::Unsure) | None) => CallResult::Abandoned,
        }
    }

    /// The call is over on the network's side. With an agent who talked, wrap-up begins; else it is settled.
    pub(super) fn finish(&mut self, attempt: AttemptId, result: CallResult) {
        let now = self.now;
        self.enter(attempt, Stage::WrapUp, None);
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        call.result = Some(result);
        call.ended_at = Some(now);
        if let Some(group) = self.groups.get_mut(&call.group) {
            group.lines.remove(attempt);
            if std::mem::take(&mut call.is_open) {
                group.forecast.resolved(call.segment, call.placed_at, now, false);
            }
            // Of a conversation that was taken over it is not known when it began.
            if let Some(connected_at) = call.known(call.connected_at) {
                group.forecast.talk.ended(connected_at, now);
            }
        }
        let talked_with = if call.connected_at.is_some() { call.agent } else { None };
        let reserved = if call.connected_at.is_none() { call.agent.take() } else { None };
        let ended = AttemptEnded {
            attempt,
            group: call.group,
            contact: call.contact.contact,
            result,
            agent: talked_with,
            opted_out: call.opted_out,
            ringing_at: call.known(call.ringing_at),
            answered_at: call.known(call.answered_at),
            connected_at: call.known(call.connected_at),
            evidence: call.evidence,
            at: now,
        };
        let said_already = call.disposal.is_some();
        if let Some(group) = self.groups.get_mut(&ended.group) {
            // Who was connected late was no bet that failed; what may be abandoned is less for it all the same.
            if ended.found_nobody() {
                group.pacing.observe(now, Observation::Abandoned);
            }
            if ended.answered_by_person()
                && let Some(budget) = self.budgets.get_mut(&group.definition.campaign)
            {
                budget.count(now, ended.is_abandonment());
            }
        }
        self.change(Change::AttemptEnded(ended));
        self.end_consultation(attempt);
        if let Some(agent) = reserved {
            self.tell(agent, AgentNotice::CallEnded { attempt, result, wrap_up_until: None });
            self.release_agent(agent, None);
        }
        match talked_with {
            Some(agent) if !said_already => self.begin_wrap_up(agent, attempt, result),
            Some(agent) => {
                self.tell(agent, AgentNotice::CallEnded { attempt, result, wrap_up_until: None });
                self.finishes_for(agent, attempt);
                self.set_agent_state(agent, AgentState::WrapUp, Some(attempt));
                self.settle(attempt);
            }
            None => self.settle(attempt),
        }
    }

    /// The call is over and wrapped up: what is next for its contact?
    pub(super) fn settle(&mut self, attempt: AttemptId) {
        // Nothing may come between the wish to be called no more and its being stored.
        if self.needs_no_script(attempt) || !self.ask_before_reschedule(attempt) {
            self.conclude(attempt, &EndingChanges::default());
        }
    }

    /// Whether what is next is no script's to say: the person asked for it themselves, or the feed says who may be called.
    fn needs_no_script(&self, attempt: AttemptId) -> bool {
        self.calls.get(&attempt).is_some_and(|call| call.opted_out.is_some() || call.is_suppressed)
    }

    /// Decides what is next for the contact.
    pub(super) fn conclude(&mut self, attempt: AttemptId, changes: &EndingChanges) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        let Some(group) = self.groups.get(&call.group) else { return };
        let rules = &group.definition.rules;
        let contact = &call.contact;
        let result = changes.result.or(call.result).unwrap_or(CallResult::SystemError);
        let mut said = call.disposal.clone().unwrap_or_default();
        if let Some(code) = &changes.disposition
            && rules.disposition(code).is_some()
        {
            said.disposition = Some(code.clone());
        }
        said.callback_at = changes.callback_at.or(said.callback_at);
        let known = said.disposition.as_deref().and_then(|code| rules.disposition(code));
        let ending = Ending { at: self.now, result, disposition: known, callback_at: said.callback_at };
        let mut plan = decide(&rules.treatments, rules.attempts_max, contact, &ending);
        if call.opted_out.is_some() {
            let next = Next::Final(FinalReason::Suppressed);
            plan = Plan { next, phone_status: PhoneStatus::Suppressed, suppress: true };
        }
        let number = contact.current_phone().map(|phone| phone.number);
        if call.is_suppressed {
            // Of the person nothing was learned: what was known of them stays.
            plan = once_more(rules.attempts_max, contact, self.now);
        }
        if let Some(status) = changes.phone_status {
            plan.phone_status = status;
        }
        if let Some(at) = changes.retry_at {
            plan.next = Next::Dial { phone: contact.phone, at, band: Band::TimedRetry };
        }
        let mut next = planned_next(contact, plan.next);
        if let (Some(priority), PlannedNext::Dial { rank: Some(rank), .. }) = (changes.priority, &mut next) {
            *rank = rank.with_priority(priority);
        }
        let (outcome, in_a_row) = if call.is_suppressed {
            (contact.last_result, contact.last_result_in_a_row)
        } else {
            (Some(result), in_a_row(contact, Some(result)))
        };
        let planned = ContactPlanned {
            attempt: Some(attempt),
            group: call.group,
            contact: contact.contact,
            phone: contact.phone,
            phone_status: plan.phone_status,
            result: outcome,
            result_in_a_row: in_a_row,
            disposition: said.disposition.clone(),
            notes: said.notes.clone(),
            at: self.now,
            suppress: if plan.suppress { number } else { None },
            next,
        };
        call.disposal = Some(said);
        if self.needs_no_script(attempt) {
            return self.close_books(attempt, planned);
        }
        if let Some(planned) = self.ask_after_reschedule(attempt, planned) {
            self.close_books(attempt, planned);
        }
    }

    /// Has the plan stored and forgets the call.
    pub(super) fn close_books(&mut self, attempt: AttemptId, planned: ContactPlanned) {
        let Some(call) = self.calls.remove(&attempt) else { return };
        let planned = self.keep_promise(&call, planned);
        self.change(Change::ContactPlanned(planned));
        if let Some(agent) = call.agent {
            self.wrap_up_is_over(agent);
            self.once_stored(Some(call.group), AfterStored::AgentMovesOn(agent));
        }
        self.call_is_gone(call.group);
    }
}
