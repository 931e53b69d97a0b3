//! Which calls are recorded, and under which name.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{AttemptId, MessageId};
use crate::settings::BadSetting;
use crate::time::Time;
use crate::zones::Zone;

/// Longest name template, in characters.
pub const NAME_LENGTH_MAX: usize = 100;
/// Longest part of a campaign's name in a file's name, in characters.
const CAMPAIGN_LENGTH_MAX: usize = 40;
/// Longest time that a recording may be kept for, in days: ten years.
const RETENTION_DAYS_MAX: u16 = 3650;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const ATTEMPT: &str = "{attempt}";
const CAMPAIGN: &str = "{campaign}";
const DATE: &str = "{date}";
const TIME: &str = "{time}";

/// Which calls of a campaign are recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordingMode {
    /// None.
    #[default]
    Off,
    /// Every conversation, from the connection of the agent on.
    All,
    /// So many conversations in a hundred, from the connection of the agent on.
    Percentage,
    /// Those whose agent asks for it, from then on.
    OnDemand,
}

/// How the calls of a campaign are recorded.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RecordingSettings {
    /// Which calls.
    pub mode: RecordingMode,
    /// How many in a hundred with `percentage`, 1 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    /// What both parties hear when recording begins; nothing if it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent_message: Option<MessageId>,
    /// Days after which a recording is deleted, 1 to 3650.
    pub retention_days: u16,
    /// The name of the files, without their type: ASCII letters, digits, `-`, `_`, `.` and the placeholders `{attempt}`,
    /// `{campaign}`, `{date}` and `{time}` (of the tenant's zone), at most 100 characters. `{attempt}` is put after it
    /// if it is not in it.
    pub name: String,
}

impl Default for RecordingSettings {
    fn default() -> Self {
        Self {
            mode: RecordingMode::Off,
            percent: None,
            consent_message: None,
            retention_days: 90,
            name: format!("{DATE}-{TIME}-{ATTEMPT}"),
        }
    }
}

impl RecordingSettings {
    /// Checks every range, and the template of the name.
    ///
    /// # Errors
    /// The first setting that is not good, with what it may be.
    pub fn check(&self) -> Result<(), BadSetting> {
        let bad = |field, allowed: &str| Err(BadSetting { field, allowed: allowed.to_owned() });
        match (self.mode, self.percent) {
            (RecordingMode::Percentage, Some(1..=100)) => {}
            (RecordingMode::Percentage, _) => {
                return bad("recording.percent", "1 to 100, and given with mode percentage");
            }
            (_, Some(_)) => return bad("recording.percent", "left out unless mode is percentage"),
            (_, None) => {}
        }
        if !(1..=RETENTION_DAYS_MAX).contains(&self.retention_days) {
            return bad("recording.retention_days", "1 to 3650 (ten years)");
        }
        let rest =
            [ATTEMPT, CAMPAIGN, DATE, TIME].iter().fold(self.name.clone(), |rest, it| rest.replace(it, ""));
        if self.name.is_empty() || self.name.len() > NAME_LENGTH_MAX || self.name.starts_with('.') {
            return bad("recording.name", "1 to 100 characters, the first of them no '.'");
        }
        if !rest.chars().all(is_plain) {
            let allowed = "of ASCII letters, digits, '-', '_', '.' and the placeholders {attempt}, {campaign}, {date} and {time}";
            return bad("recording.name", allowed);
        }
        Ok(())
    }

    /// Whether agents say when a call is recorded.
    pub fn is_on_demand(&self) -> bool {
        self.mode == RecordingMode::OnDemand
    }

    /// The same for a campaign of this name, which is not asked for again.
    #[must_use]
    pub fn of_campaign(mut self, campaign: &str) -> Self {
        let plain = |char: char| if is_plain(char) && char != '.' { char } else { '_' };
        let campaign: String = campaign.chars().take(CAMPAIGN_LENGTH_MAX).map(plain).collect();
        self.name = self.name.replace(CAMPAIGN, &campaign);
        self
    }

    /// Whether the call of an attempt is recorded without an agent's asking. The same attempt has the same answer every
    /// time: which ones are among the hundredth parts follows from their ids.
    pub fn records(&self, attempt: AttemptId) -> bool {
        match self.mode {
            RecordingMode::Off | RecordingMode::OnDemand => false,
            RecordingMode::All => true,
            RecordingMode::Percentage => share_of(attempt) < u64::from(self.percent.unwrap_or(0)),
        }
    }

