//! The people, machines and networks that are called, in numbers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::distribution::{Distribution, InvalidDistribution};
use crate::world::Press;

/// How a population answers. Every field has a default, so a scenario file names only what differs.
///
/// The defaults are the base shapes of the project's pacing benchmark; where that says nothing, the field says where
/// its default comes from. What no probability claims is not answered at all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields, default)]
pub struct Population {
    /// Probability that a person answers, where the hourly factor is 1.
    pub answer_probability: f64,
    /// What the answer probability is multiplied by in each local hour of the called party, from midnight on.
    /// Where the product leaves no room for the other endings it is cut to the room there is.
    pub hourly_factor: [f64; 24],
    /// Probability that a machine answers.
    pub machine_probability: f64,
    /// Probability that the line is busy.
    pub busy_probability: f64,
    /// Probability that the network says: no such number (a special information tone).
    pub invalid_number_probability: f64,
    /// Probability that a fax answers.
    pub fax_probability: f64,
    /// Probability that the network is congested.
    pub congestion_probability: f64,
    /// Probability that the called party declines the call.
    pub rejected_probability: f64,
    /// How long it rings before a person answers.
    pub ring_human: Distribution,
    /// How long it rings before a machine or a fax answers.
    pub ring_machine: Distribution,
    /// How long it takes until busy, invalid number, congestion or rejection is signalled.
    pub signal: Distribution,
    /// How long a machine's greeting is. The default is an assumption: greetings of 4 to 12 s.
    pub greeting: Distribution,
    /// How long a person and an agent talk.
    pub talk: Distribution,
    /// How long the agent works on the contact after the talk.
    pub wrap: Distribution,
    /// Probability that a person hangs up at once after answering, of those who answer. The default is zero.
    pub hang_up_early: f64,
    /// Probability that a person who hears a message presses 1, by which people opt out. The default, two in a hundred, is
    /// an assumption.
    pub presses_1: f64,
    /// Probability that a person who hears a message presses 9, by which people ask for an agent. The default, five in a
    /// hundred, is an assumption.
    pub presses_9: f64,
    /// How long a person who answered waits for an agent. The default is an assumption: exponential, mean 10 s.
    pub patience: Distribution,
}

/// Why a population cannot be simulated.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InvalidPopulation {
    /// A probability must lie between 0 and 1.
    #[error("{field} must lie between 0 and 1, not {value}")]
    ProbabilityOutOfRange {
        /// The field's name.
        field: &'static str,
        /// What it says.
        value: f64,
    },
    /// The probabilities of all endings, with an hourly factor of 1, may not exceed 1.
    #[error("the probabilities of the endings add up to {0}, which is more than 1")]
    ProbabilitiesExceedOne(f64),
    /// A factor must be zero or more and finite.
    #[error("the hourly factor of hour {hour} must be 0 or more, not {value}")]
    HourlyFactorNegative {
        /// The local hour, 0 to 23.
        hour: usize,
        /// What it says.
        value: f64,
    },
    /// A distribution is not valid.
    #[error("{field}: {reason}")]
    Distribution {
        /// The field's name.
        field: &'static str,
        /// What is wrong with it.
        reason: InvalidDistribution,
    },
}

impl InvalidPopulation {
    /// The key that is wrong; none if it is several together.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::ProbabilityOutOfRange { field, .. } | Self::Distribution { field, .. } => Some(field),
            Self::HourlyFactorNegative { .. } => Some("hourly_factor"),
            Self::ProbabilitiesExceedOne(_) => None,
        }
    }
}

impl Default for Population {
    fn default() -> Self {
        Self {
            answer_probability: 0.25,
            hourly_factor: [1.0; 24],
            machine_probability: 0.25,
            // The benchmark has 5 % busy and invalid numbers together.
            busy_probability: 0.03,
            invalid_number_probability: 0.02,
            fax_probability: 0.01,
            congestion_probability: 0.0,
            rejected_probability: 0.0,
            ring_human: Distribution::Shifted {
                offset: 2.0,
                limit: Some(24.0),
                of: Box::new(Distribution::Gamma { mean: 8.0, shape: 2.0 }),
            },
            ring_machine: Distribution::Uniform { low: 16.0, high: 22.0 },
            signal: Distribution::Constant { value: 3.0 },
            greeting: Distribution::Uniform { low: 4.0, high: 12.0 },
            talk: Distribution::LogNormal { mean: 100.0, cv: 1.0 },
            wrap: Distribution::LogNormal { mean: 20.0, cv: 0.5 },
            hang_up_early: 0.0,
            presses_1: 0.02,
            presses_9: 0.05,
            patience: Distribution::Exponential { mean: 10.0 },
        }
    }
}

/// How far into a message people press a key: an assumption; most messages have named it by then.
const PRESSED_AFTER: Duration = Duration::from_secs(4);

