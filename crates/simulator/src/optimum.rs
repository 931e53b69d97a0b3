//! The best that any pacing could reach without knowing the future: agent utilisation under a cap on abandoned calls.
//!
//! A constrained Markov decision process: `x` agents busy or calls waiting, `r` lines ringing; agents finish at rate
//! 1/τ each, lines end at rate 1/R each and are answered with probability p, a waiting call is lost at rate 1/δ. At any
//! instant lines may be added, never withdrawn. By strong duality the best utilisation at a cap ε is
//! `U* = (1/N) · min over λ ≥ 0 of g(λ)`, where `g(λ)` is the best long-run average of
//! `min(x, N) − λ · (abandoned − ε · answered)`. It is exact for exponential times; real shapes may differ by a point
//! (they are reported as "Markov optimum").
//!
//! The best policy is a switching curve: with `x` busy, so many lines and no fewer. `curve` finds it by policy
//! iteration, and g is the upper envelope of the curves' straight lines in λ, whose lowest point is found by cutting
//! planes. Neither takes more than some dozen steps.

mod curve;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use curve::{Curves, Yield};

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

/// No phone is answered sooner, on average, in seconds: a network takes so long to find it.
const RING_LEAST: f64 = 0.5;
/// No agent is done with a call sooner, on average, in seconds.
const HANDLE_LEAST: f64 = 0.5;
/// What judging one curve may cost, in products: some 10 ms. Beyond it answers are taken to be likelier than they are.
const WORK_MOST: f64 = 6e6;
/// How likely they are taken to be at most. The spread of what lines bring grows with 2 − p, so that for a smaller p the
/// error is small in the large teams where it comes to this; still larger ones go by the normal approximation.
const CHANCE_TAKEN_MOST: f64 = 0.5;
/// The search for λ ends when the bounds on the utilisation are this near.
const PRECISION: f64 = 1e-4;
/// Values of λ tried at most; ten are usual.
const PRICES_MOST: u32 = 40;

/// What was worked out before: every policy that is compared asks the same.
static KNOWN: Mutex<BTreeMap<[u64; 6], f64>> = Mutex::new(BTreeMap::new());

/// The best utilisation, 0 to 1.
pub fn best_utilisation(floor: &Floor) -> f64 {
    if floor.agents == 0 || floor.answer_chance <= 0.0 {
        return 0.0;
    }
    let floor = Floor {
        answer_chance: floor.answer_chance.min(1.0),
        handle_seconds: floor.handle_seconds.max(HANDLE_LEAST),
        ring_seconds: floor.ring_seconds.max(RING_LEAST),
        ..*floor
    };
    let key = [
        u64::from(floor.agents),
        floor.answer_chance.to_bits(),
        floor.handle_seconds.to_bits(),
        floor.ring_seconds.to_bits(),
        floor.grace_seconds.to_bits(),
        floor.cap.to_bits(),
    ];
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known().get(&key) {
        return *found;
    }
    let found = solve(&floor).0;
    known().insert(key, found);
    found
}

/// The best utilisation, and how many curves were judged on the way.
fn solve(floor: &Floor) -> (f64, u32) {
    let (found, judged) = match tractable(floor) {
        Some(near) => {
            let mut curves = Curves::new(&near);
            (cheapest(&mut curves, &near), curves.judged())
        }
        None => (by_normal(floor), 0),
    };
    (found.clamp(progressive(floor), 1.0), judged)
}

/// The floor, or one so near to it that it can be solved in time. When few dials are answered, many lines ring, and
/// what they bring hardly depends any more on how few.
fn tractable(floor: &Floor) -> Option<Floor> {
    let likelier = floor.answer_chance.max(floor.answer_chance * curve::work(floor) / WORK_MOST);
    let is_near = likelier <= CHANCE_TAKEN_MOST.max(floor.answer_chance);
    is_near.then_some(Floor { answer_chance: likelier, ..*floor })
}

