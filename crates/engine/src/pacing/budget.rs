//! The abandonment budget: how many answered calls may still be abandoned in each window that the law counts in.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Time;
use crate::zones::Zone;

/// Counts are kept by so much time; every zone's day begins at a multiple of it.
pub const SLOT: Duration = Duration::from_secs(15 * 60);
/// Days of counts that decide anything: a month of 31 days, and the day it is.
pub const DAYS_KEPT: u64 = 32;
/// Days by which it is told how many calls a day has.
const DAYS_COMPARED: usize = 3;
/// The window of 16 CFR 310.4(b)(4)(i): successive blocks of 30 days from the start of the campaign.
const BLOCK: Duration = Duration::from_secs(30 * 86_400);

/// What came of the calls that people answered in one [`SLOT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotCount {
    /// When the slot begins.
    pub start: Time,
    /// Calls that a person answered.
    pub answered: u32,
    /// Of those, calls that no agent was connected to.
    pub abandoned: u32,
}

/// Answered and abandoned calls in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowCount {
    /// Calls that a person answered.
    pub answered: u64,
    /// Of those, abandoned.
    pub abandoned: u64,
}

impl WindowCount {
    /// The share abandoned, 0 to 1; 0 before the first answer.
    pub fn rate(&self) -> f64 {
        if self.answered == 0 { 0.0 } else { self.abandoned as f64 / self.answered as f64 }
    }

    /// Abandonments that are left under a cap; negative when it is overdrawn.
    pub fn left(&self, cap: f64) -> f64 {
        cap * self.answered as f64 - self.abandoned as f64
    }

    /// What is left in units of chance variation: comparable between windows of any length.
    fn normalised(&self, cap: f64) -> f64 {
        self.left(cap) / (cap * self.answered as f64).sqrt().max(5.0)
    }
}

/// The start of the slot that an instant lies in.
pub fn slot_of(at: Time) -> Time {
    let span = SLOT.as_micros() as i64;
    Time::from_micros(at.as_micros().div_euclid(span) * span)
}

/// The counts of a campaign.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    zone: Zone,
    /// Since when the campaign calls; its 30-day blocks begin there.
    campaign_start: Time,
    slots: VecDeque<SlotCount>,
    day: (Time, WindowCount),
    block: (Time, WindowCount),
    month: (Time, WindowCount),
    /// What is known of a day from those before.
    usual: UsualDay,
    /// When the first answered call of the day was over.
    day_began: Option<Time>,
}

/// What the last days with calls were like, cautiously.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct UsualDay {
    /// As many answered calls as on the day with the fewest; 0 if there was none.
    answered: u64,
    /// How long after midnight the last of them was over, on the day that ended soonest.
    end: Duration,
}

impl Budget {
    /// A budget that begins with what was counted before. `campaign_start` is when the campaign's first call was
    /// answered; none if it is to begin.
    pub fn new(zone: Zone, campaign_start: Option<Time>, counted: Vec<SlotCount>, now: Time) -> Self {
        let mut slots: VecDeque<SlotCount> = counted.into();
        slots.make_contiguous().sort_by_key(|slot| slot.start);
        let campaign_start = campaign_start.unwrap_or(now);
        let nothing = (Time::EPOCH, WindowCount::default());
        let mut budget = Self {
            zone,
            campaign_start,
            slots,
            day: nothing,
            block: nothing,
            month: nothing,
            usual: UsualDay::default(),
            day_began: None,
        };
        budget.turn_over(now);
        budget
    }

    /// The campaign's day begins in another zone.
    pub fn set_zone(&mut self, zone: Zone, now: Time) {
        if self.zone != zone {
            self.zone = zone;
            self.day.0 = Time::EPOCH;
            self.month.0 = Time::EPOCH;
            self.turn_over(now);
        }
    }

