//! The lines of a group that may still be answered.

use std::collections::VecDeque;

use crate::ids::AttemptId;
use crate::time::Time;

use super::Segment;

/// Places of lines that ring no more are taken away when there are so many, and as many as lines that ring.
const GONE_MOST: usize = 64;

/// A call that is dialling or ringing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// When it was decided on.
    pub since: Time,
    /// The chance of a person's answer, as it was thought then.
    pub chance: f64,
    /// What kind of call it is.
    pub segment: Segment,
}

/// The lines of a group that are dialling or ringing.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// By the attempts' ids: the order in which they were decided on, so that another one nearly always comes last. A line that
    /// rings no more leaves its place empty.
    places: VecDeque<(AttemptId, Option<Line>)>,
    len: usize,
    expected: f64,
    variance: f64,
}

impl Lines {
    fn place(&self, attempt: AttemptId) -> Result<usize, usize> {
        self.places.binary_search_by_key(&attempt, |(id, _)| *id)
    }

    /// Another line; one that is there already stays as it is.
    pub fn add(&mut self, attempt: AttemptId, line: Line) {
        let is_latest = self.places.back().is_none_or(|(last, _)| *last < attempt);
        match if is_latest { Err(self.places.len()) } else { self.place(attempt) } {
            Ok(place) if self.places[place].1.is_some() => return,
            Ok(place) => self.places[place].1 = Some(line),
            Err(place) => self.places.insert(place, (attempt, Some(line))),
        }
        self.len += 1;
        self.expected += line.chance;
        self.variance += line.chance * (1.0 - line.chance);
    }

    /// A line that rings no more.
    pub fn remove(&mut self, attempt: AttemptId) -> Option<Line> {
        let place = self.place(attempt).ok()?;
        let line = self.places[place].1.take()?;
        self.len -= 1;
        if self.len == 0 {
            // Sums that were added to and taken from many times are set right.
            (self.expected, self.variance) = (0.0, 0.0);
            self.places.clear();
        } else {
            self.expected = (self.expected - line.chance).max(0.0);
            self.variance = (self.variance - line.chance * (1.0 - line.chance)).max(0.0);
            self.tidy();
        }
        Some(line)
    }

    fn tidy(&mut self) {
        while self.places.front().is_some_and(|(_, line)| line.is_none()) {
            self.places.pop_front();
        }
        if self.places.len() - self.len > GONE_MOST.max(self.len) {
            self.places.retain(|(_, line)| line.is_some());
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many people are expected to answer.
    pub fn expected_answers(&self) -> f64 {
        self.expected
    }

    /// The variance of that number.
    pub fn variance(&self) -> f64 {
        self.variance
    }

    /// Each of them, the one that was decided on first at the front.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&AttemptId, &Line)> {
        self.places.iter().filter_map(|(attempt, line)| Some((attempt, line.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn line(chance: f64) -> Line {
        let segment = Segment::new(crate::ids::SourceId(Uuid::nil()), 12, 1);
        Line { since: Time::EPOCH, chance, segment }
    }

    fn attempt(nth: u16) -> AttemptId {
        AttemptId(Uuid::from_u128(u128::from(nth)))
    }

    proptest! {
        #[test]
        fn lines_are_those_that_were_added_and_not_removed_in_the_order_of_their_ids(
            steps in prop::collection::vec((any::<bool>(), 0..400_u16), 0..1200)
        ) {
            let (mut lines, mut expected) = (Lines::default(), BTreeMap::new());
            for (adds, nth) in steps {
                if adds {
                    lines.add(attempt(nth), line(f64::from(nth) / 400.0));
                    expected.entry(attempt(nth)).or_insert(line(f64::from(nth) / 400.0));
                } else {
                    prop_assert_eq!(lines.remove(attempt(nth)), expected.remove(&attempt(nth)));
                }
                prop_assert_eq!(lines.len(), expected.len());
            }
            prop_assert!(lines.iter().eq(expected.iter()));
            let answers: f64 = expected.values().map(|line| line.chance).sum();
            prop_assert!((lines.expected_answers() - answers).abs() < 1e-6);
            prop_assert!(lines.places.len() <= 2 * lines.len() + GONE_MOST);
        }
    }

    #[test]
    fn lines_that_come_last_and_go_in_any_order_leave_few_empty_places() {
        let mut lines = Lines::default();
        for nth in 0..20_000 {
            lines.add(attempt(nth), line(0.25));
            if nth % 100 != 0 {
                lines.remove(attempt(nth));
            }
        }
        assert_eq!(lines.len(), 200);
        assert!(lines.places.len() <= 2 * lines.len(), "{}", lines.places.len());
    }
}
