//! What comes of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::pacing::budget::slot_of;
use engine::{AgentState, CallResult, Time};
use serde::Serialize;

use crate::distribution::Distribution;
use crate::draws::{Purpose, stream};
use crate::optimum::{Floor, best_utilisation};

/// Slices of a day that figures over the day are kept for.
const SLICE_SECONDS: f64 = 900.0;
/// Days in a block that the law counts in.
const BLOCK_DAYS: usize = 30;

/// What came of a run under one policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Which policy.
    pub policy: String,
    /// Share of the agents' time at work that they talked or wrapped up.
    pub utilisation: f64,
    /// The Markov optimum of the scenario at its cap, averaged over the agents' time.
    pub u_star: f64,
    /// Utilisation divided by the optimum, while there was someone left to dial.
    pub share_of_u_star: f64,
    /// The share of the agents' time at work during which there was someone left to dial.
    pub list_lasted: f64,
    /// Minutes of talk in an agent's hour at work.
    pub talk_minutes_per_hour: f64,
    /// Calls that a person answered and no agent took, among those that a person answered.
    pub abandon_rate: f64,
    /// The same on the worst day.
    pub abandon_rate_worst_day: f64,
    /// The same in the worst 24 hours, wherever they begin.
    pub abandon_rate_worst_24h: f64,
    /// The same in the worst block of 30 days.
    pub abandon_rate_worst_block: f64,
    /// Days with an answered call.
    pub windows: u32,
    /// Days on which more were abandoned than the cap allows.
    pub windows_over_cap: u32,
    /// Calls placed.
    pub dialled: u64,
    /// Calls that a person answered.
    pub answered: u64,
    /// Of those, abandoned.
    pub abandoned: u64,
    /// Answered calls that an agent took within two seconds, among all answered calls.
    pub connected_within_2s: f64,
    /// Half of the people who were connected waited no longer than this, in seconds.
    pub wait_p50: f64,
    /// 95 of 100.
    pub wait_p95: f64,
    /// 99 of 100.
    pub wait_p99: f64,
    /// Calls placed for each that a person answered.
    pub dials_per_answer: f64,
    /// Calls up at once at most.
    pub lines_peak: u32,
    /// 99 of 100 inputs took the engine no longer than this, in microseconds of real time.
    pub decision_us_p99: f64,
    /// Inputs that the engine took in a second of real time, the simulation included.
    pub events_per_second: f64,
    /// What each group had of it.
    pub groups: Vec<GroupReport>,
    /// The day in quarters of an hour, all days together.
    pub over_the_day: Vec<TimeSlice>,
}

/// What came of a group's calls.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupReport {
    /// Its name.
    pub group: String,
    /// Calls that a person answered.
    pub answered: u64,
    /// Of those, abandoned.
    pub abandoned: u64,
}

/// A quarter of an hour of all days together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TimeSlice {
    /// When it begins, in hours from the start of the day.
    pub hour: f64,
    /// Share of the agents' time at work that they talked or wrapped up.
    pub utilisation: f64,
    /// Abandoned among answered.
    pub abandon_rate: f64,
    /// The optimum.
    pub u_star: f64,
}

#[derive(Clone, Copy, Default)]
struct Slice {
    productive: f64,
    at_work: f64,
    /// Of these, what passed after the lists had run out.
    productive_after: f64,
    at_work_after: f64,
    answered: f64,
    abandoned: f64,
    /// Chances of an answer of the calls placed, and how many they were.
    chances: f64,
    dials: f64,
    handle: f64,
    handled: f64,
}

/// What became of a call: the simulator knows, the engine may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    /// No person answered.
    NoPerson,
    /// A person answered and no agent took the call, be it that they were taken for a machine.
    Abandoned,
    /// A person answered, and an agent took the call after so long.
    Connected { waited: Duration },
}

/// People who answered a campaign's calls, and how many of them were abandoned.
#[derive(Clone, Default)]
struct Campaign {
    days: Vec<(u64, u64)>,
    quarters: BTreeMap<Time, (u64, u64)>,
    /// As the engine counts.
    booked: BTreeMap<Time, (u64, u64)>,
}

