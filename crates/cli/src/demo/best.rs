//! The best that pacing could do with the demonstration's people and agents.

use engine::PhoneNumber;
use engine::settings::CONNECT_WITHIN;
use simulator::optimum::{Floor, best_utilisation};
use simulator::{OutcomeKind, World};

/// People looked at to learn what they are like on average.
const LOOKED_AT: u64 = 5000;
/// The first of the numbers that stand for them; none of them is a test number.
const FIRST: u64 = 33_199_000_000;
/// The cap that the law of most places sets, and the group's default.
const CAP: f64 = 0.03;

/// Utilisation under the cap on abandoned calls, 0 to 1, by the solver of `simulator::optimum`.
pub fn utilisation(seed: u64, agents: u32) -> f64 {
    let world = World::with_default_population(seed);
    let (mut dials, mut rings, mut answered, mut handled) = (0.0, 0.0, 0.0, 0.0);
    for number in FIRST..FIRST + LOOKED_AT {
        let Ok(number) = format!("+{number}").parse::<PhoneNumber>() else { continue };
        let outcome = world.outcome(number, 1, None);
        dials += 1.0;
        if matches!(outcome.kind, OutcomeKind::Human { hangs_up_at_once: false }) {
            answered += 1.0;
            rings += outcome.ring.as_secs_f64();
            handled += (outcome.talk + outcome.wrap).as_secs_f64();
        }
    }
    let floor = Floor {
        agents,
        answer_chance: answered / f64::max(dials, 1.0),
        handle_seconds: handled / f64::max(answered, 1.0),
        ring_seconds: rings / f64::max(answered, 1.0),
        grace_seconds: CONNECT_WITHIN.as_secs_f64(),
        cap: CAP,
    };
    best_utilisation(&floor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_teams_can_be_busier() {
        let (small, large) = (utilisation(1, 5), utilisation(1, 50));
        assert!(0.4 < small && small < large && large < 1.0, "{small} {large}");
    }
}
