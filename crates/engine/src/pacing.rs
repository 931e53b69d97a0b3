//! Pacing: how many more calls to place now.

use crate::settings::{DialMode, GroupSettings};
use crate::time::Time;

/// What a pacing policy sees of a campaign group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PacingView {
    /// The present instant.
    pub now: Time,
    /// Agents who could take a call at once and whom no line of another group counts on.
    pub ready_agents: u32,
    /// Agents of the group who are talking, wrapping up or reserved.
    pub busy_agents: u32,
    /// Lines of the group that are dialling or ringing.
    pub ringing_lines: u32,
    /// Answered calls of the group that wait for an agent.
    pub waiting_calls: u32,
}

/// A policy that decides how many calls to place. A predictive policy implements this as the others do.
pub trait Pacing: Send + Sync {
    /// How many calls to place now, on top of those under way. Limits on lines and on calls per second are the
    /// engine's business, not the policy's.
    fn lines_to_add(&mut self, view: &PacingView) -> u32;
}

/// A fixed number of lines for each ready agent; 1 is progressive dialling, which by itself abandons nobody.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinesPerAgent(pub f64);

impl Pacing for LinesPerAgent {
    fn lines_to_add(&mut self, view: &PacingView) -> u32 {
        let free_agents = view.ready_agents.saturating_sub(view.waiting_calls);
        // Rounded down: half a line too few costs an agent a moment, half a line too many costs a person silence.
        let lines = (f64::from(free_agents) * self.0).floor() as u32;
        lines.saturating_sub(view.ringing_lines)
    }
}

/// No calls without an agent's word: previews are handed out by the engine one an agent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OnlyOnRequest;

impl Pacing for OnlyOnRequest {
    fn lines_to_add(&mut self, _: &PacingView) -> u32 {
        0
    }
}

/// The policy of a dial mode.
pub fn policy(settings: &GroupSettings) -> Box<dyn Pacing> {
    match settings.dial_mode {
        DialMode::Preview => Box::new(OnlyOnRequest),
        DialMode::Progressive => Box::new(LinesPerAgent(1.0)),
        DialMode::Power => Box::new(LinesPerAgent(settings.lines_per_agent)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(ready_agents: u32, ringing_lines: u32, waiting_calls: u32) -> PacingView {
        PacingView { now: Time::EPOCH, ready_agents, busy_agents: 0, ringing_lines, waiting_calls }
    }

    #[test]
    fn progressive_dials_one_line_for_each_free_agent() {
        assert_eq!(LinesPerAgent(1.0).lines_to_add(&view(5, 2, 1)), 2);
        assert_eq!(LinesPerAgent(1.0).lines_to_add(&view(1, 4, 0)), 0);
    }

    #[test]
    fn power_dials_its_ratio_rounded_down() {
        assert_eq!(LinesPerAgent(2.5).lines_to_add(&view(3, 0, 0)), 7);
        assert_eq!(LinesPerAgent(2.5).lines_to_add(&view(3, 6, 1)), 0);
    }
}
