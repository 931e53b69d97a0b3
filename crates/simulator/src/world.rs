//! What becomes of each dial.

use std::time::Duration;

use engine::PhoneNumber;

use crate::agents::{AgentConduct, AgentModel};
use crate::digits;
use crate::draws::{Purpose, stream, uniform};
use crate::population::{InvalidPopulation, Population};

/// How long the network lets an unanswered call ring before it ends it. An assumption of the order of ISUP's timer T9
/// (ITU-T Q.764, Annex A); a campaign's own ring timeout is almost always shorter.
pub const NETWORK_RING_LIMIT: Duration = Duration::from_secs(120);

/// The seeded world: a population and the seed that fixes every choice in it.
#[derive(Clone, Debug)]
pub struct World {
    seed: u64,
    population: Population,
}

/// What the far end of a dial does, if we let it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How the dial ends or who answers.
    pub kind: OutcomeKind,
    /// From the dial to the answer, or to the signal that ends the dial.
    pub ring: Duration,
    /// How long a person talks once an agent is connected.
    pub talk: Duration,
    /// How long the agent works on the contact after the talk.
    pub wrap: Duration,
    /// How long a person waits for an agent after answering. Zero for one who hangs up at once.
    pub patience: Duration,
    /// The key that a person presses who hears a message.
    pub presses: Option<Press>,
}

/// A key that is pressed during a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Press {
    /// Which: `0` to `9`, `*`, `#`, `A` to `D`.
    pub key: char,
    /// When, from the beginning of the message.
    pub after: Duration,
}

/// How a dial ends or who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutcomeKind {
    /// A person answers.
    Human {
        /// Answers and hangs up at once.
        hangs_up_at_once: bool,
    },
    /// A machine answers.
    Machine {
        /// How long its greeting is.
        greeting: Duration,
    },
    /// A fax answers.
    Fax,
    /// The line is busy.
    Busy,
    /// Nobody answers; the network gives up after [`NETWORK_RING_LIMIT`].
    NoAnswer,
    /// The network says that there is no such number.
    InvalidNumber,
    /// The network is congested.
    Congestion,
    /// The called party declines.
    Rejected,
}

impl World {
    /// A world of this population; equal seeds make equal worlds.
    ///
    /// # Errors
    /// The population is not valid.
    pub fn new(seed: u64, population: Population) -> Result<Self, InvalidPopulation> {
        population.validate()?;
        Ok(Self { seed, population })
    }

    /// A world of the default population.
    pub fn with_default_population(seed: u64) -> Self {
        Self { seed, population: Population::default() }
    }

    /// The population as it was given.
    pub fn population(&self) -> &Population {
        &self.population
    }

    /// What becomes of a dial.
    ///
    /// Test numbers ([`digits`]) choose for themselves. For every other number it depends on the seed, the number and
    /// the attempt number alone if the population's hourly profile is flat. Otherwise `local_hour` (0 to 23, that of
    /// the called party; without it, or beyond 23, the factor is 1) moves the limit between "a person answers" and
    /// "no answer", and nothing else: the other endings stay with the same dials.
    pub fn outcome(&self, number: PhoneNumber, attempt_number: u32, local_hour: Option<u8>) -> Outcome {
        if let Some(outcome) = digits::outcome(number) {
            return outcome;
        }
        let factor = local_hour
            .and_then(|hour| self.population.hourly_factor.get(usize::from(hour)))
            .copied()
            .unwrap_or(1.0);
        self.outcome_with(number, attempt_number, factor)
    }

