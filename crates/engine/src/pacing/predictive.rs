//! Predictive dialling: a call is placed while the chance that its answer finds no agent is small enough, and what is
//! small enough follows the abandonment budget.
//!
//! The rule (after the chance-constrained admission of the literature): with `I` free agents less waiting calls, `F`
//! busy agents who become free within a ring time and the grace, and `A` answers of lines that ring already, one more
//! line is added while `P(I + F − A ≤ 0) ≤ θ`. Small teams are computed exactly, large ones by the normal
//! approximation. One line for each free agent is always allowed: progressive dialling abandons nobody by itself.
//!
//! θ is found by feedback: every answered call moves it a little, so that in the long run the aimed-at share of calls
//! is abandoned; a deficit in any window that the law counts in lowers it at once, and where the calls that ring
//! already could overdraw the cap, only progressive dialling is left.

use std::time::Duration;

use crate::settings::{OptimizeBy, PredictiveSettings};
use crate::time::Time;

use super::probability::{Count, normal_below, normal_loss};
use super::{Busy, Forecast, Line, Observation, Occupation, Pacing, PacingFigures, PacingView};

/// How far ahead an agent's becoming free counts, the grace of two seconds included (measured: 4 to 8 s make little
/// difference for 5 to 20 agents, 11 s costs two points).
const HORIZON_SECONDS: f64 = 6.0;
/// The accepted risk to begin with.
const RISK_AT_FIRST: f64 = 0.05;
/// Each answered call moves the logarithm of the accepted risk by so much times (aim − 1 if it was abandoned), so that
/// in the long run as many are abandoned as are aimed at. 0.1 to 0.3 do as well; at 0.6 the risk swings and agents
/// wait longer for the same abandonments.
const STEP: f64 = 0.2;
/// The accepted risk stays between these: below, nothing is gained over progressive dialling; above, a lull is taken
/// for leave to dial in bursts.
const RISK_RANGE: (f64, f64) = (0.0025, 0.30);
/// A deficit of the tightest budget lowers the risk by this power for each unit of chance variation, at most [`LOW`].
const GAIN: f64 = 0.6;
const LOW: f64 = -4.0;
/// Answers that are still to come are counted a little higher than expected, because they come in clumps.
const CLUMPING: f64 = 1.2;
/// Agents and lines up to which sums are computed exactly.
const EXACT_MAX: usize = 120;
/// Lines added in one decision at most; the next decision follows with the next event.
const LINES_AT_ONCE: u32 = 500;
/// How long the outlook on busy agents of a large team is used before it is worked out again.
const OUTLOOK_AGE: Duration = Duration::from_millis(250);
/// How often the goal, if it is not the abandonment cap, is looked at.
const GOAL_EVERY: Duration = Duration::from_secs(10);

/// How many busy agents will be free: the sum and variance of their chances.
#[derive(Clone, Copy, Debug)]
struct Outlook {
    at: Time,
    busy: usize,
    expected: f64,
    variance: f64,
}

/// The policy of [`crate::DialMode::Predictive`].
#[derive(Clone, Debug)]
pub struct Predictive {
    settings: PredictiveSettings,
    outlook: Option<Outlook>,
    /// The logarithm of the accepted risk.
    log_risk: f64,
    /// What the user's goal leaves of the accepted risk, 0 to 1.
    goal_share: f64,
    goal_checked_at: Time,
    measured: Measured,
    figures: PacingFigures,
}

/// What goals are measured by: averages that forget within some hundred calls.
#[derive(Clone, Copy, Debug, Default)]
struct Measured {
    customer_wait: Option<f64>,
    agent_wait: Option<f64>,
    busy_share: Option<f64>,
}

fn averaged(average: &mut Option<f64>, value: f64, weight: f64) {
    *average = Some(average.map_or(value, |average| average + (value - average) * weight));
}

impl Predictive {
    /// The policy under these settings.
    pub fn new(settings: &PredictiveSettings) -> Self {
        Self {
            settings: settings.clone(),
            outlook: None,
            log_risk: libm::log(RISK_AT_FIRST),
            goal_share: 1.0,
            goal_checked_at: Time::EPOCH,
            measured: Measured::default(),
            figures: PacingFigures::default(),
        }
    }

    /// The share of answered calls that may be abandoned by us, detection errors left out.
    fn cap(&self) -> f64 {
        let by_us = self.settings.abandon_cap_percent - self.settings.machine_false_positive_percent;
        (by_us / 100.0).max(0.0)
    }

    /// The share that is aimed at: a distance below the cap.
    fn aim(&self) -> f64 {
        self.cap() * self.settings.cap_share_used
    }

    fn step(&mut self, error: f64) {
        let (low, high) = RISK_RANGE;
        self.log_risk = (self.log_risk + STEP * error).clamp(libm::log(low), libm::log(high));
    }

