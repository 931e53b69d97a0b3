//! Numbers that are shown to called parties.

use std::collections::BTreeMap;

use contacts::{area_digits, country_digits};
use engine::caller_id::{Choose, WhenUsedUp};
use engine::{CallerIdPool, CallerIdPoolId, CallerIdSetting, PhoneNumber, PoolNumber};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Definition, Reference};
use crate::AppError;

/// Numbers of a pool at most: what a large centre rents, times ten.
const NUMBERS_MAX: usize = 1000;
/// The largest limit on the calls of one number: more than any line carries in a day.
const CALLS_MAX: u32 = 1_000_000;

/// Numbers that a call chooses from which to show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallerIdPoolBody {
    /// Its name.
    pub name: String,
    /// The numbers, 1 to 1000, each once.
    pub numbers: Vec<PoolNumberBody>,
    /// How one is chosen among those that are not used up.
    #[serde(default)]
    pub choose: Choose,
    /// Whether a contact who is called again is shown the same number, as long as that is not used up.
    #[serde(default)]
    pub sticky: bool,
    /// How often each number may be shown on a day of the tenant's zone, 1 to 1000000; without it any number of times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_day_max: Option<u32>,
    /// How often each may be shown in an hour by the clock (09:00 to 10:00), 1 to 1000000; without it any number of times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_hour_max: Option<u32>,
    /// What is done when every number was shown as often as it may be.
    #[serde(default)]
    pub when_used_up: WhenUsedUp,
}

/// A number of a pool. Every call that shows it counts, also one of another pool or one that names it plainly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolNumberBody {
    /// The number.
    pub number: PhoneNumber,
    /// How often it may be shown on a day, 1 to 1000000; without it as the pool says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_day_max: Option<u32>,
}

impl CallerIdPoolBody {
    /// What the engine needs of it.
    pub fn pool(&self) -> CallerIdPool {
        let number = |own: &PoolNumberBody| PoolNumber {
            number: own.number,
            calls_per_day_max: own.calls_per_day_max.or(self.calls_per_day_max),
            calls_per_hour_max: self.calls_per_hour_max,
            country_digits: country_digits(own.number),
            area_digits: area_digits(own.number),
        };
        CallerIdPool {
            choose: self.choose,
            sticky: self.sticky,
            when_used_up: self.when_used_up,
            numbers: self.numbers.iter().map(number).collect(),
        }
    }
}

impl Definition for CallerIdPoolBody {
    const KIND: &'static str = "caller_id_pool";
    fn name(&self) -> &str {
        &self.name
    }
    fn check(&self) -> Result<(), AppError> {
        check_limit("calls_per_day_max", self.calls_per_day_max)?;
        check_limit("calls_per_hour_max", self.calls_per_hour_max)?;
        if self.numbers.is_empty() {
            return Err(AppError::invalid("missing", "numbers", "a pool has at least one number: name it"));
        }
        if self.numbers.len() > NUMBERS_MAX {
            let message = format!("a pool has at most {NUMBERS_MAX} numbers: make two pools");
            return Err(AppError::invalid("too_many", "numbers", message));
        }
        let mut seen: BTreeMap<PhoneNumber, usize> = BTreeMap::new();
        for (index, own) in self.numbers.iter().enumerate() {
            check_limit(&format!("numbers[{index}].calls_per_day_max"), own.calls_per_day_max)?;
            if let Some(first) = seen.insert(own.number, index) {
                let message = format!("it is numbers[{first}] already: leave one of the two out");
                return Err(AppError::invalid("named_twice", &format!("numbers[{index}].number"), message));
            }
            if country_digits(own.number) == 0 {
                let message =
                    "no country has numbers that begin like this: give it as +, country code, number";
                return Err(AppError::invalid("bad_number", &format!("numbers[{index}].number"), message));
            }
        }
        Ok(())
    }
}

fn check_limit(field: &str, limit: Option<u32>) -> Result<(), AppError> {
    if limit.is_some_and(|limit| !(1..=CALLS_MAX).contains(&limit)) {
        let message = format!("it is 1 to {CALLS_MAX}: leave it out for any number of calls");
        return Err(AppError::invalid("out_of_range", field, message));
    }
    Ok(())
}

/// That something names a pool in this field.
pub(super) fn reference(pool: Option<CallerIdPoolId>, field: &str) -> Option<Reference> {
    pool.map(|pool| Reference::new(CallerIdPoolBody::KIND, pool.0, field))
}

/// What two fields say together.
pub(crate) fn setting(number: Option<PhoneNumber>, pool: Option<CallerIdPoolId>) -> CallerIdSetting {
    CallerIdSetting { number, pool }
}
