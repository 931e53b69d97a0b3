//! Distributions of lengths of time, as scenario files name them.

use std::time::Duration;

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::draws::uniform;

/// No length of time is longer than this: a day. It keeps a heavy tail from stopping a simulation.
pub const LONGEST_SECONDS: f64 = 86_400.0;

/// The smallest shape of a Weibull distribution. With less, nearly all times are nothing and one in billions makes up the
/// mean; below 0.006 its scale is beyond what numbers can say.
pub const WEIBULL_SHAPE_MIN: f64 = 0.05;

/// A distribution of lengths of time in seconds.
///
/// In a scenario file: `talk = { log_normal = { mean = 100, cv = 1 } }`. Samples are bit-for-bit the same on every
/// machine: only IEEE arithmetic and the portable functions of `libm` are used. Samples below zero count as zero,
/// samples above [`LONGEST_SECONDS`] as that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Distribution {
    /// Always the same.
    Constant {
        /// Seconds.
        value: f64,
    },
    /// Memoryless.
    Exponential {
        /// Seconds.
        mean: f64,
    },
    /// The usual shape of talk times: the logarithm is normal.
    #[serde(alias = "lognormal")]
    LogNormal {
        /// Seconds (of the time itself, not of its logarithm).
        mean: f64,
        /// Coefficient of variation: standard deviation divided by mean.
        cv: f64,
    },
    /// A sum of waits.
    Gamma {
        /// Seconds.
        mean: f64,
        /// Shape k; the coefficient of variation is 1/√k.
        shape: f64,
    },
    /// With a hazard that grows (shape above 1) or falls (below 1) with time.
    Weibull {
        /// Seconds.
        mean: f64,
        /// Shape k, [`WEIBULL_SHAPE_MIN`] or more.
        shape: f64,
    },
    /// All lengths in an interval alike.
    Uniform {
        /// Seconds.
        low: f64,
        /// Seconds.
        high: f64,
    },
    /// As measured: uniform within each bin.
    #[serde(alias = "empirical")]
    Histogram {
        /// Limits of the bins in seconds, growing; one more than weights.
        edges: Vec<f64>,
        /// Relative weight of each bin.
        weights: Vec<f64>,
    },
    /// One of several distributions, by weight.
    Mixture {
        /// The distributions and their weights.
        parts: Vec<WeightedDistribution>,
    },
    /// Another distribution, later by an offset and cut at a limit.
    Shifted {
        /// Seconds that are added to each sample.
        offset: f64,
        /// Sums above this many seconds count as this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<f64>,
        /// The distribution that is moved.
        of: Box<Distribution>,
    },
}

/// One part of a [`Distribution::Mixture`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct WeightedDistribution {
    /// Relative weight; the weights need not add up to 1.
    pub weight: f64,
    /// What is drawn from when this part is chosen.
    pub distribution: Distribution,
}

/// Why a distribution cannot be sampled from.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InvalidDistribution {
    /// A mean must be above zero and finite.
    #[error("the mean must be a number above 0, not {0}")]
    MeanNotPositive(f64),
    /// A shape must be above zero and finite.
    #[error("the shape must be a number above 0, not {0}")]
    ShapeNotPositive(f64),
    /// A Weibull distribution's shape must be [`WEIBULL_SHAPE_MIN`] or more.
    #[error("the shape of a weibull distribution must be {WEIBULL_SHAPE_MIN} or more, not {0}")]
    ShapeTooSmall(f64),
    /// A coefficient of variation must be zero or more and finite.
    #[error("the coefficient of variation must be 0 or more, not {0}")]
    VariationNegative(f64),
    /// A length of time must be zero or more and finite.
    #[error("a length of time must be 0 s or more, not {0}")]
    LengthNegative(f64),
    /// The low end lies above the high end.
    #[error("the low end {low} lies above the high end {high}")]
    EndsSwapped {
        /// Seconds.
        low: f64,
        /// Seconds.
        high: f64,
    },
    /// There must be one more edge than weights, and at least one weight.
    #[error("{edges} edges do not bound {weights} bins; there must be one more edge than weights")]
    EdgesDoNotMatchWeights {
        /// How many edges there are.
        edges: usize,
        /// How many weights there are.
        weights: usize,
    },
    /// Each edge must be above the one before.
    #[error("the edges of a histogram must grow")]
    EdgesDoNotGrow,
    /// Weights must be zero or more with a sum above zero.
    #[error("weights must be 0 or more, and at least one above 0")]
    WeightsUseless,
}

