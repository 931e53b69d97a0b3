//! What happens to calls on one Asterisk.

use engine::{AgentId, AttemptId};
use serde_json::json;

use super::causes;
use super::lines::agent_of;
use super::protocol::{Ask, Channel, Playback};
use super::switchboard::{Asked, Call, Switchboard};
use crate::driver::{AgentPhone, CallStage, Message, Purpose, Request};
use crate::event::{AgentFailure, Detected, EndCause, EventKind, Failure};

/// Causes with which calls break rather than end: 27 destination out of order, 38 network out of order (Q.850).
const BROKEN: [i64; 2] = [27, 38];

impl Switchboard {
    pub(super) fn state_changed(&mut self, channel: &Channel) {
        match channel.state.as_str() {
            "Ringing" | "Ring" => self.rings(&channel.id),
            "Up" => {
                if let Some(attempt) = self.call_of(&channel.id) {
                    self.picked_up(attempt);
                }
            }
            _ => {}
        }
    }

    pub(super) fn rings(&mut self, channel: &str) {
        let Some(attempt) = self.call_of(channel) else { return };
        if self.calls.get(&attempt).is_some_and(|call| call.stage == CallStage::Placed) {
            self.enter(attempt, CallStage::Ringing);
            self.tell(attempt, EventKind::Ringing);
        }
    }

    fn picked_up(&mut self, attempt: AttemptId) {
        if self.calls.get(&attempt).is_some_and(|call| !call.stage.is_answered()) {
            self.enter(attempt, CallStage::Answered);
            self.tell(attempt, EventKind::Answered);
        }
    }

    fn enter(&mut self, attempt: AttemptId, stage: CallStage) {
        if let Some(call) = self.calls.get_mut(&attempt) {
            call.stage = stage;
            self.ledger.put(attempt, stage, call.agent);
        }
    }

    /// A channel is in the application: a call that was picked up or that the dial plan gives back, or a line.
    pub(super) fn in_application(&mut self, channel: &Channel, args: &[String]) {
        let word = |index: usize| args.get(index).map_or("", String::as_str);
        let Some(attempt) = self.call_of(&channel.id) else {
            return match word(0) {
                "line" => self.line_picked_up(&channel.id),
                "third" | "supervisor" | "snoop" => self.party_picked_up(&channel.id),
                "recorder" => self.recorder_hears(&channel.id, word(1)),
                _ => {}
            };
        };
        self.picked_up(attempt);
        if let Some(call) = self.calls.get_mut(&attempt) {
            call.in_stasis = true;
        }
        if word(0) == "detected"
            && let Some(detected) = detected(word(1), word(2))
        {
            if let Some(call) = self.calls.get_mut(&attempt) {
                call.is_greeting = detected == Detected::Machine;
            }
            self.tell(attempt, EventKind::Detected(detected));
        }
        self.do_deferred(attempt);
    }

    fn do_deferred(&mut self, attempt: AttemptId) {
        let Some(call) = self.calls.get_mut(&attempt).filter(|call| call.in_stasis) else { return };
        for request in std::mem::take(&mut call.deferred) {
            self.request(self.now, request);
        }
    }

