//! Treatments: what happens next after an attempt.

use jiff::ToSpan;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::call_result::CallResult;
use crate::contact::{Band, HopperContact, PhoneStatus};
use crate::time::Time;

/// One rule. Rules are tried in order and the first that matches wins.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Treatment {
    /// When it applies.
    #[serde(default)]
    pub when: Condition,
    /// What it does.
    pub then: Action,
}

/// When a treatment applies: every part that is given must hold. An empty condition always holds.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Condition {
    /// The call result is one of these.
    pub results: Vec<CallResult>,
    /// The agent's disposition is one of these codes.
    pub dispositions: Vec<String>,
    /// The attempt ended like this at least so often in a row (1 is the first time).
    pub in_a_row_at_least: u16,
    /// At least so many attempts have been made on the contact, this one included.
    pub attempts_at_least: u16,
    /// Whether the call had been promised.
    pub callback: Option<bool>,
}

/// What a treatment does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields, tag = "action")]
pub enum Action {
    /// The same number again after a delay.
    RetryIn {
        /// The delay.
        minutes: u32,
    },
    /// The same number again at a local time of the called party.
    RetryAt {
        /// Local time of day, `HH:MM`.
        time: LocalTime,
        /// Days from today; 0 is today if that time is still to come, else tomorrow.
        #[serde(default)]
        days: u16,
    },
    /// The next dialable number of the contact; after the last one the first again.
    NextPhone {
        /// The delay before it.
        #[serde(default)]
        minutes: u32,
    },
    /// The same number again and again, each time a little later.
    Cycle {
        /// The delay of the first time.
        minutes: u32,
        /// Added to the delay each further time in a row.
        #[serde(default)]
        increment_minutes: u32,
        /// Times in a row after which the contact moves to its next number, or is final if it has no other.
        times: u16,
    },
    /// Call again when the agent and the called party agreed; if no time was agreed, after a delay.
    Reschedule {
        /// The delay if no time was agreed.
        otherwise_minutes: u32,
    },
    /// This number is of no use; go on with the next one, or end if there is none.
    PhoneFinal,
    /// The contact is done.
    Final,
    /// The number goes on the campaign's own suppression list and the contact is done.
    Suppress,
}

/// A local time of day in whole minutes; text `HH:MM`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, JsonSchema)]
#[schemars(transparent)]
pub struct LocalTime(#[schemars(with = "String")] pub jiff::civil::Time);

impl Serialize for LocalTime {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.strftime("%H:%M"))
    }
}

impl<'de> Deserialize<'de> for LocalTime {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        jiff::civil::Time::strptime("%H:%M", &text)
            .map(Self)
            .map_err(|_| serde::de::Error::custom(format!("'{text}' is not a time of day (HH:MM)")))
    }
}

/// What a disposition says about the call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DispositionValue {
    /// A success.
    Positive,
    /// Neither.
    #[default]
    Neutral,
    /// A refusal.
    Negative,
}

/// One of the answers an agent can give about a call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Disposition {
    /// Its code in the API and in treatments; ASCII letters, digits, `_`, `-`.
    pub code: String,
    /// What the agent reads.
    pub name: String,
    /// What it says about the call.
    #[serde(default)]
    pub value: DispositionValue,
    /// The contact is done, whatever treatments say.
    #[serde(default)]
    pub contact_final: bool,
    /// The number is of no use, whatever treatments say.
    #[serde(default)]
    pub phone_final: bool,
    /// The agent may agree a time for another call.
    #[serde(default)]
    pub callback: bool,
    /// The person does not want to be called: the number is suppressed.
    #[serde(default)]
    pub suppress: bool,
}

/// How an attempt ended, as far as what happens next depends on it.
#[derive(Clone, Debug)]
pub struct Ending<'a> {
    /// When.
    pub at: Time,
    /// How the network and detection saw it.
    pub result: CallResult,
    /// What the agent said.
    pub disposition: Option<&'a Disposition>,
    /// The time agreed for another call.
    pub callback_at: Option<Time>,
}

/// Why a contact is done.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FinalReason {
    /// A treatment or disposition said so.
    Treated,
    /// The campaign's cap on attempts is reached.
    AttemptsUsedUp,
    /// No number is left that may be dialled.
    NoPhoneLeft,
    /// All its numbers, or the customer, are on a suppression list.
    Suppressed,
    /// Its time is over.
    Expired,
    /// A user closed it.
    Closed,
    /// A server script closed it.
    ClosedByScript,
}

impl FinalReason {
    /// The number stored for it.
    pub fn code(self) -> i64 {
        match self {
            Self::Treated => 1,
            Self::AttemptsUsedUp => 2,
            Self::NoPhoneLeft => 3,
            Self::Suppressed => 4,
            Self::Expired => 5,
            Self::Closed => 6,
            Self::ClosedByScript => 7,
        }
    }