/// Counts while a run goes on.
pub(super) struct Measure {
    day_start: Time,
    /// When nobody was left to dial any more on this day.
    ran_out: Option<Time>,
    hours: f64,
    slices: Vec<Slice>,
    talk_seconds: f64,
    productive: f64,
    at_work: f64,
    groups: Vec<GroupReport>,
    /// By place among the groups: its campaign's place.
    campaign_of: Vec<usize>,
    campaigns: Vec<Campaign>,
    waits: Vec<f32>,
    pub dialled: u64,
    within: u64,
    pub lines: u32,
    lines_peak: u32,
    pub inputs: u64,
    pub decisions: Vec<f32>,
}

impl Measure {
    /// For groups of these names, each with the place of its campaign.
    pub fn new(hours: f64, groups: impl IntoIterator<Item = (String, usize)>) -> Self {
        let (names, campaign_of): (Vec<String>, Vec<usize>) = groups.into_iter().unzip();
        let campaigns = campaign_of.iter().max().map_or(0, |last| last + 1);
        let nothing = |group| GroupReport { group, answered: 0, abandoned: 0 };
        let slices = (hours * 3600.0 / SLICE_SECONDS).ceil().max(1.0) as usize;
        Self {
            day_start: Time::EPOCH,
            ran_out: None,
            hours,
            slices: vec![Slice::default(); slices],
            talk_seconds: 0.0,
            productive: 0.0,
            at_work: 0.0,
            groups: names.into_iter().map(nothing).collect(),
            campaign_of,
            campaigns: vec![Campaign::default(); campaigns],
            waits: Vec::new(),
            dialled: 0,
            within: 0,
            lines: 0,
            lines_peak: 0,
            inputs: 0,
            decisions: Vec::new(),
        }
    }

    pub fn day_begins(&mut self, at: Time) {
        self.day_start = at;
        self.ran_out = None;
        self.campaigns.iter_mut().for_each(|campaign| campaign.days.push((0, 0)));
    }

    /// Nobody is left to dial for the rest of the day.
    pub fn lists_ran_out(&mut self, at: Time) {
        self.ran_out.get_or_insert(at);
    }

    fn slice(&mut self, at: Time) -> &mut Slice {
        let index = (at.since(self.day_start).as_secs_f64() / SLICE_SECONDS) as usize;
        let last = self.slices.len() - 1;
        &mut self.slices[index.min(last)]
    }

    /// An agent was in a state from then till now.
    pub fn agent_was(&mut self, state: AgentState, since: Time, until: Time) {
        // Work after the day's end is not part of the day.
        let end = self.day_start + Duration::from_secs_f64(self.hours * 3600.0);
        let mut from = since.max(self.day_start).min(end);
        let until = until.min(end);
        let (at_work, productive) = match state {
            AgentState::OnCall | AgentState::WrapUp => (true, true),
            AgentState::Ready | AgentState::Reserved | AgentState::Preview => (true, false),
            AgentState::NotReady | AgentState::LoggedOut => (false, false),
        };
        if state == AgentState::OnCall {
            self.talk_seconds += until.since(from).as_secs_f64();
        }
        while at_work && from < until {
            let passed = from.since(self.day_start).as_secs_f64();
            let slice_ends = ((passed / SLICE_SECONDS).floor() + 1.0) * SLICE_SECONDS;
            let next = (self.day_start + Duration::from_secs_f64(slice_ends)).min(until);
            let seconds = next.since(from).as_secs_f64().max(1e-6);
            let ran_out = self.ran_out.map_or(next, |at| at.max(from).min(next));
            let after = next.since(ran_out).as_secs_f64();
            let slice = self.slice(from);
            slice.at_work += seconds;
            slice.productive += if productive { seconds } else { 0.0 };
            slice.at_work_after += after;
            slice.productive_after += if productive { after } else { 0.0 };
            self.at_work += seconds;
            self.productive += if productive { seconds } else { 0.0 };
            from = next.max(from + Duration::from_micros(1));
        }
    }

    pub fn placed(&mut self, at: Time, chance: f64) {
        self.dialled += 1;
        self.lines += 1;
        self.lines_peak = self.lines_peak.max(self.lines);
        let slice = self.slice(at);
        slice.dials += 1.0;
        slice.chances += chance;
    }

    /// An agent was given a call of a kind that takes so long on average, wrap-up included.
    ///
    /// The mean of the kind, not what the call took: the optimum is to depend neither on chance nor on the policy.
    pub fn handled(&mut self, at: Time, seconds: f64) {
        let slice = self.slice(at);
        slice.handle += seconds;
        slice.handled += 1.0;
    }