/// The lowest point of g(λ)/N.
fn cheapest(curves: &mut Curves, floor: &Floor) -> f64 {
    let agents = f64::from(floor.agents);
    // An abandoned call costs the time of some calls.
    let mut price = floor.handle_seconds;
    let mut at = curves.best(price);
    let (mut lavish, mut thrifty): (Option<Yield>, Option<Yield>) = (None, None);
    for _ in 0..PRICES_MOST {
        if at.excess > 0.0 {
            lavish = Some(at)
        } else {
            thrifty = Some(at)
        }
        price = match (lavish, thrifty) {
            (Some(more), Some(less)) => (more.busy - less.busy) / (more.excess - less.excess),
            (Some(_), None) => price * 4.0,
            // So cheap that the cap does not matter.
            (None, _) if price < floor.handle_seconds * 1e-3 => break,
            (None, _) => price / 4.0,
        };
        let bound = match (lavish, thrifty) {
            (Some(more), Some(_)) => more.worth(price),
            _ => f64::MIN,
        };
        at = curves.best(price);
        if at.worth(price) - bound < PRECISION * agents {
            break;
        }
    }
    at.worth(price) / agents
}

/// Utilisation of one line for each free agent in the same model: `τ / (τ + R / p)`.
pub fn progressive(floor: &Floor) -> f64 {
    floor.handle_seconds / (floor.handle_seconds + floor.ring_seconds / floor.answer_chance)
}

