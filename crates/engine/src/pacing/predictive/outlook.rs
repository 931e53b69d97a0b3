//! What is to be expected within the next seconds: agents who become free, and people who answer.

use std::time::Duration;

use crate::pacing::probability::{Count, normal_below, normal_loss};
use crate::pacing::{Answers, Busy, BusyAgents, Forecast, Occupation, PacingView, Room};
use crate::time::Time;

/// Agents and lines up to which sums are computed exactly.
const EXACT_MAX: usize = 120;
/// How old a look at the agents or at the lines of a large team may be.
const LOOK_AGE: Duration = Duration::from_millis(250);
/// Of the agents of a large team, one in so many may have changed since the last look.
const CHANGES: u64 = 64;

/// Other groups' lines are taken to be answered with this chance at least, which bounds what counting them takes.
const OTHERS_CHANCE_LEAST: f64 = 0.05;

/// How many lines of equal chances bring answers of that mean and variance (the binomial distribution).
fn lines_that_bring(answers: Answers) -> usize {
    let Answers { expected, variance } = answers;
    if expected <= 0.0 {
        return 0;
    }
    (expected / (1.0 - variance / expected).max(OTHERS_CHANCE_LEAST)).ceil() as usize
}

/// How many busy agents will be free: the sum and variance of their chances, and for small teams the whole distribution.
#[derive(Clone, Debug)]
struct Freed {
    at: Time,
    changes: u64,
    expected: f64,
    variance: f64,
    count: Option<Count>,
}

/// How many answers the lines may still bring.
#[derive(Clone, Copy, Debug)]
struct Calls {
    at: Time,
    placed: u64,
    to_come: f64,
    surge: f64,
}

/// The latest looks.
#[derive(Clone, Debug, Default)]
pub(super) struct Looks {
    freed: Option<Freed>,
    calls: Option<Calls>,
}

/// What is to be expected, as of one instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outlook<'a> {
    /// Ready agents less waiting calls.
    free: i64,
    freed: &'a Freed,
    /// How many of the lines there are.
    lines: usize,
    /// Of these lines, from now on.
    answers: Answers,
    /// Of other groups' lines, to the same agents.
    others: Answers,
    /// Of the agents who are or will be free, how many are left to other groups.
    room: f64,
    /// By how much more people answer than in the long run.
    pub surge: f64,
    is_exact: bool,
}

/// The chances that a busy agent is free before an answer of a call placed now has waited too long.
struct SoonFree<'a> {
    forecast: &'a Forecast,
    now: Time,
    horizon: f64,
    /// The chance that the wrap-up after a talk that ends within the horizon ends within it too.
    wrapped_too: f64,
}

impl<'a> SoonFree<'a> {
    fn new(forecast: &'a Forecast, now: Time, horizon: f64) -> Self {
        // Talks end at any moment of the horizon alike: the mean over what each moment leaves of it.
        const MOMENTS: u32 = 4;
        let wrapped = (0..MOMENTS).map(|moment| {
            let left = horizon * (f64::from(moment) + 0.5) / f64::from(MOMENTS);
            1.0 - forecast.wrap.lasts_longer_than(left)
        });
        Self { forecast, now, horizon, wrapped_too: wrapped.sum::<f64>() / f64::from(MOMENTS) }
    }

    fn chance(&self, busy: &Busy) -> f64 {
        let elapsed = self.now.since(busy.since).as_secs_f64();
        match busy.occupation {
            Occupation::Reserved => 0.0,
            Occupation::Wrap => self.forecast.wrap.ends_within(elapsed, self.horizon),
            Occupation::Talk => self.forecast.talk.ends_within(elapsed, self.horizon) * self.wrapped_too,
        }
    }
}

impl Freed {
    fn look(busy: &BusyAgents, soon: &SoonFree<'_>, is_exact: bool) -> Self {
        let (mut expected, mut variance) = (0.0, 0.0);
        let mut count = is_exact.then(Count::none);
        for (busy, agents) in busy.iter() {
            let chance = soon.chance(busy);
            expected += f64::from(agents) * chance;
            variance += f64::from(agents) * chance * (1.0 - chance);
            if let Some(count) = &mut count {
                (0..agents).for_each(|_| count.add(chance));
            }
        }
        Self { at: soon.now, changes: busy.changes(), expected, variance, count }
    }
}

