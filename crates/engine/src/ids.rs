//! Identifiers: UUIDs, one type per kind of thing, so that one cannot stand in for another.

use std::fmt;
use std::str::FromStr;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::time::Time;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                state.write_u128(self.0.as_u128());
            }
        }

        // The order of their bytes, as one number: every lookup in a tree compares some ten of them.
        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.0.as_u128().cmp(&other.0.as_u128())
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl $name {
            /// Reads 32 hex digits with or without dashes.
            ///
            /// # Errors
            /// The text is not a UUID.
            pub fn parse(text: &str) -> Result<Self, uuid::Error> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }
    )+};
}

ids! {
    /// An organisation whose data no other may see.
    TenantId,
    /// What is being called for.
    CampaignId,
    /// The runnable pairing of a campaign with the agents that serve it; its GUID.
    GroupId,
    /// What a call is queued to and agents are proficient in.
    SkillId,
    /// A person who takes calls.
    AgentId,
    /// Where contacts come from.
    SourceId,
    /// A promise to call at a time.
    CallbackId,
    /// One person to reach within a campaign.
    ContactId,
    /// One dial of one phone. On the switch it is the channel's id.
    AttemptId,
    /// One run of an import.
    ImportId,
    /// A list of numbers or customers that are not dialled.
    SuppressionListId,
    /// Something that is said to called parties.
    MessageId,
    /// Numbers to choose from that are shown to called parties.
    CallerIdPoolId,
    /// One supervisor's part in one call.
    SupervisionId,
}

/// Makes identifiers from instants that are handed in and a seed, so that a recorded run mints the same ones again.
///
/// They are UUIDs of version 7 (RFC 9562 §5.7): 48 bits of milliseconds, then random bits. Each is greater than the one
/// before, also within a millisecond and when the clock goes back (§6.2, method 2), so what is listed by id is listed in
/// the order in which it was made. In production the seed comes from the operating system, so no two nodes mint the
/// same one.
#[derive(Debug, Clone)]
pub struct IdSource {
    rng: Pcg64Mcg,
    /// The last one without its version and variant: 48 bits of milliseconds, 74 random ones.
    last: u128,
}

impl IdSource {
    const RANDOM_BITS: u32 = 74;

    /// A source of identifiers; equal seeds give equal sequences.
    pub fn new(seed: u64) -> Self {
        Self { rng: Pcg64Mcg::seed_from_u64(seed), last: 0 }
    }

    /// The next identifier.
    pub fn next(&mut self, now: Time) -> Uuid {
        let millis = u128::try_from(now.as_micros().max(0) / 1000).unwrap_or(0) & 0xffff_ffff_ffff;
        self.last = if millis > self.last >> Self::RANDOM_BITS {
            let random = (u128::from(self.rng.next_u64()) << 64) | u128::from(self.rng.next_u64());
            (millis << Self::RANDOM_BITS) | (random >> (u128::BITS - Self::RANDOM_BITS))
        } else {
            // At most 2^32 further: what is left of a millisecond's 2^74 is hardly ever used up; then the next one's begin.
            self.last + 1 + u128::from(self.rng.next_u32())
        };
        let (head, rand_b) = (self.last >> 62, self.last & 0x3fff_ffff_ffff_ffff);
        let (millis, rand_a) = (head >> 12, head & 0xfff);
        Uuid::from_u128((millis << 80) | (0x7 << 76) | (rand_a << 64) | (0b10 << 62) | rand_b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_version_7_and_grow_with_time() {
        let mut source = IdSource::new(1);
        let first = source.next(Time::from_micros(1_000_000));
        let second = source.next(Time::from_micros(2_000_000));
        assert_eq!(first.get_version_num(), 7);
        assert!(first < second);
    }

    #[test]
    fn each_is_greater_than_the_one_before_also_within_a_millisecond_and_when_the_clock_goes_back() {
        for seed in 0..100 {
            let mut source = IdSource::new(seed);
            let instants = [5_000_000, 5_000_000, 5_000_999, 4_000_000, 5_001_000, 0, 6_000_000];
            let ids = instants.map(|micros| source.next(Time::from_micros(micros)));
            assert!(ids.is_sorted_by(|first, second| first < second), "{ids:?}");
            assert!(
                ids.iter().all(|id| id.get_version_num() == 7 && id.get_variant() == uuid::Variant::RFC4122)
            );
        }
    }

    #[test]
    fn equal_seeds_mint_equal_identifiers() {
        let now = Time::from_micros(5);
        assert_eq!(IdSource::new(7).next(now), IdSource::new(7).next(now));
        assert_ne!(IdSource::new(7).next(now), IdSource::new(8).next(now));
    }
}
