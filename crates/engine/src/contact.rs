//! A contact as the feed hands it to the hopper, and the order in which contacts are called.

use std::collections::BTreeSet;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::call_result::CallResult;
use crate::callback::Promise;
use crate::hours::DayWindow;
use crate::ids::{AgentId, ContactId, SourceId};
use crate::phone::PhoneNumber;
use crate::time::Time;
use crate::zones::ZoneSet;

/// Phones a contact may have at most (NICE CXone allows 6, VICIdial's alternate numbers are seldom more).
pub const PHONES_MAX: usize = 10;
/// Priority of a contact that names none; 0 is called last, 100 first.
pub const PRIORITY_DEFAULT: u8 = 50;
/// The highest priority.
pub const PRIORITY_MAX: u8 = 100;

/// Everything that decides at which hours a phone may be called: the zones it may be in and its own window.
///
/// Contacts are stored under the bucket of the phone that is to be dialled next, so that "who is callable at this
/// hour" is a question about a few buckets and not about every contact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bucket {
    /// Zones the called party may be in.
    pub zones: ZoneSet,
    /// The phone's own window, if it has one.
    pub window: Option<DayWindow>,
}

/// Identifies a [`Bucket`]; derived from its text, so that every node and database gives the same one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BucketId(pub i64);

impl Bucket {
    /// The text that stands for it: zones, a bar, the window (`Europe/Paris|09:00-12:00`).
    pub fn text(&self) -> String {
        match self.window {
            Some(window) => format!("{}|{window}", self.zones),
            None => format!("{}|", self.zones),
        }
    }

    /// Reads what [`Self::text`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let (zones, window) = text.split_once('|')?;
        let window = if window.is_empty() { None } else { Some(window.parse().ok()?) };
        Some(Self { zones: zones.parse().ok()?, window })
    }

    /// Seconds after midnight UTC between which its phones could be called on the day of `at` as far as zones and own
    /// window say: from when the westernmost zone's window begins to when the easternmost zone's ends. Buckets that are
    /// near each other in this order are open together for most of the day.
    pub fn span(&self, at: Time) -> (i32, i32) {
        let window = self.window.unwrap_or(DayWindow::ALL_DAY);
        let offsets = self.zones.zones().iter().map(|zone| zone.seconds_east(at));
        let (west, east) =
            offsets.fold((i32::MAX, i32::MIN), |(west, east), it| (west.min(it), east.max(it)));
        (60 * i32::from(window.from_minute()) - west, 60 * i32::from(window.until_minute()) - east)
    }

    /// Its identifier: FNV-1a of the text, 63 bits (offset basis and prime as published by Fowler, Noll and Vo).
    /// A year's worth of distinct buckets is in the thousands, so two alike are one chance in 10^12; the store
    /// refuses a second text under one id all the same.
    pub fn id(&self) -> BucketId {
        let hash = self.text().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        BucketId((hash >> 1) as i64)
    }
}

/// What kind of line a number is, as the source says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PhoneKind {
    /// The source does not say.
    #[default]
    Unknown,
    /// At home.
    Home,
    /// At work.
    Work,
    /// A mobile.
    Mobile,
    /// Another kind.
    Other,
}

impl PhoneKind {
    /// The number stored for it.
    pub fn code(self) -> i64 {
        match self {
            Self::Unknown => 0,
            Self::Home => 1,
            Self::Work => 2,
            Self::Mobile => 3,
            Self::Other => 4,
        }
    }

    /// From the stored number; what is not known reads as [`Self::Unknown`].
    pub fn from_code(code: i64) -> Self {
        match code {
            1 => Self::Home,
            2 => Self::Work,
            3 => Self::Mobile,
            4 => Self::Other,
            _ => Self::Unknown,
        }
    }
}

/// Whether a phone may still be dialled.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PhoneStatus {
    /// It may.
    #[default]
    Active,
    /// The network or an agent says the number is of no use.
    Bad,
    /// It is on a suppression list.
    Suppressed,
    /// Its own cap on attempts is reached.
    Exhausted,
}

