//! Pacing: how many more calls to place now.
//!
//! A policy sees a [`PacingView`] after every input and says how many calls to add. What it may learn from, the
//! [`Forecast`] and the [`Budget`], is kept by the engine in every dial mode, so that a switch to predictive dialling
//! does not begin from nothing.

pub mod budget;
mod busy;
pub mod durations;
mod fading;
pub mod forecast;
mod lines;
mod predictive;
mod probability;

use std::sync::Arc;
use std::time::Duration;

pub use budget::{Budget, SlotCount, WindowCount};
pub use busy::{Busy, BusyAgents, Occupation};
pub use durations::Durations;
pub use forecast::{Forecast, Segment};
pub use lines::{Line, Lines};
pub use predictive::Predictive;

use crate::settings::{DialMode, GroupSettings};
use crate::time::Time;

/// How many people may still answer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Answers {
    /// On average.
    pub expected: f64,
    /// The variance of that number.
    pub variance: f64,
}

impl Answers {
    /// Of so many lines that have the same chance each.
    pub fn alike(lines: usize, chance: f64) -> Self {
        let expected = lines as f64 * chance;
        Self { expected, variance: expected * (1.0 - chance) }
    }

    /// These and others.
    pub fn and(self, others: Self) -> Self {
        Self { expected: self.expected + others.expected, variance: self.variance + others.variance }
    }

    /// Of these, those that such a part of the lines brings.
    pub fn of_part_of_lines(self, part: f64) -> Self {
        Self { expected: self.expected * part, variance: self.variance * part }
    }

    /// Of these, the part that by chance goes to agents of whom `share` of theirs are.
    pub fn part(self, share: f64) -> Self {
        let unshared = self.expected - self.variance;
        let expected = self.expected * share;
        Self { expected, variance: (expected - unshared * share * share).max(0.0) }
    }
}

/// What a group leaves to others that had less of the agents' time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Room {
    /// Agents for so many answers.
    pub answers: f64,
    /// Which part of the group's agents the others can have, 0 to 1; no more than that part is left to them.
    pub part: f64,
}

/// What a pacing policy sees of a campaign group.
#[derive(Clone, Copy, Debug)]
pub struct PacingView<'a> {
    /// The present instant.
    pub now: Time,
    /// Agents who could take a call at once and whom no call of another group has for sure.
    pub ready_agents: u32,
    /// Answers that lines of other groups may still bring to the same agents.
    pub others_answers: Answers,
    /// What is left to groups whose turn it is to place calls.
    pub room_for_others: Room,
    /// Agents of the group who are talking, wrapping up or reserved.
    pub busy_agents: u32,
    /// Each of them. Only agents with the group's skill; those of other groups' calls are among them.
    pub busy: &'a BusyAgents,
    /// Lines of the group that are dialling or ringing, and answered ones of which it is not known by whom.
    pub ringing_lines: u32,
    /// Each of them.
    pub lines: &'a Lines,
    /// Answered calls of the group that wait for an agent.
    pub waiting_calls: u32,
    /// Calls of the group that take a line, answered ones included.
    pub lines_in_use: u32,
    /// What the group has learned.
    pub forecast: &'a Forecast,
    /// What may be abandoned.
    pub budget: &'a Budget,
    /// What kind of call would be placed next.
    pub next_segment: Segment,
}

impl PacingView<'_> {
    /// Agents whom a line can be given almost without relying on chance: who could take a call at once, less waiting calls and
    /// the answers to be expected of other groups, with two standard deviations more. Measured (S14, 200 days): with one, those who
    /// are kept for the line are missed elsewhere so often that it costs three points of U*.
    pub fn free_agents(&self) -> u32 {
        let Answers { expected, variance } = self.others_answers;
        let likely = (expected + 2.0 * variance.sqrt()).ceil() as u32;
        self.ready_agents.saturating_sub(self.waiting_calls).saturating_sub(likely)
    }
}

/// Something that a policy is told besides what it sees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Observation {
    /// A person answered.
    Answered,
    /// A person was connected to an agent after so long a wait.
    Connected {
        /// From answer to agent.
        waited: Duration,
    },
    /// A person who answered was not connected to an agent.
    Abandoned,
    /// An agent was ready for so long before a call came.
    AgentWaited {
        /// How long.
        idle: Duration,
    },
}

