//! Time zones of the called party, by IANA name.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::Time;

/// The text is not the name of a time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an IANA time zone (such as Europe/Paris)")]
pub struct UnknownZone(pub String);

/// One time zone from the IANA database that is built in.
#[derive(Clone)]
pub struct Zone {
    zone: TimeZone,
    name: Box<str>,
}

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self { zone: TimeZone::UTC, name: "UTC".into() }
    }

    /// Its IANA name, in the database's own spelling.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The zone for calendar arithmetic.
    pub fn time_zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The local calendar time at `now`.
    pub fn local(&self, now: Time) -> jiff::civil::DateTime {
        let timestamp =
            jiff::Timestamp::from_microsecond(now.as_micros()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        self.zone.to_datetime(timestamp)
    }

    /// How far its clocks are ahead of UTC at `now`, in seconds; negative west of it.
    pub fn seconds_east(&self, now: Time) -> i32 {
        let timestamp =
            jiff::Timestamp::from_microsecond(now.as_micros()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        self.zone.to_offset(timestamp).seconds()
    }

    /// The instant of a local calendar time. In a gap the time after it, in a fold the first of the two.
    pub fn instant(&self, local: jiff::civil::DateTime) -> Time {
        match self.zone.to_ambiguous_timestamp(local).compatible() {
            Ok(timestamp) => Time::from_micros(timestamp.as_microsecond()),
            Err(_) => Time::NEVER,
        }
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownZone(text.to_owned());
        let zone = TimeZone::get(text.trim()).map_err(|_| unknown())?;
        let name = zone.iana_name().ok_or_else(unknown)?.into();
        Ok(Self { zone, name })
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
impl Eq for Zone {}
impl PartialOrd for Zone {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Zone {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.name.cmp(&other.name)
    }
}
impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name)
    }
}
impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
impl JsonSchema for Zone {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Zone".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "IANA time zone", "examples": ["Europe/Paris"] })
    }
}

/// Every zone in which a called party may be: one if it is known, several if a number's area spans them.
///
/// A person whose zone is not certain is called only when all candidates are open (16 CFR 310.4(c) speaks of the
/// called person's location, so doubt must not widen the hours). Never empty. Its text form is the sorted names with
/// commas between.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ZoneSet(Vec<Zone>);

impl ZoneSet {
    /// One certain zone.
    pub fn one(zone: Zone) -> Self {
        Self(vec![zone])
    }

    /// The set of these zones; `None` if there are none.
    pub fn new(mut zones: Vec<Zone>) -> Option<Self> {
        zones.sort();
        zones.dedup();
        if zones.is_empty() { None } else { Some(Self(zones)) }
    }

    /// The zones, sorted by name.
    pub fn zones(&self) -> &[Zone] {
        &self.0
    }
}

impl fmt::Display for ZoneSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, zone) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            f.write_str(zone.name())?;
        }
        Ok(())
    }
}

impl FromStr for ZoneSet {
    type Err = UnknownZone;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let zones = text.split(',').map(str::parse).collect::<Result<Vec<Zone>, _>>()?;
        Self::new(zones).ok_or_else(|| UnknownZone(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_sorted_and_reads_back_from_its_text() {
        let set: ZoneSet = "Europe/Paris,America/Boise,Europe/Paris".parse().unwrap();
        assert_eq!(set.to_string(), "America/Boise,Europe/Paris");
        assert_eq!(set.to_string().parse::<ZoneSet>().unwrap(), set);
    }

    #[test]
    fn what_is_no_zone_is_refused_by_name() {
        assert_eq!("Mars/Olympus".parse::<Zone>(), Err(UnknownZone("Mars/Olympus".into())));
        assert!("".parse::<ZoneSet>().is_err());
    }
}