impl PhoneStatus {
    /// The number stored for it.
    pub fn code(self) -> i64 {
        match self {
            Self::Active => 0,
            Self::Bad => 1,
            Self::Suppressed => 2,
            Self::Exhausted => 3,
        }
    }

    /// From the stored number; what is not known reads as [`Self::Bad`], which is never dialled.
    pub fn from_code(code: i64) -> Self {
        match code {
            0 => Self::Active,
            2 => Self::Suppressed,
            3 => Self::Exhausted,
            _ => Self::Bad,
        }
    }
}

/// One number of a contact, with what has come of it so far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Phone {
    /// Its place in the contact's order, from 0.
    pub position: u8,
    /// The number.
    pub number: PhoneNumber,
    /// What kind of line it is.
    pub kind: PhoneKind,
    /// Whether it may still be dialled.
    pub status: PhoneStatus,
    /// Attempts made on it.
    pub attempts: u16,
    /// Attempts allowed on it; `None` leaves it to the campaign.
    pub attempts_max: Option<u16>,
    /// The number shown to the called party instead of the group's.
    pub caller_id: Option<PhoneNumber>,
    /// Its hours.
    pub bucket: BucketId,
}

impl Phone {
    /// Whether it may be dialled once more.
    pub fn is_dialable(&self) -> bool {
        self.status == PhoneStatus::Active && self.attempts_max.is_none_or(|max| self.attempts < max)
    }
}

/// A contact in the hopper: every rule let it through when it was taken from the store.
#[derive(Clone, PartialEq, Debug)]
pub struct HopperContact {
    /// Who.
    pub contact: ContactId,
    /// Where they come from.
    pub source: SourceId,
    /// The number that their last call showed.
    pub last_caller_id: Option<PhoneNumber>,
    /// Its place in the feed's order; the lowest is dialled first.
    pub rank: Rank,
    /// All its numbers, in order.
    pub phones: SmallVec<[Phone; 2]>,
    /// The position of the number to dial now.
    pub phone: u8,
    /// Zones of that number, for treatments that name a local time.
    pub zones: Arc<ZoneSet>,
    /// Attempts made on all its numbers.
    pub attempts: u16,
    /// How the last attempt ended.
    pub last_result: Option<CallResult>,
    /// How often in a row it ended like that.
    pub last_result_in_a_row: u16,
    /// Whether the call was promised.
    pub is_callback: bool,
    /// The promise itself.
    pub promise: Option<Box<Promise>>,
    /// The agent who should take it, if any.
    pub preferred_agent: Option<AgentId>,
    /// Not to be dialled from this instant on.
    pub expires_at: Option<Time>,
    /// When the calling hours of the number to dial close.
    pub dial_until: Time,
}

impl HopperContact {
    /// The number to dial now.
    pub fn current_phone(&self) -> Option<&Phone> {
        self.phones.iter().find(|phone| phone.position == self.phone)
    }

    /// Whether one of its numbers is among these.
    pub fn has_one_of(&self, numbers: &BTreeSet<PhoneNumber>) -> bool {
        self.phones.iter().any(|phone| numbers.contains(&phone.number))
    }

    /// The next dialable number after the current one in the contact's order, going round once; the current one
    /// comes last.
    pub fn next_phone(&self) -> Option<&Phone> {
        let after = self.phones.iter().filter(|phone| phone.position > self.phone);
        let until = self.phones.iter().filter(|phone| phone.position <= self.phone);
        after.chain(until).find(|phone| phone.is_dialable())
    }
}

/// A contact's place in the feed's order: the lowest comes first.
///
/// From the highest bits: one band (0 callbacks, 1 timed retries, 2 fresh contacts, 3 soft retries, as dialler users
/// know from Nixxis' `SortInfo`), 7 bits of inverted priority, 48 bits of the order rule.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rank(pub i64);

/// The first thing that the order looks at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Band {
    /// A promised call that is due.
    Callback = 0,
    /// A retry at a named time.
    TimedRetry = 1,
    /// Never called.
    Fresh = 2,
    /// A retry after a delay.
    Retry = 3,
}

