//! Policies to compare with: the engine's own, and simplified emulations of published ones. The emulations are written
//! from the formulas in the literature and in vendors' own descriptions; they are not the products.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use engine::pacing::{self, LinesPerAgent, Observation, Occupation, Pacing, PacingView, PolicyMaker, Wish};
use engine::{DialMode, GroupSettings, Time};

use super::scenario::InvalidScenario;

/// Which policy paces the dialling.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Policy {
    /// The engine's predictive dialling.
    Outdial,
    /// The engine's progressive dialling.
    Progressive,
    /// A fixed number of lines for each ready agent.
    Ratio(f64),
    /// A dial level stepped by idle agents, with the abandonment cap as an override.
    Vicidial(Override),
    /// Calls at the rate at which an Erlang loss system keeps the cap, whatever the agents do.
    Erlang,
    /// Idle agents and those about to be free, divided by the chance of an answer.
    Samuelson,
    /// The same with each busy agent's own remaining time, and a window that follows the cap.
    ResidualLife,
}

/// What happens to the dial level when the day's abandonments are over the cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Override {
    /// It drops to one.
    Hard,
    /// It is halved.
    Average,
    /// It is cut by the time that is left of the day.
    Tapered,
}

impl Policy {
    /// One of each kind, as they are named: the engine's own first, then what it is compared with.
    pub const NAMES: [&str; 9] = [
        "outdial",
        "progressive",
        "ratio:2",
        "vicidial-hard",
        "vicidial-average",
        "vicidial-tapered",
        "erlang",
        "samuelson",
        "residual-life",
    ];
}

impl FromStr for Policy {
    type Err = InvalidScenario;

    fn from_str(text: &str) -> Result<Self, InvalidScenario> {
        Ok(match text {
            "outdial" => Self::Outdial,
            "progressive" => Self::Progressive,
            "vicidial-hard" => Self::Vicidial(Override::Hard),
            "vicidial-average" => Self::Vicidial(Override::Average),
            "vicidial-tapered" => Self::Vicidial(Override::Tapered),
            "erlang" => Self::Erlang,
            "samuelson" => Self::Samuelson,
            "residual-life" => Self::ResidualLife,
            other => {
                let ratio = other.strip_prefix("ratio:").and_then(|ratio| ratio.parse().ok());
                let ratio = ratio.filter(|ratio: &f64| (1.0..=50.0).contains(ratio));
                return ratio.map(Self::Ratio).ok_or_else(|| InvalidScenario::Policy(other.to_owned()));
            }
        })
    }
}

impl Policy {
    /// Its name, as it is given.
    pub fn name(&self) -> String {
        match self {
            Self::Outdial => "outdial".to_owned(),
            Self::Progressive => "progressive".to_owned(),
            Self::Ratio(ratio) => format!("ratio:{ratio}"),
            Self::Vicidial(Override::Hard) => "vicidial-hard".to_owned(),
            Self::Vicidial(Override::Average) => "vicidial-average".to_owned(),
            Self::Vicidial(Override::Tapered) => "vicidial-tapered".to_owned(),
            Self::Erlang => "erlang".to_owned(),
            Self::Samuelson => "samuelson".to_owned(),
            Self::ResidualLife => "residual-life".to_owned(),
        }
    }

    /// The dial mode under which the engine runs it. Reference policies run as predictive, because their calls wait
    /// for agents as predictive calls do.
    pub(super) fn dial_mode(&self) -> DialMode {
        if *self == Self::Progressive { DialMode::Progressive } else { DialMode::Predictive }
    }

    /// What makes it for the engine. `cap` is the share that may be abandoned, `day` how long a day of work is.
    pub(super) fn maker(&self, cap: f64, day: Duration) -> PolicyMaker {
        let policy = *self;
        Arc::new(move |settings: &GroupSettings| -> Box<dyn Pacing> {
            match policy {
                Self::Outdial | Self::Progressive => pacing::policy(settings),
                Self::Ratio(ratio) => Box::new(LinesPerAgent(ratio)),
                Self::Vicidial(over) => Box::new(Vicidial::new(over, cap, day)),
                Self::Erlang => Box::new(Erlang { cap, next: Time::EPOCH, agents: 0, rate: 0.0 }),
                Self::Samuelson => Box::new(ExpectedValue { cap, window: None, seconds: 10.0 }),
                Self::ResidualLife => {
                    Box::new(ExpectedValue { cap, window: Some(Time::EPOCH), seconds: 10.0 })
                }
            }
        })
    }
}