/// What a policy tells of itself, for live views.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PacingFigures {
    /// The highest chance of finding no agent at which it places a call, 0 to 1.
    pub risk_limit: f64,
    /// Whether the budget forbids more than one line for each free agent at this moment.
    pub is_held_back: bool,
    /// Whether the user's goal has it place fewer calls than the abandonment cap would allow.
    pub does_enough: bool,
}

/// What a policy wants done at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// How many calls to place, on top of those under way. Limits on lines and on calls per second are the engine's
    /// business, not the policy's.
    pub add: u32,
    /// How many lines that have rung for 15 s to withdraw.
    pub withdraw: u32,
}

impl Wish {
    /// So many more calls.
    pub fn to_add(add: u32) -> Self {
        Self { add, withdraw: 0 }
    }
}

/// A policy that decides how many calls to place.
pub trait Pacing: Send + Sync {
    /// What is to be done, on what is seen.
    fn wish(&mut self, view: &PacingView<'_>) -> Wish;

    /// Something happened.
    fn observe(&mut self, now: Time, observation: Observation) {
        let _ = (now, observation);
    }

    /// Goes on under other settings; false if another policy has to take its place.
    fn adopt(&mut self, settings: &GroupSettings) -> bool {
        let _ = settings;
        false
    }

    /// What it tells of itself.
    fn figures(&self) -> PacingFigures {
        PacingFigures::default()
    }
}

/// Makes the policy of a group. The engine's own is [`policy`]; a simulation may give another.
pub type PolicyMaker = Arc<dyn Fn(&GroupSettings) -> Box<dyn Pacing> + Send + Sync>;

/// A fixed number of lines for each ready agent; 1 is progressive dialling, which by itself abandons nobody.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinesPerAgent(pub f64);

impl Pacing for LinesPerAgent {
    fn wish(&mut self, view: &PacingView<'_>) -> Wish {
        let free_agents = view.free_agents();
        // Rounded down: half a line too few costs an agent a moment, half a line too many costs a person silence.
        let lines = (f64::from(free_agents) * self.0).floor() as u32;
        Wish::to_add(lines.saturating_sub(view.ringing_lines))
    }
}

/// No calls without an agent's word: previews are handed out by the engine one an agent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OnlyOnRequest;

impl Pacing for OnlyOnRequest {
    fn wish(&mut self, _: &PacingView<'_>) -> Wish {
        Wish::default()
    }
}

/// As many calls as there are ports, without a look at agents.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ports(pub u32);

impl Pacing for Ports {
    fn wish(&mut self, view: &PacingView<'_>) -> Wish {
        Wish::to_add(self.0.saturating_sub(view.lines_in_use))
    }
}

/// The policy of a dial mode.
pub fn policy(settings: &GroupSettings) -> Box<dyn Pacing> {
    match settings.dial_mode {
        DialMode::Preview | DialMode::PushPreview => Box::new(OnlyOnRequest),
        DialMode::Agentless => Box::new(Ports(settings.agentless.map_or(0, |own| own.ports))),
        DialMode::Progressive => Box::new(LinesPerAgent(1.0)),
        DialMode::Power => Box::new(LinesPerAgent(settings.lines_per_agent)),
        DialMode::Predictive => Box::new(Predictive::new(&settings.predictive)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AttemptId;

    /// What a policy is asked, where so many agents are ready and nobody is busy.
    fn with_view<T>(
        ready_agents: u32,
        ringing_lines: u32,
        waiting_calls: u32,
        ask: impl FnOnce(&PacingView<'_>) -> T,
    ) -> T {
        let (busy, mut lines, mut forecast) = (BusyAgents::default(), Lines::default(), Forecast::default());
        let budget = Budget::new(crate::Zone::utc(), None, Vec::new(), Time::EPOCH);
        let segment = Segment::new(crate::ids::SourceId(uuid::Uuid::nil()), 12, 1);
        for line in 0..ringing_lines {
            forecast.placed(Time::EPOCH);
            let attempt = AttemptId(uuid::Uuid::from_u128(u128::from(line)));
            lines.add(attempt, Line { since: Time::EPOCH, chance: 0.25, segment });
        }
        ask(&PacingView {
            now: Time::EPOCH,
            ready_agents,
            others_answers: Answers::default(),
            room_for_others: Room::default(),
            busy_agents: 0,
            busy: &busy,
            ringing_lines,
            lines: &lines,
            waiting_calls,
            lines_in_use: ringing_lines + waiting_calls,
            forecast: &forecast,
            budget: &budget,
            next_segment: segment,
        })
    }

    fn lines(policy: &mut dyn Pacing, ready_agents: u32, ringing_lines: u32, waiting_calls: u32) -> u32 {
        with_view(ready_agents, ringing_lines, waiting_calls, |view| policy.wish(view).add)
    }

    #[test]
    fn lines_are_too_many_while_their_answers_would_find_nobody() {
        let too_many = |withdraw_when_short: bool, ready_agents: u32| {
            let settings = crate::settings::PredictiveSettings { withdraw_when_short, ..Default::default() };
            with_view(ready_agents, 6, 0, |view| Predictive::new(&settings).wish(view).withdraw)
        };
        assert_eq!(too_many(true, 0), 6);
        assert_eq!(too_many(false, 0), 0);
        assert!((1..6).contains(&too_many(true, 1)), "one agent is enough for some of them");
        assert_eq!(too_many(true, 3), 0);
    }

    #[test]
    fn predictive_dialling_leaves_room_to_others_but_not_of_agents_whom_they_cannot_have() {
        let settings = crate::settings::PredictiveSettings::default();
        let added = |answers: f64, part: f64| {
            with_view(10, 0, 0, |view| {
                let mut budget = view.budget.clone();
                (0..1000).for_each(|_| budget.count(Time::EPOCH, false));
                let room_for_others = Room { answers, part };
                Predictive::new(&settings).wish(&PacingView { room_for_others, budget: &budget, ..*view }).add
            })
        };
        let alone = added(0.0, 0.0);
        assert!(alone > 15, "{alone}");
        assert!((alone - 6..alone).contains(&added(1.0, 1.0)), "{}", added(1.0, 1.0));
        assert_eq!(added(1000.0, 1.0), 10, "one for each who is ready, which takes nobody's agent");
        let half = added(1000.0, 0.5);
        assert!(half <= alone / 2 + 3 && half >= 10, "{half} of {alone}");
    }

    #[test]
    fn answers_for_a_part_of_the_agents_are_those_of_lines_with_that_part_of_the_chance() {
        let (part, alike) = (Answers::alike(10, 0.3).part(0.5), Answers::alike(10, 0.15));
        assert!((part.expected - alike.expected).abs() < 1e-12, "{part:?}");
        assert!((part.variance - alike.variance).abs() < 1e-12, "{part:?}");
    }

    #[test]
    fn progressive_keeps_an_agent_for_each_answer_that_others_may_get() {
        let free = |expected: f64, variance: f64| {
            with_view(5, 0, 1, |view| {
                let others_answers = Answers { expected, variance };
                LinesPerAgent(1.0).wish(&PacingView { others_answers, ..*view }).add
            })
        };
        assert_eq!(free(0.0, 0.0), 4);
        assert_eq!(free(1.0, 1.0), 1);
        assert_eq!(free(9.0, 4.0), 0);
    }

    #[test]
    fn progressive_dials_one_line_for_each_free_agent() {
        assert_eq!(lines(&mut LinesPerAgent(1.0), 5, 2, 1), 2);
        assert_eq!(lines(&mut LinesPerAgent(1.0), 1, 4, 0), 0);
    }

    #[test]
    fn ports_are_filled_whether_agents_are_there_or_not() {
        assert_eq!(lines(&mut Ports(10), 0, 3, 2), 5);
        assert_eq!(lines(&mut Ports(4), 9, 4, 2), 0);
    }

    #[test]
    fn power_dials_its_ratio_rounded_down() {
        assert_eq!(lines(&mut LinesPerAgent(2.5), 3, 0, 0), 7);
        assert_eq!(lines(&mut LinesPerAgent(2.5), 3, 6, 1), 0);
    }
}