impl Looks {
    /// What is to be expected now. Agents count who become free within `horizon` seconds; lines by how many were
    /// placed when, or each by its own age.
    pub fn outlook(&mut self, view: &PacingView<'_>, horizon: f64, by_age: bool) -> Outlook<'_> {
        let lines = view.lines.len();
        let is_exact = view.busy.len() + lines + lines_that_bring(view.others_answers) <= EXACT_MAX;
        let changes = if is_exact { 0 } else { view.busy.len() as u64 / CHANGES };
        let max_age = if is_exact { Duration::ZERO } else { LOOK_AGE };
        let is_fresh = |freed: &Freed| {
            view.now.since(freed.at) <= max_age
                && view.busy.changes().abs_diff(freed.changes) <= changes
                && freed.count.is_some() == is_exact
        };
        if !self.freed.as_ref().is_some_and(is_fresh) {
            self.freed = None;
        }
        let calls = match self.calls {
            Some(calls) if view.now.since(calls.at) <= max_age => calls,
            _ => {
                let recent = view.forecast.recent(view.now);
                let surge = view.forecast.surge(&recent);
                let placed = view.forecast.calls_placed();
                Calls { at: view.now, placed, to_come: recent.to_come, surge }
            }
        };
        self.calls = Some(calls);
        let answers = match by_age {
            _ if lines == 0 => Answers::default(),
            false => {
                // Calls placed since the look have all their time before them.
                let to_come = calls.to_come + view.forecast.calls_placed().abs_diff(calls.placed) as f64;
                Forecast::of_lines(view.lines, to_come)
            }
            true => view.lines.iter().fold(Answers::default(), |sum, (_, line)| {
                let age = view.now.since(line.since).as_secs_f64();
                let to_come = view.forecast.ring.lasts_longer_than(age);
                let unanswered = 1.0 - line.chance * (1.0 - to_come);
                let chance = (line.chance * to_come / unanswered.max(1e-9)).clamp(0.0, 1.0);
                sum.and(Answers::alike(1, chance))
            }),
        };
        let freed = self.freed.get_or_insert_with(|| {
            Freed::look(view.busy, &SoonFree::new(view.forecast, view.now, horizon), is_exact)
        });
        let free = i64::from(view.ready_agents) - i64::from(view.waiting_calls);
        let Room { answers: wanted, part } = view.room_for_others;
        Outlook {
            free,
            room: wanted.min((part * (free as f64 + freed.expected)).max(0.0)),
            freed,
            lines,
            answers,
            others: view.others_answers,
            surge: calls.surge,
            is_exact,
        }
    }
}

impl Outlook<'_> {
    /// How many lines may be added, at least `base`, while the chance that the answer of the one that is added finds
    /// no agent is at most `risk`; each has this `chance` of an answer. At most `most` more than `base`. It is found soonest
    /// where it is near the `guess`.
    pub fn lines_within(&self, risk: f64, chance: f64, base: u32, most: u32, guess: u32) -> u32 {
        match &self.freed.count {
            Some(freed) if self.is_exact => self.exactly(freed, risk, chance, base, most),
            _ => self.by_normal(risk, chance, base, most, guess),
        }
    }

    /// Each line's chance of an answer from now on, if they are alike.
    fn chance(&self) -> f64 {
        self.answers.expected / self.lines.max(1) as f64
    }

    /// How many lines there are too many: without them the chance that the answer of one of the others finds no agent would
    /// be at most `risk`.
    pub fn lines_over(&self, risk: f64) -> u32 {
        let danger = |lines: usize| match &self.freed.count {
            Some(freed) if self.is_exact => self.count(lines - 1).reaches(self.free, freed),
            _ => {
                let answers = self.others.and(Answers::alike(lines - 1, self.chance()));
                let mean = self.free as f64 + self.freed.expected - answers.expected;
                normal_below((0.5 - mean) / (self.freed.variance + answers.variance).max(1e-6).sqrt())
            }
        };
        // The danger falls with every line that is not there. Usually they all fit, so that is asked first.
        let (mut fit, mut too_many) = (0, self.lines + 1);
        let mut asked = self.lines;
        while too_many - fit > 1 {
            if danger(asked) <= risk {
                fit = asked
            } else {
                too_many = asked
            }
            asked = fit.midpoint(too_many);
        }
        (self.lines - fit) as u32
    }

    /// How many people will answer so many of these lines and those of other groups.
    fn count(&self, lines: usize) -> Count {
        let mut count = Count::alike(lines, self.chance());
        let others = lines_that_bring(self.others);
        (0..others).for_each(|_| count.add(self.others.expected / others as f64));
        count
    }

    fn exactly(&self, freed: &Count, risk: f64, chance: f64, base: u32, most: u32) -> u32 {
        let mut answers = self.count(self.lines);
        let free = self.free - self.room as i64;
        answers.add(self.room.fract());
        (0..base).for_each(|_| answers.add(chance));
        let mut lines = base;
        while lines < base + most && answers.reaches(free, freed) <= risk {
            lines += 1;
            answers.add(chance);
        }
        lines
    }

    fn by_normal(&self, risk: f64, chance: f64, base: u32, most: u32, guess: u32) -> u32 {
        let danger = |more: u32| {
            let mean = self.surplus() - self.room - f64::from(more) * chance;
            let variance = self.variance() + f64::from(more) * chance * (1.0 - chance);
            normal_below((0.5 - mean) / variance.max(1e-6).sqrt())
        };
        if danger(base) > risk {
            return base;
        }
        // The danger grows with every line. The most that is small enough is sought in growing steps from the guess on, until it
        // lies between two numbers, and then by halving what is between them.
        let (mut fits, mut too_many) = (base, base + most);
        let (mut asked, mut step) = (guess.max(base + 1).min(too_many - 1), 1);
        while too_many - fits > 1 {
            if danger(asked) <= risk {
                fits = asked;
            } else {
                too_many = asked;
            }
            let next = if fits == asked { fits + step } else { too_many.saturating_sub(step) };
            asked = if fits < next && next < too_many { next } else { fits.midpoint(too_many) };
            step *= 2;
        }
        // Like the exact rule, the line that is added last still found the danger small enough before it.
        fits + 1
    }

    /// By how much agents outnumber answers on average.
    pub fn surplus(&self) -> f64 {
        self.free as f64 + self.freed.expected - self.answers.expected - self.others.expected
    }

    /// The variance of that number.
    pub fn variance(&self) -> f64 {
        self.freed.variance + self.answers.variance + self.others.variance
    }

    /// Abandonments to be expected of these lines.
    pub fn pending_abandonments(&self) -> f64 {
        if self.lines == 0 {
            return 0.0;
        }
        let spread = self.variance().max(1e-6).sqrt();
        let own = self.answers.expected / (self.answers.expected + self.others.expected).max(1e-9);
        own * spread * normal_loss(self.surplus() / spread)
    }
}
