//! After the start and after a lost connection: what is up on the switch against what is known.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use engine::{AttemptId, PartyEnd};

use super::lines::{Line, agent_of, tone_of};
use super::parties::{handed_over_in, waiting_with};
use super::protocol::{Ask, Bridge, Channel};
use super::supervisors::{is_snoop, listener_of};
use super::switchboard::{Asked, Call, KIND, Link, NODE, Switchboard};
use crate::driver::CallStage;
use crate::event::{AgentFailure, EndCause, Failure};

/// How long a line of before stays up for an agent who may come back: the time that calls have, too.
const UNCLAIMED_STAYS: Duration = Duration::from_secs(60);

impl Switchboard {
    /// Calls that are gone are ended, what happened unheard is told, calls that an earlier process left are taken
    /// over, and whatever else this node left is ended.
    pub(super) fn compare(&mut self, bridges: &[Bridge]) {
        let Link::Comparing { channels: Some(channels) } = std::mem::replace(&mut self.link, Link::Down)
        else {
            return;
        };
        let up: HashSet<&str> = channels.iter().map(|channel| channel.id.as_str()).collect();
        let lines: Vec<String> =
            self.lines.values().map(|line| line.id.clone()).filter(|id| !up.contains(id.as_str())).collect();
        for line in lines {
            self.line_gone(&line, Some(AgentFailure::Unreachable));
        }
        let gone: Vec<AttemptId> = self
            .calls
            .keys()
            .copied()
            .filter(|attempt| !up.contains(attempt.to_string().as_str()) && !self.is_queued(*attempt))
            .collect();
        for attempt in gone {
            self.over(attempt, EndCause::Failed(Failure::Unheard));
        }
        let parties: Vec<String> =
            self.parties.keys().filter(|id| !up.contains(id.as_str())).cloned().collect();
        for party in parties {
            self.party_gone(&party, PartyEnd::Unreachable);
        }
        let bridge_of: HashMap<&str, &str> = bridges
            .iter()
            .flat_map(|bridge| bridge.channels.iter().map(|channel| (channel.as_str(), bridge.id.as_str())))
            .collect();
        let of_this_node = |channel: &&Channel| channel.channelvars.get(NODE) == Some(&self.settings.node);
        let own: Vec<&Channel> = channels.iter().filter(of_this_node).collect();
        // Lines first: calls are on them.
        for channel in own.iter().filter(|channel| kind(channel) == "line") {
            self.meet_line(channel);
        }
        for channel in own.iter().filter(|channel| kind(channel) != "line") {
            match AttemptId::parse(&channel.id) {
                Ok(attempt) => self.meet_call(attempt, channel, bridge_of.get(channel.id.as_str()).copied()),
                Err(_) if self.parties.contains_key(&channel.id) => self.meet_party(channel),
                Err(_) => {
                    let ask = Ask::delete(format!("channels/{}", channel.id));
                    self.ask(Asked::Aside("hang a channel of before up"), ask);
                }
            }
        }
        self.end_listening_of_before(&channels, &own, bridges);
        self.end_empty_bridges(bridges);
        self.compared();
    }

    /// Who was picked up unheard is brought to where they are wanted.
    fn meet_party(&mut self, channel: &Channel) {
        if channel.state == "Up" && channel.dialplan.app_name == "Stasis" {
            self.party_picked_up(&channel.id);
        }
    }

    /// Channels that heard agents' lines for supervisors of an earlier process. They carry no variables; the lines that
    /// they hear do.
    fn end_listening_of_before(&mut self, channels: &[Channel], own: &[&Channel], bridges: &[Bridge]) {
        let is_own = |id: &str| own.iter().any(|channel| channel.id == id);
        let is_left = |channel: &&Channel| {
            let hears = channel.name.strip_prefix("Snoop/").and_then(|name| name.rsplit_once('-'));
            is_snoop(&channel.id)
                && !self.parties.contains_key(&channel.id)
                && hears.is_some_and(|(line, _)| is_own(line))
        };
        let left: HashSet<&str> =
            channels.iter().filter(is_left).map(|channel| channel.id.as_str()).collect();
        let abandoned = bridges.iter().filter(|bridge| {
            let is_known =
                listener_of(&bridge.id).is_none_or(|supervisor| self.parties.contains_key(supervisor));
            let is_ours = |id: &String| left.contains(id.as_str()) || is_own(id);
            !is_known && bridge.channels.iter().any(is_ours)
        });
        let abandoned: Vec<&Bridge> = abandoned.collect();
        for channel in left {
            tracing::info!("ending what listened for a supervisor of before");
            self.ask(Asked::Aside("stop listening"), Ask::delete(format!("channels/{channel}")));
        }
        for bridge in abandoned {
            self.ask(Asked::Aside("end a bridge"), Ask::delete(format!("bridges/{}", bridge.id)));
        }
    }