    pub(super) fn connect(&mut self, attempt: AttemptId, agent: AgentId, phone: Option<AgentPhone>) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        let is_handed_over =
            call.agent.is_some_and(|before| before != agent) && call.stage == CallStage::Connected;
        if call.is_transferred || (call.agent.is_some() && !is_handed_over) {
            let reason = AgentFailure::CallNotWaiting;
            return self.tell(attempt, EventKind::AgentFailed { agent, reason });
        }
        if is_handed_over {
            self.part_from_agent(attempt);
        }
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        call.agent = Some(agent);
        if let Some(playback) = call.playback.take() {
            self.ask(Asked::Aside("stop a message"), Ask::delete(format!("playbacks/{playback}")));
        }
        if let Some(line) = self.lines.get_mut(&agent) {
            line.call = Some(attempt);
            if line.is_up {
                self.bridge(attempt, agent);
            }
        } else if let Some(phone) = phone {
            self.ring_for_call(agent, &phone, attempt);
        } else {
            self.agent_failed(attempt, AgentFailure::Unreachable);
        }
    }

    /// Brings a call to the line of its agent.
    pub(super) fn bridge(&mut self, attempt: AttemptId, agent: AgentId) {
        let Some(line) = self.lines.get(&agent).map(|line| line.id.clone()) else { return };
        if let Some(call) = self.calls.get_mut(&attempt)
            && std::mem::take(&mut call.is_held)
        {
            self.ask(Asked::Aside("stop music on hold"), Ask::delete(format!("channels/{attempt}/moh")));
        }
        let uri = format!("bridges/{line}/addChannel?channel={attempt}");
        self.ask(Asked::Connect(attempt, agent), Ask::post(uri));
        self.tell_agent_of_call(agent);
    }

    pub(super) fn entered_bridge(&mut self, channel: &str, bridge: &str) {
        let Some(attempt) = self.call_of(channel) else { return };
        let Some(call) = self.calls.get(&attempt) else { return };
        let Some(agent) = call.agent else { return };
        let is_theirs = self.lines.get(&agent).is_some_and(|line| line.id == bridge);
        if is_theirs && call.stage != CallStage::Connected {
            self.enter(attempt, CallStage::Connected);
            self.tell(attempt, EventKind::Connected { agent });
        }
    }

    pub(super) fn connect_refused(&mut self, attempt: AttemptId, agent: AgentId, status: u16) {
        tracing::warn!(status, %attempt, "the switch refused to connect a call");
        if self.calls.get(&attempt).is_some_and(|call| call.agent == Some(agent)) {
            self.agent_failed(attempt, AgentFailure::CallNotWaiting);
        }
    }

    /// The agent of a call is out of reach; the called party is still there.
    pub(super) fn agent_failed(&mut self, attempt: AttemptId, reason: AgentFailure) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        let Some(agent) = call.agent.take() else { return };
        if call.is_transferred {
            return;
        }
        call.stage = CallStage::Answered;
        self.ledger.put(attempt, CallStage::Answered, None);
        self.leave_line(agent, attempt);
        self.tell(attempt, EventKind::AgentFailed { agent, reason });
    }

    pub(super) fn play(&mut self, attempt: AttemptId, message: &Message) {
        let playback = format!("{attempt}.{}", self.fresh());
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        if call.agent.is_some() {
            return;
        }
        if std::mem::take(&mut call.is_greeting) {
            // The dial plan waits for the end of the greeting, and the message is left then.
            call.in_stasis = false;
            call.deferred.push(Request::Play { attempt, message: message.clone() });
            let uri = format!("channels/{attempt}/continue?context=outdial-greeting&extension=s&priority=1");
            return self.ask(Asked::Aside("wait for the end of a greeting"), Ask::post(uri));
        }
        let before = call.playback.replace(playback.clone());
        call.plays = Some(message.purpose);
        let Some(name) = sound_name(message) else {
            tracing::warn!(%attempt, "a message has no sound to play: upload one, or install a speech program");
            return self.message_failed(&playback);
        };
        let media = format!("sound:{}/{name}", self.settings.sounds);
        if let Some(before) = before {
            self.ask(Asked::Aside("stop a message"), Ask::delete(format!("playbacks/{before}")));
        }
        let uri = format!("channels/{attempt}/play/{playback}");
        self.ask(Asked::Play(attempt, playback), Ask::post(uri).with(json!({ "media": media })));
    }

    pub(super) fn playback_finished(&mut self, playback: &str) {
        let Some(attempt) = playback.split('.').next().and_then(|channel| self.call_of(channel)) else {
            return;
        };
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        if call.playback.as_deref() == Some(playback) {
            call.playback = None;
            if call.plays == Some(Purpose::Campaign) {
                self.enter(attempt, CallStage::MessagePlayed);
            }
            self.tell(attempt, EventKind::PlayFinished);
        }
    }

    pub(super) fn playback_started(&mut self, playback: &str) {
        let attempt = playback.split('.').next().and_then(|channel| self.call_of(channel));
        let Some(attempt) = attempt else { return };
        if self.calls.get(&attempt).is_some_and(|call| call.playback.as_deref() == Some(playback)) {
            self.tell(attempt, EventKind::PlayStarted);
        }
    }

    /// Asterisk could not play something: the file is not where it looks, or it may not read it.
    pub(super) fn playback_failed(&mut self, playback: &Playback) {
        let Some(line) = playback.target_uri.strip_prefix("bridge:") else {
            if playback.id.starts_with("tone.") {
                return;
            }
            tracing::warn!(
                "the switch could not play a message: is its file where telephony.sounds says, and may Asterisk read it?"
            );
            return self.message_failed(&playback.id);
        };
        // What was not announced is not recorded.
        let Some(attempt) = agent_of(line).and_then(|agent| self.lines.get(&agent)?.call) else { return };
        tracing::warn!(%attempt, "the switch could not play the announcement of a recording, which ends");
        self.end_recording(attempt);
    }

    /// What cannot be played is over at once, so that nobody waits for its end.
    pub(super) fn message_failed(&mut self, playback: &str) {
        let attempt = playback.split('.').next().and_then(|channel| self.call_of(channel));
        let Some(attempt) = attempt else { return };
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        if call.playback.as_deref() == Some(playback) {
            call.playback = None;
            self.tell(attempt, EventKind::PlayFailed);
        }
    }

    /// A channel is gone.
    pub(super) fn destroyed(&mut self, channel: &str, cause: i64, sip: Option<i64>) {
        let Some(attempt) = self.call_of(channel) else {
            return if self.parties.contains_key(channel) {
                self.party_gone(channel, causes::party_end(cause, sip));
            } else {
                self.line_gone(channel, Some(causes::agent_failure(cause, sip)));
            };
        };
        let Some(call) = self.calls.get(&attempt) else { return };
        match (call.ending, call.stage.is_answered()) {
            (Some(end), _) => self.over(attempt, end),
            (None, true) if BROKEN.contains(&cause) => self.over(attempt, EndCause::Failed(Failure::Switch)),
            (None, true) => self.over(attempt, EndCause::ByCalledParty),
            (None, false) => self.not_answered(attempt, causes::unanswered(cause, sip)),
        }
    }

    /// A call ended before anybody answered: over another way out if the first did not get it through.
    pub(super) fn not_answered(&mut self, attempt: AttemptId, end: EndCause) {
        let Some(call) = self.calls.get(&attempt) else { return };
        let may_retry =
            call.stage == CallStage::Placed && call.ending.is_none() && causes::may_try_another_trunk(end);
        if !(may_retry && self.try_next_trunk(attempt)) {
            self.over(attempt, end);
        }
    }

    /// Tells the end of a call and forgets it.
    pub(super) fn over(&mut self, attempt: AttemptId, end: EndCause) {
        self.leave_trunk(attempt);
        let Some(call) = self.calls.remove(&attempt) else { return };
        self.ledger.remove(attempt);
        if let Some(agent) = call.agent {
            self.leave_line(agent, attempt);
        }
        self.end_parties_of(attempt, &call);
        self.tell(attempt, EventKind::Ended(end));
    }

    pub(super) fn adopt(&mut self, attempt: AttemptId, call: Call) {
        self.ledger.put(attempt, call.stage, call.agent);
        self.calls.insert(attempt, call);
    }
}

/// From the variables that `AMD()` sets, and from the detection of fax tones beside it. A greeting that never began is
/// `MACHINE` for `AMD()`, with the cause `INITIALSILENCE`.
fn detected(status: &str, cause: &str) -> Option<Detected> {
    Some(match status {
        "HUMAN" => Detected::Person,
        "MACHINE" if cause.starts_with("INITIALSILENCE") => Detected::Silence,
        "MACHINE" => Detected::Machine,
        "FAX" => Detected::Fax,
        "HANGUP" => return None,
        _ => Detected::Unsure,
    })
}

/// The file of a message below the directory of sounds, without its type. Asterisk reads nothing aloud: a message that has
/// no sound is the switch's own for people whom no agent is free for, or none.
fn sound_name(message: &Message) -> Option<&str> {
    match (&message.sound, message.purpose) {
        (Some(sound), _) => Some(sound.file.stem()),
        (None, Purpose::SafeHarbour) => Some("safe-harbour"),
        (None, Purpose::Campaign) => None,
    }
}
