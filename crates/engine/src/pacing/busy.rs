//! Agents who are not free: what they are doing and since when.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::time::Time;

/// What an agent who is not free is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Occupation {
    /// Reserved for a call, or looking at a preview.
    Reserved,
    /// Talking.
    Talk,
    /// Finishing.
    Wrap,
}

/// Agents who began the same thing within the same second are counted together, so that a look at thousands of agents
/// is a look at some hundred counts.
const TOGETHER: Duration = Duration::from_secs(1);

/// An agent who is not free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Busy {
    /// What they are doing.
    pub occupation: Occupation,
    /// Since when.
    pub since: Time,
}

impl Busy {
    /// The same, by the nearest whole second.
    fn rounded(self) -> Self {
        let span = TOGETHER.as_micros() as i64;
        let since = (self.since.as_micros() + span / 2).div_euclid(span) * span;
        Self { since: Time::from_micros(since), ..self }
    }
}

/// The agents of a skill who are not free.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BusyAgents {
    counts: BTreeMap<Busy, u32>,
    len: usize,
    changes: u64,
}

impl BusyAgents {
    /// Everybody is free.
    pub const fn none() -> Self {
        Self { counts: BTreeMap::new(), len: 0, changes: 0 }
    }

    /// Another agent is not free.
    pub fn add(&mut self, busy: Busy) {
        *self.counts.entry(busy.rounded()).or_default() += 1;
        self.len += 1;
        self.changes += 1;
    }

    /// An agent who was added with the same words does that no more.
    pub fn remove(&mut self, busy: Busy) {
        let busy = busy.rounded();
        let Some(count) = self.counts.get_mut(&busy) else { return };
        *count -= 1;
        if *count == 0 {
            self.counts.remove(&busy);
        }
        self.len -= 1;
        self.changes += 1;
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether everybody is free.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What they are doing, by the second since when, and how many do it since then.
    pub fn iter(&self) -> impl Iterator<Item = (&Busy, u32)> {
        self.counts.iter().map(|(busy, count)| (busy, *count))
    }

    /// How often anything changed; equal numbers mean equal agents.
    pub fn changes(&self) -> u64 {
        self.changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_counted_together_by_the_second() {
        let busy = |occupation, millis| Busy {
            occupation,
            since: Time::from_micros(1_790_000_000_000_000) + Duration::from_millis(millis),
        };
        let mut agents = BusyAgents::default();
        agents.add(busy(Occupation::Talk, 100));
        agents.add(busy(Occupation::Talk, 400));
        agents.add(busy(Occupation::Wrap, 400));
        assert_eq!(agents.len(), 3);
        assert_eq!(agents.iter().map(|(_, count)| count).collect::<Vec<_>>(), [2, 1]);
        agents.remove(busy(Occupation::Talk, 100));
        agents.remove(busy(Occupation::Talk, 400));
        agents.remove(busy(Occupation::Talk, 400));
        assert_eq!(agents.len(), 1, "one who was never added is not removed");
        assert_eq!(agents.iter().next().map(|(busy, _)| busy.occupation), Some(Occupation::Wrap));
    }
}
