//! The external ids of a file so far, to find the second of two rows about one contact.

use std::collections::HashMap;
use std::collections::hash_map::{DefaultHasher, Entry};
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// External ids with the rows where they came first.
///
/// Only 96 bits of hash are kept of each, so that ten million rows take some 300 MiB: two different ids out of ten
/// million are taken for one with a chance of 1 in 10^15.
#[derive(Default)]
pub(super) struct SeenIds {
    rows: HashMap<u64, Seen, BuildHasherDefault<Passing>>,
}

struct Seen {
    check: u32,
    row: u32,
}

impl SeenIds {
    /// Notes an external id; if it came before, tells in which row.
    pub(super) fn note(&mut self, external_id: &str, row: u64) -> Option<u64> {
        let (key, check) = hashes(external_id);
        // Rows beyond 2^32 are named as the last one that can be.
        let row = u32::try_from(row).unwrap_or(u32::MAX);
        match self.rows.entry(key) {
            Entry::Occupied(place) => (place.get().check == check).then(|| u64::from(place.get().row)),
            Entry::Vacant(place) => {
                place.insert(Seen { check, row });
                None
            }
        }
    }
}

/// Two independent hashes: SipHash with the library's fixed keys, over two different texts.
fn hashes(external_id: &str) -> (u64, u32) {
    let mut hasher = DefaultHasher::new();
    external_id.hash(&mut hasher);
    let key = hasher.finish();
    1_u8.hash(&mut hasher);
    (key, (hasher.finish() >> 32) as u32)
}

/// The keys are hashes already.
#[derive(Default)]
struct Passing(u64);

impl Hasher for Passing {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 << 8) | u64::from(*byte);
        }
    }
    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_comes_again_names_its_first_row() {
        let mut seen = SeenIds::default();
        assert_eq!(seen.note("a", 2), None);
        assert_eq!(seen.note("b", 3), None);
        assert_eq!(seen.note("a", 4), Some(2));
        assert_eq!(seen.note("a", 5), Some(2));
    }

    #[test]
    fn a_hundred_thousand_different_ids_are_told_apart() {
        let mut seen = SeenIds::default();
        assert!((0..100_000_u64).all(|n| seen.note(&n.to_string(), n).is_none()));
    }
}
