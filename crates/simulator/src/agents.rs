//! How agents behave.

use std::time::Duration;

use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use crate::distribution::{Distribution, InvalidDistribution, check_weights, choose};
use crate::draws::{Purpose, uniform};

/// How a team of agents behaves. How long an agent wraps up belongs to the call: [`crate::Outcome::wrap`].
///
/// The defaults are assumptions for demonstrations; no measurement stands behind them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields, default)]
pub struct AgentModel {
    /// What agents say calls were, by weight.
    pub dispositions: Vec<DispositionWeight>,
    /// How long an agent looks at a contact before accepting or declining it (preview dialling).
    pub preview_response: Distribution,
    /// Probability that a previewed contact is declined.
    pub preview_declined_probability: f64,
    /// Probability that an agent takes a break after a call.
    pub break_probability: f64,
    /// How long a break is.
    pub break_length: Distribution,
}

/// A disposition and how often it is chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct DispositionWeight {
    /// The disposition's code in the campaign.
    pub disposition: String,
    /// Relative weight; the weights need not add up to 1.
    pub weight: f64,
}

/// What an agent does with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentConduct<'a> {
    /// How long the agent looks at the contact before deciding (preview dialling).
    pub preview_response: Duration,
    /// Whether the agent accepts the contact (preview dialling).
    pub accepts_preview: bool,
    /// The code of the disposition that the agent chooses.
    pub disposition: &'a str,
    /// The break that the agent takes after wrapping up, if any.
    pub break_after: Option<Duration>,
}

/// Why a model of agents cannot be simulated.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InvalidAgentModel {
    /// A probability must lie between 0 and 1.
    #[error("{field} must lie between 0 and 1, not {value}")]
    ProbabilityOutOfRange {
        /// The field's name.
        field: &'static str,
        /// What it says.
        value: f64,
    },
    /// A distribution or the weights of the dispositions are not valid.
    #[error("{field}: {reason}")]
    Distribution {
        /// The field's name.
        field: &'static str,
        /// What is wrong with it.
        reason: InvalidDistribution,
    },
}

impl Default for AgentModel {
    fn default() -> Self {
        let weights = [
            ("sale", 0.10),
            ("not_interested", 0.60),
            ("callback", 0.10),
            ("wrong_person", 0.05),
            ("do_not_call", 0.05),
            ("other", 0.10),
        ];
        Self {
            dispositions: weights
                .into_iter()
                .map(|(disposition, weight)| DispositionWeight {
                    disposition: disposition.to_owned(),
                    weight,
                })
                .collect(),
            preview_response: Distribution::LogNormal { mean: 8.0, cv: 0.5 },
            preview_declined_probability: 0.05,
            break_probability: 0.02,
            break_length: Distribution::Uniform { low: 300.0, high: 900.0 },
        }
    }
}

impl AgentModel {
    /// Checks all fields.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn validate(&self) -> Result<(), InvalidAgentModel> {
        for (field, value) in [
            ("preview_declined_probability", self.preview_declined_probability),
            ("break_probability", self.break_probability),
        ] {
            if !(0.0..=1.0).contains(&value) {
                return Err(InvalidAgentModel::ProbabilityOutOfRange { field, value });
            }
        }
        let invalid = |field| move |reason| InvalidAgentModel::Distribution { field, reason };
        check_weights(self.dispositions.iter().map(|choice| choice.weight))
            .map_err(invalid("dispositions"))?;
        self.preview_response.validate().map_err(invalid("preview_response"))?;
        self.break_length.validate().map_err(invalid("break_length"))
    }

    /// What the agent does with the dial whose streams these are. A model without dispositions gives an empty code.
    pub(crate) fn conduct(&self, draws: impl Fn(Purpose) -> Pcg64Mcg) -> AgentConduct<'_> {
        let chosen = choose(
            self.dispositions.iter().map(|choice| choice.weight),
            uniform(&mut draws(Purpose::Disposition)),
        );
        let declined = uniform(&mut draws(Purpose::PreviewAccepted)) < self.preview_declined_probability;
        let takes_break = uniform(&mut draws(Purpose::Break)) < self.break_probability;
        AgentConduct {
            preview_response: self.preview_response.sample(&mut draws(Purpose::PreviewResponse)),
            accepts_preview: !declined,
            disposition: self.dispositions.get(chosen).map_or("", |choice| &choice.disposition),
            break_after: takes_break.then(|| self.break_length.sample(&mut draws(Purpose::BreakLength))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use engine::PhoneNumber;

    use super::*;
    use crate::World;

    const CALLS: u64 = 40_000;

    fn number(index: u64) -> PhoneNumber {
        PhoneNumber::from_digits(33_100_000_000 + index).unwrap()
    }

    #[test]
    fn dispositions_come_as_often_as_the_model_says() {
        let (world, model) = (World::with_default_population(5), AgentModel::default());
        let mut seen = BTreeMap::new();
        for index in 0..CALLS {
            *seen.entry(world.agent_conduct(&model, number(index), 1).disposition).or_insert(0.0) +=
                1.0 / CALLS as f64;
        }
        for choice in &model.dispositions {
            let share: f64 = seen[choice.disposition.as_str()];
            assert!((share - choice.weight).abs() < 0.01, "{}: {share}", choice.disposition);
        }
    }

    #[test]
    fn breaks_and_declined_previews_come_as_often_as_the_model_says() {
        let world = World::with_default_population(5);
        let model =
            AgentModel { break_probability: 0.3, preview_declined_probability: 0.2, ..AgentModel::default() };
        let conducts: Vec<_> =
            (0..CALLS).map(|index| world.agent_conduct(&model, number(index), 1)).collect();
        let share = |is: fn(&AgentConduct<'_>) -> bool| {
            conducts.iter().filter(|conduct| is(conduct)).count() as f64 / CALLS as f64
        };
        assert!((share(|conduct| conduct.break_after.is_some()) - 0.3).abs() < 0.01);
        assert!((share(|conduct| !conduct.accepts_preview) - 0.2).abs() < 0.01);
    }

    #[test]
    fn the_same_call_is_handled_the_same_way_in_every_run() {
        let (world, model) = (World::with_default_population(5), AgentModel::default());
        let seen: Vec<_> =
            (1..=3).map(|attempt| world.agent_conduct(&model, number(1), attempt).disposition).collect();
        assert_eq!(seen, ["callback", "not_interested", "other"]);
    }

    #[test]
    fn fields_out_of_range_are_refused_by_name() {
        assert_eq!(AgentModel::default().validate(), Ok(()));
        let model = AgentModel { break_probability: 1.5, ..AgentModel::default() };
        assert_eq!(
            model.validate(),
            Err(InvalidAgentModel::ProbabilityOutOfRange { field: "break_probability", value: 1.5 })
        );
        let model = AgentModel { dispositions: vec![], ..AgentModel::default() };
        assert_eq!(
            model.validate(),
            Err(InvalidAgentModel::Distribution {
                field: "dispositions",
                reason: InvalidDistribution::WeightsUseless
            })
        );
    }
}
