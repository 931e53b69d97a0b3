//! Messages that called parties hear, and the keys they press meanwhile.

use std::time::Duration;

use crate::call_result::CallResult;
use crate::change::{Heard, OptOut};
use crate::ids::{AttemptId, MessageId};
use crate::settings::CONNECT_WITHIN;
use crate::time::Time;

use super::Engine;
use super::io::{Detected, Output, Playing};
use super::state::{Call, Stage};

/// How long the message for people whom no agent is free for may be.
const SAFE_HARBOUR_PATIENCE: Duration = Duration::from_secs(60);
/// How long a campaign's message may take: that of the longest sound (10 MiB at 8 kHz and 16 bit are 655 s) after the
/// greeting of a machine.
const MESSAGE_PATIENCE: Duration = Duration::from_secs(720);
/// How long a key may still be pressed after a message that told of one. An assumption: the time that people take to
/// look at their phone.
const KEYS_AFTER_MESSAGE: Duration = Duration::from_secs(3);

impl Call {
    /// An instant that was noticed. Those of a call that was taken over from an earlier process are not known.
    pub(super) fn known(&self, at: Option<Time>) -> Option<Time> {
        at.filter(|at| Some(*at) != self.adopted_at)
    }

    fn hears(&mut self, message: Heard, now: Time) {
        self.evidence.message = Some(message);
        (self.evidence.message_at, self.evidence.message_ended_at) = (Some(now), None);
    }

    /// Whether what the call was for began within two seconds of the answer.
    pub(super) fn message_was_in_time(&self) -> bool {
        let began = self.message_at.zip(self.answered_at);
        began.is_some_and(|(began, answered)| began.since(answered) <= CONNECT_WITHIN)
    }
}

impl Engine {
    /// Plays what the call is for to whoever answered it: this message if one was chosen.
    pub(super) fn announce(&mut self, attempt: AttemptId, chosen: Option<MessageId>) {
        let now = self.now;
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        let own = || call.agentless.map(|own| own.message);
        let left = || self.groups.get(&call.group).and_then(|group| group.definition.rules.detection.message);
        let Some(message) = chosen.or_else(own).or_else(left) else { return self.end_call(attempt) };
        call.message_at = Some(now);
        call.hears(Heard::Campaign, now);
        let (group, what) = (call.group, Playing::Message(message));
        self.outputs.push_back(Output::Play { attempt, group, what });
        self.enter(attempt, Stage::Announcement, Some(MESSAGE_PATIENCE));
    }

    /// Plays what people hear whom no agent is free for.
    pub(super) fn play_safe_harbour(&mut self, attempt: AttemptId) {
        let now = self.now;
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        call.hears(Heard::SafeHarbour, now);
        let group = call.group;
        let message = self.groups.get(&group).and_then(|group| group.definition.rules.safe_harbour);
        self.outputs.push_back(Output::Play { attempt, group, what: Playing::SafeHarbour(message) });
        self.enter(attempt, Stage::Message, Some(SAFE_HARBOUR_PATIENCE));
    }

    /// Nobody heard anything: the call is as if it had not been played.
    pub(super) fn message_failed(&mut self, attempt: AttemptId) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        call.message_at = None;
        let evidence = &mut call.evidence;
        (evidence.message, evidence.message_at, evidence.message_ended_at) = (None, None, None);
        self.end_call(attempt);
    }

    pub(super) fn message_ended(&mut self, attempt: AttemptId) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        let stage = call.stage;
        call.evidence.message_ended_at = Some(self.now);
        if stage == Stage::Announcement {
            call.message_ended = true;
        }
        let rules = self.groups.get(&call.group).map(|group| &group.definition.rules);
        // The switch's own message tells of no key.
        let told_of_a_key =
            stage == Stage::Announcement || rules.is_some_and(|rules| rules.safe_harbour.is_some());
        if told_of_a_key && call.detected != Some(Detected::Machine) {
            self.enter(attempt, stage, Some(KEYS_AFTER_MESSAGE));
        } else {
            self.end_call(attempt);
        }
    }

    /// The called party pressed a key while, or right after, they heard a message.
    pub(super) fn key_pressed(&mut self, attempt: AttemptId, key: char) {
        let Some(call) = self.calls.get(&attempt) else { return };
        let hears_a_message = call.stage != Stage::Connecting || call.agentless.is_some();
        let Some(group) = self.groups.get(&call.group) else { return };
        if !hears_a_message || call.detected == Some(Detected::Machine) {
            return;
        }
        if key == group.definition.rules.opt_out_digit {
            self.opt_out(attempt);
        } else if call.stage == Stage::Announcement
            && call.agentless.is_some_and(|own| own.transfer_digit == Some(key))
        {
            self.transfer(attempt);
        }
    }

    /// They want to be called no more: the call is over here and now, and what it led to is stored with its end.
    fn opt_out(&mut self, attempt: AttemptId) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        call.opted_out = Some(if call.message_was_in_time() { OptOut::Message } else { OptOut::SafeHarbour });
        self.outputs.push_back(Output::HangUp(attempt));
        self.finish(attempt, CallResult::DoNotCall);
    }

    /// They want an agent: one who is ready takes them; if there is none they are told so.
    pub(super) fn transfer(&mut self, attempt: AttemptId) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        call.asked_for_agent = true;
        // They were no bet on who would be free: whoever is ready takes them.
        call.has_agent = true;
        if !self.serve(attempt) {
            self.play_safe_harbour(attempt);
        }
    }
}
