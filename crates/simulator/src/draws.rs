//! Where random numbers come from: one stream per dial and purpose, derived by hashing.
//!
//! The streams are part of the product's promise (equal seeds replay equal days), so nothing here may depend on how a
//! library seeds its generators: the state is computed below, and the generator (PCG XSL-RR 128/64 MCG, M. E. O'Neill,
//! "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms for Random Number Generation", 2014)
//! is given it whole. The tests pin values.

use engine::PhoneNumber;
use rand::Rng;
use rand_pcg::Pcg64Mcg;

/// The increment of SplitMix64: 2^64 divided by the golden ratio, odd (Steele, Lea, Flood, "Fast Splittable
/// Pseudorandom Number Generators", OOPSLA 2014).
const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// What a stream of random numbers is for.
///
/// Each purpose has its own stream, so that another distribution for one quantity leaves all others as they were
/// (common random numbers between scenarios). The numbers are part of the derivation: never reuse or change one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Kind = 0,
    HangUpEarly = 1,
    Ring = 2,
    Greeting = 3,
    Talk = 4,
    Wrap = 5,
    Patience = 6,
    Disposition = 7,
    PreviewAccepted = 8,
    PreviewResponse = 9,
    Break = 10,
    BreakLength = 11,
    Spread = 12,
    Fault = 13,
    Detection = 14,
    Press = 15,
    LostEnd = 16,
}

/// The finaliser of SplitMix64: a bijection of 64 bits in which each input bit moves about half of the output bits.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(GOLDEN_GAMMA);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The stream for one purpose of one dial.
///
/// Each part is folded in by `hash = mix(hash xor part)`, in the order seed, number, attempt, purpose, starting from
/// zero; the generator's 128 bits of state are `mix(hash)` above `hash`.
pub(crate) fn stream(seed: u64, number: PhoneNumber, attempt_number: u32, purpose: Purpose) -> Pcg64Mcg {
    let hash = [seed, number.digits(), u64::from(attempt_number), purpose as u64]
        .into_iter()
        .fold(0, |hash, part| mix(hash ^ part));
    Pcg64Mcg::new((u128::from(mix(hash)) << 64) | u128::from(hash))
}

/// A uniform number in [0, 1), in steps of 2^-53.
pub(crate) fn uniform(rng: &mut impl Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number() -> PhoneNumber {
        PhoneNumber::from_digits(33_123_456_789).unwrap()
    }

    #[test]
    fn a_stream_starts_with_the_same_numbers_on_every_machine() {
        let mut rng = stream(42, number(), 1, Purpose::Kind);
        // Computed independently from the definitions above.
        assert_eq!(
            [rng.next_u64(), rng.next_u64()],
            [17_619_990_141_352_291_873, 12_070_764_379_695_197_677]
        );
    }

    #[test]
    fn every_part_of_the_derivation_changes_the_stream() {
        let first = |seed, number, attempt, purpose| stream(seed, number, attempt, purpose).next_u64();
        let base = first(1, number(), 1, Purpose::Kind);
        assert_ne!(base, first(2, number(), 1, Purpose::Kind));
        assert_ne!(base, first(1, PhoneNumber::from_digits(33_123_456_780).unwrap(), 1, Purpose::Kind));
        assert_ne!(base, first(1, number(), 2, Purpose::Kind));
        assert_ne!(base, first(1, number(), 1, Purpose::Talk));
    }
}