impl Distribution {
    /// Checks all parameters.
    ///
    /// # Errors
    /// The first parameter that is out of its range.
    pub fn validate(&self) -> Result<(), InvalidDistribution> {
        match self {
            Self::Constant { value } => check_length(*value),
            Self::Exponential { mean } => check_mean(*mean),
            Self::LogNormal { mean, cv } => {
                check_mean(*mean)?;
                if cv.is_finite() && *cv >= 0.0 {
                    Ok(())
                } else {
                    Err(InvalidDistribution::VariationNegative(*cv))
                }
            }
            Self::Gamma { mean, shape } | Self::Weibull { mean, shape } => {
                check_mean(*mean)?;
                if !(shape.is_finite() && *shape > 0.0) {
                    Err(InvalidDistribution::ShapeNotPositive(*shape))
                } else if matches!(self, Self::Weibull { .. }) && *shape < WEIBULL_SHAPE_MIN {
                    Err(InvalidDistribution::ShapeTooSmall(*shape))
                } else {
                    Ok(())
                }
            }
            Self::Uniform { low, high } => {
                check_length(*low)?;
                check_length(*high)?;
                if low <= high {
                    Ok(())
                } else {
                    Err(InvalidDistribution::EndsSwapped { low: *low, high: *high })
                }
            }
            Self::Histogram { edges, weights } => check_histogram(edges, weights),
            Self::Mixture { parts } => {
                check_weights(parts.iter().map(|part| part.weight))?;
                parts.iter().try_for_each(|part| part.distribution.validate())
            }
            Self::Shifted { offset, limit, of } => {
                check_length(*offset)?;
                limit.map_or(Ok(()), check_length)?;
                of.validate()
            }
        }
    }

    /// Draws one length of time. The parameters must be valid; see [`Self::validate`].
    pub fn sample(&self, rng: &mut impl Rng) -> Duration {
        // The cast saturates and takes what is not a number as zero.
        let micros = (self.sample_seconds(rng).clamp(0.0, LONGEST_SECONDS) * 1e6).round() as u64;
        Duration::from_micros(micros)
    }

    fn sample_seconds(&self, rng: &mut impl Rng) -> f64 {
        match self {
            Self::Constant { value } => *value,
            Self::Exponential { mean } => mean * standard_exponential(rng),
            Self::LogNormal { mean, cv } => {
                let variance = libm::log1p(cv * cv);
                mean * libm::exp(variance.sqrt() * standard_normal(rng) - variance / 2.0)
            }
            Self::Gamma { mean, shape } => mean / shape * standard_gamma(*shape, rng),
            Self::Weibull { mean, shape } => {
                let scale = mean / libm::tgamma(1.0 + 1.0 / shape);
                scale * libm::pow(standard_exponential(rng), 1.0 / shape)
            }
            Self::Uniform { low, high } => low + (high - low) * uniform(rng),
            Self::Histogram { edges, weights } => {
                let bin = choose(weights.iter().copied(), uniform(rng));
                match edges.get(bin..bin + 2) {
                    Some([low, high]) => low + (high - low) * uniform(rng),
                    _ => 0.0,
                }
            }
            Self::Mixture { parts } => {
                let chosen = choose(parts.iter().map(|part| part.weight), uniform(rng));
                parts.get(chosen).map_or(0.0, |part| part.distribution.sample_seconds(rng))
            }
            Self::Shifted { offset, limit, of } => {
                (offset + of.sample_seconds(rng)).min(limit.unwrap_or(LONGEST_SECONDS))
            }
        }
    }
}

/// The index that a uniform number in [0, 1) falls on when the weights share that interval.
pub(crate) fn choose(weights: impl Iterator<Item = f64> + Clone, uniform: f64) -> usize {
    let mut left = uniform * weights.clone().sum::<f64>();
    let mut last_possible = 0;
    for (index, weight) in weights.enumerate() {
        if weight > 0.0 {
            if left < weight {
                return index;
            }
            last_possible = index;
        }
        left -= weight;
    }
    last_possible
}

/// Checks that weights can be chosen from.
pub(crate) fn check_weights(
    mut weights: impl Iterator<Item = f64> + Clone,
) -> Result<(), InvalidDistribution> {
    let useful =
        weights.clone().sum::<f64>() > 0.0 && weights.all(|weight| weight.is_finite() && weight >= 0.0);
    if useful { Ok(()) } else { Err(InvalidDistribution::WeightsUseless) }
}

fn check_length(seconds: f64) -> Result<(), InvalidDistribution> {
    if seconds.is_finite() && seconds >= 0.0 {
        Ok(())
    } else {
        Err(InvalidDistribution::LengthNegative(seconds))
    }
}

