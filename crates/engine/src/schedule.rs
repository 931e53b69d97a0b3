//! Recurrences: on which dates and at which instants something is to happen, in a zone.

use jiff::ToSpan;
use jiff::civil::{Date, Time as CivilTime, Weekday};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Time;
use crate::zones::Zone;

/// Dates looked at until it is clear that nothing comes any more: a date that comes every four years, skipped by holidays,
/// is found.
const DAYS_LOOKED_AT: u32 = 366 * 9;

/// On which dates something happens.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "every", deny_unknown_fields)]
pub enum Recurrence {
    /// On one date.
    Once {
        /// Which.
        #[schemars(with = "String")]
        date: Date,
    },
    /// Every day, or every so many.
    Day {
        /// The first.
        #[schemars(with = "String")]
        from: Date,
        /// From one to the next, in days, 1 to 365.
        #[serde(default = "one")]
        step: u16,
    },
    /// On days of the week, every week or every so many. A week begins on Monday (ISO 8601).
    Week {
        /// In the week of this date and not before it.
        #[schemars(with = "String")]
        from: Date,
        /// From one to the next, in weeks, 1 to 52.
        #[serde(default = "one")]
        step: u16,
        /// On which days.
        days: Vec<DayOfWeek>,
    },
    /// On a day of the month, every month or every so many. A month that has no such day is passed over.
    Month {
        /// In the month of this date and not before it.
        #[schemars(with = "String")]
        from: Date,
        /// From one to the next, in months, 1 to 12.
        #[serde(default = "one")]
        step: u16,
        /// On this day of the month, 1 to 31.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        day: Option<i8>,
        /// Or on the so-manieth of this weekday: 1 to 4, or -1 for the last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        weekday: Option<(i8, DayOfWeek)>,
    },
}

fn one() -> u16 {
    1
}

/// A day of the week.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DayOfWeek {
    /// Monday.
    Monday,
    /// Tuesday.
    Tuesday,
    /// Wednesday.
    Wednesday,
    /// Thursday.
    Thursday,
    /// Friday.
    Friday,
    /// Saturday.
    Saturday,
    /// Sunday.
    Sunday,
}

impl DayOfWeek {
    fn weekday(self) -> Weekday {
        match self {
            Self::Monday => Weekday::Monday,
            Self::Tuesday => Weekday::Tuesday,
            Self::Wednesday => Weekday::Wednesday,
            Self::Thursday => Weekday::Thursday,
            Self::Friday => Weekday::Friday,
            Self::Saturday => Weekday::Saturday,
            Self::Sunday => Weekday::Sunday,
        }
    }
}

impl Recurrence {
    /// Whether it can be: steps and days are in their ranges, and a month names one kind of day.
    pub fn is_possible(&self) -> bool {
        match self {
            Self::Once { .. } => true,
            Self::Day { step, .. } => (1..=365).contains(step),
            Self::Week { step, days, .. } => (1..=52).contains(step) && !days.is_empty(),
            Self::Month { step, day, weekday, .. } => {
                let is_day = |day: &i8| (1..=31).contains(day);
                let is_weekday = |(place, _): &(i8, DayOfWeek)| (1..=4).contains(place) || *place == -1;
                (1..=12).contains(step)
                    && (day.is_some() != weekday.is_some())
                    && day.as_ref().is_none_or(is_day)
                    && weekday.as_ref().is_none_or(is_weekday)
            }
        }
    }

    /// Whether it happens on a date.
    pub fn is_on(&self, date: Date) -> bool {
        let days_since = |from: Date| i64::from(from.until(date).map_or(-1, |span| span.get_days()));
        match self {
            Self::Once { date: only } => *only == date,
            Self::Day { from, step } => date >= *from && days_since(*from) % i64::from(*step) == 0,
            Self::Week { from, step, days } => {
                let monday = |date: Date| {
                    let back = i64::from(date.weekday().to_monday_zero_offset());
                    date.checked_sub(back.days()).unwrap_or(date)
                };
                let weeks =
                    i64::from(monday(*from).until(monday(date)).map_or(-1, |span| span.get_days())) / 7;
                date >= *from
                    && weeks % i64::from(*step) == 0
                    && days.iter().any(|day| day.weekday() == date.weekday())
            }
            Self::Month { from, step, day, weekday } => {
                let month = |date: Date| i64::from(date.year()) * 12 + i64::from(date.month());
                let is_day = day.is_some_and(|day| day == date.day());
                let is_weekday = weekday.is_some_and(|(place, day)| {
                    date.nth_weekday_of_month(place, day.weekday()).is_ok_and(|found| found == date)
                });
                date >= *from
                    && (month(date) - month(*from)) % i64::from(*step) == 0
                    && (is_day || is_weekday)
            }
        }
    }
}

/// When something happens: dates but for holidays, at times of day, in a zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Timetable<'a> {
    /// On which dates.
    pub recurrence: &'a Recurrence,
    /// But not on these.
    pub holidays: &'a [Date],
    /// At which times of the day, in the order of the steps.
    pub times: &'a [CivilTime],
    /// In which zone.
    pub zone: &'a Zone,
}

/// One time at which one step happens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Occurrence {
    /// When. A local time that does not exist is the instant after the gap; one that exists twice is the first.
    pub at: Time,
    /// Which step.
    pub step: usize,
}