    /// A call is over: as the engine books it, and as it was.
    pub fn ended(&mut self, at: Time, group: usize, result: CallResult, truth: Truth) {
        self.lines = self.lines.saturating_sub(1);
        let counts = &mut self.campaigns[self.campaign_of[group]];
        if result.answered_by_person() {
            let quarter = counts.booked.entry(slot_of(at)).or_default();
            quarter.0 += 1;
            quarter.1 += u64::from(result.is_abandonment());
        }
        let abandoned = match truth {
            Truth::NoPerson => return,
            Truth::Abandoned => 1,
            Truth::Connected { waited } => {
                self.waits.push(waited.as_secs_f32());
                self.within += u64::from(waited <= Duration::from_secs(2));
                0
            }
        };
        if let Some(day) = counts.days.last_mut() {
            day.0 += 1;
            day.1 += abandoned;
        }
        self.groups[group].answered += 1;
        self.groups[group].abandoned += abandoned;
        let quarter = counts.quarters.entry(slot_of(at)).or_default();
        quarter.0 += 1;
        quarter.1 += abandoned;
        let slice = self.slice(at);
        slice.answered += 1.0;
        slice.abandoned += abandoned as f64;
    }

    /// What the engine counted so far for a campaign, by quarter of an hour: what a database would hold.
    pub fn booked(&self, campaign: usize) -> &BTreeMap<Time, (u64, u64)> {
        &self.campaigns[campaign].booked
    }

    pub fn report(mut self, policy: String, cap: f64, optimum: &Optimum, seconds: f64) -> Report {
        let rate = |(answered, abandoned): (u64, u64)| ratio(abandoned as f64, answered as f64);
        let together =
            |days: &[(u64, u64)]| days.iter().fold((0, 0), |sum, day| (sum.0 + day.0, sum.1 + day.1));
        let days = || self.campaigns.iter().map(|campaign| campaign.days.as_slice());
        let (answered, abandoned) = together(&days().map(together).collect::<Vec<_>>());
        let called: Vec<_> = days().flatten().copied().filter(|(answered, _)| *answered > 0).collect();
        let blocks = days().flat_map(|days| days.chunks(BLOCK_DAYS)).map(together);
        let worst_block = blocks.map(rate).fold(0.0, f64::max);
        let worst_24_hours = self.campaigns.iter().map(Campaign::worst_24_hours).fold(0.0, f64::max);
        let days = days().map(<[_]>::len).max().unwrap_or(0);
        let slices: Vec<TimeSlice> = self
            .slices
            .iter()
            .enumerate()
            .map(|(index, slice)| {
                // The last one may be shorter.
                let length = (self.hours * 3600.0 - index as f64 * SLICE_SECONDS).min(SLICE_SECONDS);
                optimum.slice(index, slice, length * days as f64)
            })
            .collect();
        // With nobody left to dial there is nothing to be better at.
        let sum = |of: fn(&Slice) -> f64| self.slices.iter().map(of).sum::<f64>();
        let dialling = sum(|slice| slice.at_work - slice.at_work_after);
        let productive = sum(|slice| slice.productive - slice.productive_after);
        let weighted: f64 = slices
            .iter()
            .zip(&self.slices)
            .map(|(told, slice)| told.u_star * (slice.at_work - slice.at_work_after))
            .sum();
        let utilisation = ratio(self.productive, self.at_work);
        let u_star = ratio(weighted, dialling);
        self.waits.sort_unstable_by(f32::total_cmp);
        self.decisions.sort_unstable_by(f32::total_cmp);
        let rounded = |value: f64| (value * 1e5).round() / 1e5;
        Report {
            policy,
            utilisation: rounded(utilisation),
            u_star: rounded(u_star),
            share_of_u_star: rounded(ratio(productive, weighted)),
            list_lasted: rounded(ratio(dialling, self.at_work)),
            talk_minutes_per_hour: rounded(60.0 * ratio(self.talk_seconds, self.at_work)),
            abandon_rate: rounded(rate((answered, abandoned))),
            abandon_rate_worst_day: rounded(called.iter().copied().map(rate).fold(0.0, f64::max)),
            abandon_rate_worst_24h: rounded(worst_24_hours),
            abandon_rate_worst_block: rounded(worst_block),
            windows: called.len() as u32,
            windows_over_cap: called.iter().filter(|day| rate(**day) > cap).count() as u32,
            dialled: self.dialled,
            answered,
            abandoned,
            connected_within_2s: rounded(ratio(self.within as f64, answered as f64)),
            wait_p50: quantile(&self.waits, 0.50),
            wait_p95: quantile(&self.waits, 0.95),
            wait_p99: quantile(&self.waits, 0.99),
            dials_per_answer: rounded(ratio(self.dialled as f64, answered as f64)),
            lines_peak: self.lines_peak,
            decision_us_p99: quantile(&self.decisions, 0.99),
            events_per_second: if seconds > 0.0 { (self.inputs as f64 / seconds).round() } else { 0.0 },
            groups: self.groups,
            over_the_day: slices,
        }
    }
}

