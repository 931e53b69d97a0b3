//! Predictive dialling: a call is placed while the chance that its answer finds no agent is small enough, and what is
//! small enough follows the abandonment budget.
//!
//! The rule (after the chance-constrained admission of the literature): with `I` free agents less waiting calls, `F`
//! busy agents who become free within about a ring time, and `A` answers of lines that ring already, one more
//! line is added while `P(I + F − A ≤ 0) ≤ θ`. Small teams are computed exactly, large ones by the normal
//! approximation. One line for each free agent is always allowed: progressive dialling abandons nobody by itself.
//!
//! θ is found by feedback: every answered call moves it a little, so that in the long run the aimed-at share of calls
//! is abandoned; a deficit in any window that the law counts in lowers it at once, and so does nearness to the cap; where
//! the calls that ring already could overdraw the cap, only progressive dialling is left.
//!
//! What was risked may turn out badly: then lines that have rung for as long as the law wants are withdrawn, the oldest
//! first, until the chance that an answer finds no agent is bearable. Few people answer that late, so little is lost.

mod outlook;

use std::time::Duration;

use crate::settings::{OptimizeBy, PredictiveSettings};
use crate::time::Time;

use super::{Answers, Budget, Observation, Pacing, PacingFigures, PacingView, Room, Segment, Wish};
use outlook::Looks;

/// How far ahead an agent's becoming free counts, in mean times to answer: the first for teams of up to
/// [`SMALL_TEAM`], the second for [`LARGE_TEAM`] and more. In a large team as many become free in that time as answer
/// in it; in a small one that is chance, and an agent who may be free is not yet one to dial for (measured: with the
/// first, 5000 agents stay two points below what the second gives them; with the second, 20 agents lose a third of one).
const HORIZON: (f64, f64) = (0.6, 1.0);
const SMALL_TEAM: f64 = 20.0;
const LARGE_TEAM: f64 = 500.0;
/// The accepted risk to begin with.
const RISK_AT_FIRST: f64 = 0.05;
/// Each answered call moves the logarithm of the accepted risk by so much times (aim − 1 if it was abandoned), so that
/// in the long run as many are abandoned as are aimed at. 0.1 to 0.3 do as well for large teams, and the smallest is
/// the best for five agents; at 0.6 the risk swings and agents wait longer for the same abandonments.
const STEP: f64 = 0.1;
/// The accepted risk stays between these: below, nothing is gained over progressive dialling; above, a lull is taken
/// for leave to dial in bursts. Thousands of agents reach the aim at about one half.
const RISK_RANGE: (f64, f64) = (0.0025, 0.50);
/// A deficit of the tightest budget lowers the risk by this power for each unit of chance variation, at most [`LOW`].
const GAIN: f64 = 0.6;
const LOW: f64 = -4.0;
/// Only progressive dialling is left where so many times its spread more than what is expected of the lines that ring would
/// overdraw the cap. Measured (five agents, 8 % answer, 200 days, two seeds): at 2 one day came to 3.03 %, at 4 to
/// 3.00 %, as busy.
const SPREADS: f64 = 4.0;
/// With fewer abandonments than this left under the cap, the risk is lower, down to none at none left. The gain of
/// dialling ahead falls steeply only near no risk at all, so a small team does better by going slowly for long than by
/// going fast and then not at all (measured: 4 to 16 do as well; without it five agents break a day in twenty).
const RESERVE: f64 = 16.0;
/// The power of the share of [`RESERVE`] that is left by which the risk is multiplied.
const RESERVE_POWER: f64 = 0.7;
/// On a day of which nobody knows how long it will be, so many abandonments are kept in hand; the last [`SHORT_DAY`] answers
/// before [`LONG_DAY`] set them free.
const SPARE_UNKNOWN: f64 = 1.0;
const SHORT_DAY: f64 = 300.0;
/// Where fewer than [`SPARE_FROM`] answers are still to be expected today, up to so many abandonments are kept in hand: each takes 33
/// answers to make up for it. Measured: docs/decisions/0045-in-hand-at-the-end.md.
const SPARE: f64 = 1.5;
const SPARE_FROM: f64 = 200.0;
/// While nobody has answered yet nobody may be abandoned, so a day would begin with as many answers as one abandonment needs
/// under progressive dialling alone. Where the last days had so many answered calls at least, one abandonment may come before the
/// calls that make up for it, down to none halfway through the day that is expected. Measured (5 agents, 200 days): .2 points of U*.
const LONG_DAY: f64 = 600.0;
/// No day is expected to have fewer answered calls than this where a share's spread is estimated.
const LEAST_CALLS_IN_DAY: f64 = 100.0;
/// Lines that have rung for 15 s are withdrawn while the chance that the answer of one finds no agent is above this. Measured
/// (5 agents, 200 days, a quarter of the dials answered): without it 76.6 % busy and 4.10 dials an answer; at .6 77.9 % and
/// 4.13, at .3 78.2 % and 4.18, at .1 78.4 % and 4.33.
const RISK_MOST: f64 = 0.3;
/// Lines added in one decision at most; the next decision follows with the next event.
const LINES_AT_ONCE: u32 = 500;
/// A decision holds for so long while nothing that it depends on changes; then the agents are nearer to the end of
/// what they do. A little less than the engine lets pass between two looks.
const DECISION_AGE: Duration = Duration::from_millis(400);
/// How often the goal, if it is not the abandonment cap, is looked at.
const GOAL_EVERY: Duration = Duration::from_secs(10);

/// What a decision depends on besides time.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Basis {
    ready_agents: u32,
    others_answers: Answers,
    room_for_others: Room,
    waiting_calls: u32,
    ringing_lines: u32,
    busy_changes: u64,
    calls_placed: u64,
    calls_counted: u64,
    segment: Segment,
}