impl Timetable<'_> {
    /// What happens after an instant until another, the first first; at most `limit`.
    pub fn between(&self, after: Time, until: Time, limit: usize) -> Vec<Occurrence> {
        let mut found = Vec::new();
        // A zone's local date may be a day off that of UTC, and a gap may move a time into the next day.
        let mut date = self.zone.local(after).date().checked_sub(1.day()).unwrap_or(Date::MIN);
        for _ in 0..DAYS_LOOKED_AT {
            if self.recurrence.is_on(date) && !self.holidays.contains(&date) {
                let mut of_day: Vec<Occurrence> = self
                    .times
                    .iter()
                    .enumerate()
                    .map(|(step, time)| Occurrence { at: self.zone.instant(date.to_datetime(*time)), step })
                    .filter(|occurrence| occurrence.at > after && occurrence.at <= until)
                    .collect();
                of_day.sort();
                found.extend(of_day);
                if found.len() >= limit {
                    found.truncate(limit);
                    return found;
                }
            }
            match date.tomorrow() {
                Ok(tomorrow) if self.zone.instant(date.to_datetime(CivilTime::midnight())) <= until => {
                    date = tomorrow
                }
                _ => break,
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::{date, time};
    use proptest::prelude::*;

    fn instants(
        recurrence: &Recurrence,
        at: &[CivilTime],
        zone: &str,
        from: &str,
        count: usize,
    ) -> Vec<String> {
        let zone: Zone = zone.parse().unwrap();
        let timetable = Timetable { recurrence, holidays: &[date(2026, 12, 25)], times: at, zone: &zone };
        let from = Time::parse_rfc3339(from).unwrap();
        timetable.between(from, Time::NEVER, count).iter().map(|it| it.at.to_rfc3339()).collect()
    }

    #[test]
    fn the_hour_stays_the_same_across_daylight_saving_changes() {
        let daily = Recurrence::Day { from: date(2026, 1, 1), step: 1 };
        let at = [time(9, 0, 0, 0)];
        assert_eq!(
            instants(&daily, &at, "Europe/Paris", "2026-03-27T23:00:00Z", 3),
            ["2026-03-28T08:00:00Z", "2026-03-29T07:00:00Z", "2026-03-30T07:00:00Z"]
        );
        // 02:30 does not exist on 29 March, and exists twice on 25 October.
        let night = [time(2, 30, 0, 0)];
        assert_eq!(
            instants(&daily, &night, "Europe/Paris", "2026-03-28T12:00:00Z", 1),
            ["2026-03-29T01:30:00Z"]
        );
        assert_eq!(
            instants(&daily, &night, "Europe/Paris", "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
    }

    #[test]
    fn weeks_months_and_holidays() {
        let weekly = Recurrence::Week {
            from: date(2026, 12, 16),
            step: 2,
            days: vec![DayOfWeek::Monday, DayOfWeek::Friday],
        };
        // The Friday of the first week; the week after is passed over; the Monday after that.
        assert_eq!(
            instants(&weekly, &[time(8, 0, 0, 0)], "UTC", "2026-12-01T00:00:00Z", 3),
            ["2026-12-18T08:00:00Z", "2026-12-28T08:00:00Z", "2027-01-01T08:00:00Z"]
        );
        let monthly = Recurrence::Month { from: date(2026, 1, 1), step: 1, day: Some(31), weekday: None };
        assert_eq!(
            instants(&monthly, &[time(8, 0, 0, 0)], "UTC", "2026-01-31T08:00:00Z", 2),
            ["2026-03-31T08:00:00Z", "2026-05-31T08:00:00Z"]
        );
        let last = Recurrence::Month {
            from: date(2026, 11, 1),
            step: 1,
            day: None,
            weekday: Some((-1, DayOfWeek::Friday)),
        };
        assert_eq!(
            instants(&last, &[time(8, 0, 0, 0)], "UTC", "2026-11-01T00:00:00Z", 2),
            ["2026-11-27T08:00:00Z", "2027-01-29T08:00:00Z"],
            "the last Friday of December is a holiday"
        );
        let once = Recurrence::Once { date: date(2026, 11, 30) };
        assert_eq!(
            instants(&once, &[time(18, 0, 0, 0), time(9, 0, 0, 0)], "UTC", "2026-11-01T00:00:00Z", 9),
            ["2026-11-30T09:00:00Z", "2026-11-30T18:00:00Z"]
        );
    }

    #[test]
    fn what_cannot_be_is_told() {
        let from = date(2026, 1, 1);
        for bad in [
            Recurrence::Day { from, step: 0 },
            Recurrence::Week { from, step: 1, days: vec![] },
            Recurrence::Month { from, step: 1, day: None, weekday: None },
            Recurrence::Month { from, step: 1, day: Some(32), weekday: None },
            Recurrence::Month { from, step: 1, day: None, weekday: Some((5, DayOfWeek::Monday)) },
        ] {
            assert!(!bad.is_possible(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn occurrences_are_in_order_and_every_cut_gives_the_same(step in 1_u16..40, cut in 0_i64..40_000_000, zone in 0..3_usize) {
            let zone: Zone = ["Europe/Paris", "America/New_York", "Pacific/Apia"][zone].parse().unwrap();
            let recurrence = Recurrence::Day { from: date(2026, 1, 1), step };
            let times = [time(23, 30, 0, 0), time(2, 15, 0, 0)];
            let timetable = Timetable { recurrence: &recurrence, holidays: &[], times: &times, zone: &zone };
            let start = Time::parse_rfc3339("2026-01-01T00:00:00Z").unwrap();
            let end = Time::parse_rfc3339("2027-06-01T00:00:00Z").unwrap();
            let middle = start + std::time::Duration::from_secs(cut as u64);
            let whole = timetable.between(start, end, usize::MAX);
            prop_assert!(whole.is_sorted());
            let mut parts = timetable.between(start, middle, usize::MAX);
            parts.extend(timetable.between(middle, end, usize::MAX));
            prop_assert_eq!(whole, parts);
        }
    }
}
