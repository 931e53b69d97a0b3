//! The tables and pictures of docs/pacing.md.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use simulator::simulate::{Report, Scenario};

use super::agents;
use crate::simulate::plot;

/// Where the tables go, from the folder in which the bench is started.
const PAGE: &str = "docs/pacing.md";
const PLOTS: &str = "docs/pacing";
const BEGIN: &str = "<!-- the tables begin: `make bench BENCH=pacing` writes them -->";
const END: &str = "<!-- the tables end -->";

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
pub(super) fn commit() -> String {
    let said = std::process::Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    said.map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned()).unwrap_or_default()
}

pub(super) fn write(
    files: &[PathBuf],
    scenarios: &[Scenario],
    runs: &[Vec<Report>],
    commit: &str,
    is_shortened: bool,
) -> anyhow::Result<()> {
    let page = std::fs::read_to_string(PAGE).with_context(|| format!("cannot read {PAGE}"))?;
    let (before, rest) = page.split_once(BEGIN).with_context(|| format!("{PAGE} has lost '{BEGIN}'"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("{PAGE} has lost '{END}'"))?;
    let seeds: BTreeSet<String> = scenarios.iter().map(|scenario| scenario.seed.to_string()).collect();
    let seeds = seeds.into_iter().collect::<Vec<_>>().join(", ");
    let fewer = if is_shortened { ", with fewer days" } else { "" };
    let mut tables = format!("Made at commit `{commit}` with seed {seeds}{fewer}.\n\n### Outdial\n\n");
    of_outdial(&mut tables, scenarios, runs)?;
    tables += "\n### The others, on the same people\n\nHow busy agents were / how many of the calls that people answered were abandoned, in per cent. ✗: a day over the cap.\n\n";
    of_the_others(&mut tables, scenarios, runs)?;
    std::fs::create_dir_all(PLOTS)?;
    for ((file, scenario), reports) in files.iter().zip(scenarios).zip(runs) {
        let name = Path::new(PLOTS).join(file.with_extension("svg").file_name().unwrap_or_default());
        std::fs::write(name, plot::over_the_day(scenario, reports, plot::Format::Svg)?)?;
    }
    std::fs::write(PAGE, format!("{before}{BEGIN}\n\n{tables}\n{END}{after}"))?;
    Ok(())
}

fn of_outdial(table: &mut String, scenarios: &[Scenario], runs: &[Vec<Report>]) -> anyhow::Result<()> {
    *table += "| scenario | agents | days | busy | U* | of U* | abandoned | worst day | days over | dials per answer | p99 wait | decision p99 | inputs/s | pass line |\n";
    *table += "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|\n";
    for (scenario, report) in scenarios.iter().zip(runs.iter().filter_map(|reports| reports.first())) {
        let line = pass_line(scenario);
        let verdict = match report.windows_over_cap {
            0 if report.share_of_u_star >= line => format!("{line}: reached"),
            0 if line - report.share_of_u_star < 0.001 => format!("{line}: missed by less than 0.001"),
            0 => format!("{line}: missed by {:.3}", line - report.share_of_u_star),
            1 => "1 day over the cap: missed".to_owned(),
            days => format!("{days} days over the cap: missed"),
        };
        writeln!(
            table,
            "| {} | {} | {} | {:.1} % | {:.1} % | {:.1} % | {:.2} % | {:.2} % | {} | {:.1} | {:.1} s | {:.1} µs | {:.0} k | {verdict} |",
            scenario.name,
            agents(scenario),
            scenario.days,
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
    Ok(())
}

fn of_the_others(table: &mut String, scenarios: &[Scenario], runs: &[Vec<Report>]) -> anyhow::Result<()> {
    let names = runs.first().map(|reports| reports.iter().skip(1).map(|report| report.policy.as_str()));
    let names: Vec<&str> = names.into_iter().flatten().collect();
    writeln!(table, "| scenario | days | outdial | {} |", names.join(" | "))?;
    writeln!(table, "|---|---:|---:|{}", "---:|".repeat(names.len()))?;
    for (scenario, reports) in scenarios.iter().zip(runs) {
        let days = reports.get(1).map_or(0, |report| report.windows);
        write!(table, "| {} | {days} |", scenario.name)?;
        for report in reports {
            let (busy, abandoned) = (report.utilisation * 100.0, report.abandon_rate * 100.0);
            // What breaks the cap is no yardstick for what keeps it.
            let breaks = if report.windows_over_cap > 0 { " ✗" } else { "" };
            write!(table, " {busy:.1} / {abandoned:.1}{breaks} |")?;
        }
        table.push('\n');
    }
    Ok(())
}
