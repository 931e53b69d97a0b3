//! Which number is shown to the called party: who decides it, and how a pool chooses among its numbers.
//!
//! A choice is a function of the pool, of how often each number was shown, of the instant and of the called number;
//! for `random` a draw is handed in.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{CallerIdPoolId, SourceId};
use crate::phone::PhoneNumber;
use crate::settings::BadSetting;
use crate::time::Time;
use crate::zones::Zone;

/// Numbers of a pool at most.
pub const POOL_NUMBERS_MAX: usize = 1000;
/// The largest limit on the calls of one number: more than any line carries in a day.
const CALLS_MAX: u32 = 1_000_000;
const HOUR: Duration = Duration::from_secs(3600);

/// How a pool chooses among the numbers that are not used up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Choose {
    /// The one that was shown longest ago.
    #[default]
    Rotate,
    /// One of the called number's area, the one that has most leading digits in common with it; else as `rotate`.
    SameArea,
    /// Any.
    Random,
}

/// What is done when every number of a pool was shown as often as it may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenUsedUp {
    /// The one is shown that was shown least often today.
    #[default]
    NextLeastUsed,
    /// Contacts who would see the pool are not dialled until one of its numbers is free again.
    Hold,
}

/// A number of a pool. Every call that shows it counts, also one for which it was set without the pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolNumber {
    /// The number.
    pub number: PhoneNumber,
    /// Calls on a day of the tenant's zone, 1 to 1000000; without it any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_day_max: Option<u32>,
    /// Calls in an hour by the clock of the tenant's zone, 1 to 1000000; without it any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_hour_max: Option<u32>,
}

impl PoolNumber {
    /// Checks its ranges.
    ///
    /// # Errors
    /// The first that is out of range, with the range.
    pub fn check(&self) -> Result<(), BadSetting> {
        let limits = [
            ("calls_per_day_max", self.calls_per_day_max),
            ("calls_per_hour_max", self.calls_per_hour_max),
        ];
        for (field, limit) in limits {
            if limit.is_some_and(|limit| !(1..=CALLS_MAX).contains(&limit)) {
                return Err(BadSetting { field, allowed: format!("1 to {CALLS_MAX}, or left out") });
            }
        }
        Ok(())
    }

    /// Whether it may not be shown any more, having been shown so often.
    pub fn is_used_up(&self, this_hour: u32, today: u32) -> bool {
        self.calls_per_hour_max.is_some_and(|max| this_hour >= max) || self.is_used_up_today(today)
    }

    fn is_used_up_today(&self, today: u32) -> bool {
        self.calls_per_day_max.is_some_and(|max| today >= max)
    }
}

/// A pool as the engine knows it.
#[derive(Clone, PartialEq, Debug)]
pub struct CallerIdPool {
    /// How it chooses.
    pub choose: Choose,
    /// What is done when no number is left.
    pub when_used_up: WhenUsedUp,
    /// Its numbers, each with how many leading digits country code and area code have: the country code alone where
    /// its country has no area codes.
    pub numbers: Vec<(PoolNumber, u8)>,
}

/// The number to show, or the pool to take it from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallerIdRule {
    /// This number.
    Number(PhoneNumber),
    /// One of this pool.
    Pool(CallerIdPoolId),
}

impl CallerIdRule {
    /// What two settings of which at most one is given say.
    pub fn of(number: Option<PhoneNumber>, pool: Option<CallerIdPoolId>) -> Option<Self> {
        number.map(Self::Number).or(pool.map(Self::Pool))
    }
}

/// What a campaign says of caller ids.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct CallerIdRules {
    /// For all its groups that say nothing themselves.
    pub campaign: Option<CallerIdRule>,
    /// For the contacts of single sources.
    pub sources: BTreeMap<SourceId, CallerIdRule>,
}

impl CallerIdRules {
    /// Who decides: the narrowest that says anything. `phone` is the number's own caller id or a pre-call script's,
    /// `group` what the group is set to.
    pub fn rule(
        &self,
        phone: Option<PhoneNumber>,
        source: SourceId,
        group: Option<CallerIdRule>,
    ) -> Option<CallerIdRule> {
        let source = || self.sources.get(&source).copied();
        phone.map(CallerIdRule::Number).or_else(source).or(group).or(self.campaign)
    }
}