    /// As [`Self::outcome`] of any number, with the probability of a person's answer multiplied by a factor, which
    /// moves the limit between "a person answers" and "no answer" and nothing else.
    pub fn outcome_with(&self, number: PhoneNumber, attempt_number: u32, answer_factor: f64) -> Outcome {
        let draws = |purpose| stream(self.seed, number, attempt_number, purpose);
        let people = &self.population;
        let kind = match self.ending(uniform(&mut draws(Purpose::Kind)), answer_factor) {
            Ending::Human => OutcomeKind::Human {
                hangs_up_at_once: uniform(&mut draws(Purpose::HangUpEarly)) < people.hang_up_early,
            },
            Ending::Machine => {
                OutcomeKind::Machine { greeting: people.greeting.sample(&mut draws(Purpose::Greeting)) }
            }
            Ending::Other(kind) => kind,
        };
        let ring = match kind {
            OutcomeKind::Human { .. } => people.ring_human.sample(&mut draws(Purpose::Ring)),
            OutcomeKind::Machine { .. } | OutcomeKind::Fax => {
                people.ring_machine.sample(&mut draws(Purpose::Ring))
            }
            OutcomeKind::NoAnswer => NETWORK_RING_LIMIT,
            OutcomeKind::Busy
            | OutcomeKind::InvalidNumber
            | OutcomeKind::Congestion
            | OutcomeKind::Rejected => people.signal.sample(&mut draws(Purpose::Ring)),
        };
        let patience = match kind {
            OutcomeKind::Human { hangs_up_at_once: true } => Duration::ZERO,
            _ => people.patience.sample(&mut draws(Purpose::Patience)),
        };
        let presses = match kind {
            OutcomeKind::Human { hangs_up_at_once: false } => {
                people.pressed(uniform(&mut draws(Purpose::Press)))
            }
            _ => None,
        };
        Outcome {
            kind,
            ring,
            talk: people.talk.sample(&mut draws(Purpose::Talk)),
            wrap: people.wrap.sample(&mut draws(Purpose::Wrap)),
            patience,
            presses,
        }
    }

    /// How the agent who is given this dial behaves, by the same rule: seed, number and attempt number alone.
    pub fn agent_conduct<'a>(
        &self,
        model: &'a AgentModel,
        number: PhoneNumber,
        attempt_number: u32,
    ) -> AgentConduct<'a> {
        model.conduct(|purpose| stream(self.seed, number, attempt_number, purpose))
    }

    /// Lays the endings on [0, 1): people from the bottom, all others from the top, no answer in between. So an
    /// hourly factor moves only the limit between people and no answer.
    fn ending(&self, uniform: f64, factor: f64) -> Ending {
        let people = &self.population;
        let mut limit = 1.0;
        for (probability, ending) in [
            (people.machine_probability, Ending::Machine),
            (people.fax_probability, Ending::Other(OutcomeKind::Fax)),
            (people.busy_probability, Ending::Other(OutcomeKind::Busy)),
            (people.invalid_number_probability, Ending::Other(OutcomeKind::InvalidNumber)),
            (people.congestion_probability, Ending::Other(OutcomeKind::Congestion)),
            (people.rejected_probability, Ending::Other(OutcomeKind::Rejected)),
        ] {
            limit -= probability;
            if uniform >= limit && probability > 0.0 {
                return ending;
            }
        }
        // What lies above `limit` has been returned already, which is the cut that the factor's documentation names.
        if uniform < people.answer_probability * factor {
            Ending::Human
        } else {
            Ending::Other(OutcomeKind::NoAnswer)
        }
    }
}

enum Ending {
    Human,
    Machine,
    Other(OutcomeKind),
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIALS: u64 = 40_000;

    fn number(index: u64) -> PhoneNumber {
        PhoneNumber::from_digits(33_100_000_000 + index).unwrap()
    }

    fn share(world: &World, hour: Option<u8>, is: impl Fn(OutcomeKind) -> bool) -> f64 {
        let hits = (0..DIALS).filter(|index| is(world.outcome(number(*index), 1, hour).kind)).count();
        hits as f64 / DIALS as f64
    }

    fn is_human(kind: OutcomeKind) -> bool {
        matches!(kind, OutcomeKind::Human { .. })
    }

    #[test]
    fn the_same_dial_ends_the_same_way_in_every_run_and_on_every_machine() {
        let world = World::with_default_population(1);
        let seen: Vec<Outcome> = (1..=4).map(|attempt| world.outcome(number(5), attempt, None)).collect();
        let micros = Duration::from_micros;
        let person = OutcomeKind::Human { hangs_up_at_once: false };
        let expect = |kind, ring, talk, wrap, patience| Outcome {
            kind,
            ring: micros(ring),
            talk: micros(talk),
            wrap: micros(wrap),
            patience: micros(patience),
            presses: None,
        };
        let machine = OutcomeKind::Machine { greeting: micros(5_167_263) };
        assert_eq!(
            seen,
            [
                expect(machine, 16_066_440, 37_084_529, 25_731_817, 12_605_597),
                expect(OutcomeKind::NoAnswer, 120_000_000, 38_233_426, 26_007_977, 9_272_920),
                expect(person, 2_446_843, 117_102_103, 12_288_630, 9_908_982),
                expect(person, 15_281_808, 19_300_394, 35_615_489, 13_173_054),
            ]
        );
    }

