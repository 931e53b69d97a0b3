//! What a crash left: attempts that were not finished, and calls that are still up.

use std::time::Duration;

use crate::agent::AgentState;
use crate::ids::{AttemptId, GroupId};
use crate::pacing::Line;
use crate::settings::RING_SECONDS_MAX;

use super::Engine;
use super::calls::SWITCH_PATIENCE;
use super::dialling::segment_of;
use super::io::{CallEnd, CallEvent, Detected, LiveCall, Unfinished};
use super::state::{Call, Stage};

impl Engine {
    /// Takes over attempts that a crash left unfinished. Where the call is still up it goes on; of the others nothing is
    /// known of how they went on, so they ended then.
    pub(super) fn recovered(&mut self, id: GroupId, attempts: Vec<Unfinished>) {
        // All are counted before the first is settled, or the group might come to rest in between.
        let mut adopted = Vec::with_capacity(attempts.len());
        for Unfinished { attempt, contact, result, live, recording } in attempts {
            let Some(group) = self.groups.get_mut(&id) else { return self.ignore() };
            group.calls_up += 1;
            let live = live.filter(|_| result.is_none());
            let stage = match (result, live) {
                (Some(_), _) => Stage::WrapUp,
                (None, Some(_)) => Stage::Dialling,
                (None, None) => Stage::Ending,
            };
            if live.is_some() {
                group.ringing += 1;
            }
            let rings = live.is_some_and(|live| !live.is_answered);
            let segment = segment_of(&contact, self.now);
            if rings {
                let chance = group.forecast.answer_chance(segment);
                group.lines.add(attempt, Line { since: self.now, chance, segment });
            }
            group.on_lines += u32::from(stage.takes_a_line());
            group.kept += u32::from(rings && group.dials_one_to_one());
            let call = Call {
                verdict: live.is_none().then_some(crate::call_result::CallResult::SystemError),
                is_open: rings,
                result,
                has_agent: rings && group.dials_one_to_one(),
                adopted_at: live.is_some().then_some(self.now),
                recording,
                ..Call::new(id, Box::new(contact), stage, segment, self.now)
            };
            self.calls.insert(attempt, Box::new(call));
            adopted.push((attempt, result, live));
        }
        for (attempt, result, live) in adopted {
            match live {
                _ if result.is_some() => self.settle(attempt),
                Some(live) => self.go_on_with(attempt, live),
                None => self.call_event(attempt, CallEvent::Ended(CallEnd::ByUs)),
            }
        }
        self.continue_unload(id);
    }

    /// A call that is up goes on from where it is. Who answered it was not heard: doubt counts as a person.
    fn go_on_with(&mut self, attempt: AttemptId, live: LiveCall) {
        let now = self.now;
        let rings = Duration::from_secs(u64::from(RING_SECONDS_MAX));
        self.enter(attempt, Stage::Dialling, Some(rings + SWITCH_PATIENCE));
        if !live.is_answered {
            return;
        }
        self.call_event(attempt, CallEvent::Answered);
        let agent = live.agent.filter(|agent| self.agents.contains_key(agent));
        let Some(agent) = agent else {
            return self.call_event(attempt, CallEvent::Detected(Detected::Person));
        };
        self.enter(attempt, Stage::Talking, None);
        if let Some(call) = self.calls.get_mut(&attempt) {
            call.agent = Some(agent);
            call.connected_at = Some(now);
            call.detected = Some(Detected::Person);
        }
        self.set_agent_state(agent, AgentState::OnCall, Some(attempt));
        // Until their screen is back they take no further call.
        self.afterwards_not_ready(agent, "connection_lost");
        if let Some(agent) = self.agents.get_mut(&agent) {
            agent.line_is_up = true;
            agent.screen_is_gone = true;
        }
        self.go_on_recording(attempt);
    }
}