    /// From the stored number.
    pub fn from_code(code: i64) -> Option<Self> {
        Some(match code {
            1 => Self::Treated,
            2 => Self::AttemptsUsedUp,
            3 => Self::NoPhoneLeft,
            4 => Self::Suppressed,
            5 => Self::Expired,
            6 => Self::Closed,
            7 => Self::ClosedByScript,
            _ => return None,
        })
    }
}

/// The reschedule plan: what a treatment decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    /// What is next for the contact.
    pub next: Next,
    /// The status that the dialled number gets.
    pub phone_status: PhoneStatus,
    /// Whether the dialled number goes on the campaign's suppression list.
    pub suppress: bool,
}

/// What is next for a contact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Another attempt.
    Dial {
        /// On which of its numbers (position).
        phone: u8,
        /// Not before this instant.
        at: Time,
        /// Where it stands in the order.
        band: Band,
    },
    /// None.
    Final(FinalReason),
}

/// Whether a time that was agreed for another call can count with this disposition, or without one; [`decide`] passes it
/// over otherwise.
pub fn takes_a_time(treatments: &[Treatment], disposition: Option<&Disposition>) -> bool {
    if let Some(said) = disposition
        && (said.suppress || said.callback || said.contact_final || said.phone_final)
    {
        return said.callback && !said.suppress;
    }
    treatments.iter().any(|treatment| {
        let wanted = &treatment.when.dispositions;
        let may_match = wanted.is_empty() || disposition.is_some_and(|said| wanted.contains(&said.code));
        may_match && matches!(treatment.then, Action::Reschedule { .. })
    })
}

/// Decides what happens next. `contact` is as it was before the attempt; `attempts_max` caps attempts on all its
/// numbers together.
pub fn decide(
    treatments: &[Treatment],
    attempts_max: u16,
    contact: &HopperContact,
    ending: &Ending<'_>,
) -> Plan {
    let after = After::new(contact, ending);
    // `takes_a_time` goes by the same order.
    if let Some(disposition) = ending.disposition {
        if disposition.suppress {
            return after.suppressed();
        }
        if let (true, Some(at)) = (disposition.callback, ending.callback_at) {
            return after.dial_same(at, Band::Callback);
        }
        if disposition.contact_final {
            return after.finished(FinalReason::Treated);
        }
        if disposition.phone_final {
            return after.phone_is_bad();
        }
    }
    let matching = treatments.iter().find(|treatment| treatment.when.holds(&after));
    let action = matching.map_or_else(|| default_action(ending.result), |treatment| treatment.then.clone());
    after.within_cap(attempts_max, after.act(&action))
}

/// What is next for a contact whose call was withdrawn before anybody could pick it up: nobody was reached or tried in
/// earnest, so no treatment is asked, and who may be called now is looked at afresh.
pub fn once_more(attempts_max: u16, contact: &HopperContact, at: Time) -> Plan {
    let result = CallResult::Cancelled;
    let ending = Ending { at, result, disposition: None, callback_at: None };
    let after = After::new(contact, &ending);
    after.within_cap(attempts_max, after.dial_same(at, Band::Retry))
}

/// What happens where no treatment matches. The delays follow common practice (Nixxis' wizard and CXone's samples:
/// busy 5–10 minutes, no answer and machine some hours; a dropped person is called again within the hour).
fn default_action(result: CallResult) -> Action {
    match result {
        CallResult::Answer | CallResult::WrongParty => Action::Final,
        CallResult::DoNotCall => Action::Suppress,
        CallResult::Busy => Action::Cycle { minutes: 10, increment_minutes: 10, times: 3 },
        CallResult::NoAnswer | CallResult::AnsweringMachine | CallResult::Silence => {
            Action::NextPhone { minutes: 120 }
        }
        CallResult::Abandoned | CallResult::Dropped => Action::RetryIn { minutes: 60 },
        CallResult::AllTrunksBusy | CallResult::Cancelled => Action::RetryIn { minutes: 2 },
        CallResult::SystemError | CallResult::SwitchError | CallResult::AgentCallbackError => {
            Action::RetryIn { minutes: 10 }
        }
        result if result.number_is_bad() => Action::PhoneFinal,
        _ => Action::NextPhone { minutes: 60 },
    }
}

/// A contact right after an attempt.
struct After<'a> {
    contact: &'a HopperContact,
    ending: &'a Ending<'a>,
    attempts: u16,
    in_a_row: u16,
    /// The dialled number, with this attempt counted.
    phone_is_exhausted: bool,
}

impl<'a> After<'a> {
    fn new(contact: &'a HopperContact, ending: &'a Ending<'a>) -> Self {
        let in_a_row = if contact.last_result == Some(ending.result) {
            contact.last_result_in_a_row.saturating_add(1)
        } else {
            1
        };
        let phone_is_exhausted = contact.current_phone().is_some_and(|phone| {
            phone.attempts_max.is_some_and(|max| phone.attempts.saturating_add(1) >= max)
        });
        Self { contact, ending, attempts: contact.attempts.saturating_add(1), in_a_row, phone_is_exhausted }
    }