fn check_mean(mean: f64) -> Result<(), InvalidDistribution> {
    if mean.is_finite() && mean > 0.0 { Ok(()) } else { Err(InvalidDistribution::MeanNotPositive(mean)) }
}

fn check_histogram(edges: &[f64], weights: &[f64]) -> Result<(), InvalidDistribution> {
    if weights.is_empty() || edges.len() != weights.len() + 1 {
        let (edges, weights) = (edges.len(), weights.len());
        return Err(InvalidDistribution::EdgesDoNotMatchWeights { edges, weights });
    }
    edges.iter().try_for_each(|edge| check_length(*edge))?;
    if edges.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(InvalidDistribution::EdgesDoNotGrow);
    }
    check_weights(weights.iter().copied())
}

/// Exponential with mean 1, by inversion.
fn standard_exponential(rng: &mut impl Rng) -> f64 {
    // 1 - u lies in (0, 1], so the logarithm is finite.
    -libm::log(1.0 - uniform(rng))
}

/// Normal with mean 0 and variance 1 (Box and Muller, 1958; one of the two numbers is used).
fn standard_normal(rng: &mut impl Rng) -> f64 {
    let radius = (2.0 * standard_exponential(rng)).sqrt();
    radius * libm::cos(std::f64::consts::TAU * uniform(rng))
}

