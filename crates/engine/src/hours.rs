//! Calling hours: is this local minute open, and when does it open next?

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, Time as CivilTime, Weekday};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::Time;
use crate::zones::{Zone, ZoneSet};

/// Minutes in a day.
const DAY_MINUTES: u16 = 24 * 60;
/// How far ahead the next opening is looked for. A year covers every weekly pattern and all dated exceptions that a
/// person plans for; what opens later counts as never.
const LOOK_AHEAD_DAYS: u16 = 370;

/// A part of a local day, from the first minute (inclusive) until the last (exclusive). Text: `09:00`–`24:00`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "DayWindowText", into = "DayWindowText")]
#[schemars(with = "DayWindowText")]
pub struct DayWindow {
    from_minute: u16,
    until_minute: u16,
}

/// How a [`DayWindow`] is written in the API.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DayWindowText {
    /// First open minute, `HH:MM`.
    from: String,
    /// First closed minute, `HH:MM`; `24:00` is midnight at the end of the day.
    until: String,
}

/// A window that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadWindow {
    /// Not a time of day.
    #[error("'{0}' is not a time of day (HH:MM, 00:00 to 24:00)")]
    NotATime(String),
    /// It would be open for no minute, or cross midnight.
    #[error("a window must end after it begins: split one that crosses midnight into two")]
    Empty,
}

impl DayWindow {
    /// All day.
    pub const ALL_DAY: Self = Self { from_minute: 0, until_minute: DAY_MINUTES };

    /// From minutes since local midnight.
    ///
    /// # Errors
    /// The window is empty or ends after 24:00.
    pub fn new(from_minute: u16, until_minute: u16) -> Result<Self, BadWindow> {
        if from_minute < until_minute && until_minute <= DAY_MINUTES {
            Ok(Self { from_minute, until_minute })
        } else {
            Err(BadWindow::Empty)
        }
    }

    /// From two texts `HH:MM`.
    ///
    /// # Errors
    /// One of them is no time of day, or the window is empty.
    pub fn parse(from: &str, until: &str) -> Result<Self, BadWindow> {
        Self::new(minute_of_day(from)?, minute_of_day(until)?)
    }

    /// First open minute of the day, 0 to 1439.
    pub fn from_minute(self) -> u16 {
        self.from_minute
    }

    /// First closed minute, 1 to 1440.
    pub fn until_minute(self) -> u16 {
        self.until_minute
    }

    fn contains(self, minute: u16) -> bool {
        (self.from_minute..self.until_minute).contains(&minute)
    }

    fn intersection(self, other: Self) -> Option<Self> {
        Self::new(self.from_minute.max(other.from_minute), self.until_minute.min(other.until_minute)).ok()
    }
}

impl fmt::Display for DayWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, until) = (self.from_minute, self.until_minute);
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, until / 60, until % 60)
    }
}

impl FromStr for DayWindow {
    type Err = BadWindow;
    /// Reads `HH:MM-HH:MM`.
    fn from_str(text: &str) -> Result<Self, BadWindow> {
        let (from, until) = text.split_once('-').ok_or_else(|| BadWindow::NotATime(text.to_owned()))?;
        Self::parse(from, until)
    }
}

impl TryFrom<DayWindowText> for DayWindow {
    type Error = BadWindow;
    fn try_from(text: DayWindowText) -> Result<Self, BadWindow> {
        Self::parse(&text.from, &text.until)
    }
}

impl From<DayWindow> for DayWindowText {
    fn from(window: DayWindow) -> Self {
        let text = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        Self { from: text(window.from_minute), until: text(window.until_minute) }
    }
}

fn minute_of_day(text: &str) -> Result<u16, BadWindow> {
    let bad = || BadWindow::NotATime(text.to_owned());
    let (hours, minutes) = text.trim().split_once(':').ok_or_else(bad)?;
    if hours.is_empty() || hours.len() > 2 || minutes.len() != 2 {
        return Err(bad());
    }
    let hours: u16 = hours.parse().map_err(|_| bad())?;
    let minutes: u16 = minutes.parse().map_err(|_| bad())?;
    let minute = hours * 60 + minutes;
    if minutes < 60 && minute <= DAY_MINUTES { Ok(minute) } else { Err(bad()) }
}