impl Campaign {
    /// The highest rate in any 24 hours with enough calls to speak of one.
    fn worst_24_hours(&self) -> f64 {
        let quarters: Vec<_> = self.quarters.iter().collect();
        let (mut first, mut sum, mut worst) = (0, (0, 0), 0.0_f64);
        for (at, count) in &quarters {
            sum = (sum.0 + count.0, sum.1 + count.1);
            while at.since(*quarters[first].0) >= Duration::from_secs(86_400) {
                sum = (sum.0 - quarters[first].1.0, sum.1 - quarters[first].1.1);
                first += 1;
            }
            if sum.0 >= 100 {
                worst = worst.max(ratio(sum.1 as f64, sum.0 as f64));
            }
        }
        worst
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

fn quantile(sorted: &[f32], share: f64) -> f64 {
    let index = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(index).map_or(0.0, |value| (f64::from(*value) * 100.0).round() / 100.0)
}

/// The optimum of a scenario, slice by slice.
pub(super) struct Optimum {
    pub cap: f64,
    pub ring_seconds: f64,
    pub handle_seconds: f64,
    /// Solutions by agents and chance in thousandths.
    known: std::cell::RefCell<BTreeMap<(u32, u32, u32), f64>>,
}

impl Optimum {
    pub fn new(cap: f64, ring_seconds: f64, handle_seconds: f64) -> Self {
        Self { cap, ring_seconds, handle_seconds, known: Default::default() }
    }

    /// A slice that lasted so many seconds, all days together.
    fn slice(&self, index: usize, slice: &Slice, seconds: f64) -> TimeSlice {
        let agents = ratio(slice.at_work, seconds).round() as u32;
        let chance = if slice.dials > 0.0 { (slice.chances / slice.dials).clamp(0.001, 1.0) } else { 0.25 };
        let handle = if slice.handled > 0.0 { slice.handle / slice.handled } else { self.handle_seconds };
        // Steps fine enough that no figure moves by a thousandth.
        let key = (agents, (chance * 1000.0).round().max(1.0) as u32, handle.round().max(1.0) as u32);
        let u_star = *self.known.borrow_mut().entry(key).or_insert_with(|| {
            best_utilisation(&Floor {
                agents,
                answer_chance: f64::from(key.1) / 1000.0,
                handle_seconds: f64::from(key.2),
                ring_seconds: self.ring_seconds,
                grace_seconds: 2.0,
                cap: self.cap,
            })
        });
        TimeSlice {
            hour: index as f64 * SLICE_SECONDS / 3600.0,
            utilisation: ratio(slice.productive, slice.at_work),
            abandon_rate: ratio(slice.abandoned, slice.answered),
            u_star,
        }
    }
}

/// The mean of a distribution, in seconds, from many samples.
pub(super) fn mean_seconds(distribution: &Distribution) -> f64 {
    within(distribution, f64::INFINITY).1
}

/// The share of a distribution that is shorter than so many seconds, and the mean of that share, from many samples.
pub(super) fn within(distribution: &Distribution, limit: f64) -> (f64, f64) {
    const SAMPLES: u32 = 200_000;
    let Ok(number) = engine::PhoneNumber::from_digits(390_000_000_000) else { return (1.0, 0.0) };
    let mut rng = stream(1, number, 0, Purpose::Talk);
    let samples = (0..SAMPLES).map(|_| distribution.sample(&mut rng).as_secs_f64());
    let (count, sum) = samples
        .filter(|seconds| *seconds < limit)
        .fold((0.0, 0.0), |(count, sum), seconds| (count + 1.0, sum + seconds));
    (count / f64::from(SAMPLES), ratio(sum, count))
}