/// Gamma with scale 1 (Marsaglia and Tsang, "A simple method for generating gamma variables", ACM TOMS 26, 2000).
fn standard_gamma(shape: f64, rng: &mut impl Rng) -> f64 {
    if shape < 1.0 {
        // Their §6: a gamma of shape + 1 times a uniform to the power 1/shape.
        let boost = libm::pow(1.0 - uniform(rng), 1.0 / shape);
        return boost * standard_gamma(shape + 1.0, rng);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = standard_normal(rng);
        let t = 1.0 + c * x;
        if t <= 0.0 {
            continue;
        }
        let v = t * t * t;
        if libm::log(1.0 - uniform(rng)) < 0.5 * x * x + d - d * v + d * libm::log(v) {
            return d * v;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand_pcg::Pcg64Mcg;

    use super::*;

    const SAMPLES: usize = 100_000;

    #[test]
    fn a_weibull_shape_beyond_what_can_be_computed_is_refused() {
        let weibull = |shape| Distribution::Weibull { mean: 90.0, shape };
        assert_eq!(weibull(0.05).validate(), Ok(()));
        let said = weibull(0.005).validate().unwrap_err().to_string();
        assert_eq!(said, "the shape of a weibull distribution must be 0.05 or more, not 0.005");
        assert_eq!(Distribution::Gamma { mean: 8.0, shape: 0.005 }.validate(), Ok(()));
    }

    /// Mean and coefficient of variation of a big sample.
    fn moments(distribution: &Distribution) -> (f64, f64) {
        distribution.validate().unwrap();
        let mut rng = Pcg64Mcg::new(1);
        let samples: Vec<f64> = (0..SAMPLES).map(|_| distribution.sample(&mut rng).as_secs_f64()).collect();
        let mean = samples.iter().sum::<f64>() / SAMPLES as f64;
        let variance = samples.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>() / SAMPLES as f64;
        (mean, variance.sqrt() / mean)
    }

    fn assert_moments(distribution: Distribution, mean: f64, cv: f64) {
        let (seen_mean, seen_cv) = moments(&distribution);
        assert!((seen_mean / mean - 1.0).abs() < 0.02, "{distribution:?}: mean {seen_mean}, not {mean}");
        assert!((seen_cv - cv).abs() < 0.03, "{distribution:?}: variation {seen_cv}, not {cv}");
    }

    #[test]
    fn samples_have_the_mean_and_the_variation_that_was_asked_for() {
        assert_moments(Distribution::Constant { value: 3.0 }, 3.0, 0.0);
        assert_moments(Distribution::Exponential { mean: 10.0 }, 10.0, 1.0);
        assert_moments(Distribution::LogNormal { mean: 100.0, cv: 1.0 }, 100.0, 1.0);
        assert_moments(Distribution::LogNormal { mean: 20.0, cv: 0.5 }, 20.0, 0.5);
        assert_moments(Distribution::Gamma { mean: 8.0, shape: 2.0 }, 8.0, 0.5_f64.sqrt());
        assert_moments(Distribution::Gamma { mean: 8.0, shape: 0.5 }, 8.0, 2.0_f64.sqrt());
        assert_moments(Distribution::Weibull { mean: 5.0, shape: 1.0 }, 5.0, 1.0);
        assert_moments(Distribution::Weibull { mean: 5.0, shape: 2.0 }, 5.0, 0.5227);
        assert_moments(Distribution::Uniform { low: 16.0, high: 22.0 }, 19.0, 3.0_f64.sqrt() / 19.0);
    }

    #[test]
    fn a_histogram_spreads_evenly_within_its_bins() {
        let histogram = Distribution::Histogram { edges: vec![0.0, 10.0, 30.0], weights: vec![3.0, 1.0] };
        // 3/4 · 5 + 1/4 · 20 = 8.75; E[x²] = 3/4 · 100/3 + 1/4 · (100 + 300 + 900)/3.
        assert_moments(histogram, 8.75, (25.0 + 1300.0 / 12.0 - 8.75_f64.powi(2)).sqrt() / 8.75);
    }

    #[test]
    fn a_mixture_draws_from_its_parts_by_weight() {
        let part =
            |weight, value| WeightedDistribution { weight, distribution: Distribution::Constant { value } };
        let mixture =
            Distribution::Mixture { parts: vec![part(0.7, 15.0), part(0.0, 9e9), part(0.3, 400.0)] };
        assert_moments(mixture, 130.5, (0.7_f64 * 0.3).sqrt() * 385.0 / 130.5);
    }

    #[test]
    fn a_shifted_distribution_stays_between_its_offset_and_its_limit() {
        let of = Box::new(Distribution::Gamma { mean: 8.0, shape: 2.0 });
        let shifted = Distribution::Shifted { offset: 2.0, limit: Some(24.0), of };
        let mut rng = Pcg64Mcg::new(1);
        let samples: Vec<Duration> = (0..SAMPLES).map(|_| shifted.sample(&mut rng)).collect();
        assert!(samples.iter().all(|sample| (2.0..=24.0).contains(&sample.as_secs_f64())));
        assert!(samples.contains(&Duration::from_secs(24)));
    }

    #[test]
    fn scenario_files_name_distributions_and_misspelt_fields_are_refused() {
        let talk: Distribution = serde_json::from_str(r#"{"log_normal": {"mean": 100, "cv": 1}}"#).unwrap();
        assert_eq!(talk, Distribution::LogNormal { mean: 100.0, cv: 1.0 });
        assert!(
            serde_json::from_str::<Distribution>(r#"{"log_normal": {"mean": 100, "cv": 1, "sd": 3}}"#)
                .is_err()
        );
        let shifted = r#"{"shifted":{"offset":2.0,"of":{"constant":{"value":1.0}}}}"#;
        assert_eq!(
            serde_json::to_string(&serde_json::from_str::<Distribution>(shifted).unwrap()).unwrap(),
            shifted
        );
    }

    #[test]
    fn parameters_out_of_range_are_refused_by_name() {
        use InvalidDistribution as Invalid;
        let refused = |distribution: Distribution| distribution.validate().unwrap_err();
        assert_eq!(refused(Distribution::Exponential { mean: 0.0 }), Invalid::MeanNotPositive(0.0));
        assert_eq!(refused(Distribution::Gamma { mean: 1.0, shape: -1.0 }), Invalid::ShapeNotPositive(-1.0));
        assert_eq!(
            refused(Distribution::LogNormal { mean: 1.0, cv: -0.5 }),
            Invalid::VariationNegative(-0.5)
        );
        assert_eq!(refused(Distribution::Constant { value: -1.0 }), Invalid::LengthNegative(-1.0));
        let swapped = Distribution::Uniform { low: 2.0, high: 1.0 };
        assert_eq!(refused(swapped), Invalid::EndsSwapped { low: 2.0, high: 1.0 });
        let histogram = |edges, weights| Distribution::Histogram { edges, weights };
        let mismatch = Invalid::EdgesDoNotMatchWeights { edges: 1, weights: 1 };
        assert_eq!(refused(histogram(vec![0.0], vec![1.0])), mismatch);
        assert_eq!(refused(histogram(vec![1.0, 1.0], vec![1.0])), Invalid::EdgesDoNotGrow);
        assert_eq!(refused(histogram(vec![0.0, 1.0], vec![0.0])), Invalid::WeightsUseless);
        assert_eq!(refused(Distribution::Mixture { parts: vec![] }), Invalid::WeightsUseless);
        let of = Box::new(Distribution::Exponential { mean: f64::NAN });
        assert!(matches!(
            refused(Distribution::Shifted { offset: 0.0, limit: None, of }),
            Invalid::MeanNotPositive(_)
        ));
    }
}
