//! `outdial simulate`: days of dialling on a simulated floor, faster than time.

mod file;
mod from_group;
pub mod plot;
mod table;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
pub use file::read_scenario;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use simulator::simulate::{self, Policy, Report, Scenario, Watcher};

use crate::config::Config;

/// The command line of `outdial simulate`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The scenario (TOML); see docs/simulate.md and the folder scenarios/.
    #[arg(required_unless_present = "group")]
    scenario: Option<PathBuf>,
    /// Instead of a scenario: a campaign group of the configured database, with its list, hours and recorded calls.
    #[arg(long, value_name = "NAME", conflicts_with = "scenario")]
    group: Option<String>,
    /// With --group: the tenant, where several have a group of that name.
    #[arg(long, requires = "group")]
    tenant: Option<String>,
    /// With --group: how many agents.
    #[arg(long, requires = "group", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    agents: u32,
    /// A policy to run: outdial, progressive, ratio:L, vicidial-hard, vicidial-average, vicidial-tapered, erlang,
    /// samuelson, residual-life. Several are compared on the same people. Without it: the scenario's own.
    #[arg(long = "policy", value_name = "POLICY")]
    policies: Vec<String>,
    /// Another seed than the scenario's.
    #[arg(long)]
    seed: Option<u64>,
    /// Another number of days than the scenario's.
    #[arg(long)]
    days: Option<u32>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Draw utilisation and abandonment over the day; the file's ending, .svg or .png, chooses the kind of picture.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

/// Runs it.
///
/// # Errors
/// The scenario or a policy cannot be, or the plot cannot be written.
pub async fn run(config: &Config, arguments: &Arguments) -> anyhow::Result<()> {
    let mut scenario = match (&arguments.scenario, &arguments.group) {
        (Some(path), _) => read_scenario(path)?,
        (None, Some(group)) => {
            let tenant = arguments.tenant.as_deref();
            from_group::scenario(config, group, tenant, arguments.agents).await?
        }
        (None, None) => anyhow::bail!("name a scenario file, or a campaign group with --group"),
    };
    scenario.seed = arguments.seed.unwrap_or(scenario.seed);
    scenario.days = arguments.days.unwrap_or(scenario.days);
    scenario.validate().context("--days")?;
    let format = arguments.plot.as_deref().map(plot::Format::of).transpose()?;
    let policies = match arguments.policies.as_slice() {
        [] => scenario.policies()?,
        named => named.iter().map(|name| name.parse()).collect::<Result<Vec<Policy>, _>>()?,
    };
    let mut reports = Vec::new();
    for policy in &policies {
        let mut watching = Watching::new(&policy.name(), arguments.json);
        reports.push(simulate::run(&scenario, policy, &mut watching)?);
        watching.bar.finish_and_clear();
    }
    if let (Some(path), Some(format)) = (&arguments.plot, format) {
        std::fs::write(path, plot::over_the_day(&scenario, &reports, format)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    tell(&scenario, &reports, arguments.json)
}

/// A progress bar, and the clock by which speed is measured.
struct Watching {
    bar: ProgressBar,
    began: Instant,
}

impl Watching {
    fn new(policy: &str, is_quiet: bool) -> Self {
        let bar = if is_quiet || !std::io::stderr().is_terminal() {
            ProgressBar::hidden()
        } else {
            ProgressBar::new(1000)
        };
        if let Ok(style) = ProgressStyle::with_template("{msg:18} [{bar:40}] {percent:>3} %  {eta} left") {
            bar.set_style(style);
        }
        bar.set_message(policy.to_owned());
        Self { bar, began: Instant::now() }
    }
}

impl Watcher for Watching {
    fn progress(&mut self, share: f64) {
        self.bar.set_position((share * 1000.0) as u64);
    }
    fn seconds(&mut self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}

#[expect(clippy::print_stdout, reason = "the result of the command")]
fn tell(scenario: &Scenario, reports: &[Report], is_json: bool) -> anyhow::Result<()> {
    if is_json {
        let told = json!({
            "scenario": scenario.name, "seed": scenario.seed, "days": scenario.days,
            "cap_percent": scenario.cap_percent, "policies": reports,
        });
        println!("{}", serde_json::to_string(&told)?);
        return Ok(());
    }
    let agents: u32 = scenario.shifts().iter().map(|shift| shift.count).sum();
    println!(
        "{}: {} days of {} h, {agents} agents, cap {} %, seed {}",
        scenario.name, scenario.days, scenario.hours, scenario.cap_percent, scenario.seed
    );
    for block in reports.chunks(table::POLICIES_ABREAST) {
        println!("{}", table::of(block));
    }
    println!(
        "Busy is talk and wrap-up; U* is the Markov optimum at this cap (docs/pacing.md), while there is someone to dial."
    );
    for report in reports.iter().filter(|report| report.list_lasted < 1.0) {
        println!(
            "With {} the lists ran out: nobody was left to dial in {:.1} % of the agents' time.",
            report.policy,
            (1.0 - report.list_lasted) * 100.0
        );
    }
    Ok(())
}