/// Open windows of each weekday.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WeeklyHours {
    /// Windows of Mondays; none means closed. So for each day.
    pub monday: Vec<DayWindow>,
    /// Tuesdays.
    pub tuesday: Vec<DayWindow>,
    /// Wednesdays.
    pub wednesday: Vec<DayWindow>,
    /// Thursdays.
    pub thursday: Vec<DayWindow>,
    /// Fridays.
    pub friday: Vec<DayWindow>,
    /// Saturdays.
    pub saturday: Vec<DayWindow>,
    /// Sundays.
    pub sunday: Vec<DayWindow>,
}

/// Other windows on one date, such as a public holiday.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatedException {
    /// The local date, `YYYY-MM-DD`.
    #[serde(with = "date_text")]
    #[schemars(with = "String")]
    pub date: Date,
    /// The windows of that date instead of its weekday's; none means closed.
    #[serde(default)]
    pub windows: Vec<DayWindow>,
}

mod date_text {
    use super::{Date, Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(date: &Date, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(date)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// When people may be called, in the called party's own local time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallingHours {
    /// The windows of each weekday.
    pub weekly: WeeklyHours,
    /// Dates with windows of their own.
    #[serde(default)]
    pub exceptions: Vec<DatedException>,
}

/// Open or closed, and the instant until which that holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Openness {
    /// Open until this instant.
    Open {
        /// First instant that is closed again.
        until: Time,
    },
    /// Closed; opens next at this instant, [`Time::NEVER`] if not within a year.
    Closed {
        /// First instant that is open.
        opens: Time,
    },
}

impl CallingHours {
    /// Open at every minute. For tests and demonstrations only: no law allows it.
    pub fn always() -> Self {
        let all = || vec![DayWindow::ALL_DAY];
        Self {
            weekly: WeeklyHours {
                monday: all(),
                tuesday: all(),
                wednesday: all(),
                thursday: all(),
                friday: all(),
                saturday: all(),
                sunday: all(),
            },
            exceptions: Vec::new(),
        }
    }

    /// Monday to Saturday 09:00–20:00: inside the hours of 47 CFR 64.1200(c)(1) (08:00–21:00), of the strictest
    /// US states that allow Saturdays, and of German and French practice on working days.
    pub fn cautious() -> Self {
        let day = || vec![DayWindow { from_minute: 9 * 60, until_minute: 20 * 60 }];
        Self {
            weekly: WeeklyHours {
                monday: day(),
                tuesday: day(),
                wednesday: day(),
                thursday: day(),
                friday: day(),
                saturday: day(),
                sunday: Vec::new(),
            },
            exceptions: Vec::new(),
        }
    }

    /// Whether a person in these zones, reached on a phone with this window of its own, may be called at `now`:
    /// every candidate zone must be open.
    pub fn openness(&self, now: Time, zones: &ZoneSet, own_window: Option<DayWindow>) -> Openness {
        let mut until = Time::NEVER;
        let mut all_open = true;
        for zone in zones.zones() {
            match self.openness_in(now, zone, own_window) {
                Openness::Open { until: closes } => until = until.min(closes),
                Openness::Closed { .. } => all_open = false,
            }
        }
        if all_open {
            return Openness::Open { until };
        }
        Openness::Closed { opens: self.next_open(now, zones, own_window) }
    }