    /// The accepted risk: what has led to the aimed-at abandonments so far, less where a budget is overdrawn, less what
    /// the user's goal does not need.
    fn risk(&self, view: &PacingView<'_>) -> f64 {
        let (_, normalised) = view.budget.tightest(self.aim());
        let risk = libm::exp(self.log_risk + GAIN * normalised.clamp(LOW, 0.0));
        risk * self.goal_share
    }

    fn check_goal(&mut self, view: &PacingView<'_>) {
        if self.settings.optimize_by == OptimizeBy::AbandonmentRate
            || view.now.since(self.goal_checked_at) < GOAL_EVERY
        {
            return;
        }
        self.goal_checked_at = view.now;
        let at_work = view.ready_agents + view.busy_agents;
        if at_work > 0 {
            let busy = f64::from(view.busy_agents) / f64::from(at_work);
            averaged(&mut self.measured.busy_share, busy, 0.05);
        }
        let goal = self.settings.goal;
        let does_too_much = match self.settings.optimize_by {
            OptimizeBy::AbandonmentRate => false,
            OptimizeBy::AgentBusyFactor => self.measured.busy_share.is_some_and(|busy| busy * 100.0 > goal),
            OptimizeBy::AverageWait => self.measured.agent_wait.is_some_and(|wait| wait < goal),
            OptimizeBy::AverageDistributionTime => {
                self.measured.customer_wait.is_some_and(|wait| wait > goal)
            }
        };
        let step = if does_too_much { 0.85 } else { 1.1 };
        self.goal_share = (self.goal_share * step).clamp(0.01, 1.0);
    }

    /// By how much less the lines in flight are to be counted than calls that are placed now, because part of the
    /// answers to calls placed before has come already.
    fn flow(&self, view: &PacingView<'_>) -> f64 {
        if self.settings.ring_age_conditioning || view.lines.is_empty() {
            return 1.0;
        }
        let lines = view.lines.len() as f64;
        (CLUMPING * view.forecast.calls_to_come(view.now) / lines).clamp(0.02, 1.0)
    }

    fn chance_of(&self, line: &Line, view: &PacingView<'_>, flow: f64) -> f64 {
        if !self.settings.ring_age_conditioning {
            return line.chance * flow;
        }
        let age = view.now.since(line.since).as_secs_f64();
        let still_to_come = view.forecast.ring.lasts_longer_than(age);
        let unanswered = 1.0 - line.chance * (1.0 - still_to_come);
        (line.chance * still_to_come / unanswered.max(1e-9)).clamp(0.0, 1.0)
    }

    fn exactly(&self, view: &PacingView<'_>, chance: f64, risk: f64, base: u32) -> (u32, f64) {
        let free = i64::from(view.ready_agents) - i64::from(view.waiting_calls);
        let soon = Count::of(view.busy.values().map(|busy| soon_free(busy, view.forecast, view.now)));
        let flow = self.flow(view);
        let mut answers = Count::of(view.lines.iter().map(|(_, line)| self.chance_of(line, view, flow)));
        for _ in 0..base {
            answers.add(chance);
        }
        let finds_nobody = |answers: &Count| {
            let given = soon.probabilities().iter().enumerate();
            given
                .map(|(freed, p)| p * answers.at_least(usize::try_from(free + freed as i64).unwrap_or(0)))
                .sum::<f64>()
        };
        let mut lines = base;
        let mut danger = finds_nobody(&answers);
        let now = danger;
        while danger <= risk && lines < LINES_AT_ONCE {
            lines += 1;
            answers.add(chance);
            danger = finds_nobody(&answers);
        }
        (lines, now)
    }

    fn outlook(&mut self, view: &PacingView<'_>) -> Outlook {
        let fresh = |outlook: &Outlook| {
            view.now.since(outlook.at) < OUTLOOK_AGE && outlook.busy.abs_diff(view.busy.len()) < 8
        };
        if let Some(outlook) = self.outlook.filter(fresh) {
            return outlook;
        }
        let (mut expected, mut variance) = (0.0, 0.0);
        for busy in view.busy.values() {
            let chance = soon_free(busy, view.forecast, view.now);
            expected += chance;
            variance += chance * (1.0 - chance);
        }
        let outlook = Outlook { at: view.now, busy: view.busy.len(), expected, variance };
        self.outlook = Some(outlook);
        outlook
    }