/// What was decided, when, and on what basis.
#[derive(Clone, Copy, Debug)]
struct Decision {
    at: Time,
    basis: Basis,
    wish: Wish,
}

/// The policy of [`crate::DialMode::Predictive`].
#[derive(Clone, Debug)]
pub struct Predictive {
    settings: PredictiveSettings,
    looks: Looks,
    /// The latest.
    decided: Option<Decision>,
    /// How many lines were wanted last, when the risk was looked at.
    added: u32,
    /// The logarithm of the accepted risk.
    log_risk: f64,
    /// Answered calls that the day may be expected to have.
    calls_in_day: f64,
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
            looks: Looks::default(),
            decided: None,
            added: 0,
            log_risk: libm::log(RISK_AT_FIRST),
            calls_in_day: LEAST_CALLS_IN_DAY,
            goal_share: 1.0,
            goal_checked_at: Time::EPOCH,
            measured: Measured::default(),
            figures: PacingFigures::default(),
        }
    }

    /// The share of answered calls that may be abandoned by us, detection errors left out.
    fn cap(&self) -> f64 {
        let taken = self.settings.machine_false_positive_percent / 100.0;
        // How many they are on a day is chance, and nobody sees it: twice its spread is kept off.
        let spread = (taken * (1.0 - taken) / self.calls_in_day.max(LEAST_CALLS_IN_DAY)).sqrt();
        (self.settings.abandon_cap_percent / 100.0 - taken - 2.0 * spread).max(0.0)
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
        let normalised = view.budget.tightness(self.aim());
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

    fn decide(&mut self, view: &PacingView<'_>) -> Wish {
        self.check_goal(view);
        self.calls_in_day = view.budget.expected_today() as f64;
        let progressive = view.free_agents().saturating_sub(view.ringing_lines);
        let risk = self.risk(view);
        let left = view.budget.left(self.cap()) + ahead(view.budget) - spare(view.budget, view.now);
        let outlook = self.looks.outlook(view, horizon(view), self.settings.ring_age_conditioning);
        let pending = outlook.pending_abandonments();
        let held_back = left - pending - SPREADS * pending.sqrt() < 0.0;
        let reserve = ((left - pending) / RESERVE).clamp(0.0, 1.0);
        let risk = risk * libm::pow(reserve, RESERVE_POWER);
        self.figures =
            PacingFigures { risk_limit: risk, is_held_back: held_back, does_enough: self.goal_share < 1.0 };
        let withdraw =
            if self.settings.withdraw_when_short { outlook.lines_over(RISK_MOST.max(2.0 * risk)) } else { 0 };
        if held_back {
            return Wish { add: progressive, withdraw };
        }
        // A chance that is thought too low costs abandonments, one too high only a little idleness.
        let cautious = 1.0 + 0.5 * view.forecast.uncertainty();
        let surge = if outlook.surge > 1.0 { outlook.surge } else { 0.5 + 0.5 * outlook.surge };
        let chance = (view.forecast.answer_chance(view.next_segment) * surge * cautious).clamp(0.01, 0.99);
        let add = outlook.lines_within(risk, chance, progressive, LINES_AT_ONCE, self.added);
        self.added = add;
        Wish { add, withdraw }
    }
}

/// How much of what is left is not spent, as the day may end: the distance that is kept from the cap holds one abandonment too
/// many off in a day with many calls, and before the end of any other only this does.
fn spare(budget: &Budget, now: Time) -> f64 {
    if !budget.knows_usual_day() {
        return ((LONG_DAY - budget.expected_today() as f64) / SHORT_DAY).clamp(0.0, SPARE_UNKNOWN);
    }
    SPARE * (1.0 - budget.answers_to_come_today(now) / SPARE_FROM).max(0.0)
}

/// How much may be spent before it is there, as the day will be long.
fn ahead(budget: &Budget) -> f64 {
    let expected = budget.expected_today() as f64;
    if expected < LONG_DAY {
        return 0.0;
    }
    (1.0 - 2.0 * budget.today().answered as f64 / expected).max(0.0)
}

/// How many seconds ahead an agent's becoming free counts.
fn horizon(view: &PacingView<'_>) -> f64 {
    let agents = f64::from(view.ready_agents) + view.busy.len() as f64;
    let grown = match agents {
        ..=SMALL_TEAM => 0.0,
        LARGE_TEAM.. => 1.0,
        _ => libm::log(agents / SMALL_TEAM) / libm::log(LARGE_TEAM / SMALL_TEAM),
    };
    let (small, large) = HORIZON;
    view.forecast.ring.mean_seconds() * (small + (large - small) * grown)
}

impl Pacing for Predictive {
    fn wish(&mut self, view: &PacingView<'_>) -> Wish {
        let basis = Basis {
            ready_agents: view.ready_agents,
            others_answers: view.others_answers,
            room_for_others: view.room_for_others,
            waiting_calls: view.waiting_calls,
            ringing_lines: view.ringing_lines,
            busy_changes: view.busy.changes(),
            calls_placed: view.forecast.calls_placed(),
            calls_counted: view.budget.today().answered,
            segment: view.next_segment,
        };
        // On the same basis the latest decision holds.
        if let Some(decided) = &self.decided
            && decided.basis == basis
            && view.now.since(decided.at) < DECISION_AGE
        {
            return decided.wish;
        }
        let wish = self.decide(view);
        self.decided = Some(Decision { at: view.now, basis, wish });
        wish
    }

    fn observe(&mut self, _: Time, observation: Observation) {
        self.decided = None;
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
        self.decided = None;
        true
    }

    fn figures(&self) -> PacingFigures {
        self.figures
    }
}