    /// The first instant at or after `now` at which all zones are open together.
    fn next_open(&self, now: Time, zones: &ZoneSet, own_window: Option<DayWindow>) -> Time {
        let mut candidate = now;
        // Each round moves to a later opening of some zone; a zone opens a few times a day at most.
        for _ in 0..usize::from(LOOK_AHEAD_DAYS) * 8 {
            let mut latest = candidate;
            for zone in zones.zones() {
                if let Openness::Closed { opens } = self.openness_in(candidate, zone, own_window) {
                    latest = latest.max(opens);
                }
            }
            if latest == candidate || latest == Time::NEVER {
                return latest;
            }
            candidate = latest;
        }
        Time::NEVER
    }

    fn openness_in(&self, now: Time, zone: &Zone, own_window: Option<DayWindow>) -> Openness {
        let local = zone.local(now);
        let minute = minute_of(local);
        let mut date = local.date();
        let mut earliest_minute = minute;
        for day in 0..=LOOK_AHEAD_DAYS {
            for window in self.windows_of(date, own_window) {
                if day == 0 && window.contains(minute) {
                    return Openness::Open { until: self.closing(zone, date, window, own_window) };
                }
                if window.from_minute >= earliest_minute {
                    let opens = zone.instant(at_minute(date, window.from_minute));
                    // An instant that a fold or gap puts before now is not a later opening.
                    if opens > now {
                        return Openness::Closed { opens };
                    }
                }
            }
            match date.tomorrow() {
                Ok(tomorrow) => date = tomorrow,
                Err(_) => break,
            }
            earliest_minute = 0;
        }
        Openness::Closed { opens: Time::NEVER }
    }

    /// When an open window ends, seeing through midnight where the next day goes on at 00:00.
    fn closing(&self, zone: &Zone, date: Date, window: DayWindow, own_window: Option<DayWindow>) -> Time {
        let (mut date, mut until) = (date, window.until_minute);
        for _ in 0..7 {
            if until < DAY_MINUTES {
                break;
            }
            let Ok(tomorrow) = date.tomorrow() else { break };
            match self.windows_of(tomorrow, own_window).first() {
                Some(next) if next.from_minute == 0 => (date, until) = (tomorrow, next.until_minute),
                _ => break,
            }
        }
        if until == DAY_MINUTES {
            return date.tomorrow().map_or(Time::NEVER, |tomorrow| zone.instant(at_minute(tomorrow, 0)));
        }
        zone.instant(at_minute(date, until))
    }

    /// The open windows of a date, in order, cut down to the phone's own window and joined where they touch.
    fn windows_of(&self, date: Date, own_window: Option<DayWindow>) -> Vec<DayWindow> {
        let exception = self.exceptions.iter().find(|exception| exception.date == date);
        let windows = match exception {
            Some(exception) => &exception.windows,
            None => match date.weekday() {
                Weekday::Monday => &self.weekly.monday,
                Weekday::Tuesday => &self.weekly.tuesday,
                Weekday::Wednesday => &self.weekly.wednesday,
                Weekday::Thursday => &self.weekly.thursday,
                Weekday::Friday => &self.weekly.friday,
                Weekday::Saturday => &self.weekly.saturday,
                Weekday::Sunday => &self.weekly.sunday,
            },
        };
        let mut cut: Vec<DayWindow> = windows
            .iter()
            .filter_map(|window| window.intersection(own_window.unwrap_or(DayWindow::ALL_DAY)))
            .collect();
        cut.sort_unstable();
        cut.dedup_by(|next, previous| {
            let touches = next.from_minute <= previous.until_minute;
            if touches {
                previous.until_minute = previous.until_minute.max(next.until_minute);
            }
            touches
        });
        cut
    }
}

fn minute_of(local: DateTime) -> u16 {
    u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs())
}

