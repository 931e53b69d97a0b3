//! Time zones in which the owner of a number may be, by the number's first digits.
//!
//! The table is libphonenumber's (`data/number_zones.txt`, written by `contrib/zones/generate.py`). Mobile and ported
//! numbers may lie, so a zone that the contact itself names ranks above it.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use engine::{PhoneNumber, Zone, ZoneSet};

const TABLE: &str = include_str!("../data/number_zones.txt");

/// "No child" and "no zones" in the tree: the root is nobody's child, and set 0 is never used.
const NONE: u16 = 0;

/// A tree over decimal digits from the first on; equal zone sets are held once.
struct NumberZones {
    nodes: Vec<Node>,
    sets: Vec<Option<Arc<ZoneSet>>>,
}

#[derive(Clone, Copy, Default)]
struct Node {
    children: [u16; 10],
    zones: u16,
}

/// The zones that a number's longest known prefix gives; `None` if no prefix is known (`+800`, satellites).
///
/// A toll-free number of North America yields every zone there (41): the caller takes the hours common to all.
pub fn zones_of(number: PhoneNumber) -> Option<&'static Arc<ZoneSet>> {
    static ZONES: OnceLock<NumberZones> = OnceLock::new();
    ZONES.get_or_init(|| NumberZones::read(TABLE)).of(number)
}

impl NumberZones {
    fn read(table: &'static str) -> Self {
        let mut built = Self { nodes: vec![Node::default()], sets: vec![None] };
        let mut known = HashMap::new();
        let mut zones = HashMap::new();
        for (prefix, names) in lines(table) {
            let set = *known.entry(names).or_insert_with(|| {
                built.sets.push(zone_set(names, &mut zones).map(Arc::new));
                (built.sets.len() - 1) as u16
            });
            built.insert(prefix, set);
        }
        built
    }

    fn insert(&mut self, prefix: &str, set: u16) {
        let mut at = 0;
        for digit in prefix.bytes().map(|byte| usize::from(byte.wrapping_sub(b'0')) % 10) {
            if self.nodes[at].children[digit] == NONE {
                // A test keeps the tree far below 65,536 nodes.
                self.nodes[at].children[digit] = self.nodes.len() as u16;
                self.nodes.push(Node::default());
            }
            at = usize::from(self.nodes[at].children[digit]);
        }
        self.nodes[at].zones = set;
    }

    fn of(&self, number: PhoneNumber) -> Option<&Arc<ZoneSet>> {
        let digits = number.digits();
        let mut place = 10_u64.pow(digits.checked_ilog10()?);
        let (mut at, mut best) = (0_usize, NONE);
        loop {
            let next = self.nodes[at].children[(digits / place % 10) as usize];
            if next == NONE {
                break;
            }
            at = usize::from(next);
            if self.nodes[at].zones != NONE {
                best = self.nodes[at].zones;
            }
            place /= 10;
            if place == 0 {
                break;
            }
        }
        self.sets[usize::from(best)].as_ref()
    }
}

fn lines(table: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    table.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '))
}

/// `None` if one of the names is unknown: to leave out a candidate zone would widen the hours.
fn zone_set(names: &'static str, zones: &mut HashMap<&'static str, Option<Zone>>) -> Option<ZoneSet> {
    let zones = names
        .split(',')
        .map(|name| zones.entry(name).or_insert_with(|| name.parse().ok()).clone())
        .collect::<Option<Vec<_>>>()?;
    ZoneSet::new(zones)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zones(number: &str) -> Option<String> {
        zones_of(number.parse().unwrap()).map(|zones| zones.to_string())
    }

    #[test]
    fn the_longest_prefix_decides() {
        assert_eq!(zones("+14155550100").as_deref(), Some("America/Los_Angeles"));
        assert_eq!(zones("+12085551234").as_deref(), Some("America/Boise,America/Los_Angeles"));
        assert_eq!(zones("+33123456789").as_deref(), Some("Europe/Paris"));
        assert_eq!(
            zones("+447700900123").as_deref(),
            Some("Europe/Guernsey,Europe/Isle_of_Man,Europe/London")
        );
    }

    #[test]
    fn a_toll_free_number_may_be_answered_in_every_zone_of_its_plan() {
        let zones = zones_of("+18005550123".parse().unwrap()).unwrap();
        assert!(zones.zones().len() > 40, "{}", zones.zones().len());
        assert!(zones.zones().iter().any(|zone| zone.name() == "Pacific/Honolulu"));
    }

    #[test]
    fn a_number_without_a_country_has_no_zone() {
        assert_eq!(zones("+80012345678"), None);
    }

    #[test]
    fn equal_sets_are_held_once() {
        let set = |number: &str| zones_of(number.parse().unwrap()).unwrap();
        assert!(Arc::ptr_eq(set("+33123456789"), set("+33612345678")));
    }

    #[test]
    fn every_line_of_the_table_is_read() {
        let table = NumberZones::read(TABLE);
        assert!(table.nodes.len() < usize::from(u16::MAX));
        let mut count = 0;
        for (prefix, names) in lines(TABLE) {
            assert!(prefix.len() <= 15 && prefix.bytes().all(|byte| byte.is_ascii_digit()), "{prefix}");
            assert!(names.parse::<ZoneSet>().is_ok(), "{names}");
            count += 1;
        }
        assert_eq!(count + TABLE.lines().filter(|line| line.starts_with('#')).count(), TABLE.lines().count());
        assert!(table.sets[1..].iter().all(Option::is_some));
    }
}
