//! Which number is shown to the called party: who decides it, and how a pool chooses among its numbers.
//!
//! A choice is a function of the pool, of how often each number was shown, of the instant, of the called number and of
//! what the contact was shown before.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{CallerIdPoolId, SourceId};
use crate::phone::PhoneNumber;
use crate::time::Time;
use crate::zones::Zone;

const HOUR: Duration = Duration::from_secs(3600);

/// How a pool chooses among the numbers that are not used up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Choose {
    /// The one that was shown longest ago.
    #[default]
    Rotate,
    /// Of those of the called number's area the one that has most leading digits in common with it; else one of its
    /// country, else any. Among equals the one that was shown longest ago.
    SameArea,
}

/// What is done when every number of a pool was shown as often as it may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenUsedUp {
    /// Contacts who would see the pool are not dialled until one of its numbers is free again.
    #[default]
    Hold,
    /// The plain `caller_id` is shown: that of the source, else of the campaign group, else of the campaign. Without any
    /// as `hold`.
    Campaign,
}

/// A number of a pool. Every call that shows it counts, also one for which it was set without the pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PoolNumber {
    /// The number.
    pub number: PhoneNumber,
    /// Calls on a day of the tenant's zone; none is any number.
    pub calls_per_day_max: Option<u32>,
    /// Calls in an hour by the clock of the tenant's zone; none is any number.
    pub calls_per_hour_max: Option<u32>,
    /// How many digits its country code has.
    pub country_digits: u8,
    /// How many country code and area code have together: the country code alone where its country has no area codes.
    pub area_digits: u8,
}

impl PoolNumber {
    /// Whether it may not be shown any more, having been shown so often.
    pub fn is_used_up(&self, this_hour: u32, today: u32) -> bool {
        self.calls_per_hour_max.is_some_and(|max| this_hour >= max) || self.is_used_up_today(today)
    }

    fn is_used_up_today(&self, today: u32) -> bool {
        self.calls_per_day_max.is_some_and(|max| today >= max)
    }

    /// How near it is to a called number: digits in common if they are of one area, then 1 if of one country, else 0.
    fn nearness(&self, called: PhoneNumber) -> u32 {
        let length = |number: PhoneNumber| number.digits().ilog10() + 1;
        let leading = |number: PhoneNumber, digits: u32| {
            number.digits() / 10_u64.pow(length(number).saturating_sub(digits))
        };
        let shares = |digits: u32| leading(self.number, digits) == leading(called, digits);
        let (country, area) = (u32::from(self.country_digits), u32::from(self.area_digits));
        let shortest = length(self.number).min(length(called));
        if country == 0 || !shares(country) {
            0
        } else if area <= country || !shares(area) {
            1
        } else {
            (area..=shortest).take_while(|digits| shares(*digits)).last().unwrap_or(area)
        }
    }
}

/// A pool as the engine knows it.
#[derive(Clone, PartialEq, Debug)]
pub struct CallerIdPool {
    /// How it chooses.
    pub choose: Choose,
    /// Whether a contact who is called again is shown the same number, as long as that is not used up.
    pub sticky: bool,
    /// What is done when no number is left.
    pub when_used_up: WhenUsedUp,
    /// Its numbers.
    pub numbers: Vec<PoolNumber>,
}

/// The number to show, or the pool to take it from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallerIdRule {
    /// This number.
    Number(PhoneNumber),
    /// One of a pool.
    Pool {
        /// Which.
        pool: CallerIdPoolId,
        /// What is shown when it is used up and does not hold its calls.
        otherwise: Option<PhoneNumber>,
    },
}

/// What a source, a campaign group or a campaign says of caller ids. The pool goes before the number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CallerIdSetting {
    /// A plain number.
    pub number: Option<PhoneNumber>,
    /// A pool.
    pub pool: Option<CallerIdPoolId>,
}

/// What a campaign says of caller ids.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct CallerIdRules {
    /// For all its groups that say nothing themselves.
    pub campaign: CallerIdSetting,
    /// For the contacts of single sources.
    pub sources: BTreeMap<SourceId, CallerIdSetting>,
}