    /// When a recording that begins now is to be deleted.
    pub fn expires_at(&self, at: Time) -> Time {
        at + DAY * u32::from(self.retention_days)
    }

    /// The name of the recording of an attempt's call that begins now.
    pub fn name_for(&self, attempt: AttemptId, at: Time, zone: &Zone) -> String {
        let local = zone.local(at);
        let name = self.name.replace(DATE, &local.strftime("%Y%m%d").to_string());
        let name = name.replace(TIME, &local.strftime("%H%M%S").to_string());
        let id = attempt.to_string();
        if name.contains(ATTEMPT) { name.replace(ATTEMPT, &id) } else { format!("{name}-{id}") }
    }
}

fn is_plain(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.')
}

/// Where an attempt stands among a hundred, 0 to 99. An id begins with the time, so its bits are mixed (the finaliser of
/// SplitMix64; Steele, Lea and Flood 2014).
fn share_of(attempt: AttemptId) -> u64 {
    let (high, low) = attempt.0.as_u64_pair();
    let mut bits = (high ^ low).wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (bits ^ (bits >> 31)) % 100
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn attempt(n: u128) -> AttemptId {
        AttemptId(Uuid::from_u128(n))
    }

    fn at() -> Time {
        Time::parse_rfc3339("2026-01-31T23:30:05Z").unwrap()
    }

    fn with(mode: RecordingMode, name: &str) -> RecordingSettings {
        RecordingSettings { mode, name: name.to_owned(), ..RecordingSettings::default() }
    }

    fn named(name: &str) -> String {
        let settings = with(RecordingMode::All, name).of_campaign("Été: ../Winter 1");
        settings.check().unwrap();
        settings.name_for(attempt(7), at(), &"Europe/Paris".parse().unwrap())
    }

    #[test]
    fn a_name_is_filled_in_and_always_says_of_which_attempt() {
        let id = "00000000-0000-0000-0000-000000000007";
        assert_eq!(named("{date}-{time}-{attempt}"), format!("20260201-003005-{id}"));
        assert_eq!(named("{attempt}.x"), format!("{id}.x"));
        assert_eq!(named("sales"), format!("sales-{id}"));
        assert_eq!(named("{campaign}"), format!("_t______Winter_1-{id}"));
    }

    #[test]
    fn a_name_that_could_lead_elsewhere_and_ranges_are_refused_by_name() {
        for name in ["", ".x", "a/b", "a b", "{number}", "{attempt", "é", "a,b", "a;b", &"x".repeat(101)] {
            let bad = with(RecordingMode::All, name).check().unwrap_err();
            assert_eq!(bad.field, "recording.name", "{name}");
        }
        for (mode, percent, retention_days, field) in [
            (RecordingMode::Percentage, None, 90, "recording.percent"),
            (RecordingMode::Percentage, Some(0), 90, "recording.percent"),
            (RecordingMode::Percentage, Some(101), 90, "recording.percent"),
            (RecordingMode::All, Some(10), 90, "recording.percent"),
            (RecordingMode::All, None, 0, "recording.retention_days"),
            (RecordingMode::All, None, 3651, "recording.retention_days"),
        ] {
            let settings = RecordingSettings { percent, retention_days, ..with(mode, "a") };
            assert_eq!(settings.check().unwrap_err().field, field);
        }
    }

    #[test]
    fn the_share_of_recorded_calls_is_what_was_asked_for_and_the_same_every_time() {
        let settings =
            |percent| RecordingSettings { percent: Some(percent), ..with(RecordingMode::Percentage, "a") };
        // Ids as they are minted: time in front, little of the rest in common.
        let ids = (0..10_000_u128).map(|n| attempt((n << 80) | (n * 0x9e37_79b9_7f4a_7c15 % (1 << 62))));
        for percent in [1, 10, 50, 100] {
            let settings = settings(percent);
            let chosen = ids.clone().filter(|id| settings.records(*id)).count();
            let expected = usize::from(percent) * 100;
            assert!(chosen.abs_diff(expected) <= 200, "{percent} %: {chosen} of 10000");
            let again = ids.clone().filter(|id| settings.records(*id)).count();
            assert_eq!(chosen, again);
        }
        assert!(!with(RecordingMode::Off, "a").records(attempt(1)));
        assert!(!with(RecordingMode::OnDemand, "a").records(attempt(1)), "not until the agent asks");
        assert!(with(RecordingMode::All, "a").records(attempt(1)));
    }
}
