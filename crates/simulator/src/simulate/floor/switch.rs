//! People and the switch between them and the engine: what becomes of a call that is placed.

use engine::{AgentId, AttemptId, CallEnd, CallEvent, CallResult, Detected, PhoneNumber, Time};

use super::super::measure::{Truth, within};
use super::super::scenario::{Detection, GroupScenario};
use super::{Due, FIRST_MIDNIGHT, Floor};
use crate::distribution::Distribution;
use crate::draws::{Purpose, stream, uniform};
use crate::population::Population;
use crate::world::{Outcome, OutcomeKind};

/// From dial to the first ring.
const POST_DIAL: f64 = 0.3;
/// How long an agent listens to a machine that was taken for a person.
pub(super) const MACHINE_TALK: f64 = 6.0;

/// A call that was placed.
pub(super) struct Call {
    /// By place among the groups.
    pub group: usize,
    pub outcome: Outcome,
    pub answered_at: Option<Time>,
    pub told: bool,
    pub connected_at: Option<Time>,
    /// Whether the engine has counted it.
    pub is_booked: bool,
    pub agent: Option<AgentId>,
    pub number: PhoneNumber,
    pub attempt_number: u32,
    pub is_person: bool,
}

impl Call {
    pub fn is_connected(&self) -> bool {
        self.connected_at.is_some()
    }

    /// What became of it, whatever the engine was told.
    pub fn truth(&self) -> Truth {
        match (self.answered_at.filter(|_| self.is_person), self.connected_at) {
            (None, _) => Truth::NoPerson,
            (Some(_), None) => Truth::Abandoned,
            (Some(since), Some(at)) => Truth::Connected { waited: at.since(since) },
        }
    }
}

/// Which of a group's people can be reached, for the optimum.
pub(super) struct Reach {
    /// Of those who would answer: who do before the ringing ends, are taken for people and have not hung up by then.
    share: f64,
    /// The chance of an answer that the other endings leave room for.
    room: f64,
    /// How long it rings, on average, until they answer.
    pub ring_seconds: f64,
}

impl Reach {
    pub fn of(people: &Population, group: &GroupScenario, detection: &Detection) -> Self {
        let (in_time, ring_seconds) = within(&people.ring_human, f64::from(group.ring_timeout_seconds));
        let missed = if detection.enabled { detection.false_machine_percent / 100.0 } else { 0.0 };
        // Who hangs up at once still meets an agent if one is connected at once.
        let gone = if detection.seconds > 0.0 { people.hang_up_early } else { 0.0 };
        let others = people.machine_probability
            + people.busy_probability
            + people.invalid_number_probability
            + people.fax_probability
            + people.congestion_probability
            + people.rejected_probability;
        let share = in_time * (1.0 - missed) * (1.0 - gone);
        Self { share, room: (1.0 - others).max(0.0), ring_seconds }
    }

    fn chance(&self, answer_probability: f64) -> f64 {
        answer_probability.min(self.room) * self.share
    }
}

