//! Agents' telephones: lines that stand for the whole of a session or for one call. Each has a bridge of its own, to
//! which calls are brought: connecting is one request.

use std::time::Duration;

use engine::{AgentId, AttemptId};

use super::protocol::{Ask, quoted};
use super::switchboard::{Asked, Switchboard};
use crate::driver::AgentPhone;
use crate::event::{AgentFailure, Event};

/// How long an agent's telephone rings at the start of a session, and for one call.
const SESSION_RINGS_SECONDS: u32 = 45;
const CALL_RINGS_SECONDS: u32 = 20;
/// How long an agent hears that a call comes.
const WHISPER_TONE: Duration = Duration::from_millis(200);

/// The line to an agent.
pub(super) struct Line {
    /// The channel and the bridge have the same id: `line.`, the agent's id, a dot and something fresh.
    pub id: String,
    pub is_up: bool,
    /// Stands until it is closed; else it ends with its call.
    pub is_standing: bool,
    /// The agent is not heard on it.
    pub is_muted: bool,
    /// Somebody asked for it since this process began.
    pub is_claimed: bool,
    /// The call that is or will be on it.
    pub call: Option<AttemptId>,
}

/// The agent whose line this channel or bridge is.
pub(super) fn agent_of(channel: &str) -> Option<AgentId> {
    let mut parts = channel.split('.');
    (parts.next() == Some("line")).then(|| parts.next().and_then(|id| AgentId::parse(id).ok())).flatten()
}

/// The playback of the tone on a line: always the same, so that a process that finds the line can end it.
pub(super) fn tone_of(line: &str) -> String {
    format!("tone.{line}")
}

impl Switchboard {
    pub(super) fn open_line(&mut self, agent: AgentId, phone: &AgentPhone) {
        if let Some(line) = self.lines.get_mut(&agent) {
            (line.is_standing, line.is_claimed) = (true, true);
            if line.is_up {
                self.tell_event(Event::LineUp { agent, at: self.now });
            }
            return;
        }
        self.ring_agent(agent, phone, None);
    }

    /// Rings an agent who has no standing line, for one call.
    pub(super) fn ring_for_call(&mut self, agent: AgentId, phone: &AgentPhone, attempt: AttemptId) {
        self.ring_agent(agent, phone, Some(attempt));
    }

    fn ring_agent(&mut self, agent: AgentId, phone: &AgentPhone, call: Option<AttemptId>) {
        let id = format!("line.{agent}.{}", self.fresh());
        let is_standing = call.is_none();
        self.lines.insert(
            agent,
            Line { id: id.clone(), is_up: false, is_standing, is_muted: false, is_claimed: true, call },
        );
        let seconds = if is_standing { SESSION_RINGS_SECONDS } else { CALL_RINGS_SECONDS };
        let body = self.ring(phone, "line", seconds);
        self.make_bridge(&id);
        self.ask(Asked::Line(agent), Ask::post(format!("channels/{id}")).with(body));
    }

    pub(super) fn close_line(&mut self, agent: AgentId) {
        if let Some(line) = self.lines.get_mut(&agent) {
            line.is_standing = false;
            let ask = Ask::delete(format!("channels/{}", line.id));
            self.ask(Asked::Aside("hang an agent's line up"), ask);
        }
    }

    pub(super) fn line_picked_up(&mut self, channel: &str) {
        let Some(agent) = agent_of(channel) else { return };
        let Some(line) = self.lines.get_mut(&agent).filter(|line| line.id == channel) else { return };
        line.is_up = true;
        let call = line.call;
        let ask = Ask::post(format!("bridges/{channel}/addChannel?channel={channel}"));
        self.ask(Asked::Aside("bring an agent to the bridge"), ask);
        self.tell_event(Event::LineUp { agent, at: self.now });
        if let Some(attempt) = call {
            self.bridge(attempt, agent);
        }
    }

    pub(super) fn line_refused(&mut self, agent: AgentId, status: u16) {
        tracing::warn!(status, %agent, "the switch refused to ring an agent's phone (is it registered?)");
        if let Some(line) = self.lines.get(&agent) {
            let id = line.id.clone();
            self.line_gone(&id, Some(AgentFailure::Unreachable));
        }
    }

    /// The line of an agent is gone, and with it the connection of the call that was on it.
    pub(super) fn line_gone(&mut self, channel: &str, reason: Option<AgentFailure>) {
        let Some(agent) = agent_of(channel) else { return };
        if self.lines.get(&agent).is_none_or(|line| line.id != channel) {
            return;
        }
        let Some(line) = self.lines.remove(&agent) else { return };
        self.ask(Asked::Aside("end a bridge"), Ask::delete(format!("bridges/{channel}")));
        let was_wanted = line.is_standing || line.call.is_some();
        let reason = reason.filter(|_| was_wanted);
        self.tell_event(Event::LineDown { agent, reason, at: self.now });
        if let Some(attempt) = line.call {
            self.agent_failed(attempt, reason.unwrap_or(AgentFailure::Unreachable));
        }
    }

    /// A call is off its agent's line.
    pub(super) fn leave_line(&mut self, agent: AgentId, attempt: AttemptId) {
        let Some(line) = self.lines.get_mut(&agent).filter(|line| line.call == Some(attempt)) else { return };
        line.call = None;
        let unmutes = std::mem::take(&mut line.is_muted).then(|| line.id.clone());
        if !line.is_standing {
            return self.close_line(agent);
        }
        // Or whoever is next would not hear them.
        if let Some(line) = unmutes {
            let ask = Ask::delete(format!("channels/{line}/mute?direction=in"));
            self.ask(Asked::Aside("unmute an agent"), ask);
        }
    }

    /// On a line that stands a voice comes without ringing: a tone that they alone hear says so.
    pub(super) fn tell_agent_of_call(&mut self, agent: AgentId) {
        let hertz = self.settings.whisper_tone_hz;
        let line = self.lines.get(&agent).filter(|line| line.is_standing && hertz > 0);
        let Some(line) = line.map(|line| line.id.clone()) else { return };
        let playback = tone_of(&line);
        let milliseconds = WHISPER_TONE.as_millis();
        let media = quoted(&format!("tone:!{hertz}/{milliseconds}"));
        let ask = Ask::post(format!("channels/{line}/play/{playback}?media={media}"));
        self.ask(Asked::Aside("tell an agent of a call"), ask);
        // For Asterisk a tone goes on in silence, and what else is asked of the line would wait for its end.
        self.tones.push_back((self.now + WHISPER_TONE, playback));
    }

    /// Ends the tones that have been heard.
    pub(super) fn end_tones(&mut self) {
        while let Some((_, playback)) = self.tones.pop_front_if(|(until, _)| *until <= self.now) {
            self.ask(Asked::Aside("end a tone"), Ask::delete(format!("playbacks/{playback}")));
        }
    }

    /// The line of the agent whom a call is with.
    pub(super) fn line_of(&mut self, attempt: AttemptId) -> Option<&mut Line> {
        let agent = self.calls.get(&attempt)?.agent?;
        self.lines.get_mut(&agent)
    }
}