fn at_minute(date: Date, minute: u16) -> DateTime {
    let (hour, minute) = ((minute / 60) as i8, (minute % 60) as i8);
    DateTime::from_parts(date, CivilTime::constant(hour, minute, 0, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        Time::parse_rfc3339(text).unwrap()
    }

    fn zones(text: &str) -> ZoneSet {
        text.parse().unwrap()
    }

    #[test]
    fn a_person_is_called_by_the_clock_on_their_own_wall() {
        let hours = CallingHours::cautious();
        let noon_in_paris = at("2026-11-20T11:00:00Z");
        assert_eq!(
            hours.openness(noon_in_paris, &zones("Europe/Paris"), None),
            Openness::Open { until: at("2026-11-20T19:00:00Z") }
        );
        assert_eq!(
            hours.openness(noon_in_paris, &zones("America/Los_Angeles"), None),
            Openness::Closed { opens: at("2026-11-20T17:00:00Z") }
        );
    }

    #[test]
    fn a_number_of_several_zones_is_open_only_when_all_of_them_are() {
        let hours = CallingHours::cautious();
        let both = zones("America/New_York,America/Los_Angeles");
        // 09:30 in New York, 06:30 in Los Angeles.
        assert_eq!(
            hours.openness(at("2026-11-20T14:30:00Z"), &both, None),
            Openness::Closed { opens: at("2026-11-20T17:00:00Z") }
        );
        assert_eq!(
            hours.openness(at("2026-11-20T18:00:00Z"), &both, None),
            Openness::Open { until: at("2026-11-21T01:00:00Z") }
        );
    }

    #[test]
    fn a_phone_with_a_window_of_its_own_narrows_the_hours() {
        let hours = CallingHours::cautious();
        let window = DayWindow::parse("18:00", "23:00").unwrap();
        assert_eq!(
            hours.openness(at("2026-11-20T11:00:00Z"), &zones("Europe/Paris"), Some(window)),
            Openness::Closed { opens: at("2026-11-20T17:00:00Z") }
        );
        assert_eq!(
            hours.openness(at("2026-11-20T18:30:00Z"), &zones("Europe/Paris"), Some(window)),
            Openness::Open { until: at("2026-11-20T19:00:00Z") }
        );
    }

    #[test]
    fn a_dated_exception_replaces_its_weekday() {
        let mut hours = CallingHours::cautious();
        hours.exceptions.push(DatedException { date: "2026-12-25".parse().unwrap(), windows: vec![] });
        // Friday 25 December is closed, Saturday opens at nine.
        assert_eq!(
            hours.openness(at("2026-12-25T11:00:00Z"), &zones("Europe/Paris"), None),
            Openness::Closed { opens: at("2026-12-26T08:00:00Z") }
        );
    }

    #[test]
    fn the_opening_after_a_change_of_clocks_is_at_the_new_offset() {
        let hours = CallingHours::cautious();
        // Paris leaves summer time on Sunday 25 October 2026; Monday 09:00 is then 08:00 UTC.
        assert_eq!(
            hours.openness(at("2026-10-24T19:00:00Z"), &zones("Europe/Paris"), None),
            Openness::Closed { opens: at("2026-10-26T08:00:00Z") }
        );
    }

    #[test]
    fn hours_that_go_through_midnight_do_not_close_there() {
        assert!(matches!(
            CallingHours::always().openness(at("2026-11-20T22:30:00Z"), &zones("Europe/Paris"), None),
            Openness::Open { until } if until > at("2026-11-25T00:00:00Z")
        ));
    }

    #[test]
    fn hours_that_never_open_say_so() {
        let never = CallingHours { weekly: WeeklyHours::default(), exceptions: Vec::new() };
        assert_eq!(
            never.openness(at("2026-11-20T22:30:00Z"), &zones("UTC"), None),
            Openness::Closed { opens: Time::NEVER }
        );
    }

    #[test]
    fn windows_that_cannot_be_are_refused_by_name() {
        assert_eq!(DayWindow::parse("20:00", "09:00"), Err(BadWindow::Empty));
        assert_eq!(DayWindow::parse("9", "10:00"), Err(BadWindow::NotATime("9".into())));
        assert_eq!(DayWindow::parse("09:00", "24:01"), Err(BadWindow::NotATime("24:01".into())));
        assert_eq!(DayWindow::parse("09:00", "24:00").unwrap().until_minute(), 1440);
    }
}