impl Floor<'_> {
    /// How much likelier than usual people answer now.
    pub(super) fn factor(&self, index: usize, number: PhoneNumber) -> f64 {
        let group = &self.groups[index];
        let since_start = f64::from(self.scenario.start_hour) * 3600.0;
        let of_day = (self.now.as_micros() - FIRST_MIDNIGHT).rem_euclid(86_400_000_000) as f64 / 1e6;
        // The day's work may go on past midnight.
        let passed = (of_day - since_start).rem_euclid(86_400.0) / 3600.0;
        let hour = (of_day / 3600.0) as usize % 24;
        let mut factor = group.world.population().hourly_factor[hour];
        for change in &self.scenario.change {
            let holds = change.population.as_ref().is_none_or(|name| *name == group.population)
                && passed >= change.at
                && change.minutes.is_none_or(|minutes| passed < change.at + minutes / 60.0);
            if holds {
                let phase = 2.0 * std::f64::consts::PI * (passed - change.at) / change.swing_hours;
                factor *= change.factor * (1.0 + change.swing * libm::sin(phase));
            }
        }
        if let Some(spread) = group.scenario.spread {
            let mut rng = stream(self.scenario.seed, number, 0, Purpose::Spread);
            let mut gamma =
                |shape: f64| Distribution::Gamma { mean: shape, shape }.sample(&mut rng).as_secs_f64();
            let (first, second) = (gamma(spread.alpha), gamma(spread.beta));
            let usual = spread.alpha / (spread.alpha + spread.beta);
            factor *= first / (first + second).max(1e-9) / usual;
        }
        factor
    }

    pub(super) fn dial(
        &mut self,
        attempt: AttemptId,
        group: usize,
        number: PhoneNumber,
        attempt_number: u16,
    ) {
        let factor = self.factor(group, number);
        let attempt_number = u32::from(attempt_number);
        let world = &self.groups[group].world;
        let outcome = world.outcome_with(number, attempt_number, factor);
        let chance = self.groups[group].reach.chance(world.population().answer_probability * factor);
        self.measure.placed(self.now, chance);
        self.groups[group].taken = self.groups[group].taken.saturating_sub(1);
        self.look_at_the_lists();
        let timeout = f64::from(self.groups[group].scenario.ring_timeout_seconds);
        let ring = outcome.ring.as_secs_f64();
        let call = Call {
            group,
            outcome,
            answered_at: None,
            told: false,
            connected_at: None,
            is_booked: false,
            agent: None,
            number,
            attempt_number,
            is_person: matches!(outcome.kind, OutcomeKind::Human { .. }),
        };
        self.calls.insert(attempt, call);
        self.at(POST_DIAL, Due::Rings(attempt));
        match outcome.kind {
            OutcomeKind::NoAnswer => self.at(timeout, Due::Silence(attempt)),
            OutcomeKind::Human { .. } | OutcomeKind::Machine { .. } | OutcomeKind::Fax if ring >= timeout => {
                self.at(timeout, Due::Silence(attempt));
            }
            OutcomeKind::Human { .. } | OutcomeKind::Machine { .. } | OutcomeKind::Fax => {
                self.at(ring.max(POST_DIAL), Due::Answers(attempt));
            }
            _ => self.at(ring.max(POST_DIAL), Due::Signal(attempt)),
        }
    }

    pub(super) fn chance(&self, attempt: AttemptId, purpose: Purpose, percent: f64) -> bool {
        if percent <= 0.0 {
            return false;
        }
        let Some(call) = self.calls.get(&attempt) else { return false };
        let mut rng = stream(self.scenario.seed, call.number, call.attempt_number, purpose);
        uniform(&mut rng) * 100.0 < percent
    }

    pub(super) fn connect(&mut self, attempt: AttemptId, agent: AgentId) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        call.connected_at = Some(self.now);
        call.agent = Some(agent);
        let talk = match call.outcome.kind {
            OutcomeKind::Human { hangs_up_at_once: true } => 0.0,
            OutcomeKind::Human { .. } => call.outcome.talk.as_secs_f64(),
            _ => MACHINE_TALK,
        };
        self.call(attempt, CallEvent::Connected);
        self.at(talk, Due::TalkEnds(attempt));
    }

    /// The call is over, and the engine is told.
    pub(super) fn end(&mut self, attempt: AttemptId, end: CallEnd) {
        self.call(attempt, CallEvent::Ended(end));
        // Kept while its agent may wrap up; calls that nobody talked on are done with.
        if let Some(call) = self.calls.get(&attempt).filter(|call| !call.is_connected()) {
            if !call.is_booked {
                self.over.insert(attempt, call.truth());
            }
            self.calls.remove(&attempt);
        }
    }

    /// A call that nobody answered or a conversation is over.
    pub(super) fn over(&mut self, attempt: AttemptId) {
        let Some(call) = self.calls.get(&attempt) else { return };
        if call.is_connected() {
            self.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
            self.flush();
            self.calls.remove(&attempt);
        } else if call.answered_at.is_none() {
            let result = match call.outcome.kind {
                OutcomeKind::InvalidNumber => CallResult::SitInvalidNumber,
                OutcomeKind::Congestion => CallResult::SitReorder,
                OutcomeKind::Busy | OutcomeKind::Rejected => CallResult::Busy,
                _ => CallResult::NoAnswer,
            };
            self.end(attempt, CallEnd::NotAnswered(result));
            self.flush();
        }
    }

    pub(super) fn answers(&mut self, attempt: AttemptId) {
        let faults = &self.scenario.faults;
        let (late, by) = (faults.late_answer_percent, faults.late_answer_seconds);
        let is_late = self.chance(attempt, Purpose::Fault, late);
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        call.answered_at = Some(self.now);
        if let OutcomeKind::Human { .. } = call.outcome.kind {
            let patience = call.outcome.patience.as_secs_f64();
            self.at(patience.max(0.01), Due::Impatient(attempt));
        }
        if is_late {
            self.at(by, Due::Heard(attempt));
        } else {
            self.heard(attempt);
        }
    }

    /// The engine hears of an answer, once.
    pub(super) fn heard(&mut self, attempt: AttemptId) {
        let detection = self.scenario.detection;
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        if std::mem::replace(&mut call.told, true) || call.answered_at.is_none() {
            return;
        }
        self.call(attempt, CallEvent::Answered);
        if !detection.enabled {
            // The engine does not ask who it is.
            self.flush();
        } else if detection.seconds > 0.0 {
            self.flush();
            self.at(detection.seconds, Due::Decided(attempt));
        } else {
            self.decided(attempt);
        }
    }

    pub(super) fn decided(&mut self, attempt: AttemptId) {
        let detection = self.scenario.detection;
        let wrong = |percent: f64| self.chance(attempt, Purpose::Detection, percent);
        let Some(call) = self.calls.get(&attempt) else { return };
        let detected = match call.outcome.kind {
            OutcomeKind::Fax => Detected::Fax,
            OutcomeKind::Machine { .. } if !wrong(detection.false_person_percent) => Detected::Machine,
            OutcomeKind::Human { .. } if wrong(detection.false_machine_percent) => Detected::Machine,
            _ => Detected::Person,
        };
        self.tell(attempt, CallEvent::Detected(detected));
    }
}