impl CallerIdRules {
    /// Who decides: the narrowest that says anything. `phone` is the number's own caller id or a pre-call script's,
    /// `group` what the group is set to.
    pub fn rule(
        &self,
        phone: Option<PhoneNumber>,
        source: SourceId,
        group: CallerIdSetting,
    ) -> Option<CallerIdRule> {
        if let Some(number) = phone {
            return Some(CallerIdRule::Number(number));
        }
        let source = self.sources.get(&source).copied().unwrap_or_default();
        let levels = [source, group, self.campaign];
        let from = levels.iter().position(|level| level.number.is_some() || level.pool.is_some())?;
        let otherwise = levels[from..].iter().find_map(|level| level.number);
        match levels[from].pool {
            Some(pool) => Some(CallerIdRule::Pool { pool, otherwise }),
            None => otherwise.map(CallerIdRule::Number),
        }
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
    sticky: bool,
    when_used_up: WhenUsedUp,
    /// With the place of its count.
    numbers: Vec<(PoolNumber, usize)>,
}

/// All pools, and how often each of their numbers was shown in this hour and on this day.
pub struct CallerIds {
    zone: Zone,
    pools: BTreeMap<CallerIdPoolId, Pool>,
    places: BTreeMap<PhoneNumber, usize>,
    counts: Vec<Count>,
    period: Period,
    turn: u64,
    /// Grows whenever a number may have become free.
    state: u64,
}

impl Default for CallerIds {
    fn default() -> Self {
        let zone = Zone::utc();
        let period = Period::at(&zone, Time::EPOCH);
        Self {
            zone,
            pools: BTreeMap::new(),
            places: BTreeMap::new(),
            counts: Vec::new(),
            period,
            turn: 0,
            state: 0,
        }
    }
}

impl CallerIds {
    /// Takes the pools as they are now. What was counted of a number goes on.
    pub fn put(&mut self, now: Time, state: CallerIdState) {
        let before: BTreeMap<PhoneNumber, Count> =
            self.places.iter().map(|(number, place)| (*number, self.counts[*place])).collect();
        self.zone = state.zone;
        self.places.clear();
        self.counts.clear();
        self.pools.clear();
        for (id, pool) in state.pools {
            let CallerIdPool { choose, sticky, when_used_up, numbers } = pool;
            let numbers = numbers.into_iter().map(|number| {
                let place = *self.places.entry(number.number).or_insert_with(|| {
                    self.counts.push(before.get(&number.number).copied().unwrap_or_default());
                    self.counts.len() - 1
                });
                (number, place)
            });
            let numbers = numbers.collect();
            self.pools.insert(id, Pool { choose, sticky, when_used_up, numbers });
        }
        self.state += 1;
        self.period.hour_until = self.period.hour_until.min(now);
        self.turn_to(now);
        self.count_in(state.read_at, state.shown);
    }

    /// Takes in what was stored at `read_at` of how often numbers were shown. Of that and what was counted here the larger
    /// holds, since either may know of calls that the other does not.
    pub fn count_in(&mut self, read_at: Time, mut shown: Vec<ShownSoFar>) {
        shown.sort_by_key(|shown| (shown.last_at, shown.number));
        for shown in shown {
            let Some(place) = self.places.get(&shown.number) else { continue };
            let count = &mut self.counts[*place];
            if read_at >= self.period.hour_from {
                count.this_hour = count.this_hour.max(shown.this_hour);
            }
            if read_at >= self.period.day_from {
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
        self.state += 1;
    }

    /// As long as it is the same no number becomes free.
    pub fn state(&self) -> u64 {
        self.state
    }

    /// The number that is shown to this called number; none if the pool is not known. `before` is what the contact was
    /// shown last.
    ///
    /// # Errors
    /// Every number is used up and the calls are held: the instant from which on one is free again.
    pub fn choose(
        &self,
        rule: CallerIdRule,
        called: PhoneNumber,
        before: Option<PhoneNumber>,
    ) -> Result<Option<PhoneNumber>, Time> {
        let (pool, otherwise) = match rule {
            CallerIdRule::Number(number) => return Ok(Some(number)),
            CallerIdRule::Pool { pool, otherwise } => (pool, otherwise),
        };
        let Some(known) = self.pools.get(&pool) else { return Ok(otherwise) };
        let free = || known.numbers.iter().filter(|number| self.is_free(number));
        if let Some((same, _)) = free().find(|(own, _)| known.sticky && Some(own.number) == before) {
            return Ok(Some(same.number));
        }
        let turn = |place: usize| self.counts[place].turn;
        let chosen = match known.choose {
            Choose::Rotate => free().min_by_key(|(_, place)| turn(*place)),
            Choose::SameArea => {
                free().min_by_key(|(number, place)| (Reverse(number.nearness(called)), turn(*place)))
            }
        };
        match (chosen, self.held_until(rule)) {
            (Some((number, _)), _) => Ok(Some(number.number)),
            (None, Some(until)) => Err(until),
            (None, None) => Ok(otherwise),
        }
    }

    /// From when on something can be shown again; none if it can be now.
    pub fn held_until(&self, rule: CallerIdRule) -> Option<Time> {
        let CallerIdRule::Pool { pool, otherwise } = rule else { return None };
        let pool = self.pools.get(&pool)?;
        let has_other = pool.when_used_up == WhenUsedUp::Campaign && otherwise.is_some();
        if has_other || pool.numbers.iter().any(|number| self.is_free(number)) {
            return None;
        }
        let free_from = |(number, place): &(PoolNumber, usize)| {
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

    fn is_free(&self, (number, place): &(PoolNumber, usize)) -> bool {
        let count = &self.counts[*place];
        !number.is_used_up(count.this_hour, count.today)
    }
}

#[cfg(test)]
#[path = "caller_id_tests.rs"]
mod tests;