    /// Starts new windows where the time for it has come.
    fn turn_over(&mut self, now: Time) {
        let (day, month) = self.starts(now);
        let is_new_day = self.day.0 != day;
        let blocks = now.since(self.campaign_start).as_secs() / BLOCK.as_secs();
        let block = self.campaign_start + Duration::from_secs(blocks * BLOCK.as_secs());
        let oldest = slot_of(now).as_micros() - (DAYS_KEPT * 86_400_000_000) as i64;
        while self.slots.front().is_some_and(|slot| slot.start.as_micros() < oldest) {
            self.slots.pop_front();
        }
        for (window, start) in [(&mut self.day, day), (&mut self.block, block), (&mut self.month, month)] {
            if window.0 != start {
                // A block may begin within a slot: the whole slot counts, which is the cautious side.
                let from = slot_of(start);
                let counted = self.slots.iter().filter(|slot| slot.start >= from);
                let count = counted.fold(WindowCount::default(), |sum, slot| WindowCount {
                    answered: sum.answered + u64::from(slot.answered),
                    abandoned: sum.abandoned + u64::from(slot.abandoned),
                });
                *window = (start, count);
            }
        }
        if is_new_day {
            self.usual = self.last_days();
            // After a restart it began with the slot in which its first call was.
            self.day_began = self.slots.iter().map(|slot| slot.start).find(|start| *start >= slot_of(day));
        }
    }

    fn starts(&self, now: Time) -> (Time, Time) {
        let today = self.zone.local(now).date();
        let at_midnight = |date: jiff::civil::Date| self.zone.instant(date.at(0, 0, 0, 0));
        (at_midnight(today), at_midnight(today.first_of_month()))
    }

    /// A call that a person answered is over.
    pub fn count(&mut self, now: Time, abandoned: bool) {
        self.turn_over(now);
        let start = slot_of(now);
        if self.slots.back().is_none_or(|slot| slot.start < start) {
            self.slots.push_back(SlotCount { start, answered: 0, abandoned: 0 });
        }
        if let Some(slot) = self.slots.back_mut() {
            slot.answered += 1;
            slot.abandoned += u32::from(abandoned);
        }
        self.day_began.get_or_insert(now);
        for window in [&mut self.day, &mut self.block, &mut self.month] {
            window.1.answered += 1;
            window.1.abandoned += u64::from(abandoned);
        }
    }

    /// The present day, 30-day block and month.
    pub fn windows(&self) -> [WindowCount; 3] {
        [self.day.1, self.block.1, self.month.1]
    }

    /// The day so far.
    pub fn today(&self) -> WindowCount {
        self.day.1
    }

    /// Sees to it that the windows are those of this instant.
    pub fn at(&mut self, now: Time) -> &Self {
        // A window lasts a day at least, so looking once a slot is enough, and a look costs a zone's arithmetic.
        if self.slots.back().is_none_or(|slot| slot.start < slot_of(now)) {
            self.turn_over(now);
        }
        self
    }

    /// Abandonments that are left in the window in which the fewest are.
    pub fn left(&self, cap: f64) -> f64 {
        self.windows().iter().map(|window| window.left(cap)).fold(f64::INFINITY, f64::min)
    }

    /// What is left in the tightest window, in units of chance variation.
    pub fn tightness(&self, cap: f64) -> f64 {
        self.windows().iter().map(|window| window.normalised(cap)).fold(f64::INFINITY, f64::min)
    }

    /// How many calls the day may be expected to have, cautiously: as many as the smallest of the last
    /// three days with any, or what it has already.
    pub fn expected_today(&self) -> u64 {
        self.usual.answered.max(self.day.1.answered)
    }

    /// Whether there was a day with calls before today, by which to tell how many a day has.
    pub fn knows_usual_day(&self) -> bool {
        self.usual.answered > 0
    }

    /// How many more answered calls the day will have if it goes on as it has until now and ends when the last days did.
    /// Endless before its first call.
    pub fn answers_to_come_today(&self, now: Time) -> f64 {
        let Some(began) = self.day_began else { return f64::INFINITY };
        let (passed, left) = (now.since(began).max(SLOT), (self.day.0 + self.usual.end).since(now));
        self.day.1.answered as f64 * left.as_secs_f64() / passed.as_secs_f64()
    }