    /// Bridges that an earlier process made and died before it brought anybody there, or that lost those who were in them
    /// while nobody listened.
    fn end_empty_bridges(&mut self, bridges: &[Bridge]) {
        let name = self.bridge_name();
        let is_used = |id: &str| {
            self.lines.values().any(|line| line.id == id)
                || listener_of(id).is_some_and(|supervisor| self.parties.contains_key(supervisor))
                || handed_over_in(id).is_some_and(|attempt| self.calls.contains_key(&attempt))
        };
        let empty = bridges
            .iter()
            .filter(|bridge| bridge.name == name && bridge.channels.is_empty() && !is_used(&bridge.id));
        let empty: Vec<&Bridge> = empty.collect();
        for bridge in empty {
            self.ask(Asked::Aside("end a bridge"), Ask::delete(format!("bridges/{}", bridge.id)));
        }
    }

    fn meet_line(&mut self, channel: &Channel) {
        let Some(agent) = agent_of(&channel.id) else { return };
        let is_up = channel.state == "Up";
        match self.lines.get(&agent) {
            Some(line) if line.id == channel.id => {
                if is_up && !line.is_up {
                    self.line_picked_up(&channel.id);
                }
            }
            Some(_) => {
                let ask = Ask::delete(format!("channels/{}", channel.id));
                self.ask(Asked::Aside("hang a line of before up"), ask);
            }
            None => {
                let line = Line {
                    id: channel.id.clone(),
                    is_up,
                    is_standing: true,
                    is_muted: false,
                    is_claimed: false,
                    call: None,
                };
                self.lines.insert(agent, line);
                // The agent is not heard while a tone plays, and who began one may have died before its end.
                let ask = Ask::delete(format!("playbacks/{}", tone_of(&channel.id)));
                self.ask(Asked::Aside("end a tone"), ask);
                // Whoever comes back to work wants it again.
                self.unclaimed.push_back((self.now + UNCLAIMED_STAYS, agent));
            }
        }
    }

    /// Hangs up the lines that an earlier process left and whose agents have not come back.
    pub(super) fn end_unclaimed_lines(&mut self) {
        while let Some((_, agent)) = self.unclaimed.pop_front_if(|(until, _)| *until <= self.now) {
            let Some(line) = self.lines.get(&agent).filter(|line| !line.is_claimed) else { continue };
            if line.call.is_some() {
                self.unclaimed.push_back((self.now + UNCLAIMED_STAYS, agent));
                continue;
            }
            tracing::info!(%agent, "hanging up the line of an agent who has not come back");
            self.close_line(agent);
        }
    }

    fn meet_call(&mut self, attempt: AttemptId, channel: &Channel, bridge: Option<&str>) {
        if !self.calls.contains_key(&attempt) {
            let stage = match channel.state.as_str() {
                "Up" => CallStage::Answered,
                "Ringing" | "Ring" => CallStage::Ringing,
                _ => CallStage::Placed,
            };
            let mut call = Call::new(None, stage);
            call.in_stasis = channel.dialplan.app_name == "Stasis";
            let waits = if bridge.is_none() { waiting_with(kind(channel)) } else { None };
            let agent = bridge.and_then(agent_of).or(waits.map(|(agent, _)| agent));
            let mut resumed = None;
            if let Some(line) = agent.and_then(|agent| self.lines.get_mut(&agent))
                && line.call.is_none_or(|on_it| on_it == attempt)
            {
                line.call = Some(attempt);
                call.agent = agent;
                call.stage = CallStage::Connected;
                (call.is_held, call.is_labelled) = (waits.is_some(), waits.is_some());
                // Whoever was consulted is hung up on.
                resumed = waits.filter(|(_, consults)| *consults).map(|_| line.id.clone());
            }
            self.adopt(attempt, call);
            if let Some(line) = resumed {
                self.resume(attempt, &line);
            }
            return;
        }
        if let Some(bridge) = bridge {
            self.entered_bridge(&channel.id, bridge);
        }
        // Whether a message still plays is not known; nobody is to wait for an end that was not heard.
        if let Some(playback) = self.calls.get(&attempt).and_then(|call| call.playback.clone()) {
            self.playback_finished(&playback);
        }
        let Some(call) = self.calls.get(&attempt) else { return };
        if call.ending.is_some() {
            let ask = Ask::delete(format!("channels/{attempt}"));
            return self.ask(Asked::Aside("hang a call up"), ask);
        }
        match channel.state.as_str() {
            "Ringing" => self.rings(&channel.id),
            _ if call.agent.is_some() && call.stage == CallStage::Answered => self.bridge_again(attempt),
            // The dial plan gave it back unheard, and what it found out is lost.
            "Up" if !call.in_stasis && channel.dialplan.app_name == "Stasis" => {
                let is_detected = call.place.as_ref().is_some_and(|place| place.detection.is_some());
                let word = if is_detected { ["detected", "NOTSURE"] } else { ["call", ""] };
                self.in_application(channel, &word.map(str::to_owned));
            }
            // It was picked up unheard, and the dial plan will give it back.
            "Up" => self.state_changed(channel),
            _ => {}
        }
    }

    /// The request to connect was not heard, or its answer was not.
    fn bridge_again(&mut self, attempt: AttemptId) {
        let Some(agent) = self.calls.get(&attempt).and_then(|call| call.agent) else { return };
        if self.lines.get(&agent).is_some_and(|line| line.is_up) {
            self.bridge(attempt, agent);
        }
    }
}

fn kind(channel: &Channel) -> &str {
    channel.channelvars.get(KIND).map_or("", String::as_str)
}
