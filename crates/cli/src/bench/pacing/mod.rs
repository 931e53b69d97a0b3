//! The pacing benchmark: every scenario under several policies, as JSON lines and as the tables of docs/pacing.md.

mod page;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Instant;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use simulator::simulate::{self, Policy, Report, Scenario, Watcher};

use crate::simulate::read_scenario;

/// Where scenarios are, from the folder in which the bench is started.
const SCENARIOS: &str = "scenarios";
/// The policies compared with run for so many days, and for no more than so many agents' days: enough for their means. Only
/// the engine's own has to hold the cap on every single day.
const DAYS_OF_OTHERS: u32 = 10;
/// See [`DAYS_OF_OTHERS`].
const AGENTS_DAYS_OF_OTHERS: u32 = 500;

/// Runs every scenario; with `days` all of them for so long.
///
/// # Errors
/// A scenario cannot be read or run, or the page cannot be written.
pub fn run(days: Option<u32>) -> anyhow::Result<Vec<Value>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(SCENARIOS)
        .with_context(|| {
            format!("there is no folder {SCENARIOS} here: start the bench where the sources are")
        })?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    files.sort();
    let mut scenarios = files.iter().map(|path| read_scenario(path)).collect::<Result<Vec<_>, _>>()?;
    for scenario in &mut scenarios {
        scenario.days = days.map_or(scenario.days, |days| days.min(scenario.days));
    }
    // The sources may change while it runs.
    let commit = page::commit();
    let runs = run_all(&scenarios)?;
    page::write(&files, &scenarios, &runs, &commit, days.is_some())?;
    let told = scenarios.iter().zip(&runs).flat_map(|(scenario, reports)| {
        reports.iter().map(|report| {
            json!({
                "bench": "pacing", "db": null, "scenario": scenario.name, "policy": report.policy,
                "value": report.utilisation, "unit": "share of agents' time", "reference": report.u_star,
                "ratio": report.share_of_u_star, "abandon_rate": report.abandon_rate,
                "windows": report.windows, "windows_over_cap": report.windows_over_cap,
                "connected_within_2s": report.connected_within_2s, "decision_us_p99": report.decision_us_p99,
                "events_per_second": report.events_per_second, "seed": scenario.seed, "days": report.windows,
            })
        })
    });
    Ok(told.collect())
}

/// A scenario under a policy.
struct Run<'a> {
    scenario: usize,
    policy: usize,
    days: u32,
    of: &'a Scenario,
}

impl Run<'_> {
    /// Hours that agents work in it: about how long it takes.
    fn agent_hours(&self) -> u64 {
        (f64::from(agents(self.of) * self.days) * self.of.hours) as u64 + 1
    }
}

/// Shows how far all runs together are.
struct Share<'a> {
    bar: &'a ProgressBar,
    agent_hours: u64,
    shown: u64,
    began: Instant,
}

impl Watcher for Share<'_> {
    fn progress(&mut self, share: f64) {
        let now = (share * self.agent_hours as f64) as u64;
        self.bar.inc(now.saturating_sub(self.shown));
        self.shown = now;
    }

    fn seconds(&mut self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}

/// Two at a time, as each is one thread's work; the longest first, so that both end together.
fn run_all(scenarios: &[Scenario]) -> anyhow::Result<Vec<Vec<Report>>> {
    let mut runs: Vec<Run<'_>> = Vec::new();
    for (scenario, of) in scenarios.iter().enumerate() {
        runs.extend((0..Policy::NAMES.len()).map(|policy| {
            let days = if policy == 0 { of.days } else { of.days.min(days_of_others(of)) };
            Run { scenario, policy, days, of }
        }));
    }
    runs.sort_by_key(|run| std::cmp::Reverse(run.agent_hours()));
    let bar = ProgressBar::new(runs.iter().map(Run::agent_hours).sum());
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template("[{bar:40}] {percent:>3} %  {eta} left") {
        bar.set_style(style);
    }
    let done: Mutex<Vec<Vec<Option<Report>>>> =
        Mutex::new(vec![vec![None; Policy::NAMES.len()]; scenarios.len()]);
    let waiting = Mutex::new(runs.iter());
    let work = || -> anyhow::Result<()> {
        loop {
            let next = waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
            let Some(run) = next else { return Ok(()) };
            let scenario = Scenario { days: run.days, ..run.of.clone() };
            let mut share =
                Share { bar: &bar, agent_hours: run.agent_hours(), shown: 0, began: Instant::now() };
            let report = simulate::run(&scenario, &Policy::NAMES[run.policy].parse::<Policy>()?, &mut share)?;
            let mut done = done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            done[run.scenario][run.policy] = Some(report);
        }
    };
    std::thread::scope(|scope| {
        let threads = [scope.spawn(work), scope.spawn(work)];
        threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a simulation panicked")))
        })
    })?;
    bar.finish_and_clear();
    let done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let whole = |reports: Vec<Option<Report>>| reports.into_iter().collect::<Option<Vec<_>>>();
    done.into_iter().map(|reports| whole(reports).context("a scenario was not run")).collect()
}

fn agents(scenario: &Scenario) -> u32 {
    scenario.shifts().iter().map(|shift| shift.count).sum()
}

fn days_of_others(scenario: &Scenario) -> u32 {
    (AGENTS_DAYS_OF_OTHERS / agents(scenario).max(1)).clamp(1, DAYS_OF_OTHERS)
}