/// The hour and the day in which calls are counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Period {
    /// When the hour began, by the clock of the zone.
    pub hour_from: Time,
    /// When it ends.
    pub hour_until: Time,
    /// When the day began.
    pub day_from: Time,
    /// When it ends.
    pub day_until: Time,
}

impl Period {
    /// The hour and day of this zone that an instant is in.
    pub fn at(zone: &Zone, now: Time) -> Self {
        let local = zone.local(now);
        let into_hour = Duration::from_secs(local.minute().unsigned_abs().into()) * 60
            + Duration::from_secs(local.second().unsigned_abs().into())
            + Duration::from_nanos(local.subsec_nanosecond().unsigned_abs().into());
        // Counted back from now and not looked up: an hour that the clocks repeat is two.
        let hour_from = now - into_hour;
        let date = local.date();
        let midnight = |date: jiff::civil::Date| zone.instant(date.at(0, 0, 0, 0));
        let tomorrow = date.tomorrow().map_or(Time::NEVER, midnight);
        Self { hour_from, hour_until: hour_from + HOUR, day_from: midnight(date), day_until: tomorrow }
    }
}

/// How often a number was shown, as stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShownSoFar {
    /// The number.
    pub number: PhoneNumber,
    /// Calls in the hour of [`CallerIdState::read_at`].
    pub this_hour: u32,
    /// Calls on its day.
    pub today: u32,
    /// When it was shown last.
    pub last_at: Time,
}

/// The pools of a tenant, and what is stored of how often their numbers were shown.
#[derive(Clone, PartialEq, Debug)]
pub struct CallerIdState {
    /// Where hours and days begin.
    pub zone: Zone,
    /// All pools.
    pub pools: BTreeMap<CallerIdPoolId, CallerIdPool>,
    /// When `shown` was read.
    pub read_at: Time,
    /// What was shown on that day; numbers that were not are left out.
    pub shown: Vec<ShownSoFar>,
}

#[derive(Clone, Copy, Default)]
struct Count {
    this_hour: u32,
    today: u32,
    /// Grows with every call that shows any number; 0 for one that was not shown.
    turn: u64,
}

struct Pool {
    choose: Choose,
    when_used_up: WhenUsedUp,
    /// With the leading digits of country and area, and the place of its count.
    numbers: Vec<(PoolNumber, u8, usize)>,
}

/// All pools, and how often each of their numbers was shown in this hour and on this day.
pub struct CallerIds {
    zone: Zone,
    pools: BTreeMap<CallerIdPoolId, Pool>,
    places: BTreeMap<PhoneNumber, usize>,
    counts: Vec<Count>,
    period: Period,
    turn: u64,
}

impl Default for CallerIds {
    fn default() -> Self {
        let zone = Zone::utc();
        let period = Period::at(&zone, Time::EPOCH);
        Self { zone, pools: BTreeMap::new(), places: BTreeMap::new(), counts: Vec::new(), period, turn: 0 }
    }
}

impl CallerIds {
    /// Takes the pools as they are now. What was counted of a number goes on; of what is stored and what was counted here
    /// the larger holds, since either may know of calls that the other does not.
    pub fn put(&mut self, now: Time, state: CallerIdState) {
        let before: BTreeMap<PhoneNumber, Count> =
            self.places.iter().map(|(number, place)| (*number, self.counts[*place])).collect();
        self.zone = state.zone;
        self.places.clear();
        self.counts.clear();
        self.pools.clear();
        for (id, pool) in state.pools {
            let CallerIdPool { choose, when_used_up, numbers } = pool;
            let numbers = numbers.into_iter().map(|(number, area)| {
                let place = *self.places.entry(number.number).or_insert_with(|| {
                    self.counts.push(before.get(&number.number).copied().unwrap_or_default());
                    self.counts.len() - 1
                });
                (number, area, place)
            });
            let numbers = numbers.collect();
            self.pools.insert(id, Pool { choose, when_used_up, numbers });
        }
        self.period.hour_until = self.period.hour_until.min(now);
        self.turn_to(now);
        let mut shown = state.shown;
        shown.sort_by_key(|shown| (shown.last_at, shown.number));
        for shown in shown {
            let Some(place) = self.places.get(&shown.number) else { continue };
            let count = &mut self.counts[*place];
            if state.read_at >= self.period.hour_from {
                count.this_hour = count.this_hour.max(shown.this_hour);
            }
            if state.read_at >= self.period.day_from {
                count.today = count.today.max(shown.today);
            }
            if count.turn == 0 {
                self.turn += 1;
                count.turn = self.turn;
            }
        }
    }

