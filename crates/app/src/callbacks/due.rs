//! When a callback is due, as callers say it.

use std::time::Duration;

use engine::{TenantId, Time, Zone};
use store::Tx;
use store::records::tenants;

use crate::{AppError, Fault};

/// How far ahead a callback may be made.
const AHEAD_MAX: Duration = Duration::from_secs(3650 * 86_400);
/// A due instant this much in the past counts as now: clocks differ, and requests travel.
const PAST_TOLERANCE: Duration = Duration::from_secs(60);

/// When to call.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Due {
    /// At once.
    #[default]
    Now,
    /// At this instant.
    At(Time),
    /// ISO 8601: with an offset, or a date and time in the tenant's zone.
    Text(String),
    /// Date, time and zone apart.
    Commitment {
        /// `YYYY-MM-DD`.
        date: String,
        /// `HH:MM` or `HH:MM:SS`.
        time: String,
        /// IANA name; the tenant's zone if none.
        zone: Option<String>,
    },
}

impl Due {
    /// The instant, not before now; what is wrong with it is added to the faults.
    pub(super) fn read(&self, own: &Zone, now: Time, faults: &mut Vec<Fault>) -> Option<Time> {
        let bad = |code, field, message: String| Fault::new(code, field, message);
        let read = match self {
            Self::Now => Ok(now),
            Self::At(at) => Ok(*at),
            Self::Text(text) => read_instant(text, own).ok_or_else(|| {
                bad(
                    "bad_date",
                    "due",
                    format!("'{text}' is no date and time: write 2027-01-31T09:30:00+01:00"),
                )
            }),
            Self::Commitment { date, time, zone } => match zone.as_deref().map(str::parse::<Zone>) {
                Some(Err(_)) => {
                    let message = "give a name of the IANA time zone database, such as Europe/Paris";
                    Err(bad("unknown_zone", "zone", message.to_owned()))
                }
                zone => {
                    let zone = zone.and_then(Result::ok).unwrap_or_else(|| own.clone());
                    read_local(&format!("{}T{}", date.trim(), time.trim()), &zone).ok_or_else(|| {
                        bad("bad_date", "date", "give date as 2027-01-31 and time as 09:30".to_owned())
                    })
                }
            },
        };
        match read {
            Ok(due) if due + PAST_TOLERANCE < now => {
                let message =
                    format!("{} is over: give a time to come, or none to call at once", due.to_rfc3339());
                faults.push(bad("past_date", "due", message));
                None
            }
            Ok(due) if due > now + AHEAD_MAX => {
                faults.push(bad("out_of_range", "due", "a callback is at most ten years ahead".to_owned()));
                None
            }
            Ok(due) => Some(due.max(now)),
            Err(fault) => {
                faults.push(fault);
                None
            }
        }
    }
}

/// ISO 8601 with an offset, or without one in a zone.
fn read_instant(text: &str, zone: &Zone) -> Option<Time> {
    let text = text.trim();
    Time::parse_rfc3339(text).ok().or_else(|| read_local(text, zone))
}

/// When something ends that is good until a text: an instant as [`read_instant`] takes it, or the end of a date.
pub(crate) fn read_end(text: &str, zone: &Zone) -> Option<Time> {
    read_instant(text, zone).or_else(|| {
        let date: jiff::civil::Date = text.trim().parse().ok()?;
        Some(zone.instant(date.tomorrow().ok()?.to_datetime(jiff::civil::Time::midnight())))
    })
}

fn read_local(text: &str, zone: &Zone) -> Option<Time> {
    // A date alone says no time to call at.
    let has_time = text.contains(':');
    let local: jiff::civil::DateTime = text.replacen(' ', "T", 1).parse().ok().filter(|_| has_time)?;
    Some(zone.instant(local))
}

/// The zone in which a tenant's instants without an offset are read.
pub(crate) fn zone_of(tx: &mut Tx<'_>, tenant: TenantId) -> Result<Zone, AppError> {
    let zone = tenants::get(tx, tenant)?.and_then(|tenant| tenant.zone);
    Ok(zone.and_then(|name| name.parse().ok()).unwrap_or_else(Zone::utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(due: Due) -> Result<String, &'static str> {
        let zone: Zone = "America/New_York".parse().unwrap();
        let now = Time::parse_rfc3339("2027-01-10T12:00:00Z").unwrap();
        let mut faults = Vec::new();
        due.read(&zone, now, &mut faults).map(Time::to_rfc3339).ok_or_else(|| faults[0].code)
    }

    fn text(text: &str) -> Result<String, &'static str> {
        read(Due::Text(text.to_owned()))
    }

    #[test]
    fn an_instant_has_an_offset_or_is_in_the_tenants_zone() {
        assert_eq!(text("2027-01-31T09:30:00+01:00").unwrap(), "2027-01-31T08:30:00Z");
        assert_eq!(text("2027-01-31T09:30").unwrap(), "2027-01-31T14:30:00Z");
        assert_eq!(text("2027-01-31 09:30:00").unwrap(), "2027-01-31T14:30:00Z");
    }

    #[test]
    fn what_is_over_is_refused_but_for_a_minute_in_which_requests_travel() {
        assert_eq!(text("2027-01-10T11:59:30Z").unwrap(), "2027-01-10T12:00:00Z");
        assert_eq!(text("2027-01-10T11:58:00Z").unwrap_err(), "past_date");
        assert_eq!(text("2038-01-10T11:58:00Z").unwrap_err(), "out_of_range");
    }

    #[test]
    fn what_is_no_date_and_time_is_refused() {
        for bad in ["", "soon", "2027-02-30T10:00:00Z", "2027-02-01", "31/01/2027 10:00"] {
            assert_eq!(text(bad).unwrap_err(), "bad_date", "{bad:?}");
        }
    }

    #[test]
    fn a_commitment_has_its_date_time_and_zone_apart() {
        let commitment = |zone: Option<&str>| Due::Commitment {
            date: "2027-06-01".to_owned(),
            time: "10:00".to_owned(),
            zone: zone.map(str::to_owned),
        };
        assert_eq!(read(commitment(Some("Europe/Paris"))).unwrap(), "2027-06-01T08:00:00Z");
        assert_eq!(read(commitment(None)).unwrap(), "2027-06-01T14:00:00Z");
        assert_eq!(read(commitment(Some("Europe/Nowhere"))).unwrap_err(), "unknown_zone");
    }
}