/// In which order contacts of equal band and priority are called.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FeedOrder {
    /// Those that came first.
    #[default]
    OldestFirst,
    /// Those that came last.
    NewestFirst,
    /// No order, but the same one at every look.
    Shuffled,
}

/// The lowest 48 bits.
const ORDER_MASK: u64 = (1 << 48) - 1;

impl Rank {
    /// The rank of a contact. `sequence` grows with arrival (see [`Self::sequence`]); `priority` is 0 to 100.
    pub fn new(band: Band, priority: u8, order: FeedOrder, sequence: u64) -> Self {
        let sequence = sequence & ORDER_MASK;
        let ordered = match order {
            FeedOrder::OldestFirst => sequence,
            FeedOrder::NewestFirst => ORDER_MASK - sequence,
            FeedOrder::Shuffled => shuffle(sequence) & ORDER_MASK,
        };
        let urgency = u64::from(PRIORITY_MAX - priority.min(PRIORITY_MAX));
        Self(((band as i64) << 56) | ((urgency as i64) << 48) | ordered as i64)
    }

    /// The same rank in another band.
    pub fn in_band(self, band: Band) -> Self {
        Self((self.0 & !(0x7f << 56)) | ((band as i64) << 56))
    }

    /// The same rank with another priority, 0 to 100.
    pub fn with_priority(self, priority: u8) -> Self {
        let urgency = i64::from(PRIORITY_MAX - priority.min(PRIORITY_MAX));
        Self((self.0 & !(0xff << 48)) | (urgency << 48))
    }

    /// A number that grows with arrival: units of 16 µs since the epoch (48 bits last until the year 2112) plus the
    /// record's place in its batch.
    pub fn sequence(arrived: Time, place: u64) -> u64 {
        (u64::try_from(arrived.as_micros()).unwrap_or(0) / 16).wrapping_add(place)
    }
}

/// SplitMix64's finaliser (Steele, Lea and Flood 2014): a bijection that looks random.
fn shuffle(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_callbacks_come_before_retries_and_those_before_fresh_ones() {
        let rank = |band| Rank::new(band, 0, FeedOrder::OldestFirst, 1);
        assert!(rank(Band::Callback) < rank(Band::TimedRetry));
        assert!(rank(Band::TimedRetry) < Rank::new(Band::Fresh, 100, FeedOrder::OldestFirst, 0));
        assert!(rank(Band::Fresh) < rank(Band::Retry));
        assert_eq!(rank(Band::Retry).in_band(Band::Callback), rank(Band::Callback));
    }

    #[test]
    fn higher_priority_is_called_first_and_then_the_order_rule_decides() {
        let fresh = |priority, order, sequence| Rank::new(Band::Fresh, priority, order, sequence);
        assert!(fresh(80, FeedOrder::OldestFirst, 9) < fresh(20, FeedOrder::OldestFirst, 1));
        assert!(fresh(50, FeedOrder::OldestFirst, 1) < fresh(50, FeedOrder::OldestFirst, 2));
        assert!(fresh(50, FeedOrder::NewestFirst, 2) < fresh(50, FeedOrder::NewestFirst, 1));
    }

    #[test]
    fn a_bucket_reads_back_from_its_text() {
        let bucket = Bucket {
            zones: "Europe/Paris,America/Boise".parse().unwrap(),
            window: Some(DayWindow::parse("09:00", "12:00").unwrap()),
        };
        assert_eq!(Bucket::parse(&bucket.text()), Some(bucket.clone()));
        assert_ne!(bucket.id(), Bucket { window: None, ..bucket.clone() }.id());
    }

    #[test]
    fn a_buckets_span_begins_in_its_westernmost_zone_and_ends_in_its_easternmost() {
        let at = Time::from_micros(1_800_000_000_000_000); // January 2027: no summer time.
        let span = |zones: &str, window| Bucket { zones: zones.parse().unwrap(), window }.span(at);
        assert_eq!(span("Europe/Paris", None), (-3600, 23 * 3600));
        let nine_to_twelve = Some(DayWindow::parse("09:00", "12:00").unwrap());
        assert_eq!(span("America/New_York,Europe/Paris", nine_to_twelve), (14 * 3600, 11 * 3600));
    }
}