    fn last_days(&self) -> UsualDay {
        let mut days: Vec<(jiff::civil::Date, UsualDay)> = Vec::new();
        for slot in self.slots.iter().rev().filter(|slot| slot.start < slot_of(self.day.0)) {
            let date = self.zone.local(slot.start).date();
            let answered = u64::from(slot.answered);
            if let Some((_, day)) = days.last_mut().filter(|(day, _)| *day == date) {
                day.answered += answered;
            } else if days.len() < DAYS_COMPARED {
                let midnight = self.zone.instant(date.at(0, 0, 0, 0));
                days.push((date, UsualDay { answered, end: (slot.start + SLOT).since(midnight) }));
            } else {
                break;
            }
        }
        let both = |one: UsualDay, other: UsualDay| UsualDay {
            answered: one.answered.min(other.answered),
            end: one.end.min(other.end),
        };
        days.into_iter().map(|(_, day)| day).reduce(both).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        Time::parse_rfc3339(text).unwrap()
    }

    fn paris() -> Zone {
        "Europe/Paris".parse().unwrap()
    }

    #[test]
    fn each_window_counts_its_own_calls() {
        let mut budget = Budget::new(paris(), None, Vec::new(), at("2026-05-31T20:00:00Z"));
        for n in 0..100 {
            budget.count(at("2026-05-31T20:10:00Z"), n < 5);
        }
        // The next day in Paris, which is also the next month.
        for _ in 0..50 {
            budget.count(at("2026-05-31T22:10:00Z"), false);
        }
        let [day, block, month] = budget.windows();
        assert_eq!((day.answered, day.abandoned), (50, 0));
        assert_eq!((block.answered, block.abandoned), (150, 5));
        assert_eq!((month.answered, month.abandoned), (50, 0));
        let left = budget.left(0.03);
        assert!((left - (0.03 * 150.0 - 5.0)).abs() < 1e-9, "the overdrawn block is the tightest");
    }

    #[test]
    fn a_restart_begins_with_what_was_counted() {
        let slots = vec![
            SlotCount { start: at("2026-05-30T10:00:00Z"), answered: 70, abandoned: 1 },
            SlotCount { start: at("2026-05-31T08:00:00Z"), answered: 30, abandoned: 2 },
        ];
        let start = Some(at("2026-05-30T09:58:00Z"));
        let budget = Budget::new(paris(), start, slots, at("2026-05-31T12:00:00Z"));
        let [day, block, _] = budget.windows();
        assert_eq!((day.answered, day.abandoned), (30, 2));
        assert_eq!((block.answered, block.abandoned), (100, 3));
    }

    #[test]
    fn what_a_day_still_brings_is_told_by_its_pace_and_by_when_the_days_before_ended() {
        let slot = |text: &str, answered| SlotCount { start: at(text), answered, abandoned: 0 };
        // The first of them ended at 18:00 in Paris, the second at 17:15.
        let slots = vec![
            slot("2026-05-27T07:00:00Z", 100),
            slot("2026-05-27T15:45:00Z", 100),
            slot("2026-05-28T15:00:00Z", 150),
        ];
        let mut budget = Budget::new(paris(), None, slots, at("2026-05-29T06:00:00Z"));
        assert_eq!(budget.expected_today(), 150, "the day with the fewest");
        assert_eq!(budget.answers_to_come_today(at("2026-05-29T07:00:00Z")), f64::INFINITY);
        for minute in 0..60 {
            budget.count(at(&format!("2026-05-29T07:{minute:02}:00Z")), false);
        }
        let to_come = budget.answers_to_come_today(at("2026-05-29T08:00:00Z"));
        assert!((to_come - 60.0 * 7.25).abs() < 1e-9, "{to_come}");
        assert_eq!(budget.answers_to_come_today(at("2026-05-29T15:30:00Z")), 0.0);
        // After a restart it is known when the day began.
        let counted: Vec<SlotCount> = budget.slots.iter().copied().collect();
        let again = Budget::new(paris(), None, counted, at("2026-05-29T08:00:00Z"));
        assert_eq!(again.answers_to_come_today(at("2026-05-29T08:00:00Z")), to_come);
    }

    #[test]
    fn blocks_of_thirty_days_follow_each_other_from_the_campaigns_start() {
        let start = at("2026-03-01T09:00:00Z");
        let mut budget = Budget::new(paris(), Some(start), Vec::new(), start);
        budget.count(start, true);
        budget.count(at("2026-03-31T08:50:00Z"), false);
        assert_eq!(budget.windows()[1].answered, 2);
        budget.count(at("2026-03-31T09:20:00Z"), false);
        assert_eq!(budget.windows()[1], WindowCount { answered: 1, abandoned: 0 });
    }
}