impl Population {
    /// The key that a person presses, by a uniform number in [0, 1).
    pub(crate) fn pressed(&self, uniform: f64) -> Option<Press> {
        let key = if uniform < self.presses_1 {
            '1'
        } else if uniform < self.presses_1 + self.presses_9 {
            '9'
        } else {
            return None;
        };
        Some(Press { key, after: PRESSED_AFTER })
    }

    /// Checks all fields.
    ///
    /// # Errors
    /// The first field that is out of its range, or probabilities that add up to more than 1.
    pub fn validate(&self) -> Result<(), InvalidPopulation> {
        let endings = [
            ("answer_probability", self.answer_probability),
            ("machine_probability", self.machine_probability),
            ("busy_probability", self.busy_probability),
            ("invalid_number_probability", self.invalid_number_probability),
            ("fax_probability", self.fax_probability),
            ("congestion_probability", self.congestion_probability),
            ("rejected_probability", self.rejected_probability),
        ];
        for (field, value) in endings.into_iter().chain([
            ("hang_up_early", self.hang_up_early),
            ("presses_1", self.presses_1),
            ("presses_9", self.presses_9),
        ]) {
            if !(0.0..=1.0).contains(&value) {
                return Err(InvalidPopulation::ProbabilityOutOfRange { field, value });
            }
        }
        let keys = self.presses_1 + self.presses_9;
        if keys > 1.0 + 1e-9 {
            return Err(InvalidPopulation::ProbabilityOutOfRange { field: "presses_9", value: keys });
        }
        let sum: f64 = endings.iter().map(|(_, probability)| probability).sum();
        // Decimal fractions such as 0.1 + 0.2 + 0.7 may miss 1 by their last bits.
        if sum > 1.0 + 1e-9 {
            return Err(InvalidPopulation::ProbabilitiesExceedOne(sum));
        }
        for (hour, value) in self.hourly_factor.into_iter().enumerate() {
            if !(value.is_finite() && value >= 0.0) {
                return Err(InvalidPopulation::HourlyFactorNegative { hour, value });
            }
        }
        let distributions = [
            ("ring_human", &self.ring_human),
            ("ring_machine", &self.ring_machine),
            ("signal", &self.signal),
            ("greeting", &self.greeting),
            ("talk", &self.talk),
            ("wrap", &self.wrap),
            ("patience", &self.patience),
        ];
        distributions.into_iter().try_for_each(|(field, distribution)| {
            distribution.validate().map_err(|reason| InvalidPopulation::Distribution { field, reason })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_population_is_valid() {
        assert_eq!(Population::default().validate(), Ok(()));
    }

    #[test]
    fn people_press_the_keys_as_often_as_the_population_says() {
        let population = Population { presses_1: 0.25, presses_9: 0.5, ..Population::default() };
        let key = |uniform: f64| population.pressed(uniform).map(|press| press.key);
        assert_eq!(
            [0.0, 0.24, 0.25, 0.74, 0.75].map(key),
            [Some('1'), Some('1'), Some('9'), Some('9'), None]
        );
    }

    #[test]
    fn a_scenario_names_only_what_differs_from_the_default() {
        let read: Population = serde_json::from_str(r#"{"answer_probability": 0.08}"#).unwrap();
        assert_eq!(read, Population { answer_probability: 0.08, ..Population::default() });
        assert!(serde_json::from_str::<Population>(r#"{"answer_probabillity": 0.08}"#).is_err());
    }

    #[test]
    fn fields_out_of_range_are_refused_by_name() {
        let refused = |population: Population| population.validate().unwrap_err();
        let base = Population::default;
        assert_eq!(
            refused(Population { busy_probability: -0.1, ..base() }),
            InvalidPopulation::ProbabilityOutOfRange { field: "busy_probability", value: -0.1 }
        );
        assert!(matches!(
            refused(Population { hang_up_early: f64::NAN, ..base() }),
            InvalidPopulation::ProbabilityOutOfRange { field: "hang_up_early", .. }
        ));
        assert!(matches!(
            refused(Population { answer_probability: 0.8, ..base() }),
            InvalidPopulation::ProbabilitiesExceedOne(_)
        ));
        assert!(base().validate().is_ok());
        let keys = Population { presses_1: 0.6, presses_9: 0.6, ..base() };
        assert_eq!(refused(keys).field(), Some("presses_9"));
        let mut hourly_factor = [1.0; 24];
        hourly_factor[5] = -1.0;
        assert_eq!(
            refused(Population { hourly_factor, ..base() }),
            InvalidPopulation::HourlyFactorNegative { hour: 5, value: -1.0 }
        );
        assert_eq!(
            refused(Population { talk: Distribution::Exponential { mean: 0.0 }, ..base() }).to_string(),
            "talk: the mean must be a number above 0, not 0"
        );
    }
}