    fn act(&self, action: &Action) -> Plan {
        let in_minutes = |minutes: u32| self.ending.at + Duration::from_secs(u64::from(minutes) * 60);
        match *action {
            Action::RetryIn { minutes } => self.dial_same(in_minutes(minutes), Band::Retry),
            Action::RetryAt { time, days } => {
                self.dial_same(self.local_instant(time, days), Band::TimedRetry)
            }
            Action::NextPhone { minutes } => self.dial_next(in_minutes(minutes), self.used_status()),
            Action::Cycle { minutes, increment_minutes, times } => {
                if self.in_a_row >= times {
                    return self.dial_other(in_minutes(minutes));
                }
                let increments = increment_minutes.saturating_mul(u32::from(self.in_a_row - 1));
                self.dial_same(in_minutes(minutes.saturating_add(increments)), Band::Retry)
            }
            Action::Reschedule { otherwise_minutes } => match self.ending.callback_at {
                Some(at) => self.dial_same(at, Band::Callback),
                None => self.dial_same(in_minutes(otherwise_minutes), Band::Retry),
            },
            Action::PhoneFinal => self.phone_is_bad(),
            Action::Final => self.finished(FinalReason::Treated),
            Action::Suppress => self.suppressed(),
        }
    }

    /// No attempt after the last one that is allowed.
    fn within_cap(&self, attempts_max: u16, plan: Plan) -> Plan {
        match plan.next {
            Next::Dial { .. } if self.attempts >= attempts_max => {
                Plan { next: Next::Final(FinalReason::AttemptsUsedUp), ..plan }
            }
            _ => plan,
        }
    }

    fn used_status(&self) -> PhoneStatus {
        if self.phone_is_exhausted { PhoneStatus::Exhausted } else { PhoneStatus::Active }
    }

    fn finished(&self, reason: FinalReason) -> Plan {
        Plan { next: Next::Final(reason), phone_status: self.used_status(), suppress: false }
    }

    fn suppressed(&self) -> Plan {
        let next = Next::Final(FinalReason::Suppressed);
        Plan { next, phone_status: PhoneStatus::Suppressed, suppress: true }
    }

    fn phone_is_bad(&self) -> Plan {
        self.dial_next(self.ending.at, PhoneStatus::Bad)
    }

    /// The same number, or the next one if its cap is reached.
    fn dial_same(&self, at: Time, band: Band) -> Plan {
        if self.phone_is_exhausted && band != Band::Callback {
            return self.dial_next(at, PhoneStatus::Exhausted);
        }
        let next = Next::Dial { phone: self.contact.phone, at, band };
        Plan { next, phone_status: PhoneStatus::Active, suppress: false }
    }

    /// The next dialable number, going round to the same one if it may still be dialled.
    fn dial_next(&self, at: Time, used: PhoneStatus) -> Plan {
        let next = match self.other_phone() {
            Some(phone) => Next::Dial { phone, at, band: Band::Retry },
            None if used == PhoneStatus::Active => {
                Next::Dial { phone: self.contact.phone, at, band: Band::Retry }
            }
            None => Next::Final(FinalReason::NoPhoneLeft),
        };
        Plan { next, phone_status: used, suppress: false }
    }

    /// Another number, never the same.
    fn dial_other(&self, at: Time) -> Plan {
        let next = match self.other_phone() {
            Some(phone) => Next::Dial { phone, at, band: Band::Retry },
            None => Next::Final(FinalReason::Treated),
        };
        Plan { next, phone_status: self.used_status(), suppress: false }
    }

    fn other_phone(&self) -> Option<u8> {
        self.contact
            .next_phone()
            .map(|phone| phone.position)
            .filter(|position| *position != self.contact.phone)
    }

    /// A local time of the called party; where they may be in several zones, the latest of those instants.
    fn local_instant(&self, time: LocalTime, days: u16) -> Time {
        let instant = |zone: &crate::zones::Zone| {
            let local = zone.local(self.ending.at);
            let ahead = if days == 0 && local.time() >= time.0 { 1 } else { i32::from(days) };
            let date = local.date().checked_add(ahead.days()).unwrap_or(local.date());
            zone.instant(jiff::civil::DateTime::from_parts(date, time.0))
        };
        self.contact.zones.zones().iter().map(instant).max().unwrap_or(self.ending.at)
    }
}

impl Condition {
    fn holds(&self, after: &After<'_>) -> bool {
        let disposition = after.ending.disposition.map(|disposition| &disposition.code);
        (self.results.is_empty() || self.results.contains(&after.ending.result))
            && (self.dispositions.is_empty()
                || disposition.is_some_and(|code| self.dispositions.contains(code)))
            && after.in_a_row >= self.in_a_row_at_least
            && after.attempts >= self.attempts_at_least
            && self.callback.is_none_or(|callback| callback == after.contact.is_callback)
    }
}

#[cfg(test)]
#[path = "treatment_tests.rs"]
mod tests;