    fn by_normal(&mut self, view: &PacingView<'_>, chance: f64, risk: f64, base: u32) -> (u32, f64) {
        let outlook = self.outlook(view);
        let free = f64::from(view.ready_agents) - f64::from(view.waiting_calls);
        let (answers, spread) = if self.settings.ring_age_conditioning {
            view.lines.iter().fold((0.0, 0.0), |(sum, variance), (_, line)| {
                let chance = self.chance_of(line, view, 1.0);
                (sum + chance, variance + chance * (1.0 - chance))
            })
        } else {
            let expected = view.lines.expected_answers() * self.flow(view);
            (expected, expected * (1.0 - expected / (view.lines.len() as f64).max(1.0)))
        };
        let danger = |more: u32| {
            let mean = free + outlook.expected - answers - f64::from(more) * chance;
            let variance = outlook.variance + spread + f64::from(more) * chance * (1.0 - chance);
            normal_below((0.5 - mean) / libm::sqrt(variance.max(1e-6)))
        };
        let now = danger(base);
        if now > risk {
            return (base, now);
        }
        // The danger grows with every line: the most that is small enough is found by halving.
        let (mut fits, mut too_many) = (base, base + LINES_AT_ONCE);
        while too_many - fits > 1 {
            let middle = fits.midpoint(too_many);
            if danger(middle) <= risk { fits = middle } else { too_many = middle }
        }
        // Like the exact rule, the line that is added last still found the danger small enough before it.
        (fits + 1, now)
    }

    /// Abandonments to be expected of the lines that ring, and how much that may vary.
    fn pending_abandonments(&mut self, view: &PacingView<'_>) -> (f64, f64) {
        let outlook = self.outlook(view);
        let free = f64::from(view.ready_agents) - f64::from(view.waiting_calls);
        let answers = view.lines.expected_answers() * self.flow(view);
        let spread = libm::sqrt((outlook.variance + view.lines.variance()).max(1e-6));
        let surplus = (free + outlook.expected - answers) / spread;
        let expected = spread * normal_loss(surplus);
        (expected, libm::sqrt(expected))
    }
}

/// The chance that a busy agent is free before an answer of a call placed now has waited too long.
fn soon_free(busy: &Busy, forecast: &Forecast, now: Time) -> f64 {
    let elapsed = now.since(busy.since).as_secs_f64();
    match busy.occupation {
        Occupation::Reserved => 0.0,
        Occupation::Wrap => forecast.wrap.ends_within(elapsed, HORIZON_SECONDS),
        // The talk has to end and the wrap-up after it: each takes its half of the time.
        Occupation::Talk => {
            let wrapped = 1.0 - forecast.wrap.lasts_longer_than(HORIZON_SECONDS / 2.0);
            forecast.talk.ends_within(elapsed, HORIZON_SECONDS / 2.0) * wrapped
        }
    }
}

impl Pacing for Predictive {
    fn lines_to_add(&mut self, view: &PacingView<'_>) -> u32 {
        self.check_goal(view);
        let free = view.ready_agents.saturating_sub(view.waiting_calls);
        let progressive = free.saturating_sub(view.ringing_lines);
        let risk = self.risk(view);
        let (left, _) = view.budget.tightest(self.cap());
        let (pending, spread) = self.pending_abandonments(view);
        let held_back = left - pending - 2.0 * spread < 0.0;
        self.figures = PacingFigures { risk_limit: risk, is_held_back: held_back };
        if held_back {
            return progressive;
        }
        let surge = view.forecast.surge(view.now);
        // A chance that is thought too low costs abandonments, one too high only a little idleness.
        let cautious = 1.0 + 0.5 * view.forecast.uncertainty();
        let surge = if surge > 1.0 { surge } else { 0.5 + 0.5 * surge };
        let chance = (view.forecast.answer_chance(view.next_segment) * surge * cautious).clamp(0.01, 0.99);
        let terms = view.busy.len() + view.lines.len();
        let (lines, _) = if terms <= EXACT_MAX {
            self.exactly(view, chance, risk, progressive)
        } else {
            self.by_normal(view, chance, risk, progressive)
        };
        lines.max(progressive)
    }

    fn lines_to_withdraw(&mut self, view: &PacingView<'_>) -> u32 {
        if !self.settings.emergency_brake {
            return 0;
        }
        let outlook = self.outlook(view);
        let free = f64::from(view.ready_agents) - f64::from(view.waiting_calls);
        let missing = view.lines.expected_answers() * self.flow(view) - free - outlook.expected;
        let spread = libm::sqrt(outlook.variance + view.lines.variance());
        // Only when agents have gone: chance alone seldom brings three times its spread.
        if missing <= 3.0 * spread || missing < 1.0 {
            return 0;
        }
        let chance = view.lines.expected_answers() / view.lines.len().max(1) as f64;
        (missing / chance.max(0.01)).ceil() as u32
    }

    fn observe(&mut self, _: Time, observation: Observation) {
        match observation {
            Observation::Connected { waited } => {
                self.step(self.aim());
                averaged(&mut self.measured.customer_wait, waited.as_secs_f64(), 0.02);
            }
            Observation::AgentWaited { idle } => {
                averaged(&mut self.measured.agent_wait, idle.as_secs_f64(), 0.02);
            }
            Observation::Abandoned => self.step(self.aim() - 1.0),
            Observation::Answered => {}
        }
    }

    fn adopt(&mut self, settings: &crate::settings::GroupSettings) -> bool {
        if settings.dial_mode != crate::settings::DialMode::Predictive {
            return false;
        }
        self.settings = settings.predictive.clone();
        true
    }

    fn figures(&self) -> PacingFigures {
        self.figures
    }
}