/// Every quarter of a minute the level follows the idle agents; over the cap it is overridden. Every 2.5 s it asks for as
/// many calls as are missing from level times agents.
struct Vicidial {
    over: Override,
    cap: f64,
    day: Duration,
    level: f64,
    started: Option<Time>,
    last: Time,
    next_step: Time,
    next_dial: Time,
    next_sample: Time,
    /// Calls asked for at the last look and not placed yet, and calls up when they were last counted.
    quota: u32,
    up: u32,
    idle: f64,
    agents: f64,
    samples: f64,
    calls: u32,
    answers: f64,
    drops: f64,
}

/// The highest dial level, by default.
const LEVEL_MAX: f64 = 3.0;
/// Calls of a day before the cap overrides anything.
const CALLS_BEFORE_OVERRIDE: u32 = 50;
/// A gap of so long is a night.
const NIGHT: Duration = Duration::from_secs(3600);

impl Vicidial {
    fn new(over: Override, cap: f64, day: Duration) -> Self {
        Self {
            over,
            cap,
            day,
            level: 1.0,
            started: None,
            last: Time::EPOCH,
            next_step: Time::EPOCH,
            next_dial: Time::EPOCH,
            next_sample: Time::EPOCH,
            quota: 0,
            up: 0,
            idle: 0.0,
            agents: 0.0,
            samples: 0.0,
            calls: 0,
            answers: 0.0,
            drops: 0.0,
        }
    }

    fn step(&mut self, now: Time) {
        let agents = (self.agents / self.samples.max(1.0)).max(1.0);
        let difference = self.idle / self.samples.max(1.0) / agents;
        self.level = (self.level * (1.0 + difference)).clamp(1.0, LEVEL_MAX);
        if self.calls > CALLS_BEFORE_OVERRIDE && self.drops / self.answers.max(1.0) > self.cap {
            let passed = now.since(self.started.unwrap_or(now)).as_secs_f64();
            // Hours and minutes are subtracted as written, as hhmm, and divided by a thousand: a tenth for each hour.
            let left = ((self.day.as_secs_f64() - passed) / 36_000.0).clamp(0.0, 1.0);
            self.level = match self.over {
                Override::Hard => 1.0,
                Override::Average => (self.level / 2.0).max(1.0),
                Override::Tapered => (self.level * left).max(1.0),
            };
        }
        (self.idle, self.agents, self.samples) = (0.0, 0.0, 0.0);
    }

    /// Counts are those of the day.
    fn notice_the_day(&mut self, now: Time) {
        if now.since(self.last) > NIGHT {
            *self = Self::new(self.over, self.cap, self.day);
        }
        self.last = now;
        self.started.get_or_insert(now);
    }
}

impl Pacing for Vicidial {
    fn wish(&mut self, view: &PacingView<'_>) -> Wish {
        let now = view.now;
        self.notice_the_day(now);
        if now >= self.next_sample {
            self.next_sample = now + Duration::from_secs(1);
            self.idle +=
                f64::from(view.ready_agents) - f64::from(view.waiting_calls) - view.others_answers.expected;
            self.agents += f64::from(view.ready_agents + view.busy_agents);
            self.samples += 1.0;
        }
        if now >= self.next_step {
            self.next_step = now + Duration::from_secs(15);
            self.step(now);
        }
        // The engine places calls one by one, as the limit on calls per second allows, and asks before each.
        let lines = view.ringing_lines;
        let placed = lines.saturating_sub(self.up).min(self.quota);
        self.quota -= placed;
        self.calls += placed;
        self.up = lines;
        if now >= self.next_dial {
            self.next_dial = now + Duration::from_millis(2500);
            let talking = view.busy.iter().filter(|(busy, _)| busy.occupation != Occupation::Wrap);
            let talking: u32 = talking.map(|(_, agents)| agents).sum();
            let goal = (self.level * f64::from(view.ready_agents + talking)).round() as u32;
            self.quota = goal.saturating_sub(view.ringing_lines + view.waiting_calls + talking);
        }
        Wish::to_add(self.quota)
    }

    fn observe(&mut self, now: Time, observation: Observation) {
        self.notice_the_day(now);
        match observation {
            Observation::Answered => self.answers += 1.0,
            Observation::Abandoned => self.drops += 1.0,
            _ => {}
        }
    }
}

/// Calls at a steady rate: that at which an Erlang loss system of so many agents loses just the cap.
struct Erlang {
    cap: f64,
    next: Time,
    agents: u32,
    rate: f64,
}

