//! The pacing benchmark: every scenario under several policies, as JSON lines and as the table of docs/pacing.md.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::Context;
use serde_json::{Value, json};
use simulator::simulate::{self, Policy, Report, Scenario};

use crate::simulate::{Watching, plot, read_scenario};

/// Where scenarios are, and where the table goes, from the folder in which the bench is started.
const SCENARIOS: &str = "scenarios";
const PAGE: &str = "docs/pacing.md";
const PLOTS: &str = "docs/pacing";
const BEGIN: &str = "<!-- the table begins: `make bench BENCH=pacing` writes it -->";
const END: &str = "<!-- the table ends -->";
/// The engine's own policy and what it is compared with.
const POLICIES: [&str; 6] =
    ["outdial", "progressive", "ratio:2", "vicidial-average", "samuelson", "residual-life"];

/// The policies compared with run for so many days, and for no more than so many agents' days: enough for their means. Only
/// the engine's own has to hold the cap on every single day.
const DAYS_OF_OTHERS: u32 = 20;
/// See [`DAYS_OF_OTHERS`].
const AGENTS_DAYS_OF_OTHERS: u32 = 2000;

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
    let commit = commit();
    let runs = run_all(&scenarios)?;
    write_page(&files, &scenarios, &runs, &commit, days.is_some())?;
    let told = scenarios.iter().zip(&runs).flat_map(|(scenario, reports)| {
        reports.iter().map(|report| {
            json!({
                "bench": "pacing", "db": null, "scenario": scenario.name, "policy": report.policy,
                "value": report.utilisation, "unit": "share of agents' time", "reference": report.u_star,
                "ratio": report.share_of_u_star, "abandon_rate": report.abandon_rate,
                "windows": report.windows, "windows_over_cap": report.windows_over_cap,
                "connected_within_2s": report.connected_within_2s, "decision_us_p99": report.decision_us_p99,
                "events_per_second": report.events_per_second, "seed": scenario.seed, "days": scenario.days,
            })
        })
    });
    Ok(told.collect())
}

/// Two scenarios at a time: each is one thread's work.
fn run_all(scenarios: &[Scenario]) -> anyhow::Result<Vec<Vec<Report>>> {
    let next = Mutex::new(0_usize);
    let done: Mutex<Vec<Option<Vec<Report>>>> = Mutex::new(vec![None; scenarios.len()]);
    let work = || -> anyhow::Result<()> {
        loop {
            let index = {
                let mut next = next.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                *next += 1;
                *next - 1
            };
            let Some(scenario) = scenarios.get(index) else { return Ok(()) };
            let reports = POLICIES
                .iter()
                .enumerate()
                .map(|(nth, name)| {
                    let most = if nth == 0 { scenario.days } else { days_of_others(scenario) };
                    let scenario = Scenario { days: scenario.days.min(most), ..scenario.clone() };
                    Ok(simulate::run(&scenario, &name.parse::<Policy>()?, &mut Watching::silent())?)
                })
                .collect::<anyhow::Result<Vec<_>>>()?;
            let mut done = done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if let Some(place) = done.get_mut(index) {
                *place = Some(reports);
            }
        }
    };
    std::thread::scope(|scope| {
        let threads = [scope.spawn(work), scope.spawn(work)];
        threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a simulation panicked")))
        })
    })?;
    let done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.into_iter().map(|reports| reports.context("a scenario was not run")).collect()
}

fn agents(scenario: &Scenario) -> u32 {
    scenario.shifts().iter().map(|shift| shift.count).sum()
}

fn days_of_others(scenario: &Scenario) -> u32 {
    (AGENTS_DAYS_OF_OTHERS / agents(scenario).max(1)).clamp(1, DAYS_OF_OTHERS)
}

/// The share of U* that a scenario is to reach; the project's own pass lines.
fn pass_line(scenario: &Scenario) -> f64 {
    if !scenario.change.is_empty() || scenario.shifts().len() > 1 {
        return 0.93;
    }
    match agents(scenario) {
        0..=7 => 0.95,
        8..=15 => 0.96,
        16..=99 => 0.97,
        _ => 0.985,
    }
}

/// The commit of the sources here; nothing if that cannot be found out.
fn commit() -> String {
    let said = std::process::Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    said.map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned()).unwrap_or_default()
}

fn write_page(
    files: &[PathBuf],
    scenarios: &[Scenario],
    runs: &[Vec<Report>],
    commit: &str,
    is_shortened: bool,
) -> anyhow::Result<()> {
    let page = std::fs::read_to_string(PAGE).with_context(|| format!("cannot read {PAGE}"))?;
    let (before, rest) = page.split_once(BEGIN).with_context(|| format!("{PAGE} has lost '{BEGIN}'"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("{PAGE} has lost '{END}'"))?;
    let mut table = String::new();
    writeln!(table, "Made at commit `{commit}`{}.\n", if is_shortened { ", with fewer days" } else { "" })?;
    table += "| scenario | policy | days | busy | U* | of U* | abandoned | worst day | days over | dials per answer | p99 wait | decision p99 | inputs/s | pass line |\n";
    table += "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|\n";
    for (scenario, reports) in scenarios.iter().zip(runs) {
        let line = pass_line(scenario);
        for report in reports {
            let verdict = match (report.policy.as_str(), report.windows_over_cap) {
                ("outdial", 0) if report.share_of_u_star >= line => format!("{line}: reached"),
                ("outdial", 0) => format!("{line}: missed by {:.3}", line - report.share_of_u_star),
                ("outdial", days) => format!("{days} days over the cap: missed"),
                _ => String::new(),
            };
            writeln!(
                table,
                "| {} | {} | {} | {:.1} % | {:.1} % | {:.1} % | {:.2} % | {:.2} % | {} | {:.1} | {:.1} s | {:.1} µs | {:.0} k | {verdict} |",
                scenario.name,
                report.policy,
                report.windows,
                report.utilisation * 100.0,
                report.u_star * 100.0,
                report.share_of_u_star * 100.0,
                report.abandon_rate * 100.0,
                report.abandon_rate_worst_day * 100.0,
                report.windows_over_cap,
                report.dials_per_answer,
                report.wait_p99,
                report.decision_us_p99,
                report.events_per_second / 1000.0,
            )?;
        }
    }
    std::fs::create_dir_all(PLOTS)?;
    for ((file, scenario), reports) in files.iter().zip(scenarios).zip(runs) {
        let name = Path::new(PLOTS).join(file.with_extension("svg").file_name().unwrap_or_default());
        std::fs::write(name, plot::over_the_day(scenario, reports, plot::Format::Svg)?)?;
    }
    std::fs::write(PAGE, format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))?;
    Ok(())
}