    #[test]
    fn another_seed_makes_another_world() {
        let differing = (0..1000)
            .filter(|index| {
                let outcome = |seed| World::with_default_population(seed).outcome(number(*index), 1, None);
                outcome(1) != outcome(2)
            })
            .count();
        assert_eq!(differing, 1000);
    }

    #[test]
    fn endings_come_as_often_as_the_population_says() {
        let population =
            Population { congestion_probability: 0.02, rejected_probability: 0.04, ..Population::default() };
        let world = World::new(3, population).unwrap();
        // 4 standard errors of a share of 0.25 are 0.0087 with 40 000 dials.
        let assert_share = |expected: f64, is: fn(OutcomeKind) -> bool| {
            let seen = share(&world, None, is);
            assert!((seen - expected).abs() < 0.009, "seen {seen}, expected {expected}");
        };
        assert_share(0.25, is_human);
        assert_share(0.25, |kind| matches!(kind, OutcomeKind::Machine { .. }));
        assert_share(0.03, |kind| kind == OutcomeKind::Busy);
        assert_share(0.02, |kind| kind == OutcomeKind::InvalidNumber);
        assert_share(0.01, |kind| kind == OutcomeKind::Fax);
        assert_share(0.02, |kind| kind == OutcomeKind::Congestion);
        assert_share(0.04, |kind| kind == OutcomeKind::Rejected);
        assert_share(0.38, |kind| kind == OutcomeKind::NoAnswer);
    }

    #[test]
    fn the_hour_moves_people_between_answering_and_not_answering_and_nothing_else() {
        let mut hourly_factor = [1.0; 24];
        hourly_factor[9] = 0.4;
        hourly_factor[18] = 1.6;
        let world = World::new(3, Population { hourly_factor, ..Population::default() }).unwrap();
        assert!((share(&world, Some(9), is_human) - 0.10).abs() < 0.009);
        assert!((share(&world, Some(18), is_human) - 0.40).abs() < 0.01);
        for index in 0..2000 {
            let [morning, noon, evening] =
                [9, 12, 18].map(|hour| world.outcome(number(index), 1, Some(hour)).kind);
            let moves = |kind| is_human(kind) || kind == OutcomeKind::NoAnswer;
            assert!(noon == evening || (moves(noon) && is_human(evening)));
            assert!(noon == morning || (is_human(noon) && moves(morning)));
        }
    }

    #[test]
    fn a_factor_that_leaves_no_room_takes_only_the_room_there_is() {
        let world =
            World::new(3, Population { hourly_factor: [100.0; 24], ..Population::default() }).unwrap();
        assert_eq!(share(&world, Some(0), |kind| kind == OutcomeKind::NoAnswer), 0.0);
        assert!((share(&world, Some(0), is_human) - 0.69).abs() < 0.01);
    }

    #[test]
    fn an_hour_that_is_not_known_counts_as_an_ordinary_one() {
        let world = World::new(3, Population { hourly_factor: [0.0; 24], ..Population::default() }).unwrap();
        assert_eq!(share(&world, Some(5), is_human), 0.0);
        assert!(share(&world, None, is_human) > 0.2);
        assert!(share(&world, Some(24), is_human) > 0.2);
    }

    #[test]
    fn those_who_hang_up_at_once_have_no_patience() {
        let world = World::new(3, Population { hang_up_early: 0.5, ..Population::default() }).unwrap();
        let at_once = |kind| matches!(kind, OutcomeKind::Human { hangs_up_at_once: true });
        assert!((share(&world, None, at_once) - 0.125).abs() < 0.009);
        for outcome in (0..2000).map(|index| world.outcome(number(index), 1, None)) {
            assert_eq!(at_once(outcome.kind), outcome.patience.is_zero());
        }
    }

    #[test]
    fn one_distribution_can_be_changed_without_moving_the_others() {
        let base = World::with_default_population(3);
        let talk = crate::Distribution::Constant { value: 1.0 };
        let other = World::new(3, Population { talk, ..Population::default() }).unwrap();
        for index in 0..1000 {
            let expected = Outcome { talk: Duration::from_secs(1), ..base.outcome(number(index), 1, None) };
            assert_eq!(other.outcome(number(index), 1, None), expected);
        }
    }

    #[test]
    fn an_invalid_population_never_becomes_a_world() {
        let population = Population { fax_probability: 2.0, ..Population::default() };
        assert!(World::new(1, population).is_err());
    }
}