/// The load, in erlangs, at which so many servers block this share.
fn load_at(servers: u32, blocking: f64) -> f64 {
    let blocked = |load: f64| (1..=servers).fold(1.0, |b, n| load * b / (f64::from(n) + load * b));
    let (mut low, mut high) = (0.0, f64::from(servers) * 2.0);
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        if blocked(middle) < blocking { low = middle } else { high = middle }
    }
    low
}

impl Pacing for Erlang {
    fn wish(&mut self, view: &PacingView<'_>) -> Wish {
        let agents = view.ready_agents + view.busy_agents;
        if agents != self.agents {
            self.agents = agents;
            self.rate = load_at(agents, self.cap);
        }
        let handle = view.forecast.talk.mean_seconds() + view.forecast.wrap.mean_seconds();
        let per_second = self.rate / handle / view.forecast.long_run();
        if per_second <= 0.0 || view.now < self.next {
            return Wish::default();
        }
        let gap = Duration::from_secs_f64(1.0 / per_second);
        self.next = self.next.max(view.now - Duration::from_secs(2)) + gap;
        Wish::to_add(1)
    }
}

/// Agents who are idle or soon will be, divided by the chance of an answer, less the lines there are.
struct ExpectedValue {
    cap: f64,
    /// When the window was last changed, if it follows the cap.
    window: Option<Time>,
    seconds: f64,
}

impl Pacing for ExpectedValue {
    fn wish(&mut self, view: &PacingView<'_>) -> Wish {
        if let Some(changed) = self.window
            && view.now.since(changed) > Duration::from_secs(30)
        {
            self.window = Some(view.now);
            let over = view.budget.today().rate() > self.cap;
            self.seconds = (self.seconds * if over { 0.9 } else { 1.05 }).clamp(0.5, 60.0);
        }
        let (talk, wrap) = (&view.forecast.talk, &view.forecast.wrap);
        let soon: f64 = view
            .busy
            .iter()
            .map(|(busy, agents)| {
                let elapsed = view.now.since(busy.since).as_secs_f64();
                let free = match (busy.occupation, self.window) {
                    (Occupation::Reserved, _) => 0.0,
                    // Expected less elapsed within the transit time: free or not, nothing between.
                    (Occupation::Talk, None) => {
                        let rest = talk.mean_seconds() + wrap.mean_seconds() - elapsed;
                        f64::from(u8::from(rest <= self.seconds))
                    }
                    (Occupation::Wrap, None) => {
                        f64::from(u8::from(wrap.mean_seconds() - elapsed <= self.seconds))
                    }
                    (Occupation::Talk, Some(_)) => {
                        let wrapped = 1.0 - wrap.lasts_longer_than(self.seconds / 2.0);
                        talk.ends_within(elapsed, self.seconds / 2.0) * wrapped
                    }
                    (Occupation::Wrap, Some(_)) => wrap.ends_within(elapsed, self.seconds),
                };
                free * f64::from(agents)
            })
            .sum();
        let (ready, waiting) = (f64::from(view.ready_agents), f64::from(view.waiting_calls));
        let free = ready - waiting - view.others_answers.expected + soon;
        let lines = (free / view.forecast.long_run().max(0.01)).floor().max(0.0) as u32;
        let progressive = view.free_agents();
        Wish::to_add(lines.max(progressive).saturating_sub(view.ringing_lines))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_named_as_they_are_given() {
        for name in Policy::NAMES.into_iter().chain(["ratio:2.5"]) {
            assert_eq!(name.parse::<Policy>().unwrap().name(), name);
        }
        assert!("ratio:0".parse::<Policy>().is_err());
        assert!("guess".parse::<Policy>().unwrap_err().to_string().starts_with("'guess' is no policy"));
    }

    #[test]
    fn a_dial_level_starts_each_day_anew() {
        let at = |seconds: u64| Time::from_micros(1_767_600_000_000_000) + Duration::from_secs(seconds);
        let mut policy = Vicidial::new(Override::Hard, 0.03, Duration::from_secs(8 * 3600));
        for second in 0..100 {
            policy.observe(at(second), Observation::Answered);
            policy.observe(at(second), Observation::Abandoned);
        }
        assert_eq!((policy.answers, policy.drops), (100.0, 100.0));
        policy.observe(at(57_600), Observation::Answered);
        assert_eq!((policy.answers, policy.drops, policy.level), (1.0, 0.0, 1.0));
    }

    #[test]
    fn the_erlang_load_is_that_of_the_tables() {
        // Erlang B: 10 servers carry 5.53 erlangs at 3 % blocking.
        assert!((load_at(10, 0.03) - 5.53).abs() < 0.01);
    }
}