/// The base-stock approximation for large teams: idle agents cover the spread of what one ring time brings.
fn by_normal(floor: &Floor) -> f64 {
    let agents = f64::from(floor.agents);
    // What was known longer ago than a call lasts says nothing about who is busy now.
    let ring_seconds = floor.ring_seconds.min(floor.handle_seconds);
    let in_flight = agents * ring_seconds / floor.handle_seconds;
    let spread = (in_flight * (2.0 - floor.answer_chance)).sqrt();
    // The grace lets the shortfall of so much of a ring time be made up.
    let allowed = floor.cap * in_flight / spread * (1.0 + floor.grace_seconds / ring_seconds).powi(2);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn floor(agents: u32, answer_chance: f64, grace_seconds: f64) -> Floor {
        Floor { agents, answer_chance, handle_seconds: 120.0, ring_seconds: 10.0, grace_seconds, cap: 0.03 }
    }

    fn comes_to(floor: &Floor, wanted: f64) {
        let found = best_utilisation(floor);
        assert!((found - wanted).abs() <= 0.003, "{floor:?}: {found}, not {wanted}");
    }

    #[test]
    fn teams_reach_what_the_table_says_at_every_chance_of_an_answer() {
        // By agents: p = .10, .25 and .50 without grace, and the same with a grace of 2 s.
        let rows = [
            (5, [0.757, 0.816, 0.874, 0.762, 0.818, 0.875]),
            (10, [0.828, 0.853, 0.887, 0.835, 0.858, 0.890]),
            (20, [0.884, 0.894, 0.910, 0.891, 0.901, 0.916]),
            (50, [0.934, 0.938, 0.943, 0.942, 0.945, 0.950]),
            (100, [0.958, 0.960, 0.962, 0.966, 0.967, 0.969]),
            (200, [0.974, 0.975, 0.976, 0.981, 0.981, 0.982]),
        ];
        for (agents, wanted) in rows {
            let cells = [(0.1, 0.0), (0.25, 0.0), (0.5, 0.0), (0.1, 2.0), (0.25, 2.0), (0.5, 2.0)];
            for ((chance, grace), wanted) in cells.into_iter().zip(wanted) {
                comes_to(&floor(agents, chance, grace), wanted);
            }
        }
        comes_to(&floor(1, 0.25, 0.0), 0.763);
        comes_to(&floor(2, 0.25, 0.0), 0.783);
    }

    #[test]
    fn teams_reach_what_the_table_says_on_poor_lists_and_on_slow_lines() {
        let poor = [(1, 0.557), (2, 0.640), (5, 0.759), (10, 0.833), (20, 0.891), (50, 0.942), (100, 0.966)];
        for (agents, wanted) in poor {
            comes_to(&Floor { ring_seconds: 9.7, ..floor(agents, 0.08, 2.0) }, wanted);
        }
        let slow = [(5, 0.747), (10, 0.815), (20, 0.876), (50, 0.933), (100, 0.960)];
        for (agents, wanted) in slow {
            comes_to(&Floor { ring_seconds: 18.0, ..floor(agents, 0.25, 2.0) }, wanted);
        }
    }

    #[test]
    fn teams_reach_what_the_table_says_with_short_and_long_calls_and_other_caps() {
        let rows = [
            (5, 0.694, 0.905),
            (10, 0.779, 0.916),
            (20, 0.850, 0.932),
            (50, 0.915, 0.956),
            (100, 0.947, 0.971),
        ];
        for (agents, short, long) in rows {
            comes_to(&Floor { handle_seconds: 45.0, ..floor(agents, 0.25, 0.0) }, short);
            comes_to(&Floor { handle_seconds: 300.0, ..floor(agents, 0.25, 0.0) }, long);
        }
        for (cap, five, twenty, hundred) in
            [(0.01, 0.785, 0.868, 0.948), (0.02, 0.807, 0.884, 0.955), (0.05, 0.833, 0.908, 0.966)]
        {
            for (agents, wanted) in [(5, five), (20, twenty), (100, hundred)] {
                comes_to(&Floor { cap, ..floor(agents, 0.25, 0.0) }, wanted);
            }
        }
    }

    #[test]
    fn the_largest_teams_come_near_to_full_use() {
        comes_to(&floor(500, 0.25, 2.0), 0.991);
        comes_to(&floor(5000, 0.25, 2.0), 0.998);
    }

    #[test]
    fn odd_floors_are_solved_in_a_bounded_number_of_steps() {
        let base = floor(10, 0.25, 2.0);
        let odd = [
            Floor { ring_seconds: 0.0, ..base },
            Floor { handle_seconds: 0.0, ..base },
            Floor { answer_chance: 0.0, ..base },
            Floor { answer_chance: 0.002, ..base },
            Floor { answer_chance: 1.0, ..base },
            Floor { agents: 1, answer_chance: 0.005, ..base },
            Floor { agents: 100, answer_chance: 0.05, ..base },
            Floor { agents: 250, answer_chance: 0.01, ring_seconds: 120.0, handle_seconds: 1.0, ..base },
            Floor { agents: 100_000, answer_chance: 0.01, ..base },
            Floor { handle_seconds: 86_400.0, ..base },
            Floor { cap: 0.5, ..base },
            Floor { cap: 0.001, ..base },
        ];
        for odd in odd {
            let found = best_utilisation(&odd);
            assert!((0.0..=1.0).contains(&found), "{odd:?}: {found}");
            if odd.answer_chance > 0.0 {
                let kept = Floor { ring_seconds: odd.ring_seconds.max(RING_LEAST), ..odd };
                let kept = Floor { handle_seconds: odd.handle_seconds.max(HANDLE_LEAST), ..kept };
                let solved = tractable(&kept);
                let work = solved.as_ref().map_or(0.0, curve::work);
                let judged = solve(&kept).1;
                assert!(work < 1.1 * WORK_MOST && judged < 120, "{odd:?}: {judged} times {work}");
            }
        }
    }

    #[test]
    fn few_answers_cost_what_the_trend_says() {
        // From .10 to .08 to .02 the optimum of ten agents falls by some .0016 with each hundredth.
        let at = |chance: f64| best_utilisation(&floor(10, chance, 2.0));
        assert!((at(0.10) - at(0.02) - 0.0135).abs() < 0.002, "{} {}", at(0.10), at(0.02));
        assert!(at(0.02) > at(0.005) && at(0.005) > 0.81);
    }

    #[test]
    fn a_looser_cap_and_a_better_list_allow_more() {
        let base = best_utilisation(&floor(10, 0.25, 2.0));
        assert!(best_utilisation(&Floor { cap: 0.05, ..floor(10, 0.25, 2.0) }) > base);
        assert!(best_utilisation(&floor(10, 0.5, 2.0)) > base);
        assert!(progressive(&floor(10, 0.25, 2.0)) < base);
    }
}
