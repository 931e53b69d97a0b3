//! The few pieces of probability that pacing needs: sums of independent yes-or-no events, and the normal distribution.

/// What is less likely than this is left out: a ten-thousandth of the smallest risk that decides anything.
const NEGLIGIBLE: f64 = 1e-7;

/// The distribution of how many of some independent events happen (Poisson-binomial), exactly but for [`NEGLIGIBLE`]
/// chances of very many.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Count {
    /// `p[k]` is the probability that k of them happen.
    p: Vec<f64>,
}

impl Count {
    /// Of no events: zero happen for certain.
    pub fn none() -> Self {
        let mut p = Vec::with_capacity(32);
        p.push(1.0);
        Self { p }
    }

    /// One event more.
    pub fn add(&mut self, chance: f64) {
        if chance <= 0.0 {
            return;
        }
        let chance = chance.min(1.0);
        let last = self.p.last().copied().unwrap_or(0.0);
        for k in (1..self.p.len()).rev() {
            self.p[k] = self.p[k] * (1.0 - chance) + self.p[k - 1] * chance;
        }
        self.p[0] *= 1.0 - chance;
        if last * chance > NEGLIGIBLE {
            self.p.push(last * chance);
        }
    }

    /// So many events of the same chance (binomial).
    pub fn alike(events: usize, chance: f64) -> Self {
        let mut count = Self::none();
        if chance <= 0.0 || events == 0 {
            return count;
        }
        if chance > 0.5 || events > 400 {
            // Too near to certain, or too many, for the product below to begin with a number that is not zero.
            (0..events).for_each(|_| count.add(chance));
            return count;
        }
        let odds = chance / (1.0 - chance);
        let mut p = libm::pow(1.0 - chance, events as f64);
        count.p[0] = p;
        let expected = events as f64 * chance;
        for k in 1..=events {
            p *= odds * (events + 1 - k) as f64 / k as f64;
            if p < NEGLIGIBLE && k as f64 > expected {
                break;
            }
            count.p.push(p);
        }
        count
    }

    /// The probability that at least k happen.
    #[cfg(test)]
    pub fn at_least(&self, k: usize) -> f64 {
        self.p.iter().skip(k).sum::<f64>().min(1.0)
    }

    /// The probability that these are fewer than, or as many as, the others and `free` more: that `others` events
    /// and `free` do not outnumber these.
    pub fn reaches(&self, free: i64, others: &Self) -> f64 {
        // Summed from the top: with one more of the others, these have to be one more too.
        let highest = free + others.p.len() as i64 - 1;
        let from = |k: i64| usize::try_from(k).unwrap_or(0);
        let mut tail: f64 = self.p.iter().skip(from(highest)).sum();
        let mut sum = 0.0;
        for (freed, p) in others.p.iter().enumerate().rev() {
            let needed = free + freed as i64;
            if needed < 0 {
                tail = 1.0;
            } else if needed < highest {
                tail += self.p.get(from(needed)).copied().unwrap_or(0.0);
            }
            sum += p * tail.min(1.0);
        }
        sum
    }

    /// The probabilities of 0, 1, 2 …
    #[cfg(test)]
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
    let density = libm::exp(-0.5 * z * z) / (2.0 * std::f64::consts::PI).sqrt();
    density - z * (1.0 - normal_below(z))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_chances_give_the_binomial_distribution() {
        let count = Count::alike(4, 0.25);
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
        let mut count = Count::none();
        [0.5, 1.0, 0.0].into_iter().for_each(|chance| count.add(chance));
        assert_eq!(count.probabilities(), [0.0, 0.5, 0.5]);
    }

    #[test]
    fn many_alike_are_the_same_as_one_after_the_other() {
        for chance in [0.03, 0.25, 0.7] {
            let mut one_by_one = Count::none();
            (0..40).for_each(|_| one_by_one.add(chance));
            let together = Count::alike(40, chance);
            for k in 0..=40 {
                assert!(
                    (together.at_least(k) - one_by_one.at_least(k)).abs() < 1e-5,
                    "{k} of 40 at {chance}"
                );
            }
        }
    }

    #[test]
    fn some_reach_others_as_often_as_every_pair_counted_says() {
        let (answers, freed) = (Count::alike(7, 0.3), Count::alike(3, 0.4));
        for free in -2..9 {
            let pairs = (0..8).flat_map(|a| (0..4).map(move |f| (a, f))).filter(|(a, f)| *a >= free + *f);
            let p = |count: &Count, k: i64| count.at_least(k as usize) - count.at_least(k as usize + 1);
            let expected: f64 = pairs.map(|(a, f)| p(&answers, a) * p(&freed, f)).sum();
            assert!((answers.reaches(free, &freed) - expected).abs() < 1e-6, "free {free}");
        }
    }

    #[test]
    fn the_normal_distribution_is_the_one_of_the_tables() {
        assert!((normal_below(1.6449) - 0.95).abs() < 1e-4);
        assert!((normal_loss(0.0) - 0.39894).abs() < 1e-5);
        assert!((normal_loss(1.0) - 0.08332).abs() < 1e-5);
    }
}
