//! What is done with whoever picked up, by what detection found out, or by a server script's word.

use crate::detection::{AnswerAction, AskScript, DoubtAction, MachineAction, ScriptSaid};
use crate::ids::AttemptId;
use crate::pacing::Observation;

use super::Engine;
use super::io::{Detected, Hook, HookRequest, HookVerdict, Output, PickedUp};
use super::state::Stage;

impl Engine {
    /// Detection found out who picked up.
    pub(super) fn detected(&mut self, attempt: AttemptId, found: Detected) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        let Some(group) = self.groups.get(&call.group) else { return };
        let rules = group.definition.rules.detection;
        let script = rules.script.filter(|script| script.is_about(found));
        // What may be a person counts as one, whatever is done with it.
        let detected = match found {
            Detected::Unsure => Detected::Person,
            Detected::Silence if script.is_none() && rules.silence == DoubtAction::Connect => {
                Detected::Person
            }
            other => other,
        };
        call.detected = Some(detected);
        if call.detects {
            (call.evidence.detected, call.evidence.detected_at) = (Some(found), Some(self.now));
        }
        // Silence that a script is asked about may still come to count as a person.
        if !(script.is_some() && found == Detected::Silence) {
            self.count_answer(attempt);
        }
        match script {
            Some(script) => self.ask_about_answer(attempt, found, script),
            None => self.deal_with(attempt, self.by_profile(attempt, found)),
        }
    }

    /// Has pacing learn whether it was a person; once for each call.
    fn count_answer(&mut self, attempt: AttemptId) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        call.is_open = false;
        let Some(group) = self.groups.get_mut(&call.group) else { return };
        let by_person = call.detected == Some(Detected::Person);
        group.lines.remove(attempt);
        group.forecast.resolved(call.segment, call.placed_at, self.now, by_person);
        if by_person {
            group.pacing.observe(self.now, Observation::Answered);
        }
    }

    fn ask_about_answer(&mut self, attempt: AttemptId, found: Detected, script: AskScript) {
        let question = self.next_question;
        self.next_question += 1;
        self.enter(attempt, Stage::Deciding, Some(script.within));
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        call.deciding = Some((question, found));
        self.asked.insert(question, attempt);
        let picked_up = PickedUp {
            attempt,
            attempt_number: call.contact.attempts.saturating_add(1),
            detected: found,
            ringing_at: call.ringing_at,
            answered_at: call.answered_at,
            until: self.now + script.within,
        };
        let (group, contact) = (call.group, call.contact.clone());
        let hook = Hook::Detected(picked_up);
        self.outputs.push_back(Output::RunHook(HookRequest { group, question, contact, hook }));
    }

    /// The script answered in time.
    pub(super) fn answer_decided(&mut self, attempt: AttemptId, verdict: HookVerdict) {
        let (said, action) = match verdict {
            HookVerdict::Detected(None) => (ScriptSaid::Nothing, None),
            HookVerdict::Detected(Some(action)) => {
                let said = match action {
                    AnswerAction::HangUp => ScriptSaid::HangUp,
                    AnswerAction::Connect => ScriptSaid::Connect,
                    AnswerAction::LeaveMessage(_) => ScriptSaid::LeaveMessage,
                };
                (said, Some(action))
            }
            HookVerdict::TimedOut => (ScriptSaid::Late, None),
            _ => (ScriptSaid::Failed, None),
        };
        self.script_said(attempt, said, action);
    }

    /// What came of asking a script; without an action the profile decides.
    pub(super) fn script_said(&mut self, attempt: AttemptId, said: ScriptSaid, action: Option<AnswerAction>) {
        let now = self.now;
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        let Some((question, found)) = call.deciding.take() else { return };
        self.asked.remove(&question);
        (call.evidence.script, call.evidence.script_at) = (Some(said), Some(now));
        if let Some(AnswerAction::LeaveMessage(message)) = action {
            call.evidence.script_message = message;
        }
        let action = action.unwrap_or_else(|| self.by_profile(attempt, found));
        if found == Detected::Silence {
            if action == AnswerAction::Connect
                && let Some(call) = self.calls.get_mut(&attempt)
            {
                call.detected = Some(Detected::Person);
            }
            self.count_answer(attempt);
        }
        self.deal_with(attempt, action);
    }

    /// What is done with such an answer where no script says otherwise.
    fn by_profile(&self, attempt: AttemptId, found: Detected) -> AnswerAction {
        let Some(call) = self.calls.get(&attempt) else { return AnswerAction::HangUp };
        let Some(group) = self.groups.get(&call.group) else { return AnswerAction::HangUp };
        let rules = group.definition.rules.detection;
        let in_doubt = |action| match action {
            DoubtAction::Connect => AnswerAction::Connect,
            DoubtAction::HangUp => AnswerAction::HangUp,
        };
        match (found, call.agentless) {
            (Detected::Person, _) => AnswerAction::Connect,
            (Detected::Unsure, _) => in_doubt(rules.unsure),
            (Detected::Silence, _) => in_doubt(rules.silence),
            (Detected::Fax, _) => AnswerAction::HangUp,
            (Detected::Machine, Some(own)) if own.leave_on_machine => AnswerAction::LeaveMessage(None),
            (Detected::Machine, Some(_)) => AnswerAction::HangUp,
            (Detected::Machine, None) => {
                match rules.machine.unwrap_or(group.definition.settings.machine_action) {
                    MachineAction::Connect => AnswerAction::Connect,
                    MachineAction::LeaveMessage if rules.message.is_some() => {
                        AnswerAction::LeaveMessage(None)
                    }
                    MachineAction::LeaveMessage | MachineAction::HangUp => AnswerAction::HangUp,
                }
            }
        }
    }

    fn deal_with(&mut self, attempt: AttemptId, action: AnswerAction) {
        let is_agentless = self.calls.get(&attempt).is_some_and(|call| call.agentless.is_some());
        match action {
            AnswerAction::HangUp => self.end_call(attempt),
            // Whoever is called without agents hears what the call is for.
            AnswerAction::Connect if is_agentless => self.announce(attempt, None),
            AnswerAction::Connect => self.wants_agent(attempt),
            AnswerAction::LeaveMessage(message) => self.announce(attempt, message),
        }
    }
}
