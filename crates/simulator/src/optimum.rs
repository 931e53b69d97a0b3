//! The best that any pacing could reach without knowing the future: agent utilisation under a cap on abandoned calls.
//!
//! A constrained Markov decision process: `x` agents busy or calls waiting, `r` lines ringing; agents finish at rate
//! 1/τ each, lines end at rate 1/R each and are answered with probability p, a waiting call is lost at rate 1/δ. At any
//! instant lines may be added, never withdrawn. By strong duality the best utilisation at a cap ε is
//! `U* = (1/N) · min over λ ≥ 0 of g(λ)`, where `g(λ)` is the best long-run average of
//! `min(x, N) − λ · (abandoned − ε · answered)`, found by relative value iteration. It is exact for exponential times;
//! real shapes may differ by a point (they are reported as "Markov optimum").

/// What the optimum depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Floor {
    /// Agents at work.
    pub agents: u32,
    /// The chance that a person answers a dial, above 0 to 1.
    pub answer_chance: f64,
    /// Mean time of talk and wrap-up, in seconds.
    pub handle_seconds: f64,
    /// Mean time from dial to the end of ringing, in seconds.
    pub ring_seconds: f64,
    /// How long a person who answered waits, on average, in seconds; 0 for not at all.
    pub grace_seconds: f64,
    /// The share of answered calls that may be abandoned.
    pub cap: f64,
}

/// Teams up to this size are solved; larger ones by the approximation for large teams.
const SOLVED_MAX: u32 = 250;
/// Value iteration ends when the bounds on the average are this near, in agents per agent.
const PRECISION: f64 = 2e-4;

/// The best utilisation, 0 to 1.
pub fn best_utilisation(floor: &Floor) -> f64 {
    if floor.agents == 0 {
        return 0.0;
    }
    let found = if floor.agents <= SOLVED_MAX { Solver::new(floor).minimise() } else { by_normal(floor) };
    found.clamp(progressive(floor), 1.0)
}

/// Utilisation of one line for each free agent in the same model: `τ / (τ + R / p)`.
pub fn progressive(floor: &Floor) -> f64 {
    floor.handle_seconds / (floor.handle_seconds + floor.ring_seconds / floor.answer_chance)
}

/// The base-stock approximation for large teams: idle agents cover the spread of what one ring time brings.
fn by_normal(floor: &Floor) -> f64 {
    let agents = f64::from(floor.agents);
    let in_flight = agents * floor.ring_seconds / floor.handle_seconds;
    let spread = (in_flight * (2.0 - floor.answer_chance)).sqrt();
    // The grace lets the shortfall of so much of a ring time be made up.
    let allowed = floor.cap * in_flight / spread * (1.0 + floor.grace_seconds / floor.ring_seconds).powi(2);
    let (mut low, mut high) = (-6.0_f64, 6.0_f64);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if loss(middle) > allowed { low = middle } else { high = middle }
    }
    1.0 - spread * (low + loss(low)) / agents
}

