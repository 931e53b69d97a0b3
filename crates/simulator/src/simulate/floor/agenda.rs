//! What happens when.

use std::collections::BTreeMap;

use engine::Time;

/// How long a page is, as a power of two of microseconds: 0.26 s.
const PAGE: u32 = 18;

/// When, the how manieth that was added, and what.
type Entry<T> = (Time, u64, T);

/// A queue by time, and for equal times by arrival.
///
/// With five thousand agents it holds tens of thousands of things. Only those of the present page are sorted; the others
/// wait in their pages.
pub(super) struct Agenda<T> {
    arrived: u64,
    page: i64,
    /// The latest first.
    now: Vec<Entry<T>>,
    later: BTreeMap<i64, Vec<Entry<T>>>,
    /// Pages that are done with, for others to be written on.
    blank: Vec<Vec<Entry<T>>>,
}

impl<T> Agenda<T> {
    pub fn new() -> Self {
        Self { arrived: 0, page: i64::MIN, now: Vec::new(), later: BTreeMap::new(), blank: Vec::new() }
    }

    pub fn add(&mut self, at: Time, what: T) {
        self.arrived += 1;
        let page = at.as_micros() >> PAGE;
        let entry = (at, self.arrived, what);
        if page <= self.page {
            // Of all that are due then it has come last.
            let place = self.now.partition_point(|(due, ..)| *due > at);
            self.now.insert(place, entry);
        } else {
            self.later.entry(page).or_insert_with(|| self.blank.pop().unwrap_or_default()).push(entry);
        }
    }

    /// The next thing, and when it is due.
    pub fn next(&mut self) -> Option<(Time, T)> {
        if self.now.is_empty() {
            let (page, mut entries) = self.later.pop_first()?;
            entries.sort_unstable_by(|(at, nth, _), (other_at, other_nth, _)| {
                (other_at, other_nth).cmp(&(at, nth))
            });
            self.page = page;
            self.blank.push(std::mem::replace(&mut self.now, entries));
        }
        self.now.pop().map(|(at, _, what)| (at, what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_come_by_time_and_then_as_they_were_added() {
        let at = |millis: i64| Time::from_micros(millis * 1000);
        let mut agenda = Agenda::new();
        for (millis, what) in [(900, 'e'), (3, 'b'), (70_000, 'f'), (3, 'c'), (1, 'a')] {
            agenda.add(at(millis), what);
        }
        let mut seen = vec![agenda.next(), agenda.next()];
        // One for the page that is open, one for a page that is past.
        agenda.add(at(4), 'd');
        seen.extend((0..3).map(|_| agenda.next()));
        agenda.add(at(2), 'z');
        seen.extend((0..3).map(|_| agenda.next()));
        let told: String = seen.into_iter().flatten().map(|(_, what)| what).collect();
        assert_eq!(told, "abcdezf");
    }
}