    /// Begins a new hour or day if it is time for one.
    pub fn turn_to(&mut self, now: Time) {
        if now < self.period.hour_until.min(self.period.day_until) {
            return;
        }
        let period = Period::at(&self.zone, now);
        let (hour_is_new, day_is_new) =
            (period.hour_from != self.period.hour_from, period.day_from != self.period.day_from);
        for count in &mut self.counts {
            if hour_is_new {
                count.this_hour = 0;
            }
            if day_is_new {
                count.today = 0;
            }
        }
        self.period = period;
    }

    /// The number that a pool shows to this called number; none if the pool is not known. `draw` decides between
    /// numbers of a pool that chooses at random.
    ///
    /// # Errors
    /// Every number is used up and the pool holds its calls: the instant from which on one is free again.
    pub fn choose(
        &self,
        pool: CallerIdPoolId,
        called: PhoneNumber,
        draw: u64,
    ) -> Result<Option<PhoneNumber>, Time> {
        let Some(known) = self.pools.get(&pool) else { return Ok(None) };
        let free = || known.numbers.iter().filter(|number| self.is_free(number));
        let turn = |number: &&(PoolNumber, u8, usize)| self.counts[number.2].turn;
        let rotated = || free().min_by_key(turn);
        let chosen = match known.choose {
            Choose::Rotate => rotated(),
            Choose::SameArea => {
                let nearest = free().filter_map(|number| {
                    let shared = shared_digits(number.0.number, number.1, called)?;
                    Some(((Reverse(shared), turn(&number)), number))
                });
                nearest.min_by_key(|(order, _)| *order).map(|(_, number)| number).or_else(rotated)
            }
            Choose::Random => match free().count() {
                0 => None,
                count => free().nth((draw % count as u64) as usize),
            },
        };
        if let Some((number, ..)) = chosen {
            return Ok(Some(number.number));
        }
        if let Some(until) = self.held_until(pool) {
            return Err(until);
        }
        let least = known.numbers.iter().min_by_key(|number| (self.counts[number.2].today, turn(number)));
        Ok(least.map(|(number, ..)| number.number))
    }

    /// From when on a pool has a number again; none if it shows one now.
    pub fn held_until(&self, pool: CallerIdPoolId) -> Option<Time> {
        let pool = self.pools.get(&pool).filter(|pool| pool.when_used_up == WhenUsedUp::Hold)?;
        if pool.numbers.iter().any(|number| self.is_free(number)) {
            return None;
        }
        let free_from = |(number, _, place): &(PoolNumber, u8, usize)| {
            if number.is_used_up_today(self.counts[*place].today) {
                self.period.day_until
            } else {
                self.period.hour_until.min(self.period.day_until)
            }
        };
        pool.numbers.iter().map(free_from).min()
    }

    /// A call shows this number.
    pub fn shown(&mut self, number: PhoneNumber) {
        let Some(place) = self.places.get(&number) else { return };
        self.turn += 1;
        let count = &mut self.counts[*place];
        count.this_hour = count.this_hour.saturating_add(1);
        count.today = count.today.saturating_add(1);
        count.turn = self.turn;
    }

    fn is_free(&self, (number, _, place): &(PoolNumber, u8, usize)) -> bool {
        let count = &self.counts[*place];
        !number.is_used_up(count.this_hour, count.today)
    }
}

/// How many leading digits two numbers have in common, if they are of one area.
fn shared_digits(own: PhoneNumber, area: u8, called: PhoneNumber) -> Option<u32> {
    let length = |number: PhoneNumber| number.digits().ilog10() + 1;
    let leading = |number: PhoneNumber, digits: u32| {
        number.digits() / 10_u64.pow(length(number).saturating_sub(digits))
    };
    let shortest = length(own).min(length(called));
    let is_shared = |digits: u32| leading(own, digits) == leading(called, digits);
    (u32::from(area)..=shortest).take_while(|digits| is_shared(*digits)).last()
}

#[cfg(test)]
#[path = "caller_id_tests.rs"]
mod tests;
