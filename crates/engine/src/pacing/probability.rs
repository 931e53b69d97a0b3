//! The few pieces of probability that pacing needs: sums of independent yes-or-no events, and the normal distribution.

/// The distribution of how many of some independent events happen (Poisson-binomial), exactly.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Count {
    /// `p[k]` is the probability that k of them happen.
    p: Vec<f64>,
}

impl Count {
    /// Of no events: zero happen for certain.
    pub fn none() -> Self {
        Self { p: vec![1.0] }
    }

    /// Of these events, by their probabilities.
    pub fn of(events: impl IntoIterator<Item = f64>) -> Self {
        let mut count = Self::none();
        for chance in events {
            count.add(chance);
        }
        count
    }

    /// One event more.
    pub fn add(&mut self, chance: f64) {
        if chance <= 0.0 {
            return;
        }
        let chance = chance.min(1.0);
        self.p.push(0.0);
        for k in (1..self.p.len()).rev() {
            self.p[k] = self.p[k] * (1.0 - chance) + self.p[k - 1] * chance;
        }
        self.p[0] *= 1.0 - chance;
    }

    /// The probability that at least k happen.
    pub fn at_least(&self, k: usize) -> f64 {
        if k == 0 {
            return 1.0;
        }
        self.p.iter().skip(k).sum::<f64>().min(1.0)
    }

    /// The probabilities of 0, 1, 2 …
    pub fn probabilities(&self) -> &[f64] {
        &self.p
    }
}

/// P(X ≤ x) of the standard normal distribution, by the complementary error function.
pub(crate) fn normal_below(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

/// E[max(0, Z − z)] of the standard normal distribution: its loss function.
pub(crate) fn normal_loss(z: f64) -> f64 {
    let density = libm::exp(-0.5 * z * z) / libm::sqrt(2.0 * std::f64::consts::PI);
    density - z * (1.0 - normal_below(z))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_chances_give_the_binomial_distribution() {
        let count = Count::of([0.25; 4]);
        let expected = [81.0, 108.0, 54.0, 12.0, 1.0].map(|ways| ways / 256.0);
        for (got, wanted) in count.probabilities().iter().zip(expected) {
            assert!((got - wanted).abs() < 1e-12);
        }
        assert!((count.at_least(1) - 175.0 / 256.0).abs() < 1e-12);
        assert_eq!(count.at_least(0), 1.0);
        assert_eq!(count.at_least(9), 0.0);
    }

    #[test]
    fn unequal_chances_are_each_counted() {
        let count = Count::of([0.5, 1.0, 0.0]);
        assert_eq!(count.probabilities(), [0.0, 0.5, 0.5]);
    }

    #[test]
    fn the_normal_distribution_is_the_one_of_the_tables() {
        assert!((normal_below(1.6449) - 0.95).abs() < 1e-4);
        assert!((normal_loss(0.0) - 0.39894).abs() < 1e-5);
        assert!((normal_loss(1.0) - 0.08332).abs() < 1e-5);
    }
}