fn loss(z: f64) -> f64 {
    let density = (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let above = 0.5 * libm::erfc(z / std::f64::consts::SQRT_2);
    density - z * above
}

/// Relative value iteration over the states worth looking at.
struct Solver {
    floor: Floor,
    /// Lowest number of busy agents that is looked at; fewer are as good as never.
    lowest: usize,
    /// Busy agents and waiting calls, one more than the highest.
    levels: usize,
    /// Lines, one more than the most.
    lines: usize,
    value: Vec<f64>,
    next: Vec<f64>,
}

impl Solver {
    fn new(floor: &Floor) -> Self {
        let agents = f64::from(floor.agents);
        let in_flight = agents * floor.ring_seconds / floor.handle_seconds;
        let spread = (2.0 * in_flight).sqrt();
        let lowest = (agents - 8.0 * spread - 10.0).max(0.0) as usize;
        let waiting = if floor.grace_seconds > 0.0 { 3 + (0.5 * spread).ceil() as usize } else { 0 };
        let levels = floor.agents as usize + waiting + 1 - lowest;
        let idle_most = (4.0 * spread + 3.0).min(agents);
        let lines = ((in_flight + idle_most + 2.0) / floor.answer_chance).ceil() as usize + 2;
        let states = levels * lines;
        Self { floor: *floor, lowest, levels, lines, value: vec![0.0; states], next: vec![0.0; states] }
    }

    /// The smallest g(λ)/N, by golden section on log λ: g is convex in λ.
    fn minimise(mut self) -> f64 {
        let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
        let (mut low, mut high) = (0.0_f64, 9.0_f64);
        let mut left = high - ratio * (high - low);
        let mut right = low + ratio * (high - low);
        let mut at_left = self.average(left.exp());
        let mut at_right = self.average(right.exp());
        for _ in 0..14 {
            if at_left < at_right {
                (high, right, at_right) = (right, left, at_left);
                left = high - ratio * (high - low);
                at_left = self.average(left.exp());
            } else {
                (low, left, at_left) = (left, right, at_right);
                right = low + ratio * (high - low);
                at_right = self.average(right.exp());
            }
        }
        at_left.min(at_right) / f64::from(self.floor.agents)
    }

    /// g(λ): the best long-run average.
    fn average(&mut self, price: f64) -> f64 {
        let Floor { agents, answer_chance, handle_seconds, ring_seconds, grace_seconds, cap } = self.floor;
        let agents = agents as usize;
        let loss_rate = if grace_seconds > 0.0 { 1.0 / grace_seconds } else { 0.0 };
        let top = self.lowest + self.levels - 1;
        let fastest = agents as f64 / handle_seconds
            + (self.lines - 1) as f64 / ring_seconds
            + (top.saturating_sub(agents)) as f64 * loss_rate;
        let width = self.lines;
        let mut bounds = (f64::MIN, f64::MAX);
        for _ in 0..200_000 {
            let mut change = (f64::MAX, f64::MIN);
            for level in 0..self.levels {
                let busy = self.lowest + level;
                let finish = busy.min(agents) as f64 / handle_seconds;
                let lost = busy.saturating_sub(agents) as f64 * loss_rate;
                let row = level * width;
                let mut best = f64::MIN;
                for lines in (0..width).rev() {
                    let ending = lines as f64 / ring_seconds;
                    let (answer, silent) = (ending * answer_chance, ending * (1.0 - answer_chance));
                    let here = self.value[row + lines];
                    let full = busy == top;
                    let fewer = lines.saturating_sub(1);
                    let answered =
                        if full { self.value[row + fewer] } else { self.value[row + width + fewer] };
                    let below = if level == 0 { here } else { self.value[row - width + lines] };
                    let abandoned = lost + if full { answer } else { 0.0 };
                    let reward = busy.min(agents) as f64 - price * (abandoned - cap * answer);
                    let moves =
                        finish * below + lost * below + answer * answered + silent * self.value[row + fewer];
                    let rates = finish + lost + ending;
                    let worth = (reward + moves - rates * here) / fastest + here;
                    best = best.max(worth);
                    self.next[row + lines] = best;
                    let step = best - here;
                    change = (change.0.min(step), change.1.max(step));
                }
            }
            std::mem::swap(&mut self.value, &mut self.next);
            bounds = (change.0 * fastest, change.1 * fastest);
            if bounds.1 - bounds.0 < PRECISION * agents as f64 {
                break;
            }
            let base = self.value[0];
            if base.abs() > 1e6 {
                self.value.iter_mut().for_each(|value| *value -= base);
            }
        }
        f64::midpoint(bounds.0, bounds.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floor(agents: u32, answer_chance: f64, grace_seconds: f64) -> Floor {
        Floor { agents, answer_chance, handle_seconds: 120.0, ring_seconds: 10.0, grace_seconds, cap: 0.03 }
    }

    #[test]
    fn small_teams_reach_what_the_literature_says() {
        let known = [
            (2, 0.25, 0.0, 0.783),
            (5, 0.10, 0.0, 0.757),
            (5, 0.25, 0.0, 0.816),
            (5, 0.25, 2.0, 0.818),
            (5, 0.50, 2.0, 0.875),
            (10, 0.25, 0.0, 0.853),
            (10, 0.25, 2.0, 0.858),
            (20, 0.25, 2.0, 0.901),
        ];
        for (agents, chance, grace, wanted) in known {
            let found = best_utilisation(&floor(agents, chance, grace));
            assert!(
                (found - wanted).abs() <= 0.003,
                "{agents} agents, {chance}, {grace} s: {found}, not {wanted}"
            );
        }
    }

    #[test]
    fn large_teams_come_near_to_full_use() {
        for (agents, wanted, tolerance) in [
            (50, 0.945, 0.003),
            (100, 0.967, 0.003),
            (200, 0.981, 0.003),
            (500, 0.991, 0.005),
            (5000, 0.998, 0.003),
        ] {
            let found = best_utilisation(&floor(agents, 0.25, 2.0));
            assert!((found - wanted).abs() <= tolerance, "{agents} agents: {found}, not {wanted}");
        }
    }

    #[test]
    fn a_looser_cap_and_a_better_list_allow_more() {
        let base = best_utilisation(&floor(10, 0.25, 2.0));
        assert!(best_utilisation(&Floor { cap: 0.05, ..floor(10, 0.25, 2.0) }) > base);
        assert!(best_utilisation(&floor(10, 0.5, 2.0)) > base);
        assert!(progressive(&floor(10, 0.25, 2.0)) < base);
    }
}
